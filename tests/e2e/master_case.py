"""What end-to-end tests of the master's REST share: contents, a grid of a master alone, and questions to it."""
import hashlib, re, socket, struct, time, unittest

from grid import Grid, PATIENCE_S

NAME = "storage-server-1.0.0-linux-x86_64"
ROUTE = "/api/binaries/%s/linux/x86_64"


def script(words):
    return b"#!/bin/sh\necho " + words.encode() + b"\n"


def elf(machine, size=64):
    """An ELF executable's header for this machine, and zeros behind it."""
    header = b"\x7fELF\x02\x01\x01" + b"\0" * 9 + struct.pack("<HHI", 2, machine, 1)
    return header.ljust(size, b"\0")


def sha256(content):
    return hashlib.sha256(content).hexdigest()


class Test(unittest.TestCase):
    arguments = ()

    def setUp(self):
        self.grid = Grid(self, self.arguments)

    def put(self, content, version="1.0.0", query="", name="storage-server", **options):
        return self.grid.request("PUT", ROUTE % version + "?name=" + name + query, content, **options)

    def publish(self, version="1.0.0", words=None):
        content = script(words or version)
        self.assertEqual(self.put(content, version).status, 201)
        return content

    def get(self, path, **options):
        return self.grid.request("GET", path, token=options.pop("token", None), **options)

    def walk(self, path, key):
        """Ids of all pages, and how many pages there were."""
        found, pages = [], 0
        while path:
            self.assertLess(pages, 100, "pages without end")
            answer = self.get(path, token=self.grid.token)
            self.assertEqual(answer.status, 200, answer.body)
            found += [key(item) for item in answer.json()]
            self.total = int(answer.headers["X-Total-Count"])
            link = answer.headers["Link"]
            path = re.fullmatch(r'<([^>]+)>; rel="next"', link)[1] if link else None
            pages += 1
        return found, pages

    def problem(self, answer, status, code):
        self.assertEqual(answer.status, status, answer.body)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        self.assertEqual(answer.json()["code"], code, answer.body)
        return answer.json()

    def until_limited(self, ask, burst, every_s=12):
        """The answers before the one that is turned away (429), and that one. As many as may be at once, and on a slow
        machine those that come back meanwhile, one every so often; the next of them is not due soon."""
        begun, answers = time.monotonic(), []
        while (answer := ask()).status != 429 or int(answer.headers["Retry-After"]) < every_s / 2:
            if answer.status != 429:
                answers.append(answer)
            self.assertLessEqual(len(answers), burst + (time.monotonic() - begun) / every_s)
            self.assertLess(len(answers), 10 * burst, "it takes too long here for a limit")
        self.assertGreaterEqual(len(answers), burst)
        return answers, answer

    def role(self, role):
        return self.grid.api("POST", "/api/tokens", {"kind": "api", "role": role})["secret"]

    def raw(self, head, body=b""):
        """A connection of our own, for what no decent client sends."""
        host, port = self.grid.master.url.removeprefix("http://").rsplit(":", 1)
        connection = socket.create_connection((host, int(port)), timeout=PATIENCE_S)
        connection.sendall(head.encode() + body)
        return connection

    def status_of(self, head, body=b""):
        with self.raw(head, body) as connection:
            return int(connection.makefile("rb").readline().split()[1])
