"""An agent killed at every system call from the download of a version to its being healthy: the next one goes on."""
import functools, shutil, unittest

import checker
from agent_helpers import own_ports
from grid import Grid, kill_nodes, processes_of, wait_for
from ledger import Ledger
from scale import lanes, scale
from steps import Matrix, Steps, end, usable


class AgentSteps(unittest.TestCase):
    def setUp(self):
        if not usable():
            self.skipTest("processes may not be traced here")
        self.grid = Grid(self)
        self.agents = ["a-%d" % n for n in range(1, lanes(2, 3) + 1)]
        self.ports = {agent: own_ports() for agent in self.agents}

    def start(self, agent, wrapper=()):
        return self.grid.agent(agent, *self.ports[agent], wrapper=wrapper)

    def end(self, agent):
        """Kills the agent and its node: a machine that lost power, but for its disk."""
        process = self.grid.agents[agent]
        if process.running():
            process.kill()
        kill_nodes(process.state)

    def keep(self, agent):
        """What the state of this agent is before each of its runs."""
        self.end(agent)
        state = self.grid.agents[agent].state
        shutil.copytree(state, state + ".kept", symlinks=True)

    def bring_back(self, agent):
        state = self.grid.agents[agent].state
        self.end(agent)
        shutil.rmtree(state)
        shutil.copytree(state + ".kept", state, symlinks=True)

    def ill(self, agent):
        """What is wrong with it, as far as the master and the processes tell."""
        shown, running = self.grid.show(agent), processes_of(self.grid.agents[agent].state)
        known = [node["pid"] for node in shown["nodes"]]
        found = checker.unsettled_agent(shown, self.version)
        return found if known == running and known else found + ["%s runs, the master knows %s" % (running, known)]

    def measure(self, agent, steps):
        """How many calls one undisturbed run makes until the master knows that it is healthy."""
        self.bring_back(agent)
        self.start(agent, steps.wrapper(0))
        wait_for("an undisturbed run", lambda: not self.ill(agent))
        return steps.count()

    def hurt(self, agent, steps, n):
        """Whether call n killed the agent, and what is wrong once the next one is done."""
        self.bring_back(agent)
        traced = self.start(agent, steps.wrapper(n))
        wait_for("call %d" % n, lambda: not traced.running() or not self.ill(agent))
        if traced.running():
            end(traced)  # it got by with fewer calls this time
        died = steps.count() >= n
        self.start(agent)
        try:
            wait_for("%s after call %d" % (agent, n), lambda: not self.ill(agent))
        except AssertionError as error:
            return died, [str(error)] + self.ill(agent)
        return died, checker.settled(checker.store, self.grid.agents[agent], self.published)

    def run_every_step(self, what, version, begin, sample):
        self.version, self.published = version, checker.published_digests(self.grid)
        steps = {agent: Steps(self.grid.directory, agent, begin) for agent in self.agents}
        matrix = Matrix(what, max(self.measure(agent, steps[agent]) for agent in self.agents), sample)
        found = matrix.run([functools.partial(self.hurt, agent, steps[agent]) for agent in self.agents])
        self.assertEqual(found, [], matrix.label)
        checker.check(self.grid, Ledger(), matrix.label)

    def test_first_install(self):
        for agent in self.agents:
            self.start(agent)
            wait_for("agent", lambda: self.grid.show(agent)["status"] == "up")
            self.keep(agent)
        self.grid.publish("1.0.0")
        self.run_every_step("first install", "1.0.0", ".part", scale(12, 0))

    def test_update(self):
        self.grid.publish("1.0.0")
        for agent in self.agents:
            self.start(agent)
            self.grid.wait_healthy(agent, "1.0.0")
            self.keep(agent)
        self.grid.publish("1.1.0")
        self.grid.set_channel("1.1.0")
        self.run_every_step("update", "1.1.0", ".part", scale(8, 0))


if __name__ == "__main__":
    unittest.main()
