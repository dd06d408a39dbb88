#!/usr/bin/python3
"""The launcher with real agents: a build that ends at once or hangs gives way to the one before, signals and exit codes pass,
the count survives kills."""
import os, re, shutil, signal, subprocess, sys, tempfile, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from grid import Grid, Process, alive, program, sha256, wait_for

# Says that it runs, ends with 7 when it is told to.
STEADY = """#!/bin/sh
trap 'exit 7' TERM
echo "steady $*" >>{notes}
while :; do sleep 0.05; done
"""


# Gives a sign of life, and more of them until there is a file that says otherwise: then it hangs. The first comes at once,
# long before --proven-after: who gave none by then is taken for a build that never does.
SIGNS = """#!/bin/sh
sign() {{ printf '\\1\\0\\0\\0\\0\\0\\0\\0' >&${{GRID_ALIVE% *}}; }}
sign
echo "runs $$" >>{notes}
while ! [ -e {notes}.hang ]; do sign; sleep 0.05; done
exec sleep 1000
"""


class LauncherTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="grid-launcher-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.state = os.path.join(self.directory, "state")
        self.builds = os.path.join(self.state, "agent")
        self.notes = os.path.join(self.directory, "notes")
        os.makedirs(self.builds, 0o700)

    def build(self, version, source):
        """Installs a build: a program's path, or the text of a script. Gives its name."""
        path = os.path.join(self.directory, "build")
        if source.startswith("#!"):
            with open(path, "w") as f:
                f.write(source)
        else:
            shutil.copy(source, path)
        name = "%s-%s" % (version, sha256(path))
        os.makedirs(os.path.join(self.builds, name))
        os.chmod(path, 0o500)
        shutil.move(path, os.path.join(self.builds, name, "grid-agent"))
        return name

    def link(self, **links):
        for link, name in links.items():
            os.symlink(name, os.path.join(self.builds, link))

    def linked(self, link):
        try:
            return os.readlink(os.path.join(self.builds, link))
        except FileNotFoundError:
            return None

    def launch(self, *arguments, agent=()):
        launcher = Process("grid-launcher", ["--state", self.state, "--restart-pause", "20ms", *arguments, "--", *agent],
                           os.path.join(self.directory, "run"))
        self.addCleanup(lambda: launcher.running() and launcher.kill())
        return launcher

    def record(self):
        try:
            with open(os.path.join(self.builds, "starts")) as f:
                words = f.read().split()
        except FileNotFoundError:
            return {}
        return dict(zip(words[::2], words[1::2]))

    def noted(self):
        try:
            with open(self.notes) as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def agent_pid(self, launcher):
        """Of the agent that was started last."""
        pids = re.findall(r"agent\.start pid=(\d+)", launcher.err())
        return int(pids[-1]) if pids else 0

    def steady(self, version="1.0.0"):
        return self.build(version, STEADY.format(notes=self.notes))

    def test_three_starts_in_vain_bring_the_previous_build_back(self):
        good, bad = self.steady("1.0.0"), self.build("1.1.0", shutil.which("false"))
        self.link(current=bad, previous=good)
        launcher = self.launch(agent=["--id", "a b"])
        wait_for("the previous build to run", self.noted)
        self.assertEqual(self.noted(), ["steady --state %s --id a b" % self.state])
        self.assertEqual(launcher.err().count("build=" + bad + " reason=\"exit status 1\""), 3)
        self.assertEqual((self.linked("current"), self.linked("previous")), (good, None))
        with open(os.path.join(self.builds, "failed")) as f:
            self.assertRegex(f.read(), r"^build %s\nat \S+Z\nreason 3 starts in vain, the last ended with exit status 1\n$" % re.escape(bad))
        self.assertEqual(launcher.stop(), 7)

    def test_a_real_agent_comes_back_and_its_node_is_healthy(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        self.state = os.path.join(grid.directory, "a-1")
        self.builds = os.path.join(self.state, "agent")
        os.makedirs(self.builds)
        self.link(current=self.build("9.0.0", shutil.which("false")), previous=self.build("0.1.0", program("grid-agent")))
        token = os.path.join(self.directory, "join")
        with open(token, "w") as f:
            f.write(grid.join())
        launcher = self.launch(agent=["--id", "a-1", "--token-file", token])
        node = grid.wait_healthy("a-1", "1.0.0")["nodes"][0]
        self.assertEqual(launcher.stop(), 0)
        self.assertTrue(alive(node["pid"]), "the node ended with its agent")
        self.assertFalse(alive(self.agent_pid(launcher)))

    def test_signals_reach_the_agent_and_its_exit_code_passes(self):
        self.link(current=self.steady())
        for number in (signal.SIGTERM, signal.SIGINT):
            os.path.exists(self.notes) and os.remove(self.notes)
            launcher = self.launch()
            wait_for("the agent to run", self.noted)
            expected = 7 if number == signal.SIGTERM else 128 + number
            self.assertEqual(launcher.stop(number), expected)
            self.assertEqual(self.record()["tries"], "0", "being told to end counted as a failure")

    def test_running_long_enough_clears_the_count(self):
        self.link(current=self.steady())
        launcher = self.launch("--proven-after", "100ms")
        self.assertEqual(wait_for("the build to be proven", lambda: self.record().get("proven") == "yes" and self.record())
                         ["tries"], "0")
        wait_for("the agent to run", self.noted)
        self.assertEqual(launcher.stop(), 7)

    def test_a_proven_build_that_ends_with_words_is_kept(self):
        """As with a wrong option: going back would not help, and would blame a good build."""
        good = self.build("1.1.0", "#!/bin/sh\n[ -e {0}.bad ] && {{ echo x >>{0}; exit 2; }}\nexec sleep 1000\n".format(self.notes))
        self.link(current=good, previous=self.steady("1.0.0"))
        launcher = self.launch("--proven-after", "100ms")
        wait_for("the build to be proven", lambda: self.record().get("proven") == "yes")
        pid = self.stays(launcher)
        open(self.notes + ".bad", "w").close()
        os.kill(pid, signal.SIGKILL)
        wait_for("more starts than a new build is given", lambda: len(self.noted()) > 4)
        self.assertEqual(self.linked("current"), good)
        os.remove(self.notes + ".bad")
        self.assertTrue(alive(self.stays(launcher)))

    def stays(self, launcher):
        """Its agent, once it has nothing left to do but to sleep."""
        def idle():
            pid = self.agent_pid(launcher)
            with open("/proc/%d/comm" % pid) as f:
                return pid if f.read().strip() == "sleep" and alive(pid) else 0
        return wait_for("the agent to stay", idle)

    def test_a_proven_build_that_crashes_gives_way(self):
        crashing = self.build("1.1.0", "#!/bin/sh\n[ -e {0}.bad ] && kill -SEGV $$\nexec sleep 1000\n".format(self.notes))
        good = self.steady("1.0.0")
        self.link(current=crashing, previous=good)
        launcher = self.launch("--proven-after", "100ms")
        wait_for("the build to be proven", lambda: self.record().get("proven") == "yes")
        pid = self.stays(launcher)
        open(self.notes + ".bad", "w").close()
        os.kill(pid, signal.SIGKILL)
        wait_for("the previous build to run", self.noted)
        self.assertEqual(self.linked("current"), good)
        self.assertIn('reason="signal SEGV"', launcher.err())

    def test_the_count_survives_a_launcher_that_is_killed(self):
        """As in a reboot: each start was written down before the agent was executed."""
        hanging, good = self.build("1.1.0", "#!/bin/sh\necho x >>%s.hung\nexec sleep 1000\n" % self.notes), self.steady("1.0.0")
        self.link(current=hanging, previous=good)
        for tries in ("1", "2", "3"):
            launcher = self.launch()
            pid = wait_for("the agent to start", lambda: self.agent_pid_of_run(launcher))
            self.assertEqual(self.record()["tries"], tries)
            launcher.kill()
            wait_for("the agent to end with its launcher", lambda: not alive(pid))
        launcher = self.launch()
        wait_for("the previous build to run", self.noted)
        self.assertEqual(self.linked("current"), good)

    def agent_pid_of_run(self, launcher):
        """Of the agent that this launcher started: the log goes on over several runs."""
        pid = self.agent_pid(launcher)
        try:
            with open("/proc/%d/stat" % pid) as f:
                return pid if f.read().rsplit(")", 1)[1].split()[1] == str(launcher.pid) else 0
        except (FileNotFoundError, ProcessLookupError):
            return 0

    def signs(self, version):
        return self.build(version, SIGNS.format(notes=self.notes))

    def test_an_agent_that_hangs_is_noticed(self):
        hanging, good = self.signs("1.1.0"), self.steady("1.0.0")
        self.link(current=hanging, previous=good)
        launcher = self.launch("--hung-after", "1s")
        wait_for("the agent to run", self.noted)
        os.kill(self.agent_pid(launcher), signal.SIGSTOP)  # as deaf as can be
        wait_for("a second start", lambda: len(self.noted()) >= 2)
        self.assertIn('reason="signal KILL after no sign of life"', launcher.err())
        open(self.notes + ".hang", "w").close()
        wait_for("the previous build to run", lambda: "steady" in self.noted()[-1])
        self.assertIn('reason="signal ABRT after no sign of life"', launcher.err())
        self.assertEqual(self.linked("current"), good)
        self.assertEqual(launcher.stop(), 7)

    def test_an_agent_that_never_gave_a_sign_is_left_alone(self):
        self.link(current=self.steady())
        launcher = self.launch("--hung-after", "100ms", "--proven-after", "1s")
        wait_for("more looks than it would take", lambda: self.record().get("proven") == "yes")
        wait_for("the agent to run", self.noted)
        self.assertEqual(len(self.noted()), 1)
        self.assertEqual(launcher.stop(), 7)

    def test_signs_prove_an_agent_and_nothing_else_does(self):
        self.link(current=self.signs("1.1.0"), previous=self.steady("1.0.0"))
        launcher = self.launch("--hung-after", "60s", "--proven-after", "2s")
        wait_for("the build to be proven", lambda: "agent.proven build=1.1.0" in launcher.err())
        launcher.kill()
        os.remove(os.path.join(self.builds, "starts"))
        open(self.notes + ".hang", "w").close()
        launcher = self.launch("--hung-after", "2s", "--proven-after", "2s")
        wait_for("the previous build to run", lambda: "steady" in self.noted()[-1])
        self.assertEqual(launcher.err().count("agent.proven build=1.1.0"), 1)

    def test_time_proves_no_build_that_is_on_trial(self):
        slow = self.build("1.1.0", "#!/bin/sh\nsleep 0.3; echo cannot go on >&2; exit 9\n")
        good = self.steady("1.0.0")
        self.link(current=slow, previous=good)
        trial = os.path.join(self.builds, "trial")
        os.mkdir(trial)
        with open(os.path.join(trial, "build"), "w") as f:
            f.write(slow)
        launcher = self.launch("--proven-after", "100ms")
        wait_for("the previous build to run", self.noted)
        self.assertNotIn("agent.proven build=1.1.0", launcher.err())
        self.assertEqual(launcher.err().count("cannot go on\n"), 3)
        with open(os.path.join(trial, "log")) as f:
            self.assertEqual(f.read(), "cannot go on\n" * 3)
        with open(os.path.join(self.builds, "failed")) as f:
            self.assertIn("reason 3 starts in vain, the last ended with exit status 9\n", f.read())

    def test_a_damaged_build_is_not_started(self):
        good, damaged = self.steady("1.0.0"), self.build("1.1.0", "#!/bin/sh\ntouch %s.ran\n" % self.notes)
        path = os.path.join(self.builds, damaged, "grid-agent")
        os.chmod(path, 0o700)
        with open(path, "a") as f:
            f.write("\n")
        self.link(current=damaged, previous=good)
        launcher = self.launch()
        wait_for("the previous build to run", self.noted)
        self.assertFalse(os.path.exists(self.notes + ".ran"))
        self.assertIn("is damaged", launcher.err())

    def test_without_a_build_before_it_goes_on_trying(self):
        self.link(current=self.build("1.0.0", "#!/bin/sh\necho x >>{0}; [ -e {0}.good ] || exit 1\nexec sleep 1000\n".format(self.notes)))
        launcher = self.launch()
        wait_for("more starts than three", lambda: len(self.noted()) > 4)
        self.assertTrue(launcher.running())
        self.assertIn("agent.no_way_back", launcher.err())
        open(self.notes + ".good", "w").close()
        self.stays(launcher)
        self.assertEqual(launcher.stop(), 128 + signal.SIGTERM)

    def test_a_full_disk_does_not_keep_the_agent_from_starting(self):
        if os.geteuid() != 0:
            self.skipTest("mounting a file system needs root")
        small = os.path.join(self.directory, "small")
        os.mkdir(small)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", small], capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest("a tmpfs cannot be mounted here: " + mounted.stderr.strip())
        self.addCleanup(subprocess.run, ["umount", "-l", small])
        self.state, self.builds = small, os.path.join(small, "agent")
        os.mkdir(self.builds)
        self.link(current=self.steady())
        launcher = self.launch()
        wait_for("the agent to run", self.noted)
        launcher.stop()
        os.remove(self.notes)
        with open(os.path.join(small, "filler"), "wb", 0) as f:
            try:
                while True:
                    f.write(bytes(4096))
            except OSError:
                pass
        launcher = self.launch()
        wait_for("the agent to run", self.noted)
        self.assertIn("launcher.not_saved", launcher.err())
        self.assertEqual(launcher.stop(), 7)

    def test_its_log_does_not_grow_without_bound(self):
        log, words = os.path.join(self.builds, "log"), b"words\n" * 800000
        with open(log, "wb") as f:
            f.write(words)
        self.link(current=self.steady())
        launcher = self.launch("--proven-after", "1s")
        wait_for("the log to be cut at the start", lambda: os.path.getsize(log) == 0)
        self.assertEqual(os.path.getsize(log + ".1"), len(words))
        with open(log, "ab") as f:
            f.write(words[:4 << 20])  # not yet too large
            f.flush()
            f.write(b"and more\n")
        wait_for("the log to be cut while the agent runs", lambda: os.path.getsize(log) == 0)
        with open(log + ".1", "rb") as f:
            self.assertTrue(f.read().endswith(b"and more\n"))
        self.assertEqual(launcher.stop(), 7)

    def test_the_state_directory_comes_from_the_environment_but_not_a_masters(self):
        self.link(current=self.steady())
        masters = os.path.join(self.directory, "master")
        os.mkdir(masters)
        open(os.path.join(masters, "grid.db"), "w").close()

        def run(**environment):
            return Process("grid-launcher", [], os.path.join(self.directory, "run"), environment)
        for environment in ({"GRID_AGENT_STATE": self.state, "GRID_STATE": "/elsewhere"}, {"GRID_STATE": self.state}):
            launcher = run(**environment)
            self.addCleanup(lambda l=launcher: l.running() and l.kill())
            wait_for("the agent to run", self.noted)
            self.assertEqual(launcher.stop(), 7)
            os.remove(self.notes)
        launcher = run(GRID_STATE=masters)
        self.assertEqual(launcher.wait(), 3)
        self.assertIn("./grid-agent-state: no agent is installed there", launcher.err())

    def test_nothing_installed_and_a_second_launcher_are_told_in_words(self):
        launcher = self.launch()
        self.assertEqual(launcher.wait(), 3)
        self.assertRegex(launcher.err(), r"no agent to start: .*current.*\nNext: .*gridctl agent join-command")
        self.link(current=self.steady())
        first = self.launch()
        wait_for("the agent to run", self.noted)
        second = Process("grid-launcher", ["--state", self.state], os.path.join(self.directory, "second"))
        self.assertEqual(second.wait(), 5)
        self.assertIn(str(first.pid), second.err())
        self.assertEqual(first.stop(), 7)
        lock = os.path.join(self.state, "agent", "lock")
        os.remove(lock)
        os.mkdir(lock)
        third = self.launch()
        self.assertNotEqual(third.wait(), 0)
        self.assertRegex(third.err(), r"lock: Is a directory\nNext: make .*agent a directory that")


if __name__ == "__main__":
    unittest.main(verbosity=2)
