#!/usr/bin/python3
"""The audit trail: every change over REST leaves a row, rows and checkpoints prove each other, and what was seen once
cannot be taken away unseen."""
import contextlib, json, os, sqlite3, sys, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from grid import storage_server, wait_for
from master_case import Test
import tuf_repo
from openapi_test import ROOT, routes

# What POST asks without changing anything that lasts.
QUESTIONS = {("POST", "/api/events/ticket"), ("POST", "/api/binaries/{version}/{platform}/{arch}/verify"), ("POST", "/api/rollouts/plan")}
DIGEST = "ab" * 32
BINARY = "/api/binaries/{version}/{platform}/{arch}"


class Audit(Test):
    def sql(self, *statements):
        """Behind the back of the master."""
        with contextlib.closing(sqlite3.connect(os.path.join(self.grid.master.state, "grid.db"), timeout=30)) as database:
            for statement in statements:
                database.execute(statement)
            database.commit()

    def restart(self):
        """A start signs the newest row."""
        self.grid.master.stop()
        self.grid.start_master()

    def rows(self, **filters):
        return self.grid.api("GET", "/api/audit?" + "&".join("%s=%s" % pair for pair in filters.items()))

    def verify(self, *arguments, **options):
        return self.grid.gridctl("audit", "verify", *arguments, **options)

    def whole(self):
        checked = self.verify()
        self.assertEqual((checked.returncode, checked.stderr), (0, ""), checked.stdout)
        return checked.stdout

    def wrong(self, *words):
        checked = self.verify()
        self.assertEqual((checked.returncode, checked.stdout), (1, ""), checked.stderr)
        for word in words:
            self.assertIn(word, checked.stderr)

    def changed(self, method, pattern, body=None, status=None, query="", headers=None, **values):
        """Makes the change, and finds rows of it: by this principal, no other."""
        before = self.rows(limit=1)[0]["seq"]
        path = pattern.format(**values) + query
        answer = self.grid.request(method, path, body, headers, **self.credentials)
        self.assertIn(answer.status, (status,) if status else (200, 201, 202, 204), "%s %s: %s" % (method, path, answer.body[:300]))
        wait_for("a row of %s %s" % (method, path), lambda: [
            r for r in self.rows(since=before, limit=100) if r["principal"] == self.principal])
        self.walked.add((method, pattern))
        return answer

    def test_every_change_over_rest_leaves_a_row(self):
        self.walked, self.credentials = set(), {}
        self.principal = "token:" + self.grid.token.split(".")[0].removeprefix("gt_")
        self.sql("INSERT INTO quarantine (sha256, artifact, version, rollout, reason, at) "
                 "VALUES ('%s', 'storage-server', '0.9.0', 1, 'test', 1)" % DIGEST)
        self.changed("DELETE", "/api/quarantine/{digest}", digest=DIGEST)
        self.walk_binaries()
        self.walk_tokens_and_keys()
        self.walk_trust()
        self.walk_agents()
        self.walk_rollouts()
        self.changed("POST", "/api/backup")
        expected = {(m, p) for m, p in routes() if m not in ("GET", "HEAD", "WS")} - QUESTIONS
        self.assertEqual(self.walked, expected, "make a change by each new route above, and see its row")
        self.assertIn("whole", self.whole())
        with open(os.path.join(ROOT, "docs", "reference", "audit.md"), encoding="utf-8") as f:
            documented = f.read()
        for action in {r["action"] for r in self.rows()}:
            self.assertIn("| `%s` |" % action, documented)

    def walk_binaries(self):
        for version in ("1.0.0", "1.1.0"):
            with open(storage_server(version), "rb") as f:
                self.changed("PUT", BINARY, f.read(), version=version, platform="any", arch="any", query="?name=storage-server")
        self.changed("PUT", "/api/channels/{name}", {"version": "1.0.0"}, name="stable")
        self.changed("PUT", BINARY, b"#!/bin/sh\n", version="0.1.0", platform="any", arch="any", query="?name=storage-server")
        for method, path in (("POST", BINARY + "/yank"), ("DELETE", BINARY)):
            self.changed(method, path, version="0.1.0", platform="any", arch="any", query="?name=storage-server")
        self.changed("PUT", "/api/floors/{name}", {"version": "0.5.0"}, name="storage-server")
        self.changed("DELETE", "/api/floors/{name}", name="storage-server")

    def walk_tokens_and_keys(self):
        made = self.changed("POST", "/api/tokens", {"kind": "api", "role": "viewer"}).json()
        self.changed("DELETE", "/api/tokens/{id}", id=made["id"])
        self.assertNotIn(made["secret"].split(".")[1], json.dumps(self.rows()))
        self.walk_users()
        key = self.grid.gridctl("key", "generate", "publisher")
        self.assertEqual(key.returncode, 0, key.stderr)
        with open(os.path.join(self.grid.directory, "publisher.pub")) as f:
            trusted = self.changed("POST", "/api/keys", {"public_key": f.read()}).json()
        for version in ("0.2.0", "0.3.0"):
            self.changed("PUT", BINARY, b"#!/bin/sh\n", version=version, platform="any", arch="any", query="?name=storage-server")
        self.changed("POST", "/api/binaries/held/{file}/approve", file="storage-server-0.2.0-any-any")
        self.changed("DELETE", "/api/binaries/held/{file}", file="storage-server-0.3.0-any-any")
        for version in ("3.0.0", "4.0.0"):
            self.changed("PUT", BINARY, b"#!/bin/sh\n#" + version.encode(), 202, version=version, platform="any", arch="any")
        self.changed("POST", "/api/binaries/held/{file}/approve", file="storage-server-3.0.0-any-any")
        self.changed("DELETE", "/api/binaries/held/{file}", file="storage-server-4.0.0-any-any")
        self.changed("DELETE", "/api/keys/{id}", id=trusted["key_id"])

    def walk_users(self):
        """Who has no token signs what is done as a user."""
        invited = self.changed("POST", "/api/users", {"name": "ada", "role": "admin"}).json()
        admin, self.principal, self.credentials = self.principal, "user:ada", {"token": None}
        password = "four words in a row"
        self.changed("POST", "/api/setup", {"invitation": invited["invitation"], "name": "ada", "password": password})
        page = self.changed("POST", "/api/login", {"name": "ada", "password": password}).headers["Set-Cookie"]
        headers = {"Cookie": page.partition(";")[0], "Origin": self.grid.master.url}
        self.changed("PUT", "/api/channels/{name}", {"version": "1.0.0"}, name="beta", headers=headers)
        self.changed("POST", "/api/logout", headers=headers)
        self.principal, self.credentials = admin, {}
        self.changed("DELETE", "/api/users/{name}", name="ada")
        for secret in (password, invited["invitation"].split(".")[1], headers["Cookie"].split(".")[1]):
            self.assertNotIn(secret, json.dumps(self.rows()))

    def walk_trust(self):
        self.changed("POST", "/api/trust/rotate", {"roles": ["snapshot"]})
        repository = tuf_repo.Repository(lambda path: self.grid.request("GET", path, token=None).body)
        self.changed("POST", "/api/trust/root", tuf_repo.signed(tuf_repo.next_root(repository.root, {})))
        key = tuf_repo.Key.read(os.path.join(self.grid.master.state, "keys/targets.key"))
        self.changed("POST", "/api/trust/targets", tuf_repo.signed(tuf_repo.next_targets(repository.targets), key))

    def walk_agents(self):
        for agent in ("a-1", "a-2"):
            self.grid.agent(agent)
            self.grid.wait_healthy(agent, "1.0.0")
        self.assertEqual([r["subject"] for r in self.rows(action="agent.enroll")], ["a-2", "a-1"])
        self.changed("PATCH", "/api/agents/{id}", {"labels": {"rack": "b"}}, id="a-1")
        self.changed("PATCH", "/api/agents/{id}", {"pin": "1.0.0"}, id="a-1")
        self.changed("PATCH", "/api/agents/{id}", {"pin": None}, id="a-1")
        self.changed("POST", "/api/agents/{id}/drain", id="a-1")
        self.changed("POST", "/api/agents/{id}/resume", id="a-1")
        self.changed("POST", "/api/nodes/{id}/restart", id="a-1~0")
        self.grid.wait_healthy("a-1", "1.0.0")

    def walk_rollouts(self):
        quick = {"version": "1.1.0", "canary": 1, "probation_s": 1, "min_healthy_s": 0, "auto_promote_s": "never"}

        def start():
            return self.changed("POST", "/api/rollouts", quick).json()["id"]

        def order(number, name):
            self.changed("POST", "/api/rollouts/{id}/" + name, id=number)

        first = start()
        order(first, "pause")
        order(first, "resume")
        wait_for("the canary to be well", lambda: self.grid.request("POST", "/api/rollouts/%s/promote" % first).status == 200)
        self.assertEqual([r["principal"] for r in self.rows(action="rollout.promote")], [self.principal])
        self.walked.add(("POST", "/api/rollouts/{id}/promote"))
        order(first, "rollback")
        wait_for("all to be back", lambda: self.grid.api("GET", "/api/rollouts/" + first).get("finished_at"))
        second = start()
        order(second, "stop")
        for agent in ("a-1", "a-2"):
            self.changed("POST", "/api/agents/{id}/revoke", id=agent)
        self.changed("POST", "/api/agents/{id}/approve", id="a-1")
        self.changed("POST", "/api/agents/{id}/revoke", id="a-1")
        self.changed("DELETE", "/api/agents/{id}", id="a-2", query="?force=true")

    def grow(self, count=5):
        for i in range(count):
            self.grid.api("PUT", "/api/channels/c-%d" % (i % 5), {"version": "1.0.0"})

    def test_altered_rows_are_named(self):
        self.publish()
        self.grow()
        self.assertIn("checkpoint", self.whole())
        for column, value in (("principal", "'nobody'"), ("action", "'x'"), ("subject", "'x'"), ("data", "'{}'"), ("at", "1"),
                              ("hash", "'%s'" % ("0" * 64))):
            with contextlib.closing(sqlite3.connect(os.path.join(self.grid.master.state, "grid.db"))) as database:
                was = database.execute("SELECT %s FROM audit WHERE seq=4" % column).fetchone()[0]
            self.sql("UPDATE audit SET %s=%s WHERE seq=4" % (column, value))
            self.wrong("row 4 was altered", "backup")
            self.sql("UPDATE audit SET %s='%s' WHERE seq=4" % (column, was))
        self.whole()
        self.sql("DELETE FROM audit WHERE seq=4")
        self.wrong("after row 3 comes row 5")

    def test_cut_off_rows_show_by_checkpoints_and_by_what_was_seen(self):
        self.publish()
        self.grow()
        seen = self.rows()[0]["seq"]
        other = {"XDG_STATE_HOME": os.path.join(self.grid.directory, "other")}
        self.assertEqual(self.verify(env=other).returncode, 0)
        self.restart()
        self.assertEqual(self.grid.api("GET", "/api/audit/checkpoints")[-1]["seq"], seen)
        self.sql("DELETE FROM audit WHERE seq > 3")
        self.wrong("ends with row 3", "row %d was signed" % seen, "cut off")
        self.sql("DELETE FROM audit_checkpoint WHERE seq > 3")
        self.whole()  # who has seen nothing knows nothing
        checked = self.verify(env=other)
        self.assertEqual(checked.returncode, 1)
        self.assertIn("row %d was seen here" % seen, checked.stderr)
        self.grow(10)
        checked = self.verify(env=other)
        self.assertEqual(checked.returncode, 1, "other rows under the old numbers")
        self.assertIn("after row 3 comes row %d" % (seen + 1), checked.stderr)

    def test_rows_cut_off_at_the_beginning_show(self):
        self.publish()
        self.grow()
        self.sql("DELETE FROM audit WHERE seq < 4")
        self.wrong("begins with row 4")

    def test_history_that_was_written_anew_shows(self):
        self.publish()
        self.grow()
        self.restart()
        self.whole()
        self.sql("DELETE FROM audit", "DELETE FROM sqlite_sequence WHERE name='audit'")
        self.grow(20)
        self.wrong("not those that the master signed")
        self.sql("DELETE FROM audit_checkpoint")
        self.wrong("not those that were checked here")

    def test_checkpoints_of_another_key_are_refused(self):
        self.publish()
        self.restart()
        self.whole()
        with contextlib.closing(sqlite3.connect(os.path.join(self.grid.master.state, "grid.db"))) as database:
            signature = database.execute("SELECT signature FROM audit_checkpoint ORDER BY seq DESC").fetchone()[0]
        forged = ("B" if signature[0] == "A" else "A") + signature[1:]
        self.sql("UPDATE audit_checkpoint SET signature='%s' WHERE signature='%s'" % (forged, signature))
        self.wrong("is not signed by this master")
        self.sql("UPDATE audit_checkpoint SET signature='%s' WHERE signature='%s'" % (signature, forged))
        memory = os.path.join(self.grid.directory, ".local/state/grid")
        path = os.path.join(memory, os.listdir(memory)[0])
        with open(path) as f:
            kept = json.load(f)
        kept["master_key"] = self.grid.request("GET", "/api/keys/release", token=None).body.decode().splitlines()[1]
        with open(path, "w") as f:
            json.dump(kept, f)
        self.wrong("another key", path)

    def test_list_and_verify_in_the_formats_of_scripts(self):
        self.publish()
        self.grow()
        listed = self.grid.gridctl("audit", "list", "--filter", "action=channel.set", "--limit", "2", "-o", "json")
        self.assertEqual([r["action"] for r in json.loads(listed.stdout)], ["channel.set"] * 2)
        self.assertIn("channel.set", self.grid.gridctl("audit", "list").stdout)
        checked = json.loads(self.verify("-o", "json").stdout)
        self.assertEqual(checked["last"], self.rows()[0]["seq"])
        denied = self.grid.gridctl("audit", "verify", token=self.role("operator"))
        self.assertEqual(denied.returncode, 4, denied.stderr)
        since = self.rows(since=2, limit=2)
        self.assertEqual([r["seq"] for r in since], [3, 4])
        for query in ("since=-1", "since=x", "since=1&cursor=abc"):
            self.problem(self.get("/api/audit?" + query, token=self.grid.token), 400, "invalid")


if __name__ == "__main__":
    unittest.main()
