#!/usr/bin/python3
"""What people who mean harm, broken clients and their bodies get from a running master: an answer of the right status,
nothing changed, nothing told, and the next request is answered."""
import json, os, re, select, socket, sys, time, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from grid import PATIENCE_S, wait_for
from master_case import NAME, Test

CRLF = "\r\n"
HOST = "Host: 127.0.0.1\r\n"
CLOSED = 0  # the connection ends without an answer

# (what, bytes of the request, status, and words of the reason where the status alone would not tell that it was this
# that is refused). A second request follows each on a connection of its own.
PATHS = [
    ("dot segments", "/binaries/../grid.db", 400),
    ("dot segments behind a file", "/binaries/%s/../../etc/passwd" % NAME, 400),
    ("dot segments, encoded", "/binaries/%2e%2e/grid.db", 400),
    ("dot segments, upper case", "/binaries/%2E%2E%2Fgrid.db", 400),
    ("dot segments, doubly encoded", "/binaries/%252e%252e%252fgrid.db", 400),
    ("slash, doubly encoded", "/binaries/a%252fb", 400),
    ("single dot", "/api/./summary", 400),
    ("empty segment", "/api//summary", 400),
    ("two slashes first", "//api/summary", 400),
    ("NUL", "/binaries/%s%%00.minisig" % NAME, 400),
    ("backslash", "/binaries/..\\grid.db", 400),
    ("backslash, encoded", "/binaries/..%5cgrid.db", 400),
    ("control character", "/api/agents/a%0d%0aX-Injected:%201", 400),
    ("overlong UTF-8", "/binaries/%c0%ae%c0%ae/grid.db", 400),
    ("no UTF-8", "/api/agents/%ff", 400),
    ("half an escape", "/api/agents/%4", 400),
    ("no hex", "/api/agents/%zz", 400),
    ("prefix of a route", "/api/binariesX", 404),
    ("route and more", "/api/binaries/1.0.0/linux/x86_64/verify/more", 404),
    ("other case", "/API/BINARIES", 404),
    ("encoded slash in a name", "/binaries/a%2Fb", 404),
    ("absolute path as a name", "/binaries/%2Fetc%2Fpasswd", 400),
    ("name of 5,000 letters", "/binaries/" + "a" * 5000, 404),
    ("address of 20 kB", "/" + "a" * 20000, 414),
    ("SQL in a name", "/api/binaries?name=%27%20OR%201=1--", 200),
    ("65 parameters", "/api/binaries?" + "&".join("a%d=1" % i for i in range(65)), 400, "more than 64"),
    ("a parameter twice", "/api/binaries?name=a&name=b", 400),
    ("token in the address", "/api/binaries?token=gt_0123456789abcdef.x", 400, "a secret in the address"),
]

HEADS = [
    ("no host", "GET /healthz HTTP/1.1\r\n\r\n", 400),
    ("two hosts", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("host with a path", "GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ("no host in HTTP/1.0", "GET /healthz HTTP/1.0\r\n\r\n", 200),
    ("HTTP/2.0", "GET /healthz HTTP/2.0\r\n" + HOST + CRLF, 505),
    ("HTTP/0.9", "GET /healthz\r\n\r\n", 400),
    ("lone line feeds", "GET /healthz HTTP/1.1\nHost: a\n\n", 400),
    ("a lone line feed behind a header", "GET /healthz HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400),
    ("folded header", "GET /healthz HTTP/1.1\r\n" + HOST + "X: a\r\n b\r\n\r\n", 400),
    ("space before the colon", "GET /healthz HTTP/1.1\r\n" + HOST + "X : a\r\n\r\n", 400),
    ("name of a header that is none", "GET /healthz HTTP/1.1\r\n" + HOST + "X(y): a\r\n\r\n", 400),
    ("header without a name", "GET /healthz HTTP/1.1\r\n" + HOST + ": a\r\n\r\n", 400),
    ("header of 20 kB", "GET /healthz HTTP/1.1\r\n" + HOST + "X: " + "a" * 20000 + "\r\n\r\n", 431),
    ("200 headers", "GET /healthz HTTP/1.1\r\n" + HOST + "".join("X-%d: a\r\n" % i for i in range(200)) + CRLF, 431),
    ("tab in the request line", "GET\t/healthz HTTP/1.1\r\n" + HOST + CRLF, 400),
    ("two spaces in the request line", "GET  /healthz HTTP/1.1\r\n" + HOST + CRLF, 400),
    ("method in lower case", "get /healthz HTTP/1.1\r\n" + HOST + CRLF, None),
    ("method unknown", "BREW /healthz HTTP/1.1\r\n" + HOST + CRLF, None),
    ("TRACE", "TRACE /healthz HTTP/1.1\r\n" + HOST + CRLF, None),
    ("CONNECT", "CONNECT example.org:443 HTTP/1.1\r\n" + HOST + CRLF, None),
    ("whole URL of another host", "GET http://example.org/healthz HTTP/1.1\r\n" + HOST + CRLF, None),
    ("TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", None),
    ("garbage", "\x00\x01\x02\x03\r\n\r\n", None),
    ("two authorizations", "GET /healthz HTTP/1.1\r\n" + HOST + "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n", 400),
    ("token with a line end", "GET /healthz HTTP/1.1\r\n" + HOST + "X-API-Key: a\r\n\tb\r\n\r\n", 400),
    ("ten kilobytes of token", "GET /healthz HTTP/1.1\r\n" + HOST + "X-API-Key: " + "a" * 10000 + "\r\n\r\n", 401),
]

POST = "POST /api/binaries/1.0.0/linux/x86_64/verify HTTP/1.1\r\n" + HOST
GOOD = '{"checksum":"%s"}' % ("a" * 64)
CHUNKS = "%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD)
CHUNKED = "Transfer-Encoding: chunked\r\n\r\n"


def sized(*lengths):
    """A good body behind heads that tell its length."""
    return POST + "".join("Content-Length: %s\r\n" % length for length in lengths) + CRLF + GOOD


# What is said is good: it is refused for the way it is sent.
FRAMES = [
    ("nothing wrong", sized(len(GOOD)), 200),
    ("nothing wrong, in chunks", POST + CHUNKED + CHUNKS, 200),
    ("two lengths", sized(len(GOOD), len(GOOD) + 1), 400),
    ("the same length twice", sized(len(GOOD), len(GOOD)), 400),
    ("negative length", sized("-1"), 400),
    ("signed length", sized("+%d" % len(GOOD)), 400),
    ("length in hex", sized("0x%x" % len(GOOD)), 400, "18 digits"),
    ("20 digits of length", sized("9" * 20), 400, "18 digits"),
    ("list of lengths", sized("%d, %d" % (len(GOOD), len(GOOD))), 400),
    ("length with chunked", POST + "Content-Length: %d\r\n" % len(CHUNKS) + CHUNKED + CHUNKS, 400),
    ("gzip as transfer coding", POST + "Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS, 400),
    ("identity as transfer coding", POST + "Transfer-Encoding: identity\r\n\r\n" + CHUNKS, 400),
    ("chunked in HTTP/1.0", POST.replace("1.1", "1.0") + CHUNKED + CHUNKS, 400),
    ("largest chunk", POST + CHUNKED + "ffffffffffffffff\r\n{}\r\n0\r\n\r\n", (400, 413)),
    ("negative chunk", POST + CHUNKED + "-" + CHUNKS, 400),
    ("chunk without a size", POST + CHUNKED + CHUNKS.replace("\r\n0\r\n", "\r\n\r\n"), 400),
    ("size of a chunk before a lone line feed", POST + CHUNKED + CHUNKS.replace(CRLF, "\n", 1), 400),
    ("more than is taken", POST + "Content-Length: 65537\r\n\r\n", 413),
    ("more than is taken, in chunks", POST + CHUNKED + ("4000\r\n" + "a" * 0x4000 + CRLF) * 5 + "0\r\n\r\n", 413),
    ("body where none is taken", "GET /healthz HTTP/1.1\r\n" + HOST + "Content-Length: 2\r\n\r\n{}", 413),
    ("unknown expectation", POST + "Content-Length: 2\r\nExpect: 200-ok\r\n\r\n{}", 417),
    ("body cut short", sized(len(GOOD) + 1), 400),
]

# (what, body, and words of the reason that an order with one member, checksum, is refused for): 400 everywhere.
BODIES = [
    ("nothing", b"", "it is empty"),
    ("no JSON", b"checksum=1", "a value was expected"),
    ("half an object", b'{"checksum":', "it ends too early"),
    ("an array", b"[]", "not an object"),
    ("a word", b'"x"', "not an object"),
    ("trailing bytes", b'{"checksum":"a"}{}', "something follows the value"),
    ("depth 1000", b'{"a":' * 1000 + b"1" + b"}" * 1000, "nested too deep"),
    ("arrays of depth 10,000", b"[" * 10000 + b"]" * 10000, "nested too deep"),
    ("duplicate keys", b'{"checksum":"a","checksum":"b"}', "there twice"),
    ("NUL in a string", b'{"checksum":"a\\u0000b"}', "not allowed"),
    ("NUL byte", b'{"checksum":"a\0b"}', "control character"),
    ("1e999", b'{"checksum":1e999}', "too large"),
    ("leading zero", b'{"checksum":01}', "leading zero"),
    ("NaN", b'{"checksum":NaN}', "a value was expected"),
    ("bad UTF-8", b'{"checksum":"\xff\xfe"}', "not UTF-8"),
    ("surrogate alone", b'{"checksum":"\\ud800"}', "surrogate"),
    ("comment", b'{/**/"checksum":"a"}', "a key in quotes"),
    ("single quotes", b"{'checksum':'a'}", "a key in quotes"),
    ("number for a string", b'{"checksum":1}', "not a string"),
    ("another member", b'{"checksum":"%s","colour":1}' % (b"a" * 64), "colour"),
    ("a member in other case", b'{"Checksum":"%s"}' % (b"a" * 64), "unknown key"),
    ("a string of 60 kB", b'{"checksum":"%s"}' % (b"a" * 60000), "longer than"),
    ("byte order mark", b'\xef\xbb\xbf{"checksum":"a"}', "a value was expected"),
]


class Hostile(Test):

    def read(self, connection):
        """Everything until the connection ends or pauses behind a whole answer: (status, head, body)."""
        data, deadline = b"", time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            head, _, body = data.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
            if b"\r\n\r\n" in data and length and len(body) >= int(length[1]):
                break
            if not select.select([connection], [], [], 0.2)[0]:
                continue
            try:
                more = connection.recv(65536)
            except ConnectionError:
                more = b""
            if not more:
                break
            data += more
        if not data:
            return CLOSED, b"", b""
        head, _, body = data.partition(b"\r\n\r\n")
        return int(head.split()[1]), head, body

    def send(self, data):
        host, port = self.grid.master.url.removeprefix("http://").rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused before all was sent
            return self.read(connection)

    def answers(self, what, data, expected, words=""):
        status, head, body = self.send(data)
        said = "%s: %d %s %s" % (what, status, head[:300], body[:300])
        if isinstance(expected, tuple):
            self.assertIn(status, expected, said)
        elif expected is None:  # refused in some way, or the connection is closed
            self.assertTrue(status == CLOSED or 400 <= status < 600 and status != 500, said)
        else:
            self.assertEqual(status, expected, said)
        if status >= 400:
            self.assertIn(b"application/problem+json", head, said)
            problem = json.loads(body)
            self.assertEqual(problem["status"], status, said)
            self.assertIn(words, problem["detail"], said)
            self.assertNotIn(self.grid.directory, body.decode(), "the answer tells where things are")
            self.assertNotIn(b"X-Injected:", head)
        self.assertEqual(self.get("/healthz").status, 200, "after " + what)

    def test_addresses(self):
        for what, path, *expected in PATHS:
            self.answers(what, ("GET " + path + " HTTP/1.1\r\n" + HOST + CRLF).encode("latin-1"), *expected)

    def test_heads(self):
        for what, head, status in HEADS:
            self.answers(what, head.encode("latin-1"), status)

    def test_framing_of_bodies(self):
        self.publish()
        for what, request, *expected in FRAMES:
            self.answers(what, request.encode("latin-1"), *expected)

    def test_bodies(self):
        self.publish()
        for what, body, words in BODIES:
            self.answers(what, (POST + "Content-Length: %d\r\n\r\n" % len(body)).encode() + body, 400, words)
        events = self.grid.events()
        for path, method in (("/api/tokens", "POST"), ("/api/agents/a-1", "PATCH"), ("/api/channels/stable", "PUT"), ("/api/keys", "POST"),
                             ("/api/users", "POST"), ("/api/trust/rotate", "POST"), ("/api/trust/root", "POST"), ("/api/trust/targets", "POST")):
            for what, body, _ in BODIES:
                answer = self.grid.request(method, path, body, {"Content-Type": "application/json"})
                self.assertEqual(answer.status, 400, "%s to %s: %s" % (what, path, answer.body[:300]))
        self.assertEqual(self.grid.events(), events, "something was done all the same")

    def test_one_request_does_not_hide_in_the_body_of_another(self):
        inner = b"GET /api/agents/hidden HTTP/1.1\r\nHost: a\r\n\r\n"
        outer = (POST + "Content-Length: %d\r\n\r\n" % len(inner)).encode() + inner
        status, _, body = self.send(outer + b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        self.assertEqual(status, 400)
        self.assertNotIn(b"hidden", body)

    def test_wrong_content_types_are_named(self):
        for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "application/jsonx"):
            answer = self.grid.request("POST", "/api/tokens", b'{"kind":"join"}', {"Content-Type": kind})
            said = self.problem(answer, 415, "unsupported_media_type")
            self.assertIn("application/json", said["hint"])
        for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON"):
            self.assertEqual(self.grid.request("POST", "/api/tokens", b'{"kind":"join"}', {"Content-Type": kind}).status, 201)

    def test_ranges(self):
        content = self.publish()
        for value, status, length in (("bytes=0-0", 206, 1), ("bytes=-2", 206, 2), ("bytes=5-", 206, len(content) - 5), ("bytes=0-99999999", 206, len(content)),
                                      ("bytes=99999-", 416, None), ("bytes=-0", 416, None), ("bytes=5-2", 200, len(content)), ("bytes=a-b", 200, len(content)),
                                      ("bytes=0-1,0-1,0-1", 200, len(content)), ("bytes=" + ",".join(["0-"] * 1000), 200, len(content)),
                                      ("pages=1-2", 200, len(content)), ("bytes=99999999999999999999-", None, None)):
            answer = self.get("/binaries/" + NAME, headers={"Range": value})
            if status is None:
                self.assertIn(answer.status, (200, 416))
                continue
            self.assertEqual(answer.status, status, value[:40])
            if length is not None:
                self.assertEqual(len(answer.body), length, value[:40])

    def test_markup_and_sql_are_text(self):
        words = "<script>alert(1)</script>'; DROP TABLE agent; --"
        answer = self.grid.request("PUT", "/api/channels/x", {"version": words})
        self.problem(answer, 400, "invalid")
        answer = self.get("/api/agents/%3Cscript%3E", token=self.grid.token)
        self.problem(answer, 404, "not_found")
        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
        for query in ("?status=%27%20OR%201", "?version=%27%3B%20DROP", "?label=a%3D%27%20OR"):
            self.assertIn(self.get("/api/agents" + query, token=self.grid.token).status, (200, 400))
        self.assertEqual(self.grid.api("GET", "/api/agents"), [])

    def test_slow_heads_end_while_others_are_served(self):
        host, port = self.grid.master.url.removeprefix("http://").rsplit(":", 1)
        slow = []
        for i in range(60):
            connection = socket.create_connection((host, int(port)), timeout=PATIENCE_S)
            self.addCleanup(connection.close)
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: " if i % 2 else b"")
            slow.append(connection)
        for _ in range(20):
            self.assertEqual(self.get("/healthz").status, 200)
        for i, connection in enumerate(slow):
            status, _, body = self.read(connection)
            self.assertIn(status, (408,) if i % 2 else (408, CLOSED), body)
        self.assertEqual(self.get("/healthz").status, 200)

    def test_flood_of_connections_is_survived(self):
        host, port = self.grid.master.url.removeprefix("http://").rsplit(":", 1)
        flood = [socket.create_connection((host, int(port)), timeout=PATIENCE_S) for _ in range(900)]
        self.assertEqual(self.get("/healthz").status, 200)
        for connection in flood:
            connection.close()
        self.assertEqual(self.get("/healthz").status, 200)

    def test_more_connections_than_workers_wait_and_are_served(self):
        self.grid.master.stop()
        self.grid.master_arguments = ["--http-workers", "4"]
        self.grid.start_master()
        host, port = self.grid.master.url.removeprefix("http://").rsplit(":", 1)
        idle = [socket.create_connection((host, int(port)), timeout=PATIENCE_S) for _ in range(6)]
        wait_for("an answer behind silent clients", lambda: self.get("/healthz").status == 200)
        for connection in idle:
            connection.close()

    def test_http_on_the_bus_port_and_the_bus_on_the_http_port(self):
        host, port = self.grid.master.bus.rsplit(":", 1)
        for data in (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\0SP\0\0\x30\0\0" + b"\xff" * 8, b"\0" * 1000, b"\xff" * 10, b""):
            with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
                try:
                    connection.sendall(data)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(4096):
                        pass
                except OSError as error:
                    self.assertNotIsInstance(error, TimeoutError, "the bus keeps a stranger")
        self.answers("a bus handshake", b"\0SP\0\0\x30\0\0", None)
        self.grid.agent("a-1")
        wait_for("an agent", lambda: self.grid.show("a-1")["status"] == "up")


if __name__ == "__main__":
    unittest.main()
