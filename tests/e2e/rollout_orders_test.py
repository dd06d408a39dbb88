"""What people order: pause, resume, promote, stop, roll back, wait for a window."""
import time, unittest

from fleet import NEW, OLD, Fleet, Watch, machines
from grid import wait_for


class Orders(unittest.TestCase):
    def setUp(self):
        self.fleet = Fleet(self, machines(4))
        self.fleet.publish(NEW)

    def still(self, rollout):
        """The states of a rollout that moves nobody while forty looks go by, once what had begun is over."""
        rollout.wait_for("to end what had begun", lambda: rollout.show()["progress"]["granted"] == 0)
        return self.nobody_moves(rollout)

    def nobody_moves(self, rollout):
        before = rollout.states()
        with Watch(self.fleet) as watch:
            wait_for("some time", lambda: watch.rounds > 40)
        self.assertEqual(rollout.states(), before)
        self.assertEqual(watch.down, {})
        return before

    def test_pause_finishes_what_has_begun_and_resume_goes_on(self):
        rollout = self.fleet.roll_out(NEW, canary=0, probation_s=1)
        rollout.wait_begun(1)
        self.assertEqual(rollout.order("pause")["state"], "paused")
        states = self.still(rollout)
        self.assertIn("committed", states.values())
        self.assertIn("waiting", states.values())
        shown = rollout.show()
        self.assertEqual((shown["resume_state"], shown["cause"]), ("rolling", "operator"))
        self.assertEqual(rollout.order("resume")["state"], "rolling")
        rollout.wait("completed")
        self.fleet.wait_all(NEW)
        self.assertEqual(self.fleet.refusal("POST", "/api/rollouts/%s/resume" % rollout.id)["status"], 409)

    def test_pause_takes_back_a_leave_that_was_not_used(self):
        for agent in self.fleet.labels:
            self.fleet.tell(agent, "* * veto")
        rollout = self.fleet.roll_out(NEW, canary=0, healthy_deadline_s=40)
        rollout.wait_for("to be refused", lambda: [m for m in rollout.members("granted").values()
                                                   if m["phase"] == "not_begun"])
        (agent,) = rollout.members("granted")
        rollout.order("pause")
        # Its report gives the leave back. That it waits for its turn it says in that one report alone.
        rollout.wait_for("the slot to be free", lambda: rollout.show()["progress"]["granted"] == 0)
        for sound in self.fleet.labels:
            self.fleet.tell(sound)
        self.assertEqual(rollout.states()[agent], "waiting")
        self.assertEqual(rollout.show()["state"], "paused")
        self.nobody_moves(rollout)
        self.assertTrue(self.fleet.runs(OLD, self.fleet.labels))
        rollout.order("resume")
        rollout.wait("completed")

    def test_canary_waits_for_a_person_who_promotes(self):
        rollout = self.fleet.roll_out(NEW, auto_promote_s="never", max_parallel=3)
        rollout.wait("await_promote")
        self.assertEqual(sorted(self.still(rollout).values()), ["committed"] + ["waiting"] * 3)
        rollout.order("promote")
        rollout.wait("completed")
        self.fleet.wait_all(NEW)

    def test_stop_keeps_the_mix_and_rollback_undoes_it(self):
        rollout = self.fleet.roll_out(NEW, auto_promote_s="never")
        rollout.wait("await_promote")
        rollout.order("stop")
        states = self.still(rollout)
        moved = {agent for agent, state in states.items() if state == "committed"}
        self.assertEqual(len(moved), 1)
        self.assertTrue(self.fleet.runs(NEW, moved) and self.fleet.runs(OLD, set(states) - moved))
        rollout.order("rollback")
        rollout.wait("reverted")
        self.fleet.wait_all(OLD)
        self.assertEqual(self.fleet.api("GET", "/api/quarantine"), [], "a person's change of mind condemns no version")

    def test_rollback_by_hand_in_the_middle_and_of_a_completed_one(self):
        rollout = self.fleet.roll_out(NEW, canary=0)
        rollout.wait_members(2, "committed")
        rollout.order("rollback")
        shown = rollout.wait("reverted")
        self.assertEqual(shown["cause"], "operator")
        self.fleet.wait_all(OLD)
        again = self.fleet.roll_out(NEW, canary=0, max_parallel=4)
        again.wait("completed")
        again.order("rollback")
        again.wait("reverted")
        self.fleet.wait_all(OLD)
        self.fleet.roll_out(NEW, canary=0, max_parallel=4).wait("completed")
        self.assertEqual(self.fleet.refusal("POST", "/api/rollouts/%s/rollback" % again.id)["status"], 409)

    def test_window_that_is_closed_holds_and_says_so(self):
        rollout = self.fleet.roll_out(NEW, windows=[closed_window()])
        wait_for("the hold", lambda: rollout.show()["hold"] == "window")
        self.assertNotIn("committed", self.still(rollout).values())
        words = " ".join(self.fleet.why("a-1")["holds"])
        self.assertIn("window", words)
        rollout.order("stop")
        self.fleet.roll_out(NEW, canary=0, max_parallel=4, windows=[{"days": "daily", "from": "00:00", "to": "00:00"}]).wait("completed")


def closed_window():
    """A window of one minute that is half a day away."""
    hour = (time.gmtime().tm_hour + 12) % 24
    return {"days": "daily", "from": "%02d:30" % hour, "to": "%02d:31" % hour, "tz": "UTC"}


if __name__ == "__main__":
    unittest.main()
