"""How an agent begins: who it is, what it may use, and what it says when it cannot."""
import os, signal, socket, subprocess, unittest

from agent_helpers import own_ports, wait_reason
from grid import Grid, Process, processes_of, wait_for


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

    def test_an_agent_may_enroll_only_and_run_later(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        agent = grid.agent("a-1", "--enroll-within", "30s")
        self.assertEqual(agent.wait(), 0, agent.err())
        self.assertEqual(grid.show("a-1")["id"], "a-1")
        self.assertEqual(grid.nodes("a-1"), [])
        again = grid.agent("a-1", "--enroll-within", "30s", join="")
        self.assertEqual(again.wait(), 0, again.err())
        grid.agent("a-1", join="")
        grid.wait_healthy("a-1", "1.0.0")

    def test_enrolling_only_gives_up_in_words_when_no_master_answers(self):
        grid = Grid(self)
        join = grid.join()
        grid.master.stop()
        agent = grid.agent("a-1", "--enroll-within", "1ms", join=join)
        self.assertEqual(agent.wait(), 6, agent.err())
        self.assertIn("127.0.0.1", agent.err())
        self.assertFalse(os.path.exists(os.path.join(agent.state, "identity", "id")))

    def test_secret_is_in_no_log_and_in_no_node(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        join = grid.join()
        agent = grid.agent("a-1", join=join)
        node = grid.wait_healthy("a-1", "1.0.0")["nodes"][0]
        secret = join.split("&t=")[1].split("&")[0].split(".")[-1]
        with open("/proc/%d/environ" % node["pid"], "rb") as f:
            self.assertNotIn(b"GRID_TOKEN", f.read())
        found = subprocess.run(["grep", "-r", "-l", "--", secret, grid.directory], capture_output=True, text=True).stdout
        self.assertEqual(found, "")
        self.assertNotIn(secret, agent.err())

    def test_taken_port_is_named_and_another_one_used(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        ports = own_ports()
        agent = grid.agent("a-1", *ports)
        node = grid.wait_healthy("a-1", "1.0.0")["nodes"][0]
        agent.kill()
        os.kill(node["pid"], signal.SIGKILL)
        wait_for("the node to end", lambda: not processes_of(grid.directory))
        with wait_for("the port", lambda: socket.create_server(("127.0.0.1", node["port"]))):
            grid.agent("a-1", *ports)
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
