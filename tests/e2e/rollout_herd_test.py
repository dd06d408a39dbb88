"""A rollout of hundreds of agents, over real connections: bench/rollout in small."""
import os, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench"))
from fleet import HELD, QUICK, Rollout  # noqa: E402 (the path comes first)
from herd import Herd  # noqa: E402
from grid import wait_for  # noqa: E402
from master_case import Test  # noqa: E402

COUNT = 300


class RolloutHerd(Test):
    # Who is not told at once is not told at all while the test waits.
    arguments = ("--heartbeat", "300s", "--suspect-after", "400s", "--lost-after", "500s")

    def setUp(self):
        super().setUp()
        self.publish("1.0.0")
        self.publish("2.0.0")

    def roll_out(self, **policy):
        return Rollout(self.grid, self.grid.api("POST", "/api/rollouts", dict(QUICK, version="2.0.0", **policy)))

    def everybody(self, herd):
        herd.wait_live()
        herd.wait_up()
        wait_for("1.0.0 everywhere", lambda: self.grid.api("GET", "/api/summary")["versions"] ==
                 [{"version": "1.0.0", "agents": COUNT}])

    def test_hundreds_move_within_the_budget(self):
        with Herd(self.grid, COUNT) as herd:
            self.everybody(herd)
            herd.order("switch 100")
            rollout, most = self.roll_out(canary=5, max_parallel="10%"), 0
            while (shown := rollout.show())["state"] != "completed":
                most = max(most, shown["progress"]["in_flight"])
                self.assertIn(shown["state"], ("draft", "prefetch", "canary", "await_promote", "rolling"), shown)
            self.assertLessEqual(most, COUNT // 10)
            self.assertGreater(most, 5)
            self.assertEqual(herd.status()["switched"], COUNT)

    def test_pause_reaches_everybody_who_holds_a_grant(self):
        with Herd(self.grid, COUNT) as herd:
            self.everybody(herd)
            herd.order("switch -1")
            rollout = self.roll_out(canary=0, max_parallel="100%", **HELD)
            rollout.wait_for("to grant all", lambda: rollout.show()["progress"]["granted"] == COUNT)
            herd.order("expect -")
            rollout.order("pause")
            wait_for("all to be told", lambda: herd.status()["halted"] == COUNT)
            self.assertEqual(herd.status()["switched"], 0)


if __name__ == "__main__":
    unittest.main()
