"""Attacks on what agents believe of builds, by a mirror between them and the master, by whoever stole the online keys, and
by a master that orders what nobody published. Each time the agent keeps its version, its node its process, and `gridctl
agent why` tells what is going on."""
import hashlib, json, os, shutil, sqlite3, unittest

from agent_helpers import own_ports
from grid import Grid, here, processes_of, sha256, storage_server, wait_for
from scripted import Scripted
from tuf_forge import ENDLESS, METADATA, Forge, Mirror

PAST, FUTURE = "2020-01-01T00:00:00Z", "2150-01-01T00:00:00Z"
ONLINE = ("snapshot", "timestamp")


def binary(version):
    return "storage-server-%s-%s" % (version, here())


class Attacked(unittest.TestCase):
    """A grid whose agent gets its files through a mirror, and runs 1.0.0."""

    def setUp(self):
        self.grid = Grid(self)
        self.mirror, self.news = Mirror(self, self.grid), 0
        self.grid.publish("1.0.0")
        self.arguments = ("--master-binary-url", self.mirror.url, *own_ports())
        self.agent = self.grid.agent("a-1", *self.arguments)
        self.pid = self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"]
        wait_for("metadata", lambda: self.trust()["targets"])

    def trust(self):
        return self.grid.show("a-1")["trust"]

    def publish_another(self):
        """A version that the agent has never heard of; its number. It is a build of another number: none is run."""
        self.news += 1
        version = "3.0.%d" % self.news
        path = os.path.join(self.grid.directory, version)
        shutil.copy(storage_server("2.0.0"), path)
        with open(path, "ab") as f:
            f.write(version.encode())
        self.grid.drop(path, binary(version))
        wait_for("binary " + version, lambda: [b for b in self.grid.api("GET", "/api/binaries") if b["version"] == version])
        return version

    def assert_kept(self, *words):
        """It runs what it ran, in the same process, and says why."""
        why = wait_for("a reason with %r" % (words,), lambda: next(
            (said for said in [self.grid.gridctl("agent", "why", "a-1").stdout] if all(w in said for w in words)), None))
        node = self.grid.nodes("a-1")[0]
        self.assertEqual((node["version"], node["pid"], node["state"]), ("1.0.0", self.pid, "healthy"), why)

    def wait_attack(self, name):
        return wait_for("attack %s" % name, lambda: next((t for t in [self.trust()] if t["attack"] == name), None))

    def tell_truth(self):
        """The master wants again what runs, then the mirror is honest: nothing is left of the attack."""
        self.grid.set_channel("1.0.0")
        self.mirror.say.clear()
        wait_for("no attack", lambda: not self.trust()["attack"] and not self.trust()["reason"])


class HostileMirror(Attacked):
    def file(self, name):
        return self.grid.request("GET", METADATA + name, token=None).body

    def newest(self, role):
        """(name, bytes) of the newest file of snapshot or targets."""
        above = {"snapshot": "timestamp.json", "targets": None}[role]
        meta = json.loads(self.file(above) if above else self.newest("snapshot")[1])["signed"]["meta"]
        name = "%d.%s.json" % (meta[role + ".json"]["version"], role)
        return name, self.file(name)

    def test_whoever_only_passes_files_on_can_install_nothing(self):
        """One agent after all of them, each with a version that it has not heard of."""
        rows = [
            ("unsigned", self.say_unsigned), ("rollback", self.say_older_timestamp), ("malformed", self.say_nonsense),
            ("endless", self.say_endless), ("mix-and-match", self.mix_snapshots), ("mix-and-match", self.mix_targets),
        ]
        for attack, say in rows:
            with self.subTest(say.__name__):
                before = {"timestamp": self.file("timestamp.json"), "snapshot": self.newest("snapshot")[1],
                          "targets": self.newest("targets")[1]}
                if say == self.say_older_timestamp:
                    self.learn_newer(json.loads(before["timestamp"])["signed"]["version"])
                version = self.publish_another()
                self.mirror.say = say(before)
                self.grid.set_channel(version)
                self.wait_attack(attack)
                self.assert_kept("(%s)" % attack)
                self.tell_truth()
        for kind in ("agent.distrusts", "agent.trusts"):
            wait_for("events", lambda: len(self.grid.events(subject="a-1", kind=kind)) == len(rows))

    def learn_newer(self, version):
        """Its next life begins with news."""
        self.publish_another()
        self.agent.stop()
        self.agent = self.grid.agent("a-1", *self.arguments)
        wait_for("newer metadata", lambda: self.trust()["timestamp"] > version)

    def say_unsigned(self, before):
        timestamp = json.loads(self.file("timestamp.json"))
        timestamp["signed"]["expires"] = FUTURE
        return {METADATA + "timestamp.json": json.dumps(timestamp).encode()}

    def say_older_timestamp(self, before):
        return {METADATA + "timestamp.json": before["timestamp"]}

    def say_nonsense(self, before):
        return {METADATA + "timestamp.json": b'{"signed":{"_type":"timestamp"},"signatures":[]}'}

    def say_endless(self, before):
        return {METADATA + "timestamp.json": ENDLESS}

    def mix_snapshots(self, before):
        return {METADATA + self.newest("snapshot")[0]: before["snapshot"]}

    def mix_targets(self, before):
        return {METADATA + self.newest("targets")[0]: before["targets"]}

    def test_altered_bytes_and_too_many_bytes_do_not_come_in(self):
        for said in (lambda genuine: b"evil" + genuine[4:], lambda genuine: genuine + b"more", lambda genuine: ENDLESS):
            version = self.publish_another()
            path = "/binaries/" + binary(version)
            self.mirror.say = {path: said(self.grid.request("GET", path, token=None).body)}
            self.grid.set_channel(version)
            update = wait_for("a refusal", lambda: next(
                (u for u in [self.grid.show("a-1")["update"]] if u["cause"] == "untrusted" and u["to"] == version), None))
            self.assertEqual(update["code"], "untrusted")
            self.assert_kept(binary(version))
            self.tell_truth()

    def test_mirror_that_keeps_metadata_back_installs_nothing_and_heals(self):
        version = self.publish_another()
        self.mirror.say = {METADATA + "timestamp.json": 503}
        self.grid.set_channel(version)
        self.assert_kept("timestamp.json")
        self.assertEqual(self.trust()["attack"], "")  # nobody lies: it is the network's trouble
        self.tell_truth()


class StolenOnlineKeys(Attacked):
    """Who holds snapshot's and timestamp's keys can keep news away, but not make any."""

    def setUp(self):
        super().setUp()
        self.forge = Forge(self.grid, ONLINE)

    def say(self, **edits):
        self.mirror.say = self.forge.chain(**edits)
        self.grid.set_channel(self.publish_another())

    def tell_truth(self):
        """Versions are seconds: the owner's next ones are above what the thief took in between."""
        self.publish_another()
        super().tell_truth()

    def test_targets_of_his_own_are_unsigned(self):
        def name_evil(signed):
            honest = next(iter(signed["targets"].values()))
            signed["targets"][binary("6.6.6")] = dict(honest, custom=dict(honest["custom"], version="6.6.6"))
        self.say(targets=name_evil)
        self.wait_attack("unsigned")
        self.assert_kept("targets")
        self.tell_truth()

    def test_older_targets_are_a_rollback(self):
        def go_back(signed):
            signed["meta"]["targets.json"] = {"version": 1}
        self.say(snapshot=go_back)
        self.wait_attack("rollback")
        self.assert_kept("targets")
        self.tell_truth()

    def test_expired_timestamps_are_a_freeze(self):
        self.say(timestamp=lambda signed: signed.update(expires=PAST))
        self.wait_attack("freeze")
        self.assert_kept("expired")
        self.tell_truth()

    def test_fast_forward_is_healed_by_new_keys(self):
        def far_ahead(signed):
            signed.update(version=2 ** 40, expires=FUTURE)
        self.say(timestamp=far_ahead)
        wait_for("the lie", lambda: self.trust()["timestamp"] == 2 ** 40)
        self.mirror.say.clear()
        self.wait_attack("freeze")  # by that time even the root has expired
        self.assert_kept("expired")
        self.grid.set_channel("1.0.0")
        self.grid.api("POST", "/api/trust/rotate", {"roles": ["snapshot", "timestamp"]})
        wait_for("no attack", lambda: not self.trust()["attack"] and self.trust()["timestamp"] < 2 ** 40)
        self.grid.publish("1.1.0")
        self.grid.set_channel("1.1.0")
        self.grid.wait_healthy("a-1", "1.1.0")


class HostileOrders(unittest.TestCase):
    """A master that orders whatever it likes, and cannot sign targets."""

    def start(self, **named):
        s = Scripted(self, "1.0.0", "1.2.0", "2.0.0", agents=("1.2.0",), named={binary(v): said for v, said in named.items()})
        s.agent()
        s.want("1.0.0")
        s.wait("idle", version="1.0.0")
        return s

    def refuse(self, s, genuine, *words, **artifact):
        """The order is refused, and nothing has moved."""
        pids = processes_of(s.directory)
        s.artifacts["ordered"] = dict(s.artifacts[genuine], **artifact)
        s.want("ordered")
        update = s.wait("failed", cause="untrusted", version="1.0.0")
        for word in words:
            self.assertIn(word, update["reason"])
        self.assertEqual(processes_of(s.directory), pids)
        return update

    def test_orders_that_no_target_stands_behind(self):
        s = self.start()
        other = s.artifacts["2.0.0"]
        self.refuse(s, "1.2.0", "not among the trusted targets", version="1.9.0", file=binary("1.9.0"))
        self.refuse(s, "1.2.0", "other bytes", sha256=other["sha256"], size_bytes=other["size_bytes"],
                    signature=other["signature"])
        self.refuse(s, "1.2.0", "bytes instead of", size_bytes=other["size_bytes"] + 1)
        self.refuse(s, "1.2.0", "is not version", version="9.9.9")
        self.refuse(s, "1.2.0", "is not a build of storage-server", **s.builds["1.2.0"])
        self.refuse(s, "1.2.0", "this machine is", file="storage-server-1.2.0-windows-arm")
        s.want("1.2.0")
        s.wait("idle", version="1.2.0")

    def test_yanked_and_below_the_floor(self):
        s = self.start(**{"1.2.0": ",yanked"})
        self.refuse(s, "1.2.0", "withdrawn")
        self.assertEqual(s.starts("1.2.0"), 0)

    def test_what_runs_is_not_taken_away_by_a_floor(self):
        s = Scripted(self, "1.0.0", "1.2.0", named={binary("1.2.0"): ",floor=1.2.0"})
        s.agent()
        s.want("1.2.0")
        s.wait("idle", version="1.2.0")
        s.want("1.0.0")
        update = s.wait("failed", cause="untrusted", version="1.2.0")
        self.assertIn("below the floor of storage-server, which is 1.2.0", update["reason"])


class Bridge(unittest.TestCase):
    """A grid of before: its agents know the release key alone, its database no metadata."""

    def forget(self, grid, agent):
        grid.master.stop()
        keys = os.path.join(grid.master.state, "keys")
        for role in ("root", "targets", *ONLINE):
            os.unlink(os.path.join(keys, role + ".key"))
        with sqlite3.connect(os.path.join(grid.master.state, "grid.db")) as db:
            db.execute("DELETE FROM repo_metadata")
        db.close()
        shutil.rmtree(os.path.join(agent.state, "tuf"))
        if os.path.exists(os.path.join(agent.state, "identity", "root")):
            os.unlink(os.path.join(agent.state, "identity", "root"))
        note = os.path.join(agent.state, "store", sha256(storage_server("1.0.0")) + ".json")
        with open(note) as f:
            before = json.load(f)
        self.assertTrue(before.pop("targets_version") and before["signature"])
        with open(note, "w") as f:
            json.dump(before, f)

    def test_the_grid_moves_over_untouched(self):
        grid = Grid(self)
        grid.publish("1.0.0")
        agent = grid.agent("a-1", *own_ports())
        pid = grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"]
        agent.stop()
        self.forget(grid, agent)
        grid.start_master()
        grid.agent("a-1", *own_ports())
        wait_for("a trusted root", lambda: grid.show("a-1")["trust"]["root"] == 1)
        self.assertEqual(grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"], pid)
        grid.publish("1.1.0")
        grid.set_channel("1.1.0")
        grid.wait_healthy("a-1", "1.1.0")


if __name__ == "__main__":
    unittest.main()
