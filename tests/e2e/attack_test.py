"""Faults that once broke the grid: each ends with the machine running what it should."""
import json, os, signal, subprocess, unittest

from grid import BIN, Grid, Process, processes_of, sha256, storage_server, wait_for


def replaced(grid, agent_id, pid):
    """The agent's first node when it is healthy in another process than this one."""
    node = grid.nodes(agent_id)[0]
    return node if node["state"] == "healthy" and node["pid"] != pid else None


class Notes(unittest.TestCase):
    def test_damaged_note_beside_a_damaged_version_does_not_keep_it_from_coming_back(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        agent = grid.agent("a-1")
        pid = grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"]
        stored = os.path.join(agent.state, "store", sha256(storage_server("1.0.0")))
        with open(stored + ".json") as f:
            note = json.load(f)
        note["signature"] = note["signature"].replace("A", "B")
        note["size_bytes"] += 1
        with open(stored + ".json", "w") as f:
            json.dump(note, f)
        os.unlink(stored)
        os.kill(pid, signal.SIGKILL)
        wait_for("the node to be back", lambda: replaced(grid, "a-1", pid))
        self.assertEqual(sha256(stored), sha256(storage_server("1.0.0")))


class SmallDiskAgent(Process):
    """An agent whose state directory is a file system of 96 MiB that nobody else sees."""

    def __init__(self, grid, agent_id, unshare):
        self.id, self.grid, self.state = agent_id, grid, os.path.join(grid.directory, agent_id)
        os.mkdir(self.state)
        mount = 'mount -t tmpfs -o size=96m none "$0" && exec "$@"'
        agent = [os.path.join(BIN, "grid-agent"), "--id", agent_id,
                 "--state", self.state]
        super().__init__("/usr/bin/unshare", [*unshare, "sh", "-c", mount, self.state, *agent],
                         self.state + "-run", {"GRID_TOKEN": grid.join()})

    def fill(self):
        """Leaves not one free byte; gives the path that frees them."""
        path = "/proc/%d/root%s/filler" % (self.pid, self.state)
        with open(path, "ab", buffering=0) as f:
            for size in (1 << 20, 4096, 1):
                try:
                    while f.write(bytes(size)):
                        pass
                except OSError:
                    continue
        return path


def mount_namespace(test):
    """Options of unshare for a program with file systems of its own."""
    options = ["-m"] if os.getuid() == 0 else ["-rm"]
    if subprocess.run(["/usr/bin/unshare", *options, "true"], capture_output=True).returncode != 0:
        test.skipTest("no mount namespaces here, so no small file system")
    return options


class FullDisk(unittest.TestCase):
    def setUp(self):
        self.unshare = mount_namespace(self)
        self.grid = Grid(self)
        self.grid.publish("1.0.0")
        self.agent = SmallDiskAgent(self.grid, "a-1", self.unshare)
        self.grid.agents["a-1"] = self.agent

    def test_full_disk_fails_no_version_and_keeps_no_node_down(self):
        grid = self.grid
        grid.wait_healthy("a-1", "1.0.0")
        grid.publish("1.1.0")
        grid.set_channel("1.1.0")
        grid.wait_healthy("a-1", "1.1.0")
        filler = self.agent.fill()
        grid.set_channel("1.0.0")
        wait_for("a move that waits for its journal",
                 lambda: "until the journal can be written" in grid.show("a-1")["update"]["reason"])
        self.assertEqual(grid.show("a-1")["update"]["cause"], "machine")
        node = grid.wait_healthy("a-1", "1.1.0")["nodes"][0]
        os.kill(node["pid"], signal.SIGKILL)
        wait_for("the node to be back", lambda: replaced(grid, "a-1", node["pid"]))
        self.assertNotIn("version.failed", self.agent.err())
        self.assertEqual(len(processes_of(self.agent.state)), 1)
        os.unlink(filler)
        grid.wait_healthy("a-1", "1.0.0")


class FullDiskOfTheMaster(unittest.TestCase):
    SCRIPT = ('mount -t tmpfs -o size=32m none "$0" && { "$@"; cat /dev/zero >"$0/filler" 2>/dev/null; } ; '
              'exec "$@"')

    def addresses(self):
        return [line.split()[1] for line in self.master.out().splitlines() if line.startswith("http ")]

    def test_master_starts_and_answers_on_a_full_disk(self):
        unshare = mount_namespace(self)
        grid = Grid(self, start=False)
        state = os.path.join(grid.directory, "master")
        os.mkdir(state)
        program = [os.path.join(BIN, "grid-master"), "--state", state, "--binaries", grid.binaries, "--http", "0",
                   "--bus", "0"]
        self.master = Process("/usr/bin/unshare", [*unshare, "sh", "-c", self.SCRIPT, state, *program],
                              state + "-run")
        grid.other.append(self.master)
        wait_for("the master", self.addresses)
        with open("/proc/%d/task/%d/children" % (self.master.pid, self.master.pid)) as f:
            os.kill(int(f.read()), signal.SIGKILL)
        wait_for("the master on a full disk", lambda: len(self.addresses()) == 2)
        url = self.addresses()[1]
        self.assertEqual(grid.request("GET", "/healthz", token=None, url=url).status, 200)
        self.assertEqual(grid.request("GET", "/api/binaries", token=None, url=url).json(), [])


class DatabaseOfTheMaster(unittest.TestCase):
    def test_database_that_cannot_be_opened_ends_the_master_in_order(self):
        grid = Grid(self, start=False)
        state = os.path.join(grid.directory, "master")
        os.makedirs(os.path.join(state, "grid.db"))
        master = Process("grid-master", ["--state", state, "--http", "0", "--bus", "0"], state + "-run")
        self.assertNotEqual(master.wait(), 0)
        self.assertIn("grid.db", master.err())
        self.assertNotIn("Sanitizer", master.err())


if __name__ == "__main__":
    unittest.main()
