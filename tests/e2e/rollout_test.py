"""Rollouts over real machines: a good version arrives everywhere, a bad one goes back by itself, and nobody else is touched."""
import unittest

from fleet import HELD, NEW, OLD, Fleet, Watch, machines


class GoodVersion(unittest.TestCase):
    def test_arrives_everywhere_as_planned_within_its_budget(self):
        fleet = Fleet(self, machines(8))
        fleet.publish(NEW)
        plan = fleet.plan(NEW, canary=2, max_parallel="25%")
        self.assertEqual((plan["selected"], plan["canary"], plan["max_parallel"]), (8, 2, 2))
        self.assertEqual(sorted(sum((b["agents"] for b in plan["batches"]), [])), sorted(fleet.labels))
        self.assertEqual(fleet.api("GET", "/api/rollouts"), [], "a plan was written down")
        with Watch(fleet) as watch:
            rollout = fleet.roll_out(NEW, canary=2, max_parallel="25%")
            shown = rollout.wait("completed")
        fleet.wait_all(NEW)
        self.assertEqual(set(watch.down), set(fleet.labels))
        self.assertLessEqual(watch.most_down(), 2)
        self.assertEqual(shown["progress"]["committed"], 8)
        granted = fleet.told("rollout.agent.granted")
        self.assertEqual(set(granted[:2]), set(plan["batches"][0]["agents"]), "not the planned canaries")
        self.assertEqual(sorted(granted), sorted(fleet.labels), "an agent was granted twice")
        members = rollout.members()
        self.assertEqual({m["agent_id"] for m in members.values() if m["canary"]}, set(granted[:2]))
        for member in members.values():
            self.assertEqual((member["from"], member["to"], member["attempt"]), (OLD, NEW, 1))
        why = fleet.why("a-1")
        self.assertEqual((why["desired"]["version"], why["running"]["version"]), (NEW, NEW))
        self.assertIn(why["desired"]["rule"], ("rollout", "completed"))

    def test_old_chunks_are_read_after_it_went_back(self):
        fleet = Fleet(self, machines(2))
        fleet.publish(NEW)
        fleet.put_chunk("a-1", "before", b"b" * 5000)
        fleet.hold(NEW, ["a-2"])
        rollout = fleet.roll_out(NEW, canary=0, **HELD)
        rollout.wait_members(1, "committed")
        self.assertTrue(fleet.runs(NEW, ["a-1"]))
        fleet.put_chunk("a-1", "during", b"d" * 5000)
        fleet.tell("a-2", NEW + " * exit 3")
        rollout.wait("reverted")
        fleet.wait_all(OLD)
        self.assertEqual(fleet.get_chunk("a-1", "before"), b"b" * 5000)
        self.assertEqual(fleet.get_chunk("a-1", "during"), b"d" * 5000)


class BadVersion(unittest.TestCase):
    def test_fault_of_the_third_batch_takes_everybody_back(self):
        fleet = Fleet(self, machines(8))
        fleet.publish(NEW)
        policy = {"canary": 1, "max_parallel": 2, "max_failures": 0}
        plan = fleet.plan(NEW, **policy)
        for agent in plan["batches"][2]["agents"]:
            fleet.tell(agent, NEW + " * exit 3")
        with Watch(fleet) as watch:
            rollout = fleet.roll_out(NEW, **policy)
            rollout.wait("reverting")
            moved = set(fleet.told("rollout.agent.granted"))
            shown = rollout.wait("reverted")
        early = set(sum((b["agents"] for b in plan["batches"][:3]), []))
        self.assertLess(moved, set(fleet.labels), "everybody had moved before the third batch spoke")
        self.assertLessEqual(set(plan["batches"][0]["agents"] + plan["batches"][1]["agents"]), moved)
        self.assertTrue(moved & set(plan["batches"][2]["agents"]), "the third batch never came: %s of %s" % (moved, early))
        fleet.wait_all(OLD)
        # Those that the version broke do not keep the others on it.
        self.assertLessEqual(watch.most_down(plan["batches"][2]["agents"]), 2)
        self.assertEqual(shown["progress"]["committed"], 0)
        self.assertEqual(set(watch.down), moved)
        self.assertEqual(len(fleet.api("GET", "/api/quarantine")), 1)


class Domains(unittest.TestCase):
    def test_three_racks_are_never_down_two_at_once(self):
        fleet = Fleet(self, machines(3, "a", "b", "c"))
        fleet.publish(NEW)
        with Watch(fleet) as watch:
            rollout = fleet.roll_out(NEW, max_parallel=3, probation_s=0.1, min_healthy_s=0)
            self.assertEqual(rollout.show()["domains"], ["a", "b", "c"])
            rollout.wait("completed")
            back = rollout
            back.order("rollback")
            back.wait("reverted")
        fleet.wait_all(OLD)
        self.assertEqual(set(watch.down), set(fleet.labels))
        self.assertEqual(watch.racks_at_once(), 1)
        self.assertEqual(watch.most_down() > 1, True, "nobody moved beside another, so nothing was shown")


if __name__ == "__main__":
    unittest.main()
