#!/usr/bin/python3
"""Key ceremonies with the real programs: machines are directories, and those without network have no master to ask."""
import json, os, shutil, subprocess, sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from grid import Grid, here, program, storage_server, wait_for

NOWHERE = "http://127.0.0.1:9"


def name_of(version):
    return "storage-server-%s-%s" % (version, here())


class Machine:
    """A directory to work in; one that is online has the master's URL and an admin token."""

    def __init__(self, test, name, online=False):
        self.test, self.name, self.online = test, name, online
        self.directory = os.path.join(test.grid.directory, "machines", name)
        os.makedirs(self.directory)

    def path(self, name):
        return os.path.join(self.directory, name)

    def files(self):
        return sorted(os.listdir(self.directory))

    def run(self, *arguments):
        env = dict(os.environ, NO_COLOR="1", HOME=self.directory, GRID_URL=NOWHERE)
        for key in ("GRID_STATE", "GRID_TOKEN", "GRID_KEY_PASSWORD"):
            env.pop(key, None)
        if self.online:
            env.update(GRID_URL=self.test.grid.master.url, GRID_TOKEN=self.test.grid.token)
        done = subprocess.run([program("gridctl"), *arguments], env=env, cwd=self.directory, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60)
        self.test.said.append(done.stdout + done.stderr)
        return done

    def ok(self, *arguments):
        done = self.run(*arguments)
        self.test.assertEqual(done.returncode, 0, "%s: gridctl %s\n%s%s" % (self.name, " ".join(arguments), done.stdout, done.stderr))
        return done

    def refused(self, code, words, *arguments):
        done = self.run(*arguments)
        self.test.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.test.assertIn(words, done.stderr)
        return done

    def key(self, name):
        """Makes NAME.key and NAME.pub; gives the key's id."""
        return self.ok("key", "generate", name, "-o", "name").stdout.strip()

    def carry(self, name, other):
        shutil.copy(self.path(name), other.path(name))


class KeyCeremonyTest(unittest.TestCase):
    def setUp(self):
        self.grid, self.said = Grid(self), []
        self.office = Machine(self, "office", online=True)
        self.build = Machine(self, "build")

    def trust(self):
        return self.grid.api("GET", "/api/trust")

    def role(self, name):
        return next(r for r in self.trust()["roles"] if r["name"] == name)

    def key_ids(self, role):
        return sorted(k["key_id"] for k in self.role(role)["keys"])

    def served(self, role):
        return json.loads(self.office.ok("key", "show", "--role", role).stdout)

    def published(self, version):
        return any(b["version"] == version for b in self.grid.api("GET", "/api/binaries"))

    def keys_of_master(self):
        return sorted(os.listdir(os.path.join(self.grid.master.state, "keys")))

    def move_offline(self):
        """The office has both keys at hand: one command."""
        self.office.key("anna")
        self.build.key("build")
        self.build.carry("build.key", self.office)
        self.build.carry("build.pub", self.office)
        self.office.ok("key", "rotate", "--offline", "--root-key", "anna.key", "--targets-key", "build.key", "--yes")
        os.remove(self.office.path("build.key"))

    def give(self, version, machine):
        shutil.copy(storage_server(version), machine.path(name_of(version)))

    def give_targets(self):
        """The targets in force, to the machine without network."""
        with open(self.build.path("targets.json"), "w") as f:
            f.write(self.office.ok("key", "show", "--role", "targets").stdout)

    def sign(self, version):
        """On the build machine; then everything is carried to the office."""
        self.give(version, self.build)
        self.build.ok("binary", "sign", name_of(version), "--key", "build.key", "--metadata", "targets.json")
        for suffix in ("", ".minisig", ".targets.json"):
            self.build.carry(name_of(version) + suffix, self.office)

    def assert_no_secret_was_said(self):
        secrets = []
        for folder, _, names in os.walk(os.path.join(self.grid.directory, "machines")):
            for name in (n for n in names if n.endswith(".key")):
                with open(os.path.join(folder, name)) as f:
                    secrets.append(f.read().splitlines()[1])
        self.assertTrue(secrets)
        said = "".join(self.said) + self.grid.master.out() + self.grid.master.err()
        for secret in secrets:
            self.assertNotIn(secret[80:140], said)

    def test_root_moves_to_two_of_three_machines_and_targets_to_a_fourth(self):
        grid, office = self.grid, self.office
        grid.publish("1.0.0")
        holders = [Machine(self, name) for name in ("anna", "ben", "carl")]
        ids = sorted(m.key(m.name) for m in holders)
        stranger = Machine(self, "stranger")
        stranger.key("stranger")
        build_id = self.build.key("build")
        for machine in [*holders, self.build]:
            machine.carry(machine.name + ".pub", office)
        with open(office.path("1.root.json"), "w") as f:
            f.write(office.ok("key", "show", "--role", "root").stdout)

        office.refused(2, "--offline", "key", "rotate", "--root-threshold", "2")  # and not: new keys of the master's own
        made = office.ok("key", "rotate", "--offline", "--root-key", "anna.pub", "--root-key", "ben.pub", "--root-key", "carl.pub",
                         "--root-threshold", "2", "--targets-key", "build.pub")
        root, targets = made.stdout.split()
        self.assertEqual(root, "2.root.json")
        self.assertRegex(targets, r"^\d+\.targets\.json$")
        self.assertIn("root: 0 of 2 signatures; missing:", made.stderr)
        self.assertIn("targets: 0 of 1 signatures; missing: " + build_id, made.stderr)
        self.assertFalse(self.trust()["offline"])  # nothing has happened yet

        office.refused(1, "root: 0 of 2 signatures", "key", "publish", root, targets, "--yes")
        for name in (root, targets, "1.root.json"):
            office.carry(name, stranger)
        stranger.refused(5, "none of those that may sign", "key", "sign", root, targets, "--key", "stranger.key", "--metadata",
                         "1.root.json", "--yes")
        stranger.refused(2, "asks before it acts", "key", "sign", root, "--key", "stranger.key")

        at = office
        for holder in holders[:2]:
            at.carry(root, holder)
            office.carry("1.root.json", holder)
            shown = holder.ok("key", "sign", root, "--key", holder.name + ".key", "--metadata", "1.root.json", "--yes").stderr
            self.assertIn("root version 2, good until", shown)
            for key_id in ids:
                self.assertIn("+" + key_id, shown)
            at = holder
            if holder is holders[0]:
                holder.carry(root, office)
                office.refused(1, "root: 1 of 2 signatures", "key", "publish", root, targets, "--yes")
        at.carry(root, office)
        office.refused(1, "targets: 0 of 1 signatures", "key", "publish", root, targets, "--yes")
        office.carry(targets, self.build)
        self.assertIn("names " + name_of("1.0.0"), self.build.ok("key", "sign", targets, "--key", "build.key", "--yes").stderr)
        self.build.carry(targets, office)
        office.refused(5, "targets", "key", "publish", root, "--yes")  # without the targets that its new keys signed
        self.assertFalse(self.trust()["offline"])
        office.ok("key", "publish", root, targets, "--yes")

        self.assertTrue(self.trust()["offline"])
        self.assertEqual((self.role("root")["version"], self.role("root")["threshold"], self.key_ids("root")), (2, 2, ids))
        self.assertEqual(self.key_ids("targets"), [build_id])
        self.assertEqual([k for k in self.keys_of_master() if k in ("root.key", "targets.key", "release.key")], [])
        self.assertEqual(list(self.served("targets")["signed"]["targets"]), [name_of("1.0.0")])
        office.refused(5, "the master has version 2 already", "key", "publish", root, "--yes")
        shown = office.ok("key", "show")
        self.assertIn("2 of 3", shown.stdout)
        self.assertIn("signed elsewhere", shown.stderr)
        self.assert_no_secret_was_said()

    def test_a_held_drop_is_published_by_a_signature_of_a_machine_without_network(self):
        grid, office, build = self.grid, self.office, self.build
        grid.publish("1.0.0")
        self.move_offline()
        grid.drop(storage_server("1.1.0"), name_of("1.1.0"))
        wait_for("the drop to be held", lambda: grid.api("GET", "/api/binaries/held"))
        self.assertEqual(office.ok("binary", "held", "-o", "name").stdout.split(), [name_of("1.1.0")])
        office.refused(5, "binary sign", "binary", "approve", name_of("1.1.0"), "--yes")
        self.give_targets()
        self.sign("1.1.0")
        office.ok("key", "publish", name_of("1.1.0") + ".targets.json", "--yes")  # the bytes are there
        self.assertTrue(self.published("1.1.0"))
        self.assertEqual(office.ok("binary", "held", "-o", "name").stdout, "")

        self.sign("2.0.0")  # from targets of before 1.1.0: they would take it away again
        office.refused(5, "removes " + name_of("1.1.0"), "binary", "push", name_of("2.0.0"))
        self.assertFalse(self.published("2.0.0"))
        self.give_targets()
        os.remove(build.path(name_of("2.0.0") + ".targets.json"))
        self.sign("2.0.0")
        office.ok("binary", "push", name_of("2.0.0"))
        names = self.served("targets")["signed"]["targets"]
        self.assertEqual(sorted(names), [name_of(v) for v in ("1.0.0", "1.1.0", "2.0.0")])
        self.assertEqual(len({t["custom"]["release"] for t in names.values()}), 3)

        office.refused(5, "key targets", "binary", "yank", name_of("2.0.0"), "--yes")
        yanked = office.ok("key", "targets", "--yank", name_of("2.0.0"), "--floor", "storage-server=1.0.0").stdout.strip()
        self.give_targets()
        office.carry(yanked, build)
        self.assertIn("yanks " + name_of("2.0.0"),
                      build.ok("key", "sign", yanked, "--key", "build.key", "--metadata", "targets.json", "--yes").stderr)
        build.carry(yanked, office)
        office.ok("key", "publish", yanked, "--yes")
        custom = self.served("targets")["signed"]["targets"][name_of("2.0.0")]["custom"]
        self.assertEqual((custom["yanked"], custom["floor"]), (True, "1.0.0"))
        self.assertTrue(next(b for b in grid.api("GET", "/api/binaries") if b["version"] == "2.0.0")["yanked"])
        self.give_targets()
        gone = office.ok("key", "targets", "--remove", name_of("2.0.0")).stdout.strip()
        office.carry(gone, build)
        build.ok("key", "sign", gone, "--key", "build.key", "--metadata", "targets.json", "--yes")
        build.carry(gone, office)
        office.ok("key", "publish", gone, "--yes")
        office.refused(5, name_of("2.0.0") + " was yanked", "binary", "push", name_of("2.0.0"))

    def test_lost_and_stolen_keys_are_exchanged(self):
        office, build = self.office, self.build
        self.grid.publish("1.0.0")
        self.move_offline()
        for name in ("ben", "carl"):
            office.key(name)
        office.ok("key", "root", "--add", "root=ben.pub", "--add", "root=carl.pub", "--threshold", "root=2", "--key", "anna.key",
                  "--key", "ben.key", "--yes")
        self.assertEqual((self.role("root")["threshold"], len(self.role("root")["keys"])), (2, 3))

        dora = office.key("dora")  # in place of carl's, whose key is lost
        carl = office.ok("key", "show", "carl.pub", "-o", "name").stdout.strip()
        os.remove(office.path("carl.key"))
        office.refused(1, "would need 4 signatures of 3 keys", "key", "root", "--threshold", "root=4", "--yes")
        office.ok("key", "root", "--remove", "root=" + carl[:8], "--add", "root=dora.pub", "--key", "anna.key", "--key", "ben.key",
                  "--yes")
        self.assertIn(dora, self.key_ids("root"))
        self.assertNotIn(carl, self.key_ids("root"))

        self.give_targets()  # the thief has those that the stolen key signed
        build_2 = build.key("build-2")  # in place of the build key, which was stolen
        build.carry("build-2.pub", office)
        made = office.ok("key", "root", "--remove", "targets=build.pub", "--add", "targets=build-2.pub", "--key", "anna.key",
                         "--key", "dora.key", "--yes")
        root, targets = made.stdout.split()
        office.carry(targets, build)
        build.ok("key", "sign", targets, "--key", "build-2.key", "--yes")
        build.carry(targets, office)
        office.ok("key", "publish", root, targets, "--yes")
        self.assertEqual(self.key_ids("targets"), [build_2])
        self.give("1.1.0", build)
        build.ok("binary", "sign", name_of("1.1.0"), "--key", "build.key", "--metadata", "targets.json")
        with open(build.path(name_of("1.1.0") + ".targets.json"), "r+") as f:
            stolen = json.load(f)
            stolen["signed"]["version"] += 1000
            f.seek(0)
            json.dump(stolen, f)
            f.truncate()
        build.ok("key", "sign", name_of("1.1.0") + ".targets.json", "--key", "build.key", "--yes")
        for suffix in ("", ".minisig", ".targets.json"):
            build.carry(name_of("1.1.0") + suffix, office)
        office.refused(1, "targets: 0 of 1 signatures", "binary", "push", name_of("1.1.0"))
        self.assertFalse(self.published("1.1.0"))

        # The master was stolen: another one, from a backup, makes keys that root has to name.
        online = [self.key_ids(role) for role in ("snapshot", "timestamp")]
        office.refused(2, "--yes", "key", "rotate")  # nobody is there to be asked
        made = office.ok("key", "rotate", "--yes")
        self.assertIn("root: 0 of 2 signatures", made.stderr)
        self.grid.master.stop()
        self.grid.start_master()
        self.assertEqual([self.key_ids(role) for role in ("snapshot", "timestamp")], online)
        office.ok("key", "sign", made.stdout.strip(), "--key", "anna.key", "--key", "dora.key", "--yes")
        office.ok("key", "publish", made.stdout.strip(), "--yes")
        for role, before in zip(("snapshot", "timestamp"), online):
            self.assertNotEqual(self.key_ids(role), before)
            self.assertTrue(self.role(role)["keys"][0]["here"])
        self.assertEqual(self.keys_of_master(), ["master.key", "release.pub", "snapshot.key", "timestamp.key"])
        office.refused(5, "root needs 2 signatures", "key", "rotate", "--role", "targets", "--yes")

        online = self.key_ids("snapshot") + self.key_ids("timestamp")
        office.ok("key", "root", "--key", "anna.key", "--key", "ben.key", "--yes")  # yearly renewal
        self.assertEqual(self.role("root")["version"], 7)
        self.assertEqual(self.key_ids("snapshot") + self.key_ids("timestamp"), online)
        self.assert_no_secret_was_said()

    def test_nothing_is_signed_on_top_of_what_another_master_serves_at_the_same_address(self):
        grid, office = self.grid, self.office
        grid.publish("1.0.0")
        office.key("build")
        self.served("targets")
        grid.master.stop()
        os.rename(grid.master.state, grid.master.state + "-before")
        grid.start_master()
        for command in (("key", "show", "--role", "targets"), ("key", "root", "--yes"), ("key", "targets", "--yes")):
            self.assertIn("if this is another grid", office.refused(1, "the master's metadata: ", *command).stderr)
        self.assertEqual([n for n in office.files() if n.endswith(".json")], [])
        shutil.rmtree(office.path(".config"))
        first = office.ok("key", "show", "--role", "targets")
        self.assertIn("believed from now on (SHA-256 %s;" % self.trust()["root_sha256"], first.stderr)
        self.assertEqual(office.ok("key", "show", "--role", "targets").stderr, "")


if __name__ == "__main__":
    unittest.main()
