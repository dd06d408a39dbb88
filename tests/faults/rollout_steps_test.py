"""An agent killed at every system call of a rollout's orders: the next one has the version ready, proves it, or takes
it back."""
import os, shutil, unittest

import checker
from concurrently import concurrently
from grid import kill_nodes, processes_of, sha256, storage_server, wait_for
from scale import lanes, scale
from scripted import Scripted
from steps import Matrix, Steps, end, usable

VERSIONS = ("1.0.0", "1.2.0")
GRANT = dict(rollout="r-1", lease_ms=30000, min_healthy_ms=50, probation_ms=150,
             healthy_deadline_ms=scale(10000, 30000))  # several lanes are slow
PUBLISHED = {sha256(storage_server(version)) for version in VERSIONS}


class Lane:
    """One agent whose state is kept before each of its runs."""

    begin_with = "journal"

    def __init__(self, test, rules, ending):
        self.s, self.ending, self.attempt = Scripted(test, *VERSIONS), ending, 0
        self.s.agent()
        self.prepare()
        self.s.tell(*rules)
        self.state = self.s.process.state
        self.end()
        shutil.copytree(self.state, self.state + ".kept", symlinks=True)
        self.steps = Steps(self.s.directory, "a-1", self.begin_with)

    def prepare(self):
        self.s.want("1.0.0", prefetch="1.2.0")
        self.s.wait("idle", version="1.0.0")
        self.s.wait_staged("1.2.0")

    def order(self):
        self.attempt += 1
        self.s.want("1.2.0", **dict(GRANT, attempt=self.attempt))

    def end(self):
        if self.s.process.running():
            self.s.process.kill()
        kill_nodes(self.state)

    def begin(self, n):
        self.end()
        shutil.rmtree(self.state)
        shutil.copytree(self.state + ".kept", self.state, symlinks=True)
        self.order()
        return self.s.agent(wrapper=self.steps.wrapper(n))

    def is_over(self):
        update, nodes = self.s.last.get("update", {}), self.s.last.get("nodes", [])
        return (update.get("state"), self.s.last.get("version")) == self.ending and \
            update.get("rollout_attempt") == self.attempt and [n["state"] for n in nodes] == ["healthy"]

    def measure(self):
        self.begin(0)
        wait_for("an undisturbed run", self.is_over)
        return self.steps.count()

    def hurt(self, n):
        """Whether call n killed the agent, and what is wrong once the next one is done."""
        traced = self.begin(n)
        wait_for("call %d" % n, lambda: not traced.running() or self.is_over())
        if traced.running():
            end(traced)  # it got by with fewer calls this time
        died = self.steps.count() >= n
        self.s.last = {}
        self.s.agent()
        try:
            wait_for(self.ending, self.is_over)
        except AssertionError as error:
            return died, ["%s; last report: %s" % (error, self.s.last)]
        return died, self.wrong()

    def wrong(self):
        running = processes_of(self.state)
        link = os.readlink(os.path.join(self.state, "current"))
        found = [] if len(running) == 1 else ["nodes: %s" % running]
        if link != "store/" + sha256(storage_server(self.ending[1])):
            found.append("current is " + link)
        return found + checker.settled(checker.store, self.s.process, PUBLISHED)


class Fetching(Lane):
    """One whose turn has not come: the version is to be there by then."""

    begin_with = ".part"

    def prepare(self):
        self.s.want("1.0.0")
        self.s.wait("idle", version="1.0.0")

    def order(self):
        self.s.want("1.0.0", prefetch="1.2.0")

    def is_over(self):
        staging, nodes = self.s.last.get("staging", {}), self.s.last.get("nodes", [])
        return (staging.get("state"), staging.get("sha256")) == ("staged", self.s.artifacts["1.2.0"]["sha256"]) and \
            self.s.last["generation"] == self.s.generation and [n["state"] for n in nodes] == ["healthy"]


@concurrently
class RolloutSteps(unittest.TestCase):
    def setUp(self):
        if not usable():
            self.skipTest("processes may not be traced here")

    def run_every_step(self, what, rules, ending, sample, lane=Lane):
        side_by_side = [lane(self, rules, ending) for _ in range(lanes(1, 2))]
        count = max(one.measure() for one in side_by_side)
        self.assertEqual(Matrix(what, count, sample).run([one.hurt for one in side_by_side]), [], what)

    def test_version_that_is_made_ready(self):
        self.run_every_step("prefetch", [], ("idle", "1.0.0"), scale(3, 0), Fetching)

    def test_version_that_proves_itself(self):
        self.run_every_step("switch and probation", [], ("idle", "1.2.0"), scale(5, 0))

    def test_version_that_does_not(self):
        self.run_every_step("switch and return", ["1.2.0 * exit 9"], ("failed", "1.0.0"), scale(3, 0))


if __name__ == "__main__":
    unittest.main()
