"""What ci/release hands out: static files that stock tools accept, and a grid of two architectures made of them.

Programs for aarch64 run under qemu: by itself, and for a whole agent through binfmt_misc, which needs root.
"""
import os, platform, shutil, signal, subprocess, tempfile, unittest, urllib.request

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
DIST = os.path.join(ROOT, "dist")
PROGRAMS = ("grid-agent", "grid-launcher", "grid-master", "gridctl", "storage-server")
MACHINES = {"x86_64": "Advanced Micro Devices X86-64", "aarch64": "AArch64"}
HERE = platform.machine()
OTHER = next(arch for arch in MACHINES if arch != HERE)
BINFMT = "/proc/sys/fs/binfmt_misc"
AGENT_FILE_MAX = 5 * 1000 * 1000


def released(program, arch):
    """Path of the file that ci/release made of a program."""
    found = [n for n in (os.listdir(DIST) if os.path.isdir(DIST) else ())
             if n.startswith(program + "-") and n.endswith("-linux-" + arch)]
    if len(found) != 1:
        raise AssertionError("dist/ holds %r of %s for %s; run ci/release" % (found, program, arch))
    return os.path.join(DIST, found[0])


# The grid of these tests runs the released programs: the harness looks for them by their plain names.
BUILD = tempfile.TemporaryDirectory(prefix="grid-portable-")
os.environ["GRID_BUILD_DIR"] = BUILD.name
os.mkdir(os.path.join(BUILD.name, "bin"))
for _name in PROGRAMS:
    os.symlink(released(_name, HERE), os.path.join(BUILD.name, "bin", _name))
    os.symlink(released(_name, OTHER), os.path.join(BUILD.name, "bin", _name + "-" + OTHER))

from grid import Grid, sha256, wait_for


def said(*words, **options):
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=60, **options).stdout


def emulated(*words):
    """The words of a command that runs a program of the other architecture without the system's help."""
    return ["qemu-%s-static" % OTHER, *words]


def files():
    return [released(program, arch) for arch in MACHINES for program in PROGRAMS]


class Files(unittest.TestCase):
    def test_every_file_is_static_stripped_and_of_its_machine(self):
        for path in files():
            with self.subTest(os.path.basename(path)):
                head = said("readelf", "--wide", "--file-header", "--program-headers", "--dynamic", "--sections", path)
                self.assertIn(MACHINES[path.rsplit("-", 1)[1]], head)
                self.assertIn("DYN (", head, "not at a random address")
                for absent in ("INTERP", "(NEEDED)", ".symtab", ".debug_info"):
                    self.assertNotIn(absent, head)

    def test_stock_tools_accept_every_file_and_only_as_it_is(self):
        sums = said("sha256sum", "-c", "SHA256SUMS", cwd=DIST)
        for path in files():
            name = os.path.basename(path)
            self.assertIn(name + ": OK", sums)
            verified = said("minisign", "-V", "-p", "grid.pub", "-m", name, cwd=DIST)
            self.assertRegex(verified, r"Trusted comment: .*\bfile:%s\b" % name)
        with tempfile.TemporaryDirectory() as directory:
            altered = os.path.join(directory, "altered")
            with open(path, "rb") as source, open(altered, "wb") as target:
                target.write(source.read() + b"\0")
            refused = subprocess.run(["minisign", "-V", "-p", "grid.pub", "-m", altered, "-x", name + ".minisig"], cwd=DIST,
                                     capture_output=True)
            self.assertNotEqual(refused.returncode, 0)

    def test_the_agent_is_small(self):
        for arch in MACHINES:
            self.assertLess(os.path.getsize(released("grid-agent", arch)), AGENT_FILE_MAX)

    def test_other_arguments_are_refused_by_name(self):
        for words, named in ((["--arch", "arm"], "arm"), (["--arhc", "x86_64"], "--arhc"), (["--key"], "--key")):
            refused = subprocess.run([os.path.join(ROOT, "ci/release"), *words], capture_output=True, text=True, timeout=30)
            self.assertEqual(refused.returncode, 2, refused.stderr)
            self.assertIn(named, refused.stderr)


class OtherMachine(unittest.TestCase):
    def test_unit_tests_of_hashes_pass_there(self):
        for name in ("unit-lib-hash", "unit-storage-server-format"):
            path = os.path.join(ROOT, "build", "portable-" + OTHER, "tests", name)
            ran = subprocess.run(emulated(path), capture_output=True, text=True, timeout=120)
            self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
            self.assertIn("[  PASSED  ]", ran.stdout + ran.stderr)

    def test_chunks_written_there_are_read_here(self):
        """Each checksum was made by the one machine's instructions and is proven by the other's."""
        content = os.urandom(1_000_003)
        with tempfile.TemporaryDirectory() as directory:
            for words, method in ((emulated(released("storage-server", OTHER)), "PUT"),
                                  ([released("storage-server", HERE)], "GET"),
                                  (emulated(released("storage-server", OTHER)), "GET")):
                body = content if method == "PUT" else None
                answered = self.ask_node([*words, "--data", directory, "--port", "0"], method, body)
                if method == "GET":
                    self.assertEqual(answered, content)

    def ask_node(self, words, method, body):
        """Starts a node, asks once for the one chunk, stops it."""
        node = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            url = node.stdout.readline().split()[1]
            request = urllib.request.Request(url + "/v1/chunks/c-1", body, method=method)
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read()
        finally:
            node.terminate()
            node.wait(60)
            node.stdout.close()


class Binfmt:
    """Lets the kernel run programs of the other architecture, and leaves the machine as it was."""
    entry = "grid-test-" + OTHER
    # ELF of 64 bits, little-endian, executable at a fixed or any address; what is not compared is masked.
    magic = {"aarch64": r"\xb7", "x86_64": r"\x3e"}

    def __init__(self):
        self.mounted = self.registered = False
        if self.works():
            return
        if not os.path.exists(BINFMT + "/register"):
            mount = subprocess.run(["mount", "-t", "binfmt_misc", "none", BINFMT], capture_output=True, text=True)
            if mount.returncode != 0:
                raise unittest.SkipTest("binfmt_misc cannot be mounted: " + mount.stderr.strip())
            self.mounted = True
        with open(BINFMT + "/register", "w", encoding="ascii") as register:
            register.write(":%s:M::\\x7fELF\\x02\\x01\\x01%s\\x02\\x00%s\\x00:%s\\x00%s\\xfe\\xff\\xff\\xff:%s:F" % (
                self.entry, r"\x00" * 9, self.magic[OTHER], r"\xff" * 7, r"\xff" * 8, shutil.which(emulated()[0])))
        self.registered = True

    @staticmethod
    def works():
        try:
            return subprocess.run([released("storage-server", OTHER), "--version"], capture_output=True).returncode == 0
        except OSError:
            return False

    def close(self):
        if self.registered:
            with open(os.path.join(BINFMT, self.entry), "w", encoding="ascii") as entry:
                entry.write("-1")
        if self.mounted:
            subprocess.run(["umount", BINFMT], check=True)


@unittest.skipUnless(os.geteuid() == 0, "only root may let the kernel run programs of another architecture")
class TwoArchitectures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        binfmt = Binfmt()
        cls.addClassCleanup(binfmt.close)
        if not binfmt.works():
            raise AssertionError("registered with binfmt_misc, but a program for %s does not run" % OTHER)

    def setUp(self):
        self.grid = Grid(self)
        for name in ("grid-agent", "grid-launcher", "storage-server"):
            for arch in MACHINES:
                self.grid.drop(released(name, arch), os.path.basename(released(name, arch)))

    def test_each_machine_fetches_and_runs_the_build_for_it(self):
        agents = {HERE: self.grid.agent("agent-here"),
                  OTHER: self.grid.agent("agent-other", name="grid-agent-" + OTHER)}
        for arch, agent in agents.items():
            shown = self.grid.wait_healthy(agent.id)
            self.assertEqual((shown["platform"], shown["arch"]), ("linux", arch))
            self.assertEqual([n["sha256"] for n in shown["nodes"]], [sha256(released("storage-server", arch))])
        self.chunk_survives_the_kill_of(self.grid.nodes("agent-other")[0])

    def chunk_survives_the_kill_of(self, node):
        chunk = "http://127.0.0.1:%d/v1/chunks/c-1"
        urllib.request.urlopen(urllib.request.Request(chunk % node["port"], b"kept", method="PUT"), timeout=30).close()
        os.kill(node["pid"], signal.SIGKILL)
        wait_for("another process of the node", lambda: self.grid.nodes("agent-other")[0]["pid"] not in (node["pid"], None))
        port = self.grid.wait_healthy("agent-other")["nodes"][0]["port"]
        with urllib.request.urlopen(chunk % port, timeout=30) as answer:
            self.assertEqual(answer.read(), b"kept")


if __name__ == "__main__":
    unittest.main()
