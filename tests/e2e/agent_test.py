"""Nodes outlive agents: what an agent finds, adopts, starts, leaves alone and stops on its machine."""
import fcntl, json, os, signal, subprocess, unittest

from agent_helpers import own_ports, wait_reason
from grid import Grid, Process, alive, processes_of, wait_for


def lock_of(agent, index=0):
    with open(os.path.join(agent.state, "nodes", str(index), "data", "lock")) as f:
        return json.loads(f.read())


class Survival(unittest.TestCase):
    def setUp(self):
        self.grid = Grid(self)
        self.grid.publish("1.0.0")

    def test_nodes_survive_the_agents_death_and_are_adopted_once(self):
        agent = self.grid.agent("a-1", "--nodes", "3")
        before = {n["id"]: (n["pid"], n["port"]) for n in self.grid.wait_healthy("a-1", "1.0.0", nodes=3)["nodes"]}
        for _ in range(3):
            agent.kill()
            for pid, _port in before.values():
                self.assertTrue(alive(pid))
            adopted = agent.err().count("node.adopted")
            agent = self.grid.agent("a-1", "--nodes", "3")
            wait_for("three adoptions", lambda: agent.err().count("node.adopted") == adopted + 3)
            shown = self.grid.wait_healthy("a-1", "1.0.0", nodes=3)
            self.assertEqual({n["id"]: (n["pid"], n["port"]) for n in shown["nodes"]}, before)
            self.assertEqual(processes_of(self.grid.directory), sorted(pid for pid, _port in before.values()))
        self.assertEqual([n["restarts"] for n in shown["nodes"]], [0, 0, 0])

    def test_adopted_node_that_dies_is_started_once_with_its_port(self):
        ports = own_ports()
        agent = self.grid.agent("a-1", *ports)
        node = self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]
        agent.kill()
        agent = self.grid.agent("a-1", *ports)
        wait_for("the adoption", lambda: "node.adopted" in agent.err())
        os.kill(node["pid"], signal.SIGKILL)
        def back():
            now = self.grid.nodes("a-1")[0]
            return now if now["state"] == "healthy" and now["pid"] != node["pid"] else None
        now = wait_for("the node to be back", back)
        self.assertEqual((now["port"], now["restarts"]), (node["port"], 1))
        self.assertEqual(now["last_exit"]["kind"], "unknown", "the status of an adopted node cannot be known")
        self.assertEqual(processes_of(self.grid.directory), [now["pid"]])

    def test_foreign_process_with_the_recorded_pid_is_never_touched(self):
        agent = self.grid.agent("a-1")
        node = self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]
        agent.kill()
        os.kill(node["pid"], signal.SIGKILL)
        wait_for("the node to end", lambda: not processes_of(self.grid.directory))
        stranger = subprocess.Popen(["sleep", "1000"])
        self.addCleanup(stranger.wait)
        self.addCleanup(stranger.kill)
        note = lock_of(agent)
        note["pid"] = stranger.pid
        with open(os.path.join(agent.state, "nodes/0/data/lock"), "w") as f:
            json.dump(note, f)
        self.grid.agent("a-1")
        def back():
            now = self.grid.nodes("a-1")[0]
            return now if now["state"] == "healthy" and now["pid"] != node["pid"] else None
        now = wait_for("a node of its own", back)
        self.assertNotEqual(now["pid"], stranger.pid)
        self.grid.agents["a-1"].stop()
        self.grid.agent("a-1", "--stop-nodes").stop()
        self.assertIsNone(stranger.poll(), "the stranger was signalled")

    def test_foreign_process_on_the_data_directory_is_named_and_waited_for(self):
        agent = self.grid.agent("a-1")
        node = self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]
        agent.kill()
        os.kill(node["pid"], signal.SIGKILL)
        wait_for("the node to end", lambda: not processes_of(self.grid.directory))
        with open(os.path.join(agent.state, "nodes/0/data/lock"), "r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.grid.agent("a-1")
            reason = wait_reason(self.grid, "a-1", "in use")
            self.assertTrue(reason.startswith("conflict: "), reason)
            self.assertEqual(processes_of(self.grid.directory), [], "a node was started on a directory in use")
        self.grid.wait_healthy("a-1", "1.0.0")

    def test_node_started_by_hand_on_the_directory_is_named_and_left_alone(self):
        agent = self.grid.agent("a-1")
        node = self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]
        agent.kill()
        os.kill(node["pid"], signal.SIGKILL)
        wait_for("the node to end", lambda: not processes_of(self.grid.directory))
        data = os.path.join(agent.state, "nodes/0/data")
        by_hand = Process("storage-server", ["--data", data, "--port", "0", "--id", "by-hand"], self.grid.directory + "/by-hand")
        self.grid.other.append(by_hand)
        wait_for("the node by hand", lambda: "listening" in by_hand.out())
        self.grid.agent("a-1")
        reason = wait_reason(self.grid, "a-1", "by-hand")
        self.assertIn("pid %d" % by_hand.pid, reason)
        self.assertEqual(processes_of(self.grid.directory), [by_hand.pid])
        by_hand.stop()
        self.grid.wait_healthy("a-1", "1.0.0")

    def hang_across_a_restart(self, *options):
        """A node that hangs from before the agent's restart."""
        agent = self.grid.agent("a-1")
        node = self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]
        os.kill(node["pid"], signal.SIGSTOP)
        agent.kill()
        self.grid.agent("a-1", *options)
        return node

    def test_hung_node_is_adopted_as_unhealthy_and_well_when_it_wakes(self):
        node = self.hang_across_a_restart("--restart-hung-after", "10m")
        wait_reason(self.grid, "a-1", "pid %d" % node["pid"])
        self.assertEqual(processes_of(self.grid.directory), [node["pid"]])
        shown = self.grid.nodes("a-1")[0]
        self.assertEqual((shown["state"], shown["pid"]), ("unhealthy", node["pid"]))
        os.kill(node["pid"], signal.SIGCONT)
        self.assertEqual(self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"], node["pid"])

    def test_hung_node_is_restarted_by_the_next_agent(self):
        node = self.hang_across_a_restart("--restart-hung-after", "2s")
        wait_for("another process", lambda: self.grid.nodes("a-1")[0]["pid"] not in (0, node["pid"]))
        now = self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]
        self.assertEqual((now["port"], now["restarts"]), (node["port"], 1))
        self.assertEqual(processes_of(self.grid.directory), [now["pid"]])


class Stopping(unittest.TestCase):
    def setUp(self):
        self.grid = Grid(self)
        self.grid.publish("1.0.0")

    def test_sigterm_leaves_nodes_running(self):
        agent = self.grid.agent("a-1", "--nodes", "2")
        pids = sorted(n["pid"] for n in self.grid.wait_healthy("a-1", "1.0.0", nodes=2)["nodes"])
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(processes_of(self.grid.directory), pids)

    def test_stop_nodes_stops_them_and_tells_the_master(self):
        agent = self.grid.agent("a-1", "--nodes", "2", "--stop-nodes")
        self.grid.wait_healthy("a-1", "1.0.0", nodes=2)
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(processes_of(self.grid.directory), [])
        states = [n["state"] for n in self.grid.nodes("a-1")]
        self.assertNotIn("healthy", states, "the master still believes in stopped nodes")

    def test_stop_nodes_stops_an_adopted_node_too(self):
        agent = self.grid.agent("a-1")
        self.grid.wait_healthy("a-1", "1.0.0")
        agent.kill()
        agent = self.grid.agent("a-1", "--stop-nodes")
        wait_for("the adoption", lambda: "node.adopted" in agent.err())
        self.assertEqual(agent.stop(signal.SIGINT), 0)
        self.assertEqual(processes_of(self.grid.directory), [])

    def test_fewer_nodes_stop_the_surplus_and_keep_its_data(self):
        agent = self.grid.agent("a-1", "--nodes", "2")
        nodes = self.grid.wait_healthy("a-1", "1.0.0", nodes=2)["nodes"]
        agent.stop()
        agent = self.grid.agent("a-1", "--nodes", "1")
        shown = self.grid.wait_healthy("a-1", "1.0.0", nodes=1)
        wait_for("the surplus to end", lambda: processes_of(self.grid.directory) == [nodes[0]["pid"]])
        self.assertEqual(shown["nodes"][0]["pid"], nodes[0]["pid"])
        self.assertTrue(os.path.isdir(os.path.join(agent.state, "nodes/1/data")))


if __name__ == "__main__":
    unittest.main()
