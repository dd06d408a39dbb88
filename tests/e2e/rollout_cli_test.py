#!/usr/bin/python3
"""Rollouts by gridctl, against a real grid: what is shown, asked, waited for, and how it exits."""
import json, os, re, signal, subprocess, sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fleet import Fleet, NEW, NEWER, OLD, SOON, machines
from grid import PATIENCE_S, program, sha256, storage_server, wait_for
from relay import Relay
from terminal import on_terminal

BAD = "1.5.0"  # ends with 3 wherever it starts
QUICK = ("--canary", "1", "--max-parallel", "1", "--min-healthy", "100ms", "--probation", "300ms", "--healthy-deadline", "300s",
         "--auto-promote", "0s")


def said(result):
    return "exit %d\nstdout: %s\nstderr: %s" % (result.returncode, result.stdout, result.stderr)


class LostAnswers(Relay):
    """Cuts the connection instead of giving the first answer to a start."""

    def __init__(self, target):
        self.lost = 0
        super().__init__(target)

    def keys(self):
        return [key for head in self.heads if head.startswith("POST /api/rollouts HTTP")
                for key in re.findall(r"(?i)idempotency-key: (\S+)", head)]

    def cut_before(self, connection, from_client, data):
        if from_client or self.lost or not connection["head"].startswith("POST /api/rollouts HTTP"):
            return False
        self.lost += 1
        return True


class RolloutCliTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.addCleanup = cls.addClassCleanup  # the grid lives as long as the class
        cls.grid = Fleet(cls, machines(1, "a", "b"), master_arguments=(*SOON, "--rollout-quiet", "1s"))
        del cls.addCleanup
        for version in (NEW, NEWER, BAD):
            cls.grid.publish(version)

    def other(self):
        """A good version that the machines do not run."""
        return NEW if self.grid.show("a-1")["version"] != NEW else NEWER

    def run_ok(self, *arguments, code=0, **options):
        result = self.grid.gridctl(*arguments, **options)
        self.assertEqual(result.returncode, code, said(result))
        self.assertNotIn("\033", result.stdout + result.stderr)
        return result

    def run_json(self, *arguments):
        return json.loads(self.run_ok(*arguments, "-o", "json").stdout)

    def begin(self, *arguments):
        """Starts one without waiting for it; its id."""
        return self.run_ok("rollout", "start", *arguments, "--yes", "--no-wait", "-o", "name").stdout.strip()

    def state(self, rollout):
        return self.grid.api("GET", "/api/rollouts/" + rollout)["state"]

    def wait_state(self, rollout, *states):
        return wait_for("%s to be %s" % (rollout, states), lambda: self.state(rollout) in states)

    def env(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith("GRID_")}
        return dict(env, GRID_URL=self.grid.master.url, GRID_TOKEN=self.grid.token, LC_ALL="C.UTF-8", HOME=self.grid.directory)

    def on_terminal(self, *arguments, **options):
        return on_terminal(arguments, self.env(), self.grid.directory, **options)

    def test_a_plan_starts_nothing(self):
        before = self.run_json("rollout", "list")
        plan = self.run_ok("rollout", "plan", "--version", self.other(), *QUICK).stdout
        self.assertRegex(plan, r"storage-server \S+ for 2 agents in 2 batches\n")
        self.assertRegex(plan, r"1 +canary +\S+ +[ab]-1\n +2 +rolling")
        self.assertRegex(plan, r"At risk +1 at once, 1 before the first check")
        self.assertEqual(plan, self.run_ok("rollout", "start", "--version", self.other(), *QUICK, "--dry-run").stdout)
        self.assertEqual(self.run_json("rollout", "plan", "--version", self.other())["selected"], 2)
        self.assertEqual(self.run_json("rollout", "list"), before)
        code, shown = self.on_terminal("rollout", "start", "--version", self.other(), answer="n\n")
        self.assertEqual(code, 1, shown)
        self.assertRegex(shown, r"Move 2 agents to storage-server \S+\? \[y/N\]")
        self.assertIn("nothing was done", shown)
        self.assertEqual(self.run_json("rollout", "list"), before)

    def test_what_is_wrong_is_named_with_the_next_step(self):
        for code, words, hint, arguments in (
                (2, "rollout start asks before it acts", "--yes", ("start", "--version", NEW)),
                (2, "needs --version", "gridctl binary list", ("plan",)),
                (2, "--canary takes a number", "--help", ("plan", "--version", NEW, "--canary", "some")),
                (3, "9.9.9", "gridctl", ("plan", "--version", "9.9.9")),
                (3, "r-999", "gridctl rollout list", ("status", "r-999"))):
            stderr = self.run_ok("rollout", *arguments, code=code).stderr
            self.assertIn(words, stderr)
            self.assertIn(hint, stderr)

    def test_ctrl_c_leaves_it_running_and_it_can_be_watched_again(self):
        version = self.other()
        self.grid.hold(version)
        watching = subprocess.Popen([program("gridctl"), "rollout", "start", "--version", version, *QUICK, "--yes"],
                                    env=self.env(), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        seen = ""
        while "in flight" not in seen:
            line = watching.stderr.readline()
            self.assertTrue(line, seen)
            seen += line
        watching.send_signal(signal.SIGINT)
        stdout, stderr = watching.communicate(timeout=PATIENCE_S)
        self.assertEqual((watching.returncode, stdout), (130, ""))
        rollout = re.search(r"(r-\d+) goes on\. Watch it again: gridctl rollout status \1 --wait\n", stderr).group(1)
        self.assertRegex(seen, r"%s  > [ab]-1  \w+  in [ab]\n" % rollout)
        self.assertRegex(self.run_ok("status").stdout, r"Rollout %s  %s  " % (rollout, re.escape(version)))
        code, shown = self.on_terminal("rollout", "status", rollout, "--wait", once=(rollout, self.grid.let_go))
        self.assertEqual(code, 0, shown)
        self.assertIn("\033[J", shown)  # redrawn in place
        frames = re.sub(r"\033\[[0-9;]*[A-Za-z]", "", shown)
        self.assertLess(max(map(len, frames.split("\r\n"))), 80)
        self.assertRegex(frames, r"canary  █{10}  1/1")
        self.assertRegex(frames, r"%s completed: storage-server %s, 2 of 2 committed" % (rollout, re.escape(version)))
        self.assertRegex(self.run_ok("rollout", "status", rollout).stdout, r"State +completed\n")
        wide = self.run_ok("rollout", "status", "-o", "wide").stdout
        self.assertRegex(wide, r"a-1 +committed")
        self.assertIn(rollout, self.run_ok("rollout", "list", "-o", "name").stdout.split())
        self.assertIn("no active rollouts", self.run_ok("rollout", "list", "--active").stderr)
        self.assertIn(rollout, self.run_ok("agent", "why", "a-1").stdout)

    def test_a_bad_version_comes_back_with_exit_7_and_its_diagnosis(self):
        before = self.grid.show("a-1")["version"]
        result = self.run_ok("rollout", "start", "--version", BAD, *QUICK, "--yes", code=7)
        rollout = re.match(r"(r-\d+) reverted: storage-server %s" % re.escape(BAD), result.stdout).group(1)
        self.assertRegex(result.stdout, r"because .*[ab]-1")
        self.assertRegex(result.stdout, r"(?m)^[ab]-1:\n  ")  # its diagnosis
        self.assertIn("%s  x " % rollout, result.stderr)
        self.assertIn("Next: publish a mended build; gridctl quarantine list", result.stderr)
        self.run_ok("rollout", "status", rollout, "--wait", code=7)
        self.assertEqual({self.grid.show(a)["version"] for a in self.grid.labels}, {before})
        digest = sha256(storage_server(BAD))
        self.assertEqual(self.run_ok("quarantine", "list", "-o", "name").stdout, digest + "\n")
        self.assertRegex(self.run_ok("quarantine", "list").stdout, r"storage-server +%s +%s" % (re.escape(BAD), digest[:12]))
        shown = self.run_ok("quarantine", "show", digest[:12]).stdout
        self.assertRegex(shown, r"Rollout +%s\n" % rollout)
        self.assertRegex(shown, r"Reason +failed on [ab]-1 in rollout %s: " % rollout)
        self.assertEqual(self.run_json("quarantine", "show", digest), self.run_json("quarantine", "list")[0])
        self.run_ok("quarantine", "show", "0" * 64, code=3)
        self.assertRegex(self.grid.gridctl("doctor").stdout, r"warn +quarantine +storage-server %s" % re.escape(BAD))
        refused = self.run_ok("rollout", "start", "--version", BAD, *QUICK, "--yes", code=5)
        self.assertRegex(refused.stderr, r"quarantined: .*\nNext: .*--override-quarantine\n")
        self.run_ok("rollout", "plan", "--version", BAD, code=5)
        self.run_ok("rollout", "plan", "--version", BAD, "--override-quarantine")
        self.run_ok("quarantine", "lift", digest[:12], "--yes")
        self.assertEqual(self.run_json("quarantine", "list"), [])

    def test_a_lost_answer_starts_nothing_twice_and_a_lost_master_is_waited_for(self):
        lost = LostAnswers(self.grid.master.url)
        self.addCleanup(lost.close)
        known = set(self.run_ok("rollout", "list", "-o", "name").stdout.split())
        version = self.other()
        rollout = self.begin("--version", version, *QUICK, "--auto-promote", "never", "--url", lost.url)
        self.assertEqual(lost.lost, 1)
        self.assertEqual(len(lost.keys()), 2)
        self.assertEqual(len(set(lost.keys())), 1)
        self.assertEqual(set(self.run_ok("rollout", "list", "-o", "name").stdout.split()) - known, {rollout})
        self.wait_state(rollout, "await_promote")
        self.assertIn("Next: gridctl rollout promote " + rollout, self.run_ok("rollout", "status", rollout).stderr)
        late = self.run_ok("rollout", "status", rollout, "--wait", "--timeout", "3s", code=124).stderr
        self.assertIn("has not ended within --timeout, and goes on\nNext: gridctl rollout status %s --wait" % rollout, late)
        self.assertIn("Next: gridctl rollout promote " + rollout, late)
        self.grid.hold(version, [m["agent_id"] for m in self.grid.api("GET", "/api/rollouts/%s/agents?state=waiting" % rollout)])
        watching = subprocess.Popen([program("gridctl"), "rollout", "promote", rollout, "--wait"], env=self.env(),
                                    stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.wait_state(rollout, "rolling")
        self.grid.master.kill()
        seen = ""
        while "trying again until it is back" not in seen:
            line = watching.stderr.readline()
            self.assertTrue(line, seen)
            seen += line
        self.grid.start_master()
        self.grid.let_go()
        stdout, stderr = watching.communicate(timeout=PATIENCE_S)
        self.assertEqual(watching.returncode, 0, stdout + stderr)
        self.assertIn("the master is back\n", stderr)
        self.assertIn(rollout + " completed", stdout)

    def test_pause_resume_stop_and_rollback(self):
        rollout = self.begin("--version", self.other(), *QUICK, "--auto-promote", "never")
        self.wait_state(rollout, "await_promote")
        paused = self.run_ok("rollout", "pause", rollout)
        self.assertRegex(paused.stdout, r"%s is paused in await_promote \(operator\), 1 of 2 committed\n" % rollout)
        self.assertIn("Next: gridctl rollout resume " + rollout, paused.stderr)
        self.assertIn("Next: gridctl rollout status " + rollout, self.run_ok("status").stdout)
        self.assertRegex(self.grid.gridctl("doctor").stdout, r"warn +rollout +%s to \S+ is paused" % rollout)
        self.assertEqual(self.run_ok("rollout", "list", "--active", "-o", "name").stdout, rollout + "\n")
        self.run_ok("rollout", "promote", rollout, code=5)
        overlaps = self.run_ok("rollout", "start", "--version", OLD, *QUICK, "--yes", code=5).stderr
        self.assertRegex(overlaps, r"is being moved by rollout %s .*\nNext: .*--supersede\n" % rollout)
        self.assertIn("is await_promote", self.run_ok("rollout", "resume", rollout).stdout)
        self.run_ok("rollout", "stop", rollout, code=2)  # asks
        self.assertIn("would stop", self.run_ok("rollout", "stop", rollout, "--dry-run").stdout)
        self.assertIn(rollout + " is stopped", self.run_ok("rollout", "stop", rollout, "--yes").stdout)
        self.run_ok("rollout", "status", rollout, "--wait", code=7)
        back = self.run_ok("rollout", "rollback", rollout, "--yes", "--wait")
        self.assertRegex(back.stdout, r"%s reverted: .* 1 of 1 returned" % rollout)

    def test_a_pin_keeps_a_machine_out(self):
        version = self.grid.show("b-1")["version"]
        self.assertIn("b-1 is pinned to " + version, self.run_ok("agent", "pin", "b-1", version).stdout)
        self.assertRegex(self.run_ok("agent", "why", "b-1").stdout, r"Decided by +pin\n")
        self.assertRegex(self.run_ok("agent", "show", "b-1").stdout, r"Pin +%s\n" % re.escape(version))
        self.assertRegex(self.run_ok("rollout", "plan", "--version", self.other()).stdout, r"Excluded +b-1: ")
        self.run_ok("agent", "pin", "b-1", "9.9.9", code=3)
        self.assertIn("would unpin", self.run_ok("agent", "unpin", "b-1", "--dry-run").stdout)
        self.assertIn("b-1 is not pinned", self.run_ok("agent", "unpin", "b-1").stdout)
        self.assertEqual(self.run_json("rollout", "plan", "--version", self.other())["excluded"], [])

    def test_a_floor_forbids_what_is_below(self):
        self.assertEqual(self.run_ok("binary", "floor").stdout, "")
        self.run_ok("binary", "floor", "storage-server", BAD, code=5)  # what runs is below
        self.assertIn("below " + OLD, self.run_ok("binary", "floor", "storage-server", OLD).stdout)
        self.assertRegex(self.run_ok("binary", "floor").stdout, r"storage-server +%s" % re.escape(OLD))
        self.run_ok("binary", "floor", "storage-server", "--clear", "--yes")
        self.assertEqual(self.run_json("binary", "floor"), [])
        self.run_ok("binary", "floor", "storage-server", code=2)

    def test_completion_offers_rollouts(self):
        rollouts = self.run_ok("rollout", "list", "-o", "name").stdout.split()
        ask = 'source <(gridctl completion bash); COMP_LINE=$1 COMP_POINT=${#1}; _gridctl; printf "%s\\n" "${COMPREPLY[@]}"'
        env = dict(self.env(), PATH=os.path.dirname(program("gridctl")) + ":" + os.environ["PATH"])
        for line, offered in (("gridctl rollout pause ", rollouts), ("gridctl rollout start --top", ["--topology"]),
                              ("gridctl rollout sta", ["start", "status"]), ("gridctl rollout start --selector ", [])):
            result = subprocess.run(["bash", "--norc", "-c", ask, "bash", line], env=env, capture_output=True, text=True,
                                    timeout=PATIENCE_S, stdin=subprocess.DEVNULL)
            self.assertEqual(result.stdout.split(), offered, line)


if __name__ == "__main__":
    unittest.main()
