#!/usr/bin/python3
"""The master killed at every system call of what changes whose signatures count: whoever looks at /tuf/ afterwards finds
a repository that follows from the one before, and keys that fit it."""
import os, signal, subprocess, time, unittest

from grid import BUILD, Grid
from load import FAULTS
from master_case import ROUTE, script
from scale import SEED, say, scale
from steps import Steps, end, kill_at_points, usable
from tuf_repo import Key, Repository, next_root, next_targets, signed, target

CLIENT = os.path.abspath(os.path.join(BUILD, "tests/tools/tuf-client"))
NEXT = "storage-server-%s-linux-x86_64"


class TrustSteps(unittest.TestCase):
    def setUp(self):
        if not usable():
            self.skipTest("processes may not be traced here")
        self.grid, self.number = Grid(self, start=False), 0
        self.grid.start_master()
        self.publish("1.0.0")
        self.trusted = os.path.join(self.grid.directory, "trusted")
        self.metadata("init", self.file("1.root.json"))

    def file(self, name):
        path = os.path.join(self.grid.directory, name)
        with open(path, "wb") as file:
            file.write(self.get("/tuf/metadata/" + name))
        return path

    def get(self, path):
        return self.grid.request("GET", path, token=None).body

    def metadata(self, *arguments):
        """The client of agents, which remembers what it has trusted: nothing may go back."""
        url = ["--metadata-url", self.grid.master.url + "/tuf/metadata"] if arguments[0] == "refresh" else []
        os.makedirs(self.trusted, exist_ok=True)
        return subprocess.run([CLIENT, *url, "--metadata-dir", self.trusted, *arguments], capture_output=True, text=True)

    def publish(self, version):
        return self.grid.request("PUT", ROUTE % version + "?name=storage-server", script(version))

    def repository(self):
        return Repository(self.get)

    def post(self, what, body):
        try:
            self.grid.request("POST", "/api/trust/" + what, body)
        except FAULTS:
            pass

    def wrong(self):
        """What is wrong after the restart."""
        found, repository = [], self.repository()
        refreshed = self.metadata("refresh")
        if refreshed.returncode != 0:
            found.append("the client refuses: " + refreshed.stderr)
        here = set(os.listdir(os.path.join(self.grid.master.state, "keys"))) - {"master.key", "release.key", "release.pub"}
        keys = {Key.read(os.path.join(self.grid.master.state, "keys", name)).id for name in here}
        named = set(repository.root["signed"]["keys"])
        if not keys <= named:
            found.append("keys that no role names are left: %s" % here)
        if any(name.count(".") > 1 for name in here):
            found.append("half a rotation is left: %s" % here)
        return found

    def run_every_step(self, what, prepare, act, check, sample):
        steps, begun = Steps(self.grid.directory, what), time.monotonic()

        def measure(n=0):
            prepare()
            self.grid.master.stop()
            master = self.grid.start_master(wrapper=steps.wrapper(n))
            master.popen.send_signal(signal.SIGUSR1)
            act()
            end(master)
            self.grid.start_master()
            return steps.count()

        def hurt(n):
            died = measure(n) >= n
            self.assertEqual(self.wrong() + check(), [], "%s killed at call %d (seed %d)" % (what, n, SEED))
            return died

        count, died = kill_at_points(measure, hurt, sample)
        say("%s: %d calls, killed at %d of them (seed %d) in %.0f s" % (what, count, died, SEED, time.monotonic() - begun))
        self.assertGreater(died, 0)

    def test_keys_are_rotated_whole_or_not_at_all(self):
        def check():
            self.number += 1
            status = self.publish("1.1.%d" % self.number).status
            named = NEXT % ("1.1.%d" % self.number) in self.repository().named()
            return [] if status == 201 and named else ["a publication after it: %d, %s" % (status, named)]

        self.run_every_step("rotate", lambda: None, lambda: self.post("rotate", {"roles": ["root", "targets", "snapshot"]}),
                            check, scale(3, 0))

    def test_held_files_and_the_targets_that_name_them_come_together(self):
        self.keys = Key(), Key()
        root = next_root(self.repository().root, {"root": (1, [self.keys[0]]), "targets": (1, [self.keys[1]])})
        self.post("root", {"root": signed(root, self.keys[0]), "targets": signed(next_targets(self.repository().targets), self.keys[1])})

        def prepare():
            self.number += 1
            self.version = "2.0.%d" % self.number
            self.assertEqual(self.publish(self.version).status, 202)
            add = target(NEXT % self.version, script(self.version), self.number)
            self.targets = signed(next_targets(self.repository().targets, add), self.keys[1])

        def check():
            named = NEXT % self.version in self.repository().named()
            published = self.grid.request("GET", ROUTE % self.version).status == 200
            held = [h["file"] for h in self.grid.api("GET", "/api/binaries/held")]
            whole = (named, published, held) in ((True, True, []), (False, False, [NEXT % self.version]))
            if not named:
                self.post("targets", self.targets)
            return [] if whole else ["named %s, published %s, held %s" % (named, published, held)]

        self.run_every_step("targets", prepare, lambda: self.post("targets", self.targets), check, scale(2, 0))


if __name__ == "__main__":
    unittest.main()
