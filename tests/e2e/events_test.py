#!/usr/bin/python3
"""Events over HTTP and over the WebSocket of a running master, with a client written by hand."""
import base64, hashlib, json, os, socket, sqlite3, struct, sys, threading, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from grid import PATIENCE_S
from master_case import Test

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Refused(Exception):
    def __init__(self, status, headers, body):
        super().__init__("%d %s" % (status, body))
        self.status, self.headers, self.body = status, headers, body


class Socket:
    """A WebSocket client (RFC 6455), just enough of one."""

    def __init__(self, url, path, token=None, headers=()):
        host, port = url.removeprefix("http://").rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=PATIENCE_S)
        self.file = self.socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        lines = ["GET %s HTTP/1.1" % path, "Host: %s:%s" % (host, port), "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + key, *headers]
        if token:
            lines.append("Authorization: Bearer " + token)
        self.socket.sendall("\r\n".join(lines + ["", ""]).encode())
        status = int(self.file.readline().split()[1])
        answer = {}
        while (line := self.file.readline().decode().strip()):
            name, _, value = line.partition(":")
            answer[name.lower()] = value.strip()
        if status != 101:
            body = self.file.read(int(answer.get("content-length", 0))).decode()
            self.close()
            raise Refused(status, answer, body)
        expected = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        assert answer["sec-websocket-accept"] == expected, answer

    def frame(self):
        """(opcode, payload) of the next frame; (None, b"") at the end."""
        head = self.file.read(2)
        if len(head) < 2:
            return None, b""
        assert not head[1] & 0x80, "a server does not mask"
        length = head[1] & 0x7f
        if length == 126:
            length = struct.unpack(">H", self.file.read(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", self.file.read(8))[0]
        return head[0] & 0x0f, self.file.read(length)

    def event(self):
        while True:
            opcode, payload = self.frame()
            if opcode == TEXT:
                return json.loads(payload)
            assert opcode in (PING, PONG), (opcode, payload)

    def until(self, kind):
        while True:
            event = self.event()
            if event["kind"] == kind:
                return event

    def send(self, opcode, payload=b"", masked=True):
        mask = os.urandom(4)
        length = struct.pack(">B", len(payload) | 0x80 * masked) if len(payload) < 126 else struct.pack(">BQ", 127 | 0x80 * masked, len(payload))
        body = bytes(b ^ mask[i % 4] for i, b in enumerate(payload)) if masked else payload
        self.socket.sendall(bytes([0x80 | opcode]) + length + (mask if masked else b"") + body)

    def close(self):
        self.file.close()
        self.socket.close()


class Events(Test):
    def follow(self, query="", **options):
        options.setdefault("token", self.grid.token)
        follower = Socket(self.grid.master.url, "/api/events/ws" + query, **options)
        self.addCleanup(follower.close)
        return follower

    def happen(self, name="beta", version="1.0.0"):
        """Something happens: a channel is moved to and fro."""
        self.grid.set_channel(version, name)

    def refused(self, status, query="", **options):
        with self.assertRaises(Refused) as caught:
            self.follow(query, **options)
        self.assertEqual(caught.exception.status, status, caught.exception)
        return json.loads(caught.exception.body)

    def test_events_arrive_as_they_happen_and_as_http_lists_them(self):
        self.publish()
        follower = self.follow()
        self.happen()
        event = follower.event()
        self.assertEqual((event["kind"], event["subject"]), ("channel.set", "beta"))
        self.assertEqual(event, self.grid.events()[-1])
        self.grid.agent("a-1")
        for kind in ("token.created", "agent.enrolled", "agent.up"):
            follower.until(kind)

    def test_what_was_missed_comes_first_and_nothing_twice(self):
        self.publish()
        self.publish("1.1.0")
        listed = self.grid.events()
        since = listed[1]["seq"]
        follower = self.follow("?since=%d" % since)
        for i in range(20):
            self.happen(version="1.%d.0" % (i % 2))
        got = []
        while len(got) < len(listed) - 2 + 20:
            got.append(follower.event())
        self.assertEqual(got, [e for e in self.grid.events() if e["seq"] > since])
        self.assertEqual([e["seq"] for e in got], list(range(since + 1, since + 1 + len(got))))

    def test_list_narrows_by_kind_subject_since_and_limit(self):
        self.publish()
        for name in ("beta", "gamma", "beta2"):
            self.happen(name)
        kinds = {e["kind"] for e in self.grid.events(kind="channel.set")}
        self.assertEqual(kinds, {"channel.set"})
        self.assertEqual([e["subject"] for e in self.grid.events(subject="gamma")], ["gamma"])
        everything = self.grid.events()
        seqs = [e["seq"] for e in everything]
        self.assertEqual(seqs, list(range(1, len(seqs) + 1)))
        self.assertEqual(self.grid.api("GET", "/api/events?limit=2"), everything[-2:])
        self.assertEqual(self.grid.api("GET", "/api/events?since=1&limit=2"), everything[1:3])
        self.assertEqual(self.grid.api("GET", "/api/events"), everything[-100:])

    def prune(self, before):
        """What the master does after 30 days, done to its database while it is away."""
        self.grid.master.stop()
        with sqlite3.connect(os.path.join(self.grid.master.state, "grid.db")) as database:
            database.execute("DELETE FROM event WHERE seq < ?", (before,))
        database.close()
        self.grid.start_master()

    def test_reset_tells_who_missed_more_than_is_kept(self):
        self.publish()
        for i in range(5):
            self.happen("channel-%d" % i)
        last = self.grid.events()[-1]["seq"]
        self.prune(last - 1)
        first = self.grid.events()[0]["seq"]
        self.assertEqual(first, last - 1)
        follower = self.follow("?since=1")
        self.assertEqual(follower.event(), {"kind": "reset", "seq": first})
        self.assertEqual(follower.event()["seq"], first)
        follower = self.follow("?since=%d" % (first - 1))
        self.assertEqual(follower.event()["seq"], first, "nothing was missed, so nothing is to be fetched anew")
        follower = self.follow("?since=1000000")
        self.assertEqual(follower.event(), {"kind": "reset", "seq": first})

    def test_numbers_go_on_after_a_kill(self):
        self.publish()
        before = self.grid.events()
        self.grid.master.kill()
        self.grid.start_master()
        follower = self.follow("?since=%d" % before[-1]["seq"])
        self.assertEqual(follower.event()["kind"], "master.started")
        self.assertEqual(self.grid.events()[:len(before)], before)

    def test_token_is_needed_and_not_in_the_address(self):
        viewer = self.role("viewer")
        self.assertEqual(self.refused(401, token=None)["code"], "unauthenticated")
        self.assertEqual(self.refused(401, token="gt_0123456789abcdef.x")["code"], "unauthenticated")
        for name in ("token", "access_token", "api_key"):
            said = self.refused(400, "?%s=%s" % (name, viewer), token=None)
            self.assertIn("Authorization", said["hint"])
        self.follow(token=viewer)

    def test_revoked_token_ends_its_followers_and_no_others(self):
        self.publish()
        token = self.grid.api("POST", "/api/tokens", {"kind": "api", "role": "viewer"})
        others = self.follow()
        followers = [self.follow(token=token["secret"]) for _ in range(2)]
        self.grid.api("DELETE", "/api/tokens/" + token["id"])
        for follower in followers:
            opcode = TEXT
            while opcode in (TEXT, PING):
                opcode, said = follower.frame()
            self.assertEqual((opcode, struct.unpack(">H", said[:2])[0]), (CLOSE, 1008))
        self.refused(401, token=token["secret"])
        self.assertEqual(others.event()["kind"], "token.revoked")

    def follow_briefly(self):
        """With a token that expires while it follows: one that lives too short for this machine lets nobody in."""
        for expires_s in (2, 8, 32):
            token = self.grid.api("POST", "/api/tokens", {"kind": "api", "role": "viewer", "expires_s": expires_s})
            try:
                return self.follow(token=token["secret"])
            except Refused as refused:
                self.assertEqual(refused.status, 401)
        return self.fail("no token was good for long enough to follow")

    def test_expired_token_ends_its_followers(self):
        follower = self.follow_briefly()
        opcode = TEXT
        while opcode in (TEXT, PING):
            opcode, said = follower.frame()
        self.assertEqual((opcode, struct.unpack(">H", said[:2])[0]), (CLOSE, 1008))

    def test_bad_requests_are_refused_before_the_upgrade(self):
        for query in ("?since=x", "?since=-1", "?kind=agent.up", "?since=1&since=2"):
            self.assertEqual(self.refused(400, query)["code"], "invalid")
        self.assertEqual(self.refused(403, headers=["Origin: http://evil.example"])["code"], "denied")
        self.assertEqual(self.refused(403, headers=["Origin: null"])["code"], "denied")
        host = self.grid.master.url.removeprefix("http://")
        self.follow(headers=["Origin: http://" + host])
        self.problem(self.get("/api/events/ws", token=self.grid.token), 426, "invalid")

    def test_misbehaving_clients_are_closed_and_others_are_not(self):
        self.publish()
        good = self.follow()
        for opcode, payload, masked, code in ((TEXT, b"unmasked", False, 1002), (TEXT, b"x" * 70000, True, 1009), (3, b"", True, 1002),
                                              (TEXT, b"\xff", True, 1007), (2, b"binary", True, 1003), (PING, b"x" * 126, True, 1002)):
            bad = self.follow()
            bad.send(opcode, payload, masked)
            kind, said = bad.frame()
            self.assertEqual((kind, struct.unpack(">H", said[:2])[0]), (CLOSE, code), (opcode, payload[:10]))
        bad = self.follow()
        bad.socket.sendall(b"\x81\xff" + b"\x7f" + b"\xff" * 7)  # a frame of 2^63 bytes
        self.assertEqual(bad.frame()[0], CLOSE)
        self.happen()
        self.assertEqual(good.event()["kind"], "channel.set")

    def test_ping_is_answered(self):
        follower = self.follow()
        follower.send(PING, b"are you there")
        self.assertEqual(follower.frame(), (PONG, b"are you there"))

    def test_close_is_answered_with_close(self):
        follower = self.follow()
        follower.send(CLOSE, struct.pack(">H", 1000))
        kind, said = follower.frame()
        self.assertEqual((kind, struct.unpack(">H", said[:2])[0]), (CLOSE, 1000))
        self.assertEqual(follower.frame()[0], None)

    def test_follower_that_does_not_read_harms_nobody(self):
        self.publish()
        self.publish("1.1.0")
        lazy, good = self.follow(), self.follow()
        lazy.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for i in range(200):
            self.happen(version="1.%d.0" % (i % 2))
        seqs = [good.event()["seq"] for _ in range(200)]
        self.assertEqual(seqs, list(range(seqs[0], seqs[0] + 200)))

    def test_many_followers_get_the_same(self):
        self.publish()
        followers = [self.follow("?since=0") for _ in range(50)]
        for i in range(10):
            self.happen("channel-%d" % i)
        expected = self.grid.events()
        for follower in followers:
            self.assertEqual([follower.event() for _ in expected], expected)

    def test_stop_says_goodbye(self):
        follower = self.follow()
        stopping = threading.Thread(target=self.grid.master.stop)
        stopping.start()
        kind, said = follower.frame()
        self.assertEqual((kind, struct.unpack(">H", said[:2])[0]), (CLOSE, 1001))
        stopping.join()
        self.assertEqual(self.grid.master.popen.returncode, 0)


if __name__ == "__main__":
    unittest.main()
