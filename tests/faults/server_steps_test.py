"""Master and storage-server killed at every system call of what they acknowledge: it happened whole, or not at all."""
import http.client, os, signal, time, unittest

import checker
from grid import Grid, Process, here, wait_for
from ledger import Ledger
from load import FAULTS, content, sha256
from master_case import elf
from scale import SEED, say, scale
from steps import Steps, end, kill_at_points, usable

MACHINE = 62 if os.uname().machine == "x86_64" else 183
CHUNK_BYTES = 200_000


class ServerSteps(unittest.TestCase):
    def setUp(self):
        if not usable():
            self.skipTest("processes may not be traced here")
        self.grid, self.ledger, self.number = Grid(self, start=False), Ledger(), 0

    def under(self, server, act):
        """Counting begins, act() asks, and the server dies in the middle or has answered."""
        server.popen.send_signal(signal.SIGUSR1)
        try:
            act()
        except FAULTS:
            pass
        end(server)

    def run_every_step(self, what, start, act, recover, sample):
        """start(wrapper) gives a server, act() uses it, recover() starts it again and says what is wrong."""
        steps, begun = Steps(self.grid.directory, what.replace(" ", "-")), time.monotonic()

        def measure(n=0):
            self.under(start(steps.wrapper(n)), act)
            return steps.count()

        def hurt(n):
            died = measure(n) >= n
            self.assertEqual(recover(), [], "%s killed at call %d (seed %d)" % (what, n, SEED))
            return died

        count, died = kill_at_points(measure, hurt, sample)
        say("%s: %d calls, killed at %d of them (seed %d) in %.0f s, %d acknowledged, %d in doubt" % (
            what, count, died, SEED, time.monotonic() - begun, self.ledger.acknowledged, self.ledger.doubtful))
        self.assertGreater(died, 0)

    def start_master(self, wrapper):
        if self.grid.master is not None:
            self.grid.master.kill()
        return self.grid.start_master(wrapper=wrapper)

    def recover_master(self):
        self.grid.start_master()
        found = checker.database(self.grid, self.ledger) + checker.settled(checker.objects, self.grid)
        return found + checker.events(self.grid, self.ledger)

    def test_master_sets_a_channel(self):
        self.grid.start_master()
        for version in ("1.0.0", "1.1.0"):
            self.grid.publish(version)

        def act():
            self.number += 1
            version = ("1.0.0", "1.1.0")[self.number % 2]
            with self.ledger.doing("channel", "stable", version) as op:
                op.answered(self.grid.request("PUT", "/api/channels/stable", {"version": version}).status)

        self.run_every_step("channel set", self.start_master, act, self.recover_master, scale(5, 0))

    def upload(self):
        """The file of the round; whoever got no answer sends it once more."""
        version = "1.0.%d" % self.number
        file, body = "tool-%s-%s" % (version, here()), elf(MACHINE) + content(version, 50_000)
        route = "/api/binaries/%s/%s?name=tool" % (version, here().replace("-", "/", 1))
        with self.ledger.doing("binary", file, sha256(body)) as op:
            op.answered(self.grid.request("PUT", route, body).status)

    def test_master_takes_an_upload(self):
        def act():
            self.number += 1
            self.upload()

        def recover():
            found = self.recover_master()
            self.upload()
            return found + checker.database(self.grid, self.ledger)

        self.run_every_step("upload", self.start_master, act, recover, scale(5, 0))

    def test_master_takes_a_drop(self):
        def logged(version):
            """Tells it without a call of the master for us, which would be counted."""
            file = "storage-server-%s-%s" % (version, here())
            return "binary.published subject=%s " % file in self.grid.master.err()

        def listed(version):
            return version in [binary["version"] for binary in self.grid.api("GET", "/api/binaries")]

        def published(told):
            """A drop is acknowledged by being published."""
            version = "9.0.%d" % self.number
            with self.ledger.doing("binary", "storage-server-%s-%s" % (version, here()), self.dropped) as op:
                wait_for("the drop", lambda: not self.grid.master.running() or told(version))
                op.answered(200 if self.grid.master.running() else 500)

        def act():
            self.number += 1
            body = elf(MACHINE) + content(str(self.number), 50_000)
            path, self.dropped = os.path.join(self.grid.directory, "build"), sha256(body)
            with open(path, "wb") as file:
                file.write(body)
            self.grid.drop(path, "storage-server-9.0.%d-%s" % (self.number, here()))
            published(logged)

        def recover():
            found = self.recover_master()
            published(listed)  # it may have died between the commit and its log's line
            return found + checker.database(self.grid, self.ledger) + checker.settled(checker.objects, self.grid)

        self.run_every_step("drop", self.start_master, act, recover, scale(5, 0))

    def start_node(self, wrapper=()):
        data, run = (os.path.join(self.grid.directory, name) for name in ("data", "node-run"))
        node = Process("storage-server", ["--data", data, "--port", "0", "--id", "n"], run, wrapper=wrapper)
        self.addCleanup(node.kill)
        self.lives += 1
        listening = lambda: [line for line in node.out().splitlines() if line.startswith("listening ")]
        wait_for("the node to listen", lambda: len(listening()) == self.lives)
        self.port = int(listening()[-1].rsplit(":", 1)[1])
        return node

    def test_node_takes_and_removes_a_chunk(self):
        self.lives = 0
        body = content("chunk", CHUNK_BYTES)

        def ask(method, name, value):
            with self.ledger.doing("chunk", ("n", name), value) as op:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                connection.request(method, "/v1/chunks/" + name, body if method == "PUT" else None)
                op.answered(connection.getresponse().status)
                connection.close()

        def act():
            self.number += 1
            ask("PUT", "c%d" % self.number, sha256(body))
            ask("DELETE", "c%d" % self.number, None)

        def recover():
            node = self.start_node()
            sent = {chunk for _, chunk in self.ledger.known("chunk")}
            found = checker.chunks_of("n", self.port, sent, self.ledger)
            data = os.path.join(self.grid.directory, "data")
            found += checker.settled(checker.leftovers, data, ("tmp", "quarantine"))
            node.kill()
            return found

        self.run_every_step("chunk put and delete", self.start_node, act, recover, scale(12, 0))


if __name__ == "__main__":
    unittest.main()
