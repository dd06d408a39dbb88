"""What the tests of TUF share: our client, the JavaScript of others, and repositories served over HTTP on loopback."""
import http.server, os, shutil, subprocess, threading, urllib.parse

from grid import BUILD

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = os.path.abspath(os.path.join(HERE, "../../.deps/npm/node_modules"))
CLIENT = os.path.abspath(os.path.join(BUILD, "tests/tools/tuf-client"))
ENDLESS_MAX_BYTES = 256 << 20  # who reads on this far will read on for ever

HAVE_NODE = shutil.which("node") is not None and os.path.isdir(os.path.join(MODULES, "tuf-js"))


def node(script, *arguments, ca="", timeout_s=120):
    """Runs one of our scripts, which believes in the certificates of a file besides; its exit code and what it said."""
    done = subprocess.run(["node", os.path.join(HERE, script), *arguments], capture_output=True, text=True,
                          timeout=timeout_s, env=dict(os.environ, NODE_PATH=MODULES, NODE_EXTRA_CA_CERTS=ca))
    return done.returncode, done.stdout + done.stderr


def client(*arguments, days=0, timeout_s=60):
    """Runs tuf-client, so many days later; its exit code and what it said."""
    late = ["faketime", "-f", "+%dd" % days] if days else []
    done = subprocess.run([*late, CLIENT, *arguments], capture_output=True, text=True, timeout=timeout_s)
    return done.returncode, done.stdout + done.stderr


class Served:
    """Folders below URL/NAME/, one server for all of them. A file that is named endless never ends."""

    def __init__(self):
        served = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                served.answer(self)

            def log_message(self, *_):
                pass

        self.folders, self.endless, self.asked, self.sent = {}, {}, {}, {}
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def url(self, name, path):
        return "http://127.0.0.1:%d/%s/%s" % (self.server.server_port, name, path)

    def answer(self, request):
        name, _, path = request.path[1:].partition("/")
        self.asked.setdefault(name, []).append(path)
        if path == self.endless.get(name):
            return self.pour(request, name)
        # Names of metadata lie encoded on disk, too: they are names of roles, and may hold a slash.
        file = path if path.startswith("metadata/") else urllib.parse.unquote(path)
        try:
            with open(os.path.join(self.folders[name], file), "rb") as f:
                content = f.read()
        except OSError:
            return request.send_error(404)
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def pour(self, request, name):
        request.send_response(200)
        request.end_headers()
        self.sent[name] = 0
        try:
            while self.sent[name] < ENDLESS_MAX_BYTES:
                request.wfile.write(b" " * 65536)
                self.sent[name] += 65536
        except OSError:
            pass  # the client has had enough

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
