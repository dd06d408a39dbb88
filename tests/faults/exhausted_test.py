"""Descriptors, memory and disks run out at master, agent and node: each says so, answers afterwards, lost nothing."""
import contextlib, functools, hashlib, http.client, itertools, os, resource, signal, socket, threading, unittest

import checker, machine
from grid import Grid, here, processes_of, wait_for
from ledger import Ledger

NODE = "a-1/0"
setUpModule = machine.private_mounts


class Case(unittest.TestCase):
    """A grid of one agent whose disks, where sizes are given, are small."""
    sizes = {}

    def setUp(self):
        directory, self.ledger = machine.directory(self), Ledger()
        self.disks = {name: machine.Tmpfs(self, os.path.join(directory, name), size)
                      for name, size in self.sizes.items()}
        self.grid = Grid(self, directory=directory)
        self.grid.publish("1.0.0")
        self.grid.agent("a-1")
        self.node = self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]

    def ask(self, method, path, body=None):
        """Status and body of the node's answer; None when there was none."""
        with contextlib.closing(self.connect()) as connection:
            return self.ask_over(connection, method, path, body)

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.node["port"], timeout=30)

    @staticmethod
    def ask_over(connection, method, path, body=None):
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return None, b""

    def put(self, name, size=20_000, ask=None):
        body = os.urandom(size)
        with self.ledger.doing("chunk", (NODE, name), hashlib.sha256(body).hexdigest()) as op:
            status, said = (ask or self.ask)("PUT", "/v1/chunks/" + name, body)
            if status:
                op.answered(status)
        return status, said

    def label(self, value):
        with self.ledger.doing("label", ("a-1", "round"), value) as op:
            answer = self.grid.request("PATCH", "/api/agents/a-1", {"labels": {"round": value}})
            op.answered(answer.status)
        return answer

    def replaced(self):
        node = self.grid.nodes("a-1")[0]
        return node["state"] == "healthy" and node["pid"] != self.node["pid"]


class Descriptors(Case):
    @contextlib.contextmanager
    def none_left(self, pid):
        """The process may open no more, until it closes one."""
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = set(map(int, os.listdir("/proc/%d/fd" % pid)))
        lowest_free = next(number for number in itertools.count() if number not in used)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest_free, before[1]))
        try:
            yield
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)

    def test_master_without_descriptors_answers_again(self):
        host, port = self.grid.master.url.removeprefix("http://").rsplit(":", 1)
        self.assertEqual(self.label("before").status, 200)
        with self.none_left(self.grid.master.pid), contextlib.ExitStack() as stack:
            waiting = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(50)]
            for connection in waiting:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertTrue(self.grid.master.running())
        wait_for("the master to answer", lambda: self.grid.request("GET", "/healthz", token=None).status == 200)
        self.assertEqual(self.label("after").status, 200)
        checker.check(self.grid, self.ledger, "master without descriptors")
        self.assertEqual(self.grid.nodes("a-1")[0]["pid"], self.node["pid"])

    def test_agent_without_descriptors_brings_its_node_back_later(self):
        agent = self.grid.agents["a-1"]
        with self.none_left(agent.pid):
            os.kill(self.node["pid"], signal.SIGKILL)
            wait_for("the node's end", lambda: not processes_of(agent.state))
            wait_for("a word about it", lambda: "Too many open files" in agent.err())
            self.assertTrue(agent.running())
        wait_for("the node to be back", self.replaced)
        checker.check(self.grid, self.ledger, "agent without descriptors")

    def test_node_without_descriptors_refuses_and_goes_on(self):
        self.assertEqual(self.put("before")[0], 201)
        numbers = itertools.count()

        def refusal():
            """Over a connection that it has. One that its agent held may come free, and the chunk is taken."""
            with contextlib.closing(self.connect()) as connection:
                self.assertEqual(self.ask_over(connection, "GET", "/healthz")[0], 200)
                with self.none_left(self.node["pid"]):
                    status, said = self.put("during-%d" % next(numbers), ask=functools.partial(self.ask_over, connection))
            self.assertIn(status, (201, 503), said)
            return said if status == 503 else None

        self.assertIn(b"Too many open files", wait_for("a refusal", refusal))
        self.assertEqual(self.put("after")[0], 201)
        checker.check(self.grid, self.ledger, "node without descriptors")


class Memory(Case):
    """The kernel kills the node for the memory it uses."""

    def group(self):
        """Directory of a memory group of our own, and the names of its limit and of its count of kills."""
        for root, limit, kills in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.oom_control"),
                                   ("/sys/fs/cgroup", "memory.max", "memory.events")):
            path = os.path.join(root, "grid-faults-%d" % os.getpid())
            try:
                os.mkdir(path)
            except OSError:
                continue
            self.addCleanup(lambda: wait_for("an empty group", lambda: os.rmdir(path) is None))
            if os.path.exists(os.path.join(path, limit)):
                return path, limit, kills
        self.skipTest("no memory control group can be made here")

    def test_node_killed_for_its_memory_comes_back_with_its_chunks(self):
        path, limit, kills = self.group()
        for i in range(5):
            self.assertEqual(self.put("before-%d" % i)[0], 201)
        with open(os.path.join(path, "cgroup.procs"), "w") as f:
            f.write(str(self.node["pid"]))
        with open(os.path.join(path, limit), "w") as f:
            f.write(str(1 << 20))
        threads = [threading.Thread(target=self.put, args=("during-%d" % i, 4 << 20)) for i in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_for("the node to be back", self.replaced)
        with open(os.path.join(path, kills)) as f:
            self.assertRegex(f.read(), r"(?m)^oom_kill [1-9]")
        self.assertEqual(self.put("after")[0], 201)
        checker.check(self.grid, self.ledger, "node out of memory")


class FullDisks(Case):
    """What is refused for want of space changes nothing, and all goes on when there is space."""
    sizes = {"master": "256m", "a-1": "256m"}

    def test_full_disk_of_the_master_refuses_changes_and_passes(self):
        self.assertEqual(self.label("before").status, 200)
        filler = self.disks["master"].fill()
        refused = wait_for("a refusal", lambda: (lambda a: a if a.status >= 400 else None)(self.label("full")))
        self.assertEqual((refused.status, refused.json()["code"]), (507, "no_space"), refused.body)
        self.assertEqual(self.grid.request("GET", "/healthz", token=None).status, 200)
        self.assertEqual(self.grid.show("a-1")["labels"]["round"], "before")
        os.remove(filler)
        wait_for("space to be seen", lambda: self.label("after").status == 200)
        checker.check(self.grid, self.ledger, "master's disk full")

    def test_master_starts_on_its_full_disk_after_an_orderly_stop(self):
        self.assertEqual(self.label("before").status, 200)
        self.grid.master.stop()
        filler = self.disks["master"].fill()
        self.grid.start_master()
        self.grid.wait_healthy("a-1", "1.0.0")
        binary = "/binaries/storage-server-1.0.0-" + here()
        self.assertEqual(self.grid.request("GET", binary, token=None).status, 200)
        refused = self.label("full")
        self.assertEqual((refused.status, refused.json()["code"]), (507, "no_space"), refused.body)
        os.remove(filler)
        wait_for("space to be seen", lambda: self.label("after").status == 200)
        checker.check(self.grid, self.ledger, "master started on a full disk")

    def test_full_disk_of_agent_and_node_keeps_version_and_chunks(self):
        self.assertEqual(self.put("before")[0], 201)
        self.grid.publish("1.1.0")
        filler = self.disks["a-1"].fill()
        status, said = self.put("full")
        self.assertEqual(status, 507, said)
        wait_for("the node's word", lambda: "disk_full" in self.grid.nodes("a-1")[0]["reasons"])
        with self.ledger.doing("channel", "stable", "1.1.0") as op:
            op.answered(self.grid.request("PUT", "/api/channels/stable", {"version": "1.1.0"}).status)
        wait_for("the agent's word", lambda: self.grid.show("a-1")["update"]["code"])
        update = self.grid.show("a-1")["update"]
        self.assertEqual(update["code"], "no_space", update)
        self.assertEqual(self.grid.nodes("a-1")[0]["pid"], self.node["pid"])
        os.remove(filler)
        self.node = self.grid.wait_healthy("a-1", "1.1.0")["nodes"][0]
        self.assertEqual(self.put("after")[0], 201)
        checker.check(self.grid, self.ledger, "agent's disk full")


if __name__ == "__main__":
    unittest.main()
