#!/usr/bin/python3
"""Tokens with a scope: what they show is of their machines, what they change is their machines, and no more comes out
of them than went in."""
import os, sys, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from events_test import Socket
from grid import storage_server, wait_for
from master_case import Test
from snapshot import snapshot

ORDERS = ("pause", "resume", "promote", "stop", "rollback")


class Scope(Test):
    def setUp(self):
        super().setUp()
        self.grid.publish("1.0.0")
        for agent, rack in (("a-1", "a"), ("b-1", "b")):
            self.grid.agent(agent, "--label", "rack=" + rack)
        for agent in ("a-1", "b-1"):
            self.grid.wait_healthy(agent, "1.0.0")
        self.token = self.made(role="operator")

    def made(self, **order):
        return self.grid.api("POST", "/api/tokens", dict(kind="api", scope="rack=b", **order))["secret"]

    def ask(self, method, path, body=None, **options):
        return self.grid.request(method, path, body, token=options.pop("token", self.token), **options)

    def json(self, path):
        answer = self.ask("GET", path)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def test_reads_show_machines_of_the_scope_alone(self):
        self.assertEqual([a["id"] for a in self.json("/api/agents")], ["b-1"])
        self.assertEqual([a["id"] for a in self.json("/api/agents?label=rack=a")], [])
        self.assertEqual([n["id"] for n in self.json("/api/nodes")], ["b-1/0"])
        summary = self.json("/api/summary")
        self.assertEqual((summary["agents"]["up"], summary["nodes"]["healthy"]), (1, 1))
        for path in ("/api/agents/b-1", "/api/agents/b-1/why", "/api/nodes/b-1~0", "/api/agents/b-1/logs", "/api/nodes/b-1~0/logs"):
            self.assertEqual(self.ask("GET", path).status, 200, path)
            other = self.ask("GET", path.replace("b-1", "a-1"))
            self.assertIn("rack=b", self.problem(other, 404, "not_found")["detail"], path)
            self.assertEqual(other.json()["detail"].replace("a-1", "x-1"),
                             self.ask("GET", path.replace("b-1", "x-1")).json()["detail"], "it tells what is there")

    def test_counts_are_taken_within_the_scope(self):
        self.grid.api("PUT", "/api/channels/other", {"version": "1.0.0"})
        self.grid.api("PATCH", "/api/agents/a-1", {"channel": "other"})
        def followers(channels):
            return {c["name"]: c["agents"] for c in channels}
        self.assertEqual(followers(self.grid.api("GET", "/api/channels")), {"other": 1, "stable": 1})
        self.assertEqual(followers(self.json("/api/channels")), {"other": 0, "stable": 1})
        for rack in ("a", "b"):  # enrolled, and never heard of since
            self.assertEqual(self.grid.agent(rack + "-2", "--label", "rack=" + rack, "--enroll-within", "20s").wait(), 0)
        whole, mine = self.grid.api("GET", "/api/doctor"), self.json("/api/doctor")
        self.assertEqual((whole["agents_without_root"], mine["agents_without_root"]), (2, 1))
        self.assertEqual(set(whole) - set(mine), {"descriptors_used", "descriptors_needed"}, "they count every agent")
        self.assertNotIn("descriptors", self.grid.gridctl("doctor", token=self.token).stdout)

    def fail_on(self, rack):
        rollout = self.grid.api("POST", "/api/rollouts", {"version": "1.5.0", "selector": "rack=" + rack, "healthy_deadline_s": 5})["id"]
        wait_for("it to be reverted", lambda: self.grid.api("GET", "/api/rollouts/" + rollout)["state"] == "reverted")
        return rollout

    def test_why_a_build_failed_is_told_to_who_may_see_the_rollout(self):
        self.grid.publish("1.5.0")  # ends at once
        rollout = self.fail_on("a")
        whole = self.grid.api("GET", "/api/quarantine")[0]
        self.assertIn("failed on a-1 in rollout " + rollout, whole["reason"])
        one = "/api/quarantine/" + whole["digest"]
        self.assertEqual(self.grid.api("GET", one), whole)
        self.assertEqual(self.json("/api/quarantine"), [dict(whole, rollout="", reason="it failed outside the scope")])
        self.assertEqual(self.json(one), self.json("/api/quarantine")[0])
        refused = [self.ask("POST", "/api/rollouts", {"version": "1.5.0"}), self.ask("PATCH", "/api/agents/b-1", {"pin": "1.5.0"})]
        for answer in refused:
            self.assertIn("quarantined", self.problem(answer, 409, "conflict")["detail"])
        told = self.json("/api/events?since=0&limit=1000&kind=quarantine.added")
        self.assertEqual(len(told), 1)
        self.assertNotIn("a-1", str([told] + [answer.json() for answer in refused]))
        self.grid.api("DELETE", one)
        self.fail_on("b")
        self.assertEqual(self.json(one), self.grid.api("GET", one))
        self.assertIn("failed on b-1", self.json(one)["reason"])

    def test_events_are_those_of_the_scope(self):
        mine = self.json("/api/events?since=0&limit=1000")
        self.assertIn("agent.up", {e["kind"] for e in mine})
        self.assertIn("binary.published", {e["kind"] for e in mine})
        self.assertNotIn("a-1", str(mine))
        self.assertNotIn("token.created", str(mine))
        one = self.json("/api/events?since=0&limit=1")
        self.assertEqual(one, mine[:1], "a page of what is not shown is not the end")
        followed = Socket(self.grid.master.url, "/api/events/ws?since=0", self.token)
        self.addCleanup(followed.close)
        self.assertEqual([followed.event() for _ in mine], mine)

    def test_changes_beyond_it_are_refused_and_name_the_scope(self):
        for agent in ("a-1", "b-1"):
            self.grid.api("PATCH", "/api/agents/" + agent, {"labels": {"seen": "yes"}})
        publisher = self.made(role="publisher")  # of operators, floors ask for more than for no scope
        before = snapshot(self.grid)
        changes = [("PATCH", "/api/agents/a-1", {"labels": {"rack": "b"}}), ("DELETE", "/api/agents/a-1", None),
                   ("POST", "/api/agents/a-1/approve", None), ("POST", "/api/agents/a-1/revoke", None),
                   ("POST", "/api/agents/a-1/drain", None), ("POST", "/api/agents/a-1/resume", None),
                   ("POST", "/api/nodes/a-1~0/restart", None)]
        whole = [("PUT", "/api/channels/stable", {"version": "1.0.0"}), ("PUT", "/api/floors/storage-server", {"version": "1.0.0"}),
                 ("DELETE", "/api/floors/storage-server", None), ("DELETE", "/api/quarantine/" + "0" * 64, None)]
        for method, path, body in changes + whole:
            problem = self.problem(self.ask(method, path, body, token=publisher), 403, "denied")
            self.assertIn("rack=b", problem["detail"], path)
            self.assertIn("hint", problem)
        admin = self.made(role="admin")
        for method, path in (("GET", "/api/audit"), ("GET", "/api/keys"), ("POST", "/api/backup"), ("DELETE", "/api/tokens/0123456789abcdef")):
            self.problem(self.ask(method, path, token=admin), 403, "denied")
        after = snapshot(self.grid)
        for seen in (before, after):  # the admin's token was made between them
            seen["rows"].pop("token"), seen["rest"].pop("/api/tokens")
        self.assertEqual(after, before)
        self.assertEqual(self.ask("PATCH", "/api/agents/b-1", {"labels": {"seen": "no"}}).status, 200)
        self.assertEqual(self.ask("POST", "/api/nodes/b-1~0/restart").status, 202)

    def test_rollouts_reach_nobody_outside(self):
        self.grid.drop(storage_server("1.1.0"), "storage-server-1.1.0-any-any")
        wait_for("1.1.0", lambda: [b for b in self.grid.api("GET", "/api/binaries") if b["version"] == "1.1.0"])
        quick = {"version": "1.1.0", "probation_s": 1, "min_healthy_s": 0, "auto_promote_s": 0}
        plan = self.ask("POST", "/api/rollouts/plan", quick).json()
        self.assertIn("b-1", str(plan))
        self.assertNotIn("a-1", str(plan))
        self.problem(self.ask("POST", "/api/rollouts", dict(quick, selector="rack=a")), 404, "not_found")
        whole = self.grid.api("POST", "/api/rollouts", dict(quick, selector="rack=a", auto_promote_s="never"))["id"]
        self.assertEqual(self.json("/api/rollouts"), [])
        for path in ("/api/rollouts/" + whole, "/api/rollouts/%s/agents" % whole):
            self.problem(self.ask("GET", path), 404, "not_found")
        for order in ORDERS:
            self.assertIn("rack=b", self.problem(self.ask("POST", "/api/rollouts/%s/%s" % (whole, order)), 403, "denied")["detail"])
        self.assertIn(whole, self.problem(self.ask("POST", "/api/rollouts", dict(quick, supersede=True)), 403, "denied")["detail"])
        mine = self.ask("POST", "/api/rollouts", quick)
        self.assertEqual(mine.status, 201, mine.body)
        self.assertEqual(mine.json()["selector"], "rack=b")
        mine = mine.json()["id"]
        self.assertEqual([r["id"] for r in self.json("/api/rollouts")], [mine])
        self.assertEqual([a["agent_id"] for a in self.json("/api/rollouts/%s/agents" % mine)], ["b-1"])
        self.grid.wait_healthy("b-1", "1.1.0")
        self.assertIn(self.ask("POST", "/api/rollouts/%s/rollback" % mine).status, (200, 409))

    def test_nobody_hands_out_more_than_they_have(self):
        admin = self.made(role="admin")
        given = self.ask("POST", "/api/tokens", {"kind": "api", "role": "viewer"}, token=admin)
        self.assertEqual(given.json()["scope"], "rack=b", "one that says nothing gets the same")
        for scope in ("", "rack=a", "rack", "tier=hot"):
            answer = self.ask("POST", "/api/tokens", {"kind": "api", "role": "viewer", "scope": scope}, token=admin)
            self.assertIn("rack=b", self.problem(answer, 403, "denied")["detail"], scope)
        narrower = self.ask("POST", "/api/tokens", {"kind": "api", "role": "viewer", "scope": "tier = hot,rack=b"}, token=admin)
        self.assertEqual(narrower.json()["scope"], "tier=hot,rack=b")
        self.problem(self.ask("POST", "/api/tokens", {"kind": "join"}), 403, "denied")
        self.problem(self.ask("POST", "/api/tokens", {"kind": "join", "labels": {"rack": "a"}}), 403, "denied")
        self.assertEqual(self.ask("POST", "/api/tokens", {"kind": "join", "labels": {"rack": "b"}}).status, 201)
        shown = self.ask("GET", "/api/tokens", token=admin).json()
        self.assertTrue(shown)
        self.assertEqual({t["scope"] for t in shown}, {"rack=b", "tier=hot,rack=b"})
        for scope in ("rack=b=c", "a,,b", "rack=b;", "x" * 300):
            self.problem(self.grid.request("POST", "/api/tokens", {"kind": "api", "role": "viewer", "scope": scope}), 400, "invalid")

    def test_gridctl_makes_and_shows_scopes(self):
        made = self.grid.gridctl("token", "create", "--role", "viewer", "--scope", "rack=b")
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertIn("scope rack=b", made.stderr)
        self.assertEqual(self.grid.gridctl("agent", "list", "-o", "name", token=made.stdout.strip()).stdout, "b-1\n")
        self.assertIn("rack=b", self.grid.gridctl("token", "list").stdout)
        refused = self.grid.gridctl("token", "create", "--kind", "join", "--scope", "rack=b")
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn("--label", refused.stderr)

    def test_trust_names_machines_of_the_scope_alone(self):
        for rack in ("a", "b"):  # enrolled, and never heard of since
            self.assertEqual(self.grid.agent(rack + "-2", "--label", "rack=" + rack, "--enroll-within", "20s").wait(), 0)
        self.assertEqual(self.grid.api("GET", "/api/trust")["agents_without_root"], ["a-2", "b-2"])
        self.assertEqual(self.json("/api/trust")["agents_without_root"], ["b-2"])

    def test_machine_that_moves_leaves_the_scope(self):
        self.grid.api("PATCH", "/api/agents/b-1", {"labels": {"rack": "c"}})
        self.assertEqual(self.json("/api/agents"), [])
        self.problem(self.ask("POST", "/api/agents/b-1/drain"), 403, "denied")


if __name__ == "__main__":
    unittest.main()
