"""Agents, nodes and the master killed at random moments under load: nothing acknowledged is lost."""
import contextlib, os, random, signal, time, unittest

from agent_helpers import own_ports
from grid import Grid, Process, processes_of
from ledger import Ledger
from load import VERSIONS, Load
from scale import SEED, say, scale

ROUNDS, ROUNDS_BETWEEN_CHECKS = scale(60, 300), 20
RESTARTS = 20
AGENTS = ("a-1", "a-2", "a-3")
VICTIMS = ("agent", "node", "master")


class Kills(unittest.TestCase):
    def setUp(self):
        self.random, self.ledger = random.Random(SEED), Ledger()
        self.grid = Grid(self)
        self.ports = {agent: own_ports() for agent in AGENTS}
        for version in VERSIONS:
            self.grid.publish(version)
        for agent in AGENTS:
            self.grid.agent(agent, *self.ports[agent])
        for agent in AGENTS:
            self.grid.wait_healthy(agent)
        self.killed = dict.fromkeys(VICTIMS + ("starting master",), 0)

    def kill_node(self):
        """Whichever process of a node runs right now; its agent starts the next."""
        agent = self.random.choice(AGENTS)
        for pid in processes_of(self.grid.agents[agent].state):
            with contextlib.suppress(ProcessLookupError):  # it ended by itself, rightly, for a change of version
                os.kill(pid, signal.SIGKILL)
                self.killed["node"] += 1

    def kill_agent(self):
        agent = self.random.choice(AGENTS)
        self.died_of_us(self.grid.agents[agent])
        self.grid.agent(agent, *self.ports[agent])
        self.killed["agent"] += 1

    def kill_master(self):
        self.died_of_us(self.grid.master)
        self.killed["master"] += 1

    def died_of_us(self, process):
        self.assertTrue(process.running(), "%s ended by itself:\n%s" % (process.name, process.err()[-3000:]))
        process.kill()

    def restart_master(self):
        """On the way it may be killed again, while it starts."""
        if self.random.random() < 0.3:
            started = Process("grid-master", self.grid.master.popen.args[1:], self.grid.directory + "/master-run")
            time.sleep(self.random.uniform(0, 0.3))
            started.kill()
            self.killed["starting master"] += 1
        self.grid.start_master()

    def hurt(self):
        time.sleep(self.random.uniform(0, 0.3))
        victims = self.random.sample(VICTIMS, self.random.choice((1, 1, 1, 1, 2, 3)))
        for victim in victims:
            getattr(self, "kill_" + victim)()
        if "master" in victims:
            self.restart_master()

    def test_nothing_acknowledged_is_lost(self):
        load = Load(self.grid, self.ledger, SEED)
        load.start()
        begun = time.monotonic()
        for number in range(1, ROUNDS + 1):
            self.hurt()
            if number % ROUNDS_BETWEEN_CHECKS == 0:
                load.check("seed %d round %d" % (SEED, number))
        load.stop()
        say("kills: seed %d, %d rounds in %.0f s, killed %s, %d acknowledged, %d in doubt" % (
            SEED, ROUNDS, time.monotonic() - begun, self.killed, self.ledger.acknowledged, self.ledger.doubtful))

    def test_master_follows_at_once_on_one_that_is_still_dying(self):
        """Nobody waits for the end of the one before: a supervisor does not, either."""
        load = Load(self.grid, self.ledger, SEED)
        load.start()
        for _ in range(RESTARTS):
            dying = self.grid.master
            dying.popen.send_signal(signal.SIGKILL)
            self.grid.start_master()
            self.assertEqual(dying.wait(), -signal.SIGKILL)
        load.check("seed %d, %d masters killed" % (SEED, RESTARTS))
        load.stop()


if __name__ == "__main__":
    unittest.main()
