"""Nodes are fenced in, by what their processes are and not by what somebody says of them."""
import os, re, unittest

from grid import Grid, wait_for

USER, GROUP = 64321, 64322
OTHER_USERS = 'mount --bind "$0" /etc/passwd && exec "$@"'


def status_of(pid, key):
    with open("/proc/%d/status" % pid) as f:
        return re.search(r"^%s:[ \t]*(.*)$" % key, f.read(), re.M).group(1).split()


class Sandbox(unittest.TestCase):
    def setUp(self):
        self.grid = Grid(self)
        self.grid.publish("1.0.0")

    def start(self, *arguments, **options):
        self.grid.agent("a-1", *arguments, **options)
        return self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"]

    def layers(self):
        return dict(l.split("=", 1) for l in self.grid.api("GET", "/api/agents/a-1")["sandbox"])

    def test_a_node_can_gain_nothing_and_calls_little(self):
        pid = self.start()
        self.assertEqual(status_of(pid, "NoNewPrivs"), ["1"])
        self.assertEqual((status_of(pid, "Seccomp"), int(status_of(pid, "Seccomp_filters")[0]) >= 2), (["2"], True))
        self.assertEqual((self.layers()["landlock"], self.layers()["seccomp"]), ("yes", "yes"))
        self.assertRegex(self.grid.gridctl("agent", "show", "a-1").stdout, r"Fenced by +limits, descriptors, no-new-privileges,.* seccomp")

    def test_switched_off_it_says_so(self):
        pid = self.start("--sandbox=off")
        self.assertEqual(self.layers()["landlock"], "no: switched off by --sandbox=off")
        self.assertEqual(status_of(pid, "NoNewPrivs"), ["1"])

    def test_a_node_that_an_unfenced_start_left_is_told_until_it_is_restarted(self):
        pid = self.start("--sandbox=off")
        self.grid.agents["a-1"].stop()
        self.assertEqual(self.start(), pid)
        wait_for("what the node lacks", lambda: self.layers()["seccomp"] == "no: node a-1/0 was started without it")
        self.assertRegex(self.grid.gridctl("agent", "show", "a-1").stdout, r"Not by +landlock: node a-1/0 was started without it")
        self.assertEqual(self.grid.gridctl("node", "restart", "a-1/0").returncode, 0)
        wait_for("the fenced node", lambda: self.layers()["seccomp"] == "yes")
        self.assertNotEqual(self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"], pid)

    @unittest.skipUnless(os.geteuid() == 0, "needs root: nodes of others run as their agent's user")
    def test_a_node_of_root_is_a_user_of_its_own_and_goes_back_and_forth(self):
        users = os.path.join(self.grid.directory, "passwd")
        with open(users, "w") as f:
            f.write("root:x:0:0::/root:/bin/sh\ngrid-node:x:%d:%d::/:/bin/false\n" % (USER, GROUP))
        wrapper = ["unshare", "--mount", "sh", "-c", OTHER_USERS, users]
        for wrapped, uid in ((wrapper, USER), ((), 0), (wrapper, USER)):
            pid = self.start("--stop-nodes", wrapper=wrapped)
            self.assertEqual(set(status_of(pid, "Uid")), {str(uid)})
            data = os.path.join(self.grid.agents["a-1"].state, "nodes", "0", "data")
            if uid:
                self.assertEqual({os.lstat(os.path.join(r, n)).st_uid for r, d, f in os.walk(data) for n in d + f}, {uid})
                self.assertEqual(status_of(pid, "Groups"), [])
            self.grid.agents["a-1"].stop()


if __name__ == "__main__":
    unittest.main()
