"""A disk that turns read-only under agent and node: both keep answering and say so, nothing is restarted in circles, and
once the disk is repaired and they are started again all is well."""
import contextlib, http.client, json, os, signal, unittest

import checker, machine
from agent_helpers import wait_reason
from grid import Grid, processes_of, wait_for
from ledger import Ledger
from load import VERSIONS, content, sha256
from scale import say

setUpModule = machine.private_mounts


class ReadOnly(unittest.TestCase):
    def setUp(self):
        self.ledger, directory = Ledger(), machine.directory(self)
        self.disk = machine.Ext4(self, os.path.join(directory, "a-1"))
        self.grid = Grid(self, directory=directory)
        for version in VERSIONS:
            self.grid.publish(version)
        self.agent = self.grid.agent("a-1")
        self.node = self.grid.wait_healthy("a-1")["nodes"][0]

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.node["port"], timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def put(self, name):
        body = content(name, 100_000)
        with self.ledger.doing("chunk", (self.node["id"], name), sha256(body)) as op:
            status, answer = self.ask("PUT", "/v1/chunks/" + name, body)
            op.answered(status)
        return status, json.loads(answer)

    def restart_all(self):
        pids = [self.agent.pid, *processes_of(self.disk.path)]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.agent.wait()
        wait_for("the end of all", lambda: not processes_of(self.disk.path))
        self.disk.repair()
        self.agent = self.grid.agent("a-1")

    def test_it_is_said_and_survived(self):
        self.assertEqual(self.put("before")[0], 201)
        self.disk.turn_read_only()
        status, told = self.put("first")
        self.assertEqual((status, told["code"]), (500, "io"), told)
        self.assertIn("Read-only file system", told["detail"])
        status, told = self.put("second")
        self.assertEqual((status, told["code"]), (503, "unavailable"), told)
        self.assertIn("restart", told["hint"])
        self.assertEqual(self.ask("GET", "/v1/chunks/before"), (200, content("before", 100_000)))
        health = json.loads(self.ask("GET", "/healthz")[1])
        self.assertEqual((health["status"], health["reasons"]), ("failing", ["io_error", "read_only"]))
        wait_reason(self.grid, "a-1", "read_only")
        shown = self.grid.show("a-1")
        self.assertEqual((shown["status"], shown["nodes"][0]["state"]), ("up", "unhealthy"))
        self.assertEqual([shown["nodes"][0][key] for key in ("pid", "restarts")], [self.node["pid"], 0], "it was restarted")

        os.kill(self.node["pid"], signal.SIGKILL)
        reason = wait_reason(self.grid, "a-1", "Read-only file system")
        said = self.agent.err().count("node.start_failed")
        self.assertLess(said, 10, "it is started in circles")
        self.assertEqual(self.grid.show("a-1")["update"]["state"], "idle", "the version is blamed for the disk")
        self.assertTrue(self.agent.running())

        self.restart_all()
        checker.check(self.grid, self.ledger, "a disk that was read-only")
        say("read-only: %d acknowledged, the agent said %r" % (self.ledger.acknowledged, reason))


if __name__ == "__main__":
    unittest.main()
