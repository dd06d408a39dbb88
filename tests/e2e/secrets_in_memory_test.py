"""Keys stay in memory: no other program of the same user looks into a master or an agent, and all works as a plain user."""
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import unittest

from events_test import Socket
from grid import Grid, Process, here, port_range, program, storage_server, wait_for

NOBODY = 65534
AS_NOBODY = ["/usr/bin/setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups"]


@unittest.skipUnless(os.getuid() == 0, "only root starts programs as somebody else")
class SecretsInMemoryTest(unittest.TestCase):
    def setUp(self):
        self.grid = Grid(self, start=False)
        os.chmod(self.grid.directory, 0o755)
        self.home = os.path.join(self.grid.directory, "nobody")
        os.mkdir(self.home)
        build = os.path.join(self.grid.binaries, "storage-server-1.0.0-" + here())
        shutil.copy(storage_server("1.0.0"), build)
        for path in (self.home, self.grid.binaries, build):
            os.chown(path, NOBODY, NOBODY)

    def start(self, name, *arguments, env=None):
        """A program of nobody's, from a place that this user can reach."""
        shutil.copy(program(name), self.home)
        process = Process(AS_NOBODY[0], [*AS_NOBODY[1:], os.path.join(self.home, name), *arguments],
                          os.path.join(self.grid.directory, name + "-run"), env)
        self.grid.other.append(process)
        return process

    def start_master(self, *arguments):
        self.state = os.path.join(self.home, "master")
        master = self.start("grid-master", "--state", self.state, "--binaries", self.grid.binaries, "--http", "0", "--bus", "0",
                            *arguments)
        self.url = wait_for("the master", lambda: [l.split()[1] for l in master.out().splitlines() if l.startswith("http ")])[0]
        return master

    def api(self, method, path, body=None):
        with open(os.path.join(self.state, "admin.token")) as f:
            return self.grid.api(method, path, body, token=f.read().strip(), url=self.url)

    def start_agent(self, *arguments):
        join = self.api("POST", "/api/tokens", {"kind": "join"})["join"]
        return self.start("grid-agent", "--id", "a-1", "--state", os.path.join(self.home, "agent"),
                          "--node-ports", port_range(self.home), *arguments, env={"GRID_TOKEN": join})

    def healthy_node(self):
        nodes = [n for a in self.api("GET", "/api/agents") for n in self.api("GET", "/api/agents/" + a["id"])["nodes"]]
        return next((n for n in nodes if n["state"] == "healthy"), None)

    def looks_inside(self, pid):
        """Whether another program of nobody's can read the memory's map of this one."""
        return subprocess.run([*AS_NOBODY, "/usr/bin/head", "-c", "1", "/proc/%d/maps" % pid], capture_output=True).stdout != b""

    def test_nobody_looks_into_master_and_agent_which_work_all_the_same(self):
        master = self.start_master()
        agent = self.start_agent()
        node = wait_for("a healthy node", self.healthy_node)
        self.assertFalse(self.looks_inside(master.pid), "the master's memory")
        self.assertFalse(self.looks_inside(agent.pid), "the agent's memory")
        self.assertTrue(self.looks_inside(node["pid"]), "a node has no keys, and may be debugged")

    def test_launcher_shows_nobody_the_join_string_in_its_environment(self):
        script = b"#!/bin/sh\nexec /bin/sleep 300\n"
        builds = os.path.join(self.home, "agent", "agent")
        name = "1.0.0-" + hashlib.sha256(script).hexdigest()
        os.makedirs(os.path.join(builds, name))
        os.symlink(name, os.path.join(builds, "current"))
        with open(os.path.join(builds, name, "grid-agent"), "wb") as f:
            f.write(script)
        os.chmod(f.name, 0o755)
        subprocess.run(["/bin/chown", "-R", str(NOBODY), self.home], check=True)
        launcher = self.start("grid-launcher", "--state", os.path.join(self.home, "agent"), env={"GRID_TOKEN": "secret"})
        wait_for("what it starts", lambda: "agent.start" in launcher.err())
        self.assertFalse(self.looks_inside(launcher.pid))

    def test_core_dumps_can_be_allowed(self):
        master = self.start_master("--core-dumps")
        agent = self.start_agent("--core-dumps")
        wait_for("the agent", lambda: self.api("GET", "/api/agents"))
        self.assertTrue(self.looks_inside(master.pid))
        self.assertTrue(self.looks_inside(agent.pid))


def held(pid, secrets):
    """Those of the secrets, by name, that the process's memory has somewhere. What the sanitizer maps for itself has none."""
    found = set()
    with open("/proc/%d/maps" % pid) as f:
        places = [line.split()[0].split("-") for line in f if "w" in line.split()[1]]
    with open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
        for begin, end in ((int(begin, 16), int(end, 16)) for begin, end in places):
            if end - begin >= 256 << 20:
                continue
            memory.seek(begin)
            content = memory.read(end - begin)
            found |= {name for name, secret in secrets.items() if secret.encode() in content}
    return sorted(found)


@unittest.skipUnless(os.getuid() == 0, "only root looks into the master's memory")
class SecretsOfRequestsTest(unittest.TestCase):
    """Every secret of a request or an answer is gone from the master's memory soon after, while its connection stays open."""

    def begin(self, *arguments):
        self.grid, self.secrets = Grid(self, arguments), {}
        self.url, self.pid = self.grid.master.url, self.grid.master.pid
        self.kept = self.connect()
        with open(os.path.join(self.grid.master.state, "setup-link")) as link:
            self.secrets["first invitation"] = link.read().strip().partition("invitation=")[2].partition(".")[2]
        self.secrets["admin"] = self.grid.token.partition(".")[2]

    def connect(self):
        address, tls = self.url.partition("://")[2], self.grid.tls(self.url)
        connection = http.client.HTTPSConnection(address, context=tls) if tls else http.client.HTTPConnection(address)
        self.addCleanup(connection.close)
        return connection

    def secret(self, name):
        self.secrets[name] = os.urandom(16).hex()
        return self.secrets[name]

    def ask(self, statuses, method, path, body=None, **headers):
        """An answer of one of these, over the connection that is kept; a body in pieces is sent in chunks."""
        headers = {"Origin": self.url, "Content-Type": "application/json", **headers}
        self.kept.request(method, path, json.dumps(body) if isinstance(body, dict) else body, headers)
        answer = self.kept.getresponse()
        words = answer.read()
        self.assertIn(answer.status, statuses if isinstance(statuses, tuple) else [statuses], words)
        cookie = (answer.headers["Set-Cookie"] or "").partition(";")[0]
        if "." in cookie:
            self.secrets["cookie of " + path] = cookie.partition(".")[2]
        return (json.loads(words) if words else {}), cookie

    def ask_apart(self, *request, **headers):
        """Over another connection, with a thread of its own, on whose stack nothing comes after."""
        self.kept = self.connect()
        return self.ask(*request, **headers)

    def sign_in_at_once(self, statuses, password, *lines):
        """Head and body in one piece."""
        order = json.dumps({"name": "ada", "password": password})
        head = ["POST /api/login HTTP/1.1", "Host: " + self.url.partition("://")[2], "Content-Type: application/json",
                "Content-Length: %d" % len(order), *lines, "", ""]
        self.kept = self.connect()
        self.kept.connect()
        self.kept.sock.sendall(("\r\n".join(head) + order).encode())
        answer = http.client.HTTPResponse(self.kept.sock, method="POST")
        answer.begin()
        self.assertIn(answer.status, statuses, answer.read())

    def ask_admin(self, status, method, path, body=None):
        answer, _ = self.ask_apart(status, method, path, body, Authorization="Bearer " + self.grid.token)
        for name in ("invitation", "secret"):
            if name in answer:
                self.secrets["%s of %s" % (name, path)] = answer[name].partition(".")[2]
        return answer

    def threads_are(self, state):
        states = []
        for task in os.listdir("/proc/%d/task" % self.pid):
            with open("/proc/%d/task/%s/stat" % (self.pid, task)) as f:
                states.append(f.read().rpartition(")")[2].split()[0])
        return set(states) == {state}

    def nothing_is_held(self):
        """But for a word that is no secret. The master is stopped meanwhile: connections that wait for long end, and leave less."""
        wait_for("the end of what was answered, so that all threads wait", lambda: self.threads_are("S"))
        os.kill(self.pid, signal.SIGSTOP)
        try:
            wait_for("all threads to stop", lambda: self.threads_are("T"))
            self.assertEqual(held(self.pid, {**self.secrets, "no secret": "grid-master"}), ["no secret"])
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def people_and_programs(self):
        invitation = self.ask_admin(201, "POST", "/api/users", {"name": "ada", "role": "viewer"})["invitation"]
        password = self.secret("password")
        self.ask_apart(201, "POST", "/api/setup", {"invitation": invitation, "name": "ada", "password": password})
        self.ask(401, "POST", "/api/login", {"name": "ada", "password": self.secret("wrong password")})
        _, cookie = self.ask_apart(200, "POST", "/api/login", {"name": "ada", "password": password})
        self.ask(200, "GET", "/api/me", Cookie=cookie)
        self.ask(201, "POST", "/api/events/ticket", b"", Cookie=cookie)
        self.ask(204, "POST", "/api/logout", b"", Cookie=cookie)
        token = self.ask_admin(201, "POST", "/api/tokens", {"kind": "api", "role": "viewer"})["secret"]
        self.ask(200, "GET", "/api/me", Authorization="Bearer " + token)
        self.ask(200, "GET", "/api/me", **{"X-API-Key": token})

    def refusals(self):
        self.ask_apart(401, "GET", "/api/agents", Authorization="Bearer " + self.secret("unknown token"))
        self.ask_apart(400, "POST", "/api/login", {"name": "ada", "password": self.secret("password of two"), "colour": "red"})
        self.ask_apart(400, "POST", "/api/login", b'{"password": "%s", "password": ""}' % self.secret("password before another").encode())
        self.ask_apart(400, "POST", "/api/login", b"\xff" * 3300 + self.secret("password behind what is no JSON").encode())
        self.ask_apart(404, "POST", "/api/nowhere", {"password": self.secret("password that nobody reads")})
        for _ in range(5):
            self.ask((401, 429), "POST", "/api/setup", {"invitation": "gi_%s.%s" % ("0" * 16, self.secret("guess")), "name": "ada",
                                                        "password": self.secret("password of who guesses")})
        pieces = [b'{"name": "ada", "password": "%s"' % self.secret("password in chunks").encode(), b"}"]
        self.ask_apart((401, 429), "POST", "/api/login", iter(pieces))
        self.sign_in_at_once((401, 429), self.secret("password behind its head"))
        self.sign_in_at_once((403,), self.secret("password that nobody wants"), "Sec-Fetch-Site: cross-site")

    def test_of_people_and_programs_over_http(self):
        self.begin()
        self.people_and_programs()
        self.refusals()
        self.nothing_is_held()

    def test_of_people_and_programs_over_https(self):
        self.begin("--tls", "on")
        self.people_and_programs()
        self.refusals()
        self.nothing_is_held()

    def test_of_a_machine_that_joins(self):
        self.begin()
        join = self.ask_admin(201, "POST", "/api/tokens", {"kind": "join"})["join"]
        self.grid.agent("a-1", join=join)
        wait_for("the agent", lambda: self.ask_admin(200, "GET", "/api/agents"))
        self.secrets["join"] = join
        self.nothing_is_held()

    def head(self, name, *lines):
        """A request whose token nobody knows."""
        return "\r\n".join(["GET /api/me HTTP/1.1", "Host: localhost", "Authorization: Bearer " + self.secret(name), *lines, ""])

    def test_of_what_is_no_single_whole_request(self):
        self.begin()
        followed = self.head("one") + "\r\n" + self.head("its follower") + "\r\n"
        for words in (followed, self.head("malformed", " folded") + "\r\n", self.head("endless", "X: " + "x" * 16384), self.head("half")):
            connection = self.connect()
            connection.connect()
            connection.sock.sendall(words.encode())
            connection.sock.shutdown(socket.SHUT_WR)
            while connection.sock.recv(65536):
                pass
        self.nothing_is_held()

    def test_of_a_socket_that_stays_open(self):
        self.begin()
        token = self.ask_admin(201, "POST", "/api/tokens", {"kind": "api", "role": "viewer"})["secret"]
        self.addCleanup(Socket(self.url, "/api/events/ws", token).close)
        self.nothing_is_held()


if __name__ == "__main__":
    unittest.main()
