"""What an agent mends by itself, and what it leaves alone."""
import os, shutil, signal, unittest

from grid import Grid, Process, alive, here, processes_of, storage_server, wait_for


class HungNode(unittest.TestCase):
    def test_hung_node_is_restarted_as_a_failure_with_its_reason(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        agent = grid.agent("a-1", "--restart-hung-after", "2s")
        node = grid.wait_healthy("a-1", "1.0.0")["nodes"][0]
        os.kill(node["pid"], signal.SIGSTOP)
        def told():  # in one look: the next process makes an end of it
            shown = grid.show("a-1")
            reasons = shown["nodes"][0]["reasons"]
            return shown["reason"] if any("timeout: it answered nothing for" in r for r in reasons) else None
        said = wait_for("the reason", told)
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


class Removed(unittest.TestCase):
    def test_removed_agent_joins_again_with_a_new_join_string_only(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        old = grid.join(uses=2)
        agent = grid.agent("a-1", join=old)
        pid = grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"]
        answer = grid.request("DELETE", "/api/agents/a-1?force=true")
        self.assertEqual(answer.status, 204, answer.body)
        wait_for("the refusal", lambda: "link.down" in agent.err() and "new join string" in agent.err())
        agent.stop()
        said = len(agent.err())
        agent = grid.agent("a-1", join=old)
        wait_for("another refusal", lambda: "link.down" in agent.err()[said:])
        self.assertEqual(grid.request("GET", "/api/agents/a-1").status, 404, "it came back uninvited")
        agent.stop()
        agent = grid.agent("a-1", join=grid.join())
        self.assertEqual(grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"], pid)
        kept = [n for n in os.listdir(agent.state) if n.startswith("identity")]
        self.assertEqual(len(kept), 2, kept)
        with open(os.path.join(agent.state, "identity/agent.key"), "rb") as f:
            key = f.read()
        with open(os.path.join(agent.state, max(kept), "agent.key"), "rb") as f:
            self.assertNotEqual(key, f.read())

    def test_refused_invitation_leaves_the_agent_as_it_was(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        agent = grid.agent("a-1")
        pid = grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"]
        revoked = grid.join()
        for token in grid.api("GET", "/api/tokens"):
            if token["kind"] == "join":
                grid.api("DELETE", "/api/tokens/" + token["id"])
        agent.stop()
        self.assertEqual(grid.request("DELETE", "/api/agents/a-1?force=true").status, 204)
        agent = grid.agent("a-1", join=revoked)
        wait_for("the refusal", lambda: "enroll.not_again" in agent.err())
        wait_for("the adoption", lambda: agent.err().count("node.adopted") >= 1)
        self.assertEqual([n for n in os.listdir(agent.state) if n.startswith("identity")], ["identity"])
        self.assertTrue(os.path.exists(os.path.join(agent.state, "identity/id")))
        self.assertTrue(agent.running() and alive(pid))


    def settle(self, agent, join):
        """grid-agent --enroll-within as install.sh calls it: exit code and words."""
        once = Process("grid-agent", ["--state", agent.state, "--enroll-within", "20s"],
                       os.path.join(agent.grid.directory, "once"), {"GRID_TOKEN": join})
        return once.wait(), once.err()

    def test_enrolling_asks_the_master_whether_it_still_knows_the_machine(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        agent = grid.agent("a-1")
        node = grid.wait_healthy("a-1", "1.0.0")["nodes"][0]
        spare, address = grid.join(), os.path.join(agent.state, "identity/token")
        with open(address) as f:
            before = f.read()
        self.assertEqual(self.settle(agent, spare)[0], 0)
        with open(address) as f:
            self.assertEqual(f.read(), before, "the join string was used")
        self.assertEqual(agent.err().count("link.up"), 1, "the running agent was disturbed")

        self.assertEqual(grid.request("DELETE", "/api/agents/a-1?force=true").status, 204)
        code, words = self.settle(agent, spare)
        self.assertEqual(code, 5, words)
        self.assertIn("pid %d" % agent.pid, words)
        agent.stop()
        code, words = self.settle(agent, "")
        self.assertEqual(code, 3, words)
        self.assertIn("join-command", words)
        code, words = self.settle(agent, spare)
        self.assertEqual(code, 0, words)
        self.assertEqual(self.settle(agent, spare)[0], 0)
        self.assertEqual(len([n for n in os.listdir(agent.state) if n.startswith("identity.removed")]), 1)
        grid.agent("a-1")
        self.assertEqual(grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"], node["pid"])

    def test_member_keeps_its_identity_while_the_master_is_away(self):
        grid = Grid(self)
        agent = grid.agent("a-1")
        wait_for("the enrollment", lambda: "link.up" in agent.err())
        spare = grid.join()
        agent.stop()
        grid.master.stop()
        self.assertEqual(self.settle(agent, spare)[0], 0)
        self.assertEqual([n for n in os.listdir(agent.state) if n.startswith("identity")], ["identity"])


class Signals(unittest.TestCase):
    def test_signals_that_mean_nothing_change_nothing(self):
        grid = Grid(self)
        agent = grid.agent("a-1", join=grid.join(uses=2))
        wait_for("the enrollment", lambda: "link.up" in agent.err())
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            agent.popen.send_signal(number)
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(agent.err().count("agent.stopping"), 1)
        self.assertIn("agent.stopping signal=15", agent.err())


class DeletedState(unittest.TestCase):
    def test_deleted_state_directory_is_made_anew_by_the_running_agent(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        agent = grid.agent("a-1")
        pid = grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"]
        gone = agent.state + "-gone"  # at one blow: its node writes there meanwhile, and the agent makes it anew
        os.rename(agent.state, gone)
        wait_for("its end", lambda: shutil.rmtree(gone, ignore_errors=True) or not os.path.exists(gone))
        wait_for("the identity", lambda: os.path.exists(os.path.join(agent.state, "identity/id")))
        wait_for("a fresh node", lambda: grid.nodes("a-1")[0]["pid"] not in (0, pid) and grid.wait_healthy("a-1", "1.0.0"))
        self.assertTrue(agent.running())
        self.assertIn("state.restored", agent.err())
        pid = grid.nodes("a-1")[0]["pid"]
        self.assertEqual(processes_of(grid.directory), [pid])
        agent.kill()
        agent = grid.agent("a-1")
        wait_for("the adoption", lambda: "node.adopted" in agent.err())
        self.assertEqual(grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"], pid)

    def test_deleted_data_directory_is_made_anew_by_a_restart(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        agent = grid.agent("a-1")
        pid = grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"]
        data = os.path.join(agent.state, "nodes/0/data")  # its node writes there meanwhile
        wait_for("its end", lambda: shutil.rmtree(data, ignore_errors=True) or not os.path.exists(data))
        wait_for("a fresh node", lambda: grid.nodes("a-1")[0]["pid"] not in (0, pid) and grid.wait_healthy("a-1", "1.0.0"))
        self.assertEqual(processes_of(grid.directory), [grid.nodes("a-1")[0]["pid"]])


if __name__ == "__main__":
    unittest.main()
