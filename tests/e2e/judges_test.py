#!/usr/bin/python3
"""Programs of other people judge ours: what they verify, resume, parse and lint must be as they expect it."""
import os, shutil, subprocess, sys, tempfile, urllib.request
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from grid import Grid, program, storage_server

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
PROMTOOL = os.path.join(ROOT, ".deps/tools/promtool")
ANY = "storage-server-%s-any-any"  # a build for every machine: any bytes will do


def judge(*command, cwd=None, stdin=None):
    """Exit code and everything it said."""
    result = subprocess.run(command, cwd=cwd, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                            env=dict(os.environ, LC_ALL="C"))
    return result.returncode, result.stdout.decode(errors="replace")


def read(path):
    with open(path, "rb") as f:
        return f.read()


class JudgesCase(unittest.TestCase):
    def assert_agrees(self, verdict):
        self.assertEqual(verdict[0], 0, verdict[1])


class RunningGridTest(JudgesCase):
    """Against one grid: a master with a real build, an agent, a node."""

    @classmethod
    def setUpClass(cls):
        cls.addCleanup = cls.addClassCleanup  # the grid lives as long as the class
        cls.grid = Grid(cls)
        del cls.addCleanup
        cls.build = cls.grid.publish("1.0.0")["path"]
        cls.grid.agent("a-1")
        cls.node = cls.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]

    def setUp(self):
        self.place = os.path.join(self.grid.directory, self.id().rsplit(".", 1)[1])
        os.mkdir(self.place)

    def gridctl(self, *arguments, code=0):
        result = self.grid.gridctl(*arguments)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result.stdout + result.stderr

    def write(self, name, content):
        path = os.path.join(self.place, name)
        with open(path, "wb") as f:
            f.write(content)
        return path

    def fetch(self, path):
        """Saves what the master answers under the last part of the path."""
        with urllib.request.urlopen(self.grid.master.url + path) as answer:
            return self.write(path.rsplit("/", 1)[1], answer.read())

    def judge(self, *command):
        return judge(*command, cwd=self.place)

    def test_minisign_believes_what_the_master_publishes_and_nothing_else(self):
        path = self.fetch("/binaries/" + self.build)
        self.fetch("/binaries/" + self.build + ".minisig")
        self.fetch("/api/keys/release")
        self.assert_agrees(self.judge("minisign", "-VH", "-p", "release", "-m", self.build))
        with open(path, "r+b") as f:
            f.seek(1000)
            f.write(b"altered!")
        code, words = self.judge("minisign", "-VH", "-p", "release", "-m", self.build)
        self.assertEqual(code, 1, words)
        self.assertIn("Signature verification failed", words)

    def test_minisign_uses_our_keys_and_believes_our_signatures(self):
        self.gridctl("key", "generate", os.path.join(self.place, "ours"))
        path = self.write(ANY % "0.1.0", b"signed here")
        self.gridctl("binary", "sign", path, "--key", os.path.join(self.place, "ours.key"))
        self.assert_agrees(self.judge("minisign", "-VH", "-p", "ours.pub", "-m", path))
        self.assert_agrees(self.judge("minisign", "-R", "-s", "ours.key", "-p", "again.pub"))
        self.assertEqual(read(os.path.join(self.place, "again.pub")).split()[-1], read(os.path.join(self.place, "ours.pub")).split()[-1])
        other = self.write(ANY % "0.1.1", b"signed there, with our key")
        self.assert_agrees(self.judge("minisign", "-S", "-s", "ours.key", "-m", other))
        self.assert_agrees(self.judge("minisign", "-VH", "-p", "ours.pub", "-m", other))

    def test_signatures_of_minisign_are_taken_prehashed_and_legacy(self):
        self.assert_agrees(self.judge("minisign", "-G", "-W", "-p", "theirs.pub", "-s", "theirs.key"))
        public = os.path.join(self.place, "theirs.pub")
        key_id = self.gridctl("key", "trust", public, "-o", "name").strip()
        self.addCleanup(self.grid.gridctl, "key", "rm", key_id, "--yes")
        for version, flags, algorithm in (("0.2.0", ["-S"], b"RU"), ("0.2.1", ["-S", "-l"], b"RW")):
            with self.subTest(version=version):
                name = ANY % version
                path = self.write(name, b"theirs " + version.encode())
                self.assert_agrees(self.judge("minisign", *flags, "-s", "theirs.key", "-m", path))
                self.assertEqual(read(path + ".minisig").splitlines()[1][:2], algorithm)
                self.gridctl("binary", "push", path)
                self.assertEqual(self.grid.api("GET", "/api/binaries/%s/any/any" % version)["key_id"], key_id)
                self.gridctl("binary", "verify", path, "--key-file", public)
                self.fetch("/api/keys/release")
                os.remove(path + ".minisig")
                self.fetch("/binaries/" + name + ".minisig")
                self.assert_agrees(self.judge("minisign", "-VH", "-p", "release", "-m", name))
        moved = self.write(ANY % "0.2.2", b"theirs 0.2.0")
        os.rename(self.write("theirs", b"theirs 0.2.0"), os.path.join(self.place, ANY % "0.2.0"))
        self.assert_agrees(self.judge("minisign", "-S", "-s", "theirs.key", "-m", ANY % "0.2.0", "-x", moved + ".minisig"))
        self.assert_agrees(self.judge("minisign", "-V", "-p", "theirs.pub", "-m", moved))  # it binds no name, we do
        self.assertIn("0.2.0", self.gridctl("binary", "push", moved, code=1))

    def test_sha256sum_checks_lines_and_lists(self):
        self.write(ANY % "0.3.0", b"one more")
        self.gridctl("binary", "push", os.path.join(self.place, ANY % "0.3.0"))
        names = [self.build, ANY % "0.3.0"]
        sums = b""
        for name in names:
            self.fetch("/binaries/" + name)
            sums += read(self.fetch("/binaries/" + name + ".sha256"))
            self.assert_agrees(self.judge("sha256sum", "--strict", "-c", name + ".sha256"))
        self.write("SHA256SUMS", sums)
        self.assertEqual(self.judge("sha256sum", "--strict", "-c", "SHA256SUMS"), (0, "".join("%s: OK\n" % n for n in names)))
        self.write(ANY % "0.3.0", b"one MORE")
        code, words = self.judge("sha256sum", "--strict", "-c", "SHA256SUMS")
        self.assertEqual(code, 1)
        self.assertIn("%s: FAILED\n" % (ANY % "0.3.0"), words)

    def test_curl_reads_ranges_and_goes_on_where_it_was_cut(self):
        url = "%s/binaries/%s" % (self.grid.master.url, self.build)
        whole = read(storage_server("1.0.0"))
        for wanted, expected in (("0-99", whole[:100]), ("1000-1999", whole[1000:2000]), ("-77", whole[-77:]),
                                 ("%d-" % (len(whole) - 5), whole[-5:]), ("%d-%d" % (len(whole) - 3, len(whole) + 3), whole[-3:])):
            with self.subTest(range=wanted):
                self.assertEqual(self.judge("curl", "-fsS", "-r", wanted, "-w", "%{http_code}", "-o", "part", url), (0, "206"))
                self.assertEqual(read(os.path.join(self.place, "part")), expected)
        self.assertEqual(self.judge("curl", "-sS", "-r", "%d-" % len(whole), "-w", "%{http_code}", "-o", "none", url), (0, "416"))
        for kept in (1, len(whole) // 2, len(whole) - 1):
            with self.subTest(kept=kept):
                path = self.write("resumed", whole[:kept])
                self.assertEqual(self.judge("curl", "-fsS", "-C", "-", "-w", "%{http_code} %{size_download}", "-o", path, url),
                                 (0, "206 %d" % (len(whole) - kept)))
                self.assertEqual(read(path), whole)

    @unittest.skipUnless(os.path.exists(PROMTOOL), "promtool is not unpacked: run ci/deps")
    def test_promtool_has_nothing_to_say_about_our_metrics(self):
        node = "http://127.0.0.1:%d" % self.node["port"]
        chunk = urllib.request.Request(node + "/v1/chunks/" + "ab" * 32, b"bytes", method="PUT")
        urllib.request.urlopen(chunk).close()
        self.grid.request("GET", "/nowhere", token=None)
        for url in (self.grid.master.url, node):
            with self.subTest(url=url):
                metrics = read(self.fetch_metrics(url))
                self.assertIn(b'grid_http_request_duration_seconds_bucket{', metrics)
                self.assertEqual(judge(PROMTOOL, "check", "metrics", stdin=metrics), (0, ""))
                self.assertNotEqual(judge(PROMTOOL, "check", "metrics", stdin=metrics + b"grid_pause_milliseconds 1\n")[0], 0)

    def fetch_metrics(self, url):
        with urllib.request.urlopen(url + "/metrics") as answer:
            return self.write("metrics", answer.read())


class FilesTest(JudgesCase):
    """Judges that read our files."""

    def files(self, *patterns):
        command = ["git", "-c", "safe.directory=*", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
        names = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        return [os.path.join(ROOT, n) for n in names if os.path.isfile(os.path.join(ROOT, n))]

    def scripts(self, *shells):
        """Our scripts whose first line names one of these shells."""
        found = []
        for path in self.files():
            words = read(path)[:80].split(b"\n")[0].replace(b"/", b" ").split()
            if words[:1] == [b"#!"] and any(s.encode() in words for s in shells):
                found.append(path)
        return found

    def test_shellcheck_has_nothing_to_say(self):
        scripts = self.scripts("sh", "bash", "dash")
        self.assertIn(os.path.join(ROOT, "ci/deps"), scripts)
        self.assert_agrees(judge("shellcheck", "-xa", *scripts))

    def test_dash_parses_scripts_for_any_shell(self):
        for path in self.scripts("sh", "dash"):
            with self.subTest(script=path):
                self.assertEqual(judge("dash", "-n", path), (0, ""))
                self.assert_agrees(judge("shellcheck", "-xa", "--shell=dash", path))

    def test_shells_take_the_completion_scripts(self):
        for shell, command in (("bash", ["shellcheck", "--shell=bash", "-"]), ("zsh", ["zsh", "-n"])):
            with self.subTest(shell=shell):
                script = subprocess.run([program("gridctl"), "completion", shell], stdout=subprocess.PIPE, check=True).stdout
                self.assertEqual(judge(*command, stdin=script), (0, ""))
                self.assertNotEqual(judge(*command, stdin=script + b"if\n")[0], 0)

    def complaints(self, unit):
        """What systemd says about this unit, but that its program is not installed here."""
        _, words = judge("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit)
        return [l for l in words.splitlines() if os.path.basename(unit) in l and "is not executable" not in l]

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd is not here")
    def test_systemd_takes_our_units(self):
        for unit in self.files("*.service", "*.socket", "*.timer"):
            with self.subTest(unit=unit):
                self.assertEqual(self.complaints(unit), [])
        with tempfile.TemporaryDirectory() as place:
            bad = os.path.join(place, "bad.service")
            with open(bad, "w") as f:
                f.write("[Service]\nExecStart=/bin/true\nKillMode=sometimes\n")
            self.assertIn("kill mode", "".join(self.complaints(bad)))


if __name__ == "__main__":
    unittest.main()
