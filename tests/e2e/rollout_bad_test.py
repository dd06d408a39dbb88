"""Versions that do not work hurt the canary alone, which goes back by itself and tells why."""
import unittest

from fleet import OLD, Fleet, machines


class BadVersion(unittest.TestCase):
    def goes_back_alone(self, version, words, probation_s=0.3, healthy_deadline_s=20, **fleet_options):
        """What its canary suffers is the only harm."""
        fleet = Fleet(self, machines(4), **fleet_options)
        fleet.publish(version)
        before = fleet.pids()
        rollout = fleet.roll_out(version, healthy_deadline_s=healthy_deadline_s, probation_s=probation_s)
        shown = rollout.wait("reverted")
        self.assertEqual(shown["cause"], "version")
        harmed = set(fleet.told("rollout.agent.granted"))
        self.assertEqual(len(harmed), 1)
        fleet.wait_all(OLD)
        after = fleet.pids()
        for agent in set(fleet.labels) - harmed:
            self.assertEqual(after[agent], before[agent], "%s was touched" % agent)
        member = rollout.members()[harmed.pop()]
        self.assertIn(member["state"], ("returned", "failed"))
        self.assertIn(words, member["reason"] + member["diagnosis"])
        return fleet, rollout

    def test_version_that_exits_at_once_hurts_its_canary_only(self):
        fleet, _ = self.goes_back_alone("1.5.0", "told to exit with 3")
        self.assertEqual([q["version"] for q in fleet.api("GET", "/api/quarantine")], ["1.5.0"])

    def test_version_that_falls_ill_after_a_while_hurts_its_canary_only(self):
        self.goes_back_alone("1.5.1", "told_to_be_unhealthy", healthy_deadline_s=5)

    def test_version_that_hangs_hurts_its_canary_only(self):
        self.goes_back_alone("1.5.3", "", probation_s=20, agent_arguments=("--restart-hung-after", "2s"))

    def test_second_node_that_fails_takes_the_first_back(self):
        fleet, rollout = self.goes_back_alone("1.5.2", "told to exit with 3", nodes=2)
        harmed = next(iter(rollout.members("returned", "failed")))
        switched = [line for line in fleet.agents[harmed].err().splitlines() if "node.healthy" in line and harmed + "/0" in line]
        self.assertEqual(len(switched), 3, "the first node did not go there and back: %s" % switched)


if __name__ == "__main__":
    unittest.main()
