#!/usr/bin/python3
"""What tokens do not open: used up, expired, guessed, altered, misplaced. Each gets its status, changes nothing, and no
log holds one."""
import itertools, os, socket, sys, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from grid import PATIENCE_S, wait_for
from master_case import Test
from snapshot import snapshot

CHANGE = ("PUT", "/api/channels/stable", {"version": "1.0.0"})


def other_character(token, at):
    return token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1:]


class Tokens(Test):
    def setUp(self):
        super().setUp()
        self.publish()
        self.secrets = [self.grid.token]

    def api_token(self, **order):
        answer = self.grid.api("POST", "/api/tokens", dict(kind="api", **order))
        self.secrets.append(answer["secret"])
        return answer

    def join_secret(self, **order):
        answer = self.grid.api("POST", "/api/tokens", dict(kind="join", **order))
        self.secrets.append(answer["secret"])
        return answer

    def ask_from(self, address, headers, path="/api/summary"):
        """From an address of its own, since failures are limited by address."""
        host, port = self.grid.master.url.removeprefix("http://").rsplit(":", 1)
        with socket.create_connection((host, int(port)), PATIENCE_S, (address, 0)) as s:
            lines = "".join("%s: %s\r\n" % pair for pair in headers.items())
            s.sendall(("GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n" % (path, lines)).encode())
            return int(s.makefile("rb").readline().split()[1])

    def no_log_holds_one(self):
        """Of each secret, nor its secret half; the id in front may be told."""
        for folder, _, names in os.walk(self.grid.directory):
            for path in (os.path.join(folder, n) for n in names if n in ("stdout", "stderr", "log", "log.1")):
                with open(path, errors="replace") as f:
                    words = f.read()
                for secret in self.secrets:
                    self.assertNotIn(secret.split(".")[1], words, path)
        events = str(self.grid.events())
        for secret in self.secrets:
            self.assertNotIn(secret.split(".")[1], events)

    def test_what_is_no_token_opens_nothing(self):
        viewer, revoked, brief = self.api_token(role="viewer"), self.api_token(role="admin"), self.api_token(role="admin", expires_s=1)
        join = self.join_secret(uses=1)
        self.grid.api("DELETE", "/api/tokens/" + revoked["id"])
        wait_for("the token to expire", lambda: self.get("/api/keys", token=brief["secret"]).status == 401)
        invitation = self.grid.api("POST", "/api/users", {"name": "ada", "role": "admin"})["invitation"]
        password = {"name": "ada", "password": "four words in a row"}
        answer = self.grid.request("POST", "/api/setup", dict(password, invitation=invitation), token=None)
        cookie = answer.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
        scoped = self.api_token(role="admin", scope="rack=b")
        self.secrets += [invitation, cookie]
        admin = self.grid.token
        cases = [
            ("invitation", invitation, 401), ("cookie of a session", cookie, 401), ("token of a scope", scoped["secret"], 403),
            ("revoked", revoked["secret"], 401), ("expired", brief["secret"], 401), ("join for api", join["secret"], 401),
            ("id only", "gt_" + viewer["id"].removeprefix("gt_"), 401), ("id and dot", admin.split(".")[0] + ".", 401),
            ("one character off", other_character(admin, len(admin) - 20), 401),
            ("first character off", other_character(admin, admin.index(".") + 1), 401),
            ("secret of another", admin.split(".")[0] + "." + viewer["secret"].split(".")[1], 401),
            ("cut", admin[:-1], 401), ("longer", admin + "A", 401), ("upper case", admin.upper(), 401),
            ("twice", admin + "," + admin, 401), ("10 kB", admin + "A" * 10000, 401), ("nothing", "", 401),
            ("SQL", "gt_' OR 1=1 --.x", 401), ("viewer", viewer["secret"], 403),
        ]
        before = snapshot(self.grid)
        for i, (what, token, status) in enumerate(cases):
            host = "127.0.3.%d" % (i + 1)
            self.assertEqual(self.ask_from(host, {"Authorization": "Bearer " + token}, "/api/keys"), status, what)
            self.assertEqual(self.ask_from(host, {"X-API-Key": token}, "/api/keys"), status, what)
            self.assertEqual(self.get("/healthz").status, 200)
        for name in ("grid", "__Host-grid"):
            self.assertEqual(self.ask_from("127.0.3.101", {"Cookie": "%s=%s" % (name, admin)}, "/api/keys"), 401, "a token as a cookie")
        for scheme in ("Basic", "bearer-not", "Digest"):
            self.assertEqual(self.ask_from("127.0.3.100", {"Authorization": "%s %s" % (scheme, admin)}, "/api/keys"), 401, scheme)
        self.assertEqual(snapshot(self.grid), before)
        self.no_log_holds_one()

    def test_secret_in_the_address_is_refused_and_not_logged(self):
        before = snapshot(self.grid)
        for name in ("token", "access_token", "api_key", "TOKEN"):
            self.assertEqual(self.ask_from("127.0.4.1", {}, "/api/summary?%s=%s" % (name, self.grid.token)), 400, name)
        self.assertEqual(snapshot(self.grid), before)
        self.no_log_holds_one()

    def test_guesses_are_limited_where_they_come_from(self):
        admin = self.grid.token
        places = itertools.cycle(range(30, 50))
        said, _ = self.until_limited(lambda: self.get("/api/summary", token=other_character(admin, next(places))), 10)
        self.assertEqual({a.status for a in said}, {401})
        self.assertEqual(self.ask_from("127.0.5.2", {"Authorization": "Bearer " + admin}), 200)
        self.assertEqual(self.ask_from("127.0.5.2", {"Authorization": "Bearer " + other_character(admin, 30)}), 401)

    def test_no_role_raises_itself(self):
        roles = ("viewer", "operator", "publisher")
        tokens = {role: self.api_token(role=role)["secret"] for role in roles}
        before = snapshot(self.grid)
        for role, token in tokens.items():
            for wanted in ("viewer", "operator", "publisher", "admin", "root", "public", ""):
                answer = self.grid.request("POST", "/api/tokens", {"kind": "api", "role": wanted}, token=token)
                self.assertIn(answer.status, (400, 403), "%s for %s" % (wanted, role))
        self.assertEqual(self.grid.request(*CHANGE, token=tokens["viewer"]).status, 403)
        self.assertEqual(self.put(b"#!/bin/sh\n", "2.0.0", token=tokens["operator"]).status, 403)
        self.assertEqual(snapshot(self.grid), before)

    def test_join_token_admits_one_machine_even_when_many_use_it_at_once(self):
        join = self.grid.api("POST", "/api/tokens", {"kind": "join"})
        self.secrets.append(join["secret"])
        agents = [self.grid.agent("a-%d" % i, join=join["join"]) for i in range(4)]
        wait_for("one to be in", lambda: len(self.grid.api("GET", "/api/agents")) == 1)
        wait_for("the others to be refused", lambda: sum("token" in a.err() for a in agents) >= 3)
        self.assertEqual(len(self.grid.api("GET", "/api/agents")), 1)
        late = self.grid.agent("a-9", join=join["join"])
        wait_for("a late one to be refused", lambda: "token" in late.err())
        self.assertEqual(len(self.grid.api("GET", "/api/agents")), 1)
        self.no_log_holds_one()


if __name__ == "__main__":
    unittest.main()
