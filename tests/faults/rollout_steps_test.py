"""An agent killed at every system call of a rollout's orders: the next one proves the version, or takes it back."""
import os, queue, shutil, signal, threading, unittest

from concurrently import concurrently
from grid import processes_of, sha256, storage_server, wait_for
from scale import FULL, say, scale
from scripted import Scripted
from steps import Steps, end, points, usable

GRANT = dict(rollout="r-1", lease_ms=30000, min_healthy_ms=50, probation_ms=150, healthy_deadline_ms=10000)


class Lane:
    """One agent whose state is kept before each of its runs."""

    def __init__(self, test, rules, ending):
        self.s, self.rules, self.ending, self.attempt = Scripted(test, "1.0.0", "1.2.0"), rules, ending, 0
        self.s.agent()
        self.s.want("1.0.0", prefetch="1.2.0")
        self.s.wait("idle", version="1.0.0")
        self.s.wait_staged("1.2.0")
        self.s.tell(*rules)
        self.state = self.s.process.state
        self.end()
        shutil.copytree(self.state, self.state + ".kept", symlinks=True)
        self.steps = Steps(self.s.directory, "a-1", "journal")

    def end(self):
        if self.s.process.running():
            self.s.process.kill()
        for pid in processes_of(self.state):
            os.kill(pid, signal.SIGKILL)
        wait_for("the end of the node", lambda: not processes_of(self.state))

    def begin(self, n):
        self.end()
        shutil.rmtree(self.state)
        shutil.copytree(self.state + ".kept", self.state, symlinks=True)
        self.attempt += 1
        self.s.want("1.2.0", **dict(GRANT, attempt=self.attempt))
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
        traced = self.begin(n)
        wait_for("call %d" % n, lambda: not traced.running() or self.is_over())
        if traced.running():
            end(traced)  # it got by with fewer calls this time
        self.s.last = {}
        self.s.agent()
        wait_for("%s after call %d; last report: %s" % (self.ending, n, self.s.last), self.is_over)
        running = processes_of(self.state)
        link = os.readlink(os.path.join(self.state, "current"))
        assert len(running) == 1, "nodes after call %d: %s" % (n, running)
        assert link == "store/" + sha256(storage_server(self.ending[1])), "after call %d current is %s" % (n, link)


@concurrently
class RolloutSteps(unittest.TestCase):
    def setUp(self):
        if not usable():
            self.skipTest("processes may not be traced here")

    def run_every_step(self, what, rules, ending, sample):
        lanes = [Lane(self, rules, ending) for _ in range(scale(1, 2))]
        count = max(lane.measure() for lane in lanes)
        todo, failures = queue.SimpleQueue(), []
        for n in points(count, sample):
            todo.put(n)

        def work(lane):
            while not failures:
                try:
                    lane.hurt(todo.get_nowait())
                except queue.Empty:
                    return
                except Exception as error:
                    failures.append("%r\nlast report: %s" % (error, lane.s.last))
        threads = [threading.Thread(target=work, args=(lane,)) for lane in lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        say("%s: %d calls, killed at %s of them" % (what, count, "each" if FULL else sample))
        self.assertEqual(failures, [], what)

    def test_version_that_proves_itself(self):
        self.run_every_step("switch and probation", [], ("idle", "1.2.0"), scale(5, 0))

    def test_version_that_does_not(self):
        self.run_every_step("switch and return", ["1.2.0 * exit 9"], ("failed", "1.0.0"), scale(3, 0))


if __name__ == "__main__":
    unittest.main()
