"""Agent and launcher killed at every system call from the fetch of a build of the agent to its being proven, and at random
moments: the update is finished whoever dies, and the node never notices."""
import contextlib, os, random, shutil, signal, time, unittest

from grid import alive, processes_of, wait_for
from launched import Launched
from scale import SEED, say, scale
from steps import Matrix, Steps, end, usable

GRANT = dict(rollout="r-1", lease_ms=30000, probation_ms=1, healthy_deadline_ms=20000)
SAMPLE = scale(4, 0)
KILLS = scale(3, 60)


class SelfSteps(unittest.TestCase):
    """From one build to the other and back, each time under another leave."""

    def setUp(self):
        if not usable():
            self.skipTest("processes may not be traced here")
        self.attempt, self.at, self.other = 0, "1.0.0", "1.1.0"
        self.s = Launched(self, "1.0.0", agents=["1.0.0", "1.1.0"])
        self.s.install("1.0.0")
        self.s.launch()
        self.s.want("1.0.0")
        self.s.wait("idle", version="1.0.0")
        self.pids = processes_of(self.s.directory)
        self.steps = Steps(self.s.directory, "launcher", ".part", children=True)

    def begin(self, wrapper=()):
        """A fresh launcher and leave for the other build, whose bytes were lost."""
        agent = self.s.agent_pid()
        end(self.s.process) if self.traced else self.s.process.kill()
        wait_for("the agent to end with its launcher", lambda: not alive(agent))
        shutil.rmtree(os.path.join(self.s.state, "agent", self.s.build(self.other)), ignore_errors=True)
        self.traced = bool(wrapper)
        self.s.launch(wrapper=wrapper)
        self.attempt += 1
        self.s.want_build(self.other, attempt=self.attempt, **GRANT)

    traced = False

    def finish(self, what):
        """Whoever is dead is started again, as init would."""
        def done():
            if not self.s.process.running():
                self.traced = False
                self.s.launch()
            own = self.s.own()
            update = own.get("update", {})
            return own.get("version") == self.other and update.get("state") == "idle" and \
                update.get("rollout_attempt") == self.attempt
        try:
            wait_for("the update after " + what, done)
        except AssertionError as error:
            self.fail("%s\n%s" % (error, self.s.process.err()[-4000:]))
        self.assertEqual(processes_of(self.s.directory), self.pids, "a node was restarted after " + what)
        self.assertEqual(self.s.linked("current"), self.s.build(self.other))
        self.at, self.other = self.other, self.at

    def hurt(self, n):
        self.begin(self.steps.wrapper(n))
        self.finish("call %d" % n)
        return self.steps.count() >= n, []

    def test_killed_at_each_call(self):
        self.begin(self.steps.wrapper(0))
        self.finish("an undisturbed run")
        matrix = Matrix("self-update", self.steps.count(), SAMPLE, failures_most=1)  # each begins where the last ended
        self.assertEqual(matrix.run([self.hurt]), [])

    def test_killed_at_random_moments(self):
        dice = random.Random(SEED)
        for n in range(KILLS):
            self.begin()
            time.sleep(dice.uniform(0, 1.5))  # the moment is the test
            victim = dice.choice([self.s.process.pid, self.s.agent_pid() or self.s.process.pid])
            with contextlib.suppress(ProcessLookupError):  # it may be giving way to the next
                os.kill(victim, signal.SIGKILL)
            self.finish("kill %d (seed %d)" % (n, SEED))
        say("self-update: %d kills at random moments (seed %d)" % (KILLS, SEED))


if __name__ == "__main__":
    unittest.main()
