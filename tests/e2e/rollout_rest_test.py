#!/usr/bin/python3
"""Rollouts over REST: refusals, repetition, orders, lists, pins, quarantine, floors, and what the audit trail keeps."""
import os, sys, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from grid import sha256, storage_server, wait_for
from master_case import Test

ROLLOUTS = "/api/rollouts"
QUICK = {"min_healthy_s": 0.1, "probation_s": 0.3, "healthy_deadline_s": 20, "progress_deadline_s": 60, "max_parallel": "100%"}


class RolloutTest(Test):
    def start(self, version, key=None, token="admin", **policy):
        return self.grid.request("POST", ROLLOUTS, dict(QUICK, version=version, **policy),
                                 {"Idempotency-Key": key} if key else {}, token)

    def started(self, version, **policy):
        answer = self.start(version, **policy)
        self.assertEqual(answer.status, 201, answer.body)
        return answer.json()["id"]

    def show(self, rollout):
        return self.grid.api("GET", "%s/%s" % (ROLLOUTS, rollout))

    def order(self, rollout, order, **options):
        return self.grid.request("POST", "%s/%s/%s" % (ROLLOUTS, rollout, order), **options)

    def wait_state(self, rollout, *states):
        return wait_for("%s to be %s" % (rollout, " or ".join(states)),
                        lambda: next((r for r in [self.show(rollout)] if r["state"] in states), None))

    def agents(self, *agents):
        """Healthy ones on 1.0.0, with 1.1.0 published."""
        self.grid.publish("1.0.0")
        self.grid.publish("1.1.0")
        self.grid.set_channel("1.0.0")
        for name, *arguments in agents:
            self.grid.agent(name, *arguments)
        for name, *_ in agents:
            self.grid.wait_healthy(name, "1.0.0")


class Refusals(RolloutTest):
    def test_each_names_the_thing_and_what_would_be_right(self):
        self.publish()
        good = {"version": "1.0.0"}
        zero = "0" * 64
        for method, path, body, status, words in (
                ("POST", "", {}, 400, "version"),
                ("POST", "", {"version": "1.0"}, 400, "1.0"),
                ("POST", "", dict(good, colour="red"), 400, "max_parallel"),  # those there are
                ("POST", "", dict(good, canary=-1), 400, "canary"),
                ("POST", "", dict(good, canary="some"), 400, "canary"),
                ("POST", "", dict(good, max_parallel="0%"), 400, "max_parallel"),
                ("POST", "", dict(good, max_parallel="101%"), 400, "max_parallel"),
                ("POST", "", dict(good, max_failures=-1), 400, "max_failures"),
                ("POST", "", dict(good, probation_s=-1), 400, "probation_s"),
                ("POST", "", dict(good, probation_s="2m"), 400, "probation_s"),
                ("POST", "", dict(good, min_healthy_s=10, probation_s=1), 400, "min_healthy_s"),
                ("POST", "", dict(good, auto_promote_s="later"), 400, "never"),
                ("POST", "", dict(good, selector="a=="), 400, "selector"),
                ("POST", "", dict(good, windows=[{"days": "someday", "from": "22:00", "to": "04:00"}]), 400, "someday"),
                ("POST", "", dict(good, windows=[{"days": "daily", "from": "22:00", "to": "04:00", "tz": "Moon/Base"}]), 400, "Moon/Base"),
                ("POST", "", good, 404, "agent"),
                ("POST", "?dry_run=1", good, 400, "dry_run"),
                ("POST", "/plan", {}, 400, "version"),
                ("POST", "/plan", good, 404, "agent"),
                ("GET", "/r-9", None, 404, "gridctl rollout list"),
                ("GET", "/nonsense", None, 404, "nonsense"),
                ("GET", "/r-01", None, 404, "r-01"),
                ("GET", "/r-9/agents", None, 404, "r-9"),
                ("POST", "/r-9/pause", None, 404, "gridctl rollout list"),
                ("POST", "/r-9/rollback?force=1", None, 400, "force"),
                ("GET", "?state=happy", None, 400, "await_promote"),
                ("GET", "?active=maybe", None, 400, "true or false"),
                ("GET", "?colour=red", None, 400, "active"),
                ("GET", "?sort=version", None, 400, "created_at"),
                ("GET", "?limit=0", None, 400, "1 to"),
                ("GET", "?cursor=mine", None, 400, "Link"),
                ("DELETE", "/../quarantine/" + zero, None, 404, zero[:8]),
                ("GET", "/../quarantine?colour=red", None, 400, "version"),
                ("PUT", "/../floors/storage-server", {"version": "x"}, 400, "x"),
                ("PUT", "/../floors/storage-server", {"version": "1.0.0", "colour": "red"}, 400, "colour"),
                ("DELETE", "/../floors/storage-server", None, 404, "storage-server"),
                ("GET", "/../audit?colour=red", None, 400, "principal"),
                ("GET", "/../audit?limit=many", None, 400, "1 to")):
            path = ("/api" + path[3:]) if path.startswith("/..") else ROLLOUTS + path
            code = {400: "invalid", 404: "not_found"}[status]
            with self.subTest("%s %s %s" % (method, path, body)):
                said = self.problem(self.grid.request(method, path, body), status, code)
                self.assertIn(words, said["detail"] + said.get("hint", ""))
        self.assertEqual(self.grid.api("GET", ROLLOUTS), [])
        self.assertEqual([a["action"] for a in self.grid.api("GET", "/api/audit") if a["action"].startswith("rollout")], [])

    def test_keys_of_requests_are_short_words(self):
        for key in ("two words", "x" * 129, "\u00e4"):
            said = self.problem(self.start("1.0.0", key=key), 400, "invalid")
            self.assertIn("Idempotency-Key", said["detail"])
            self.assertIn("hint", said)


class Orders(RolloutTest):
    def walk_start(self):
        """Started once, whatever is sent again; another one of the same machines is refused or takes over."""
        policy = dict(auto_promote_s="never", canary=1, topology="rack")
        first = self.start("1.1.0", key="once", **policy)
        self.assertEqual(first.status, 201, first.body)
        rollout = first.json()
        self.assertEqual((rollout["id"], first.headers["Location"]), ("r-1", ROLLOUTS + "/r-1"))
        again = self.start("1.1.0", key="once", **policy)
        self.assertEqual((again.status, again.json()["id"], again.headers["Location"]), (200, "r-1", ROLLOUTS + "/r-1"))
        said = self.problem(self.start("1.1.0", key="once", **dict(policy, canary=2)), 409, "conflict")
        self.assertIn("r-1", said["detail"])
        overlap = self.problem(self.start("1.1.0", key="once", token=self.role("operator"), **policy), 409, "conflict")
        self.assertIn("r-1", overlap["detail"])
        self.assertIn("supersede", overlap["hint"])
        self.problem(self.start("1.1.0", token=self.role("viewer"), **policy), 403, "denied")
        self.assertEqual(len(self.grid.api("GET", ROLLOUTS)), 1)
        policy = rollout["policy"]
        self.assertEqual((policy["canary"], policy["auto_promote_s"], policy["min_healthy_s"], policy["windows"]), (1, "never", 0.1, []))

    def walk_orders(self):
        """Each order where it is allowed and where it is not."""
        self.wait_state("r-1", "await_promote")
        waiting = self.grid.api("GET", ROLLOUTS + "/r-1/agents?state=waiting")
        self.assertEqual([m["phase"] for m in waiting], ["staged", "staged"])
        holds = self.grid.api("GET", "/api/agents/%s/why" % waiting[0]["agent_id"])["holds"]
        self.assertIn("gridctl rollout promote r-1", holds[0])
        self.assertIn("its turn in rollout r-1 has not come", holds[1])
        self.problem(self.order("r-1", "resume"), 409, "conflict")
        paused = self.order("r-1", "pause")
        self.assertEqual((paused.status, paused.json()["state"], paused.json()["resume_state"], paused.json()["cause"]),
                         (200, "paused", "await_promote", "operator"), paused.body)
        said = self.problem(self.order("r-1", "pause"), 409, "conflict")
        self.assertIn("paused", said["detail"])
        self.assertEqual(self.order("r-1", "resume").json()["state"], "await_promote")
        self.assertEqual(self.order("r-1", "promote").status, 200)
        self.assertEqual(self.wait_state("r-1", "completed")["progress"]["committed"], 3)
        for order in ("pause", "resume", "promote", "stop"):
            self.assertIn("completed", self.problem(self.order("r-1", order), 409, "conflict")["detail"])

    def walk_reads(self):
        """The same rollout and its machines, again, in parts, and for viewers."""
        viewer = self.role("viewer")
        one = self.get(ROLLOUTS + "/r-1", token=viewer)
        self.assertEqual(self.get(ROLLOUTS + "/r-1", token=viewer, headers={"If-None-Match": one.headers["ETag"]}).status, 304)
        members = self.get(ROLLOUTS + "/r-1/agents", token=viewer).json()
        self.assertEqual([(m["agent_id"], m["state"], m["domain"], m["from"], m["to"]) for m in members],
                         [("a-1", "committed", "a", "1.0.0", "1.1.0"), ("a-2", "committed", "b", "1.0.0", "1.1.0"),
                          ("a-3", "committed", "b", "1.0.0", "1.1.0")])
        self.assertEqual([m["canary"] for m in members].count(True), 1)
        self.assertEqual(sorted(m["turn"] for m in members), [1, 2, 3])
        found, pages = self.walk(ROLLOUTS + "/r-1/agents?limit=1&domain=b&sort=-agent_id", lambda m: m["agent_id"])
        self.assertEqual((found, pages, self.total), (["a-3", "a-2"], 2, 2))
        self.assertEqual(self.grid.api("GET", ROLLOUTS + "/r-1/agents?state=failed"), [])
        self.assertIn("return_failed", self.problem(self.get(ROLLOUTS + "/r-1/agents?state=happy", token=viewer), 400, "invalid")["detail"])

    def walk_end(self):
        """Taken back after its end; a newer one takes over; stopped."""
        self.assertEqual(self.order("r-1", "rollback").json()["state"], "reverting")
        self.assertEqual(self.wait_state("r-1", "reverted")["progress"]["returned"], 3)
        self.assertEqual(self.started("1.1.0", auto_promote_s="never"), "r-2")
        self.assertEqual(self.started("1.1.0", auto_promote_s="never", supersede=True), "r-3")
        former = self.show("r-2")
        self.assertEqual((former["state"], former["superseded_by"]), ("superseded", "r-3"))
        self.assertEqual(self.order("r-3", "stop").json()["state"], "stopped")
        self.assertIn("finished_at", self.show("r-3"))

    def walk_lists(self):
        for query, ids in (("", ["r-3", "r-2", "r-1"]), ("?sort=created_at", ["r-1", "r-2", "r-3"]), ("?active=true", []),
                           ("?active=false&state=superseded", ["r-2"]), ("?name=nothing", []), ("?version=1.1.0&limit=9", ["r-3", "r-2", "r-1"])):
            self.assertEqual([r["id"] for r in self.grid.api("GET", ROLLOUTS + query)], ids, query)
        self.assertEqual(self.walk(ROLLOUTS + "?limit=1&active=false", lambda r: r["id"]), (["r-3", "r-2", "r-1"], 3))

    def walk_audit(self):
        """Who did what, in their order, each row hashed with the one before."""
        rows = self.grid.api("GET", "/api/audit")
        self.assertEqual([r["seq"] for r in rows], list(range(len(rows), 0, -1)))
        orders = [r["action"] for r in rows[::-1] if r["subject"] == "r-1"]
        self.assertEqual(orders, ["rollout.start", "rollout.pause", "rollout.resume", "rollout.promote", "rollout.rollback"])
        self.assertTrue(all(r["principal"].startswith("token:") for r in rows if r["action"].startswith("rollout.")), rows)
        self.assertEqual(len({r["hash"] for r in rows}), len(rows))
        found, pages = self.walk("/api/audit?limit=2&subject=r-1", lambda r: r["action"])
        self.assertEqual((found[::-1], pages, self.total), (orders, 3, 5))
        self.assertEqual([r["subject"] for r in self.grid.api("GET", "/api/audit?action=rollout.stop")], ["r-3"])

    def test_a_rollout_from_its_start_to_its_end(self):
        self.agents(("a-1", "--label", "rack=a"), ("a-2", "--label", "rack=b"), ("a-3", "--label", "rack=b"))
        self.walk_start()
        self.walk_orders()
        self.walk_reads()
        self.walk_end()
        self.walk_lists()
        self.walk_audit()
        kinds = [e["kind"] for e in self.grid.events(subject="r-1")]
        for kind in ("started", "paused", "promoted", "completed", "reverting", "reverted"):
            self.assertIn("rollout." + kind, kinds)


class Rules(RolloutTest):
    def changes(self):
        """What somebody or a rollout did; how the agents are doing is another matter."""
        return self.grid.api("GET", "/api/audit"), [e for e in self.grid.events() if e["kind"].startswith("rollout.")]

    def walk_plan(self):
        """A plan says what would be, and changes nothing."""
        for path in ("", "/plan"):
            for bad, words in (({"version": "9.9.9"}, "9.9.9"), ({"version": "1.1.0", "name": "nothing"}, "nothing"),
                               ({"version": "1.1.0", "selector": "rack=z"}, "rack=z")):
                said = self.problem(self.grid.request("POST", ROLLOUTS + path, bad), 404, "not_found")
                self.assertIn(words, said["detail"])
                self.assertIn("gridctl", said["hint"])
        self.assertEqual(self.grid.request("PUT", "/api/binaries/3.0.0/darwin/any", b"#!/bin/sh\n").status, 201)
        said = self.problem(self.start("3.0.0"), 409, "conflict")
        self.assertIn("no build for any of the 2 selected agents", said["detail"])
        self.assertEqual(self.grid.api("POST", ROLLOUTS + "/plan", {"version": "3.0.0"})["conflict"]["text"], said["detail"])
        before = self.changes()
        plan = self.grid.api("POST", ROLLOUTS + "/plan", dict(QUICK, version="1.1.0", canary=1))
        self.assertEqual((plan["selected"], plan["canary"], plan["name"]), (2, 1, "storage-server"))
        self.assertEqual([(b["number"], b["kind"], len(b["agents"])) for b in plan["batches"]], [(1, "canary", 1), (2, "rolling", 1)])
        self.assertEqual(plan["blast_radius"]["before_first_check"], 1)
        self.assertNotIn("conflict", plan)
        self.assertEqual(self.grid.api("GET", ROLLOUTS), [])
        self.assertEqual(self.changes(), before)

    def walk_pin(self):
        """A pin wins over the channel, keeps rollouts away, and is taken off by null."""
        one = "/api/agents/a-2"
        for bad, status, code in (({"pin": "9.9.9"}, 404, "not_found"), ({"pin": "x"}, 400, "invalid"), ({"pin": 1}, 400, "invalid")):
            self.problem(self.grid.request("PATCH", one, bad), status, code)
        tag = self.grid.request("GET", one).headers["ETag"]
        shown = self.grid.request("PATCH", one, {"pin": "1.0.0"}, {"If-Match": tag})
        self.assertEqual((shown.status, shown.json()["pin"], shown.json()["channel"]), (200, "1.0.0", "stable"))
        self.problem(self.grid.request("PATCH", one, {"pin": None}, {"If-Match": tag}), 412, "precondition_failed")
        why = self.grid.api("GET", one + "/why")
        self.assertEqual((why["desired"]["rule"], why["desired"]["version"], why["running"]["version"]), ("pin", "1.0.0", "1.0.0"))
        self.assertIn("channel", [rule["rule"] for rule in why["lost"]])
        plan = self.grid.api("POST", ROLLOUTS + "/plan", dict(QUICK, version="1.1.0"))
        self.assertEqual((plan["selected"], [x["agent_id"] for x in plan["excluded"]]), (1, ["a-2"]))
        self.assertEqual(self.grid.api("PATCH", one, {"pin": None, "mode": "draining"})["pin"], "")
        self.assertEqual(self.grid.show("a-2")["mode"], "draining")
        self.problem(self.grid.request("PATCH", one, {"mode": "sleeping"}), 400, "invalid")
        self.assertEqual(self.grid.api("PATCH", one, {"mode": "active"})["mode"], "active")

    def walk_floors(self):
        floor = "/api/floors/storage-server"
        said = self.problem(self.grid.request("PUT", floor, {"version": "1.1.0"}), 409, "conflict")
        self.assertIn("channel stable points to storage-server 1.0.0", said["detail"])
        self.assertIn("gridctl channel set", said["hint"])
        self.assertEqual(self.grid.api("PUT", floor, {"version": "1.0.0"})["version"], "1.0.0")
        self.assertEqual([f["name"] for f in self.grid.api("GET", "/api/floors")], ["storage-server"])
        self.put(b"#!/bin/sh\n", "0.9.0")
        said = self.problem(self.start("0.9.0"), 409, "conflict")
        self.assertIn("1.0.0", said["detail"])
        self.assertEqual(self.grid.api("POST", ROLLOUTS + "/plan", {"version": "0.9.0"})["conflict"]["code"], "conflict")
        self.problem(self.grid.request("PATCH", "/api/agents/a-1", {"pin": "0.9.0"}), 409, "conflict")
        self.assertEqual(self.grid.request("DELETE", floor).status, 204)
        self.assertEqual(self.grid.api("GET", "/api/floors"), [])

    def walk_quarantine(self):
        """What failed leads nowhere until somebody says so."""
        self.grid.publish("1.5.0")  # ends at once
        rollout = self.started("1.5.0", canary=1, healthy_deadline_s=5)
        self.wait_state(rollout, "reverted")
        listed = self.grid.api("GET", "/api/quarantine")
        digest = sha256(storage_server("1.5.0"))
        self.assertEqual([(q["digest"], q["version"], q["rollout"]) for q in listed], [(digest, "1.5.0", rollout)])
        failed = next(a for a in self.grid.api("GET", "%s/%s/agents" % (ROLLOUTS, rollout)) if a["attempt"] > 0)
        self.assertTrue(failed["canary"])
        said = self.problem(self.start("1.5.0"), 409, "conflict")
        self.assertIn("quarantine", said["detail"])
        self.assertIn("override", said["hint"])
        self.problem(self.grid.request("PATCH", "/api/agents/a-1", {"pin": "1.5.0"}), 409, "conflict")
        self.problem(self.grid.request("PUT", "/api/channels/stable", {"version": "1.5.0"}), 409, "conflict")
        path = "/api/quarantine/" + digest
        self.problem(self.grid.request("DELETE", path, token=self.role("viewer")), 403, "denied")
        self.assertEqual(self.grid.request("DELETE", path).status, 204)
        self.problem(self.grid.request("DELETE", path), 404, "not_found")
        self.assertEqual(self.grid.api("GET", "/api/quarantine"), [])

    def test_plans_pins_floors_and_quarantine(self):
        self.agents(("a-1",), ("a-2",))
        self.walk_plan()
        self.walk_pin()
        self.walk_floors()
        self.walk_quarantine()
        actions = {r["action"] for r in self.grid.api("GET", "/api/audit")}
        self.assertLessEqual({"agent.pin", "agent.unpin", "floor.set", "floor.remove", "quarantine.lift", "rollout.start"}, actions)


if __name__ == "__main__":
    unittest.main()
