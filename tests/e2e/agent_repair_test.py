"""What an agent mends by itself, and what it leaves alone."""
import os, signal, unittest

from agent_helpers import wait_reason
from grid import Grid, alive, here, processes_of, storage_server, wait_for


class HungNode(unittest.TestCase):
    def test_hung_node_is_restarted_as_a_failure_with_its_reason(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        agent = grid.agent("a-1", "--restart-hung-after", "2s")
        node = grid.wait_healthy("a-1", "1.0.0")["nodes"][0]
        os.kill(node["pid"], signal.SIGSTOP)
        wait_reason(grid, "a-1", "timeout: it answered nothing for")
        said = grid.show("a-1")["reason"]
        def back():
            now = grid.nodes("a-1")[0]
            return now if now["state"] == "healthy" and now["pid"] != node["pid"] else None
        now = wait_for("the node to be back", back)
        self.assertIn("node a-1/0 is", said)
        self.assertIn("answered nothing", said)
        self.assertEqual((now["port"], now["restarts"]), (node["port"], 1))
        self.assertEqual(processes_of(grid.directory), [now["pid"]])
        self.assertIn("node.hung", agent.err())
        self.assertEqual(grid.show("a-1")["reason"], "")


class SameBytes(unittest.TestCase):
    def test_second_number_of_the_same_bytes_is_shown_without_a_restart(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        grid.agent("a-1")
        pid = grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"]
        grid.drop(storage_server("1.0.0"), "storage-server-1.0.1-" + here())
        wait_for("1.0.1", lambda: [b for b in grid.api("GET", "/api/binaries") if b["version"] == "1.0.1"])
        grid.set_channel("1.0.1")
        shown = grid.wait_healthy("a-1", "1.0.1")
        self.assertEqual((shown["version"], shown["nodes"][0]["pid"]), ("1.0.1", pid))
        grid.agents["a-1"].kill()
        grid.agent("a-1")
        wait_for("the adoption", lambda: "node.adopted" in grid.agents["a-1"].err())
        shown = grid.wait_healthy("a-1", "1.0.1")
        self.assertEqual((shown["version"], shown["nodes"][0]["pid"]), ("1.0.1", pid))
        self.assertTrue(alive(pid))


if __name__ == "__main__":
    unittest.main()
