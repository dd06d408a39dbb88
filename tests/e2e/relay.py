"""A relay before the master that can cut connections at a chosen moment."""
import contextlib, re, select, socket, threading

from grid import PATIENCE_S


class Relay(threading.Thread):
    """Passes connections on to the master and keeps the heads of requests. Subclasses say when to cut one: `connection`
    is theirs, a dictionary for what they want to remember of it."""

    def __init__(self, target, at=("127.0.0.1", 0)):
        super().__init__(daemon=True)
        host, port = target.split("//")[1].rsplit(":", 1)
        self.target, self.heads = (host, int(port)), []
        self.listener = socket.create_server(at)
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        connection = {}
        with client, socket.create_connection(self.target) as master, contextlib.suppress(ConnectionError):
            while True:
                ready, _, _ = select.select([client, master], [], [], PATIENCE_S)
                if not ready:
                    return
                for source, sink in ((client, master), (master, client)):
                    if source in ready and not self.move(connection, source, sink, source is client):
                        return

    def move(self, connection, source, sink, from_client):
        """False when the connection is over."""
        data = source.recv(16384)
        if not data:
            return False
        if from_client and re.match(rb"(GET|HEAD|PUT|POST) ", data):
            connection["head"] = data.split(b"\r\n\r\n")[0].decode()
            self.heads.append(connection["head"])
        if self.cut_before(connection, from_client, data):
            return False
        sink.sendall(data)
        return not self.cut_after(connection, from_client, data)

    def cut_before(self, connection, from_client, data):
        return False

    def cut_after(self, connection, from_client, data):
        return False

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # else who accepts would keep it
        self.listener.close()
