"""The agent exchanges its own program under leave of a rollout, and comes back from every build that is no good, while its
nodes run on."""
import concurrent.futures, os, subprocess, sys, tempfile, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from grid import processes_of, wait_for
from launched import Launched

QUICK = dict(rollout="r-1", lease_ms=30000, min_healthy_ms=100, probation_ms=300, healthy_deadline_ms=20000)


class SelfUpdate(unittest.TestCase):
    def begin(self, *broken, hung_after="60s", **options):
        s = Launched(self, "1.0.0", agents=["1.0.0", *broken], **options)
        s.install("1.0.0")
        s.launch("--hung-after", hung_after)
        s.want("1.0.0")
        s.wait("idle", version="1.0.0")
        s.pids = processes_of(s.directory)
        self.assertEqual(len(s.pids), s.nodes)
        return s

    def assert_nodes_untouched(self, s):
        wait_for("the nodes to be known", lambda: all(n["state"] == "healthy" for n in s.last["nodes"]))
        self.assertEqual(processes_of(s.directory), s.pids, "a node was restarted")

    def test_forth_on_leave_and_back_again(self):
        s = self.begin("1.1.0", nodes=2)
        s.want_build("1.0.0", prefetch="1.1.0", rollout="r-1")
        s.staged("1.1.0")
        s.cut_files()
        s.want_build("1.1.0", attempt=1, **dict(QUICK, lease_ms=0))
        self.assertIn("leave", s.wait_build("waiting", "1.0.0", rollout="r-1", rollout_attempt=1)["reason"])
        s.want_build("1.1.0", attempt=1, **QUICK)
        s.wait_build("idle", "1.1.0", rollout="r-1", rollout_attempt=1)
        self.assertEqual((s.linked("current"), s.linked("previous")), (s.build("1.1.0"), s.build("1.0.0")))
        self.assertEqual(s.own()["sha256"], s.builds["1.1.0"]["sha256"])
        self.assertFalse(os.path.exists(os.path.join(s.state, "agent", "trial")))
        s.want_build("1.0.0", attempt=2, **QUICK)
        s.wait_build("idle", "1.0.0", rollout_attempt=2)
        self.assert_nodes_untouched(s)

    def test_builds_that_nothing_needs_go(self):
        s = self.begin("1.1.0", "1.2.0")
        s.want_build("1.0.0", prefetch="1.2.0", **QUICK)
        s.staged("1.2.0")
        self.assertEqual(s.kept(), ["1.0.0", "1.2.0"])
        s.want_build("1.0.0", prefetch="1.1.0", **QUICK)
        s.staged("1.1.0")
        wait_for("the build that is not wanted to go", lambda: s.kept() == ["1.0.0", "1.1.0"])

    def comes_back(self, version, reason, diagnosis, hung_after="60s", **grant):
        s = self.begin(version, hung_after=hung_after)
        s.want_build(version, attempt=1, **dict(QUICK, **grant))
        update = s.wait_build("failed", "1.0.0", rollout="r-1", rollout_attempt=1, cause="version")
        self.assertIn(reason, update["reason"])
        self.assertIn(diagnosis, update["diagnosis"])
        self.assertEqual(s.linked("current"), s.build("1.0.0"))
        self.assert_nodes_untouched(s)
        return s

    def ends_at_once(self):
        s = self.comes_back("1.2.0", "3 starts in vain, the last ended with exit status 3", "test fault: it ends at once")
        starts = s.process.err().count("agent.start pid")
        s.want_build("1.2.0", attempt=1, **QUICK)
        s.wait_build("failed", "1.0.0", rollout_attempt=1)
        self.assertEqual(s.process.err().count("agent.start pid"), starts, "the same attempt was tried again")
        s.want_build("1.2.0", attempt=2, **QUICK)
        s.wait_build("failed", "1.0.0", rollout_attempt=2)
        self.assertEqual(s.process.err().count("agent.start pid"), starts + 4, "another attempt was not tried")

    def test_from_every_build_that_is_no_good(self):
        long, soon = dict(probation_ms=60000), dict(healthy_deadline_ms=4000)
        tries = (self.ends_at_once,
                 lambda: self.comes_back("1.2.1", "signal ABRT", "test fault: it crashes now", **long),
                 lambda: self.comes_back("1.2.1", "signal ABRT", "3 starts in vain"),  # after it was proven
                 lambda: self.comes_back("1.2.2", "signal ABRT after no sign of life", "self.probation", "3s", **long),
                 lambda: self.comes_back("1.2.3", "did not reach the master", "self.return", **soon),
                 lambda: self.comes_back("1.2.4", "did not take over the nodes", "every node is a stranger", **soon))
        with concurrent.futures.ThreadPoolExecutor(len(tries)) as pool:  # they wait most of the time
            for done in [pool.submit(one) for one in tries]:
                done.result()

    def test_a_build_that_is_not_what_the_targets_name(self):
        s = self.begin("1.1.0", "1.2.0")
        s.builds["1.1.0"]["sha256"] = s.builds["1.2.0"]["sha256"]
        s.want_build("1.1.0", attempt=1, **QUICK)
        s.wait_build("failed", "1.0.0", cause="untrusted", rollout_attempt=1)
        s.builds["1.1.0"] = s.artifacts["1.0.0"]  # signed, and no agent
        s.want_build("1.1.0", prefetch="1.1.0", attempt=1, **QUICK)
        self.assertIn("not a build of grid-agent", s.wait_build("failed", "1.0.0", cause="untrusted")["reason"])
        self.assertEqual(s.kept(), ["1.0.0"])
        self.assert_nodes_untouched(s)

    def mount(self, *arguments):
        done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            self.skipTest("nothing can be mounted here: " + done.stderr.strip())
        self.addCleanup(subprocess.run, ["umount", "-l", arguments[-1]], capture_output=True)

    def test_a_full_and_a_read_only_disk_leave_the_agent_as_it_is(self):
        disk = tempfile.mkdtemp(prefix="grid-disk-")
        self.addCleanup(os.rmdir, disk)
        self.mount("-t", "tmpfs", "-o", "size=256m", "none", disk)
        s = self.begin("1.1.0", directory=disk)
        size = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - (4 << 20)
        with open(os.path.join(disk, "filler"), "wb") as f:
            os.posix_fallocate(f.fileno(), 0, size)
        s.want_build("1.1.0", attempt=1, **QUICK)
        update = s.wait_build("failed", "1.0.0", cause="machine", rollout_attempt=1)
        self.assertEqual(update["code"], "no_space")
        os.remove(os.path.join(disk, "filler"))
        s.want_build("1.0.0", prefetch="1.1.0", attempt=1, **QUICK)
        s.staged("1.1.0")
        builds = os.path.join(s.state, "agent")
        self.mount("--bind", builds, builds)
        self.mount("-o", "remount,ro,bind", builds)
        s.want_build("1.1.0", attempt=2, **QUICK)
        update = s.wait_build("failed", "1.0.0", cause="machine", rollout_attempt=2)
        self.assertIn("Read-only file system", update["reason"])
        subprocess.run(["umount", builds], check=True)
        s.wait_build("idle", "1.1.0", rollout_attempt=2)
        self.assert_nodes_untouched(s)

    def test_without_a_launcher_it_says_so(self):
        s = Launched(self, "1.0.0", agents=["1.0.0", "1.1.0"])
        s.agent()
        s.want_build("1.1.0", prefetch="1.1.0", attempt=1, **QUICK)
        wait_for("the agent", lambda: s.own().get("update", {}).get("state") == "failed")
        self.assertEqual(s.own()["update"]["reason"], "started without grid-launcher")
        self.assertEqual(s.own()["staging"]["cause"], "machine")
        self.assertNotIn("sha256", s.own())


if __name__ == "__main__":
    unittest.main()
