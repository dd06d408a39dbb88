"""A disk gives EIO to programs that run, for a while: reported, nothing acknowledged in vain, nothing half-done to be
seen, and well again afterwards, by itself or, where a flush failed, after a restart.
"""
import contextlib, glob, http.client, os, unittest

import checker
from agent_helpers import own_ports
from failing_disk import CALLS, FailingDisk
from grid import Grid, Process, sha256 as sha256_of, storage_server, wait_for
from ledger import Ledger
from load import FAULTS, content, sha256
from master_case import elf
from scale import say, scale

REFUSED = range(500, 600)


class Case(unittest.TestCase):
    def setUp(self):
        self.grid, self.ledger, self.number = Grid(self, start=False), Ledger(), 0
        self.disk = FailingDisk(self, self.grid.directory)

    def told(self, what, statuses):
        self.assertGreater(self.disk.failed, 0, "the disk was not asked")
        say("EIO, %s: %d calls failed, answers %s" % (what, self.disk.failed, sorted(set(statuses))))


class MasterDisk(Case):
    def setUp(self):
        super().setUp()
        self.grid.start_master(env=self.disk.environment)
        for version in ("1.0.0", "1.1.0"):
            self.grid.publish(version)

    def requests(self):
        """What clients ask for: kind, key and value for the ledger, then method, path and body."""
        self.number += 1
        body, version = elf(62) + content(str(self.number), 30_000), "1.0.%d" % self.number
        wanted = ("1.0.0", "1.1.0")[self.number % 2]
        yield "channel", "stable", wanted, "PUT", "/api/channels/stable", {"version": wanted}
        yield ("binary", "tool-%s-linux-x86_64" % version, sha256(body), "PUT",
               "/api/binaries/%s/linux/x86_64?name=tool" % version, body)

    def use(self):
        """Statuses of the answers; 0 is none."""
        statuses = []
        for kind, key, value, *request in self.requests():
            statuses.append(0)
            with contextlib.suppress(*FAULTS), self.ledger.doing(kind, key, value) as op:
                statuses[-1] = self.grid.request(*request).status
                op.answered(statuses[-1])
        return statuses

    def well(self):
        return (checker.database(self.grid, self.ledger) + checker.settled(checker.objects, self.grid) +
                checker.events(self.grid, self.ledger))

    def restart(self):
        self.grid.master.kill()
        self.grid.start_master(env=self.disk.environment)

    def test_no_failing_call_is_acknowledged_in_vain(self):
        for call in CALLS:
            with self.subTest(call):
                with self.disk.failing(call, self.grid.master.state):
                    statuses = self.use()
                    self.assertEqual(self.grid.request("GET", "/healthz", token=None).status, 200)
                self.told("master, " + call, statuses)
                self.assertTrue(self.grid.master.running(), self.grid.master.err()[-3000:])
                if call != "flush":
                    wait_for("the master to take changes", lambda: self.use() == [200, 201])
                    self.assertEqual(self.well(), [])
                self.restart()
                self.assertEqual(self.well(), [])
                self.assertEqual(self.use(), [200, 201])

    def test_while_flushes_fail_every_change_is_refused_and_says_what_to_do(self):
        before = [self.grid.api("GET", path) for path in ("/api/channels", "/api/binaries")]
        with self.disk.failing("flush", self.grid.master.state):
            for _ in range(3):
                self.assertTrue(all(status in REFUSED for status in self.use()))
        answer = self.grid.request("PUT", "/api/channels/stable", {"version": "1.0.0"})
        self.assertIn(answer.status, REFUSED)
        self.assertIn("restart the program", answer.json()["hint"])
        self.assertEqual([self.grid.api("GET", path) for path in ("/api/channels", "/api/binaries")], before)
        self.restart()
        self.assertEqual(self.well(), [])

    def test_piece_whose_flush_failed_is_not_built_upon(self):
        body = elf(62) + content("pieces", 30_000)
        route = "/api/binaries/1.0.0/linux/x86_64?name=pieces&sha256=" + sha256(body)
        span = {"Content-Range": "bytes 0-%d/%d" % (len(body) - 1, len(body))}
        with self.disk.failing("flush", self.grid.master.state + "/uploads"):
            self.assertIn(self.grid.request("PUT", route, body, span).status, REFUSED)
        self.told("master, flush of a piece", [])
        self.assertEqual(self.grid.request("HEAD", route).headers["Upload-Offset"], "0")
        self.assertEqual(self.grid.request("PUT", route, body, span).status, 201)
        self.assertEqual(self.well(), [])


class NodeDisk(Case):
    def setUp(self):
        super().setUp()
        self.data, self.runs = os.path.join(self.grid.directory, "data"), 0
        self.restart()

    def restart(self):
        if self.runs:
            self.node.kill()
        self.runs += 1
        run = os.path.join(self.grid.directory, "run-%d" % self.runs)
        self.node = Process("storage-server", ["--data", self.data, "--port", "0", "--id", "n"], run,
                            env=self.disk.environment)
        self.addCleanup(self.node.kill)
        wait_for("the node", lambda: "listening " in self.node.out())
        self.port = int(self.node.out().rsplit(":", 1)[1])

    def ask(self, method, path, body=None):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, body)
            answer = connection.getresponse()
            answer.read()
            return answer.status

    def put(self):
        self.number += 1
        name, body = "c%d" % self.number, content(str(self.number), 200_000)
        with self.ledger.doing("chunk", ("n", name), sha256(body)) as op:
            status = self.ask("PUT", "/v1/chunks/" + name, body)
            op.answered(status)
        return status

    def well(self):
        sent = {chunk for _, chunk in self.ledger.known("chunk")}
        return (checker.chunks_of("n", self.port, sent, self.ledger) +
                checker.settled(checker.leftovers, self.data, ("tmp",)))

    def test_failing_calls_refuse_chunks_and_leave_nothing(self):
        for call in ("open", "write", "flush", "rename"):
            with self.subTest(call):
                with self.disk.failing(call, self.data):
                    statuses = [self.put() for _ in range(3)]
                    self.assertEqual(self.ask("GET", "/healthz"), 200)
                self.told("chunk store, " + call, statuses)
                self.assertTrue(all(status in REFUSED for status in statuses), statuses)
                self.assertTrue(self.node.running(), self.node.err()[-3000:])
                self.restart()
                self.assertEqual(self.well(), [])
                self.assertEqual(self.put(), 201)

    def test_chunk_that_cannot_be_read_is_an_error_and_whole_afterwards(self):
        self.assertEqual(self.put(), 201)
        for call in ("open", "read"):
            with self.subTest(call):
                with self.disk.failing(call, self.data):
                    self.assertIn(self.ask("GET", "/v1/chunks/c1"), REFUSED)
                self.told("chunk store, %s of a chunk" % call, [])
                self.restart()
                self.assertEqual(self.well(), [])


class AgentDisk(Case):
    STORE = (("write", "tmp"), ("flush", "tmp"), ("rename", "store"),
             ("open", "tmp"), ("read", "tmp"), ("write", "store"), ("flush", "store"))[:scale(3, 7)]
    NOTES = (("rename", "current", "version.not_linked"), ("flush", "desired.json", "desired.not_saved"),
             ("open", "desired.json", "desired.not_saved"), ("write", "desired.json", "desired.not_saved"),
             ("rename", "desired.json", "desired.not_saved"))[:scale(2, 5)]

    def setUp(self):
        super().setUp()
        self.grid.start_master()
        self.versions = ["1.0.0", "1.1.0"]
        for version in self.versions:
            self.grid.publish(version)
        self.agent = self.grid.agent("a-1", *own_ports(), env=self.disk.environment)
        self.grid.wait_healthy("a-1", "1.0.0")

    def path(self, name):
        return os.path.join(self.agent.state, name)

    def move(self):
        """To the other version, which it must download again."""
        running = os.path.basename(os.readlink(self.path("current")))
        for path in glob.glob(self.path("store/*")):
            if running not in path:
                os.remove(path)
        self.versions.reverse()
        with self.ledger.doing("channel", "stable", self.versions[0]) as op:
            op.answered(self.grid.request("PUT", "/api/channels/stable", {"version": self.versions[0]}).status)

    def is_well(self, label):
        self.assertTrue(self.agent.running(), self.agent.err()[-3000:])
        self.grid.wait_healthy("a-1", self.versions[0])
        digest = sha256_of(storage_server(self.versions[0]))
        wait_for("the link, which may be tried again later",
                 lambda: os.path.basename(os.readlink(self.path("current"))) == digest)
        checker.check(self.grid, self.ledger, label)

    def test_version_that_cannot_be_stored_is_told_not_run_and_fetched_again(self):
        for call, name in self.STORE:
            with self.subTest(call + " " + name):
                before, pid = self.versions[0], self.grid.nodes("a-1")[0]["pid"]
                with self.disk.failing(call, self.path(name)):
                    self.move()
                    update = wait_for("the agent's word", lambda: (lambda u: u["code"] and u)(
                        self.grid.show("a-1")["update"]))
                    self.assertEqual(update["code"], "io", update)
                    self.assertIn("nput/output error", update["reason"])
                    node = self.grid.wait_healthy("a-1", before)["nodes"][0]
                    self.assertEqual(node["pid"], pid, "its node was touched")
                    self.assertEqual(checker.damaged_builds(self.agent), [])
                    if call == "flush":  # what the kernel may have dropped is not flushed again, but made anew
                        wait_for("an end of the bytes", lambda: not glob.glob(self.path("tmp/*.part")))
                self.told("agent, %s of %s" % (call, name), [])
                self.is_well("%s of %s failed" % (call, name))

    def test_notes_that_cannot_be_written_are_told_and_do_not_hold_up_an_update(self):
        for call, name, word in self.NOTES:
            with self.subTest(call + " " + name):
                said = len(self.agent.err())
                with self.disk.failing(call, self.path(name)):
                    self.move()
                    wait_for(word, lambda: word in self.agent.err()[said:])
                    self.grid.wait_healthy("a-1", self.versions[0])
                self.told("agent, %s of %s" % (call, name), [])
                self.is_well("%s of %s failed" % (call, name))


if __name__ == "__main__":
    unittest.main()
