"""One bit flips on a disk, in what an agent runs, in a chunk, in the master's object: found out, never handed on, and
all is right again afterwards.
"""
import contextlib, hashlib, http.client, os, random, signal, unittest

import checker
from grid import Grid, here, sha256, storage_server, wait_for
from ledger import Ledger
from scale import SEED

NODE = "a-1/0"


def flip(path):
    """Any bit of it, wherever the seed says."""
    at, bit = random.Random("%d %s" % (SEED, os.path.getsize(path))).randrange(os.path.getsize(path)), 1 << SEED % 8
    os.chmod(path, 0o600)
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ bit]))


class FlippedBits(unittest.TestCase):
    def setUp(self):
        self.grid, self.ledger = Grid(self), Ledger()
        self.grid.publish("1.0.0")
        self.agent = self.grid.agent("a-1")
        self.node = self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]

    def stored(self, version):
        return os.path.join(self.agent.state, "store", sha256(storage_server(version)))

    def ask(self, method, path, body=None):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.node["port"], timeout=30)) as connection:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def put(self, name, body):
        with self.ledger.doing("chunk", (NODE, name), hashlib.sha256(body).hexdigest()) as op:
            status = self.ask("PUT", "/v1/chunks/" + name, body)[0]
            op.answered(status)
        return status

    def test_cached_build_is_fetched_again_before_it_runs(self):
        flip(self.stored("1.0.0"))
        os.kill(self.node["pid"], signal.SIGKILL)
        wait_for("the find", lambda: "version.damaged" in self.agent.err())
        wait_for("another node", lambda: self.grid.nodes("a-1")[0]["pid"] != self.node["pid"])
        self.grid.wait_healthy("a-1", "1.0.0")
        checker.check(self.grid, self.ledger, "flipped bit in the agent's store")

    def test_chunk_is_never_returned_and_taken_again(self):
        bodies = {name: os.urandom(100_000) for name in ("good", "bad")}
        for name, body in bodies.items():
            self.assertEqual(self.put(name, body), 201)
        chunks = checker.node_directories(self.grid)[NODE]
        flip(next(os.path.join(folder, "bad.0") for folder, _, names in os.walk(chunks) if "bad.0" in names))
        status, said = self.ask("GET", "/v1/chunks/bad")
        self.assertGreaterEqual(status, 500, said[:300])
        self.assertEqual(self.ask("GET", "/v1/chunks/good"), (200, bodies["good"]))
        self.assertEqual(self.put("bad", bodies["bad"]), 201)
        found = checker.wait_converged(self.grid) + checker.database(self.grid, self.ledger)
        self.assertEqual(found + checker.chunks_of(NODE, self.node["port"], set(bodies), self.ledger), [])

    def test_object_of_the_master_runs_nowhere_and_is_healed_by_the_next_upload(self):
        self.grid.publish("1.1.0")
        digest = sha256(storage_server("1.1.0"))
        flip(os.path.join(self.grid.master.state, "objects", digest))
        with self.ledger.doing("channel", "stable", "1.1.0") as op:
            op.answered(self.grid.request("PUT", "/api/channels/stable", {"version": "1.1.0"}).status)
        update = wait_for("the agent's word", lambda: (lambda u: u["code"] and u)(self.grid.show("a-1")["update"]))
        self.assertEqual(update["code"], "untrusted", update)
        self.assertEqual(self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"], self.node["pid"])
        with open(storage_server("1.1.0"), "rb") as file:
            body = file.read()
        route = "/api/binaries/1.1.0/%s?name=storage-server" % here().replace("-", "/", 1)
        self.assertEqual(self.grid.request("PUT", route, body).status, 200)
        self.grid.wait_healthy("a-1", "1.1.0")
        checker.check(self.grid, self.ledger, "flipped bit in the master's object")


if __name__ == "__main__":
    unittest.main()
