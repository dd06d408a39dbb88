"""One machine whose disk has no room for the new version: it is left out with the reason, the others move."""
import os, unittest

import machine
from fleet import NEW, OLD, Fleet, machines
from grid import storage_server, wait_for

setUpModule = machine.private_mounts


class FullDisk(unittest.TestCase):
    def setUp(self):
        self.directory = machine.directory(self)
        size = int(os.path.getsize(storage_server(OLD)) * 8)
        self.disk = machine.Tmpfs(self, os.path.join(self.directory, "a-2"), str(size))
        self.fleet = Fleet(self, machines(4), directory=self.directory)
        self.fleet.publish(NEW)

    def test_machine_without_room_blocks_nobody_and_follows_later(self):
        filler, before = self.disk.fill(), self.fleet.pids()["a-2"]
        rollout = self.fleet.roll_out(NEW)
        rollout.wait("completed")
        self.fleet.wait_all(NEW, ["a-1", "a-3", "a-4"])
        member = rollout.members()["a-2"]
        self.assertEqual((member["state"], member["cause"]), ("deferred", "machine"))
        self.assertIn("0 are free", member["reason"])
        self.assertEqual(self.fleet.pids()["a-2"], before)
        self.assertEqual(self.fleet.api("GET", "/api/quarantine"), [])
        os.unlink(filler)
        self.fleet.wait_all(NEW)
        wait_for("its row", lambda: rollout.states()["a-2"] == "committed")


if __name__ == "__main__":
    unittest.main()
