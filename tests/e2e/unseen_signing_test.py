#!/usr/bin/python3
"""Whoever holds a key offline signs files that others brought: nothing gets signed that gridctl did not show, and
nothing that only claims to be in force. Needs no grid."""
import base64, copy, hashlib, json, os, shutil, subprocess, sys, tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from grid import here, program, sha256, storage_server

EVIL = "e" * 64


def name_of(version):
    return "storage-server-%s-%s" % (version, here())


def build(version, digest="a" * 64, **custom):
    platform, arch = here().split("-")
    return {"custom": {"arch": arch, "name": "storage-server", "platform": platform, "release": 1, "version": version, **custom},
            "hashes": {"sha256": digest}, "length": 1000}


def targets(builds, version=1, **more):
    return {"signatures": [], "signed": {"_type": "targets", "expires": "2040-01-01T00:00:00Z", "spec_version": "1.0.31",
                                         "targets": builds, "version": version, **more}}


class UnseenSigningTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="grid-test-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.build_id = self.key("build")

    def path(self, name):
        return os.path.join(self.directory, name)

    def run_gridctl(self, *arguments):
        env = {"PATH": os.environ["PATH"], "HOME": self.directory, "NO_COLOR": "1", "GRID_URL": "http://127.0.0.1:9"}
        return subprocess.run([program("gridctl"), *arguments], env=env, cwd=self.directory, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60)

    def ok(self, *arguments):
        done = self.run_gridctl(*arguments)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def refused(self, words, *arguments):
        """Refused with these words, printable ones all, and nothing was signed or written."""
        before = self.metadata()
        done = self.run_gridctl(*arguments)
        self.assertNotEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(words, done.stderr)
        self.assertTrue(all(c.isprintable() or c == "\n" for c in done.stderr), repr(done.stderr))
        self.assertEqual(self.metadata(), before)

    def metadata(self):
        """Content of every metadata file there is."""
        return {name: self.read(name) for name in os.listdir(self.directory) if name.endswith(".json")}

    def key(self, name):
        return self.ok("key", "generate", name, "-o", "name").stdout.strip()

    def write(self, name, content):
        with open(self.path(name), "w") as f:
            json.dump(content, f)

    def read(self, name):
        with open(self.path(name)) as f:
            return json.load(f)

    def in_force(self, signer="build"):
        self.write("targets.json", targets({name_of("1.0.0"): build("1.0.0")}))
        self.ok("key", "sign", "targets.json", "--key", signer + ".key", "--yes")

    def sign_build(self, key="build"):
        shutil.copy(storage_server("1.1.0"), self.path(name_of("1.1.0")))
        return "binary", "sign", name_of("1.1.0"), "--key", key + ".key", "--metadata", "targets.json"

    def test_targets_that_nobody_signed_are_not_built_on(self):
        self.write("targets.json", targets({name_of("9.0.0"): build("9.0.0", EVIL)}))
        self.refused("targets.json", *self.sign_build())
        self.assertFalse(os.path.exists(self.path(name_of("1.1.0") + ".minisig")))
        self.refused("targets.json", "key", "targets", "--metadata", "targets.json", "--key", "build.key", "--yes")
        self.write("new.json", targets({name_of("9.0.0"): build("9.0.0", EVIL)}, 2))
        self.refused("targets.json", "key", "sign", "new.json", "--metadata", "targets.json", "--key", "build.key", "--yes")

        self.in_force()
        self.ok(*self.sign_build())
        self.assertEqual(sorted(self.read(name_of("1.1.0") + ".targets.json")["signed"]["targets"]), [name_of("1.0.0"), name_of("1.1.0")])
        altered = self.read("targets.json")
        altered["signed"]["targets"][name_of("9.0.0")] = build("9.0.0", EVIL)
        self.write("targets.json", altered)
        self.refused("targets.json", "key", "targets", "--metadata", "targets.json", "--key", "build.key", "--yes")

    def test_the_second_signature_is_for_the_build_alone(self):
        self.key("second")
        self.in_force()
        self.ok("key", "sign", "targets.json", "--key", "second.key", "--yes")
        self.ok(*self.sign_build())
        file = name_of("1.1.0") + ".targets.json"
        first = self.read(file)
        more = copy.deepcopy(first)
        more["signed"]["targets"][name_of("9.0.0")] = build("9.0.0", EVIL)
        self.write(file, more)
        self.refused("also adds " + name_of("9.0.0"), *self.sign_build("second"))
        self.write(file, first)
        said = self.ok(*self.sign_build("second")).stderr
        self.assertIn("adds %s, %d bytes, SHA-256 %s" % (name_of("1.1.0"), os.path.getsize(self.path(name_of("1.1.0"))),
                                                        sha256(self.path(name_of("1.1.0")))), said)
        self.assertEqual(len(self.read(file)["signatures"]), 2)

    def test_bytes_floors_and_yanks_are_shown_before_they_are_signed(self):
        self.write("2.json", targets({name_of("1.0.0"): build("1.0.0", EVIL, floor="1.0.0", yanked=True)}, 2))
        said = self.ok("key", "sign", "2.json", "--key", "build.key", "--yes").stderr
        self.assertIn("names %s (yanked), 1000 bytes, SHA-256 %s" % (name_of("1.0.0"), EVIL), said)
        self.assertIn("the floor of storage-server is 1.0.0", said)
        self.in_force()
        said = self.ok("key", "sign", "2.json", "--metadata", "targets.json", "--key", "build.key", "--yes").stderr
        self.assertIn("replaces the bytes of %s (yanked), 1000 bytes, SHA-256 %s" % (name_of("1.0.0"), EVIL), said)

    def test_what_cannot_be_shown_is_not_signed(self):
        good = {name_of("1.0.0"): build("1.0.0")}
        for name in ("\u202e" + name_of("1.0.0"), name_of("1.0.0") + "\nremoves everything", "\x1b[2K" + name_of("1.0.0"),
                     "../" + name_of("1.0.0"), name_of("1.0.0").replace("storage", "st\u043erage")):
            self.write("bad.json", targets({name: build("1.0.0")}))
            self.refused("bad.json", "key", "sign", "bad.json", "--key", "build.key", "--yes")
        self.write("bad.json", targets({name_of("1.0.0"): build("2.0.0")}))
        self.refused("another build", "key", "sign", "bad.json", "--key", "build.key", "--yes")
        evil = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": "ab" * 32}}
        role = {"name": "more", "keyids": [EVIL], "threshold": 1, "terminating": False, "paths": ["*"]}
        self.write("bad.json", targets(good, delegations={"keys": {EVIL: evil}, "roles": [role]}))
        self.refused("delegat", "key", "sign", "bad.json", "--key", "build.key", "--yes")

    def tuf_key(self, name):
        """The key of NAME.pub as root metadata name it, and its id."""
        with open(self.path(name + ".pub")) as f:
            public = base64.b64decode(f.read().splitlines()[1])[10:].hex()
        key = {"keytype": "ed25519", "keyval": {"public": public}, "scheme": "ed25519"}
        return hashlib.sha256(json.dumps(key, sort_keys=True, separators=(",", ":")).encode()).hexdigest(), key

    def root(self, version, targets_key):
        """Root by the build key; targets by whatever hides behind the same id each time."""
        root_id, key = self.tuf_key("build")
        other = {"keytype": "ed25519", "keyval": {"public": targets_key}, "scheme": "ed25519"}
        roles = {name: {"keyids": [EVIL], "threshold": 1} for name in ("targets", "snapshot", "timestamp")}
        roles["root"] = {"keyids": [root_id], "threshold": 1}
        return {"signatures": [], "signed": {"_type": "root", "consistent_snapshot": True, "expires": "2040-01-01T00:00:00Z",
                                             "keys": {root_id: key, EVIL: other}, "roles": roles, "spec_version": "1.0.31",
                                             "version": version}}

    def test_another_key_behind_the_id_of_one_before_is_shown(self):
        self.write("1.root.json", self.root(1, "1" * 64))
        self.write("2.root.json", self.root(2, "2" * 64))
        sign = ("key", "sign", "2.root.json", "--metadata", "1.root.json", "--key", "build.key", "--yes")
        self.refused("1.root.json", *sign)  # nobody has signed that one
        self.ok("key", "sign", "1.root.json", "--key", "build.key", "--yes")
        self.assertRegex(self.ok(*sign).stderr, r"targets +1 of 1 +\+2{16} -1{16}\n")


if __name__ == "__main__":
    unittest.main()
