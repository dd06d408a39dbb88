"""What people order: pause, resume, promote, stop, roll back, two at once, one in place of another, in spite of a quarantine."""
import time, unittest

from fleet import NEW, NEWER, OLD, Fleet, Watch, machines
from grid import wait_for


class Orders(unittest.TestCase):
    def setUp(self):
        self.fleet = Fleet(self, machines(4))
        self.fleet.publish(NEW)

    def still(self, rollout):
        """The numbers of a rollout that moves nobody while ten looks go by, and time for each agent to finish."""
        wait_for("what had begun to end", lambda: rollout.show()["progress"]["granted"] == 0)
        before = rollout.states()
        with Watch(self.fleet) as watch:
            wait_for("some time", lambda: watch.rounds > 40)
        self.assertEqual(rollout.states(), before)
        self.assertEqual(watch.down, {})
        return before

    def test_pause_finishes_what_has_begun_and_resume_goes_on(self):
        rollout = self.fleet.roll_out(NEW, canary=0, probation_s=1)
        rollout.wait_members(1, "granted", "committed")
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


class Several(unittest.TestCase):
    def setUp(self):
        self.fleet = Fleet(self, machines(3, "a", "b"))
        self.fleet.publish(NEW)
        self.fleet.publish(NEWER)

    def test_disjoint_ones_run_at_once_and_overlapping_ones_are_refused(self):
        left = self.fleet.roll_out(NEW, selector="rack=a", auto_promote_s="never")
        right = self.fleet.roll_out(NEWER, selector="rack=b", auto_promote_s="never")
        left.wait("await_promote"), right.wait("await_promote")
        problem = self.fleet.refused(NEWER, selector="rack=a")
        self.assertEqual(problem["status"], 409)
        self.assertIn(left.id, problem["detail"])
        self.assertIn("supersede", problem["hint"])
        self.assertEqual(self.fleet.refused(NEWER)["status"], 409)
        left.order("promote"), right.order("promote")
        left.wait("completed"), right.wait("completed")
        self.fleet.wait_all(NEW, ["a-1", "a-2", "a-3"])
        self.fleet.wait_all(NEWER, ["b-1", "b-2", "b-3"])
        listed = self.fleet.api("GET", "/api/rollouts")
        self.assertEqual([r["id"] for r in listed], [right.id, left.id])

    def test_one_supersedes_another(self):
        first = self.fleet.roll_out(NEW, auto_promote_s="never")
        first.wait("await_promote")
        second = self.fleet.roll_out(NEWER, supersede=True, canary=0, max_parallel=3)
        self.assertEqual(first.wait("superseded")["superseded_by"], second.id)
        second.wait("completed")
        self.fleet.wait_all(NEWER)
        self.assertIn(NEW, {m["from"] for m in second.members().values()})

    def test_same_key_gives_the_same_rollout(self):
        body, key = {"version": NEW, "selector": "rack=a", "auto_promote_s": "never"}, {"Idempotency-Key": "release-7"}
        first = self.fleet.request("POST", "/api/rollouts", body, key)
        again = self.fleet.request("POST", "/api/rollouts", body, key)
        self.assertEqual((first.status, again.status), (201, 200))
        self.assertEqual(first.json()["id"], again.json()["id"])
        self.assertTrue(first.headers["Location"].endswith("/api/rollouts/" + first.json()["id"]))

    def test_failed_version_is_quarantined_until_somebody_insists(self):
        for agent in self.fleet.labels:
            self.fleet.tell(agent, NEW + " * exit 3")
        self.fleet.roll_out(NEW, selector="rack=a").wait("reverted")
        digest = self.fleet.api("GET", "/api/quarantine")[0]["digest"]
        problem = self.fleet.refused(NEW, selector="rack=b")
        self.assertEqual(problem["status"], 409)
        self.assertIn("override_quarantine", problem["hint"])
        self.assertEqual(self.fleet.refusal("PUT", "/api/channels/stable", {"version": NEW})["status"], 409)
        for agent in self.fleet.labels:
            self.fleet.tell(agent)
        self.fleet.roll_out(NEW, selector="rack=b", override_quarantine=True).wait("completed")
        self.fleet.wait_all(NEW, ["b-1", "b-2", "b-3"])
        self.fleet.api("DELETE", "/api/quarantine/" + digest)
        self.fleet.roll_out(NEW, selector="rack=a").wait("completed")
        self.fleet.wait_all(NEW)


if __name__ == "__main__":
    unittest.main()
