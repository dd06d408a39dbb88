"""The bus over TLS: agents believe the grid's CA alone, and enemies get nowhere in it."""
import os, re, shutil, socket, ssl, unittest, warnings

from crowd import client_hello
from grid import PATIENCE_S, Agent, Grid, alive, wait_for
from hostile_bus_test import ANSWER, CHALLENGE, GREETING, NONSENSE, address_of, message, take

TLS = ("--tls", "on")


def trusting(ca):
    """As agents do: this CA alone, and the name that is the same wherever the master is."""
    return ssl.create_default_context(cafile=ca)


class Class:
    """Stands for a test where a grid belongs to all of a class."""

    def __init__(self, cls):
        self.addCleanup = cls.addClassCleanup


class BusTls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.grid = Grid(Class(cls), TLS)
        cls.grid.publish("1.0.0")
        cls.bus = address_of(cls.grid.master.bus)
        cls.joined_with = cls.grid.join()
        cls.agent = cls.grid.agent("a-1", join=cls.joined_with)
        cls.grid.wait_healthy("a-1", "1.0.0")

    def connect(self):
        s = socket.create_connection(self.bus, PATIENCE_S)
        return trusting(self.grid.ca).wrap_socket(s, server_hostname="grid-master")

    def answers(self):
        """That somebody who asks properly is answered."""
        with self.connect() as s:
            s.sendall(GREETING + message(0, CHALLENGE))
            stream = s.makefile("rb")
            self.assertEqual(take(stream, 8), ANSWER)
            self.assertIn(b'"challenge"', take(stream, int.from_bytes(take(stream, 8), "big")))

    def test_an_agent_that_joins_keeps_ca_and_root_and_comes_back(self):
        self.assertRegex(self.joined_with, r"&root=\d+\.[0-9a-f]{64}&ca=[0-9a-f]{64}&")
        kept = os.path.join(self.agent.state, "identity")
        with open(os.path.join(kept, "ca.pem")) as ours, open(self.grid.ca) as theirs:
            self.assertEqual(ours.read(), theirs.read())
        with open(os.path.join(kept, "root")) as f:
            self.assertIn("&root=%s&" % f.read().strip(), self.joined_with)
        before = self.agent.err().count("link.up")
        self.grid.master.kill()
        self.grid.start_master()
        wait_for("it to be back", lambda: self.agent.err().count("link.up") > before)
        self.answers()

    def test_an_agent_whose_ca_is_damaged_names_the_file(self):
        agent = self.grid.agent("a-9")
        kept = os.path.join(agent.state, "identity", "ca.pem")
        self.grid.wait_healthy("a-9", "1.0.0")
        agent.stop()
        with open(kept, "r+b") as f:
            f.seek(100)
            f.write(b"damaged")
        agent = self.grid.agent("a-9")
        self.assertNotEqual(agent.wait(), 0)
        self.assertIn(kept + ": bus: the certificate of the grid's CA cannot be used", agent.err())
        self.assertIn("STATE/tls/ca.pem there", agent.err())
        self.grid.api("DELETE", "/api/agents/a-9")

    def test_a_join_string_with_another_ca_enrolls_nobody(self):
        join = re.sub(r"&ca=[0-9a-f]{8}", "&ca=00000000", self.grid.join())
        agent = Agent(self.grid, "a-2", token=join)
        self.assertNotEqual(agent.wait(), 0)
        self.assertIn("is not the CA that the join string names", agent.err())
        self.assertIn("gridctl agent join-command", agent.err())
        self.assertEqual([a["id"] for a in self.grid.api("GET", "/api/agents")], ["a-1"])

    def test_a_machine_of_one_grid_says_so_when_it_is_given_anothers_join_string(self):
        other = Grid(self, TLS)
        foreign = Agent(self.grid, "a-1", ["--enroll-within", "10s"], token=other.join(), state=self.agent.state)
        self.assertNotEqual(foreign.wait(), 0)
        self.assertIn("the join string is of another grid", foreign.err())
        self.assertIn("gridctl agent rm a-1", foreign.err())
        self.assertEqual(other.api("GET", "/api/agents"), [])

    def test_nonsense_before_and_inside_tls_ends_its_connection_alone(self):
        hello = client_hello(trusting(self.grid.ca))
        outside = NONSENSE + [("the plain greeting", GREETING + message(0, CHALLENGE)), ("a second hello", hello + hello)]
        for what, data in outside:
            with socket.create_connection(self.bus, PATIENCE_S) as s:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                self.assertNotIn(ANSWER, self.read(s), what)
        for what, data in NONSENSE:
            with self.connect() as s:
                s.sendall(data)
                if "cut short" not in what and "half" not in what:
                    self.assertIn(self.read(s), (b"", ANSWER), what)
        self.answers()
        for length in range(len(hello)):
            with socket.create_connection(self.bus, PATIENCE_S) as s:
                s.sendall(hello[:length])
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            self.refuses(version)
        self.answers()
        self.assertEqual(self.grid.show("a-1")["status"], "up")

    def refuses(self, version):
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that they are deprecated is the point
            old.minimum_version = old.maximum_version = version
        with socket.create_connection(self.bus, PATIENCE_S) as s, self.assertRaises((ssl.SSLError, OSError)):
            old.wrap_socket(s, server_hostname="grid-master")

    def read(self, s):
        try:
            return s.makefile("rb").read()
        except (ConnectionResetError, ssl.SSLError, ValueError):
            return b""


class OtherSides(unittest.TestCase):
    def test_who_is_not_the_master_of_the_join_string_is_told_apart(self):
        grid = Grid(self, TLS)
        grid.publish("1.0.0")
        join = grid.join()
        agent = grid.agent("a-1", join=join)
        pid = grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"]
        plain = Agent(grid, "a-2", token=re.sub(r"&(ca|root)=[^&]*", "", grid.join()))
        wait_for("who speaks plainly to say so", lambda: "closed the connection without a greeting" in plain.err())
        self.assertIn("ca=", plain.err())
        plain.stop()
        grid.master.stop()
        shutil.rmtree(os.path.join(grid.master.state, "tls"))
        grid.start_master()  # the very same keys, behind a certificate of another CA
        wait_for("the agent to say so", lambda: "shows no certificate of this grid" in agent.err())
        self.assertIn("join again with a new join string", agent.err())
        self.assertTrue(alive(pid))
        grid.master.stop()
        grid.master_arguments = ["--tls", "off"]
        grid.start_master()
        token = re.search(r"&t=.*", grid.join()).group()
        secure = Agent(grid, "a-3", token=re.sub(r"&t=.*", token, join))
        wait_for("who wants TLS to say so", lambda: "certificate of the grid's CA" in secure.err())
        secure.kill()
        self.assertEqual([a["id"] for a in grid.api("GET", "/api/agents")], ["a-1"])


if __name__ == "__main__":
    unittest.main()
