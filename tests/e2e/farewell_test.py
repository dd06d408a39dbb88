"""A stopped agent is known to be stopped, one that was killed is missed."""
import signal, time, unittest

from grid import Grid, wait_for


class FarewellTest(unittest.TestCase):
    def setUp(self):
        self.grid = Grid(self)
        self.agent = self.grid.agent("a-1")
        wait_for("a-1 to be up", lambda: self.grid.show("a-1")["status"] == "up")

    def test_stopped_agent_is_lost_at_once_and_can_be_removed(self):
        self.agent.stop()
        seen = self.grid.show("a-1")
        self.assertEqual((seen["status"], seen["reason"]), ("lost", "was stopped"))
        wait_for("its event", lambda: self.grid.events(kind="agent.stopped", subject="a-1"))
        self.assertEqual(self.grid.request("DELETE", "/api/agents/a-1").status, 204)

    def test_a_master_that_stalls_hears_the_farewell_all_the_same(self):
        self.grid.master.popen.send_signal(signal.SIGSTOP)
        self.agent.popen.send_signal(signal.SIGTERM)
        wait_for("it to stop", lambda: "agent.stopping" in self.agent.err())
        time.sleep(1)  # as when its disk is slow
        self.grid.master.popen.send_signal(signal.SIGCONT)
        self.assertEqual(self.agent.wait(), 0)
        self.assertEqual(self.grid.show("a-1")["reason"], "was stopped")

    def test_stopped_agent_that_comes_back_is_up(self):
        self.agent.stop()
        self.grid.agent("a-1")
        wait_for("a-1 to be up", lambda: self.grid.show("a-1")["status"] == "up")
        self.assertNotEqual(self.grid.show("a-1")["reason"], "was stopped")

    def test_killed_agent_is_not_taken_for_stopped(self):
        self.agent.kill()
        self.assertEqual(self.grid.show("a-1")["status"], "up")
        self.assertEqual(self.grid.request("DELETE", "/api/agents/a-1").status, 409)


if __name__ == "__main__":
    unittest.main()
