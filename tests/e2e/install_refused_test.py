#!/usr/bin/python3
"""Whom install.sh believes and what it refuses: whatever goes wrong leaves nothing behind on the machine."""
import contextlib, hashlib, http.server, json, os, re, shutil, socket, sys, threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bare_machine import InstallCase, Machine, NAMES, main
from grid import Grid, here, sha256, wait_for

ENDLESS_BYTES = 64 << 20


def answer_without_end(listener, sent):
    """Gives one caller a body that is no JSON, until it goes or ENDLESS_BYTES are sent; adds to sent how many were."""
    caller, _ = listener.accept()
    count = 0
    with caller:
        try:
            caller.recv(65536)
            caller.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            while count < ENDLESS_BYTES:
                count += caller.send(b" " * 65536)
        except ConnectionError:
            pass
    sent.append(count)


@contextlib.contextmanager
def impostor(program, status=200):
    """A false master, which offers this program or answers with that status: its port, and the headers it was shown."""
    shown = []
    with open(program, "rb") as f:
        body = f.read()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            shown.append(dict(self.headers))
            name = "grid-agent" if "grid-agent" in self.path else "grid-launcher"
            offer = {"version": "9.0.0", "checksum": hashlib.sha256(body).hexdigest(), "size_bytes": len(body),
                     "path": "%s-9.0.0-linux-%s" % (name, os.uname().machine)}
            answer = json.dumps(offer).encode() if self.path.startswith("/api/") else body
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("0.0.0.0", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1], shown
        finally:
            server.shutdown()
            thread.join()


class InstallRefusedTest(InstallCase):
    def test_a_master_that_knows_no_strangers_takes_the_join_string(self):
        names = ["--tls-name=10.77.%d.1" % (Machine.count + n) for n in (1, 2, 3)]
        grid = Grid(self, ["--public-downloads=off", *names], start=False)
        grid.start_master(http="0.0.0.0:0", bus="0.0.0.0:0")
        self.assertTrue(grid.master.url.startswith("https://"))
        for name, path in self.programs.items():
            grid.drop(path, "%s-1.0.0-%s" % (name, here()))
        wait_for("the programs", lambda: len(grid.api("GET", "/api/binaries")) == len(NAMES))
        machine = Machine(self, grid, ["curl", "minisign"], programs=self.programs.values())
        command = machine.join_command()
        self.assertIn("Signatures: checked", self.run_ok(machine, command))
        grid.wait_healthy(machine.name, "1.0.0")
        self.look_for_secret(machine, command)
        self.upgrade_over_tls(grid, machine)
        self.named_by_its_address(grid, machine)
        machine = Machine(self, grid, ["wget"], without=["wget"], programs=self.programs.values())
        self.run_ok(machine, machine.join_command())
        machine = Machine(self, grid, programs=self.programs.values())
        self.refused(machine, machine.join_command(), 1, "install curl")  # busybox's wget speaks no TLS that is sound

    def upgrade_over_tls(self, grid, machine):
        """By the script that is installed: it keeps the master's pin, and no list of builds."""
        newer = os.path.join(grid.directory, "newer")
        shutil.copy(self.programs["grid-agent"], newer)
        with open(newer, "ab") as f:
            f.write(b"\0")
        grid.drop(newer, "grid-agent-1.1.0-" + here())
        wait_for("the newer agent", lambda: len(grid.api("GET", "/api/binaries")) > len(NAMES))
        words = self.run_ok(machine, "sh /usr/local/lib/grid/install.sh " + self.join_on(machine))
        self.assertIn("grid-agent 1.1.0 runs as", words)

    def named_by_its_address(self, grid, machine):
        """On the master's machine nothing has to be given but the address that others reach."""
        said = grid.gridctl("--state", grid.master.state, "--url", machine.master_url, "agent", "join-command", "-o", "name", token=None,
                            env={"GRID_CA": ""})
        self.assertTrue(said.stdout.startswith(machine.master_url.replace("https:", "grid:") + "?"), said.stderr)
        with open(os.path.join(grid.master.state, "setup-link")) as f:
            self.assertRegex(f.read(), r"https://10\.77\.\d+\.1:\d+/#/setup")

    def test_the_secret_is_shown_only_where_the_join_string_says_so(self):
        machine = self.machine(tools=["curl"])
        script, join = self.script_on(machine), self.join_on(machine)
        port = self.grid.master.url.rsplit(":", 1)[1]
        for mark, option, asked in (("", "", [False]), ("&d=closed", "", [False]), ("&d=closed", "--insecure", [False, True]),
                                    ("&ca=%s&d=closed" % ("0" * 64), "--url http://%s:%d", [False])):
            with impostor("/dev/null", 401) as (there, shown):
                elsewhere = join.replace(":" + port, ":%d" % there).replace("&t=", mark + "&t=")
                host = elsewhere.removeprefix("'grid://").removeprefix("grid://").split(":")[0]
                if "%" in option:
                    option %= (host, there)
                words = ["--public-downloads=off"] + ["--insecure"] * ("closed" in mark and option != "--insecure")
                self.refused(machine, "%s %s %s" % (script, option, elsewhere), 4, *words)
            self.assertEqual(["Authorization" in headers for headers in shown], asked, (mark, option))
        self.refused(machine, "%s --url http://localhost:x@127.0.0.1:1 %s" % (script, join), 2, "before @", "http://HOST:7001")

    def test_without_root_it_says_who_may(self):
        machine = self.machine()
        script, join = self.script_on(machine), self.join_on(machine)
        self.refused(machine, "%s %s" % (script, join), 4, "needs root", "sudo", user=65534)

    def altered(self, digest):
        """The master's stored copy of a binary with one byte altered; gives what undoes it."""
        path = next(os.path.join(folder, digest) for folder, _, files in os.walk(self.grid.master.state) if digest in files)
        os.chmod(path, 0o600)

        def flip():
            with open(path, "r+b") as f:
                f.seek(1000)
                byte = f.read(1)[0]
                f.seek(1000)
                f.write(bytes([byte ^ 1]))
        flip()
        return flip

    def test_one_altered_byte_is_refused(self):
        machine = self.machine()
        for name in ("grid-agent", "grid-launcher"):
            undo = self.altered(sha256(self.programs[name]))
            try:
                self.refused(machine, machine.join_command(), 1, "refused: %s-1.0.0" % name, "SHA-256")
            finally:
                undo()

    def test_a_program_that_the_script_was_not_made_for_is_never_run(self):
        """Whoever answers in the master's place, with a digest that fits."""
        machine = self.machine()
        script, join = self.script_on(machine), self.join_on(machine)
        false = os.path.join(self.grid.directory, "false")
        with open(false, "w") as f:
            f.write("#!/bin/sh\ntouch /tmp/was-run\n")
        port = self.grid.master.url.rsplit(":", 1)[1]
        with impostor(false) as (there, _):
            elsewhere = join.replace(":" + port, ":%d" % there)
            words = self.refused(machine, "%s %s" % (script, elsewhere), 1, "refused: grid-agent 9.0.0", "join-command")
        self.assertNotIn("Downloading", words)

    def test_a_line_is_good_until_a_newer_agent_is_published(self):
        machine = self.machine()
        before, script, join = machine.join_command(), self.script_on(machine), self.join_on(machine)
        newer = os.path.join(self.grid.directory, "newest")
        shutil.copy(self.programs["grid-agent"], newer)
        with open(newer, "ab") as f:
            f.write(b"\0\0")
        self.publish("grid-agent", "1.2.0", newer)
        self.addCleanup(self.grid.api, "POST", "/api/binaries/1.2.0/linux/%s/yank?name=grid-agent" % os.uname().machine)
        code, words = machine.sh(before)
        self.assertNotEqual(code, 0)
        self.assertIn("FAILED", words)
        self.refused(machine, "%s %s" % (script, join), 1, "refused: grid-agent 1.2.0")
        self.assertIn("grid-agent 1.2.0 runs as", self.run_ok(machine, machine.join_command()))

    def test_a_signature_of_another_key_is_refused_where_minisign_is(self):
        machine = self.machine(tools=["minisign"])
        script, join = self.script_on(machine), self.join_on(machine)
        made = self.grid.gridctl("key", "generate", "stranger")
        self.assertEqual(made.returncode, 0, made.stderr)
        with open(os.path.join(self.grid.directory, "stranger.pub")) as f:
            key = f.read().splitlines()[1]
        quoted = key.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
        other = re.sub(r"rk=[^&]+", "rk=" + quoted.replace("\\", ""), join)
        self.assertNotEqual(other, join)
        self.refused(machine, "%s --require-signature %s" % (script, other), 1, "refused: the signature of grid-agent")

    def test_a_build_that_was_signed_elsewhere_is_taken_by_the_digest_of_the_line(self):
        """The release key is gone then; minisign has nothing to add to what the line vouches for."""
        grid = Grid(self, ["--insecure"], start=False)
        grid.start_master(http="0.0.0.0:0", bus="0.0.0.0:0")
        grid.drop(self.programs["grid-launcher"], "grid-launcher-1.0.0-" + here())
        wait_for("the launcher", lambda: grid.api("GET", "/api/binaries"))
        for name in ("anna", "build"):
            self.gridctl_ok(grid, "key", "generate", name)
        self.gridctl_ok(grid, "key", "rotate", "--offline", "--root-key", "anna.key", "--targets-key", "build.key", "--yes")
        file = os.path.join(grid.directory, "grid-agent-1.0.0-" + here())
        shutil.copy(self.programs["grid-agent"], file)
        self.gridctl_ok(grid, "binary", "sign", file, "--key", "build.key")
        self.gridctl_ok(grid, "binary", "push", file)
        machine = Machine(self, grid, ["minisign"], programs=self.programs.values())
        self.assertIn("none by the release key", self.run_ok(machine, machine.join_command()))

    def gridctl_ok(self, grid, *arguments):
        done = grid.gridctl(*arguments)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_signatures_can_be_insisted_on(self):
        machine = self.machine()
        self.refused(machine, "%s --require-signature %s" % (self.script_on(machine), self.join_on(machine)), 1, "install minisign")

    def test_a_script_that_was_cut_off_runs_nothing(self):
        machine = self.machine()
        self.script_on(machine)
        join = machine.join_command("-o", "name")
        with open(machine.path("/tmp/install.sh"), "rb") as f:
            whole = f.read()
        ends = [len(whole) * i // 12 for i in range(12)] + [len(whole) - n for n in (2, 4, 9, 10, 200)]
        for end in ends:
            with open(machine.path("/tmp/install.sh"), "wb") as f:
                f.write(whole[:end])
            before = machine.listing()
            _, words = machine.sh("sh /tmp/install.sh '%s'" % join)
            self.assertEqual(machine.listing(), before, "cut at %d: %s" % (end, words))
            self.assertEqual(machine.processes(), [])
            self.assertNotIn("Downloading", words)

    def test_a_script_other_than_the_one_that_was_shown_is_not_run(self):
        machine = self.machine()
        command = machine.join_command()
        digest = hashlib.sha256(self.grid.request("GET", "/install.sh", token=None).body).hexdigest()
        self.assertIn(digest, command)
        code, words = machine.sh(command.replace(digest, "0" * 64))
        self.assertNotEqual(code, 0)
        self.assertIn("FAILED", words)
        self.assertEqual((machine.processes(), os.listdir(machine.path("/tmp"))), ([], []))

    def test_a_used_join_string_leaves_nothing_behind(self):
        machine = self.machine()
        script, join = self.script_on(machine), self.join_on(machine)
        self.run_ok(machine, "%s --no-start %s" % (script, join))
        second = self.machine()
        join = join.replace("10.77.%d." % machine.number, "10.77.%d." % second.number)
        words = self.refused(second, "%s %s" % (self.script_on(second), join), 4, "used up", "join-command")
        self.assertNotIn("gj_", words)

    def test_what_a_killed_run_left_goes_with_the_next(self):
        machine = self.machine()
        script, join = self.script_on(machine), self.join_on(machine)
        port = self.grid.master.url.rsplit(":", 1)[1]
        with socket.create_server(("0.0.0.0", 0)) as silent:
            there = join.replace(":" + port, ":%d" % silent.getsockname()[1])
            self.run_ok(machine, "%s %s >/dev/null 2>&1 & until [ -s /tmp/grid-install.*/join ]; do sleep 0.1; done; kill -9 $!"
                        % (script, there))
        self.assertEqual(len(os.listdir(machine.path("/tmp"))), 2)
        self.run_ok(machine, "%s --dry-run %s" % (script, join))
        self.assertEqual(os.listdir(machine.path("/tmp")), ["install.sh"])

    def test_only_one_run_at_a_time(self):
        machine = self.machine()
        script, join = self.script_on(machine), self.join_on(machine)
        turn = machine.path("/var/lib/grid-agent/agent/installing")
        os.makedirs(os.path.dirname(turn))
        os.symlink("1", turn)  # the first process there, which lives
        self.refused(machine, "%s %s" % (script, join), 1, "another install.sh (pid 1)", "wait")
        os.remove(turn)
        os.symlink("999999", turn)
        self.run_ok(machine, "%s --no-start %s" % (script, join))
        self.assertFalse(os.path.lexists(turn))

    def test_a_failed_run_takes_away_only_its_own(self):
        machine = self.machine()
        script, join = self.script_on(machine), self.join_on(machine)
        os.mkdir(machine.path("/stick"))
        agent = machine.path("/stick/grid-agent-1.0.0-linux-" + os.uname().machine)
        with open(agent, "w") as f:
            f.write("#!/bin/sh\nmkdir /var/lib/grid-agent/theirs /var/lib/grid-agent/identity\nexit 1\n")
        code, words = machine.sh("%s --from /stick %s" % (script, join))
        self.assertEqual(code, 1, words)
        self.assertEqual(os.listdir(machine.path("/var/lib/grid-agent")), ["theirs"])

    def test_what_is_missing_is_named(self):
        machine = self.machine(without=["wget"])
        script, join = self.script_on(machine), self.join_on(machine)
        self.refused(machine, "%s %s" % (script, join), 1, "neither curl nor wget", "--from")
        self.refused(machine, script, 2, "no join string", "gridctl agent join-command")
        self.refused(machine, script + " --frobnicate", 2, "--frobnicate", "--help")
        self.refused(machine, script + " 'grid://host'", 2, "copy all of it")
        self.refused(machine, "%s --state 'relative/dir' %s" % (script, join), 2, "absolute")
        self.refused(machine, "%s --id 'a\"b' %s" % (script, join), 2, "--id")
        self.assertIn("Usage:", self.run_ok(machine, script + " --help"))

    def test_a_machine_of_another_kind_is_told(self):
        machine = self.machine(without=["uname"])
        script, join = self.script_on(machine), self.join_on(machine)
        machine.copy(shutil.which("busybox"), "bin/uname")
        self.refused(machine, "%s %s" % (script, join), 3, "no grid-agent for linux/x86", "gridctl binary push grid-agent-",
                     prefix=["/bin/linux32"])
        os.remove(machine.path("/bin/uname"))
        with open(machine.path("/bin/uname"), "w") as f:
            f.write('#!/bin/sh\n[ "$1" = -m ] && echo riscv64 || echo Linux\n')
        os.chmod(machine.path("/bin/uname"), 0o755)
        self.refused(machine, "%s %s" % (script, join), 3, "riscv64", "x86_64")

    def test_a_full_disk_is_told(self):
        machine = self.machine()
        script, join = self.script_on(machine), self.join_on(machine)
        os.makedirs(machine.path("/var/lib/grid-agent"))
        self.run_ok(machine, "mount -t tmpfs -o size=512k none /var/lib/grid-agent")
        self.refused(machine, "%s %s" % (script, join), 1, "no room left in /var/lib/grid-agent")

    def test_a_master_that_is_away_is_told(self):
        machine = self.machine()
        script, join = self.script_on(machine), self.join_on(machine)
        port = self.grid.master.url.rsplit(":", 1)[1]
        self.refused(machine, "%s %s" % (script, join.replace(":" + port, ":1")), 6, "10.77.%d.1:1" % machine.number, "firewall")

    def test_what_answers_without_end_is_cut_off(self):
        port = self.grid.master.url.rsplit(":", 1)[1]
        for tools in ([], ["curl"]):
            machine = self.machine(tools=tools)
            script, join = self.script_on(machine), self.join_on(machine)
            with socket.create_server(("0.0.0.0", 0)) as listener:
                sent = []
                thread = threading.Thread(target=answer_without_end, args=(listener, sent))
                thread.start()
                there = join.replace(":" + port, ":%d" % listener.getsockname()[1])
                self.refused(machine, "%s %s" % (script, there), 1, "does not describe a binary")
                thread.join()
            self.assertLess(sent[0], ENDLESS_BYTES, tools)


if __name__ == "__main__":
    main(InstallRefusedTest)
