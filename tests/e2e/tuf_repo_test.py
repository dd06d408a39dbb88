#!/usr/bin/python3
"""The TUF repository below /tuf/: what it says after every change of the catalog, keys that move away, files that wait
for signatures, and metadata that are refused. A real master, no agents; checked without the grid's own code."""
import json, os, shutil, sqlite3, time, unittest
from contextlib import closing

from grid import Grid, wait_for
from master_case import NAME, ROUTE, Test, script, sha256
from tuf_repo import Key, Repository, next_root, next_targets, rfc3339, signed, target

NEXT = "storage-server-1.1.0-linux-x86_64"


class Case(Test):
    def repository(self):
        return Repository(lambda path: self.get(path).body)

    def key(self, role):
        return Key.read(os.path.join(self.grid.master.state, "keys", role + ".key"))

    def keys_here(self):
        return sorted(os.listdir(os.path.join(self.grid.master.state, "keys")))

    def post(self, what, metadata, query=""):
        return self.grid.request("POST", "/api/trust/" + what + query, metadata, {"Content-Type": "application/json"})

    def role(self, name):
        return next(r for r in self.grid.api("GET", "/api/trust")["roles"] if r["name"] == name)

    def held(self):
        return [h["file"] for h in self.grid.api("GET", "/api/binaries/held")]

    def go_offline(self):
        """Root and targets to keys that only this test has."""
        repository = self.repository()
        self.root_key, self.targets_key = Key(), Key()
        root = signed(next_root(repository.root, {"root": (1, [self.root_key]), "targets": (1, [self.targets_key])}), self.root_key)
        targets = signed(next_targets(repository.targets), self.targets_key)
        answer = self.post("root", {"root": root, "targets": targets})
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()


class Published(Case):
    def test_the_repository_follows_the_catalog(self):
        empty = self.repository()
        self.assertEqual(empty.named(), {})
        content = self.publish()
        now = self.repository()
        self.assertEqual(now.named(), target(NAME, content))
        self.assertGreater(now.timestamp["signed"]["version"], empty.timestamp["signed"]["version"])
        self.assertEqual(self.get("/tuf/targets/%s.%s" % (sha256(content), NAME)).body, content)
        self.problem(self.get("/tuf/targets/%s.%s" % (sha256(b"other"), NAME)), 404, "not_found")
        self.problem(self.get("/tuf/targets/" + NAME), 404, "not_found")
        other = self.publish("1.1.0")
        self.grid.api("PUT", "/api/floors/storage-server", {"version": "1.0.0"})
        self.assertEqual(self.repository().named(), target(NAME, content, floor="1.0.0") | target(NEXT, other, 2, floor="1.0.0"))
        self.grid.api("POST", ROUTE % "1.1.0" + "/yank?name=storage-server")
        self.grid.api("DELETE", "/api/floors/storage-server")
        self.assertEqual(self.repository().named()[NEXT]["custom"],
                         dict(target(NEXT, other, 2)[NEXT]["custom"], yanked=True))
        self.grid.api("DELETE", ROUTE % "1.1.0" + "?name=storage-server")
        self.assertEqual(list(self.repository().named()), [NAME])

    def test_old_generations_go_and_numbered_files_never_change(self):
        first = self.repository()
        self.publish()
        mid = self.repository()
        file = "/tuf/metadata/%d.targets.json" % first.targets["signed"]["version"]
        kept = self.get(file)
        self.assertIn("immutable", kept.headers["Cache-Control"])
        self.assertEqual(self.get("/tuf/metadata/timestamp.json").headers["Cache-Control"], "no-cache")
        for version in range(8):
            self.publish("2.0.%d" % version)
        self.problem(self.get(file), 404, "not_found")
        self.assertEqual(self.get("/tuf/metadata/1.root.json").status, 200)
        with closing(sqlite3.connect(os.path.join(self.grid.master.state, "grid.db"))) as db:
            rows = dict(db.execute("SELECT role, count(*) FROM repo_metadata GROUP BY role"))
        self.assertEqual(rows, {"root": 1, "bridge": 1, "timestamp": 1, "snapshot": 8, "targets": 8})
        self.assertLess(mid.targets["signed"]["version"], self.repository().targets["signed"]["version"])

    def test_a_grid_of_before_gets_its_repository_at_its_next_start(self):
        content = self.publish()
        digest = self.grid.api("GET", "/api/trust")["root_sha256"]
        self.grid.master.stop()
        for name in ("root", "targets", "snapshot", "timestamp"):
            os.unlink(os.path.join(self.grid.master.state, "keys", name + ".key"))
        with closing(sqlite3.connect(os.path.join(self.grid.master.state, "grid.db"))) as db, db:
            db.execute("DELETE FROM repo_metadata")
        self.grid.start_master()
        self.assertEqual(self.repository().named(), target(NAME, content))
        self.assertNotEqual(self.grid.api("GET", "/api/trust")["root_sha256"], digest)
        self.assertIn("file:1.root.json", self.get("/tuf/metadata/1.root.json.minisig").body.decode())

    def test_a_restored_backup_goes_on_above_what_agents_have_seen(self):
        self.publish()
        self.assertEqual(self.grid.gridctl("backup", "create", "b.sqlar").returncode, 0)
        content = self.publish("1.1.0")
        seen = self.repository()
        self.grid.master.stop()
        shutil.rmtree(self.grid.master.state)
        done = self.grid.gridctl("backup", "restore", "b.sqlar", "--state", self.grid.master.state, token=None)
        self.assertEqual(done.returncode, 0, done.stderr)
        time.sleep(max(0, seen.timestamp["signed"]["version"] + 1 - time.time()))  # versions are seconds
        self.grid.start_master()
        now = self.repository()
        for role in ("timestamp", "snapshot", "targets"):
            self.assertGreater(getattr(now, role)["signed"]["version"], getattr(seen, role)["signed"]["version"], role)
        self.assertEqual((list(now.named()), now.root), ([NAME], seen.root))
        self.assertEqual(self.put(content, "1.1.0").status, 201)

    def test_a_lost_key_stops_the_start(self):
        for role in ("snapshot", "targets", "root"):
            path = os.path.join(self.grid.master.state, "keys", role + ".key")
            self.grid.master.stop()
            os.rename(path, path + ".away")
            with self.assertRaisesRegex(AssertionError, r"%s\.key is missing(.|\n)*restore a backup" % role):
                self.grid.start_master()
            os.rename(path + ".away", path)
            self.grid.start_master()
        self.repository()


class Lives(Case):
    arguments = ("--tuf-timestamp-life", "48s", "--tuf-snapshot-life", "2s", "--tuf-targets-life", "2s")

    def test_what_grows_old_is_signed_anew(self):
        first = self.repository()

        def renewed():
            now = self.repository()
            return all(getattr(now, r)["signed"]["version"] > getattr(first, r)["signed"]["version"]
                       for r in ("timestamp", "snapshot", "targets"))
        wait_for("new metadata", renewed)
        self.assertEqual(self.role("root")["version"], 1)


class Offline(Case):
    def test_keys_leave_and_drops_wait_for_targets_that_name_them(self):
        content = self.publish()
        self.assertFalse(self.grid.api("GET", "/api/trust")["offline"])
        trust = self.go_offline()
        self.assertTrue(trust["offline"])
        self.assertEqual(self.keys_here(), ["master.key", "release.pub", "snapshot.key", "timestamp.key"])
        other = script("1.1.0")
        held = self.put(other, "1.1.0")
        self.assertEqual((held.status, held.json()["reason"]), (202, "targets are signed on another machine"))
        self.assertIn("binary sign", self.problem(self.grid.request(
            "POST", "/api/binaries/held/%s/approve" % NEXT), 409, "conflict")["hint"])
        self.problem(self.get(ROUTE % "1.1.0"), 404, "not_found")
        self.grid.master.kill()
        self.grid.start_master()
        self.assertEqual(self.held(), [NEXT])
        before = self.repository()
        unknown = signed(next_targets(before.targets, target("tool-1.0.0-linux-any", b"nobody has it")), self.targets_key)
        self.assertIn("tool-1.0.0", self.problem(self.post("targets", unknown), 409, "conflict")["detail"])
        self.assertEqual(self.repository().targets, before.targets)
        words = next_targets(before.targets, target(NEXT, other, 2))
        self.assertIn("0 of 1", self.problem(self.post("targets", signed(words, Key())), 422, "untrusted")["detail"])
        self.assertEqual(self.post("targets", signed(words, self.targets_key)).status, 200)
        self.assertEqual((self.held(), self.get("/binaries/" + NEXT).body), ([], other))
        self.assertEqual(self.repository().named(), target(NAME, content) | target(NEXT, other, 2))
        self.assertEqual(self.get("/binaries/" + NEXT + ".minisig").status, 404)
        self.problem(self.post("targets", signed(words, self.targets_key)), 409, "conflict")
        self.withdraw(other)

    def withdraw(self, other):
        path = ROUTE % "1.1.0" + "%s?name=storage-server"
        for method, action in (("POST", "/yank"), ("DELETE", "")):
            self.problem(self.grid.request(method, path % action), 409, "conflict")
        words = next_targets(self.repository().targets, target(NEXT, other, 2, yanked=True))
        self.assertEqual(self.post("targets", signed(words, self.targets_key)).status, 200)
        self.assertTrue(self.grid.api("GET", ROUTE % "1.1.0")["yanked"])
        words = next_targets(self.repository().targets, remove=[NEXT])
        self.assertEqual(self.post("targets", signed(words, self.targets_key)).status, 200)
        self.grid.api("DELETE", path % "")
        self.problem(self.get(ROUTE % "1.1.0"), 404, "not_found")

    def leave_out(self, key):
        words = next_targets(self.repository().targets, remove=[NEXT])
        self.assertEqual(self.post("targets", signed(words, key)).status, 200)
        self.assertFalse(self.grid.api("GET", ROUTE % "1.1.0")["published"])

    def test_what_signed_targets_leave_out_cannot_be_chosen_until_they_name_it_again(self):
        self.publish()
        other = self.publish("1.1.0")
        self.go_offline()
        self.leave_out(self.targets_key)
        self.assertEqual([e["subject"] for e in self.grid.events(kind="binary.left_out")], [NEXT])
        rows = self.grid.api("GET", "/api/audit?action=binary.leave_out")
        self.assertEqual([r["subject"] for r in rows], [NEXT])
        self.assertEqual([b["published"] for b in self.grid.api("GET", "/api/binaries")], [True, False])
        self.assertEqual(self.get("/api/binaries/latest/linux/x86_64").json()["version"], "1.0.0")
        self.assertIn("left out", self.grid.gridctl("binary", "list").stdout)
        problem = self.problem(self.grid.request("PUT", "/api/channels/stable", {"version": "1.1.0"}), 409, "conflict")
        self.assertIn("left out of the signed targets", problem["detail"])
        self.assertIn("gridctl binary sign", problem["hint"])
        with open(os.path.join(self.grid.directory, NEXT), "wb") as file:
            file.write(other)
        verified = self.grid.gridctl("binary", "verify", NEXT)
        self.assertEqual(verified.returncode, 1, verified.stdout)
        self.assertIn("not among the trusted targets", verified.stderr)
        self.assertEqual(self.put(other, "1.1.0").status, 202)
        words = next_targets(self.repository().targets, target(NEXT, other, 3))
        self.assertEqual(self.post("targets", signed(words, self.targets_key)).status, 200)
        self.assertEqual((self.held(), self.grid.api("GET", ROUTE % "1.1.0")["published"]), ([], True))
        self.grid.api("PUT", "/api/channels/stable", {"version": "1.1.0"})

    def test_what_targets_left_out_is_published_anew_where_their_keys_are_here(self):
        other = self.publish("1.1.0")
        self.leave_out(self.key("targets"))
        self.assertEqual(self.put(other, "1.1.0").status, 201)
        self.assertTrue(self.grid.api("GET", ROUTE % "1.1.0")["published"])
        self.assertEqual(list(self.repository().named()), [NEXT])
        self.grid.api("POST", ROUTE % "1.1.0" + "/yank?name=storage-server")
        self.leave_out(self.key("targets"))
        self.assertEqual(self.put(other, "1.1.0").status, 200)
        self.assertTrue(self.grid.api("GET", ROUTE % "1.1.0")["yanked"], "what was yanked is never offered again")

    def test_roots_that_break_the_chain_are_refused(self):
        repository = self.repository()
        mine, root_key, targets_key = Key(), self.key("root"), self.key("targets")
        words = lambda **roles: next_root(repository.root, roles)
        late, skipped, gone = words(), words(), words()
        late["expires"], skipped["version"] = rfc3339(-60), 3
        del gone["roles"]["snapshot"]
        for metadata, status, says in (
                (signed(words(root=(2, [mine, Key()])), mine), 422, "1 of 2"),
                (signed(late), 400, "expired"), (signed(skipped), 409, "2 is due"), (signed(gone), 400, "snapshot"),
                (signed(words(snapshot=(1, [mine]))), 409, "snapshot"), (signed(words(targets=(1, [mine]))), 409, "targets"),
                ({"root": signed(words(targets=(1, [mine]))), "targets": signed(next_targets(repository.targets), targets_key)}, 422, "0 of 1"),
                (b"[" * 100, 400, ""), (b" " * (18 << 20), 413, "")):
            answer = self.post("root", metadata)
            self.assertEqual(answer.status, status, answer.body)
            self.assertIn(says, answer.json()["detail"])
        self.assertEqual(self.repository().root, repository.root)
        self.assertIn("release.key", self.keys_here())
        self.assertEqual(self.key("root").id, root_key.id)

    def test_two_of_three_root_keys_sign_one_of_them_here(self):
        repository = self.repository()
        keys = [self.key("root"), Key(), Key()]
        self.assertEqual(self.post("root", signed(next_root(repository.root, {"root": (2, keys)}), keys[1])).status, 200)
        self.assertIn("root.key", self.keys_here())
        self.assertNotIn("release.key", self.keys_here(), "one key here cannot sign a root")
        self.problem(self.post("rotate", {"roles": ["targets"]}), 409, "conflict")
        now = self.repository()
        self.problem(self.post("root", signed(next_root(now.root, {}))), 422, "untrusted")
        mine = Key()
        for says, signers in (("version 2: root: 1 of 2", [mine]), ("version 3: root: 0 of 1", keys[1:])):
            stolen = signed(next_root(now.root, {"root": (1, [mine])}), *signers)
            self.assertIn(says, self.problem(self.post("root", stolen), 422, "untrusted")["detail"])
        self.assertEqual(self.post("root", signed(next_root(now.root, {}), keys[2])).status, 200)
        self.assertEqual(self.role("root")["threshold"], 2)
        self.publish()
        self.assertIn(NAME, self.repository().named())

    def test_agents_without_a_root_keep_the_release_key(self):
        with closing(sqlite3.connect(os.path.join(self.grid.master.state, "grid.db"))) as db, db:
            self.grid.master.stop()
            db.execute("INSERT INTO agent (id, public_key, admission, platform, arch, enrolled_at)"
                       " VALUES ('a-1', 'RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3', 'admitted', 'linux', 'x86_64', 1)")
        self.grid.start_master()
        self.assertEqual(self.grid.api("GET", "/api/trust")["agents_without_root"], ["a-1"])
        repository, mine = self.repository(), Key()
        root = signed(next_root(repository.root, {"root": (1, [mine])}), mine)
        self.assertIn("1 agents", self.problem(self.post("root", root), 409, "conflict")["detail"])
        self.assertIn("release.key", self.keys_here())
        self.assertEqual(self.post("root", root, "?abandon=1").status, 200)
        self.assertNotIn("release.key", self.keys_here())
        self.publish()

    def test_a_wiped_key_leaves_nothing_in_the_state(self):
        secrets = []
        for role in ("root", "targets"):
            secrets.append(self.key(role).seed)
            with open(os.path.join(self.grid.master.state, "keys", role + ".key"), "rb") as file:
                secrets.append(file.read().splitlines()[1])
        self.go_offline()
        for folder, _, files in os.walk(self.grid.master.state):
            for name in files:
                with open(os.path.join(folder, name), "rb") as file:
                    content = file.read()
                self.assertFalse(any(secret in content for secret in secrets), name)
        self.assertIn("root.key targets.key", str([e["data"] for e in self.grid.events(kind="trust.root")]))


class Rotated(Case):
    def test_every_role_gets_new_keys_and_the_chain_holds(self):
        content = self.publish()
        before = self.repository()
        self.assertEqual(self.post("rotate", {"roles": ["root", "targets", "snapshot", "timestamp"]}).status, 200)
        now = self.repository()
        self.assertEqual(now.root["signed"]["version"], 2)
        olds = {s["keyid"] for s in now.root["signatures"]}
        self.assertTrue(set(before.root["signed"]["roles"]["root"]["keyids"]) < olds, "signed by the old key, too")
        self.assertFalse(set(before.root["signed"]["keys"]) & set(now.root["signed"]["keys"]))
        self.assertEqual(now.named(), target(NAME, content))
        self.grid.master.kill()
        self.grid.start_master()
        self.publish("1.1.0")
        self.assertEqual(len(self.repository().named()), 2)


if __name__ == "__main__":
    unittest.main()
