"""Master, agents and nodes killed at random moments of rollouts, there and back: nobody is lost on the way."""
import contextlib, hashlib, os, random, signal, time, unittest

import checker, rollout_checker
from fleet import NEW, OLD, SOON, Fleet, machines
from grid import ApiError, processes_of
from ledger import Ledger
from scale import SEED, say, scale

ROUNDS, KILLS_EACH = scale(2, 40), scale(15, 60)
OVER = ("completed", "reverted", "revert_stuck")


class RolloutKills(unittest.TestCase):
    def setUp(self):
        self.random, self.ledger = random.Random(SEED), Ledger()
        self.fleet = Fleet(self, machines(3, "a", "b"), master_arguments=SOON)
        self.fleet.publish(NEW)
        self.killed = dict.fromkeys(("master", "agent", "node"), 0)

    def kill_node(self, agent):
        for pid in processes_of(self.fleet.agents[agent].state):
            with contextlib.suppress(ProcessLookupError):  # it ended by itself, rightly, for the switch
                os.kill(pid, signal.SIGKILL)

    def kill_agent(self, agent):
        self.fleet.agents[agent].kill()
        self.fleet.start(agent)

    def kill_master(self, _):
        self.fleet.master.kill()
        self.fleet.start_master()

    def hurt(self):
        time.sleep(self.random.uniform(0, 0.4))
        victim = self.random.choice(("master", "master", "agent", "agent", "node"))
        getattr(self, "kill_" + victim)(self.random.choice(list(self.fleet.labels)))
        self.killed[victim] += 1

    def write(self, number):
        for agent in self.fleet.labels:
            name, content = "c%d" % number, self.random.randbytes(3000)
            with self.ledger.doing("chunk", (agent + "/0", name), hashlib.sha256(content).hexdigest()) as op:
                op.answered(self.fleet.put_chunk(agent, name, content))

    def audited(self):
        return rollout_checker.rows(self.fleet, "SELECT count(*) FROM audit WHERE action = 'rollout.start'")[0][0]

    def over(self, rollout):
        """Its state once it is over; what stands still because of a killed machine is told to go on."""
        state = rollout.show()["state"]
        if state == "paused":
            with contextlib.suppress(ApiError):  # it may be going back by now
                rollout.order("resume")
        return state if state in OVER else None

    def follow(self, rollout):
        for _ in range(KILLS_EACH):
            if state := self.over(rollout):
                return state
            self.hurt()
        return rollout.wait_for("to be over", lambda: self.over(rollout))

    def run_round(self, number):
        version = (NEW, OLD)[number % 2]
        rollout = self.fleet.roll_out(version, canary=1, max_parallel=2, max_failures=6, probation_s=0.5, healthy_deadline_s=4,
                                      override_quarantine=True)
        state = self.follow(rollout)
        if state == "completed" and self.random.random() < 0.3:
            rollout.order("rollback")
            state = self.follow(rollout)
        return state

    def test_rollouts_end_and_everybody_runs_what_they_say(self):
        begun, ends = time.monotonic(), []
        for number in range(ROUNDS):
            self.write(number)
            ends.append(self.run_round(number))
            label = "seed %d round %d: %s" % (SEED, number, ends)
            found = checker.settled(rollout_checker.members, self.fleet)
            found += rollout_checker.budgets(self.fleet) + rollout_checker.audit(self.fleet)
            self.assertEqual(found, [], label)
            self.ledger.violations += checker.settled(checker.chunks, self.fleet, self.ledger)
            self.assertEqual(self.ledger.violations, [], label)
            if (number + 1) % 10 == 0:
                say("rollout kills: %d of %d rounds, killed %s" % (number + 1, ROUNDS, self.killed))
        self.assertGreaterEqual(self.audited(), ROUNDS)
        self.assertIn("completed", ends, "no rollout ever arrived, so nothing was shown")
        say("rollout kills: seed %d, %d kills of %s in %d rounds, %d of them completed, in %.0f s" % (
            SEED, sum(self.killed.values()), self.killed, len(ends), ends.count("completed"), time.monotonic() - begun))


if __name__ == "__main__":
    unittest.main()
