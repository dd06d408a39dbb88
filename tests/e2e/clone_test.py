"""One identity on two machines: who is who is told by nobody but an operator, so nothing switches until then."""
import os, shutil, unittest

from agent_helpers import own_ports
from grid import Agent, Grid, wait_for


class CloneTest(unittest.TestCase):
    def setUp(self):
        self.grid = Grid(self, ["--heartbeat", "1s"])
        self.grid.publish("1.0.0")
        self.ports = own_ports()
        self.agent = self.grid.agent("a-1", *self.ports)
        self.pid = self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"]

    def copy_of_the_machine(self):
        """What a copied disk holds, on a machine where the processes of the first one are not."""
        state = os.path.join(self.grid.directory, "copied")
        shutil.copytree(self.agent.state, state, symlinks=True, ignore=shutil.ignore_patterns("nodes"))
        return state

    def copied_machine(self):
        copy = Agent(self.grid, "a-1", own_ports(), state=self.copy_of_the_machine())
        self.addCleanup(copy.kill)
        return copy

    def conflict(self):
        return self.grid.show("a-1")["conflict"]

    def kinds(self):
        return [e["kind"] for e in self.grid.events() if e["kind"].startswith("agent.conflict")]

    def test_a_copied_machine_holds_switches_until_an_operator_has_decided(self):
        copy = self.copied_machine()
        wait_for("the conflict", self.conflict)
        shown = self.grid.show("a-1")
        self.assertIn("two machines speak in its name", shown["reason"])
        self.assertIn("gridctl agent approve a-1", shown["reason"])
        self.assertIn("two machines", self.grid.gridctl("agent", "list").stdout)
        self.assertIn("two machines", self.grid.gridctl("agent", "why", "a-1").stdout)
        doctor = self.grid.gridctl("doctor")
        self.assertIn("clone", doctor.stdout)
        self.grid.publish("2.0.0")
        self.grid.set_channel("2.0.0")
        def held():
            update = self.grid.show("a-1")["update"]
            return (update["to"], update["state"]) == ("2.0.0", "waiting") and "two machines" in update["reason"]
        wait_for("the update to wait for an operator", held)
        self.grid.master.kill()
        self.grid.start_master()
        self.assertTrue(self.conflict(), "a restart of the master forgot it")
        copy.kill()
        wait_for("the first machine to speak", lambda: self.grid.show("a-1")["status"] == "up" and
                 [n["pid"] for n in self.grid.nodes("a-1")] == [self.pid])
        self.assertEqual(self.grid.nodes("a-1")[0]["version"], "1.0.0")
        self.assertEqual(self.grid.gridctl("agent", "approve", "a-1").returncode, 0)
        self.grid.wait_healthy("a-1", "2.0.0")
        self.assertEqual(self.conflict(), "")
        self.assertEqual(self.kinds(), ["agent.conflict", "agent.conflict_ended"])

    def test_a_machine_that_restarts_or_is_set_back_is_one_machine(self):
        before = self.copy_of_the_machine()
        for _ in range(3):
            self.agent.kill()
            self.agent = self.grid.agent("a-1", *self.ports)
            wait_for("the adoption", lambda: "node.adopted" in self.agent.err())
        self.agent.stop()
        shutil.rmtree(os.path.join(self.agent.state, "identity"))
        shutil.copytree(os.path.join(before, "identity"), os.path.join(self.agent.state, "identity"))
        started = self.grid.show("a-1")["last_seen_at"]
        self.grid.agent("a-1", *self.ports)
        wait_for("it to speak", lambda: self.grid.show("a-1")["last_seen_at"] > started)
        self.grid.wait_healthy("a-1", "1.0.0")
        self.assertEqual(self.conflict(), "")
        self.assertEqual(self.kinds(), [])


if __name__ == "__main__":
    unittest.main()
