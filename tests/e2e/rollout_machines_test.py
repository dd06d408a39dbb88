"""Machines that are not as the others: sick, draining, pinned, away or late. None blocks the rest."""
import unittest

from fleet import NEW, OLD, SOON, Fleet, machines
from grid import wait_for


class Machines(unittest.TestCase):
    def setUp(self):
        self.fleet = Fleet(self, machines(5), master_arguments=SOON)
        self.fleet.publish(NEW)

    def others(self, *agents):
        return [a for a in self.fleet.labels if a not in agents]

    def test_broken_node_goes_first_and_is_healed(self):
        self.fleet.tell("a-4", OLD + " * unhealthy")
        wait_for("the illness", lambda: self.fleet.nodes("a-4")[0]["state"] == "unhealthy")
        self.fleet.roll_out(NEW, canary=0).wait("completed")
        self.fleet.wait_all(NEW)
        granted = [e for e in self.fleet.events(kind="rollout.agent.granted") if e["subject"] == "a-4"][0]
        self.assertLess(granted["seq"], self.fleet.events(kind="rollout.agent.committed")[0]["seq"])
        self.assertTrue(granted["data"]["broken"])

    def test_node_that_no_version_heals_does_not_speak_against_it(self):
        self.fleet.tell("a-4", "* * unhealthy")
        wait_for("the illness", lambda: self.fleet.nodes("a-4")[0]["state"] == "unhealthy")
        self.fleet.roll_out(NEW, healthy_deadline_s=6).wait("completed")
        self.fleet.wait_all(NEW, self.others("a-4"))
        self.assertEqual(self.fleet.api("GET", "/api/quarantine"), [])

    def test_pinned_and_draining_machines_stay(self):
        self.fleet.api("PATCH", "/api/agents/a-2", {"pin": OLD})
        self.fleet.api("POST", "/api/agents/a-3/drain")
        wait_for("the drain", lambda: self.fleet.nodes("a-3")[0]["state"] == "draining")
        before = self.fleet.pids()
        plan = self.fleet.plan(NEW)
        self.assertEqual([x["agent_id"] for x in plan["excluded"]], ["a-2"])
        self.assertEqual([x["agent_id"] for x in plan["deferred"]], ["a-3"])
        rollout = self.fleet.roll_out(NEW)
        rollout.wait("completed")
        self.fleet.wait_all(NEW, self.others("a-2", "a-3"))
        states = rollout.states()
        self.assertEqual((states["a-2"], states["a-3"]), ("excluded", "deferred"))
        after = self.fleet.pids()
        self.assertEqual((after["a-2"], after["a-3"]), (before["a-2"], before["a-3"]))
        why = self.fleet.why("a-2")
        self.assertEqual((why["desired"]["rule"], why["desired"]["version"]), ("pin", OLD))
        self.fleet.api("POST", "/api/agents/a-3/resume")
        self.fleet.wait_all(NEW, ["a-3"])
        self.fleet.api("PATCH", "/api/agents/a-2", {"pin": None})
        self.fleet.wait_all(NEW)

    def test_machines_that_are_away_trickle_in_and_late_ones_join(self):
        for agent in ("a-1", "a-2"):
            self.fleet.agents[agent].kill()
            wait_for("%s to be missed" % agent, lambda: self.fleet.show(agent)["status"] in ("suspect", "lost"))
        rollout = self.fleet.roll_out(NEW)
        rollout.wait("completed")
        self.assertEqual(set(rollout.members("deferred")), {"a-1", "a-2"})
        self.assertTrue(all(n["version"] == OLD for n in self.fleet.nodes("a-1")))
        self.fleet.start("a-1")
        self.fleet.wait_all(NEW, ["a-1"])
        wait_for("its row", lambda: rollout.states()["a-1"] == "committed")
        self.fleet.labels["late"] = ""
        self.fleet.start("late")
        self.fleet.wait_all(NEW, ["late"])
        self.fleet.start("a-2")
        self.fleet.wait_all(NEW)


if __name__ == "__main__":
    unittest.main()
