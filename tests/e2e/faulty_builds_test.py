"""Builds of storage-server that can be told to fail (storage-server/faults/faults.h), and those that cannot."""
import json, os, shutil, signal, subprocess, tempfile, time, unittest, urllib.request

from grid import program, storage_server, wait_for


class FaultyBuilds(unittest.TestCase):
    def setUp(self):
        self.data = tempfile.mkdtemp(prefix="grid-faulty-")
        self.addCleanup(shutil.rmtree, self.data)

    def tell(self, *rules):
        with open(os.path.join(self.data, "new-faults"), "w") as f:
            f.write("\n".join(rules))
        os.rename(f.name, os.path.join(self.data, "test-faults"))

    def start(self, version="1.2.0", node="a-1/0"):
        out = open(os.path.join(self.data, "out"), "w+b")
        self.addCleanup(out.close)
        node = subprocess.Popen([storage_server(version), "--data", self.data, "--port", "0", "--id", node],
                                stdout=out, stderr=subprocess.STDOUT)
        self.addCleanup(node.wait)
        self.addCleanup(node.kill)
        return node

    def said(self):
        with open(os.path.join(self.data, "out")) as f:
            return f.read()

    def get(self, path):
        url = wait_for("its address", lambda: next((l.split()[1] for l in self.said().splitlines()
                                                    if l.startswith("listening ")), None))
        with urllib.request.urlopen(url + path, timeout=10) as answer:
            return json.loads(answer.read())

    def ends_with(self, code, *rules, **node):
        self.tell(*rules)
        self.assertEqual(self.start(**node).wait(20), code)

    def test_ends_as_it_is_told(self):
        self.ends_with(7, "* * exit 7")
        self.ends_with(-signal.SIGKILL, "1.2.0 a-1/0 leak 64")
        self.ends_with(2, "1.2.0 * explode")
        self.assertIn("fault.unknown", self.said())

    def test_ends_when_it_is_told_so_later(self):
        node = self.start()
        self.get("/healthz")
        self.tell("1.2.* a-1/* signal 11 100")
        self.assertEqual(node.wait(20), -signal.SIGSEGV)

    def test_rules_for_other_versions_and_nodes_do_not_count(self):
        self.tell("1.3.0 * exit 7", "* a-2/* exit 7", "* a-1/1 exit 7", "* * exit 7 3600000")
        self.start()
        self.assertEqual(self.get("/healthz")["status"], "ok")
        self.assertTrue(self.get("/v1/ok-to-stop")["ok"])

    def test_runs_ill_as_long_as_it_is_told(self):
        self.start()
        self.assertEqual(self.get("/healthz")["status"], "ok")
        self.tell("* * unhealthy", "* * veto")
        wait_for("illness", lambda: self.get("/healthz")["status"] == "failing")
        self.assertFalse(self.get("/v1/ok-to-stop")["ok"])
        self.tell()
        wait_for("health", lambda: self.get("/healthz")["status"] == "ok")
        self.assertTrue(self.get("/v1/ok-to-stop")["ok"])

    def test_does_not_end_on_sigterm_when_it_is_told_so(self):
        self.tell("* * stubborn")
        node = self.start()
        self.get("/healthz")  # what it is told at the start it knows before it listens
        node.terminate()
        with self.assertRaises(subprocess.TimeoutExpired):
            node.wait(0.5)

    def test_hangs_and_begins_late(self):
        begun = time.monotonic()
        self.tell("* * slow 500")
        node = self.start()
        self.get("/healthz")
        self.assertGreater(time.monotonic() - begun, 0.5)
        self.tell("* * hang")
        def stopped():
            with open("/proc/%d/stat" % node.pid) as f:
                return f.read().rsplit(")", 1)[1].split()[0] == "T"
        wait_for("the hang", stopped)

    def test_what_is_built_in_needs_no_file(self):
        self.assertEqual(self.start("1.5.0").wait(20), 3)
        self.assertEqual(self.start("1.5.2", "a-1/1").wait(20), 3)
        self.start("1.5.2", "a-1/0")
        self.assertEqual(self.get("/healthz")["status"], "ok")

    def test_other_builds_know_nothing_of_it(self):
        for path in (program("storage-server"), storage_server("1.0.0")):
            with open(path, "rb") as f:
                self.assertNotIn(b"test-faults", f.read())
        with open(storage_server("1.2.0"), "rb") as f:
            self.assertIn(b"test-faults", f.read())


if __name__ == "__main__":
    unittest.main()
