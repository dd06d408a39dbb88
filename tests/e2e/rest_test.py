#!/usr/bin/python3
"""The REST API of a running master: who may do what, what refusals look like, lists in pages."""
import json, os, sys, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from grid import program, wait_for
from master_case import Test
from openapi_test import load_spec, operations

ROLES = ("anonymous", "viewer", "operator", "publisher", "admin")
NOBODY = dict(id="nobody", file="nothing", version="9.9.9", platform="linux", arch="x86_64", name="none", digest="0" * 64)


class Roles(Test):
    """Every operation with every role, on things that are not there."""

    def tokens(self):
        return dict({role: self.role(role) for role in ROLES[1:]}, anonymous=None)

    def test_each_role_may_do_its_own_and_nothing_above(self):
        tokens = self.tokens()
        for method, path, _, operation in operations(load_spec()):
            for role in ROLES if not operation.get("x-websocket") else ():
                allowed = ROLES.index(role) >= ROLES.index(operation["x-role"].replace("public", "anonymous"))
                body = {} if "requestBody" in operation else None
                answer = self.grid.request(method.upper(), path.format(**NOBODY), body, token=tokens[role])
                said = "%s %s as %s: %d %s" % (method, path, role, answer.status, answer.body[:200])
                if allowed:
                    self.assertNotIn(answer.status, (401, 403), said)
                    self.assertLess(answer.status, 500, said)
                else:
                    self.assertEqual(answer.status, 401 if role == "anonymous" else 403, said)
                    if method != "head":
                        self.problem(answer, answer.status, "unauthenticated" if role == "anonymous" else "denied")

    def test_refusals_say_which_role_is_needed_and_how_to_get_it(self):
        operator = self.role("operator")
        said = self.problem(self.grid.request("GET", "/api/keys", token=operator), 403, "denied")
        self.assertIn("admin", said["detail"])
        self.assertIn("operator", said["detail"])
        self.assertIn("gridctl token create", said["hint"])
        answer = self.get("/api/keys")
        self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")

    def test_nobody_hands_out_more_than_they_have(self):
        operator = self.role("operator")
        for role in ROLES[1:]:
            self.problem(self.grid.request("POST", "/api/tokens", {"kind": "api", "role": role}, token=operator), 403, "denied")
        self.assertEqual(self.grid.request("POST", "/api/tokens", {"kind": "join"}, token=operator).status, 201)

    def test_revoked_token_ends_at_once(self):
        token = self.grid.api("POST", "/api/tokens", {"kind": "api", "role": "viewer"})
        self.assertEqual(self.get("/api/summary", token=token["secret"]).status, 200)
        self.grid.api("DELETE", "/api/tokens/" + token["id"])
        self.problem(self.get("/api/summary", token=token["secret"]), 401, "unauthenticated")

    def test_tokens_survive_a_restart(self):
        viewer = self.role("viewer")
        self.grid.master.kill()
        self.grid.start_master()
        self.assertEqual(self.get("/api/summary", token=viewer).status, 200)

    def test_wrong_tokens_are_limited_without_harm_to_right_ones(self):
        said, _ = self.until_limited(lambda: self.get("/api/summary", token="gt_0123456789abcdef.x"), 10)
        self.assertEqual({a.status for a in said}, {401})
        limited = self.get("/healthz", token="gt_0123456789abcdef.x")
        self.assertGreaterEqual(int(limited.headers["Retry-After"]), 1)
        self.assertEqual(self.get("/api/summary", token=self.grid.token).status, 200)
        self.assertEqual(self.get("/healthz").status, 200)

    def test_binaries_can_be_closed_to_the_public(self):
        self.grid.master.stop()
        self.grid.master_arguments = ["--public-downloads=off"]
        self.grid.start_master()
        viewer = self.role("viewer")
        for path in ("/api/binaries", "/api/binaries/latest/linux/x86_64", "/binaries/nothing", "/api/binaries/1.0.0/linux/any"):
            self.problem(self.get(path), 401, "unauthenticated")
            self.assertIn(self.get(path, token=viewer).status, (200, 404))


class Shapes(Test):
    def test_problem_has_every_member_and_the_request_id_of_the_answer(self):
        answer = self.get("/api/agents/a-9", token=self.grid.token, headers={"X-Request-Id": "mine-1"})
        said = self.problem(answer, 404, "not_found")
        self.assertEqual(said["type"], "urn:grid:error:not_found")
        self.assertEqual(said["title"], "Not found")
        self.assertIn("a-9", said["detail"])
        self.assertIn("gridctl agent list", said["hint"])
        self.assertEqual(said["request_id"], "mine-1")
        self.assertEqual(answer.headers["X-Request-Id"], "mine-1")

    def test_answers_are_not_to_be_stored_or_sniffed(self):
        for path in ("/api/summary", "/api/tokens", "/api/agents/a-9"):
            headers = self.get(path, token=self.grid.token).headers
            self.assertEqual(headers["Cache-Control"], "no-store", path)
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff", path)

    def test_unknown_query_parameter_is_named_with_the_allowed_ones(self):
        lists = {"/api/agents": "label", "/api/nodes": "state", "/api/binaries": "platform", "/api/events": "since", "/api/tokens": "sort"}
        for path, allowed in lists.items():
            said = self.problem(self.get(path + "?colour=red", token=self.grid.token), 400, "invalid")
            self.assertIn("colour", said["detail"])
            self.assertIn(allowed, said["hint"])

    def test_what_changes_something_refuses_parameters_it_does_not_know(self):
        self.grid.agent("a-1")
        wait_for("the agent", lambda: self.grid.show("a-1")["status"] == "up")
        for method, path, body in (("POST", "/api/agents/a-1/drain?dry_run=1", None), ("POST", "/api/agents/a-1/revoke?dry_run=1", None),
                                   ("PATCH", "/api/agents/a-1?dry_run=1", {"channel": "beta"}), ("DELETE", "/api/agents/a-1?force=yes", None),
                                   ("DELETE", "/api/agents/a-1?dry_run=1&force=true", None), ("POST", "/api/tokens?dry_run=1", {"kind": "join"}),
                                   ("PUT", "/api/channels/beta?dry_run=1", {"version": "1.0.0"}), ("DELETE", "/api/keys/0?dry_run=1", None),
                                   ("POST", "/api/keys?dry_run=1", {"public_key": "x"})):
            self.problem(self.grid.request(method, path, body), 400, "invalid")
        shown = self.grid.show("a-1")
        self.assertEqual((shown["status"], shown["mode"], shown["channel"]), ("up", "active", "stable"))

    def test_body_of_another_type_is_refused(self):
        for method, path in (("PUT", "/api/channels/beta"), ("POST", "/api/keys"), ("POST", "/api/tokens")):
            answer = self.grid.request(method, path, b"version: 1.0.0", {"Content-Type": "application/yaml"})
            self.problem(answer, 415, "unsupported_media_type")

    def test_bad_values_of_filters_are_refused_with_the_good_ones(self):
        for path, words in (("/api/agents?status=happy", "suspect"), ("/api/agents?mode=x", "draining"), ("/api/agents?sort=colour", "last_seen_at"),
                            ("/api/agents?platform=templeos", "darwin"), ("/api/agents?arch=z80", "aarch64"), ("/api/agents?label=%3D", ""),
                            ("/api/nodes?state=happy", "backoff"), ("/api/agents?limit=0", "1 to"), ("/api/agents?limit=many", "1 to"),
                            ("/api/agents?cursor=mine", "Link"), ("/api/events?limit=1001", "1000"), ("/api/events?since=-1", "0 to")):
            said = self.problem(self.get(path, token=self.grid.token), 400, "invalid")
            self.assertIn(words, said["detail"] + said.get("hint", ""), path)

    def test_patch_takes_all_or_nothing_and_answers_with_the_agent(self):
        self.grid.agent("a-1", "--label", "rack=a")
        wait_for("the agent", lambda: self.grid.show("a-1")["status"] == "up")
        shown = self.grid.api("PATCH", "/api/agents/a-1", {"labels": {"zone": "z", "rack": "b"}, "channel": "beta"})
        self.assertEqual(shown["labels"], {"rack": "b", "zone": "z"})
        self.assertEqual(shown["assigned_labels"], {"rack": "b", "zone": "z"})
        self.assertEqual(shown["channel"], "beta")
        for bad in ({"labels": {"zone": "y"}, "channel": "Not A Channel"}, {"labels": {"zone": "y", "": "x"}}, {"labels": {"zone": 1}},
                    {"labels": {"zone": "y"}, "colour": "red"}, {"labels": {"zone": "y" * 100}}, {"channel": None}, [], "x", None):
            self.problem(self.grid.request("PATCH", "/api/agents/a-1", json.dumps(bad).encode(),
                                           {"Content-Type": "application/json"}), 400, "invalid")
        after = self.grid.show("a-1")
        self.assertEqual((after["labels"], after["channel"]), (shown["labels"], "beta"))
        shown = self.grid.api("PATCH", "/api/agents/a-1", {"labels": {"zone": None, "rack": None}})
        self.assertEqual((shown["labels"], shown["assigned_labels"]), ({"rack": "a"}, {}))
        self.problem(self.grid.request("PATCH", "/api/agents/a-1", {"labels": {"rack": None}}), 409, "conflict")

    def test_if_match_lets_the_first_of_two_editors_win_whatever_heartbeats_bring(self):
        self.grid.agent("a-1")
        wait_for("the agent", lambda: self.grid.show("a-1")["status"] == "up")
        read = self.get("/api/agents/a-1", token=self.grid.token)
        seen = read.json()["last_seen_at"]
        wait_for("a heartbeat", lambda: self.grid.show("a-1")["last_seen_at"] != seen)
        match = {"If-Match": read.headers["ETag"]}
        first = self.grid.request("PATCH", "/api/agents/a-1", {"labels": {"who": "first"}}, match)
        self.assertEqual(first.status, 200, first.body)
        self.assertNotEqual(first.headers["ETag"], read.headers["ETag"])
        said = self.problem(self.grid.request("PATCH", "/api/agents/a-1", {"labels": {"who": "second"}}, match), 412, "precondition_failed")
        self.assertIn(first.headers["ETag"].strip('"'), said["hint"])
        self.assertEqual(self.grid.show("a-1")["labels"]["who"], "first")
        self.assertEqual(self.grid.request("PATCH", "/api/agents/a-1", {"labels": {"who": "third"}}, {"If-Match": "*"}).status, 200)
        for bad in ("x", '"x"', 'W/"1"', '"', "1" * 100):
            self.problem(self.grid.request("PATCH", "/api/agents/a-1", {}, {"If-Match": bad}), 412, "precondition_failed")

    def test_what_changes_nothing_is_no_event(self):
        self.grid.agent("a-1")
        wait_for("the agent", lambda: self.grid.show("a-1")["status"] == "up")
        for _ in range(2):
            self.grid.api("PATCH", "/api/agents/a-1", {"labels": {"zone": "z"}, "channel": "beta"})
            self.grid.api("POST", "/api/agents/a-1/drain")
            self.grid.api("POST", "/api/agents/a-1/approve")
        kinds = [e["kind"] for e in self.grid.events(subject="a-1")]
        for kind in ("agent.labelled", "agent.channel", "agent.mode"):
            self.assertEqual(kinds.count(kind), 1, kinds)
        self.assertNotIn("agent.approved", kinds)

    def test_summary_counts_what_is_there(self):
        self.publish()
        self.grid.agent("a-1")
        wait_for("the agent", lambda: self.grid.show("a-1")["status"] == "up")
        self.grid.drop(program("gridctl"), "wrong name")
        last = self.grid.events()[-1]["seq"]
        summary = wait_for("the counts", lambda: (lambda s: s if s["rejected"] == 1 else None)(self.grid.api("GET", "/api/summary")))
        self.assertEqual(summary["agents"], {"pending": 0, "up": 1, "suspect": 0, "lost": 0, "revoked": 0})
        self.assertEqual(summary["binaries"], 1)
        self.assertEqual(summary["channels"], [{"name": "stable", "artifact": "storage-server", "version": "1.0.0"}])
        self.assertEqual(summary["http_url"], self.grid.master.url)
        self.assertEqual(summary["bus_address"], self.grid.master.bus)
        self.assertGreaterEqual(summary["last_event"], last)
        self.assertLessEqual(summary["last_event"], self.grid.events()[-1]["seq"])


class Pages(Test):
    def test_channels_keys_and_rejected_files_in_pages(self):
        self.publish()
        for name in ("a", "b", "c"):
            self.grid.set_channel("1.0.0", name)
        for name in ("x", "y", "z"):
            self.grid.drop("/bin/true", name)
        wait_for("the refusals", lambda: len(self.grid.api("GET", "/api/binaries/rejected")) == 3)
        for path, key in (("/api/channels", "name"), ("/api/keys", "key_id"), ("/api/binaries/rejected", "file")):
            everything = [item[key] for item in self.grid.api("GET", path)]
            self.assertGreater(len(everything), 1, path)
            found, pages = self.walk(path + "?limit=1", lambda item: item[key])
            self.assertEqual((found, pages, self.total), (everything, len(everything), len(everything)))

    def test_tokens_in_pages(self):
        for _ in range(9):
            self.grid.api("POST", "/api/tokens", {"kind": "join"})
        everything = [t["id"] for t in self.grid.api("GET", "/api/tokens")]
        for limit in (1, 3, 10, 11):
            found, pages = self.walk("/api/tokens?limit=%d" % limit, lambda t: t["id"])
            self.assertEqual((found, pages, self.total), (everything, -(-10 // limit), 10))
        found, _ = self.walk("/api/tokens?sort=-id&limit=4", lambda t: t["id"])
        self.assertEqual(found, sorted(everything, reverse=True))

    def test_binaries_in_pages_by_semantic_version(self):
        versions = ["1.0.0", "1.10.0", "1.9.0", "2.0.0-rc.1", "2.0.0", "0.1.0"]
        for version in versions:
            self.publish(version)
        ordered = ["0.1.0", "1.0.0", "1.9.0", "1.10.0", "2.0.0-rc.1", "2.0.0"]
        for limit in (1, 2, 4):
            found, _ = self.walk("/api/binaries?sort=version&limit=%d" % limit, lambda b: b["version"])
            self.assertEqual(found, ordered)
            found, _ = self.walk("/api/binaries?sort=-version&platform=linux&limit=%d" % limit, lambda b: b["version"])
            self.assertEqual(found, ordered[::-1])

    def test_agents_and_nodes_in_pages_with_filters(self):
        self.grid.publish("1.0.0")
        for name, rack in (("a-1", "a"), ("a-2", "b"), ("a-3", "a")):
            self.grid.agent(name, "--nodes", "2", "--label", "rack=" + rack)
        for name in ("a-1", "a-2", "a-3"):
            self.grid.wait_healthy(name, "1.0.0", nodes=2)
        self.assertEqual(self.walk("/api/agents?limit=1", lambda a: a["id"]), (["a-1", "a-2", "a-3"], 3))
        self.assertEqual(self.walk("/api/agents?limit=1&label=rack%3Da&status=up", lambda a: a["id"]), (["a-1", "a-3"], 2))
        self.assertEqual(self.walk("/api/agents?sort=-id&limit=2&label=rack", lambda a: a["id"])[0], ["a-3", "a-2", "a-1"])
        self.assertEqual(self.walk("/api/agents?sort=version&limit=1&version=1.0.0", lambda a: a["id"])[0], ["a-1", "a-2", "a-3"])
        self.assertEqual(self.walk("/api/agents?sort=last_seen_at&limit=10", lambda a: a["id"])[1], 1)
        nodes = ["a-%d/%d" % (a, n) for a in (1, 2, 3) for n in (0, 1)]
        self.assertEqual(self.walk("/api/nodes?limit=4", lambda n: n["id"]), (nodes, 2))
        self.assertEqual(self.walk("/api/nodes?agent=a-2&limit=1&state=healthy", lambda n: n["id"])[0], ["a-2/0", "a-2/1"])
        self.assertEqual(self.grid.api("GET", "/api/nodes?state=backoff"), [])
        self.assertEqual(self.grid.api("GET", "/api/agents?version=9.9.9"), [])


if __name__ == "__main__":
    unittest.main()
