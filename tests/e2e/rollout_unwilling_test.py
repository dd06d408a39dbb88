"""Nodes that must not stop, do not want to, or take their time to start: waited for, and moved in the end."""
import unittest

from fleet import NEW, OLD, Fleet, machines
from grid import wait_for


class Unwilling(unittest.TestCase):
    def setUp(self):
        self.fleet = Fleet(self, machines(4))
        self.fleet.publish(NEW)

    def test_node_that_must_not_stop_is_left_alone_until_it_may(self):
        self.fleet.tell("a-2", "* * veto")
        before = self.fleet.pids()["a-2"]
        # Its leave is not taken back as long as this test looks.
        rollout = self.fleet.roll_out(NEW, canary=0, max_parallel=2, healthy_deadline_s=300)
        self.fleet.wait_all(NEW, ["a-1", "a-3", "a-4"])
        rollout.wait_for("to be refused by a-2 with the reason", lambda: "told_to_veto" in (
            " ".join(self.fleet.why("a-2")["words"]) + self.fleet.show("a-2")["update"]["reason"]))
        self.assertEqual(self.fleet.pids()["a-2"], before)
        self.fleet.tell("a-2")
        rollout.wait("completed")
        self.fleet.wait_all(NEW)

    def test_node_that_must_not_stop_does_not_hold_the_others_who_move_one_by_one(self):
        self.fleet.tell("a-1", "* * veto")
        rollout = self.fleet.roll_out(NEW, canary=0, max_parallel=1, healthy_deadline_s=8)
        # Who does not give it back after those 8 s is waited for until its lease has run out for sure: 45 s more.
        wait_for("a-1 to give its leave back", lambda: rollout.states()["a-1"] == "deferred", patience_s=45)
        rollout.wait_members(3, "committed")
        self.fleet.wait_all(NEW, ["a-2", "a-3", "a-4"])
        self.assertTrue(self.fleet.runs(OLD, ["a-1"]))

    def test_veto_does_not_hold_where_there_is_no_spare_copy(self):
        self.fleet.tell("a-2", "* * veto")
        self.fleet.roll_out(NEW, allow_unavailable=True).wait("completed")
        self.fleet.wait_all(NEW)

    def test_node_that_ignores_sigterm_is_moved_all_the_same(self):
        self.fleet.tell("a-2", OLD + " * stubborn")
        self.fleet.roll_out(NEW, selector="", canary=0, max_parallel=4).wait("completed")
        self.fleet.wait_all(NEW)

    def test_slow_start_is_waited_for(self):
        self.fleet.tell("a-1", NEW + " * slow 1500")
        self.fleet.roll_out(NEW, canary=0, max_parallel=4).wait("completed")
        self.fleet.wait_all(NEW)


if __name__ == "__main__":
    unittest.main()
