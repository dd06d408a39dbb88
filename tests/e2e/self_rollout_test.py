"""A rollout of the agent itself over a real master: three machines one after another, and back from a build that is no good,
with the reason at the master and every node running on."""
import os, shutil, sys, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import fleet
from grid import Grid, Process, grid_agent, here, processes_of, sha256, wait_for

AGENTS = ("a-1", "a-2", "a-3")
QUICK = dict(fleet.QUICK, name="grid-agent")
# What is said of each: tests/e2e/self_update_test.py has them all, one agent at a time.
BROKEN = {"1.2.0": "test fault: it ends at once"}
LONGER, HUNG_AFTER = {}, "60s"
if os.environ.get("GRID_FAULTS") == "full":
    LONGER, HUNG_AFTER = dict(probation_s=3, healthy_deadline_s=6), "1s"  # some come up well
    BROKEN.update({"1.2.1": "test fault: it crashes now", "1.2.2": "self.probation", "1.2.3": "self.return",
                   "1.2.4": "every node is a stranger"})


class SelfRollout(unittest.TestCase):
    def setUp(self):
        self.grid = Grid(self)
        self.grid.publish("1.0.0")
        for agent in AGENTS:
            self.install(agent)
        self.pids = [self.grid.wait_healthy(agent, "1.0.0")["nodes"][0]["pid"] for agent in AGENTS]

    def install(self, agent):
        state = os.path.join(self.grid.directory, agent)
        build = "1.0.0-" + sha256(grid_agent("1.0.0"))
        os.makedirs(os.path.join(state, "agent", build), 0o700)
        shutil.copy(grid_agent("1.0.0"), os.path.join(state, "agent", build, "grid-agent"))
        os.symlink(build, os.path.join(state, "agent", "current"))
        launcher = Process("grid-launcher", ["--state", state, "--restart-pause", "20ms", "--hung-after", HUNG_AFTER, "--", "--id", agent],
                           os.path.join(self.grid.directory, agent + "-run"), {"GRID_TOKEN": self.grid.join()})
        self.grid.agents[agent] = launcher

    def publish(self, version):
        self.grid.drop(grid_agent(version), "grid-agent-%s-%s" % (version, here()))
        wait_for("the build", lambda: any(b["version"] == version and b["name"] == "grid-agent"
                                          for b in self.grid.api("GET", "/api/binaries")))

    def roll_out(self, version, **options):
        self.publish(version)
        return fleet.Rollout(self.grid, self.grid.api("POST", "/api/rollouts", {**QUICK, **options, "version": version}))

    def assert_all_run(self, version):
        for agent in AGENTS:
            wait_for("%s to be of %s" % (agent, version), lambda: self.grid.show(agent)["agent_version"] == version)
        for agent in AGENTS:
            self.grid.wait_healthy(agent, "1.0.0")
        self.assertEqual(processes_of(self.grid.directory), sorted(self.pids), "a node was restarted")

    def test_forth_and_back_from_what_is_no_good(self):
        self.roll_out("1.1.0").wait("completed")
        self.assert_all_run("1.1.0")
        why = self.grid.api("GET", "/api/agents/a-1/why")
        self.assertEqual((why["agent"]["desired"]["version"], why["agent"]["running"]["version"], why["holds"]), ("1.1.0", "1.1.0", []))
        self.assertIn("its grid-agent is 1.1.0 and should be 1.1.0", " ".join(why["words"]))
        for version, words in BROKEN.items():
            rollout = self.roll_out(version, **LONGER)
            rollout.wait("reverted")
            failed = [m for m in rollout.members().values() if m["diagnosis"]]
            self.assertEqual(len(failed), 1, rollout.members())
            self.assertIn(words, failed[0]["diagnosis"])
            self.assert_all_run("1.1.0")


if __name__ == "__main__":
    unittest.main()
