"""Nodes outlive agents: what an agent finds, adopts, starts, leaves alone and stops on its machine."""
import fcntl, json, os, random, signal, socket, subprocess, unittest

from grid import Grid, Process, alive, processes_of, wait_for


def lock_of(agent, index=0):
    with open(os.path.join(agent.state, "nodes", str(index), "data", "lock")) as f:
        return json.loads(f.read())


def wait_reason(grid, agent_id, words, index=0):
    """The node's reasons once one of them holds these words."""
    return wait_for("a reason with %r" % words, lambda: next(
        (r for r in grid.nodes(agent_id)[index]["reasons"] if words in r), None))


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
            agent = self.grid.agent("a-1", "--nodes", "3")
            wait_for("three adoptions", lambda: agent.err().count("node.adopted") % 3 == 0 and "node.adopted" in agent.err())
            shown = self.grid.wait_healthy("a-1", "1.0.0", nodes=3)
            self.assertEqual({n["id"]: (n["pid"], n["port"]) for n in shown["nodes"]}, before)
            self.assertEqual(processes_of(self.grid.directory), sorted(pid for pid, _port in before.values()))
        self.assertEqual([n["restarts"] for n in shown["nodes"]], [0, 0, 0])

    def test_adopted_node_that_dies_is_started_once_with_its_port(self):
        agent = self.grid.agent("a-1")
        node = self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]
        agent.kill()
        agent = self.grid.agent("a-1")
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

    def test_hung_node_is_not_doubled_and_adopted_when_it_wakes(self):
        agent = self.grid.agent("a-1")
        node = self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]
        os.kill(node["pid"], signal.SIGSTOP)
        agent.kill()
        self.grid.agent("a-1")
        wait_reason(self.grid, "a-1", "pid %d" % node["pid"])
        self.assertEqual(processes_of(self.grid.directory), [node["pid"]])
        os.kill(node["pid"], signal.SIGCONT)
        self.assertEqual(self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"], node["pid"])


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


class Beginning(unittest.TestCase):
    def test_second_agent_on_one_state_directory_is_refused_naming_the_holder(self):
        grid = Grid(self)
        first = grid.agent("a-1")
        wait_for("the agent", lambda: grid.show("a-1")["status"] == "up")
        second = grid.agent("a-1")
        grid.agents["a-1"] = first
        self.assertNotEqual(second.wait(), 0)
        self.assertIn("pid %d" % first.pid, second.err())
        self.assertIn("--state", second.err())

    def test_state_directory_of_another_agent_is_refused(self):
        grid = Grid(self)
        first = grid.agent("a-1")
        wait_for("the agent", lambda: grid.show("a-1")["status"] == "up")
        first.stop()
        second = grid.agent("a-2", state=first.state)
        self.assertNotEqual(second.wait(), 0)
        self.assertIn("a-1", second.err())

    def test_without_a_join_string_the_next_step_is_named(self):
        grid = Grid(self, start=False)
        agent = grid.agent("a-1", join="", master="127.0.0.1:1")
        self.assertNotEqual(agent.wait(), 0)
        self.assertIn("gridctl agent join-command", agent.err())

    def test_agent_that_is_not_enrolled_waits_for_its_master(self):
        grid = Grid(self)
        join = grid.join()
        grid.master.stop()
        agent = grid.agent("a-1", join=join)
        wait_for("the first attempt", lambda: "enroll.waiting" in agent.err())
        grid.start_master()
        wait_for("the agent", lambda: grid.show("a-1")["status"] == "up")

    def test_secret_is_in_no_log_and_in_no_node(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        join = grid.join()
        agent = grid.agent("a-1", join=join)
        node = grid.wait_healthy("a-1", "1.0.0")["nodes"][0]
        secret = join.split("t=")[1].split("&")[0].split(".")[-1]
        with open("/proc/%d/environ" % node["pid"], "rb") as f:
            self.assertNotIn(b"GRID_TOKEN", f.read())
        found = subprocess.run(["grep", "-r", "-l", "--", secret, grid.directory], capture_output=True, text=True).stdout
        self.assertEqual(found, "")
        self.assertNotIn(secret, agent.err())

    def test_taken_port_is_named_and_another_one_used(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        first = random.randrange(20000, 30000)
        ports = "%d-%d" % (first, first + 20)  # other grids on this machine leave these alone
        agent = grid.agent("a-1", "--node-ports", ports)
        node = grid.wait_healthy("a-1", "1.0.0")["nodes"][0]
        agent.kill()
        os.kill(node["pid"], signal.SIGKILL)
        wait_for("the node to end", lambda: not processes_of(grid.directory))
        with socket.create_server(("127.0.0.1", node["port"])):
            grid.agent("a-1", "--node-ports", ports)
            reason = wait_reason(grid, "a-1", "port %d is taken by pid %d" % (node["port"], os.getpid()))
            self.assertNotEqual(grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["port"], node["port"], reason)

    def test_configuration_file_with_a_mistake_is_refused_with_its_line(self):
        grid = Grid(self, start=False)
        path = os.path.join(grid.directory, "agent.ini")
        with open(path, "w") as f:
            f.write('[agent]\nagent_id = "a-1"\nlabel = rack=b\n')
        agent = Process("grid-agent", ["--config", path], grid.directory + "/run")
        self.assertEqual(agent.wait(), 2)
        self.assertIn("agent.ini", agent.err())
        self.assertIn("3", agent.err())
        self.assertIn("labels", agent.err(), "no key is suggested")


if __name__ == "__main__":
    unittest.main()
