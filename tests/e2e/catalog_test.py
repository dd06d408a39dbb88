"""The drop box, channels, keys and backups. A real master, no agents."""
import base64, json, os, shutil, sqlite3, subprocess, unittest

from grid import program, wait_for
from master_case import NAME, ROUTE, Test, elf, script, sha256


class DropBox(Test):
    def drop(self, name, content):
        path = os.path.join(self.grid.directory, "incoming")
        with open(path, "wb") as file:
            file.write(content)
        os.rename(path, os.path.join(self.grid.binaries, name))

    def rejected(self, name):
        return wait_for("%s to be rejected" % name, lambda: next(
            (r for r in self.grid.api("GET", "/api/binaries/rejected") if r["file"] == name), None))

    def served(self, path=NAME):
        return wait_for(path, lambda: next(
            (b for b in self.grid.api("GET", "/api/binaries") if b["path"] == path), None))

    def test_a_drop_is_published_and_stays_what_it_was(self):
        self.drop(NAME, script("one"))
        self.served()
        self.assertEqual(self.grid.api("GET", "/api/channels")[0]["version"], "1.0.0")
        self.drop(NAME, script("two"))
        reason = self.rejected(NAME)
        self.assertEqual(reason["code"], "conflict")
        self.assertIn(sha256(script("two")), reason["reason"])
        self.assertEqual(self.get("/binaries/" + NAME).body, script("one"))
        os.unlink(os.path.join(self.grid.binaries, NAME))
        wait_for("the rejection to go", lambda: self.grid.api("GET", "/api/binaries/rejected") == [])
        self.assertEqual(self.get("/binaries/" + NAME).body, script("one"))
        self.assertEqual(len(self.grid.events(kind="binary.rejected")), 1)

    def test_other_artifacts_have_a_channel_of_their_own(self):
        self.drop("zone-9.9.9-linux-x86_64", script("zone"))
        self.served("zone-9.9.9-linux-x86_64")
        self.drop(NAME, script("one"))
        self.served()
        stable = {c["artifact"]: c["version"] for c in self.grid.api("GET", "/api/channels") if c["name"] == "stable"}
        self.assertEqual(stable, {"zone": "9.9.9", "storage-server": "1.0.0"})
        self.assertIn("Channel stable 1.0.0, zone stable 9.9.9\n", self.grid.gridctl("status").stdout)
        would = self.grid.gridctl("channel", "set", "stable", "1.0.0", "--dry-run")
        self.assertIn("from 1.0.0 to 1.0.0", would.stdout + would.stderr)

    def test_drops_are_refused_with_the_reason(self):
        self.drop("storage-server-v1.0.0-linux-x86_64", script("x"))
        self.drop("storage-server-1.0.0-linux-aarch64", elf(62))
        os.symlink("/etc/passwd", os.path.join(self.grid.binaries, NAME))
        self.assertIn("without v", self.rejected("storage-server-v1.0.0-linux-x86_64")["reason"])
        self.assertEqual(self.rejected("storage-server-1.0.0-linux-aarch64")["code"], "untrusted")
        self.assertIn("symbolic link", self.rejected(NAME)["reason"])
        self.assertEqual(self.get("/binaries/" + NAME).status, 404)
        self.assertEqual(self.grid.api("GET", "/api/summary")["rejected"], 3)

    def test_a_file_that_grows_is_taken_when_it_is_whole(self):
        with open(os.path.join(self.grid.binaries, NAME), "wb") as file:
            file.write(b"#!/bin/sh\n")
            file.flush()
            self.drop("storage-server-1.1.0-linux-x86_64", script("marker"))
            self.served("storage-server-1.1.0-linux-x86_64")  # so the drop box was looked through meanwhile
            self.assertEqual(self.get("/binaries/" + NAME).status, 404)
            file.write(b"echo whole\n")
        self.served()
        self.assertEqual(self.get("/binaries/" + NAME).body, b"#!/bin/sh\necho whole\n")

    def test_nothing_acknowledged_is_lost_in_a_crash(self):
        self.drop(NAME, script("one"))
        self.served()
        self.publish("1.1.0")
        self.grid.master.kill()
        self.grid.start_master()
        self.assertEqual(self.get("/binaries/" + NAME).body, script("one"))
        self.assertEqual(self.get("/binaries/storage-server-1.1.0-linux-x86_64").body, script("1.1.0"))
        self.assertEqual(self.grid.api("GET", "/api/binaries/rejected"), [])

    def test_a_deleted_drop_does_not_come_back(self):
        self.publish("2.0.0")
        self.drop(NAME, script("one"))
        self.served()
        self.assertEqual(self.grid.request("DELETE", ROUTE % "1.0.0" + "?name=storage-server").status, 204)
        self.grid.master.stop()
        self.grid.start_master()
        self.assertIn("was deleted", self.rejected(NAME)["reason"])
        self.assertEqual(self.get("/binaries/" + NAME).status, 404)


class Channels(Test):
    def test_a_channel_is_pointed_and_listed(self):
        self.publish("1.0.0")
        self.publish("1.1.0")
        channel = self.grid.api("PUT", "/api/channels/beta", {"version": "1.1.0"})
        self.assertEqual(channel | {"updated_at": ""}, {
            "name": "beta", "artifact": "storage-server", "version": "1.1.0", "updated_at": "", "agents": 0})
        self.assertEqual([(c["name"], c["version"]) for c in self.grid.api("GET", "/api/channels")],
                         [("beta", "1.1.0"), ("stable", "1.0.0")])

    def test_what_makes_no_sense_is_refused(self):
        self.publish()
        def put(name, body):
            return self.grid.request("PUT", "/api/channels/" + name, body, {"Content-Type": "application/json"})
        self.problem(put("beta", {"version": "9.9.9"}), 404, "not_found")
        self.problem(put("beta", {"version": "one"}), 400, "invalid")
        self.problem(put("beta", {}), 400, "invalid")
        self.problem(put("beta", {"version": "1.0.0", "colour": "red"}), 400, "invalid")
        self.problem(put("beta", {"version": "1.0.0", "name": "other"}), 400, "invalid")
        self.problem(put("Beta", {"version": "1.0.0"}), 400, "invalid")
        self.problem(put("beta", b"[" * 1000), 400, "invalid")
        self.problem(put("beta", b'{"version":"1.0.0","version":"1.0.0"}'), 400, "invalid")
        self.problem(put("beta", b" " * 70000), 413, "too_large")
        self.assertEqual(len(self.grid.api("GET", "/api/channels")), 1)


class Keys(Test):
    def setUp(self):
        super().setUp()
        if not os.path.exists(program("gridctl")):
            self.skipTest("signing needs gridctl")
        self.key = os.path.join(self.grid.directory, "alice")
        self.assertEqual(self.grid.gridctl("key", "generate", self.key).returncode, 0)
        with open(self.key + ".pub") as file:
            self.public = file.read()

    def sign(self, content, name=NAME):
        path = os.path.join(self.grid.directory, name)
        with open(path, "wb") as file:
            file.write(content)
        done = self.grid.gridctl("binary", "sign", path, "--key", self.key + ".key")
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(path + ".minisig", "rb") as file:
            return file.read()

    def trust(self):
        return self.grid.request("POST", "/api/keys", {"public_key": self.public})

    def signed(self, signature):
        return {"X-Grid-Signature": base64.b64encode(signature).decode()}

    def test_keys_are_listed_trusted_and_removed(self):
        self.assertEqual([k["use"] for k in self.grid.api("GET", "/api/keys")], ["release", "master"])
        trusted = self.trust()
        self.assertEqual((trusted.status, trusted.json()["use"]), (201, "publisher"))
        self.assertEqual((self.trust().status, self.trust().json()), (200, trusted.json()))
        self.assertIn(trusted.json(), self.grid.api("GET", "/api/keys"))
        self.grid.master.kill()
        self.grid.start_master()
        self.assertIn(trusted.json(), self.grid.api("GET", "/api/keys"))
        path = "/api/keys/" + trusted.json()["key_id"]
        self.assertEqual(self.grid.request("DELETE", path).status, 204)
        self.problem(self.grid.request("DELETE", path), 404, "not_found")
        self.assertEqual([e["kind"] for e in self.grid.events() if e["kind"].startswith("key.")],
                         ["key.trusted", "key.removed"])

    def test_the_grids_own_keys_cannot_become_publishers(self):
        release = self.get("/api/keys/release").body.decode()
        self.problem(self.grid.request("POST", "/api/keys", {"public_key": release}), 409, "conflict")
        self.problem(self.grid.request("POST", "/api/keys", {"public_key": "words"}), 400, "invalid")
        own = self.grid.api("GET", "/api/keys")[0]["key_id"]
        self.problem(self.grid.request("DELETE", "/api/keys/" + own), 404, "not_found")

    def test_with_a_publisher_only_what_it_signed_is_published(self):
        signature = self.sign(script("one"))
        self.trust()
        self.assertIn("minisign", json.dumps(self.problem(self.put(script("one"), headers=self.signed(b"words")),
                                                          422, "untrusted")))
        held = self.put(script("one"))
        self.assertEqual((held.status, held.json()["signed"], held.json()["sha256"]), (202, False, sha256(script("one"))))
        self.problem(self.get(ROUTE % "1.0.0"), 404, "not_found")
        self.problem(self.put(script("onf"), headers=self.signed(signature)), 422, "untrusted")
        renamed = self.put(script("one"), "1.1.0", headers=self.signed(signature))
        self.assertIn(NAME, self.problem(renamed, 422, "untrusted")["detail"])
        self.problem(self.put(script("one"), headers={"X-Grid-Signature": "%%%"}), 400, "invalid")
        published = self.put(script("one"), headers=self.signed(signature))
        self.assertEqual((published.status, published.json()["key_id"]), (201, self.trust().json()["key_id"]))
        release = self.grid.api("GET", "/api/keys")[0]["key_id"]
        self.assertIn(release, self.get("/binaries/" + NAME + ".minisig").body.decode())

    def test_a_drop_waits_for_its_signature(self):
        signature = self.sign(script("one"))
        self.trust()
        self.grid.drop(os.path.join(self.grid.directory, NAME), NAME)
        held = wait_for("the held file", lambda: self.grid.api("GET", "/api/binaries/held"))[0]
        self.assertIn("lacks the signature", held["reason"])
        self.assertEqual((held["file"], held["principal"]), (NAME, "drop-box"))
        with open(os.path.join(self.grid.binaries, NAME + ".minisig"), "wb") as file:
            file.write(signature)
        wait_for("the binary", lambda: self.get(ROUTE % "1.0.0").status == 200)
        self.assertEqual(self.grid.api("GET", "/api/binaries/held"), [])

    @unittest.skipUnless(shutil.which("minisign"), "minisign is not installed")
    def test_what_minisign_signs_is_taken(self):
        path = os.path.join(self.grid.directory, NAME)
        with open(path, "wb") as file:
            file.write(script("one"))
        for command in (["-G", "-W", "-p", "bob.pub", "-s", "bob.key"], ["-S", "-m", NAME, "-s", "bob.key"]):
            subprocess.run(["minisign", *command], cwd=self.grid.directory, check=True, capture_output=True)
        with open(os.path.join(self.grid.directory, "bob.pub")) as file:
            self.grid.api("POST", "/api/keys", {"public_key": file.read()})
        with open(path + ".minisig", "rb") as file:
            self.assertEqual(self.put(script("one"), headers=self.signed(file.read())).status, 201)

    def test_trusting_a_key_lets_waiting_drops_in(self):
        self.assertEqual(self.grid.gridctl("key", "generate", self.key + "2").returncode, 0)
        with open(self.key + "2.pub") as file:
            self.grid.api("POST", "/api/keys", {"public_key": file.read()})
        with open(os.path.join(self.grid.binaries, NAME + ".minisig"), "wb") as file:
            file.write(self.sign(script("one")))
        self.grid.drop(os.path.join(self.grid.directory, NAME), NAME)
        wait_for("the rejection", lambda: self.grid.api("GET", "/api/binaries/rejected"))
        self.trust()
        wait_for("the binary", lambda: self.get(ROUTE % "1.0.0").status == 200)


class Backup(Test):
    def test_a_backup_is_whole(self):
        content = self.publish()
        self.publish("1.1.0")
        answer = self.grid.request("POST", "/api/backup")
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/vnd.sqlite3"))
        path = os.path.join(self.grid.directory, "backup")
        with open(path, "wb") as file:
            file.write(answer.body)
        archive = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
        self.addCleanup(archive.close)
        entries = dict(archive.execute("SELECT name, data FROM sqlar"))
        manifest = entries.pop("MANIFEST").decode()
        lines = [line.split("  ", 1) for line in manifest.splitlines()]
        self.assertEqual({name: digest for digest, name in lines}, {name: sha256(data) for name, data in entries.items()})
        self.assertEqual(entries["objects/" + sha256(content)], content)
        self.assertLessEqual({"grid.db", "keys/master.key", "keys/release.key"}, set(entries))
        wait_for("the event", lambda: self.grid.events(kind="backup.created"))
        self.assertEqual(os.listdir(os.path.join(self.grid.master.state, "staging")), [])

    def test_a_damaged_object_is_named(self):
        content = self.publish()
        path = os.path.join(self.grid.master.state, "objects", sha256(content))
        os.chmod(path, 0o600)
        with open(path, "r+b") as file:
            file.write(b"#!/bin/SH")
        self.assertIn(sha256(content), self.problem(self.grid.request("POST", "/api/backup"), 500, "corrupt")["detail"])
        self.assertEqual(self.put(content).status, 200)  # heals it
        self.assertEqual(self.grid.request("POST", "/api/backup").status, 200)


if __name__ == "__main__":
    unittest.main()
