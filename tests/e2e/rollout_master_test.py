"""The master is killed in every state of a rollout, and goes on where it was: nobody is moved twice, nobody is forgotten."""
import unittest

from fleet import HELD, NEW, OLD, SOON, Fleet, Watch, machines
from grid import wait_for


class MasterKilled(unittest.TestCase):
    def setUp(self):
        self.fleet = Fleet(self, machines(4), master_arguments=SOON)
        self.fleet.publish(NEW)

    def kill_in(self, rollout, *states):
        """Kills it in one of these states; gives what it says once it is back."""
        rollout.wait(*states)
        members = rollout.members()
        self.fleet.master.kill()
        self.fleet.start_master()
        shown, after = rollout.show(), rollout.members()
        for agent, member in members.items():
            self.assertEqual((after[agent]["from"], after[agent]["to"]), (member["from"], member["to"]))
            self.assertGreaterEqual(after[agent]["attempt"], member["attempt"])
        return shown

    def well(self, version, grants):
        """Everybody is there, and each was granted as often as it had to be."""
        self.fleet.wait_all(version)
        granted = self.fleet.told("rollout.agent.granted")
        self.assertEqual({agent: granted.count(agent) for agent in self.fleet.labels},
                         dict.fromkeys(self.fleet.labels, grants))

    def test_on_the_way_forward(self):
        self.fleet.hold(NEW)
        with Watch(self.fleet) as watch:
            rollout = self.fleet.roll_out(NEW, auto_promote_s="never", **HELD)
            self.kill_in(rollout, "prefetch", "canary")
            self.kill_in(rollout, "canary")
            self.fleet.let_go()
            self.assertEqual(self.kill_in(rollout, "await_promote")["state"], "await_promote")
            self.fleet.hold(NEW, rollout.members("waiting"))
            rollout.order("promote")
            self.kill_in(rollout, "rolling")
            # One that has begun holds the only slot: nobody has a leave that the pause would take back.
            rollout.wait_for("to have one begin", lambda: [m for m in rollout.members("granted").values()
                                                           if m["phase"] in ("switching", "probation")])
            rollout.order("pause")
            shown = self.kill_in(rollout, "paused")
            self.assertEqual((shown["state"], shown["resume_state"]), ("paused", "rolling"))
            self.fleet.let_go()
            rollout.order("resume")
            rollout.wait("completed")
        self.assertEqual(self.kill_in(rollout, "completed")["state"], "completed")
        self.well(NEW, 1)
        self.assertLessEqual(watch.most_down(), 1)

    def test_on_the_way_back(self):
        with Watch(self.fleet) as watch:
            rollout = self.fleet.roll_out(NEW, canary=0, probation_s=0.5)
            rollout.wait("completed")
            rollout.order("rollback")
            self.kill_in(rollout, "reverting")
            rollout.wait_members(2, "returned")
            self.kill_in(rollout, "reverting", "reverted")
            rollout.wait("reverted")
        self.assertEqual(self.kill_in(rollout, "reverted")["state"], "reverted")
        self.fleet.wait_all(OLD)
        self.assertLessEqual(watch.most_down(), 1)

    def test_what_was_granted_is_finished_while_it_is_away(self):
        rollout = self.fleet.roll_out(NEW, canary=0, max_parallel=4, probation_s=1)
        rollout.wait_begun(4)
        self.fleet.master.kill()
        wait_for("every agent to be through", lambda: all(
            "version=%s sealed" % NEW in agent.err() for agent in self.fleet.agents.values()))
        self.fleet.start_master()
        rollout.wait("completed")
        self.well(NEW, 1)

    def test_bad_version_is_taken_back_while_it_is_away(self):
        """The agent decides alone, and tells when somebody listens."""
        self.fleet.hold(NEW)
        rollout = self.fleet.roll_out(NEW, **HELD)
        (canary,) = rollout.wait_begun(1)
        self.fleet.master.kill()
        self.fleet.let_go(NEW + " * exit 3")
        said = self.fleet.agents[canary].err
        wait_for("the return", lambda: "version=%s sealed" % OLD in said().rpartition("version=%s sealed" % NEW)[2])
        self.fleet.start_master()
        rollout.wait("reverted")
        self.fleet.wait_all(OLD)
        self.assertEqual(self.fleet.told("rollout.agent.granted"), [canary])

    def test_ends_by_hand_outlive_it(self):
        rollout = self.fleet.roll_out(NEW, auto_promote_s="never")
        rollout.wait("await_promote")
        rollout.order("stop")
        self.assertEqual(self.kill_in(rollout, "stopped")["state"], "stopped")
        second = self.fleet.roll_out(NEW, auto_promote_s="never")
        second.wait("await_promote")
        self.assertEqual(self.fleet.roll_out(OLD, supersede=True).wait("completed")["state"], "completed")
        self.assertEqual(self.kill_in(second, "superseded")["state"], "superseded")
        self.fleet.wait_all(OLD)


if __name__ == "__main__":
    unittest.main()
