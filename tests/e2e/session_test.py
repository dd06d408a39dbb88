#!/usr/bin/python3
"""People at the console: invitations, passwords, sessions and their ends; what a page of another site cannot do with them."""
import contextlib, os, re, sqlite3, sys, threading, time, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from events_test import Refused, Socket
from grid import PATIENCE_S, wait_for
from master_case import Test

PASSWORD = "four words in a row"
CLOSED = 0x8  # opcode


class Session(Test):
    def setUp(self):
        super().setUp()
        self.secrets = [PASSWORD]

    def headers(self, cookie=None, **more):
        host = self.grid.master.url.removeprefix("http://")
        found = {"Origin": "http://" + host, **({"Cookie": cookie} if cookie else {}), **more}
        return {name: value for name, value in found.items() if value is not None}

    def page(self, method, path, body=None, cookie=None, **more):
        """As a page of the console asks: by cookie, with its Origin. A header that is None is left out."""
        return self.grid.request(method, path, body, self.headers(cookie, **more), token=None)

    def cookie_of(self, answer):
        line = answer.headers["Set-Cookie"]
        self.assertRegex(line, r"^grid=gs_[0-9a-f]{16}\.[\w-]{43}; Path=/; HttpOnly; SameSite=Strict$")
        cookie = line.partition(";")[0]
        self.secrets.append(cookie.partition("=")[2])
        return cookie

    def invite(self, name="ada", role="operator", **order):
        invited = self.grid.api("POST", "/api/users", dict(name=name, role=role, **order))
        self.secrets.append(invited["invitation"])
        return invited

    def user(self, name="ada", role="operator", password=PASSWORD, **order):
        """A user who has just been set up: the cookie of the first session."""
        invitation = self.invite(name, role, **order)["invitation"]
        answer = self.page("POST", "/api/setup", {"invitation": invitation, "name": name, "password": password})
        self.assertEqual(answer.status, 201, answer.body)
        return self.cookie_of(answer)

    def login(self, name="ada", password=PASSWORD, **options):
        return self.page("POST", "/api/login", {"name": name, "password": password}, **options)

    def sql(self, statement):
        with contextlib.closing(sqlite3.connect(os.path.join(self.grid.master.state, "grid.db"), timeout=30)) as database:
            database.execute(statement)
            database.commit()

    def me(self, cookie):
        return self.page("GET", "/api/me", cookie=cookie)

    def no_log_holds_one(self):
        for folder, _, names in os.walk(self.grid.directory):
            for path in (os.path.join(folder, n) for n in names if n in ("stdout", "stderr", "log")):
                with open(path, errors="replace") as f:
                    words = f.read()
                for secret in self.secrets:
                    self.assertNotIn(secret.rpartition(".")[2], words, path)
        told = str(self.grid.events()) + str(self.grid.api("GET", "/api/audit")) + str(self.grid.api("GET", "/api/users"))
        for secret in self.secrets:
            self.assertNotIn(secret.rpartition(".")[2], told)

    def test_first_start_leaves_one_link_that_makes_an_admin_once(self):
        path = os.path.join(self.grid.master.state, "setup-link")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with open(path) as f:
            link = f.read().strip()
        self.assertIn(path, self.grid.master.out())
        self.assertTrue(link.startswith(self.grid.master.url + "/#/setup?invitation="), "behind the # it is never sent")
        invitation = link.partition("invitation=")[2]
        self.secrets.append(invitation)
        order = {"invitation": invitation, "name": "root", "password": PASSWORD}
        for change, status in (({"password": "short"}, 400), ({"name": "Root!"}, 400), ({"invitation": invitation[:-1] + "-"}, 401),
                               ({"invitation": "gi_x"}, 401)):
            self.assertEqual(self.page("POST", "/api/setup", {**order, **change}).status, status, change)
        made = self.page("POST", "/api/setup", order)
        self.assertEqual((made.status, made.json()["role"], made.json()["name"]), (201, "admin", "root"))
        self.assertEqual(self.me(self.cookie_of(made)).json()["principal"], "user:root")
        self.assertFalse(os.path.exists(path))
        self.assertEqual(self.page("POST", "/api/setup", {**order, "name": "second"}).status, 401, "once is once")
        self.assertEqual([u["name"] for u in self.grid.api("GET", "/api/users")], ["root"])
        self.no_log_holds_one()

    def test_sessions_begin_anew_survive_a_restart_and_end_at_once(self):
        first = self.user()
        planted = "grid=gs_0123456789abcdef." + "A" * 43
        second = self.cookie_of(self.login(cookie=planted))
        self.assertNotIn(second, (first, planted), "a login takes over no session that was brought along")
        third = self.cookie_of(self.login(cookie=second))
        self.assertEqual([self.me(c).status for c in (first, planted, second, third)], [200, 401, 401, 200])
        self.grid.master.stop()
        self.grid.start_master()
        self.assertEqual([self.me(c).status for c in (first, third)], [200, 200])
        ticket = self.page("POST", "/api/events/ticket", cookie=third).json()["ticket"]
        socket = self.socket(third, ticket)
        out = self.page("POST", "/api/logout", cookie=third)
        self.assertEqual(out.status, 204)
        self.assertIn("Max-Age=0", out.headers["Set-Cookie"])
        self.assertEqual([self.me(c).status for c in (first, third)], [200, 401])
        while (frame := socket.frame())[0] not in (CLOSED, None):
            pass
        self.assertEqual(frame[0], CLOSED)
        self.assertEqual(self.page("POST", "/api/logout", cookie=third).status, 204, "out is out")
        self.assertEqual([r["action"] for r in self.grid.api("GET", "/api/audit?subject=ada")],
                         ["user.logout", "user.logout", "user.login", "user.login", "user.login", "user.create", "user.invite"])
        self.no_log_holds_one()

    def test_sessions_end_by_age_and_by_idleness(self):
        cookie = self.user()
        for column, minutes in (("seen_at", 30), ("created_at", 12 * 60)):
            for more, status in ((-1, 200), (1, 401)):
                self.sql("UPDATE session SET seen_at=unixepoch()*1000, created_at=unixepoch()*1000")
                self.sql("UPDATE session SET %s=(unixepoch() - %d)*1000" % (column, minutes * 60 + more * 30))
                self.assertEqual(self.me(cookie).status, status, (column, more))
        self.sql("UPDATE session SET seen_at=unixepoch()*1000, created_at=unixepoch()*1000")
        self.assertEqual(self.grid.request("DELETE", "/api/users/ada").status, 204)
        self.assertEqual(self.me(cookie).status, 401)
        self.assertEqual(self.login().status, 401)

    def test_what_other_sites_send_is_refused(self):
        self.publish()
        cookie = self.user()
        change = ("PUT", "/api/channels/beta", {"version": "1.0.0"})
        host = self.grid.master.url.removeprefix("http://")
        events = len(self.grid.events())
        for headers in ({"Origin": None}, {"Origin": "null"}, {"Origin": "http://evil.example"}, {"Origin": "http://%s.evil.example" % host},
                        {"Origin": "ftp://" + host}, {"Origin": "http://127.0.0.1"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
                        {"Host": "evil.example"}, {"Host": "grid.evil.example:7001", "Origin": "http://grid.evil.example:7001"}):
            self.problem(self.page(*change, cookie=cookie, **headers), 403, "denied")
            if "Origin" not in headers or headers["Origin"]:
                self.problem(self.login(**headers), 403, "denied")
            if "Host" in headers:
                self.problem(self.page("GET", "/api/me", cookie=cookie, **headers), 403, "denied")
        form = self.page("POST", "/api/login", b"name=ada&password=x", **{"Content-Type": "application/x-www-form-urlencoded"})
        self.problem(form, 415, "unsupported_media_type")
        plain = self.page("POST", "/api/login", b'{"name":"ada","password":"x"}', **{"Content-Type": "text/plain"})
        self.problem(plain, 415, "unsupported_media_type")
        self.assertEqual(len(self.grid.events()), events)
        self.assertEqual(self.page(*change, cookie=cookie).status, 200)
        self.assertEqual(self.grid.request(*change, headers={"Origin": "http://evil.example"}).status, 200, "tokens are nobody's cookies")
        twice = cookie + "; " + cookie
        self.assertEqual(self.me(twice).status, 401, "one of the two was planted")

    def test_hosts_are_those_that_no_stranger_names(self):
        cookie = self.user()
        port = self.grid.master.url.rsplit(":", 1)[1]
        for host in ("127.0.0.1:" + port, "localhost:" + port, "LOCALHOST", "[::1]:" + port, "10.0.0.1"):
            self.assertEqual(self.page("GET", "/api/me", cookie=cookie, Host=host, Origin=None).status, 200, host)
        self.grid.master.stop()
        self.grid.master_arguments = ["--host-name", "grid.example", "--host-name", "other.example"]
        self.grid.start_master()
        for host, status in (("grid.example:" + port, 200), ("Other.Example", 200), ("example", 403), ("evil.grid.example", 403)):
            self.assertEqual(self.page("GET", "/api/me", cookie=cookie, Host=host, Origin=None).status, status, host)

    def test_failed_logins_are_limited_and_right_tokens_are_not(self):
        cookie = self.user()
        said, _ = self.until_limited(lambda: self.login(password="wrong words"), 5)
        self.assertEqual({a.status for a in said}, {401})
        unknown = self.login(name="nobody")
        self.assertEqual(unknown.status, 429, "by address")
        self.assertTrue(1 <= int(unknown.headers["Retry-After"]) <= 60)
        self.assertEqual(self.login().status, 429)
        self.assertEqual(self.me(cookie).status, 200)
        self.assertEqual(self.get("/api/summary", token=self.grid.token).status, 200)
        told = [e for e in self.grid.events() if e["kind"] == "user.login_failed"]
        self.assertEqual([e["subject"] for e in told], ["ada"] * len(said))
        rows = self.grid.api("GET", "/api/audit?action=user.lock_out")
        self.assertEqual([(r["principal"], r["subject"]) for r in rows], [("anonymous", "127.0.0.1"), ("anonymous", "ada")])
        self.no_log_holds_one()

    def test_lists_of_users_have_pages(self):
        self.user()
        for name in ("zoe", "ben", "ben", ""):
            self.grid.api("POST", "/api/users", {"name": name, "role": "viewer"})
        whole = [(u["name"], "expires_at" in u) for u in self.grid.api("GET", "/api/users")]
        # one without a name is the link of the first start
        self.assertEqual(whole, [("ada", False), ("", True), ("", True), ("ben", True), ("ben", True), ("zoe", True)])
        found, pages = self.walk("/api/users?limit=2", lambda u: (u["name"], "expires_at" in u))
        self.assertEqual((found, pages, self.total), (whole, 3, 6))
        self.problem(self.grid.request("GET", "/api/users?limit=0"), 400, "invalid")

    def test_unknown_and_known_names_get_the_same_answer(self):
        self.user()
        known, unknown = self.login(password="wrong words"), self.login(name="nobody", password="wrong words")
        self.assertEqual(known.status, 401)
        same = lambda answer: re.sub(r'"request_id":"[^"]*"', "", answer.body.decode())
        self.assertEqual(same(known), same(unknown))
        self.assertNotIn("nobody", str([e for e in self.grid.events()]), "a name that is none may be a password")

    def login_as_told(self):
        """Whoever is sent away, as a busy machine does, has waited before and comes again when he is told to."""
        end = time.monotonic() + PATIENCE_S
        while (asked := time.monotonic()) < end and (answer := self.login()).status == 429:
            pause_s = int(answer.headers["Retry-After"])
            self.assertGreaterEqual(time.monotonic() - asked, pause_s)
            time.sleep(pause_s)
        return answer.status

    def test_many_who_sign_in_at_once_wait_for_each_other(self):
        self.user()
        statuses = []
        threads = [threading.Thread(target=lambda: statuses.append(self.login_as_told())) for _ in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(statuses, [200] * 6)

    def socket(self, cookie, ticket, **more):
        lines = ["%s: %s" % pair for pair in self.headers(cookie, **more).items()]
        socket = Socket(self.grid.master.url, "/api/events/ws" + ("?ticket=" + ticket if ticket else ""), headers=lines)
        self.addCleanup(socket.close)
        return socket

    def test_sockets_by_cookie_need_a_ticket_of_the_session(self):
        cookie, other = self.user(), self.user("bob")
        def refused(*arguments, **options):
            with self.assertRaises(Refused) as caught:
                self.socket(*arguments, **options)
            self.assertEqual(caught.exception.status, 403)
        def ticket(cookie):
            made = self.page("POST", "/api/events/ticket", cookie=cookie)
            self.assertEqual(made.status, 201, made.body)
            self.secrets.append(made.json()["ticket"])
            return made.json()["ticket"]
        refused(cookie, None)
        refused(cookie, "0" * 48)
        refused(cookie, ticket(other))
        refused(cookie, ticket(cookie), Origin=None)
        refused(cookie, ticket(cookie), Origin="http://evil.example")
        good = ticket(cookie)
        socket = self.socket(cookie, good)
        refused(cookie, good)
        self.publish()
        self.assertEqual(socket.until("binary.published")["subject"], "storage-server-1.0.0-linux-x86_64")
        self.problem(self.grid.request("POST", "/api/events/ticket"), 409, "conflict")
        self.no_log_holds_one()

    def test_users_have_their_role_and_scope_and_no_more(self):
        viewer = self.user("vera", "viewer", scope="rack=b")
        self.assertEqual(self.me(viewer).json(), {"principal": "user:vera", "name": "vera", "role": "viewer", "scope": "rack=b"})
        self.problem(self.page("PUT", "/api/channels/beta", {"version": "1.0.0"}, cookie=viewer), 403, "denied")
        admin = self.user("adam", "admin", scope="rack=b")
        self.problem(self.page("POST", "/api/users", {"name": "eve", "role": "admin"}, cookie=admin), 403, "denied")
        self.assertEqual(self.page("POST", "/api/tokens", {"kind": "api", "role": "admin"}, cookie=admin).json()["scope"], "rack=b")
        for order in ({"name": "Ada", "role": "viewer"}, {"name": "x" * 33, "role": "viewer"}, {"name": "eve", "role": "root"},
                      {"name": "eve", "role": "viewer", "scope": "a,,b"}, {"name": "eve", "role": "viewer", "expires_s": -1}):
            self.problem(self.grid.request("POST", "/api/users", order), 400, "invalid")
        self.problem(self.grid.request("POST", "/api/users", {"name": "vera", "role": "viewer"}), 409, "conflict")

    def test_cookie_over_tls_is_bound_to_this_host(self):
        self.grid.master.stop()
        self.grid.master_arguments = ["--tls", "on", "--tls-name", "grid.example"]
        self.grid.start_master()
        origin = self.grid.master.url
        self.assertTrue(origin.startswith("https://"))
        invited = self.invite()
        self.assertTrue(invited["link"].startswith(origin + "/#/setup?"), invited["link"].partition("?")[0])
        order = {"invitation": invited["invitation"], "name": "ada", "password": PASSWORD}
        made = self.page("POST", "/api/setup", order, Origin=origin)
        self.assertRegex(made.headers["Set-Cookie"], r"^__Host-grid=gs_[^;]+; Path=/; HttpOnly; SameSite=Strict; Secure$")
        cookie = made.headers["Set-Cookie"].partition(";")[0]
        self.assertEqual(self.page("GET", "/api/me", cookie=cookie, Origin=None).status, 200)
        self.assertEqual(self.page("GET", "/api/me", cookie=cookie, Origin=None, Host="grid.example").status, 200)
        planted = cookie.removeprefix("__Host-")  # any neighbour of the host name may set one of this name
        self.assertEqual(self.page("GET", "/api/me", cookie=planted, Origin=None).status, 401)

    def test_pages_are_guarded(self):
        page = self.get("/")
        self.assertEqual(page.status, 200)
        policy = page.headers["Content-Security-Policy"]
        for rule in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
            self.assertIn(rule, policy)
        self.assertNotIn("unsafe", policy)
        self.assertEqual((page.headers["X-Frame-Options"], page.headers["Referrer-Policy"], page.headers["X-Content-Type-Options"]),
                         ("DENY", "no-referrer", "nosniff"))

    def test_gridctl_invites_lists_and_removes(self):
        invited = self.grid.gridctl("user", "invite", "ada", "--role", "operator", "--scope", "rack=b")
        self.assertEqual(invited.returncode, 0, invited.stderr)
        self.assertRegex(invited.stdout, r"^http://[^ ]+/#/setup\?invitation=gi_\S+\n$")
        self.assertIn("this machine only", invited.stderr)
        listed = self.grid.gridctl("user", "list").stdout
        self.assertRegex(listed, r"ada +operator +rack=b +invited")
        invitation = invited.stdout.strip().partition("invitation=")[2]
        self.assertEqual(self.page("POST", "/api/setup", {"invitation": invitation, "name": "ada", "password": PASSWORD}).status, 201)
        self.assertRegex(self.grid.gridctl("user", "list").stdout, r"ada +operator +rack=b +active")
        removed = self.grid.gridctl("user", "rm", "ada", "--yes")
        self.assertEqual(removed.returncode, 0, removed.stderr)
        self.assertEqual(self.grid.gridctl("user", "rm", "ada", "--yes").returncode, 3)


if __name__ == "__main__":
    unittest.main()
