"""The checker itself: it is content with a grid that is well, and finds what is not."""
import contextlib, hashlib, http.client, os, signal, sqlite3, subprocess, unittest

import checker, rollout_checker
from grid import Grid, program, wait_for
from ledger import Ledger

NODE = "a-1/0"


class CheckerTest(unittest.TestCase):
    def setUp(self):
        self.grid, self.ledger = Grid(self), Ledger()
        self.grid.publish("1.0.0")
        self.grid.agent("a-1")
        self.port = self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["port"]

    def ask(self, method, path, body=None):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, body)
            return connection.getresponse().status

    def put_chunk(self, name, body):
        with self.ledger.doing("chunk", (NODE, name), hashlib.sha256(body).hexdigest()) as op:
            op.answered(self.ask("PUT", "/v1/chunks/" + name, body))

    def promise_chunk(self, name, digest):
        self.ledger.registers["chunk"][(NODE, name)] = {digest}

    def write(self, sql):
        with contextlib.closing(sqlite3.connect(os.path.join(self.grid.master.state, "grid.db"))) as db:
            db.execute(sql)
            db.commit()

    def use(self):
        """A client that writes down what it was told."""
        self.put_chunk("c1", b"one")
        self.put_chunk("c2", b"two")
        with self.ledger.doing("channel", "stable", "1.0.0") as op:
            op.answered(self.grid.request("PUT", "/api/channels/stable", {"version": "1.0.0"}).status)
        with self.ledger.doing("label", ("a-1", "rack"), "b") as op:
            op.answered(self.grid.request("PATCH", "/api/agents/a-1", {"labels": {"rack": "b"}}).status)
        answer = self.grid.api("POST", "/api/tokens", {"kind": "api", "role": "viewer"})
        with self.ledger.doing("token", answer["secret"], answer["id"]) as op:
            op.acknowledged()
        self.ledger.saw("generation", "a-1", self.grid.show("a-1")["generation"])
        self.assertEqual(self.ledger.acknowledged, 5)

    def flip(self, path):
        os.chmod(path, 0o600)
        with open(path, "r+b") as file:
            byte = file.read(1)[0]
            file.seek(0)
            file.write(bytes([byte ^ 1]))

    def stranger(self):
        """A second process of the same node, on a data directory below this grid's."""
        directory = os.path.join(self.grid.directory, "stranger")
        process = subprocess.Popen([program("storage-server"), "--data", directory, "--port", "0"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

    def test_content_with_a_grid_that_is_well_and_finds_each_thing_that_is_not(self):
        self.use()
        checker.check(self.grid, self.ledger, "well")
        agent = self.grid.agents["a-1"]
        published = checker.published_digests(self.grid)
        master_has, agent_has = (os.path.join(part, min(published)) for part in (
            self.grid.master.state + "/objects", agent.state + "/store"))
        half_made = os.path.join(self.grid.master.state, "staging", "half")
        objects, store = lambda grid, _: checker.objects(grid), lambda *_: checker.store(agent, published)
        sabotage = [
            ("chunk c1 of a-1/0 has None", checker.chunks, lambda: self.ask("DELETE", "/v1/chunks/c1")),
            ("shows chunk unsent", checker.chunks, lambda: self.ask("PUT", "/v1/chunks/unsent", b"x")),
            ("chunk c2 of a-1/0 has", checker.chunks, lambda: self.promise_chunk("c2", "other")),
            ("channel stable is None", checker.database, lambda: self.write("DELETE FROM channel")),
            ("label ('a-1', 'rack') is None", checker.database,
             lambda: self.write("UPDATE agent SET assigned_labels = ''")),
            ("generation of a-1: 0", checker.database, lambda: self.write("UPDATE agent SET generation = 0")),
            ("a-1 obeys generation", checker.database, lambda: None),
            ("restarts of a-1/0", checker.database, lambda: self.ledger.counters.update(restart={NODE: [1, 1]})),
            ("foreign key", checker.database, lambda: self.write("INSERT INTO node VALUES ('x/0', 'x', 1)")),
            ("events go from 2 to 4", checker.events, lambda: self.write("DELETE FROM event WHERE seq = 3")),
            ("token", checker.tokens, lambda: self.write("DELETE FROM token WHERE kind = 'api' AND role = 'viewer'")),
            ("left over", lambda grid, _: checker.processes(grid), self.stranger),
            ("leftover", objects, lambda: open(half_made, "w").close()),
            ("other bytes", objects, lambda: self.flip(master_has)),
            ("other bytes", store, lambda: self.flip(agent_has)),
            ("never published", lambda *_: checker.store(agent, set()), lambda: None),
            ("no current version", store, lambda: os.remove(agent.state + "/current")),
        ]
        for words, part, break_it in sabotage:
            with self.subTest(words):
                break_it()
                self.assertIn(words, "\n".join(part(self.grid, self.ledger)))

    def test_violations_are_told_with_the_label_of_the_round(self):
        self.ledger.saw("generation", "a-1", 7)
        self.ledger.saw("generation", "a-1", 6)
        with self.assertRaises(checker.Violated) as raised:
            checker.check(self.grid, self.ledger, "seed 5 round 9")
        self.assertIn("seed 5 round 9", str(raised.exception))
        self.assertIn("generation of a-1 went back from 7 to 6", str(raised.exception))

    def test_killed_node_is_missed_until_its_agent_brings_it_back(self):
        pid = self.grid.nodes("a-1")[0]["pid"]
        os.kill(self.grid.agents["a-1"].pid, signal.SIGSTOP)
        os.kill(pid, signal.SIGKILL)
        wait_for("the node's end", lambda: "a-1/0 runs as []" in "\n".join(checker.processes(self.grid)))
        os.kill(self.grid.agents["a-1"].pid, signal.SIGCONT)
        checker.check(self.grid, self.ledger, "after the kill")


class LedgerTest(unittest.TestCase):
    def test_request_in_doubt_allows_both_values_until_the_next_answer(self):
        ledger = Ledger()
        for value, status, allowed in [("1", 200, {"1"}), ("2", 503, {"1", "2"}), ("3", 404, {"1", "2"}),
                                       (None, 500, {"1", "2", None}), ("4", 201, {"4"})]:
            with ledger.doing("channel", "stable", value) as op:
                op.answered(status)
            self.assertEqual(ledger.allowed("channel", "stable"), allowed)
        with self.assertRaises(OSError), ledger.doing("channel", "stable", "5"):
            raise OSError("reset")
        self.assertEqual(ledger.allowed("channel", "stable"), {"4", "5"})

    def test_orders_are_counted_between_acknowledged_and_asked_for(self):
        ledger = Ledger()
        for status in (202, 500, 404, 202):
            with ledger.counting("restart", NODE) as op:
                op.answered(status)
        self.assertEqual(ledger.counters["restart"][NODE], [2, 3])


class RolloutBudget(unittest.TestCase):
    def found(self, most, *steps):
        events = [{"seq": n, "kind": "rollout.agent." + step, "subject": agent,
                   "data": {"rollout": rollout, "broken": agent == "a-3"}}
                  for n, (rollout, agent, step) in enumerate(steps)]
        members = {"a-1": "a", "a-2": "a", "a-3": "a", "b-1": "b"}
        return rollout_checker.over_budget("r-1", members, most, events)

    def test_more_than_allowed_and_two_domains_at_once_are_found(self):
        grant, over = [("r-1", agent, "granted") for agent in ("a-1", "a-2", "b-1", "a-3")], ("r-1", "a-1", "committed")
        self.assertEqual(self.found(1, grant[0], over, grant[1]), [])
        self.assertEqual(self.found(1, grant[0], grant[3]), [], "one that was broken before takes no slot")
        self.assertEqual(self.found(1, grant[0], ("r-2", "a-2", "granted")), [])
        self.assertIn("['a-1', 'a-2'] under way at event 1, 1 allowed", self.found(1, grant[0], grant[1])[0])
        self.assertIn("domains ['a', 'b'] at once", self.found(2, grant[0], grant[2])[0])

    def test_percent_is_of_the_selected_and_at_least_one(self):
        self.assertEqual([rollout_checker.amount(w, 30) for w in (3, "3", "10%", "1%")], [3, 3, 3, 1])


if __name__ == "__main__":
    unittest.main()
