"""The main job: bare machines come to run verified storage-servers, untouched, and stay that way."""
import os, signal, sqlite3, unittest, urllib.request

from grid import Grid, alive, here, processes_of, sha256, storage_server, wait_for


class FirstMachine(unittest.TestCase):
    def test_agent_without_binary_becomes_a_healthy_node(self):
        grid = Grid(self)
        binary = grid.publish("1.0.0")
        self.assertEqual(binary["checksum"], sha256(storage_server("1.0.0")))
        agent = grid.agent("agent-1")
        shown = grid.wait_healthy("agent-1", "1.0.0")
        self.assertEqual(shown["version"], "1.0.0")
        node = shown["nodes"][0]
        self.assertEqual(node["sha256"], binary["checksum"])
        with urllib.request.urlopen("http://127.0.0.1:%d/healthz" % node["port"]) as answer:
            self.assertIn(b'"status":"ok"', answer.read().replace(b" ", b""))
        stored = os.path.join(agent.state, "store", binary["checksum"])
        self.assertEqual(sha256(stored), binary["checksum"])
        self.assertFalse(os.stat(stored).st_mode & 0o222, "the stored binary can be written to")
        for kind in ("binary.published", "agent.enrolled", "agent.up", "node.healthy"):
            wait_for("event " + kind, lambda: grid.events(kind=kind))

    def test_agent_that_comes_first_waits_and_says_what_to_do(self):
        grid = Grid(self)
        grid.agent("early")
        said = wait_for("a reason", lambda: grid.show("early")["status"] == "up" and grid.show("early")["reason"])
        self.assertIn("gridctl binary push", said)
        grid.publish("1.0.0")
        grid.wait_healthy("early", "1.0.0")

    def test_several_nodes_of_one_agent_have_ports_and_data_of_their_own(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        grid.agent("wide", "--nodes", "3")
        nodes = grid.wait_healthy("wide", "1.0.0", nodes=3)["nodes"]
        self.assertEqual(len({n["port"] for n in nodes}), 3)
        self.assertEqual(len({n["pid"] for n in nodes}), 3)


class Channels(unittest.TestCase):
    def test_change_of_a_channel_reaches_its_three_agents_and_no_other(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        names = ["a-1", "a-2", "a-3", "other"]
        for name in names:
            grid.agent(name)
        for name in names:
            grid.wait_healthy(name, "1.0.0")
        grid.publish("1.1.0")
        grid.set_channel("1.0.0", "slow")
        grid.api("PATCH", "/api/agents/other", {"channel": "slow"})
        self.assertEqual(grid.show("a-1")["desired_version"], "1.0.0", "a drop moved a machine")
        grid.set_channel("1.1.0")
        for name in names[:3]:
            grid.wait_healthy(name, "1.1.0")
        self.assertEqual(grid.wait_healthy("other")["version"], "1.0.0")
        self.assertEqual(len(processes_of(grid.directory)), 4, "a node was doubled or lost")

    def test_agent_gets_the_build_of_its_own_platform(self):
        grid = Grid(self)
        other = "aarch64" if os.uname().machine == "x86_64" else "x86_64"
        foreign = os.path.join(grid.directory, "foreign")
        with open(storage_server("1.0.0"), "rb") as f:
            content = bytearray(f.read())
        content[18:20] = (183 if other == "aarch64" else 62).to_bytes(2, "little")  # e_machine
        with open(foreign, "wb") as f:
            f.write(content)
        grid.drop(foreign, "storage-server-1.0.0-linux-" + other)
        mine = grid.publish("1.0.0", here())
        wait_for("both builds", lambda: len(grid.api("GET", "/api/binaries")) == 2)
        grid.agent("a-1")
        node = grid.wait_healthy("a-1", "1.0.0")["nodes"][0]
        self.assertEqual(node["sha256"], next(
            b["checksum"] for b in grid.api("GET", "/api/binaries") if b["arch"] == os.uname().machine))
        self.assertEqual(mine["version"], "1.0.0")

    def test_channel_without_a_build_for_the_platform_keeps_the_old_version_running(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        grid.agent("a-1")
        pid = grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"]
        script = os.path.join(grid.directory, "script")
        with open(script, "w") as f:
            f.write("#!/bin/sh\n")
        grid.drop(script, "storage-server-3.0.0-darwin-aarch64")
        wait_for("3.0.0", lambda: [b for b in grid.api("GET", "/api/binaries") if b["version"] == "3.0.0"])
        grid.set_channel("3.0.0")
        reason = wait_for("the reason", lambda: "no build" in grid.show("a-1")["desired_reason"]
                          and grid.show("a-1")["desired_reason"])
        self.assertIn("publish storage-server-3.0.0-" + here(), reason)
        self.assertEqual(grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"], pid)


class HostileMaster(unittest.TestCase):
    """The master's disk or database was tampered with: agents must refuse, say why, and keep what they run."""

    def setUp(self):
        self.grid = Grid(self)
        self.grid.publish("1.0.0")
        self.agent = self.grid.agent("a-1")
        self.pid = self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"]
        self.grid.publish("1.1.0")
        self.digest = sha256(storage_server("1.1.0"))
        self.object = os.path.join(self.grid.master.state, "objects", self.digest)

    def tamper(self, statement, *arguments):
        self.grid.master.stop()
        with sqlite3.connect(os.path.join(self.grid.master.state, "grid.db")) as db:
            self.assertEqual(db.execute(statement, arguments).rowcount, 1)
        db.close()
        self.grid.start_master()

    def refused(self, code, words):
        """The agent reports this refusal, runs the old version in the same process, and stored nothing."""
        self.grid.set_channel("1.1.0")
        def failed():
            update = self.grid.show("a-1")["update"]
            return update if update["state"] == "failed" else None
        update = wait_for("the refusal", failed)
        self.assertEqual(update["code"], code, update)
        self.assertIn(words, update["reason"])
        shown = self.grid.wait_healthy("a-1", "1.0.0")
        self.assertEqual(shown["nodes"][0]["pid"], self.pid)
        self.assertFalse(os.path.exists(os.path.join(self.agent.state, "store", self.digest)))
        wait_for("the event", lambda: self.grid.events(kind="agent.update_failed", subject="a-1"))
        self.assertEqual(self.grid.api("GET", "/api/summary")["failed_updates"], 1)

    def test_altered_byte_is_refused(self):
        os.chmod(self.object, 0o600)
        with open(self.object, "r+b") as f:
            f.seek(4096)
            byte = f.read(1)
            f.seek(4096)
            f.write(bytes([byte[0] ^ 1]))
        self.refused("untrusted", "SHA-256")

    def test_short_file_is_refused(self):
        os.chmod(self.object, 0o600)
        os.truncate(self.object, os.path.getsize(self.object) - 1)
        self.grid.set_channel("1.1.0")
        wait_for("a failed or retried download", lambda: self.grid.show("a-1")["update"]["reason"])
        self.assertEqual(self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"], self.pid)
        self.assertFalse(os.path.exists(os.path.join(self.agent.state, "store", self.digest)))

    def test_release_signature_is_nothing_that_agents_go_by(self):
        """It is for agents of before there were metadata."""
        self.tamper("UPDATE artifact SET release_signature="
                    "(SELECT release_signature FROM artifact WHERE version='1.0.0') WHERE version='1.1.0'")
        self.grid.set_channel("1.1.0")
        self.grid.wait_healthy("a-1", "1.1.0")

    def test_build_of_another_machine_is_refused(self):
        """The master signs a build for the wrong machine: its database was told that it is for this one."""
        with open(storage_server("2.0.0"), "rb") as f:
            content = bytearray(f.read())
        content[18:20] = (183 if os.uname().machine == "x86_64" else 62).to_bytes(2, "little")
        foreign = os.path.join(self.grid.directory, "foreign")
        with open(foreign, "wb") as f:
            f.write(content)
        name = "storage-server-2.0.0-linux-any"
        self.grid.drop(foreign, name)
        wait_for("the build", lambda: [b for b in self.grid.api("GET", "/api/binaries") if b["version"] == "2.0.0"])
        self.grid.set_channel("2.0.0")
        def failed():
            update = self.grid.show("a-1")["update"]
            return update if update["state"] == "failed" else None
        update = wait_for("the refusal", failed)
        self.assertIn("machine", update["reason"])
        self.assertEqual(self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"], self.pid)


class Survival(unittest.TestCase):
    def setUp(self):
        self.grid = Grid(self)
        self.grid.publish("1.0.0")
        self.agent = self.grid.agent("a-1")
        self.node = self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]

    def put(self, name, content):
        request = urllib.request.Request("http://127.0.0.1:%d/v1/chunks/%s" % (self.node["port"], name), content, method="PUT")
        with urllib.request.urlopen(request) as answer:
            self.assertEqual(answer.status, 201)

    def get(self, name):
        port = self.grid.nodes("a-1")[0]["port"]
        with urllib.request.urlopen("http://127.0.0.1:%d/v1/chunks/%s" % (port, name)) as answer:
            return answer.read()

    def test_killed_node_is_back_once_with_its_data(self):
        self.put("kept", b"x" * 100000)
        os.kill(self.node["pid"], signal.SIGKILL)
        def back():
            node = self.grid.nodes("a-1")[0]
            return node if node["state"] == "healthy" and node["pid"] != self.node["pid"] else None
        node = wait_for("the node to be back", back)
        self.assertEqual(processes_of(self.grid.directory), [node["pid"]])
        self.assertEqual(node["port"], self.node["port"])
        self.assertEqual(node["restarts"], 1)
        self.assertEqual(self.get("kept"), b"x" * 100000)

    def test_killed_agent_leaves_its_node_and_finds_it_again(self):
        self.agent.kill()
        self.assertTrue(alive(self.node["pid"]))
        self.put("meanwhile", b"y")
        self.grid.agent("a-1")
        shown = wait_for("the agent to be back", lambda: self.grid.agents["a-1"].running() and
                         self.grid.wait_healthy("a-1", "1.0.0"))
        self.assertEqual(shown["nodes"][0]["pid"], self.node["pid"])
        self.assertEqual(processes_of(self.grid.directory), [self.node["pid"]])
        self.assertEqual(self.get("meanwhile"), b"y")

    def test_killed_master_comes_back_with_everything_acknowledged(self):
        self.grid.publish("1.1.0")
        self.grid.set_channel("1.0.0", "beta")
        self.grid.api("PATCH", "/api/agents/a-1", {"labels": {"zone": "z"}})
        before = self.grid.api("GET", "/api/binaries"), self.grid.api("GET", "/api/channels"), self.grid.events()
        self.grid.master.kill()
        self.assertTrue(alive(self.node["pid"]))
        self.grid.start_master()
        self.assertEqual(self.grid.api("GET", "/api/binaries"), before[0])
        self.assertEqual(self.grid.api("GET", "/api/channels"), before[1])
        self.assertEqual(self.grid.events()[:len(before[2])], before[2])
        shown = self.grid.wait_healthy("a-1", "1.0.0")
        self.assertEqual(shown["nodes"][0]["pid"], self.node["pid"])
        self.assertEqual(shown["labels"]["zone"], "z")

    def test_everything_killed_at_once_comes_back(self):
        self.put("kept", b"z" * 5000)
        for pid in (self.grid.master.pid, self.agent.pid, self.node["pid"]):
            os.kill(pid, signal.SIGKILL)
        self.grid.master.wait(), self.agent.wait()
        self.grid.start_master()
        self.grid.agent("a-1")
        pid = wait_for("one new process", lambda: [p for p in processes_of(self.grid.directory) if p != self.node["pid"]])
        wait_for("its report", lambda: [n["pid"] for n in self.grid.wait_healthy("a-1", "1.0.0")["nodes"]] == pid)
        self.assertEqual(processes_of(self.grid.directory), pid)
        self.assertEqual(self.get("kept"), b"z" * 5000)

    def test_agent_and_node_start_without_a_master(self):
        self.grid.master.kill()
        self.agent.kill()
        os.kill(self.node["pid"], signal.SIGKILL)
        wait_for("the node to end", lambda: not processes_of(self.grid.directory))
        self.grid.agent("a-1")
        pid = wait_for("the node without a master", lambda: processes_of(self.grid.directory))[0]
        self.grid.start_master()
        # What the master shows at first is what it knew before it was killed.
        wait_for("the report of the new process", lambda: self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"] == pid)
        self.assertEqual(processes_of(self.grid.directory), [pid])


class Conflicts(unittest.TestCase):
    def test_taken_id_names_it_and_the_way_out(self):
        grid = Grid(self)
        first = grid.agent("a-1")
        wait_for("the agent", lambda: grid.show("a-1")["status"] == "up")
        grid.other.append(first)
        second = grid.agent("a-1", join=grid.join(), state=os.path.join(grid.directory, "elsewhere"))
        self.assertNotEqual(second.wait(), 0)
        self.assertIn("a-1", second.err())
        self.assertIn("--id", second.err())

    def test_second_agent_on_one_state_directory_is_told_who_holds_it(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        first = grid.agent("a-1")
        grid.wait_healthy("a-1", "1.0.0")
        second = grid.agent("a-1")
        self.assertNotEqual(second.wait(), 0)
        self.assertIn(str(first.pid), second.err())
        self.assertTrue(first.running())
        grid.agents["a-1"] = first

    def test_second_master_on_one_state_directory_or_port_is_told_why(self):
        from grid import Process
        grid = Grid(self)
        same = Process("grid-master", ["--state", grid.master.state, "--http", "0", "--bus", "0"], grid.directory + "/second")
        self.assertNotEqual(same.wait(), 0)
        self.assertIn(str(grid.master.pid), same.err())
        port = grid.master.url.rsplit(":", 1)[1]
        taken = Process("grid-master", ["--state", grid.directory + "/other", "--http", port, "--bus", "0"], grid.directory + "/third")
        self.assertNotEqual(taken.wait(), 0)
        self.assertIn(port, taken.err())


if __name__ == "__main__":
    unittest.main()
