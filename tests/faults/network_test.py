"""A bad line between agents and their master: parted, deaf on one side, flapping, losing packets.

The master has a network of its own. Nodes must go on, agents come back by themselves without a storm, and what they
download over such a line is right.
"""
import os, shutil, time, unittest

import checker, machine
from grid import Grid, here, sha256, storage_server, wait_for
from ledger import Ledger
from scale import say, scale

AGENTS = ("a-1", "a-2", "a-3")
SILENCE = ("--heartbeat", "1s", "--suspect-after", "2s", "--lost-after", "4s", "--insecure")
BUILD_BYTES = 20 << 20
LOSS = "numgen random mod 100 < 10 counter name dropped drop"
RESET = "meta l4proto tcp reject with tcp reset"  # what is on its way is over; what is dropped goes on afterwards
FLAPS = scale(8, 100)
setUpModule = machine.private_network


class Network(unittest.TestCase):
    def setUp(self):
        self.far, self.ledger = machine.Far(self), Ledger()
        self.far.hurt()
        self.grid = Grid(self, start=False)
        self.grid.master = machine.FarMaster(self.grid, SILENCE, http="0.0.0.0:0", bus="0.0.0.0:0", wrapper=self.far.wrapper)

    def start_agents(self, names=AGENTS):
        self.grid.publish("1.0.0")
        for name in names:
            self.grid.agent(name, join=self.grid.join().replace(machine.Far.desk, machine.Far.line))
        self.pids = {name: self.grid.wait_healthy(name, "1.0.0")["nodes"][0]["pid"] for name in names}

    def statuses(self):
        return {agent["status"] for agent in self.grid.api("GET", "/api/agents")}

    def set_label(self, value):
        with self.ledger.doing("label", ("a-1", "round"), value) as op:
            op.answered(self.grid.request("PATCH", "/api/agents/a-1", {"labels": {"round": value}}).status)

    def back(self, begun):
        """All agents are up again, in contact, and no node was touched."""
        wait_for("all agents", lambda: self.statuses() == {"up"})
        took_s = time.monotonic() - begun
        checker.check(self.grid, self.ledger, "after the line came back")
        self.assertEqual({name: self.grid.nodes(name)[0]["pid"] for name in self.pids}, self.pids)
        return took_s

    def part(self, **verdicts):
        """Until the master gave up all agents, and back. Attempts to connect meanwhile are counted."""
        self.far.hurt(**verdicts)
        begun = time.monotonic()
        wait_for("all agents to be lost", lambda: self.statuses() == {"lost"})
        self.set_label("%s" % sorted(verdicts)[0])
        parted_s, attempts = time.monotonic() - begun, self.far.counted("attempts")
        self.far.hurt()
        took_s = self.back(time.monotonic())
        say("network: %s for %.1f s: %d attempts of %d agents, back after %.1f s with %d more" % (
            verdicts, parted_s, attempts, len(AGENTS), took_s, self.far.counted("attempts")))
        # The pause between attempts doubles from 0.2 s; the kernel repeats each SYN after 1 s, 3 s, 7 s.
        self.assertLess(attempts, len(AGENTS) * (8 + 2 * parted_s))
        self.assertLess(self.far.counted("attempts"), len(AGENTS) * (6 + took_s))

    def test_agents_come_back_after_every_kind_of_partition(self):
        self.start_agents()
        for verdicts in ({"out": "drop", "into": "drop"}, {"out": "drop"}, {"into": "drop"}):
            with self.subTest(verdicts):
                self.part(**verdicts)
        self.flap()

    def flap(self):
        attempts = 0
        for _ in range(FLAPS):
            for verdict in ("drop", "accept"):
                self.far.hurt(verdict, verdict)
                time.sleep(0.3)
                attempts += self.far.counted("attempts")
        self.back(time.monotonic())
        say("network: %d flaps, %d attempts to connect" % (FLAPS, attempts))
        self.assertLess(attempts, len(AGENTS) * FLAPS)

    def publish_large(self, version):
        path = os.path.join(self.grid.directory, "large")
        shutil.copy(storage_server(version), path)
        with open(path, "ab") as f:
            f.write(os.urandom(BUILD_BYTES - os.path.getsize(path)))
        self.grid.drop(path, "storage-server-%s-%s" % (version, here()))
        wait_for("the build", lambda: any(b["version"] == version for b in self.grid.api("GET", "/api/binaries")))
        return sha256(path)

    def download(self, version, hurt):
        """The channel moves to a large build; hurt() looks after the line meanwhile."""
        digest = self.publish_large(version)
        begun = time.monotonic()
        hurt()
        self.grid.wait_healthy("a-1", version)
        took_s = time.monotonic() - begun
        self.pids["a-1"] = self.grid.nodes("a-1")[0]["pid"]
        self.back(begun)
        self.assertEqual(sha256(os.path.join(self.grid.agents["a-1"].state, "store", digest)), digest)
        return took_s

    def move(self, version):
        with self.ledger.doing("channel", "stable", version) as op:
            op.answered(self.grid.request("PUT", "/api/channels/stable", {"version": version}).status)

    def lose_packets(self):
        self.far.hurt(LOSS, LOSS)
        self.move("1.1.0")

    def part_on_the_way(self):
        self.far.hurt(into="limit rate over 3 mbytes/second drop")
        self.move("2.0.0")
        wait_for("most of it", lambda: self.grid.show("a-1")["update"]["done_bytes"] > 12 << 20)
        self.far.hurt(RESET, RESET)
        wait_for("the agent to be lost", lambda: self.statuses() == {"lost"})
        self.far.hurt()

    def test_download_over_a_bad_line_is_right(self):
        self.start_agents(AGENTS[:1])
        took_s = self.download("1.1.0", self.lose_packets)
        lost = self.far.counted("dropped")
        say("network: 20 MB at 10 %% loss both ways in %.1f s, %d packets lost" % (took_s, lost))
        self.assertGreater(lost, 500)
        before = self.sent_bytes()
        took_s = self.download("2.0.0", self.part_on_the_way)
        sent = self.sent_bytes() - before
        say("network: 20 MB, parted on the way, in %.1f s; the master sent %.1f MB" % (took_s, sent / 1e6))
        self.assertLess(sent, 1.5 * BUILD_BYTES)

    def sent_bytes(self):
        page = self.grid.request("GET", "/metrics", token=None).body.decode()
        return sum(float(l.rsplit(" ", 1)[1]) for l in page.splitlines() if l.startswith("grid_http_sent_bytes_total "))


if __name__ == "__main__":
    unittest.main()
