#!/usr/bin/python3
"""gridctl doctor where things are really wrong: it names each with a next step, and is content when they are mended."""
import json, os, resource, sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from grid import Grid, wait_for


class DoctorTest(unittest.TestCase):
    def doctor(self, **options):
        """Exit code and findings as (state, check): [(found, next)]."""
        result = self.grid.gridctl("doctor", "-o", "json", **options)
        self.assertIn(result.returncode, (0, 1), result.stderr)
        found = {}
        for f in json.loads(result.stdout):
            found.setdefault((f["state"], f["check"]), []).append((f["found"], f.get("next", "")))
        return result.returncode, found

    def assert_found(self, found, state, check, words, then):
        rows = found.get((state, check), [])
        self.assertTrue(any(words in f and then in n for f, n in rows), "%s %s: %r, %r\n%r" % (state, check, words, then, found))

    def test_what_is_wrong_is_named_with_a_next_step(self):
        self.grid = Grid(self)
        state = self.grid.master.state
        self.grid.publish("1.0.0")
        self.grid.agent("a-1")
        self.grid.wait_healthy("a-1", "1.0.0")
        self.assertEqual(self.grid.gridctl("backup", "create", "b.sqlar").returncode, 0)
        wait_for("the backup's event", lambda: self.grid.events(kind="backup.created"))
        code, found = self.doctor()
        self.assertEqual([key for key in found if key[0] == "fail"], [], found)
        self.assertEqual(code, 0)
        for check in ("bus", "clock", "keys", "database", "backup", "node port", "token", "version"):
            self.assertIn(("ok", check), found)
        self.assertLess(abs(self.grid.show("a-1")["clock_offset_ms"]), 30000)

        for secret in ("admin.token", "keys/release.key"):
            os.chmod(os.path.join(state, secret), 0o644)
        resource.prlimit(self.grid.master.pid, resource.RLIMIT_NOFILE, (300, 300))
        broken = os.path.join(self.grid.directory, "storage-server-9.0.0-any-any")
        with open(broken, "w") as f:
            f.write("#!/bin/sh\nexit 1\n")
        self.grid.gridctl("binary", "push", broken)
        self.grid.set_channel("9.0.0")
        wait_for("the failed update", lambda: self.grid.show("a-1")["update"]["state"] == "failed")
        self.grid.drop(broken, "no-name")
        wait_for("the refusal", lambda: self.grid.api("GET", "/api/binaries/rejected"))
        code, found = self.doctor()
        self.assertEqual(code, 1)
        self.assert_found(found, "fail", "keys", "admin.token can be read by others", "chmod 600")
        self.assert_found(found, "fail", "keys", "keys/release.key can be read by others", "chmod 600")
        self.assert_found(found, "warn", "descriptors", "of 300 and may need", "LimitNOFILE")
        self.assert_found(found, "fail", "update", "a-1 stays with 1.0.0 instead of 9.0.0: ", "gridctl agent why a-1")
        self.assert_found(found, "warn", "drop box", "1 file refused", "gridctl binary list --rejected")

        viewer = self.grid.gridctl("token", "create", "--role", "viewer").stdout.strip()
        code, found = self.doctor(token=viewer)
        self.assert_found(found, "warn", "facts", "operator", "role operator")
        self.assertIn(("fail", "update"), found)


if __name__ == "__main__":
    unittest.main()
