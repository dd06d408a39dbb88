"""Many clients at once that mean no good: silent, slow to ask, slow to tell, slow to read. They come from many loopback
addresses, as they would from many machines, and whoever is sent away comes back. A crowd is a process of its own, so
that it does not slow down whoever measures."""
import errno, json, resource, select, signal, socket, ssl, subprocess, sys, time

TICK_S = 0.1
REOPENED_PER_TICK = 200  # more would make the crowd, and not what it besets, the bottleneck
SHAKEN_PER_TICK = 150    # the same where each costs a handshake
DESCRIPTORS = 20000
WAITING = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
LATER = (errno.EAGAIN, errno.ECONNREFUSED, errno.EADDRNOTAVAIL)  # the other side's queue is full


def head(path, more=""):
    return ("GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s" % (path, more)).encode()


def kind(count, first=b"", drip=b"", sips=None, tls=False):
    """So many clients that say first, then drip some bytes each second; they take what comes, or only so many bytes each
    second. With tls all of that inside, behind a whole handshake."""
    return {"count": count, "first": first.decode("latin-1"), "drip": drip.decode("latin-1"), "sips": sips, "tls": tls}


def client_hello(context):
    """The first flight of a handshake."""
    out = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="grid-master").do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


class Crowd:
    def __init__(self, test, address, *kinds):
        order = json.dumps({"address": address, "kinds": kinds})
        self.size, self.report = sum(k["count"] for k in kinds), None
        self.popen = subprocess.Popen([sys.executable, __file__, order], stdout=subprocess.PIPE)
        test.addCleanup(self.end)

    def end(self):
        """Everybody leaves: how many were there, and how many had been sent away before."""
        if self.report is None:
            self.popen.terminate()
            self.report = json.loads(self.popen.communicate()[0])
        return self.report


class Client:
    """One of them; told: it has said what it says first; shaking: it has not agreed on keys yet."""

    def __init__(self, does, number, tls):
        self.does, self.number, self.told, self.shaking = does, number, False, does["tls"]
        self.interest = select.EPOLLIN if does["sips"] is None else 0
        self.socket = socket.socket()
        if does["sips"] is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.socket.bind(("127.0.%d.%d" % (1 + number % 200, 1 + number // 200 % 250), 0))
        self.socket.setblocking(False)
        if does["tls"]:
            self.socket = tls.wrap_socket(self.socket, do_handshake_on_connect=False)


class Gathering:
    """The crowd inside its process."""

    def __init__(self, address, kinds):
        self.address, self.epoll, self.over = tuple(address), select.epoll(), False
        self.by_fd, self.sent_away = {}, 0
        self.tls = ssl.create_default_context()
        self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE
        self.absent = [(k, i) for k in kinds for i in range(k["count"])]

    def stop(self, *_):
        self.over = True

    def open(self, does, number):
        client = Client(does, number, self.tls)
        if client.socket.connect_ex(self.address) in LATER:
            client.socket.close()
            return False
        self.by_fd[client.socket.fileno()] = client
        self.epoll.register(client.socket.fileno(), select.EPOLLOUT | client.interest)
        return True

    def gather(self):
        shaken = 0
        for _ in range(min(len(self.absent), REOPENED_PER_TICK)):
            shaken += self.absent[0][0]["tls"]
            if shaken > SHAKEN_PER_TICK or not self.open(*self.absent[0]):
                return
            self.absent.pop(0)

    def leave(self, client):
        self.sent_away += 1
        self.absent.append((client.does, client.number))
        del self.by_fd[client.socket.fileno()]
        client.socket.close()

    def say(self, client, words):
        try:
            client.socket.send(words.encode("latin-1"))
        except WAITING:
            pass
        except OSError:
            self.leave(client)

    def take(self, client, most):
        try:
            if not client.socket.recv(most):
                self.leave(client)
        except WAITING:
            pass
        except OSError:
            self.leave(client)

    def pass_a_second(self):
        for client in [c for c in self.by_fd.values() if c.told]:
            if client.does["drip"]:
                self.say(client, client.does["drip"])
            elif client.does["sips"]:
                self.take(client, client.does["sips"])

    def shake_hands(self, client):
        try:
            client.socket.do_handshake()
        except ssl.SSLWantReadError:
            self.epoll.modify(client.socket.fileno(), select.EPOLLIN)
        except ssl.SSLWantWriteError:
            self.epoll.modify(client.socket.fileno(), select.EPOLLOUT)
        except OSError:
            self.leave(client)
        else:
            client.shaking = False
            self.begin(client)

    def begin(self, client):
        client.told = True
        self.epoll.modify(client.socket.fileno(), client.interest)
        self.say(client, client.does["first"])

    def attend(self, client, event):
        if event & (select.EPOLLERR | select.EPOLLHUP):
            self.leave(client)
        elif client.shaking:
            self.shake_hands(client)
        elif event & select.EPOLLOUT and not client.told:
            self.begin(client)
        elif event & select.EPOLLIN:
            self.take(client, 65536)

    def run(self):
        dripped = time.monotonic()
        while not self.over:
            self.gather()
            for fd, event in self.epoll.poll(TICK_S, maxevents=DESCRIPTORS):
                if fd in self.by_fd:
                    self.attend(self.by_fd[fd], event)
            if time.monotonic() - dripped > 1:
                dripped = time.monotonic()
                self.pass_a_second()
            time.sleep(TICK_S)
        return {"present": sum(c.told for c in self.by_fd.values()), "sent_away": self.sent_away}


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, most), most))
    gathering = Gathering(**json.loads(sys.argv[1]))
    signal.signal(signal.SIGTERM, gathering.stop)
    print(json.dumps(gathering.run()))
