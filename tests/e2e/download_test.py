"""Downloads over a bad line: cut, resumed by Range, stalled, and too large for the disk."""
import http.server, os, shutil, subprocess, threading, unittest, urllib.request

from grid import Grid, here, sha256, storage_server, wait_for

MIB = 1024 * 1024
SIZE = 24 * MIB


def large_build(grid, version):
    """A real build with zeros behind it: ELF programs do not mind."""
    path = os.path.join(grid.directory, "large-" + version)
    shutil.copy(storage_server(version), path)
    os.truncate(path, max(SIZE, os.path.getsize(path)))
    return path


class BadLine(http.server.ThreadingHTTPServer):
    """A mirror of builds alone: passes requests for them on to the master. The first ones get no more of the body than `cuts`
    says for each, in bytes; then the connection is closed."""

    def __init__(self, master_url, cuts):
        super().__init__(("127.0.0.1", 0), Relay)
        self.master_url, self.cuts, self.ranges = master_url, cuts, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.server_address[1]


class Relay(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        line = self.server
        if not self.path.startswith("/binaries/"):
            self.send_error(404)
            return
        line.ranges.append(self.headers.get("Range"))
        wanted = {k: v for k, v in self.headers.items() if k in ("Range", "If-Range")}
        with urllib.request.urlopen(urllib.request.Request(line.master_url + self.path, headers=wanted)) as answer:
            body = answer.read()
            self.send_response_only(answer.status)
            for key in ("Content-Type", "ETag", "Content-Range", "Content-Length"):
                if answer.headers[key]:
                    self.send_header(key, answer.headers[key])
            self.end_headers()
        if len(line.ranges) <= len(line.cuts):
            self.wfile.write(body[:line.cuts[len(line.ranges) - 1]])
            self.wfile.flush()
            self.connection.close()
        else:
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Downloads(unittest.TestCase):
    def start(self, cuts):
        grid = Grid(self)
        build = large_build(grid, "1.0.0")
        grid.drop(build, "storage-server-1.0.0-" + here())
        wait_for("the binary", lambda: grid.api("GET", "/api/binaries"))
        line = BadLine(grid.master.url, cuts)
        self.addCleanup(line.server_close)
        self.addCleanup(line.shutdown)
        config = os.path.join(grid.directory, "agent.ini")
        with open(config, "w") as f:
            f.write('[storage]\nmaster_binary_url = "%s"\n' % line.url)
        agent = grid.agent("a-1", "--config", config)
        return grid, build, line, agent

    def test_cut_download_goes_on_where_it_ended(self):
        grid, build, line, agent = self.start([10 * MIB] * 2)
        node = grid.wait_healthy("a-1", "1.0.0")["nodes"][0]
        self.assertEqual(node["sha256"], sha256(build))
        self.assertIsNone(line.ranges[0])
        self.assertEqual(len(line.ranges), 3)
        for earlier, asked in zip((0, 10), line.ranges[1:]):
            first = int(asked.removeprefix("bytes=").split("-")[0])
            self.assertGreater(first, earlier * MIB)
            self.assertLessEqual(first, (earlier + 10) * MIB)

    def test_killed_agent_resumes_its_download(self):
        grid, build, line, agent = self.start([9 * MIB] + [0] * 1000)  # it never gets all of it
        wait_for("a part of the file", lambda: len(line.ranges) >= 1 and any(
            os.path.getsize(os.path.join(agent.state, "tmp", n)) > 0 for n in os.listdir(os.path.join(agent.state, "tmp"))))
        agent.kill()
        line.cuts = []
        before = len(line.ranges)
        grid.agent("a-1", "--config", os.path.join(grid.directory, "agent.ini"))
        node = grid.wait_healthy("a-1", "1.0.0")["nodes"][0]
        self.assertEqual(node["sha256"], sha256(build))
        self.assertTrue(line.ranges[before], "the second agent began at 0 again")


@unittest.skipUnless(os.geteuid() == 0, "mounting a small file system needs root")
class FullDisk(unittest.TestCase):
    def test_too_little_space_is_told_before_the_download(self):
        grid = Grid(self)
        grid.drop(large_build(grid, "1.0.0"), "storage-server-1.0.0-" + here())
        wait_for("the binary", lambda: grid.api("GET", "/api/binaries"))
        state = os.path.join(grid.directory, "small")
        os.mkdir(state)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", state])
        if mounted.returncode != 0:
            self.skipTest("tmpfs cannot be mounted here")
        try:
            agent = grid.agent("a-1", state=state)
            update = wait_for("the reason", lambda: (lambda u: u if u["code"] else None)(grid.show("a-1")["update"]))
            self.assertEqual(update["code"], "no_space", update)
            self.assertEqual(update["done_bytes"], 0)
            agent.stop()
        finally:
            subprocess.run(["umount", state], check=True)


if __name__ == "__main__":
    unittest.main()
