"""The power fails under load, at the master, at the agent's machine or at both: what was acknowledged is on the disk.

What programs wrote and did not flush is lost here, unlike when they are killed.
"""
import glob, os, random, signal, time, unittest

import machine
from agent_helpers import own_ports
from grid import Grid, alive, processes_of, wait_for
from ledger import Ledger
from load import VERSIONS, Load
from scale import SEED, say, scale

ROUNDS = scale(6, 200)
ACKNOWLEDGED_BETWEEN = (5, 60)
setUpModule = machine.private_mounts


class PowerCut(unittest.TestCase):
    def setUp(self):
        self.random, self.ledger = random.Random(SEED), Ledger()
        directory = machine.directory(self)
        self.disks = {name: machine.Ext4(self, os.path.join(directory, name)) for name in ("master", "a-1")}
        self.grid = Grid(self, directory=directory)
        self.ports = own_ports()
        for version in VERSIONS:
            self.grid.publish(version)
        self.grid.agent("a-1", *self.ports)
        self.grid.wait_healthy("a-1")

    def stop(self, name):
        """Stops all that runs there, children that are being made too; gives their pids."""
        leader = self.grid.master.pid if name == "master" else self.grid.agents[name].pid
        os.kill(leader, signal.SIGSTOP)
        pids = {leader, *processes_of(self.disks[name].path)}
        for path in glob.glob("/proc/%d/task/*/children" % leader):
            with open(path) as f:
                pids.update(map(int, f.read().split()))
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        return pids

    def cut(self, names, load):
        """All stop at one moment, with the disk as it is then."""
        pids = [pid for name in names for pid in self.stop(name)]
        for name in names:
            self.disks[name].cut_power()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for name in names:
            (self.grid.master if name == "master" else self.grid.agents[name]).wait()
        wait_for("the end of all", lambda: not any(alive(pid) for pid in pids))
        with load.at_rest():
            for name in names:
                self.disks[name].power_on()

    def start(self, names):
        if "master" in names:
            self.grid.start_master()
        if "a-1" in names:
            self.grid.agent("a-1", *self.ports)

    def hurt(self, load):
        enough = self.ledger.acknowledged + self.random.randint(*ACKNOWLEDGED_BETWEEN)
        wait_for("acknowledgements", lambda: self.ledger.acknowledged >= enough)
        names = self.random.choice((["master"], ["a-1"], ["master", "a-1"]))
        self.cut(names, load)
        self.start(names)
        return names

    def test_acknowledged_is_on_the_disk(self):
        load = Load(self.grid, self.ledger, SEED)
        load.start()
        begun, cuts = time.monotonic(), []
        for number in range(1, ROUNDS + 1):
            cuts.append("+".join(self.hurt(load)))
            load.check("seed %d round %d: %s" % (SEED, number, cuts[-1]))
        load.stop()
        say("power cuts: seed %d, %d rounds in %.0f s, %s, %d acknowledged, %d in doubt" % (
            SEED, ROUNDS, time.monotonic() - begun, {name: cuts.count(name) for name in cuts},
            self.ledger.acknowledged, self.ledger.doubtful))


if __name__ == "__main__":
    unittest.main()
