#!/usr/bin/python3
"""gridctl against a real master: what it prints where, how it exits, and that an upload survives a cut."""
import json, os, re, shutil, signal, socket, subprocess, sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from grid import Grid, PATIENCE_S, program, sha256, storage_server, wait_for
from relay import Relay
from terminal import on_terminal

ANY = "storage-server-%s-any-any"  # a build for every machine: any bytes will do


def read(path, mode="r"):
    with open(path, mode) as f:
        return f.read()


def said(result):
    return "exit %d\nstdout: %s\nstderr: %s" % (result.returncode, result.stdout, result.stderr)


class CutUploads(Relay):
    """Cuts each of the first `cuts` uploads after so many bytes, which have reached the master then."""

    def __init__(self, target, cut_after, cuts):
        self.limit, self.cuts = cut_after, cuts
        super().__init__(target)

    def cut_after(self, connection, from_client, data):
        if from_client and data.startswith(connection["head"].encode()):
            connection["sent"] = 0
        if from_client:
            connection["sent"] += len(data)
        if self.cuts == 0 or not connection["head"].startswith("PUT") or connection["sent"] <= self.limit:
            return False
        self.cuts -= 1
        return True


class GridctlTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.addCleanup = cls.addClassCleanup  # the grid lives as long as the class
        cls.grid = Grid(cls)
        del cls.addCleanup

    def run_ok(self, *arguments, **options):
        result = self.grid.gridctl(*arguments, **options)
        self.assertEqual(result.returncode, 0, said(result))
        self.assertNotIn("\033", result.stdout + result.stderr)
        return result.stdout

    def run_json(self, *arguments, **options):
        return json.loads(self.run_ok(*arguments, "-o", "json", **options))

    def run_bad(self, code, words, *arguments, **options):
        """Fails with this exit code and these words on stderr, and says nothing on stdout."""
        result = self.grid.gridctl(*arguments, **options)
        self.assertEqual(result.returncode, code, said(result))
        self.assertIn(words, result.stderr)
        self.assertEqual(result.stdout, "")
        return result.stderr

    def write(self, name, content):
        path = os.path.join(self.grid.directory, name)
        with open(path, "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        return path

    def on_terminal(self, *arguments, env=None, columns=100, **options):
        full = dict(os.environ, GRID_URL=self.grid.master.url, GRID_TOKEN=self.grid.token, HOME=self.grid.directory, **(env or {}))
        if "NO_COLOR" not in (env or {}):
            full.pop("NO_COLOR", None)
        return on_terminal(arguments, full, self.grid.directory, columns=columns, **options)

    def test_help_and_version_need_no_master(self):
        nowhere = ("--url", "http://127.0.0.1:1")
        self.assertIn("agent join-command", self.run_ok("--help", *nowhere))
        self.assertIn("Usage: gridctl agent drain [options] ID...", self.run_ok("agent", "drain", "--help", *nowhere))
        self.assertIn("binary push", self.run_ok("help", "binary", *nowhere))
        self.assertRegex(self.run_ok("--version", *nowhere), r"^gridctl \d+\.\d+\.\d+\n$")
        self.assertRegex(self.run_ok("version", *nowhere), r"^gridctl \d")
        self.assertIn(self.grid.master.url, self.run_ok("version"))

    def test_usage_errors_exit_with_2_and_suggest(self):
        self.assertIn('did you mean "gridctl agent list"?', self.run_bad(2, 'no verb "lst"', "agent", "lst"))
        self.assertIn("did you mean --force?", self.run_bad(2, "unknown option --forse", "agent", "rm", "x", "--forse"))
        self.run_bad(2, "agent show needs ID", "agent", "show")
        self.run_bad(2, "table, wide, json or name", "agent", "list", "-o", "yaml")
        self.run_bad(2, "has no -o name", "status", "-o", "name")
        self.run_bad(2, "--filter takes NAME=VALUE", "agent", "list", "--filter", "up")
        self.run_bad(2, "must not hold a user name", "status", "--url", "http://u:p@127.0.0.1:1")

    def test_a_master_that_is_away_is_exit_6(self):
        words = self.run_bad(6, "no master answers at http://127.0.0.1:1", "status", "--url", "http://127.0.0.1:1")
        self.assertIn("Next: ", words)
        result = self.grid.gridctl("doctor", "--url", "http://127.0.0.1:1")
        self.assertEqual(result.returncode, 6, said(result))
        self.assertIn("fail", result.stdout)

    def test_a_master_that_is_silent_is_exit_124(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = "http://127.0.0.1:%d" % silent.getsockname()[1]
            self.run_bad(124, "--timeout", "status", "--timeout", "200ms", "--url", url)

    def test_full_disk_under_stdout_is_an_error(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([program("gridctl"), "--help"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.returncode, 1)
        self.assertIn("No space left", result.stderr)

    def test_status_and_doctor_say_what_comes_next(self):
        out = self.run_ok("status")
        self.assertRegex(out, r"^local  http://127\.0\.0\.1:\d+  master \d+\.\d+\.\d+  up ")
        self.assertRegex(out, r"(?m)^Next: gridctl ")
        self.assertEqual(self.run_json("status")["version"], self.run_json("version")["master"])
        result = self.grid.gridctl("doctor")
        self.assertIn("answers and is ready", result.stdout)
        checks = {c["check"]: c["state"] for c in json.loads(self.grid.gridctl("doctor", "-o", "json").stdout)}
        self.assertEqual(checks["token"], "ok")
        self.assertEqual(checks["clock"], "ok")

    def test_api_passes_requests_and_problems_on(self):
        self.assertEqual(json.loads(self.run_ok("api", "get", "/healthz")), {"status": "ok"})
        self.run_bad(3, "", "api", "GET", "/api/agents/no-such-agent")
        self.run_bad(2, "not a path", "api", "GET", "api/agents")
        body = self.write("order.json", '{"kind":"api","role":"viewer","expires_s":60}')
        self.assertIn("secret", json.loads(self.run_ok("api", "POST", "/api/tokens", "--data", "@" + body)))
        self.assertIn("secret", json.loads(self.run_ok("api", "POST", "/api/tokens", "--data", "-", stdin=read(body))))
        self.assertEqual(self.run_ok("api", "DELETE", "/api/tokens/x", "--dry-run"), "would DELETE /api/tokens/x with 0 bytes\n")

    def test_what_is_not_there_is_exit_3_with_the_list_to_look_at(self):
        self.assertIn("Next: ", self.run_bad(3, "no-such-agent", "agent", "show", "no-such-agent"))
        self.run_bad(3, "", "node", "show", "no-such-agent/0")
        self.run_bad(3, "", "binary", "show", "storage-server-99.0.0-linux-x86_64")
        self.run_bad(1, "", "binary", "show", "nonsense")
        self.run_bad(3, "", "channel", "set", "stable", "99.0.0")

    def test_unknown_filters_are_refused_by_name(self):
        self.assertIn("status", self.run_bad(1, "", "agent", "list", "--filter", "colour=red"))

    def verify_by_root(self, name, path):
        trust = self.grid.api("GET", "/api/trust")
        roles = {role["name"]: role for role in trust["roles"]}
        told = self.run_ok("binary", "verify", path)
        self.assertIn(" is " + name, told)
        chain = ("targets", "snapshot", "timestamp", "root")
        words = ", ".join("%s %d by %s (1 needed)" % (r, roles[r]["version"], roles[r]["keys"][0]["key_id"]) for r in chain)
        self.assertIn("vouched for by " + words, told)
        root = "1." + trust["root_sha256"]
        verdict = self.run_json("binary", "verify", path, "--root", root)
        self.assertTrue(verdict["valid"])
        for role in chain:
            self.assertEqual((verdict[role + "_version"], verdict[role + "_threshold"], verdict[role + "_keys"]),
                             (roles[role]["version"], 1, [roles[role]["keys"][0]["key_id"]]))
        self.run_bad(1, "is not the root that was named", "binary", "verify", path, "--root", "1." + "0" * 64)
        self.run_bad(2, "VERSION.SHA256", "binary", "verify", path, "--root", "nonsense")
        by_join = {"GRID_URL": self.grid.master.url.replace("http://", "grid://") + "/?root=1." + "1" * 64}
        self.run_bad(1, "is not the root that was named", "binary", "verify", path, env=by_join)

    def test_a_pushed_binary_is_listed_shown_verified_yanked_and_removed(self):
        name = ANY % "0.1.1"
        path = self.write(name, "one")
        self.assertIn("would publish " + name, self.run_ok("binary", "push", path, "--dry-run"))
        self.assertNotIn(name, self.run_ok("binary", "list", "-o", "name"))
        result = self.grid.gridctl("binary", "push", path, "--notes", "first")
        self.assertEqual(result.returncode, 0, said(result))
        self.assertIn("published " + name, result.stdout)
        self.assertIn("Next: gridctl", result.stderr)
        self.assertIn("already published", self.run_ok("binary", "push", path))
        self.assertIn(name, self.run_ok("binary", "list", "-o", "name").split("\n"))
        shown = self.run_json("binary", "show", name)
        self.assertEqual((shown["checksum"], shown["size_bytes"], shown["notes"]), (sha256(path), 3, "first"))
        self.assertIn(sha256(path), self.run_ok("binary", "show", name))
        self.verify_by_root(name, path)
        other = self.write("other", "two")
        parts = ["--version", "0.1.1", "--platform", "any", "--arch", "any"]
        self.run_bad(1, "is not " + name, "binary", "verify", other, *parts)
        self.run_bad(5, "keeps its bytes", "binary", "push", other, *parts)
        self.run_bad(2, "--yes", "binary", "yank", name)
        self.run_ok("binary", "yank", name, "--yes")
        self.assertTrue(self.run_json("binary", "show", name)["yanked"])
        self.assertIn("yanked: agents do not begin to run it", self.run_ok("binary", "verify", path))
        self.run_bad(5, "", "channel", "set", "yanked", "0.1.1")
        self.run_bad(5, name + " was yanked", "binary", "push", path)
        self.assertEqual(self.run_ok("binary", "rm", name, "--dry-run"), "would remove %s\n" % name)
        self.run_ok("binary", "rm", name, "--yes")
        self.run_bad(3, "", "binary", "show", name)

    def test_nonsense_is_refused_before_anything_is_sent(self):
        elf = self.write("storage-server-0.1.2-linux-aarch64", read(program("gridctl"), "rb")[:4096])
        if os.uname().machine == "x86_64":
            self.run_bad(1, "x86", "binary", "push", elf)
        self.run_bad(3, "cannot read", "binary", "push", "no-such-file")
        self.run_bad(1, "is empty", "binary", "push", self.write("storage-server-0.1.3-any-any", ""))
        self.assertIn("NAME-VERSION-PLATFORM-ARCH", self.run_bad(1, "", "binary", "push", self.write("a.out", "x")))
        self.run_bad(2, "not a regular file", "binary", "push", self.grid.directory)

    def test_an_upload_goes_on_where_it_was_cut(self):
        name = ANY % "0.2.0"
        content = os.urandom(3_000_000)
        path = self.write(name, content)
        relay = CutUploads(self.grid.master.url, cut_after=1_000_000, cuts=2)
        self.addCleanup(relay.close)
        result = self.grid.gridctl("binary", "push", path, "--url", relay.url)
        self.assertEqual(result.returncode, 0, said(result))
        self.assertEqual(relay.cuts, 0)
        ranges = [int(re.search(r"(?i)content-range: bytes (\d+)-2999999/3000000", h).group(1)) for h in relay.heads if h.startswith("PUT")]
        self.assertEqual(len(ranges), 3, ranges)
        self.assertEqual(ranges[0], 0)
        self.assertTrue(0 < ranges[1] < ranges[2], ranges)
        self.assertEqual(self.run_json("binary", "show", name)["checksum"], sha256(path))

    def test_an_upload_whose_answer_was_lost_is_finished(self):
        name = ANY % "0.2.2"
        path = self.write(name, os.urandom(100_000))
        shutil.copy(path, os.path.join(self.grid.master.state, "uploads", sha256(path)))
        self.run_ok("binary", "push", path)
        self.assertEqual(self.run_json("binary", "show", name)["checksum"], sha256(path))

    def test_an_interrupted_upload_says_how_to_go_on(self):
        name = ANY % "0.2.1"
        path = self.write(name, os.urandom(2_000_000))
        relay = CutUploads(self.grid.master.url, cut_after=20_000, cuts=1000)  # far from whole when it is interrupted
        self.addCleanup(relay.close)
        env = dict(os.environ, GRID_URL=relay.url, GRID_TOKEN=self.grid.token, HOME=self.grid.directory)
        push = subprocess.Popen([program("gridctl"), "binary", "push", path], env=env, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)
        wait_for("a cut", lambda: relay.cuts < 1000)
        push.send_signal(signal.SIGINT)
        out, err = push.communicate(timeout=PATIENCE_S)
        self.assertEqual(push.returncode, 130, out + err)
        self.assertIn("the same command goes on", err)
        self.run_ok("binary", "push", path)
        self.assertEqual(self.run_json("binary", "show", name)["checksum"], sha256(path))

    def test_signatures_are_made_checked_and_demanded(self):
        key = os.path.join(self.grid.directory, "publisher")
        self.run_ok("key", "generate", key)
        self.assertEqual(os.stat(key + ".key").st_mode & 0o777, 0o600)
        self.run_bad(5, "exists already", "key", "generate", key)
        name = ANY % "0.3.0"
        path = self.write(name, "signed")
        release = self.write("release.pub", self.run_ok("key", "show", "--release"))
        key_id = self.run_ok("key", "trust", key + ".pub", "-o", "name").strip()
        self.addCleanup(lambda: self.grid.gridctl("key", "rm", key_id, "--yes"))
        self.assertIn(key_id, self.run_ok("key", "list"))
        self.assertIn("held %s: " % name, self.run_ok("binary", "push", path))
        self.assertEqual(self.run_ok("binary", "held", "-o", "name"), name + "\n")
        self.assertEqual(self.run_ok("binary", "sign", path, "--key", key + ".key"), path + ".minisig\n")
        if os.path.exists("/usr/bin/minisign"):
            subprocess.run(["/usr/bin/minisign", "-Vm", path, "-p", key + ".pub"], check=True, stdout=subprocess.DEVNULL)
        self.run_ok("binary", "push", path)
        self.assertEqual(self.run_ok("binary", "held", "-o", "name"), "")
        self.assertRegex(self.run_ok("binary", "list"), r"(?m)^%s .* publisher " % re.escape(name))
        self.assertIn("signed by key " + key_id, self.run_ok("binary", "verify", path, "--key-file", key + ".pub"))
        os.remove(path + ".minisig")
        self.assertIn("signed by key", self.run_ok("binary", "verify", path, "--key-file", release))
        self.run_bad(1, "", "binary", "verify", path, "--key-file", key + ".pub")
        second = self.write(ANY % "0.3.1", "signed on the way")
        self.run_ok("binary", "push", second, "--key", key + ".key")
        vouched, unwanted = (self.write(ANY % version, version) for version in ("0.3.2", "0.3.3"))
        for path in (vouched, unwanted):
            self.run_ok("binary", "push", path)
        self.run_bad(2, "asks before it acts", "binary", "approve", vouched)
        self.assertEqual(self.run_ok("binary", "approve", vouched, "--yes"), "published %s\n" % (ANY % "0.3.2"))
        self.run_ok("binary", "discard", unwanted, "--yes")
        self.assertEqual(self.run_ok("binary", "held", "-o", "name"), "")
        self.assertRegex(self.run_ok("binary", "list"), r"(?m)^%s .* grid " % re.escape(ANY % "0.3.2"))
        self.run_ok("key", "rm", key_id, "--yes")
        self.assertNotIn(key_id, self.run_ok("key", "list"))

    def test_tokens_have_roles_and_end_when_revoked(self):
        viewer = self.run_ok("token", "create", "--role", "viewer").strip()
        self.assertRegex(viewer, r"^gt_\w+\.\S+$")
        self.run_ok("agent", "list", token=viewer)
        self.assertIn("--role", self.run_bad(4, "operator", "channel", "set", "stable", "1.0.0", token=viewer))
        pushed = self.write(ANY % "0.0.9", "refused")
        self.assertIn("--role publisher", self.run_bad(4, "publisher", "binary", "push", pushed, token=viewer))
        token_id = viewer[3:].split(".")[0]
        self.assertNotIn(viewer.split(".")[1], self.run_ok("token", "list", "-o", "json"))
        self.assertIn(token_id, self.run_ok("token", "list", "-o", "name"))
        result = self.grid.gridctl("token", "revoke", token_id, "0000000000000000", "--yes")
        self.assertEqual(result.returncode, 8, said(result))
        self.assertIn("refused the token from GRID_TOKEN", self.run_bad(4, "", "agent", "list", token=viewer))
        self.assertIn("GRID_TOKEN", self.run_bad(4, "wants a token", "agent", "list", token=None))

    def test_tokens_come_from_files_and_the_local_state(self):
        token_file = self.write("token", self.grid.token + "\n")
        self.run_ok("agent", "list", "--token-file", token_file, token=None)
        self.run_ok("agent", "list", "--token-file", "-", token=None, stdin=self.grid.token)
        self.run_ok("agent", "list", "--state", self.grid.master.state, token=None)
        self.run_bad(3, "token file", "agent", "list", "--token-file", "none", token=None)

    def test_login_keeps_only_a_token_that_works(self):
        config = {"XDG_CONFIG_HOME": os.path.join(self.grid.directory, "config")}
        self.run_bad(4, "refused", "login", token=None, stdin="gt_0123456789abcdef.wrong\n", env=config)
        self.assertFalse(os.path.exists(config["XDG_CONFIG_HOME"]))
        self.run_ok("login", token=None, stdin=self.grid.token + "\n", env=config)
        kept = os.path.join(config["XDG_CONFIG_HOME"], "grid", "token")
        self.assertEqual(os.stat(kept).st_mode & 0o777, 0o600)
        self.run_ok("agent", "list", token=None, env=config)

    def test_events_are_tailed_and_followed(self):
        self.run_ok("token", "create", "-o", "json")
        lines = [json.loads(l) for l in self.run_ok("event", "tail", "--since", "0", "-o", "json").splitlines()]
        self.assertEqual([e["seq"] for e in lines], sorted(e["seq"] for e in lines))
        self.assertIn("master.started", [e["kind"] for e in lines])
        self.assertEqual(len(self.run_ok("event", "tail", "--limit", "1").splitlines()), 1)
        self.assertIn("token.created", self.run_ok("event", "tail", "--kind", "token.created"))
        out = os.path.join(self.grid.directory, "followed")
        env = dict(os.environ, GRID_URL=self.grid.master.url, GRID_TOKEN=self.grid.token)
        with open(out, "w") as sink:
            follower = subprocess.Popen([program("gridctl"), "event", "tail", "-f", "-o", "json"], env=env, stdout=sink)
        wait_for("the past", lambda: os.path.getsize(out))
        self.run_ok("token", "create", "--role", "operator")
        last = self.run_json("status")["last_event"]
        wait_for("the new event", lambda: '"seq":%d,' % last in read(out))
        follower.send_signal(signal.SIGINT)
        self.assertEqual(follower.wait(PATIENCE_S), 130)

    def test_a_backup_comes_back_whole(self):
        name = ANY % "0.4.0"
        self.run_ok("binary", "push", self.write(name, "kept"))
        backup = os.path.join(self.grid.directory, "b.sqlar")
        self.run_ok("backup", "create", backup)
        self.assertEqual(os.stat(backup).st_mode & 0o777, 0o600)
        self.run_bad(5, "exists already", "backup", "create", backup)
        state = os.path.join(self.grid.directory, "restored")
        self.run_bad(2, "--state", "backup", "restore", backup)
        self.run_bad(5, "in use", "backup", "restore", backup, "--state", self.grid.master.state)
        self.assertIn("all intact", self.run_ok("backup", "restore", backup, "--state", state, "--dry-run"))
        self.run_ok("backup", "restore", backup, "--state", state)
        self.run_bad(5, "already holds", "backup", "restore", backup, "--state", state)
        before = self.run_ok("binary", "list", "-o", "json")
        second = Grid(self, start=False)
        os.rename(state, os.path.join(second.directory, "master"))
        second.start_master()
        result = second.gridctl("binary", "list", "-o", "json", token=self.grid.token)
        self.assertEqual(json.loads(result.stdout), json.loads(before), said(result))
        self.assertEqual(second.request("GET", "/binaries/" + name, token=None).body, b"kept")
        with open(os.path.join(second.master.state, "admin.token")) as f:
            made = f.read().strip()
        self.assertNotEqual(made, self.grid.token)
        self.assertEqual(second.gridctl("token", "list", token=made).returncode, 0)

    def test_the_password_of_a_key_is_asked_for(self):
        key = os.path.join(self.grid.directory, "locked.key")
        made = subprocess.run(["minisign", "-G", "-p", key + ".pub", "-s", key], input="pw\npw\n", capture_output=True, text=True)
        self.assertEqual(made.returncode, 0, made.stderr)
        name = self.write(ANY % "0.4.2", "locked")
        for password in (None, "wrong"):
            env = {"GRID_KEY_PASSWORD": password} if password else None
            result = self.grid.gridctl("binary", "sign", name, "--key", key, env=env, stdin="")
            self.assertEqual(result.returncode, 4, said(result))
            self.assertIn("GRID_KEY_PASSWORD", result.stderr)
        result = self.grid.gridctl("binary", "sign", name, "--key", key, env={"GRID_KEY_PASSWORD": "pw"})
        self.assertEqual(result.returncode, 0, said(result))

    def test_a_damaged_backup_is_refused(self):
        backup = os.path.join(self.grid.directory, "damaged.sqlar")
        self.run_ok("binary", "push", self.write(ANY % "0.4.1", "x" * 50_000))
        self.run_ok("backup", "create", backup)
        with open(backup, "r+b") as f:
            content = f.read()
            f.seek(content.index(b"x" * 1000) + 10)
            f.write(b"y")
        state = os.path.join(self.grid.directory, "never")
        self.run_bad(1, "is wrong", "backup", "restore", backup, "--state", state)
        self.assertEqual([n for n in os.listdir(state) if n != "lock"], [])

    def test_questions_colours_and_progress_are_for_terminals(self):
        token_id = self.run_ok("token", "create").strip()[3:].split(".")[0]
        code, shown = self.on_terminal("token", "revoke", token_id, answer="n\n")
        self.assertEqual(code, 1, shown)
        self.assertIn("nothing was done", shown)
        code, shown = self.on_terminal("token", "revoke", token_id, answer="y\n")
        self.assertEqual(code, 0, shown)
        code, shown = self.on_terminal("doctor")
        self.assertIn("\033[32mok\033[0m", shown)
        code, shown = self.on_terminal("doctor", env={"NO_COLOR": "1"})
        self.assertNotIn("\033[3", shown)
        self.write(ANY % "0.5.0", os.urandom(5_000_000))
        code, shown = self.on_terminal("binary", "push", ANY % "0.5.0")
        self.assertEqual(code, 0, shown)
        self.assertIn("\u2588", shown)
        self.assertIn(" of 5.0 MB", shown)


class AgentVerbsTest(unittest.TestCase):
    """The verbs that need a machine: one agent with one node."""

    def ok(self, *arguments, **options):
        result = self.grid.gridctl(*arguments, **options)
        self.assertEqual(result.returncode, 0, said(result))
        return result.stdout

    def json(self, *arguments):
        return json.loads(self.ok(*arguments, "-o", "json"))

    def test_a_machine_from_joining_to_removal(self):
        self.grid = Grid(self)
        self.ok("binary", "push", storage_server("1.0.0"), "--version", "1.0.0", "--platform", "linux", "--arch", os.uname().machine)
        join = self.ok("agent", "join-command", "-o", "name", "--label", "rack=a").strip()
        self.assertTrue(join.startswith("grid://"), join)
        result = self.grid.gridctl("agent", "join-command")
        self.assertRegex(result.stdout, r"^\(.* sha256sum -c .* sh \"\$f\" 'grid://[^']+'\)\n$")
        self.assertIn('Options of install.sh go behind sh "$f": --id NAME', result.stderr)
        self.assertIn("gridctl binary push\ngrid-agent-VERSION", result.stderr)  # there is none yet
        self.grid.agent("a-1", join=join)
        self.grid.wait_healthy("a-1", "1.0.0")
        self.look()
        self.change()
        self.nodes()
        self.remove()

    def look(self):
        self.assertEqual(self.ok("agent", "list", "-o", "name"), "a-1\n")
        self.assertRegex(self.ok("agent", "list"), r"(?m)^a-1 +up +active +1\.0\.0 +1\.0\.0 +1/1 ")
        self.assertEqual(self.ok("agent", "list", "--filter", "status=lost"), "")
        self.assertIn("rack=a", self.ok("agent", "list", "-o", "wide", "--filter", "label=rack=a"))
        self.assertIn("healthy", self.ok("agent", "show", "a-1"))
        self.assertEqual(self.json("agent", "why", "a-1")["desired"]["rule"], "channel")
        self.assertRegex(self.ok("agent", "why", "a-1"), r"Decided by +channel")
        self.assertRegex(self.ok("status"), r"Agents  1   1 up\nNodes   1   1 healthy\nVersion 1\.0\.0 .* 100%\n")
        self.assertEqual(self.grid.gridctl("doctor").returncode, 0)

    def change(self):
        self.assertEqual(self.ok("agent", "label", "a-1", "rack=b", "--dry-run"), 'would change a-1: {"labels":{"rack":"b"}}\n')
        self.assertIn("rack=b", self.ok("agent", "label", "a-1", "rack=b", "zone=1"))
        self.assertNotIn("zone", self.ok("agent", "label", "a-1", "zone-"))
        self.ok("agent", "drain", "a-1")
        self.assertEqual(self.json("agent", "show", "a-1")["mode"], "draining")
        self.assertRegex(self.ok("agent", "list"), r"a-1 +up +draining +1\.0\.0 +1\.0\.0 +1/1 ")
        result = self.grid.gridctl("agent", "resume", "a-1", "nobody")
        self.assertEqual(result.returncode, 8, said(result))
        self.assertIn("nobody", result.stderr)
        self.assertEqual(self.json("agent", "show", "a-1")["mode"], "active")
        self.ok("channel", "set", "beta", "1.0.0")
        self.assertIn("beta", self.ok("agent", "label", "a-1", "--channel", "beta"))
        self.assertRegex(self.ok("channel", "set", "beta", "1.0.0", "--dry-run"), "would set channel beta from 1.0.0 to 1.0.0 for 1 agent")

    def nodes(self):
        self.assertEqual(self.ok("node", "list", "-o", "name"), "a-1/0\n")
        node = self.json("node", "show", "a-1/0")
        self.assertIn(str(node["pid"]), self.ok("node", "show", "a-1/0"))
        self.assertIn("listening", self.ok("node", "logs", "a-1/0"))
        self.ok("node", "restart", "a-1/0")
        wait_for("a new process", lambda: self.json("node", "show", "a-1/0")["pid"] not in (0, node["pid"]))
        self.grid.wait_healthy("a-1", "1.0.0")
        self.ok("agent", "logs", "a-1")

    def remove(self):
        self.assertEqual(self.grid.gridctl("agent", "rm", "a-1").returncode, 2)
        self.assertEqual(self.grid.gridctl("agent", "rm", "a-1", "--yes").returncode, 5)
        self.ok("agent", "rm", "a-1", "--yes", "--force")
        self.assertEqual(self.ok("agent", "list", "-o", "name"), "")


if __name__ == "__main__":
    unittest.main()
