"""Several rollouts: two at once, one in place of another, the same asked for again, one in spite of a quarantine."""
import unittest

from fleet import NEW, NEWER, Fleet, machines


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
