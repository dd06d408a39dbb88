#!/usr/bin/python3
"""An enemy on the bus: one who speaks nonsense, and one who has recorded a real agent's words and says them again,
whole, cut and altered; over TLS, too, by one who has stolen the key of the bus. Agents stay up, nothing changes, and no
proven answer is given."""
import os, re, select, socket, ssl, struct, sys, threading, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from grid import PATIENCE_S, Grid, wait_for
from snapshot import snapshot

GREETING, ANSWER = b"\0SP\0\0\x30\0\0", b"\0SP\0\0\x31\0\0"
FIRST_ID = 0x80000001
CHALLENGE = b'P{"type":"challenge","nonce":"00"}'

# (what, bytes): after each the connection ends without an answer.
NONSENSE = [
    ("HTTP", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), ("TLS", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(64)),
    ("zeros", bytes(64)), ("ones", b"\xff" * 64), ("publisher", b"\0SP\0\0\x20\0\0"), ("replier", ANSWER),
    ("version 1", b"\0SP\1\0\x30\0\0"), ("half a greeting and the end", b"\0SP\0"),
    ("huge length", GREETING + b"\x7f" + b"\xff" * 7 + b"abc"), ("negative length", GREETING + b"\xff" * 8 + b"abc"),
    ("a byte too long", GREETING + struct.pack(">Q", 256 * 1024 + 65)), ("no message", GREETING + bytes(8)),
    ("id cut short", GREETING + struct.pack(">Q", 3) + b"\x80\0\0"),
    ("ids without end", GREETING + struct.pack(">Q", 400) + bytes(400)),
    ("message cut short", GREETING + struct.pack(">QI", 100, FIRST_ID) + b"P{"),
]


def address_of(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def message(number, body):
    return struct.pack(">QI", len(body) + 4, FIRST_ID + number) + body


def take(stream, length):
    data = stream.read(length)
    if len(data) != length:
        raise EOFError
    return data


class Recorder:
    """Passes on what an agent and a master say, and keeps the agent's words. behind connects to the master; before makes
    of the agent's connection what is read."""

    def __init__(self, test, behind, before=lambda agent: agent):
        self.behind, self.before, self.said, self.open = behind, before, [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()
        test.addCleanup(self.close)

    def close(self):
        for s in [self.listener, *self.open]:
            s.close()

    def accept(self):
        while True:
            try:
                agent = self.listener.accept()[0]
            except OSError:
                return
            try:
                agent, master = self.before(agent), self.behind()
            except OSError:
                agent.close()
                continue
            self.open += [agent, master]
            threading.Thread(target=self.pass_on, args=(agent, master), daemon=True).start()

    def pass_on(self, agent, master):
        other, heard = {agent: master, master: agent}, bytearray()
        try:
            while True:
                for s in select.select(list(other), [], [])[0]:
                    data = s.recv(65536)
                    if not data:
                        return
                    other[s].sendall(data)
                    if s is agent:
                        heard += data
                        self.keep(heard)
        except (OSError, ValueError):  # one of them is gone, or this test is over
            pass
        finally:
            agent.close()
            master.close()

    def keep(self, heard):
        """Takes whole messages off what was heard behind the greeting."""
        while len(heard) >= 16 and len(heard) >= 16 + (length := int.from_bytes(heard[8:16], "big")):
            self.said.append(bytes(heard[20:16 + length]))
            del heard[8:16 + length]


class Recorded(unittest.TestCase):
    """A grid whose agent is listened to."""

    def start(self, *arguments):
        self.grid = Grid(self, arguments)
        self.grid.publish("1.0.0")
        self.bus = address_of(self.grid.master.bus)
        self.recorder = Recorder(self, self.connect, self.pretend)
        join = re.sub(r"bus=\d+", "bus=%d" % self.recorder.port, self.grid.join())
        self.grid.agent("a-1", join=join)
        self.grid.wait_healthy("a-1", "1.0.0")

    def connect(self):
        return socket.create_connection(self.bus, PATIENCE_S)

    def pretend(self, agent):
        """What the agent takes for its master."""
        return agent

    def said(self, kind):
        return [words for words in self.recorder.said if words[:1] == kind]

    def session(self):
        """The last whole words of the agent's session."""
        return wait_for("words of a session", lambda: self.said(b"S"))[-1]

    def kinds_of_answers(self, bodies):
        """Says all of them on one connection, then asks something harmless until that is answered, so that all was
        looked at: several threads take what one connection brings. The kinds of what else was answered."""
        with self.connect() as s:
            stream, kinds = s.makefile("rb"), set()
            s.sendall(GREETING + b"".join(message(i, body) for i, body in enumerate(bodies)))
            self.assertEqual(take(stream, 8), ANSWER)
            asked = range(len(bodies), len(bodies) + 16)
            s.sendall(b"".join(message(i, CHALLENGE) for i in asked))
            waiting = {FIRST_ID + i for i in asked}
            while waiting:
                words = take(stream, int.from_bytes(take(stream, 8), "big"))
                number = int.from_bytes(words[:4], "big")
                if number in waiting:
                    waiting.remove(number)
                else:
                    kinds.add(words[4:5])
            return kinds

    def nothing_changed(self, before, what):
        self.assertEqual(snapshot(self.grid), before, what)
        self.assertEqual(self.grid.show("a-1")["status"], "up", what)

    def recorded_words_are_worth_nothing(self):
        words = self.session()
        signed = self.said(b"K")
        before = snapshot(self.grid)
        self.assertNotIn(b"S", self.kinds_of_answers([words] * 10), "taken twice")
        self.assertNotIn(b"S", self.kinds_of_answers([words[:i] for i in range(len(words))]), "taken when cut")
        flipped = [words[:i] + bytes([words[i] ^ 1 << i % 8]) + words[i + 1:] for i in range(len(words))]
        self.assertNotIn(b"S", self.kinds_of_answers(flipped), "taken when altered")
        ahead = [words[:17] + struct.pack("<Q", n) + words[25:] for n in (0, 1, 1 << 32, (1 << 64) - 1)]
        self.assertNotIn(b"S", self.kinds_of_answers(ahead), "taken with another sequence")
        self.assertNotIn(b"S", self.kinds_of_answers([words[:1] + bytes(16) + words[17:]]), "taken in another session")
        self.nothing_changed(before, "words of a session")
        for frame in signed:  # the enrollment and the hello of before
            self.assertNotIn(b"S", self.kinds_of_answers([frame] + [frame[:i] for i in range(0, len(frame), 7)]))
            self.assertNotIn(b"S", self.kinds_of_answers([b"P" + frame[65:], frame.replace(b'"a-1"', b'"a-2"')]))
        self.nothing_changed(before, "signed words")

    def words_of_old_sessions_are_refused(self):
        old = self.session()
        agent = self.grid.agents["a-1"]
        agent.stop()
        said = len(self.recorder.said)
        self.grid.agent("a-1")
        wait_for("a new session", lambda: any(w[:1] == b"S" and w[1:17] != old[1:17] for w in self.recorder.said[said:]))
        self.grid.wait_healthy("a-1", "1.0.0")
        self.assertNotIn(b"S", self.kinds_of_answers([old]))
        self.grid.agents["a-1"].stop()
        self.grid.api("POST", "/api/agents/a-1/revoke")
        before = snapshot(self.grid)
        self.assertNotIn(b"S", self.kinds_of_answers([w for w in self.recorder.said]))
        self.assertEqual(snapshot(self.grid), before)
        self.assertEqual(self.grid.show("a-1")["status"], "revoked")


class Bus(Recorded):
    def setUp(self):
        self.start()

    def test_nonsense_ends_its_connection_alone(self):
        before = snapshot(self.grid)
        for what, data in NONSENSE:
            with socket.create_connection(self.bus, PATIENCE_S) as s:
                s.sendall(data)
                if "cut short" in what or "half" in what:
                    s.shutdown(socket.SHUT_WR)
                try:
                    answer = s.makefile("rb").read()
                except ConnectionResetError:
                    answer = b""
                self.assertIn(answer, (b"", ANSWER), what)
            self.assertEqual(self.kinds_of_answers([]), set(), what)
        self.nothing_changed(before, "nonsense")

    def test_storm_of_connections_disturbs_nobody(self):
        before = len(os.listdir("/proc/%d/fd" % self.grid.master.pid))
        for i in range(2000):
            with socket.create_connection(self.bus, PATIENCE_S, ("127.0.6.%d" % (1 + i % 250), 0)) as s:
                s.sendall((b"", GREETING, GREETING[:4], GREETING + message(0, CHALLENGE)[: i % 40])[i % 4])
        self.assertEqual(self.kinds_of_answers([]), set())
        wait_for("the descriptors to be back", lambda: len(os.listdir("/proc/%d/fd" % self.grid.master.pid)) <= before + 16)
        self.assertEqual(self.grid.show("a-1")["status"], "up")
        self.assertNotIn("agent.suspect", [event["kind"] for event in self.grid.events()])

    def test_recorded_words_are_worth_nothing(self):
        self.recorded_words_are_worth_nothing()

    def test_words_of_an_old_session_and_of_a_revoked_agent_are_refused(self):
        self.words_of_old_sessions_are_refused()


class StolenKey(Recorded):
    def setUp(self):
        self.start("--tls", "on")

    def connect(self):
        return ssl.create_default_context(cafile=self.grid.ca).wrap_socket(super().connect(), server_hostname="grid-master")

    def pretend(self, agent):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(os.path.join(os.path.dirname(self.grid.ca), "bus.pem"))
        return context.wrap_socket(agent, server_side=True)

    def test_recorded_words_are_worth_nothing(self):
        self.recorded_words_are_worth_nothing()
        self.words_of_old_sessions_are_refused()


class Crowd(unittest.TestCase):
    MOST = 8

    def metric(self, name):
        words = self.grid.request("GET", "/metrics").body.decode()
        return int(next(line.split()[1] for line in words.splitlines() if line.startswith(name + " ")))

    def test_one_address_takes_no_more_than_its_places(self):
        self.grid = Grid(self, ["--bus-connections-per-address", str(self.MOST)])
        enemies = [socket.create_connection(address_of(self.grid.master.bus), PATIENCE_S, ("127.0.0.9", 0))
                   for _ in range(3 * self.MOST)]
        for enemy in enemies:
            self.addCleanup(enemy.close)
        self.assertEqual([enemy.recv(8) for enemy in enemies], [ANSWER] * self.MOST + [b""] * 2 * self.MOST)
        self.assertEqual(self.metric('grid_bus_connections_refused_total{limit="address"}'), 2 * self.MOST)
        for enemy in enemies[:self.MOST]:
            enemy.sendall(GREETING)  # who does not greet is closed soon
        self.grid.publish("1.0.0")
        self.grid.agent("a-1")
        self.grid.wait_healthy("a-1", "1.0.0")
        self.assertEqual(self.metric("grid_bus_connections"), self.MOST + 1)
        self.assertIn("bus.connection_refused address=127.0.0.9 limit=address", self.grid.master.err())


if __name__ == "__main__":
    unittest.main()
