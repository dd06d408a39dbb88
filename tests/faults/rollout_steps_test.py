"""An agent killed at every system call of an update that a rollout drives: the next one goes on, and the rollout ends."""
import queue, threading, time, unittest

import checker
from fleet import Fleet
from grid import wait_for
from scale import SEED, say, scale
from steps import Steps, end, points, usable

LANES = scale(2, 3)
# Each agent keeps two versions, so that the third is fetched anew by every rollout.
CYCLE = ("1.0.0", "1.1.0", "2.0.0")


class RolloutSteps(unittest.TestCase):
    def setUp(self):
        if not usable():
            self.skipTest("processes may not be traced here")
        self.agents = ["a-%d" % n for n in range(1, LANES + 1)]
        self.fleet, self.failures = Fleet(self, {agent: "lane=" + agent for agent in self.agents}, CYCLE[0]), []
        for version in CYCLE[1:]:
            self.fleet.publish(version)
        self.at = dict.fromkeys(self.agents, 0)

    def update(self, agent, steps, n):
        """One rollout to the next version, while the agent is killed at its nth call and started again."""
        process = self.fleet.agents[agent]
        if process.running():
            process.kill()
        traced = self.fleet.start(agent, wrapper=steps.wrapper(n))
        wait_for("the traced agent", lambda: "link.live" in traced.err() or self.fleet.show(agent)["status"] == "up")
        self.at[agent] = (self.at[agent] + 1) % len(CYCLE)
        version = CYCLE[self.at[agent]]
        rollout = self.fleet.roll_out(version, selector="lane=" + agent)
        over = lambda: rollout.show()["state"] in ("completed", "reverted", "paused")
        wait_for("call %d" % n, lambda: not traced.running() or over())
        if n and traced.running():
            end(traced)  # it got by with fewer calls this time
        if n:
            self.fleet.start(agent)
        rollout.wait("completed")
        self.fleet.wait_healthy(agent, version)
        if n == 0:
            count = steps.count()
            end(traced)
            self.fleet.start(agent)
            return count
        return checker.settled(checker.store, self.fleet.agents[agent], self.published)

    def lane(self, agent, todo, steps):
        while not self.failures:
            try:
                n = todo.get_nowait()
            except queue.Empty:
                return
            try:
                self.failures += ["call %d: %s" % (n, words) for words in self.update(agent, steps, n)]
            except Exception as error:
                self.failures.append("call %d: %r" % (n, error))

    def test_every_step_of_a_granted_update(self):
        self.published = checker.published_digests(self.fleet)
        steps = {agent: Steps(self.fleet.directory, agent, ".part") for agent in self.agents}
        count = max(self.update(agent, steps[agent], 0) for agent in self.agents)
        chosen, todo, begun = points(count, scale(12, 0)), queue.SimpleQueue(), time.monotonic()
        for n in chosen:
            todo.put(n)
        lanes = [threading.Thread(target=self.lane, args=(agent, todo, steps[agent])) for agent in self.agents]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
        say("update of a rollout: %d calls, killed at %d of them (seed %d) in %.0f s" % (
            count, len(chosen), SEED, time.monotonic() - begun))
        self.assertEqual(self.failures, [])
        self.assertEqual(self.fleet.told("rollout.agent.failed"), [])


if __name__ == "__main__":
    unittest.main()
