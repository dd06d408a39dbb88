#!/usr/bin/python3
"""packaging/examples as people would run them, against a real grid: with curl alone, and the steps of the pipeline."""
import os, re, shutil, subprocess, sys, tempfile
import unittest

import yaml

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fleet import Fleet, NEW, NEWER, machines
from grid import PATIENCE_S, here, program, storage_server, wait_for

EXAMPLES = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../packaging/examples"))
BAD = "1.5.0"  # ends with 3 wherever it starts
QUICK = {"MIN_HEALTHY_S": "0.1", "PROBATION_S": "0.3", "MIN_HEALTHY": "100ms", "PROBATION": "300ms"}


class ExamplesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.addCleanup = cls.addClassCleanup  # the grid lives as long as the class
        cls.grid = Fleet(cls, machines(1, "a", "b"), master_arguments=("--rollout-quiet", "1s"))
        del cls.addCleanup
        cls.token = cls.grid.gridctl("token", "create", "--role", "publisher").stdout.strip()

    def setUp(self):
        for quarantined in self.grid.api("GET", "/api/quarantine"):
            self.grid.api("DELETE", "/api/quarantine/" + quarantined["digest"])
        self.directory = tempfile.mkdtemp(prefix="grid-e2e-")
        self.addCleanup(shutil.rmtree, self.directory)

    def build(self, version):
        path = os.path.join(self.directory, "storage-server-%s-%s" % (version, here()))
        shutil.copy(storage_server(version), path)
        return path

    def run_step(self, command, code=0, **env):
        """Runs a line of shell as a runner would: only the examples' own settings, gridctl in the path."""
        full = {k: v for k, v in os.environ.items() if not k.startswith("GRID_") and k != "NO_COLOR"}
        full.update(QUICK, GRID_URL=self.grid.master.url, GRID_TOKEN=self.token, HOME=self.directory,
                    PATH=os.path.dirname(program("gridctl")) + ":" + os.environ["PATH"])
        full.update(env)
        result = subprocess.run(["bash", "-e", "-c", command], cwd=self.directory, env=full, capture_output=True, text=True,
                                timeout=PATIENCE_S * 2, stdin=subprocess.DEVNULL)
        self.assertEqual(result.returncode, code, "%s\nstdout: %s\nstderr: %s" % (command, result.stdout, result.stderr))
        return result.stdout + result.stderr

    def versions(self):
        return {agent: self.grid.show(agent)["version"] for agent in self.grid.labels}

    def test_rolling_update_with_curl_alone(self):
        script = os.path.join(EXAMPLES, "rolling-update.sh") + " "
        self.run_step(script, code=2)
        self.assertIn("no answer", self.run_step(script + self.build(NEW), code=1, GRID_URL="http://127.0.0.1:1"))
        self.assertIn("401", self.run_step(script + self.build(NEW), code=1, GRID_TOKEN="gt_0000000000000000.x"))
        before = self.versions()
        some = self.run_step(script + self.build(NEWER) + " rack=a", CANARY="1")
        self.assertIn("1 agents would move", some)
        self.assertRegex(some, r"r-\d+ completed: 1 of 1 moved, 0 failed, 0 went back")
        after = self.versions()
        self.assertEqual(after, dict(before, **{"a-1": NEWER}))
        bad = self.run_step(script + self.build(BAD), code=7, MAX_PARALLEL="1")
        self.assertRegex(bad, r"r-\d+ ended as reverted: .*[ab]-1")
        failed = re.findall(r'"agent_id":"[ab]-1".*"diagnosis":"[^"]*exit 3', bad)
        self.assertEqual(len(failed), 1, bad)
        self.assertEqual(self.versions(), after)
        refused = self.run_step(script + self.build(BAD), code=1)
        self.assertRegex(refused, r"refused: .*quarantine")
        self.assertRegex(refused, r"next: \w+")
        late = self.run_step(script + self.build(NEW), code=124, GRID_TIMEOUT_S="0", PROBATION_S="60")
        rollout = re.search(r"(r-\d+) goes on", late).group(1)
        self.grid.api("POST", "/api/rollouts/%s/rollback" % rollout)
        wait_for("it to end", lambda: self.grid.api("GET", "/api/rollouts/" + rollout)["state"] == "reverted")

    def steps(self, tag):
        """What the runner does for this tag: (name, command, only after a failure, settings)."""
        with open(os.path.join(EXAMPLES, "ci-pipeline.yml")) as f:
            pipeline = f.read()
        pipeline = pipeline.replace("${{ github.ref_name }}", tag).replace("linux-x86_64", here())
        job = yaml.safe_load(pipeline)["jobs"]["deploy"]
        env = {k: v for k, v in job["env"].items() if not k.startswith("GRID_")}
        return [(s["name"], s["run"], "if" in s, env) for s in job["steps"] if "run" in s]

    def pipeline(self, tag):
        """Everything shown, by step, and the exit code of the step that failed."""
        shown, code = {}, 0
        for name, command, after_failure, env in self.steps(tag):
            if after_failure != (code != 0):
                continue
            try:
                shown[name] = self.run_step(command, **env)
            except AssertionError as error:
                shown[name] = str(error)
                code = int(re.match(r"(\d+) != 0", shown[name]).group(1))
        return shown, code

    def test_the_pipeline_deploys_and_fails_with_a_diagnosis(self):
        os.symlink(os.path.dirname(EXAMPLES), os.path.join(self.directory, "packaging"))
        with open(os.path.join(self.directory, "Makefile"), "w") as f:
            f.write("dist/%%: ; mkdir -p dist && cp %s/storage-server-$$(echo $* | cut -d- -f3) $@\n" %
                    os.path.dirname(storage_server(NEW)))
        shown, code = self.pipeline(NEW)
        self.assertEqual(code, 0, shown)
        self.assertEqual(list(shown), ["Build", "Publish and verify", "Plan", "Roll out"])
        self.assertIn("At risk   1 at once", shown["Plan"])
        self.assertRegex(shown["Roll out"], r"r-\d+ completed")
        self.assertEqual(set(self.versions().values()), {NEW})
        shown, code = self.pipeline(BAD)
        self.assertEqual(code, 7, shown)
        self.assertRegex(shown["Roll out"], r"r-\d+ reverted")
        self.assertRegex(shown["Diagnose"], r"(?m)^[ab]-1:\n  ")
        self.assertIn(BAD, shown["Diagnose"])
        self.assertEqual(set(self.versions().values()), {NEW})
        by_hand = os.path.join(EXAMPLES, "deploy.sh ")
        self.run_step(by_hand, code=2)
        self.assertIn("quarantine", self.run_step(by_hand + self.build(BAD), code=5))
        self.assertRegex(self.run_step(by_hand + self.build(NEWER), SELECTOR="rack=a"), r"r-\d+ completed")


if __name__ == "__main__":
    unittest.main()
