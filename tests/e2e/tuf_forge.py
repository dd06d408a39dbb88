"""TUF metadata of other people's making: signed in Python with the keys of a master's state, and a mirror that shows what
a test tells it to instead of what the master publishes. Independent of lib/tuf_*."""
import base64, copy, hashlib, http.server, json, os, subprocess, tempfile, threading, urllib.error, urllib.request

from grid import wait_for

METADATA = "/tuf/metadata/"
ENDLESS = object()  # an answer that never ends
SECRET_AT = 62      # of the 32 bytes of an Ed25519 seed in a minisign secret key: after algorithms, salt, limits and id
PKCS8_ED25519 = bytes.fromhex("302e020100300506032b657004220420")  # RFC 8410


def canonical(value):
    """OLPC's canonical JSON; names and texts here are plain ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def seed_of(path):
    with open(path) as f:
        return base64.b64decode(f.read().splitlines()[1])[SECRET_AT:SECRET_AT + 32]


def ed25519(seed, message):
    with tempfile.TemporaryDirectory() as directory:
        key, data = os.path.join(directory, "key"), os.path.join(directory, "data")
        for path, content in ((key, PKCS8_ED25519 + seed), (data, message)):
            with open(path, "wb") as f:
                f.write(content)
        return subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", key, "-in", data],
                              check=True, capture_output=True).stdout


class Forge:
    """What somebody who has keys of this master can sign. Roles without a key here are signed with a key of his own."""

    def __init__(self, grid, stolen):
        self.grid = grid
        self.seeds = {role: seed_of(os.path.join(grid.master.state, "keys", role + ".key")) for role in stolen}

    def current(self, name):
        """The newest file of this role as the master publishes it, decoded."""
        get = lambda file: json.loads(self.grid.request("GET", METADATA + file, token=None).body)
        found = get(name + ".json") if name in ("timestamp", "root") else None
        if found is None:
            above = {"snapshot": "timestamp", "targets": "snapshot"}[name]
            version = self.current(above)["signed"]["meta"][name + ".json"]["version"]
            found = get("%d.%s.json" % (version, name))
        return found

    def sign(self, role, signed):
        ids = self.current("root")["signed"]["roles"][role]["keyids"]
        seed = self.seeds.get(role, bytes(32))
        return canonical({"signed": signed, "signatures": [{"keyid": ids[0], "sig": ed25519(seed, canonical(signed)).hex()}]})

    def chain(self, targets=None, snapshot=None, timestamp=None):
        """{path: bytes} of what differs from the master's: each argument may change what its role says, and all that is
        above it follows. Versions grow by one."""
        said, files, below = {}, {}, None
        for role, edit in (("targets", targets), ("snapshot", snapshot), ("timestamp", timestamp)):
            if not edit and not below:
                continue
            signed = copy.deepcopy(self.current(role)["signed"])
            signed["version"] += 1
            if below:
                name, content = below
                meta = {"version": said[name]["version"], "length": len(content),
                        "hashes": {"sha256": hashlib.sha256(content).hexdigest()}}
                signed["meta"][name + ".json"] = meta
            if edit:
                edit(signed)
            said[role] = signed
            content = self.sign(role, signed)
            files[METADATA + (role + ".json" if role == "timestamp" else "%d.%s.json" % (signed["version"], role))] = content
            below = role, content
        return files


class Mirror:
    """Stands where agents look for files: passes on what the master publishes, but for what `say` has an answer to:
    {path: bytes, ENDLESS or a status}."""

    def __init__(self, test, grid):
        self.grid, self.say, self.asked = grid, {}, []
        mirror = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.answer(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                """An agent that has seen enough hangs up."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        test.addCleanup(self.server.server_close)
        test.addCleanup(self.server.shutdown)

    def answer(self, request):
        said = self.say.get(request.path)
        self.asked.append(request.path)
        if said is ENDLESS:
            request.send_response(200)
            request.end_headers()
            while True:
                request.wfile.write(b" " * 65536)
        if isinstance(said, int):
            request.send_error(said)
            return
        status, body = (200, said) if said is not None else self.fetch(request)
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def fetch(self, request):
        wanted = urllib.request.Request(self.grid.master.url + request.path)
        if request.headers.get("Authorization"):
            wanted.add_header("Authorization", request.headers["Authorization"])
        try:
            with urllib.request.urlopen(wanted, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def wait_asked(self, path):
        return wait_for("a request for " + path, lambda: path in self.asked)
