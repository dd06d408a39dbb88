"""Keys stay in memory: no other program of the same user looks into a master or an agent, and all works as a plain user."""
import contextlib
import hashlib
import os
import shutil
import subprocess
import unittest

from grid import Grid, Process, here, port_range, program, storage_server, wait_for

NOBODY = 65534
AS_NOBODY = ["/usr/bin/setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups"]


@unittest.skipUnless(os.getuid() == 0, "only root starts programs as somebody else")
class SecretsInMemoryTest(unittest.TestCase):
    def setUp(self):
        self.grid = Grid(self, start=False)
        os.chmod(self.grid.directory, 0o755)
        self.home = os.path.join(self.grid.directory, "nobody")
        os.mkdir(self.home)
        build = os.path.join(self.grid.binaries, "storage-server-1.0.0-" + here())
        shutil.copy(storage_server("1.0.0"), build)
        for path in (self.home, self.grid.binaries, build):
            os.chown(path, NOBODY, NOBODY)

    def start(self, name, *arguments, env=None):
        """A program of nobody's, from a place that this user can reach."""
        shutil.copy(program(name), self.home)
        process = Process(AS_NOBODY[0], [*AS_NOBODY[1:], os.path.join(self.home, name), *arguments],
                          os.path.join(self.grid.directory, name + "-run"), env)
        self.grid.other.append(process)
        return process

    def start_master(self, *arguments):
        self.state = os.path.join(self.home, "master")
        master = self.start("grid-master", "--state", self.state, "--binaries", self.grid.binaries, "--http", "0", "--bus", "0",
                            *arguments)
        self.url = wait_for("the master", lambda: [l.split()[1] for l in master.out().splitlines() if l.startswith("http ")])[0]
        return master

    def api(self, method, path, body=None):
        with open(os.path.join(self.state, "admin.token")) as f:
            return self.grid.api(method, path, body, token=f.read().strip(), url=self.url)

    def start_agent(self, *arguments):
        join = self.api("POST", "/api/tokens", {"kind": "join"})["join"]
        return self.start("grid-agent", "--id", "a-1", "--state", os.path.join(self.home, "agent"),
                          "--node-ports", port_range(self.home), *arguments, env={"GRID_TOKEN": join})

    def healthy_node(self):
        nodes = [n for a in self.api("GET", "/api/agents") for n in self.api("GET", "/api/agents/" + a["id"])["nodes"]]
        return next((n for n in nodes if n["state"] == "healthy"), None)

    def looks_inside(self, pid):
        """Whether another program of nobody's can read the memory's map of this one."""
        return subprocess.run([*AS_NOBODY, "/usr/bin/head", "-c", "1", "/proc/%d/maps" % pid], capture_output=True).stdout != b""

    def test_nobody_looks_into_master_and_agent_which_work_all_the_same(self):
        master = self.start_master()
        agent = self.start_agent()
        node = wait_for("a healthy node", self.healthy_node)
        self.assertFalse(self.looks_inside(master.pid), "the master's memory")
        self.assertFalse(self.looks_inside(agent.pid), "the agent's memory")
        self.assertTrue(self.looks_inside(node["pid"]), "a node has no keys, and may be debugged")

    def holds(self, pid, secret):
        """Whether the process's memory has these bytes somewhere. What the sanitizer maps for itself has none."""
        with open("/proc/%d/maps" % pid) as f:
            places = [line.split() for line in f if "w" in line.split()[1]]
        with open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
            for place in places:
                begin, end = (int(x, 16) for x in place[0].split("-"))
                if end - begin > 256 << 20:
                    continue
                memory.seek(begin)
                with contextlib.suppress(OSError):  # it may be unmapped meanwhile
                    if secret in memory.read(end - begin):
                        return True
        return False

    def test_an_invitation_is_gone_from_the_master_once_it_was_told(self):
        master = self.start_master()
        invited = self.api("POST", "/api/users", {"name": "ada", "role": "viewer"})["invitation"]
        self.assertTrue(self.holds(master.pid, b"grid-master"), "this looks into the memory")
        # The answer is here before the master has wiped it.
        wait_for("an end of the invitation", lambda: not self.holds(master.pid, invited.split(".")[1].encode()))

    def test_launcher_shows_nobody_the_join_string_in_its_environment(self):
        script = b"#!/bin/sh\nexec /bin/sleep 300\n"
        builds = os.path.join(self.home, "agent", "agent")
        name = "1.0.0-" + hashlib.sha256(script).hexdigest()
        os.makedirs(os.path.join(builds, name))
        os.symlink(name, os.path.join(builds, "current"))
        with open(os.path.join(builds, name, "grid-agent"), "wb") as f:
            f.write(script)
        os.chmod(f.name, 0o755)
        subprocess.run(["/bin/chown", "-R", str(NOBODY), self.home], check=True)
        launcher = self.start("grid-launcher", "--state", os.path.join(self.home, "agent"), env={"GRID_TOKEN": "secret"})
        wait_for("what it starts", lambda: "agent.start" in launcher.err())
        self.assertFalse(self.looks_inside(launcher.pid))

    def test_core_dumps_can_be_allowed(self):
        master = self.start_master("--core-dumps")
        agent = self.start_agent("--core-dumps")
        wait_for("the agent", lambda: self.api("GET", "/api/agents"))
        self.assertTrue(self.looks_inside(master.pid))
        self.assertTrue(self.looks_inside(agent.pid))


if __name__ == "__main__":
    unittest.main()
