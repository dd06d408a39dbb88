"""The master's database is damaged on its disk: it is found out, and a backup brings the grid back to what it says.

Agents went on meanwhile and are ahead of the backup; they must take it all the same.
"""
import os, shutil, unittest

import checker
from grid import Grid, Process, wait_for
from ledger import Ledger

PAGE_BYTES = 4096
AGENTS = ("a-1", "a-2")


class Restore(unittest.TestCase):
    def setUp(self):
        self.grid, self.ledger = Grid(self), Ledger()
        self.backup = os.path.join(self.grid.directory, "grid.sqlar")
        for version in ("1.0.0", "1.1.0"):
            self.grid.publish(version)
        for name in AGENTS:
            self.grid.agent(name)
        for name in AGENTS:
            self.grid.wait_healthy(name, "1.0.0")

    def path(self, name="grid.db"):
        return os.path.join(self.grid.master.state, name)

    def use(self):
        """What the backup must bring back."""
        for key, value in (("rack", "b"), ("zone", "c")):
            with self.ledger.doing("label", ("a-1", key), value) as op:
                op.answered(self.grid.request("PATCH", "/api/agents/a-1", {"labels": {key: value}}).status)
        with self.ledger.doing("channel", "stable", "1.0.0") as op:
            op.answered(self.grid.set_channel("1.0.0") and 200)
        answer = self.grid.api("POST", "/api/tokens", {"kind": "api", "role": "viewer"})
        with self.ledger.doing("token", answer["secret"], answer["id"]) as op:
            op.acknowledged()

    def obeyed(self, name):
        return checker.read_json(os.path.join(self.grid.agents[name].state, "desired.json"))["generation"]

    def move_on(self):
        """What the backup knows nothing of: another version everywhere, and generations far ahead."""
        self.grid.set_channel("1.1.0")
        for value in map(str, range(20)):
            self.grid.api("PATCH", "/api/agents/a-1", {"labels": {"rack": value}})
        self.grid.api("POST", "/api/nodes/a-1~0/restart")
        for name in AGENTS:
            self.grid.wait_healthy(name, "1.1.0")
            wait_for("the agent to hear of it", lambda: self.obeyed(name) == self.grid.show(name)["generation"])
            self.ledger.saw("generation", name, self.grid.show(name)["generation"])

    def refuse(self):
        """The master does not start on what it cannot trust, names the file and the way out, and changes nothing."""
        with open(self.path(), "rb") as f:
            before = f.read()
        master = Process("grid-master", self.grid.master.popen.args[1:], self.grid.directory + "/refused")
        self.assertNotIn(master.wait(), (0, -6, -11), master.err())
        for word in ("grid.db is damaged", "gridctl backup restore"):
            self.assertIn(word, master.err())
        with open(self.path(), "rb") as f:
            self.assertEqual(f.read(), before)

    def restore(self):
        shutil.move(self.grid.master.state, self.grid.directory + "/damaged")
        restored = self.grid.gridctl("backup", "restore", self.backup, "--state", self.grid.master.state, token=None)
        self.assertEqual(restored.returncode, 0, restored.stderr)
        self.grid.start_master()
        for name in AGENTS:
            self.grid.wait_healthy(name, "1.0.0")
        checker.check(self.grid, self.ledger, "restored")

    def damage_page(self):
        """Noise at the beginning of every page but the first."""
        with open(self.path(), "r+b") as f:
            pages = os.path.getsize(self.path()) // PAGE_BYTES
            for page in range(1, pages):
                f.seek(page * PAGE_BYTES)
                f.write(os.urandom(64))

    def test_damaged_database_is_refused_and_a_backup_brings_the_grid_back(self):
        self.use()
        made = self.grid.gridctl("backup", "create", self.backup)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.move_on()
        self.grid.master.stop()
        self.damage_page()
        self.refuse()
        self.restore()
        self.grid.set_channel("1.1.0")
        for name in AGENTS:
            self.grid.wait_healthy(name, "1.1.0")

    def test_cut_log_gives_a_whole_earlier_state_and_agents_follow_it(self):
        """SQLite takes what is whole of a truncated write-ahead log. That it went back is seen by what agents know."""
        self.grid.master.stop()
        self.grid.start_master()
        self.use()
        for value in map(str, range(20)):
            for name in AGENTS:
                self.grid.api("PATCH", "/api/agents/" + name, {"labels": {"late": value}})
        wait_for("the agents to hear of it", lambda: all(self.obeyed(name) == self.grid.show(name)["generation"]
                                                         for name in AGENTS))
        for name in AGENTS:
            self.ledger.saw("generation", name, self.grid.show(name)["generation"])
        self.grid.master.kill()
        log = self.path("grid.db-wal")
        size = os.path.getsize(log)
        self.assertGreater(size, 2 * PAGE_BYTES)
        os.truncate(log, size // 2 + 100)
        self.grid.start_master()
        for name in AGENTS:
            self.grid.wait_healthy(name, "1.0.0")
        wait_for("the master to follow its agents", lambda: all(
            self.grid.show(name)["generation"] > self.ledger.mark("generation", name) for name in AGENTS))
        late = Ledger()
        for name in AGENTS:
            late.saw("generation", name, self.ledger.mark("generation", name))
        checker.check(self.grid, late, "cut log")
        self.assertIn("agent.generation_raised", self.grid.master.err())
        self.assertEqual(len(self.grid.events(kind="master.behind")), 1)
        self.assertIn("it was behind what agents knew", self.grid.gridctl("doctor").stdout)


if __name__ == "__main__":
    unittest.main()
