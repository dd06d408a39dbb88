"""The wall clock of a machine jumps by days, while programs run and before they start: timers do not notice."""
import os, struct, time, unittest, urllib.request

import checker
from grid import Grid, Process, wait_for
from ledger import Ledger
from preload import preload

DAYS, HOUR = 3 * 86400, -3600


class Clock(unittest.TestCase):
    def setUp(self):
        self.grid, self.ledger = Grid(self, ["--heartbeat", "1s"], start=False), Ledger()
        self.preloaded = preload("shifted_clock.c", self.grid.directory)
        for machine in ("master", "a-1"):
            self.set_clock(machine, 0)
        self.grid.start_master(env=self.environment("master"))
        self.grid.publish("1.0.0")
        self.grid.agent("a-1", env=self.environment("a-1"))
        self.pid = self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"]

    def clock(self, machine):
        return os.path.join(self.grid.directory, "clock-" + machine)

    def environment(self, machine):
        return dict(self.preloaded, SHIFTED_CLOCK=self.clock(machine))

    def set_clock(self, machine, shift_s):
        with open(self.clock(machine), "r+b" if os.path.exists(self.clock(machine)) else "wb") as f:
            f.write(struct.pack("q", shift_s))

    def restart(self, machine):
        if machine == "master":
            self.grid.master.stop()
            self.grid.start_master(env=self.environment("master"))
        else:
            self.grid.agents["a-1"].kill()  # one that is told to stop says goodbye, and counts as lost
            self.grid.agent("a-1", env=self.environment("a-1"))
        wait_for("the agent's report", lambda: self.beats() >= 1)

    def beats(self):
        page = self.grid.request("GET", "/metrics", token=None).body.decode()
        return next(float(l.split()[1]) for l in page.splitlines() if l.startswith("grid_heartbeats_total "))

    def heartbeats_keep_their_pace(self):
        """About one a second, and a few more for what there is to tell; a storm would be hundreds."""
        first, begun = self.beats(), time.monotonic()
        wait_for("heartbeats for a second", lambda: self.beats() > first and time.monotonic() > begun + 1)
        self.assertLess(self.beats() - first, 20 * (time.monotonic() - begun), "a storm of heartbeats")

    def asked(self):
        """How often the node was asked for its health."""
        with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % self.grid.nodes("a-1")[0]["port"]) as answer:
            page = answer.read().decode()
        return sum(float(l.split()[1]) for l in page.splitlines() if 'seconds_count{route="/healthz"' in l)

    def is_well(self, label):
        """Heartbeats at their pace, orders and logs get through, the node is asked, nobody was restarted or missed."""
        asked = self.asked()
        with self.ledger.doing("label", ("a-1", "clock"), label) as op:
            op.answered(self.grid.request("PATCH", "/api/agents/a-1", {"labels": {"clock": label}}).status)
        for path, word in (("/api/agents/a-1/logs?lines=500", "node."), ("/api/nodes/a-1~0/logs?lines=50", "node.listening")):
            wait_for(word + " in the log", lambda: word in self.grid.request("GET", path).body.decode())
        checker.check(self.grid, self.ledger, label)
        self.assertEqual(self.grid.nodes("a-1")[0]["pid"], self.pid)
        self.heartbeats_keep_their_pace()
        wait_for("the agent to ask its node", lambda: self.asked() > asked)
        self.assertEqual(self.grid.events(kind="agent.suspect") + self.grid.events(kind="agent.lost"), [])
        self.assertIn(self.grid.api("GET", "/api/summary")["uptime_s"], range(600))

    def jump(self, machine):
        for words, shift_s in (("3 days ahead", DAYS), ("1 hour behind", HOUR), ("right again", 0)):
            self.set_clock(machine, shift_s)
            with self.subTest(words + " while it runs"):
                self.is_well(machine + "-runs")
            if shift_s != 0:
                self.restart(machine)
                with self.subTest(words + " when it starts"):
                    self.is_well(machine + "-starts")

    def test_jumps_at_the_agent_and_its_node_harm_nothing(self):
        self.jump("a-1")

    def test_jumps_at_the_master_harm_nothing(self):
        self.jump("master")

    def works(self, secret):
        return self.grid.request("GET", "/api/summary", token=secret).status == 200

    def test_tokens_expire_by_the_master_s_clock(self):
        order = {"kind": "api", "role": "viewer", "expires_s": 7200}
        secret = self.grid.api("POST", "/api/tokens", order)["secret"]
        kept = self.grid.api("POST", "/api/tokens", dict(order, expires_s=10 * 86400))["secret"]
        join = self.grid.join(expires_s=7200)
        for shift_s, works in ((HOUR, True), (0, True), (DAYS, False)):
            self.set_clock("master", shift_s)
            self.assertEqual((self.works(secret), self.works(kept)), (works, True), shift_s)
        state = self.grid.directory + "/late"
        late = Process("grid-agent", ["--id", "late", "--state", state], state + "-run", {"GRID_TOKEN": join})
        self.grid.other.append(late)
        wait_for("the refusal", lambda: "expired" in late.err())
        self.assertEqual([a["id"] for a in self.grid.api("GET", "/api/agents")], ["a-1"])


if __name__ == "__main__":
    unittest.main()
