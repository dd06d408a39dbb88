"""How one agent moves between versions: forward one node at a time, back when a version does not work, and what it says meanwhile."""
import os, signal, unittest

from agent_helpers import own_ports, update_in
from grid import Grid, here, processes_of, sha256, storage_server, wait_for


def drop_script(grid, version, body):
    """Publishes a shell script as this version: the machine runs it, but it is no storage-server."""
    path = os.path.join(grid.directory, "script-" + version)
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + body)
    grid.drop(path, "storage-server-%s-%s" % (version, here()))
    wait_for("binary %s" % version, lambda: [b for b in grid.api("GET", "/api/binaries") if b["version"] == version])


class Switching(unittest.TestCase):
    def setUp(self):
        self.grid = Grid(self)
        self.grid.publish("1.0.0")

    def test_nodes_move_one_after_another_and_current_moves_last(self):
        agent = self.grid.agent("a-1", "--nodes", "3", *own_ports())
        before = self.grid.wait_healthy("a-1", "1.0.0", nodes=3)["nodes"]
        self.grid.publish("1.1.0")
        self.grid.set_channel("1.1.0")
        after = self.grid.wait_healthy("a-1", "1.1.0", nodes=3)["nodes"]
        self.assertEqual([n["port"] for n in after], [n["port"] for n in before])
        self.assertFalse(set(n["pid"] for n in before) & set(n["pid"] for n in after))
        events = [l.split(" INFO grid-agent ")[1].split()[0] for l in agent.err().splitlines()
                  if " node.stopping " in l or " node.healthy " in l]
        self.assertEqual(events, ["node.healthy"] * 3 + ["node.stopping", "node.healthy"] * 3)
        update_in(self.grid, "a-1", "idle")
        links = [os.readlink(os.path.join(agent.state, name)) for name in ("current", "previous")]
        self.assertEqual(links, ["store/" + sha256(storage_server(v)) for v in ("1.1.0", "1.0.0")])
        self.grid.publish("2.0.0")
        self.grid.set_channel("2.0.0")
        self.grid.wait_healthy("a-1", "2.0.0", nodes=3)
        gone = os.path.join(agent.state, "store", sha256(storage_server("1.0.0")))
        wait_for("the version before the previous to go", lambda: not os.path.exists(gone))

    def test_version_that_exits_is_rolled_back_reported_and_not_tried_again(self):
        agent = self.grid.agent("a-1", "--nodes", "2")
        before = self.grid.wait_healthy("a-1", "1.0.0", nodes=2)["nodes"]
        drop_script(self.grid, "1.1.0", "echo the index is of another time >&2\nexit 9\n")
        self.grid.set_channel("1.1.0")
        update = update_in(self.grid, "a-1", "failed")
        self.assertEqual((update["from"], update["to"]), ("1.0.0", "1.1.0"))
        self.assertIn("exit 9", update["reason"])
        self.assertIn("the index is of another time", update["reason"])
        after = self.grid.wait_healthy("a-1", "1.0.0", nodes=2)["nodes"]
        self.assertEqual(after[1]["pid"], before[1]["pid"], "a node was bounced for a version that never worked")
        starts = agent.err().count("version=1.1.0 sealed")
        agent.kill()
        agent = self.grid.agent("a-1", "--nodes", "2")
        update_in(self.grid, "a-1", "failed")
        self.grid.wait_healthy("a-1", "1.0.0", nodes=2)
        self.assertEqual(agent.err().count("version=1.1.0 sealed"), starts, "a failed version was tried again")
        self.grid.publish("2.0.0")
        self.grid.set_channel("2.0.0")
        self.grid.wait_healthy("a-1", "2.0.0", nodes=2)

    def test_version_that_was_taken_back_half_way_leaves_the_store(self):
        agent = self.grid.agent("a-1", "--nodes", "3")
        self.grid.wait_healthy("a-1", "1.0.0", nodes=3)
        with open(os.path.join(agent.state, "nodes/0/data/test-faults"), "w") as f:
            f.write("1.2.0 * unhealthy")  # so that it stays half way
        self.grid.publish("1.2.0")
        self.grid.set_channel("1.2.0")
        wait_for("the first node to move", lambda: "version=1.2.0 sealed" in agent.err())
        self.grid.set_channel("1.0.0")
        self.grid.wait_healthy("a-1", "1.0.0", nodes=3)
        kept = {sha256(storage_server("1.0.0")) + end for end in ("", ".json")}
        wait_for("the end of 1.2.0", lambda: set(os.listdir(os.path.join(agent.state, "store"))) == kept)

    def test_first_version_that_fails_says_so_and_the_next_one_heals(self):
        grid = Grid(self)
        drop_script(grid, "0.9.0", "exit 3\n")
        grid.agent("a-1")
        update = update_in(grid, "a-1", "failed")
        self.assertIn("exit 3", update["reason"])
        grid.publish("1.0.0")
        grid.set_channel("1.0.0")
        grid.wait_healthy("a-1", "1.0.0")

    def test_killed_agent_finishes_the_switch_it_had_begun(self):
        agent = self.grid.agent("a-1", "--nodes", "3")
        self.grid.wait_healthy("a-1", "1.0.0", nodes=3)
        self.grid.publish("1.1.0")
        self.grid.set_channel("1.1.0")
        wait_for("the first node to move", lambda: "version=1.1.0 sealed" in agent.err())
        agent.kill()
        self.grid.agent("a-1", "--nodes", "3")
        self.grid.wait_healthy("a-1", "1.1.0", nodes=3)
        self.assertEqual(len(processes_of(self.grid.directory)), 3)

    def test_draining_agent_takes_no_new_version_and_restarts_what_dies(self):
        self.grid.agent("a-1")
        self.grid.wait_healthy("a-1", "1.0.0")
        self.grid.api("POST", "/api/agents/a-1/drain")
        wait_for("the drain", lambda: self.grid.nodes("a-1")[0]["state"] == "draining")
        self.grid.publish("1.1.0")
        self.grid.set_channel("1.1.0")
        def waits():
            update = self.grid.show("a-1")["update"]
            return update["state"] == "waiting" and "gridctl agent resume a-1" in update["reason"]
        wait_for("the next version to wait", waits)
        pid = self.grid.nodes("a-1")[0]["pid"]
        os.kill(pid, signal.SIGKILL)
        node = wait_for("the node", lambda: next((n for n in self.grid.nodes("a-1")
                                                  if n["state"] == "draining" and n["pid"] != pid), None))
        self.assertEqual(node["version"], "1.0.0")
        self.grid.api("POST", "/api/agents/a-1/resume")
        self.grid.wait_healthy("a-1", "1.1.0")

    def test_ordered_restart_is_carried_out_once(self):
        self.grid.agent("a-1", "--nodes", "2")
        before = self.grid.wait_healthy("a-1", "1.0.0", nodes=2)["nodes"]
        self.grid.api("POST", "/api/nodes/a-1~0/restart")
        wait_for("the restart", lambda: self.grid.nodes("a-1")[0]["pid"] not in (0, before[0]["pid"]))
        after = self.grid.wait_healthy("a-1", "1.0.0", nodes=2)["nodes"]
        self.assertEqual(after[1]["pid"], before[1]["pid"])
        self.grid.agents["a-1"].kill()
        self.grid.agent("a-1", "--nodes", "2")
        again = self.grid.wait_healthy("a-1", "1.0.0", nodes=2)["nodes"]
        self.assertEqual([n["pid"] for n in again], [n["pid"] for n in after])

    def test_logs_of_node_and_agent_are_fetched_live(self):
        self.grid.agent("a-1")
        pid = self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"]
        node_log = self.grid.request("GET", "/api/nodes/a-1~0/logs?lines=50").body.decode()
        self.assertIn("node.listening", node_log)
        agent_log = self.grid.request("GET", "/api/agents/a-1/logs?lines=50").body.decode()
        self.assertIn("node.started node=a-1/0 pid=%d" % pid, agent_log)


if __name__ == "__main__":
    unittest.main()
