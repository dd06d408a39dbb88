"""What an agent runs comes out of its store, verified: damaged bytes, local files, downloads switched off."""
import os, shutil, signal, stat, unittest

from agent_helpers import update_in
from grid import Grid, alive, processes_of, sha256, storage_server, wait_for


class Store(unittest.TestCase):
    def test_damaged_version_is_not_run_but_fetched_again(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        agent = grid.agent("a-1")
        pid = grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"]
        stored = os.path.join(agent.state, "store", sha256(storage_server("1.0.0")))
        os.chmod(stored, 0o700)
        with open(stored, "r+b") as f:
            f.seek(5000)
            f.write(b"damage")
        os.kill(pid, signal.SIGKILL)
        def back():
            node = grid.nodes("a-1")[0]
            return node["state"] == "healthy" and node["pid"] != pid
        wait_for("the node to be back", back)
        self.assertIn("version.damaged", agent.err())
        self.assertEqual(sha256(stored), sha256(storage_server("1.0.0")))

    def test_local_file_is_used_instead_and_its_trust_told(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        mine = os.path.join(grid.directory, "my-server")
        shutil.copy(storage_server("2.0.0"), mine)
        agent = grid.agent("a-1", "--binary-path", mine)
        shown = grid.wait_healthy("a-1", "2.0.0")
        reason = wait_for("the reason", lambda: grid.show("a-1")["update"]["reason"])
        self.assertIn("not published", reason)
        self.assertIn("instead of the desired version 1.0.0", reason)
        self.assertEqual(grid.show("a-1")["binary_path"], mine)
        pid = shown["nodes"][0]["pid"]
        agent.stop()
        grid.agent("a-1")
        grid.wait_healthy("a-1", "1.0.0")
        self.assertFalse(alive(pid))

    def test_local_file_that_cannot_run_is_refused_and_named(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        mine = os.path.join(grid.directory, "my-server")
        with open(mine, "w") as f:
            f.write("hello")
        grid.agent("a-1", "--binary-path", mine)
        update = update_in(grid, "a-1", "failed")
        self.assertEqual(update["code"], "untrusted")
        self.assertIn("does not run on this machine", update["reason"])
        self.assertEqual(processes_of(grid.directory), [])

    def test_downloads_can_be_switched_off(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        grid.agent("a-1", "--no-auto-download-binary")
        wait_for("the reason", lambda: "auto_download_binary is off" in grid.show("a-1")["update"]["reason"])

    def test_store_cannot_be_written_to_and_is_private(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        agent = grid.agent("a-1")
        grid.wait_healthy("a-1", "1.0.0")
        self.assertEqual(stat.S_IMODE(os.stat(agent.state).st_mode), 0o700)
        stored = os.path.join(agent.state, "store", sha256(storage_server("1.0.0")))
        self.assertEqual(stat.S_IMODE(os.stat(stored).st_mode), 0o500)


if __name__ == "__main__":
    unittest.main()
