#!/usr/bin/python3
"""A master as a program: secrets that stay secret, metrics, options and first words."""
import json, os, re, sqlite3, subprocess, sys, time, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from grid import Grid, Process, program, wait_for
from master_case import Test


class Secrets(Test):
    arguments = ("--log-level", "debug")

    def files(self):
        for folder, _, names in os.walk(self.grid.directory):
            for name in names:
                path = os.path.join(folder, name)
                if name != "admin.token" and os.path.isfile(path) and not os.path.islink(path):
                    with open(path, "rb") as f:
                        yield path, f.read()

    def test_no_log_event_or_file_holds_a_token(self):
        admin = self.grid.token
        viewer, join = self.role("viewer"), self.grid.api("POST", "/api/tokens", {"kind": "join", "uses": 2})
        wrong = admin[:-1] + ("A" if admin[-1] != "A" else "B")
        self.grid.agent("a-1", join=join["join"])
        wait_for("the agent", lambda: self.grid.show("a-1")["status"] == "up")
        for token in (admin, viewer, wrong, join["secret"]):
            self.get("/api/summary", token=token)
            self.get("/api/keys", token=token)
            self.grid.request("GET", "/api/summary", headers={"X-API-Key": token}, token=None)
            self.grid.request("POST", "/api/tokens", {"kind": "api", "role": token}, token=admin)
            self.grid.request("PATCH", "/api/agents/a-1", {"labels": {"x": token[:60]}}, token=viewer)
            self.get("/healthz?token=" + token)
            self.get("/" + token)
        self.grid.request("POST", "/api/backup")
        listed = json.dumps([self.grid.api("GET", "/api/tokens"), self.grid.events(), self.grid.api("GET", "/api/agents")])
        secrets = {name: token.split(".")[1] for name, token in (("admin", admin), ("viewer", viewer), ("wrong", wrong), ("join", join["secret"]))}
        self.assertEqual({len(s) for s in secrets.values()}, {43})
        self.grid.master.stop()
        for name, secret in secrets.items():
            self.assertNotIn(secret, listed, name)
            for path, content in self.files():
                self.assertNotIn(secret.encode(), content, "%s in %s" % (name, path))

    def test_state_is_for_the_owner_only(self):
        for name in ("admin.token", "grid.db", "keys/master.key", "keys/release.key"):
            self.assertEqual(os.stat(os.path.join(self.grid.master.state, name)).st_mode & 0o077, 0, name)
        self.assertEqual(os.stat(self.grid.master.state).st_mode & 0o077, 0)

    def test_secrets_are_stored_hashed(self):
        self.role("viewer")
        database = sqlite3.connect("file:%s?mode=ro" % os.path.join(self.grid.master.state, "grid.db"), uri=True)
        self.addCleanup(database.close)
        hashes = [row[0] for row in database.execute("SELECT hash FROM token")]
        self.assertEqual(len(hashes), 2)
        for value in hashes:
            self.assertRegex(value, "^[0-9a-f]{64}$")


class Metrics(Test):
    LINE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\n"])*",?)*)\})? (-?[0-9.e+-]+|\+Inf|NaN)$')

    def read(self):
        """{sample: value}, after checking the exposition's form."""
        answer = self.get("/metrics")
        self.assertEqual(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        words, samples, family, kinds = answer.body.decode(), {}, None, {}
        self.assertTrue(words.endswith("\n"))
        for line in words.splitlines():
            if line.startswith("# HELP "):
                family = line.split()[2]
                self.assertNotIn(family, kinds, "the family comes twice")
                self.assertTrue(line.split(" ", 3)[3].endswith("."))
            elif line.startswith("# TYPE "):
                self.assertEqual(line.split()[2], family)
                kinds[family] = line.split()[3]
            else:
                name, labels, value = self.LINE.match(line).groups()
                self.assertIn(name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") if kinds[family] == "histogram"
                              else name, (family,), line)
                sample = "%s{%s}" % (name, labels or "")
                self.assertNotIn(sample, samples)
                samples[sample] = float(value)
                self.assertEqual(kinds[family] == "counter", name.endswith("_total"), name)
        return samples

    def test_exposition_is_well_formed_and_counts(self):
        self.grid.agent("a-1")
        wait_for("the agent", lambda: self.grid.show("a-1")["status"] == "up")
        self.publish()
        self.get("/api/nodes/nobody", token=self.grid.token)
        samples = wait_for("the parked heartbeat", lambda: (lambda s: s if s["grid_heartbeats_parked{}"] == 1 else None)(self.read()))
        self.assertEqual(samples['grid_agents{status="up"}'], 1)
        self.assertEqual(samples['grid_agents{status="lost"}'], 0)
        self.assertEqual(samples["grid_binaries{}"], 1)
        self.assertGreaterEqual(samples["grid_heartbeats_total{}"], 1)
        self.assertEqual([v for s, v in samples.items() if s.startswith("grid_build_info")], [1])
        route = 'grid_http_request_duration_seconds_%s{route="/api/nodes/:id",status="4xx"%s}'
        self.assertEqual(samples[route % ("count", "")], 1)
        self.assertEqual(samples[route % ("bucket", ',le="+Inf"')], 1)
        self.assertGreater(samples["grid_db_commit_duration_seconds_count{}"], 0)
        self.assertGreater(samples["grid_http_sent_bytes_total{}"], 100)

    def test_buckets_grow_and_end_with_the_count(self):
        samples = self.read()
        buckets = [v for s, v in samples.items() if s.startswith("grid_db_commit_duration_seconds_bucket")]
        self.assertEqual(buckets, sorted(buckets))
        self.assertEqual(buckets[-1], samples["grid_db_commit_duration_seconds_count{}"])

    def test_agents_and_files_do_not_become_labels(self):
        self.publish()
        self.get("/binaries/storage-server-1.0.0-linux-x86_64")
        self.get("/no/such/path-%d" % time.time_ns())
        self.assertFalse([s for s in self.read() if "storage-server-1" in s or "/no/such" in s])


class Options(unittest.TestCase):
    def run_master(self, *arguments, **environment):
        return subprocess.run([program("grid-master"), *arguments], capture_output=True, text=True, timeout=60, cwd=self.directory,
                              env=dict({k: v for k, v in os.environ.items() if not k.startswith("GRID_")}, **environment))

    def setUp(self):
        self.grid = Grid(self, start=False)
        self.directory = self.grid.directory

    def test_help_shows_the_values_in_force(self):
        said = self.run_master("--help", "--heartbeat", "7s", HTTP_PORT="7123")
        self.assertEqual((said.returncode, said.stderr), (0, ""))
        for words in ("--heartbeat", "7s", "7123", "--state", "GRID_STATE", "insecure"):
            self.assertIn(words, said.stdout)

    def test_version(self):
        self.assertRegex(self.run_master("--version").stdout, r"^grid-master \d+\.\d+\.\d+\n$")

    def test_wrong_use_is_said_and_exits_with_2(self):
        for arguments, words in ((["--colour"], "colour"), (["extra"], "extra"), (["--heartbeat", "soon"], "heartbeat"),
                                 (["--heartbeat", "10s", "--suspect-after", "5s"], "suspect-after"), (["--http", "0.0.0.0:0", "--tls", "off"], "insecure"),
                                 (["--bus", "0.0.0.0:0", "--tls", "off"], "insecure"), (["--tls", "maybe"], "auto, on, off"), (["--tls-key", "k"], "--tls-cert"), (["--tls", "off", "--tls-name", "a"], "--tls-name needs TLS"), (["--tls-name", "a b,c"], "neither a host name"), (["--require-client-cert"], "--client-ca"), (["--http", "99999"], "65535"), (["--bus", "x:y"], "65535"), (["--require-signature", "maybe"], "auto, on, off"),
                                 (["--log-level", "loud"], "debug"), (["--log-format", "xml"], "json"), (["--max-agents", "0"], "max-agents"),
                                 (["--bus-connections-per-address", "-1"], "bus-connections-per-address")):
            said = self.run_master(*arguments, "--state", self.directory + "/state")
            self.assertEqual(said.returncode, 2, (arguments, said.stderr))
            self.assertIn(words, said.stderr)
            self.assertEqual(said.stdout, "")
        self.assertFalse(os.path.exists(self.directory + "/state/grid.db"), "something was made all the same")

    def test_a_file_of_client_cas_that_is_none_is_named(self):
        for path, words in (("/nonexistent/ca.pem", "No such file"), (__file__, "no certificate in PEM")):
            said = self.run_master("--http", "0", "--bus", "0", "--client-ca", path, "--state", self.directory + "/state")
            self.assertEqual(said.returncode, 1)
            for part in (path, words, "CAs whose clients may come"):
                self.assertIn(part, said.stderr)

    def test_settings_come_from_flag_then_environment_then_file(self):
        path = os.path.join(self.directory, "master.conf")
        with open(path, "w") as f:
            f.write('[master]\nheartbeat = "6s"\nsuspect_after = 31s\nlost_after = 61s\n')
        said = self.run_master("--config", path, "--heartbeat", "8s", "--help", GRID_SUSPECT_AFTER="32s").stdout
        for words in ("8s", "32s", "61s"):
            self.assertIn(words, said)
        with open(path, "a") as f:
            f.write("colour = red\n")
        said = self.run_master("--config", path)
        self.assertEqual(said.returncode, 2)
        self.assertIn("colour", said.stderr)
        self.assertIn(":5", said.stderr)

    def test_insecure_listens_everywhere_and_warns(self):
        master = Process("grid-master", ["--state", self.directory + "/state", "--binaries", self.directory + "/b", "--http", "0.0.0.0:0",
                                         "--bus", "0", "--insecure"], self.directory + "/run")
        self.grid.other.append(master)
        wait_for("its address", lambda: "http http://0.0.0.0:" in master.out())
        self.assertIn("master.insecure", master.err())
        self.assertEqual(master.stop(), 0)

    def test_first_start_says_what_to_type_and_the_second_does_not(self):
        self.grid.start_master()
        self.assertIn("gridctl status", self.grid.master.out())
        self.assertIn("gridctl agent join-command", self.grid.master.out())
        with open(os.path.join(self.grid.master.state, "url")) as f:
            self.assertEqual(f.read(), self.grid.master.url + "\n")
        before = len(self.grid.master.out())
        self.assertEqual(self.grid.master.stop(), 0)
        self.grid.start_master()
        self.assertNotIn("gridctl", self.grid.master.out()[before:])

    def test_log_lines_can_be_json(self):
        self.grid.master_arguments = ["--log-format", "json"]
        self.grid.start_master()
        self.grid.master.stop()
        for line in self.grid.master.err().splitlines():
            self.assertIn("event", json.loads(line))


if __name__ == "__main__":
    unittest.main()
