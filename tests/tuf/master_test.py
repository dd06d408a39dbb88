#!/usr/bin/python3
"""What our master publishes over HTTPS, as tuf-js and tuf-client see it: straight, and through somebody who alters it
and has the master's certificate and its key."""
import http.server, os, shutil, ssl, tempfile, threading, unittest, urllib.error, urllib.request

import tuf
from grid import sha256
from master_case import Test

FILE = "storage-server-%s-linux-x86_64"


class Between:
    """A proxy that hands on what it gets but for what alter(path, content) makes of it."""

    def __init__(self, grid):
        between = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, content = between.fetch(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.grid, self.alter = grid, None
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(grid.master.state, "tls/http.pem"))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()
        self.url = "https://127.0.0.1:%d" % self.server.server_port

    def fetch(self, path):
        try:
            url = self.grid.master.url + path
            with urllib.request.urlopen(url, context=self.grid.tls(url)) as answer:
                content = answer.read()
        except urllib.error.HTTPError as refused:
            return refused.code, b""
        return 200, self.alter(path, content) if self.alter else content

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class MasterTest(Test):
    arguments = ("--tls", "on")

    def setUp(self):
        if not tuf.HAVE_NODE:
            self.skipTest("Node and its packages are not installed; ci/deps installs them")
        super().setUp()
        self.folder = tempfile.mkdtemp(prefix="grid-tuf-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.url = self.grid.master.url
        self.assertTrue(self.url.startswith("https://"), self.url)
        self.content = {version: self.publish(version) for version in ("1.0.0", "1.1.0")}
        for client in (self.ours, self.theirs):
            os.makedirs(os.path.join(self.folder, client.__name__, "downloads"))
            self.keep_root(os.path.join(self.folder, client.__name__))

    def keep_root(self, folder):
        root = self.get("/tuf/metadata/1.root.json")
        self.assertEqual(root.status, 200, root.body)
        os.mkdir(os.path.join(folder, "trusted"))
        with open(os.path.join(folder, "trusted/root.json"), "wb") as f:
            f.write(root.body)

    def theirs(self, *targets):
        folder = os.path.join(self.folder, "theirs")
        return tuf.node("update.js", self.url + "/tuf/metadata", self.url + "/tuf/targets", folder + "/trusted",
                        folder + "/downloads", *targets, ca=self.grid.ca)

    def ours(self, *targets):
        folder = os.path.join(self.folder, "ours")
        common = ["--ca", self.grid.ca, "--metadata-url", self.url + "/tuf/metadata", "--metadata-dir",
                  folder + "/trusted"]
        code, said = tuf.client(*common, "refresh")
        for target in targets:
            if code == 0:
                code, said = tuf.client(*common, "--target-name", target, "--target-dir", folder + "/downloads",
                                        "--target-base-url", self.url + "/tuf/targets", "download")
        return code, said

    def downloads(self, client):
        folder = os.path.join(self.folder, client.__name__, "downloads")
        return {name: sha256(os.path.join(folder, name)) for name in os.listdir(folder)}

    def both(self, *targets):
        for client in (self.ours, self.theirs):
            with self.subTest(client.__name__):
                code, said = client(*targets)
                self.assertEqual(code, 0, said)
        self.assertEqual(self.downloads(self.ours), self.downloads(self.theirs))

    def refuse(self, name, alter, *targets):
        self.between.alter, self.url = alter, self.between.url
        for client in (self.ours, self.theirs):
            with self.subTest(name, client=client.__name__):
                before = self.downloads(client)
                code, said = client(*targets)
                self.assertEqual(code, 1, said)
                self.assertEqual(self.downloads(client), before)
        self.between.alter = None
        self.both()
        self.url = self.grid.master.url

    def test_others_believe_our_master_and_refuse_whoever_alters_what_it_says(self):
        one, two, three = (FILE % version for version in ("1.0.0", "1.1.0", "1.2.0"))
        self.both(one)
        old = self.get("/tuf/metadata/timestamp.json").body
        self.content["1.2.0"] = self.publish("1.2.0")
        self.both(three)
        altered = self.content["1.1.0"][:-1] + b"!"
        self.between = Between(self.grid)
        self.addCleanup(self.between.close)
        self.refuse("altered target", lambda path, content: altered if path.endswith(two) else content, two)
        self.refuse("another version", lambda path, content: self.content["1.0.0"] if path.endswith(two) else content,
                    two)
        self.refuse("longer target", lambda path, content: content * 2 if path.endswith(two) else content, two)
        self.refuse("old timestamp", lambda path, content: old if path.endswith("/timestamp.json") else content)
        self.refuse("altered timestamp", self.alter_digit)
        self.refuse("unknown target", None, FILE % "9.9.9")
        self.both(two)
        self.assertEqual(len(self.downloads(self.ours)), 3)

    @staticmethod
    def alter_digit(path, content):
        return content.replace(b'"version":1', b'"version":2') if path.endswith("/timestamp.json") else content

    def test_others_follow_rotated_keys(self):
        self.both(FILE % "1.0.0")
        answer = self.grid.request("POST", "/api/trust/rotate", {"roles": ["snapshot", "timestamp"]})
        self.assertEqual(answer.status, 200, answer.body)
        self.both(FILE % "1.1.0")


if __name__ == "__main__":
    unittest.main()
