#!/usr/bin/python3
"""One command on a machine with nothing but a shell and curl or wget makes it a member of the grid with a healthy node;
again it upgrades, and --uninstall takes it away."""
import glob, os, re, shutil, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bare_machine import InstallCase, main
from grid import wait_for


class InstallTest(InstallCase):
    def test_a_bare_machine_from_one_command_to_removal(self):
        machine = self.machine()
        command = machine.join_command("--label", "rack=b")
        self.assertEqual(command.count("\n"), 0)
        words = self.run_ok(machine, command)
        self.assertIn("grid-agent 1.0.0 runs as " + machine.name, words)
        self.assertIn("not checked, for minisign is not installed", words)
        agent = self.grid.wait_healthy(machine.name, "1.0.0")
        self.assertEqual(agent["labels"], {"rack": "b"})
        self.look_for_secret(machine, command)
        self.look_at_modes(machine)
        node = self.again(machine, agent["nodes"][0])
        self.upgrade(machine, node)
        self.remove(machine)

    def look_at_modes(self, machine):
        build = glob.glob(machine.path("/var/lib/grid-agent/agent/1.0.0-*"))
        self.assertEqual(len(build), 1)
        self.assertEqual(os.readlink(machine.path("/var/lib/grid-agent/agent/current")), os.path.basename(build[0]))
        for name, mode in (("/var/lib/grid-agent", 0o700), ("/var/lib/grid-agent/identity/agent.key", 0o600),
                           ("/usr/local/lib/grid/grid-launcher", 0o755), ("/etc/grid/agent.ini", 0o644)):
            self.assertEqual(os.stat(machine.path(name)).st_mode & 0o777, mode, name)
        self.assertIn("grid-agent ", self.run_ok(machine, "/usr/local/bin/grid-agent --version"))

    def node_of(self, machine):
        return self.grid.wait_healthy(machine.name, "1.0.0")["nodes"][0]

    def again(self, machine, node):
        """The same once more: the same machine, the same node, which was not even restarted."""
        with open(machine.path("/var/lib/grid-agent/identity/agent.key")) as f:
            key = f.read()
        words = self.run_ok(machine, machine.join_command())
        self.assertIn("its identity is kept", words)
        with open(machine.path("/var/lib/grid-agent/identity/agent.key")) as f:
            self.assertEqual(f.read(), key)
        after = self.node_of(machine)
        self.assertEqual((after["pid"], after["restarts"]), (node["pid"], node["restarts"]))
        self.assertEqual(len([p for p in machine.processes() if "grid-launcher" in p]), 1)
        return after

    def upgrade(self, machine, node):
        """A newer agent becomes current, the one before stays at hand; the node lives on."""
        newer = os.path.join(self.grid.directory, "newer")
        shutil.copy(self.programs["grid-agent"], newer)
        with open(newer, "ab") as f:
            f.write(b"\0")
        published = self.publish("grid-agent", "1.1.0", newer)
        self.addCleanup(self.grid.api, "POST", "/api/binaries/1.1.0/linux/%s/yank?name=grid-agent" % os.uname().machine)
        script = "sh /usr/local/lib/grid/install.sh --url " + machine.master_url
        before = machine.listing()
        self.assertIn("Would install grid-agent 1.1.0", self.run_ok(machine, script + " --dry-run"))
        after = machine.listing()
        log = "/var/lib/grid-agent/agent/log"  # it may grow meanwhile
        self.assertEqual({**after, log: 0}, {**before, log: 0})
        self.run_ok(machine, script)
        links = {l: os.readlink(machine.path("/var/lib/grid-agent/agent/" + l)) for l in ("current", "previous")}
        self.assertEqual(links["current"], "1.1.0-" + published["checksum"])
        self.assertTrue(links["previous"].startswith("1.0.0-"))
        self.assertEqual(self.node_of(machine)["pid"], node["pid"])

    def wait_metadata(self, machine):
        """Until it has the newest, and writes no more of them."""
        def targets():
            return next(r["version"] for r in self.grid.api("GET", "/api/trust")["roles"] if r["name"] == "targets")
        wait_for("the newest metadata", lambda: self.grid.show(machine.name)["trust"]["targets"] == targets())

    def remove(self, machine):
        self.wait_metadata(machine)
        before = machine.listing()
        self.assertIn("Would stop the agent", self.run_ok(machine, "sh /usr/local/lib/grid/install.sh --uninstall --dry-run"))
        self.assertEqual(set(machine.listing()), set(before))
        script = self.script_on(machine)
        code, words = machine.sh(script + " --uninstall --state /var/lib/other")
        self.assertEqual((code, set(machine.listing()) - {"/tmp/install.sh"}), (2, set(before)), words)
        words = self.run_ok(machine, script + " --uninstall")
        self.assertIn("gridctl agent rm %s" % machine.name, words)
        self.assertEqual(machine.processes(), [])
        left = {p for p in machine.listing() if not p.startswith("/var/lib/grid-agent/nodes/")}
        bare = {"/usr", "/usr/local", "/usr/local/lib", "/usr/local/bin", "/var", "/var/lib", "/var/lib/grid-agent",
                "/var/lib/grid-agent/nodes", "/tmp/install.sh"}
        made = {p for p in left if re.match(r"/(usr/local|var|etc|tmp)\b", p)} - {"/etc", "/tmp"}
        self.assertEqual(made - bare, set())
        self.assertTrue(os.path.exists(machine.path("/var/lib/grid-agent/nodes/0/data")))
        self.run_ok(machine, script + " --uninstall --purge")
        self.assertFalse(os.path.exists(machine.path("/var/lib/grid-agent")))
        self.assertIn("Nothing is installed", self.run_ok(machine, script + " --uninstall"))

    def test_a_machine_that_was_removed_joins_again_by_the_same_kind_of_line(self):
        machine = self.machine()
        words = self.run_ok(machine, machine.join_command())
        self.assertIn("There is no systemd here", words)
        self.assertIn("crontab -", words)
        node = self.node_of(machine)
        answer = self.grid.request("DELETE", "/api/agents/%s?force=true" % machine.name)
        self.assertEqual(answer.status, 204, answer.body)
        used = self.join_on(machine)
        self.grid.api("DELETE", "/api/tokens/" + re.search(r"t=gj_(\w+)\.", used).group(1))
        code, words = machine.sh("%s %s" % (self.script_on(machine), used))
        self.assertEqual(code, 4, words)
        wait_for("the agent that ran before", lambda: [p for p in machine.processes() if "grid-launcher" in p])
        words = self.run_ok(machine, machine.join_command())
        self.assertIn("Enrolled as " + machine.name, words)
        self.assertEqual(self.node_of(machine)["pid"], node["pid"])
        self.assertEqual(len([p for p in machine.processes() if "grid-launcher" in p]), 1)
        self.assertEqual(len(glob.glob(machine.path("/var/lib/grid-agent/identity.removed-*"))), 1)

    def test_curl_does_as_well_as_wget_and_minisign_is_used_where_it_is(self):
        machine = self.machine(tools=["curl", "minisign"], without=["wget"])
        self.assertIn("Signatures: checked", self.run_ok(machine, machine.join_command()))
        self.grid.wait_healthy(machine.name, "1.0.0")

    def test_programs_may_be_brought_along(self):
        machine = self.machine(without=["wget"])
        script, join = self.script_on(machine), self.join_on(machine)
        os.mkdir(machine.path("/stick"))
        for name in ("grid-agent", "grid-launcher"):
            machine.copy(self.programs[name], "stick/%s-1.0.0-linux-%s" % (name, os.uname().machine))
        with open(machine.path("/stick/SHA256SUMS"), "w") as f:
            f.write("%s  grid-agent-1.0.0-linux-%s\n" % ("0" * 64, os.uname().machine))
        self.refused(machine, "%s --from /stick %s" % (script, join), 1, "SHA256SUMS")
        os.remove(machine.path("/stick/SHA256SUMS"))
        self.run_ok(machine, "%s --from /stick --id brought-along --nodes 2 --node-ports 7300-7310 %s" % (script, join))
        nodes = self.grid.wait_healthy("brought-along", "1.0.0", nodes=2)["nodes"]
        self.assertTrue(all(7300 <= n["port"] <= 7310 for n in nodes))

    def test_a_program_of_the_same_name_stays(self):
        machine = self.machine()
        os.makedirs(machine.path("/usr/local/bin"))
        with open(machine.path("/usr/local/bin/grid-agent"), "w") as f:
            f.write("theirs")
        words = self.run_ok(machine, "%s --no-start %s" % (self.script_on(machine), self.join_on(machine)))
        self.assertIn("/usr/local/bin/grid-agent is no link of ours", words)
        with open(machine.path("/usr/local/bin/grid-agent")) as f:
            self.assertEqual(f.read(), "theirs")


if __name__ == "__main__":
    main(InstallTest)
