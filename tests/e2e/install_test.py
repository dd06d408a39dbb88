#!/usr/bin/python3
"""One command on a machine with nothing but a shell and curl or wget makes it a member of the grid with a healthy node;
again it upgrades, --uninstall takes it away, and whatever goes wrong leaves nothing behind.

The machines are real as far as one kernel goes: a root directory of their own with busybox in it, their own processes,
mounts, host name and network, which is one cable to the master's. All of that is in namespaces that this test makes
for itself, so it ends with it.
"""
import contextlib, glob, hashlib, http.server, json, os, re, shutil, signal, socket, subprocess, sys, threading, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from grid import BUILD, Grid, PATIENCE_S, here, sha256, wait_for

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
NAMES = ("grid-agent", "grid-launcher", "storage-server")
ENDLESS_BYTES = 64 << 20
INIT = 'trap "exit 0" TERM; while :; do sleep 100 & wait; done'  # reaps orphans, as the first process must


def own_namespaces():
    """Runs this test again with a network and mounts of its own. Why it cannot, else."""
    if os.environ.get("GRID_INSTALL_TEST_INSIDE"):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return None
    if os.geteuid() != 0:
        return "namespaces need root"
    if not shutil.which("busybox"):
        return "busybox is not here (ci/deps installs busybox-static)"
    tried = subprocess.run(["unshare", "--net", "--mount", "--pid", "--uts", "--fork", "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        return "namespaces are not allowed here: " + tried.stderr.strip()
    os.execvpe("unshare", ["unshare", "--net", "--mount", sys.executable, *sys.argv],
               dict(os.environ, GRID_INSTALL_TEST_INSIDE="1"))


def find_programs():
    """The newest ones: static builds, or those of this build folder, whose libraries then go along."""
    places = (os.path.join(ROOT, "dist", "{0}-*-%s" % here()), os.path.join(ROOT, "build/portable/bin/{0}"),
              os.path.join(BUILD, "bin/{0}"))
    complete = []
    for place in places:
        found = {name: max(glob.glob(place.format(name)), key=os.path.getmtime, default=None) for name in NAMES}
        if all(found.values()):
            complete.append(found)
    if not complete:
        raise FileNotFoundError("no grid-agent and grid-launcher in %s/bin: build them first" % BUILD)
    return max(complete, key=lambda found: os.path.getmtime(found["grid-agent"]))


def libraries(path):
    """What the dynamic linker would load for a program."""
    words = subprocess.run(["ldd", path], capture_output=True, text=True).stdout
    return re.findall(r"(/\S+) \(0x", words)


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


class Machine:
    """A bare machine, reached over a cable of its own."""

    count = 0

    def __init__(self, test, grid, tools=(), without=(), programs=()):
        Machine.count += 1
        self.number, self.grid = Machine.count, grid
        self.name = "bare-%d" % self.number
        self.root = os.path.join(grid.directory, self.name)
        for directory in ("bin", "tmp", "proc", "dev", "etc"):
            os.makedirs(os.path.join(self.root, directory))
        os.chmod(os.path.join(self.root, "tmp"), 0o1777)
        for node, minor in (("null", 3), ("zero", 5), ("urandom", 9)):
            os.mknod(os.path.join(self.root, "dev", node), 0o20666, os.makedev(1, minor))
            os.chmod(os.path.join(self.root, "dev", node), 0o666)
        self.install_busybox(without)
        if without:
            tools = [*tools, "dash"]
        for path in [shutil.which(t) for t in tools]:
            self.copy(path, "bin/" + os.path.basename(path))
        if without:
            self.copy(shutil.which("dash"), "bin/sh")
        for path in [lib for p in [shutil.which(t) for t in tools] + list(programs) for lib in libraries(p)]:
            self.copy(path, path.lstrip("/"))
        self.boot(test)
        self.plug_in()

    def copy(self, path, target):
        target = os.path.join(self.root, target)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.lexists(target):
            os.remove(target)
        shutil.copy(path, target)

    def install_busybox(self, without):
        """All of its tools but some. Its shell may find them even so, so that those machines bring one of their own."""
        shutil.copy(shutil.which("busybox"), os.path.join(self.root, "bin/busybox"))
        for name in subprocess.run(["busybox", "--list"], capture_output=True, text=True).stdout.split():
            if name not in ("busybox", *without):
                os.symlink("busybox", os.path.join(self.root, "bin", name))

    def boot(self, test):
        script = 'mount -t proc proc "$1/proc" && hostname "$2" && exec chroot "$1" /bin/sh -c "$3"'
        self.popen = subprocess.Popen(["unshare", "--mount", "--pid", "--uts", "--net", "--fork", "--kill-child",
                                       "sh", "-c", script, "sh", self.root, self.name, INIT], stderr=subprocess.DEVNULL)
        test.addCleanup(self.power_off)
        children = "/proc/%d/task/%d/children" % (self.popen.pid, self.popen.pid)

        def first_process():
            with open(children) as f:
                pid = f.read().strip()
            return pid if pid and os.readlink("/proc/%s/root" % pid) == self.root else None
        self.init = wait_for("the machine to boot", first_process)

    def plug_in(self):
        here, there = ["10.77.%d.%d" % (self.number, n) for n in (1, 2)]
        scheme, _, port = self.grid.master.url.split(":")
        self.master_url = "%s://%s:%s" % (scheme, here, port)
        cable = "cable%d" % self.number
        for command in ("ip link add %s type veth peer name eth0 netns %s" % (cable, self.init),
                        "ip addr add %s/24 dev %s" % (here, cable), "ip link set %s up" % cable,
                        "nsenter -t %s -n ip addr add %s/24 dev eth0" % (self.init, there),
                        "nsenter -t %s -n ip link set eth0 up" % self.init,
                        "nsenter -t %s -n ip link set lo up" % self.init):
            subprocess.run(command.split(), check=True)

    def power_off(self):
        if self.popen.poll() is None:
            os.kill(int(self.init), signal.SIGKILL)
            self.popen.wait()

    def sh(self, script, prefix=(), user=0, **environment):
        """Runs a script there, as somebody at its keyboard would: code and everything it said."""
        clean = {"PATH": "/bin", "HOME": "/tmp", **environment}
        enter = ["nsenter", "-t", self.init, "-m", "-p", "-u", "-n", "-r", "-w", "-S", str(user), "-G", str(user), *prefix, "/bin/sh", "-c", script]
        done = subprocess.run(enter, env=clean, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=PATIENCE_S * 2)
        return done.returncode, done.stdout.decode(errors="replace")

    def join_command(self, *options):
        """What the operator pastes, asked under the address that this machine reaches."""
        told = self.grid.gridctl("--url", self.master_url, "agent", "join-command", *options)
        assert told.returncode == 0, told.stderr
        return told.stdout.strip()

    def listing(self):
        """Every file with kind, mode and digest, but for proc and dev."""
        found = {}
        for folder, directories, files in os.walk(self.root):
            directories[:] = [d for d in directories if os.path.join(folder, d) not in (self.root + "/proc", self.root + "/dev")]
            for path in (os.path.join(folder, n) for n in directories + files):
                status = os.lstat(path)
                content = os.readlink(path) if os.path.islink(path) else sha256(path) if os.path.isfile(path) else ""
                found[path[len(self.root):]] = (status.st_mode, content)
        return found

    def processes(self):
        """Command lines of everything that runs there, but for its first process and what that sleeps in."""
        inside = os.readlink("/proc/%s/ns/pid" % self.init)
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink("/proc/%s/ns/pid" % pid) == inside:
                    with open("/proc/%s/cmdline" % pid, "rb") as f:
                        found.append(f.read().replace(b"\0", b" ").decode().strip())
            except OSError:
                continue
        return [f for f in found if f and f not in ("sleep 100", "/bin/sh -c " + INIT)]

    def path(self, name):
        return os.path.join(self.root, name.lstrip("/"))


class InstallTest(unittest.TestCase):
    """Against one master, each test on a machine of its own."""

    @classmethod
    def setUpClass(cls):
        cls.programs = find_programs()
        cls.addCleanup = cls.addClassCleanup  # the grid lives as long as the class
        cls.grid = Grid(cls, ["--insecure"], start=False)
        del cls.addCleanup
        cls.grid.start_master(http="0.0.0.0:0", bus="0.0.0.0:0")
        for name, path in cls.programs.items():
            cls.publish(name, "1.0.0", path)

    @classmethod
    def publish(cls, name, version, path, arch=None):
        file = "%s-%s-linux-%s" % (name, version, arch or os.uname().machine)
        cls.grid.drop(path, file)
        return wait_for(file, lambda: next((b for b in cls.grid.api("GET", "/api/binaries") if b["path"] == file), None))

    def machine(self, tools=(), **options):
        return Machine(self, self.grid, tools, programs=self.programs.values(), **options)

    def run_ok(self, machine, line, **options):
        code, words = machine.sh(line, **options)
        self.assertEqual(code, 0, words)
        return words

    def refused(self, machine, line, exit_code, *expected, **options):
        """The line fails in words and leaves the machine as it was."""
        before = machine.listing()
        code, words = machine.sh(line, **options)
        self.assertEqual(code, exit_code, words)
        for part in expected:
            self.assertIn(part, words)
        self.assertEqual(machine.listing(), before, words)
        self.assertEqual(machine.processes(), [])
        return words

    def script_on(self, machine):
        """install.sh itself lies in /tmp there."""
        with open(machine.path("/tmp/install.sh"), "wb") as f:
            f.write(self.grid.request("GET", "/install.sh", token=None).body)
        return "sh /tmp/install.sh"

    def join_on(self, machine):
        return "'%s'" % machine.join_command("-o", "name")

    def test_a_bare_machine_from_one_command_to_removal(self):
        machine = self.machine()
        command = machine.join_command("--label", "rack=b")
        self.assertEqual(command.count("\n"), 0)
        words = self.run_ok(machine, command)
        self.assertIn("grid-agent 1.0.0 runs as " + machine.name, words)
        self.assertIn("not checked, for minisign is not installed", words)
        agent = self.grid.wait_healthy(machine.name, "1.0.0")
        self.assertEqual(agent["labels"], {"rack": "b"})
        self.look_for_secret(machine, command)
        self.look_at_modes(machine)
        node = self.again(machine, agent["nodes"][0])
        self.upgrade(machine, node)
        self.remove(machine)

    def look_for_secret(self, machine, command):
        secret = re.search(r"t=gj_\w+\.([\w-]+)", command).group(1)
        found = subprocess.run(["grep", "-rlF", "--exclude-dir=proc", "--exclude-dir=dev", "-e", secret, machine.root],
                               capture_output=True, text=True).stdout
        self.assertEqual(found, "")
        for line in machine.processes():
            self.assertNotIn(secret, line)
        self.assertEqual(os.listdir(machine.path("/tmp")), [])

    def look_at_modes(self, machine):
        build = glob.glob(machine.path("/var/lib/grid-agent/agent/1.0.0-*"))
        self.assertEqual(len(build), 1)
        self.assertEqual(os.readlink(machine.path("/var/lib/grid-agent/agent/current")), os.path.basename(build[0]))
        for name, mode in (("/var/lib/grid-agent", 0o700), ("/var/lib/grid-agent/identity/agent.key", 0o600),
                           ("/usr/local/lib/grid/grid-launcher", 0o755), ("/etc/grid/agent.ini", 0o644)):
            self.assertEqual(os.stat(machine.path(name)).st_mode & 0o777, mode, name)
        self.assertIn("grid-agent ", self.run_ok(machine, "/usr/local/bin/grid-agent --version"))

    def node_of(self, machine):
        return self.grid.wait_healthy(machine.name, "1.0.0")["nodes"][0]

    def again(self, machine, node):
        """The same once more: the same machine, the same node, which was not even restarted."""
        with open(machine.path("/var/lib/grid-agent/identity/agent.key")) as f:
            key = f.read()
        words = self.run_ok(machine, machine.join_command())
        self.assertIn("its identity is kept", words)
        with open(machine.path("/var/lib/grid-agent/identity/agent.key")) as f:
            self.assertEqual(f.read(), key)
        after = self.node_of(machine)
        self.assertEqual((after["pid"], after["restarts"]), (node["pid"], node["restarts"]))
        self.assertEqual(len([p for p in machine.processes() if "grid-launcher" in p]), 1)
        return after

    def upgrade(self, machine, node):
        """A newer agent becomes current, the one before stays at hand; the node lives on."""
        newer = os.path.join(self.grid.directory, "newer")
        shutil.copy(self.programs["grid-agent"], newer)
        with open(newer, "ab") as f:
            f.write(b"\0")
        published = self.publish("grid-agent", "1.1.0", newer)
        self.addCleanup(self.grid.api, "POST", "/api/binaries/1.1.0/linux/%s/yank?name=grid-agent" % os.uname().machine)
        script = "sh /usr/local/lib/grid/install.sh --url " + machine.master_url
        before = machine.listing()
        self.assertIn("Would install grid-agent 1.1.0", self.run_ok(machine, script + " --dry-run"))
        after = machine.listing()
        log = "/var/lib/grid-agent/agent/log"  # it may grow meanwhile
        self.assertEqual({**after, log: 0}, {**before, log: 0})
        self.run_ok(machine, script)
        links = {l: os.readlink(machine.path("/var/lib/grid-agent/agent/" + l)) for l in ("current", "previous")}
        self.assertEqual(links["current"], "1.1.0-" + published["checksum"])
        self.assertTrue(links["previous"].startswith("1.0.0-"))
        self.assertEqual(self.node_of(machine)["pid"], node["pid"])

    def wait_metadata(self, machine):
        """Until it has the newest, and writes no more of them."""
        def targets():
            return next(r["version"] for r in self.grid.api("GET", "/api/trust")["roles"] if r["name"] == "targets")
        wait_for("the newest metadata", lambda: self.grid.show(machine.name)["trust"]["targets"] == targets())

    def remove(self, machine):
        self.wait_metadata(machine)
        before = machine.listing()
        self.assertIn("Would stop the agent", self.run_ok(machine, "sh /usr/local/lib/grid/install.sh --uninstall --dry-run"))
        self.assertEqual(set(machine.listing()), set(before))
        script = self.script_on(machine)
        code, words = machine.sh(script + " --uninstall --state /var/lib/other")
        self.assertEqual((code, set(machine.listing()) - {"/tmp/install.sh"}), (2, set(before)), words)
        words = self.run_ok(machine, script + " --uninstall")
        self.assertIn("gridctl agent rm %s" % machine.name, words)
        self.assertEqual(machine.processes(), [])
        left = {p for p in machine.listing() if not p.startswith("/var/lib/grid-agent/nodes/")}
        bare = {"/usr", "/usr/local", "/usr/local/lib", "/usr/local/bin", "/var", "/var/lib", "/var/lib/grid-agent",
                "/var/lib/grid-agent/nodes", "/tmp/install.sh"}
        made = {p for p in left if re.match(r"/(usr/local|var|etc|tmp)\b", p)} - {"/etc", "/tmp"}
        self.assertEqual(made - bare, set())
        self.assertTrue(os.path.exists(machine.path("/var/lib/grid-agent/nodes/0/data")))
        self.run_ok(machine, script + " --uninstall --purge")
        self.assertFalse(os.path.exists(machine.path("/var/lib/grid-agent")))
        self.assertIn("Nothing is installed", self.run_ok(machine, script + " --uninstall"))

    def test_a_machine_that_was_removed_joins_again_by_the_same_kind_of_line(self):
        machine = self.machine()
        words = self.run_ok(machine, machine.join_command())
        self.assertIn("There is no systemd here", words)
        self.assertIn("crontab -", words)
        node = self.node_of(machine)
        answer = self.grid.request("DELETE", "/api/agents/%s?force=true" % machine.name)
        self.assertEqual(answer.status, 204, answer.body)
        used = self.join_on(machine)
        self.grid.api("DELETE", "/api/tokens/" + re.search(r"t=gj_(\w+)\.", used).group(1))
        code, words = machine.sh("%s %s" % (self.script_on(machine), used))
        self.assertEqual(code, 4, words)
        wait_for("the agent that ran before", lambda: [p for p in machine.processes() if "grid-launcher" in p])
        words = self.run_ok(machine, machine.join_command())
        self.assertIn("Enrolled as " + machine.name, words)
        self.assertEqual(self.node_of(machine)["pid"], node["pid"])
        self.assertEqual(len([p for p in machine.processes() if "grid-launcher" in p]), 1)
        self.assertEqual(len(glob.glob(machine.path("/var/lib/grid-agent/identity.removed-*"))), 1)

    def test_curl_does_as_well_as_wget_and_minisign_is_used_where_it_is(self):
        machine = self.machine(tools=["curl", "minisign"], without=["wget"])
        self.assertIn("Signatures: checked", self.run_ok(machine, machine.join_command()))
        self.grid.wait_healthy(machine.name, "1.0.0")

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

    def test_programs_may_be_brought_along(self):
        machine = self.machine(without=["wget"])
        script, join = self.script_on(machine), self.join_on(machine)
        os.mkdir(machine.path("/stick"))
        for name in ("grid-agent", "grid-launcher"):
            machine.copy(self.programs[name], "stick/%s-1.0.0-linux-%s" % (name, os.uname().machine))
        with open(machine.path("/stick/SHA256SUMS"), "w") as f:
            f.write("%s  grid-agent-1.0.0-linux-%s\n" % ("0" * 64, os.uname().machine))
        self.refused(machine, "%s --from /stick %s" % (script, join), 1, "SHA256SUMS")
        os.remove(machine.path("/stick/SHA256SUMS"))
        self.run_ok(machine, "%s --from /stick --id brought-along --nodes 2 --node-ports 7300-7310 %s" % (script, join))
        nodes = self.grid.wait_healthy("brought-along", "1.0.0", nodes=2)["nodes"]
        self.assertTrue(all(7300 <= n["port"] <= 7310 for n in nodes))

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

    def test_a_program_of_the_same_name_stays(self):
        machine = self.machine()
        os.makedirs(machine.path("/usr/local/bin"))
        with open(machine.path("/usr/local/bin/grid-agent"), "w") as f:
            f.write("theirs")
        words = self.run_ok(machine, "%s --no-start %s" % (self.script_on(machine), self.join_on(machine)))
        self.assertIn("/usr/local/bin/grid-agent is no link of ours", words)
        with open(machine.path("/usr/local/bin/grid-agent")) as f:
            self.assertEqual(f.read(), "theirs")

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
    reason = own_namespaces()
    if reason:
        print("OK (skipped: %s)" % reason)
        InstallTest = unittest.skip(reason)(InstallTest)
    unittest.main(verbosity=2)
