"""Bare machines for tests of install.sh, and the master that they join.

The machines are real as far as one kernel goes: a root directory of their own with busybox in it, their own processes,
mounts, host name and network, which is one cable to the master's. All of that is in namespaces that this test makes
for itself, so it ends with it.
"""
import glob, os, re, shutil, signal, subprocess, sys, unittest

from grid import BUILD, Grid, PATIENCE_S, here, sha256, wait_for

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
NAMES = ("grid-agent", "grid-launcher", "storage-server")
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


class InstallCase(unittest.TestCase):
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

    def look_for_secret(self, machine, command):
        secret = re.search(r"t=gj_\w+\.([\w-]+)", command).group(1)
        found = subprocess.run(["grep", "-rlF", "--exclude-dir=proc", "--exclude-dir=dev", "-e", secret, machine.root],
                               capture_output=True, text=True).stdout
        self.assertEqual(found, "")
        for line in machine.processes():
            self.assertNotIn(secret, line)
        self.assertEqual(os.listdir(machine.path("/tmp")), [])


def main(case):
    """Runs the tests of this case in namespaces of their own, or says why not."""
    reason = own_namespaces()
    if reason:
        print("OK (skipped: %s)" % reason)
        unittest.skip(reason)(case)
    unittest.main(verbosity=2)
