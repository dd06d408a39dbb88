"""Downloads closed to strangers: machines still get what they should run, and nobody else gets anything."""
import http.server, os, signal, threading, unittest

from agent_helpers import update_in
from grid import Agent, Grid, here, program, sha256, storage_server, wait_for


class Listener(http.server.BaseHTTPRequestHandler):
    """A mirror of builds alone: keeps what it is shown for them and refuses; has no metadata."""

    def do_GET(self):
        build = self.path.startswith("/binaries/")
        (self.server.shown if build else self.server.shown_for_others).append(self.headers.get("Authorization", ""))
        self.send_error(503 if build else 404)

    def log_message(self, *_):
        pass


def listen(test):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    server.shown, server.shown_for_others = [], []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    test.addCleanup(thread.join)
    test.addCleanup(server.server_close)
    test.addCleanup(server.shutdown)
    return server


class Closed(unittest.TestCase):
    def setUp(self):
        self.grid = Grid(self, ["--public-downloads=off"])

    def get(self, path, token=None):
        return self.grid.request("GET", path, token=token)

    def push(self, name, path):
        with open(path, "rb") as f:
            platform, arch = here().split("-")
            answer = self.grid.request("PUT", "/api/binaries/1.0.0/%s/%s?name=%s" % (platform, arch, name), f.read())
        self.assertEqual(answer.status, 201, answer.body)

    def test_machine_is_provisioned_across_a_restart_of_the_master(self):
        with open(storage_server("1.0.0"), "rb") as f:
            self.push("storage-server", f.name)
        wait_for("the channel", lambda: self.grid.api("GET", "/api/channels"))
        self.grid.agent("a-1")
        self.grid.wait_healthy("a-1", "1.0.0")
        self.grid.master.stop()
        self.grid.start_master()
        self.push_next()
        self.grid.set_channel("1.1.0")
        self.grid.wait_healthy("a-1", "1.1.0")

    def test_damaged_current_version_is_fetched_while_the_target_has_failed(self):
        self.push("storage-server", storage_server("1.0.0"))
        agent = self.grid.agent("a-1")
        self.grid.wait_healthy("a-1", "1.0.0")
        broken = os.path.join(self.grid.directory, "broken")
        with open(broken, "w") as f:
            f.write("#!/bin/sh\nexit 9\n")
        self.grid.drop(broken, "storage-server-1.1.0-" + here())
        wait_for("1.1.0", lambda: [b for b in self.grid.api("GET", "/api/binaries") if b["version"] == "1.1.0"])
        self.grid.set_channel("1.1.0")
        update_in(self.grid, "a-1", "failed")
        pid = self.grid.wait_healthy("a-1", "1.0.0")["nodes"][0]["pid"]
        stored = os.path.join(agent.state, "store", sha256(storage_server("1.0.0")))
        os.chmod(stored, 0o700)
        with open(stored, "r+b") as f:
            f.write(b"damage")
        os.kill(pid, signal.SIGKILL)
        wait_for("another process", lambda: self.grid.nodes("a-1")[0]["pid"] not in (0, pid))
        self.grid.wait_healthy("a-1", "1.0.0")
        self.assertIn("version.damaged", agent.err())

    def test_revoked_agents_credential_opens_nothing(self):
        self.push("storage-server", storage_server("1.0.0"))
        listener = listen(self)
        self.grid.agent("a-1", "--master-binary-url", "http://127.0.0.1:%d" % listener.server_port)
        shown = wait_for("the credential", lambda: [s for s in listener.shown if s])[0].removeprefix("Bearer ")
        mine = "/binaries/storage-server-1.0.0-" + here()
        self.assertEqual(self.get(mine, shown).status, 200)
        self.grid.api("POST", "/api/agents/a-1/revoke")
        answer = self.get(mine, shown)
        self.assertEqual(answer.status, 401)
        self.assertIn("a-1", answer.json()["detail"])

    def push_next(self):
        self.grid.drop(storage_server("1.1.0"), "storage-server-1.1.0-" + here())
        wait_for("1.1.0", lambda: [b for b in self.grid.api("GET", "/api/binaries") if b["version"] == "1.1.0"])

    def test_stolen_credential_opens_its_agents_file_and_nothing_else(self):
        self.push("storage-server", storage_server("1.0.0"))
        self.push_next()
        listener = listen(self)
        agent = self.grid.agent("a-1", "--master-binary-url", "http://127.0.0.1:%d" % listener.server_port)
        shown = wait_for("the credential", lambda: [s for s in listener.shown if s])[0]
        self.assertEqual(set(listener.shown_for_others), {""})
        stolen = shown.removeprefix("Bearer ")
        mine, other = "/binaries/storage-server-1.0.0-" + here(), "/binaries/storage-server-1.1.0-" + here()
        self.assertEqual(self.get(mine).status, 401)
        answer = self.get(mine, stolen)
        self.assertEqual(answer.status, 200)
        self.assertIn("private", answer.headers["Cache-Control"])
        self.assertEqual(self.get(other, stolen).status, 403)
        for path in ("/api/agents", "/api/summary", "/api/binaries", "/healthz"):
            self.assertEqual(self.get(path, stolen).status, 401, path)
        altered = stolen[:-1] + ("2" if stolen[-1] != "2" else "3")
        self.assertEqual(self.get(mine, altered).status, 401)
        self.grid.master.stop()
        agent.stop()
        secret = stolen.split(".")[1].encode()
        for folder, _, names in os.walk(self.grid.directory):
            for path in (os.path.join(folder, n) for n in names):
                with open(path, "rb") as f:
                    self.assertNotIn(secret, f.read(), path)

    def test_unused_join_token_fetches_the_programs_for_joining_only(self):
        self.push("grid-agent", program("grid-agent"))
        self.push("storage-server", storage_server("1.0.0"))
        join = self.grid.api("POST", "/api/tokens", {"kind": "join"})
        token, file = join["secret"], "/binaries/grid-agent-1.0.0-" + here()
        platform, arch = here().split("-")
        latest = "/api/binaries/latest/%s/%s?name=" % (platform, arch)
        self.assertEqual(self.get(file).status, 401)
        self.assertEqual(self.get(latest + "grid-agent").status, 401)
        for path in (file, file + ".sha256", file + ".minisig", latest + "grid-agent"):
            self.assertEqual(self.get(path, token).status, 200, path)
        self.assertEqual(self.get(latest + "storage-server", token).status, 403)
        self.assertEqual(self.get("/binaries/storage-server-1.0.0-" + here(), token).status, 403)
        for path in ("/api/binaries", "/api/agents", "/healthz"):
            self.assertEqual(self.get(path, token).status, 401, path)
        agent = Agent(self.grid, "a-1", token=join["join"])
        self.grid.agents["a-1"] = agent
        self.grid.wait_healthy("a-1", "1.0.0")
        self.assertEqual(self.get(file, token).status, 401, "the token was used")


if __name__ == "__main__":
    unittest.main()
