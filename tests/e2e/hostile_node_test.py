#!/usr/bin/python3
"""What broken and ill-meaning clients get from a storage node: what a master gives them, and for its chunks the like."""
import os, socket, sys, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hostile_test
from grid import PATIENCE_S
from storage_server_test import StorageServerTest

HOST = "Host: 127.0.0.1\r\n"
HEADS = [("body cut short", "PUT /v1/chunks/c HTTP/1.1\r\n" + HOST + "Content-Length: 10\r\n\r\nabc", 400),
         ("larger than a chunk", "PUT /v1/chunks/c HTTP/1.1\r\n" + HOST + "Content-Length: 67108865\r\n\r\n", 413),
         ("two lengths", "PUT /v1/chunks/c HTTP/1.1\r\n" + HOST + "Content-Length: 1\r\nContent-Length: 2\r\n\r\na", 400),
         ("length with chunked", "PUT /v1/chunks/c HTTP/1.1\r\n" + HOST + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na", 400),
         ("largest chunk", "PUT /v1/chunks/c HTTP/1.1\r\n" + HOST + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", (400, 411, 413)),
         ("host of a stranger", "GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403)]
IDS = [("dot segments", "../../etc/passwd", 400), ("dots, encoded", "%2e%2e%2fetc", 400), ("dots, doubly", "%252e%252e", 400),
       ("NUL", "a%00b", 400), ("backslash", "..%5ca", 400), ("65 characters", "a" * 65, 400), ("a dot", "a.b", 400),
       ("a space", "a%20b", 400), ("SQL", "%27%20OR%201", 400), ("markup", "%3Cscript%3E", 400), ("overlong", "%c0%ae", 400),
       ("20 kB", "a" * 20000, 414)]


class HostileToNode(StorageServerTest):
    read = hostile_test.Hostile.read

    def setUp(self):
        super().setUp()
        self.node = self.start()
        self.assertEqual(self.node.ask("PUT", "/v1/chunks/kept", b"x").status, 201)
        self.assertEqual(len(self.stored()), 1)

    def status(self, data):
        with socket.create_connection(("127.0.0.1", self.node.port), timeout=PATIENCE_S) as connection:
            try:
                connection.sendall(data.encode("latin-1"))
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused before all was sent
            return self.read(connection)[0]

    def gets(self, what, data, expected):
        status = self.status(data)
        if expected is None:
            self.assertTrue(status == 0 or 400 <= status < 600 and status != 500, "%s: %d" % (what, status))
        else:
            self.assertIn(status, expected if isinstance(expected, tuple) else (expected,), what)
        self.assertEqual(self.status("GET /healthz HTTP/1.1\r\n" + HOST + "Connection: close\r\n\r\n"), 200, "after " + what)

    def stored(self):
        return sorted(name for _, _, names in os.walk(self.node.data) for name in names if name.endswith(".0"))

    def test_heads_and_bodies(self):
        before = self.stored()
        for what, head, status in hostile_test.HEADS + HEADS:
            if what not in ("no host in HTTP/1.0", "two authorizations", "ten kilobytes of token"):  # of the master alone
                self.gets(what, head, status)
        self.assertEqual(self.stored(), before)

    def test_ids_of_chunks(self):
        before = self.stored()
        for what, name, status in IDS:
            for method in ("GET", "PUT", "DELETE"):
                more = "Content-Length: 1\r\n\r\na" if method == "PUT" else "\r\n"
                self.gets("%s %s" % (method, what), "%s /v1/chunks/%s HTTP/1.1\r\n%s%s" % (method, name, HOST, more), status)
        self.assertEqual(self.stored(), before)


del StorageServerTest

if __name__ == "__main__":
    unittest.main()
