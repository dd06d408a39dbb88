"""The address space of master and agent is all used up: each answers afterwards, or ends with a word and is started
again; nothing acknowledged is lost.
"""
import concurrent.futures, os, resource, signal, tempfile, unittest

# Sanitizers map far more than any limit leaves: the static programs run here, and the usual builds of nodes.
_DEV = os.path.abspath(os.environ.get("GRID_BUILD_DIR") or os.path.join(os.path.dirname(__file__), "../../build/dev"))
_STATIC = os.path.join(os.path.dirname(_DEV), "portable", "bin")
_BUILD = tempfile.TemporaryDirectory(prefix="grid-memory-")
HAS_STATIC = os.path.exists(os.path.join(_STATIC, "grid-master"))
if HAS_STATIC:
    os.mkdir(os.path.join(_BUILD.name, "bin"))
    for _name in ("grid-master", "grid-agent", "gridctl"):
        os.symlink(os.path.join(_STATIC, _name), os.path.join(_BUILD.name, "bin", _name))
    os.symlink(os.path.join(_DEV, "bin/versions"), os.path.join(_BUILD.name, "bin/versions"))
    os.environ["GRID_BUILD_DIR"] = _BUILD.name  # before the harness looks at it

import checker
from grid import Grid, wait_for
from ledger import Ledger
from load import FAULTS
from scale import say


def mapped_bytes(pid):
    with open("/proc/%d/statm" % pid) as file:
        return int(file.read().split()[0]) * resource.getpagesize()


@unittest.skipUnless(HAS_STATIC, "needs programs without sanitizers in build/portable; ci/release makes them")
class Memory(unittest.TestCase):
    def setUp(self):
        self.grid, self.ledger = Grid(self), Ledger()
        self.grid.publish("1.0.0")
        self.agent = self.grid.agent("a-1")
        self.pid = self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"]

    @staticmethod
    def limit(process):
        """It gets no more from the kernel than it has."""
        before = resource.prlimit(process.pid, resource.RLIMIT_AS)
        resource.prlimit(process.pid, resource.RLIMIT_AS, (mapped_bytes(process.pid), before[1]))
        return before

    def survives(self, process, before, answers):
        """Lifts the limit. Whether it lives on and answers; one that ended said why."""
        if process.running():
            resource.prlimit(process.pid, resource.RLIMIT_AS, before)
        # What aborts is still there for a while: only an answer tells that it lives on.
        if wait_for("an answer or an end", lambda: not process.running() and "ended" or answers() and "lives") == "lives":
            return True
        self.assertEqual(process.popen.returncode, -signal.SIGABRT, process.err()[-3000:])
        self.assertIn("out of memory", process.err())
        return False

    def label(self, key, value):
        """The status of the answer; 0 when there was none."""
        try:
            with self.ledger.doing("label", ("a-1", key), value) as op:
                status = self.grid.request("PATCH", "/api/agents/a-1", {"labels": {key: value}}).status
                op.answered(status)
                return status
        except FAULTS:
            return 0

    def change_and_read(self, number):
        """A change, and a long answer."""
        status = self.label("k%d" % number, "x")
        try:
            return [status, self.grid.request("GET", "/api/events?limit=1000").status]
        except FAULTS:
            return [status, 0]

    def takes_changes(self):
        return self.label("after", "x") == 200

    def test_master_without_memory_answers_again_or_is_started_again(self):
        before = self.limit(self.grid.master)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            statuses = [status for pair in pool.map(self.change_and_read, range(24)) for status in pair]
        lives = self.survives(self.grid.master, before, self.takes_changes)
        say("memory, master: %s, answers %s" % ("lives" if lives else "ended", sorted(set(statuses))))
        if not lives:
            self.grid.start_master()
        wait_for("the master to take changes", self.takes_changes)
        checker.check(self.grid, self.ledger, "master without memory")
        self.assertEqual(self.grid.nodes("a-1")[0]["pid"], self.pid)

    def test_agent_without_memory_brings_its_node_back_later_or_is_started_again(self):
        before = self.limit(self.agent)
        os.kill(self.pid, signal.SIGKILL)
        wait_for("its trouble", lambda: not self.agent.running() or "node.ended" in self.agent.err())
        lives = self.survives(self.agent, before, self.has_another_node)
        say("memory, agent: %s" % ("lives" if lives else "ended"))
        if not lives:
            self.agent = self.grid.agent("a-1")
        wait_for("another node", self.has_another_node)
        self.grid.wait_healthy("a-1", "1.0.0")
        checker.check(self.grid, self.ledger, "agent without memory")

    def has_another_node(self):
        return self.grid.nodes("a-1")[0]["pid"] not in (self.pid, 0, None)


if __name__ == "__main__":
    unittest.main()
