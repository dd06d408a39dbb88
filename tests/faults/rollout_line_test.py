"""The line to the master is cut in the middle of a rollout's switches: the agents finish alone, forward or back, and the
master learns it when they can speak again.
"""
import json, unittest, urllib.request

import machine
from fleet import HELD, NEW, OLD, SOON, Fleet, machines
from grid import wait_for

setUpModule = machine.private_network


class FarFleet(Fleet):
    def __init__(self, test, far):
        super().__init__(test, machines(3), start=False)
        self.master = machine.FarMaster(self, (*SOON, "--insecure"), http="0.0.0.0:0", bus="0.0.0.0:0", wrapper=far.wrapper)
        self.begin()
        self.ports = {agent: self.nodes(agent)[0]["port"] for agent in self.labels}

    def join(self, **order):
        return super().join(**order).replace(machine.Far.desk, machine.Far.line)

    def versions(self):
        """What the nodes themselves say that they are."""
        found = {}
        for agent, port in self.ports.items():
            with urllib.request.urlopen("http://127.0.0.1:%d/healthz" % port, timeout=5) as answer:
                found[agent] = json.loads(answer.read())["version"]
        return found

    def lost(self):
        return all(self.show(agent)["status"] == "lost" for agent in self.labels)


class Line(unittest.TestCase):
    def setUp(self):
        self.far = machine.Far(self)
        self.far.hurt()
        self.fleet = FarFleet(self, self.far)
        self.fleet.publish(NEW)

    def cut_when_begun(self, *verdicts, rules=(), **policy):
        """All of them have begun, and none is through, when the line is cut, one way or both."""
        self.fleet.hold(NEW)
        rollout = self.fleet.roll_out(NEW, canary=0, max_parallel=3, **HELD, **policy)
        rollout.wait_begun(3)
        self.far.hurt(*verdicts)
        self.fleet.let_go(*rules)
        return rollout

    def test_granted_switches_are_finished_without_the_master(self):
        rollout = self.cut_when_begun("drop", "drop", probation_s=1)
        wait_for("all nodes to be new", lambda: set(self.fleet.versions().values()) == {NEW})
        wait_for("all agents to be lost", self.fleet.lost)
        self.assertEqual(rollout.states(), dict.fromkeys(self.fleet.labels, "granted"))
        self.far.hurt()
        rollout.wait("completed")
        self.fleet.wait_all(NEW)
        self.assertEqual(sorted(self.fleet.told("rollout.agent.granted")), sorted(self.fleet.labels))

    def test_bad_version_goes_back_without_the_master(self):
        rollout = self.cut_when_begun("drop", "drop", rules=[NEW + " * exit 3"])
        wait_for("all agents to give it up", lambda: all(
            "version=%s sealed" % OLD in agent.err().rpartition("version=%s sealed" % NEW)[2]
            for agent in self.fleet.agents.values()))
        wait_for("all nodes to be old", lambda: set(self.fleet.versions().values()) == {OLD})
        wait_for("all agents to be lost", self.fleet.lost)
        self.far.hurt()
        rollout.wait("reverted")
        self.fleet.wait_all(OLD)
        self.assertEqual(len(self.fleet.api("GET", "/api/quarantine")), 1)

    def test_reports_that_do_not_get_through_delay_and_change_nothing(self):
        rollout = self.cut_when_begun("drop", probation_s=1)
        wait_for("all nodes to be new", lambda: set(self.fleet.versions().values()) == {NEW})
        wait_for("all agents to be lost", self.fleet.lost)
        self.far.hurt()
        rollout.wait("completed")
        self.fleet.wait_all(NEW)


if __name__ == "__main__":
    unittest.main()
