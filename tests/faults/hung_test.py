"""Processes that hang for a while (SIGSTOP) and go on: nothing is lost or done twice, and all converges."""
import contextlib, os, random, signal, time, unittest

from agent_helpers import own_ports
from grid import Grid, processes_of, wait_for
from ledger import Ledger
from load import VERSIONS, Load
from scale import SEED, say, scale

STOP_S = scale(3, 20)  # agents are suspect after 15 s, nodes unhealthy after three probes
AGENTS = ("a-1", "a-2")


class Hung(unittest.TestCase):
    def setUp(self):
        self.random, self.ledger, self.grid = random.Random(SEED), Ledger(), Grid(self)
        for version in VERSIONS:
            self.grid.publish(version)
        for agent in AGENTS:
            self.grid.agent(agent, *own_ports())
        for agent in AGENTS:
            self.grid.wait_healthy(agent)

    def stop(self, pids):
        """All of them, or none: a node may end between the look and the signal, because it is moved."""
        stopped = []
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
                stopped.append(pid)
        except ProcessLookupError:
            self.wake(stopped)
            raise
        return pids

    def wake(self, pids):
        """Who was killed meanwhile, for standing still, needs no waking."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def stopped(self, what, find):
        """What find() gives stands still for a while."""
        pids = wait_for("%s to stop" % what, lambda: self.stop(find()))
        time.sleep(STOP_S)
        self.wake(pids)

    def test_each_that_hangs_catches_up(self):
        load = Load(self.grid, self.ledger, SEED)
        load.start()
        agent = self.grid.agents[self.random.choice(AGENTS)]
        for what, pids in (("agent", lambda: [agent.pid]), ("node", lambda: processes_of(agent.state)),
                           ("master", lambda: [self.grid.master.pid]),
                           ("agent and node", lambda: [agent.pid, *processes_of(agent.state)])):
            self.stopped(what, pids)
            load.check("seed %d, %s hung for %d s" % (SEED, what, STOP_S))
        load.stop()
        say("hung: seed %d, %d acknowledged, %d in doubt" % (SEED, self.ledger.acknowledged, self.ledger.doubtful))


if __name__ == "__main__":
    unittest.main()
