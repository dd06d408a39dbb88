"""storage-server as a real process: chunks survive kills, bad bytes never leave, full disks and signals are met in order."""
import contextlib
import hashlib
import http.client
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

BUILD = os.environ.get("GRID_BUILD_DIR", "build/dev")
PROGRAM = os.path.join(BUILD, "bin", "storage-server")
DEADLINE_S = 30


def crc32c(data):
    """CRC32C (RFC 3720), bit by bit over a table: slow, independent of ours."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC_TABLE = crc_table()


def wait_for(what, condition):
    """The first true value of condition(), within the deadline."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited too long for: {what}")


def traced(pid):
    """Whether a tracer holds every thread of the process."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/task/{thread}/status", encoding="utf-8") as file:
            if "TracerPid:\t0\n" in file.read():
                return False
    return True


def run(*options):
    """Runs the program to its end."""
    return subprocess.run([PROGRAM, *options], capture_output=True, text=True, timeout=DEADLINE_S)


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)


class Node:
    """One storage-server process."""

    def __init__(self, data, *options, wrapper=()):
        self.data = data
        self.log = tempfile.TemporaryFile()
        env = dict(os.environ, GRID_NODE_NONCE="cafe")
        command = [*wrapper, PROGRAM, "--data", data, "--port", "0", "--id", "agent-1/0", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, env=env)
        self.port = self.read_port()

    def read_port(self):
        ready, _, _ = select.select([self.process.stdout], [], [], DEADLINE_S)
        line = self.process.stdout.readline().decode() if ready else ""
        if not line.startswith("listening http://"):
            self.kill()
            raise AssertionError(f"did not start: {line!r} {self.words()}")
        return int(line.rsplit(":", 1)[1])

    def words(self):
        self.log.seek(0)
        return self.log.read().decode()

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def put(self, name, body, **headers):
        return self.ask("PUT", f"/v1/chunks/{name}", body, headers)

    def get(self, name, **headers):
        return self.ask("GET", f"/v1/chunks/{name}", headers=headers)

    def health(self):
        return self.ask("GET", "/healthz").json()

    def metric(self, name):
        for line in self.ask("GET", "/metrics").body.decode().splitlines():
            if line.startswith(name + " "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def begin_put(self, name, announced, body):
        """A PUT whose body is sent in part only."""
        connection = socket.create_connection(("127.0.0.1", self.port), DEADLINE_S)
        head = f"PUT /v1/chunks/{name} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {announced}\r\n\r\n"
        connection.sendall(head.encode() + body)
        wait_for("the chunk is being written", lambda: os.listdir(os.path.join(self.data, "tmp")))
        return connection

    def files(self, part):
        return sorted(name for _, _, names in os.walk(os.path.join(self.data, part)) for name in names)

    def chunk_file(self, name):
        directory = f"{crc32c(name.encode()) & 0xFF:02x}"
        return os.path.join(self.data, "data", directory, name + ".0")

    def exit_code(self):
        return self.process.wait(DEADLINE_S)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE_S)
        self.process.stdout.close()

    def check_log(self):
        for trouble in ["ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "WARNING: ThreadSanitizer"]:
            if trouble in self.words():
                raise AssertionError(self.words())


class StorageServerTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="grid-storage-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.data = os.path.join(self.directory, "data dir")

    def start(self, *options, **more):
        node = Node(self.data, *options, **more)
        self.addCleanup(node.log.close)
        self.addCleanup(node.check_log)
        self.addCleanup(node.kill)
        return node

    def expect(self, answer, status, code=None):
        self.assertEqual(answer.status, status, answer.body[:300])
        if code is not None:
            self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
            self.assertEqual(answer.json()["code"], code)
        return answer


class Chunks(StorageServerTest):
    def test_chunk_is_kept_and_given_back(self):
        node = self.start()
        body = os.urandom(200_000)
        crc = f"{crc32c(body):08x}"
        created = self.expect(node.put("first_chunk-1", body, **{"X-Chunk-CRC32C": crc}), 201)
        self.assertEqual(created.json(), {"id": "first_chunk-1", "size_bytes": len(body), "crc32c": crc})
        got = self.expect(node.get("first_chunk-1"), 200)
        self.assertEqual(got.body, body)
        self.assertEqual(got.headers["X-Chunk-CRC32C"], crc)
        self.assertEqual(got.headers["Content-Type"], "application/octet-stream")
        head = self.expect(node.ask("HEAD", "/v1/chunks/first_chunk-1"), 200)
        self.assertEqual(head.headers["Content-Length"], str(len(body)))
        self.assertEqual(head.headers["ETag"], got.headers["ETag"])
        self.expect(node.get("first_chunk-1", **{"If-None-Match": got.headers["ETag"]}), 304)
        self.expect(node.ask("DELETE", "/v1/chunks/first_chunk-1"), 204)
        self.expect(node.get("first_chunk-1"), 404, "not_found")
        self.expect(node.ask("DELETE", "/v1/chunks/first_chunk-1"), 404, "not_found")

    def test_any_range_is_served(self):
        node = self.start()
        body = os.urandom((5 << 20) + 100)
        etag = node.put("r", body).headers["ETag"]
        size = len(body)
        for first, last in [(0, 0), (0, 65535), (65535, 65536), (100, 150_000), (size - 1, size - 1), (65536, size - 1),
                            (0, size - 1), (100, size - 2), ((4 << 20) - 1, 4 << 20)]:
            part = self.expect(node.get("r", Range=f"bytes={first}-{last}"), 206)
            self.assertEqual(part.body, body[first:last + 1])
            self.assertEqual(part.headers["Content-Range"], f"bytes {first}-{last}/{size}")
        self.assertEqual(node.get("r", Range="bytes=-10").body, body[-10:])
        self.assertEqual(node.get("r", Range=f"bytes=200-{size + 50}").body, body[200:])
        self.assertEqual(node.get("r", Range="bytes=0-9", **{"If-Range": etag}).status, 206)
        self.assertEqual(node.get("r", Range="bytes=0-9", **{"If-Range": '"other"'}).status, 200)
        beyond = self.expect(node.get("r", Range=f"bytes={size}-"), 416, "range_not_satisfiable")
        self.assertEqual(beyond.headers["Content-Range"], f"bytes */{size}")

    def test_empty_chunk_is_a_chunk(self):
        node = self.start()
        self.expect(node.put("nothing", b""), 201)
        self.assertEqual(self.expect(node.get("nothing"), 200).body, b"")

    def test_chunk_never_changes(self):
        node = self.start()
        self.expect(node.put("a", b"words"), 201)
        self.expect(node.put("a", b"words"), 200)
        self.expect(node.put("a", b"wards"), 409, "conflict")
        self.assertEqual(node.get("a").body, b"words")

    def test_bytes_that_changed_on_their_way_are_refused(self):
        node = self.start()
        refused = self.expect(node.put("a", b"words", **{"X-Chunk-CRC32C": "00000000"}), 400, "invalid")
        self.assertIn(f"{crc32c(b'words'):08x}", refused.json()["detail"])
        self.expect(node.put("a", b"words", **{"X-Chunk-CRC32C": "nonsense"}), 400, "invalid")
        self.expect(node.get("a"), 404)
        self.assertEqual(node.files("tmp"), [])

    def test_bad_requests_name_what_is_wrong(self):
        node = self.start()
        for name in ["a.b", "a%20b", "x" * 65, "%C3%A4"]:
            self.assertIn("chunk id", self.expect(node.put(name, b"words"), 400, "invalid").json()["detail"])
        chunked = node.ask("PUT", "/v1/chunks/a", iter([b"words"]), {"Transfer-Encoding": "chunked"})
        self.assertIn("Content-Length", self.expect(chunked, 400, "invalid").json()["hint"])
        self.expect(node.ask("PUT", "/v1/chunks/a", b"", {"Content-Length": str(64 * 1024 * 1024 + 1)}), 413, "too_large")
        self.expect(node.ask("POST", "/v1/chunks/a", b""), 405, "method_not_allowed")
        self.expect(node.ask("GET", "/v1/chunks?sort=id"), 400, "invalid")
        self.expect(node.ask("GET", "/v1/chunks?limit=0"), 400, "invalid")
        self.expect(node.ask("GET", "/v1/chunks?prefix=a.b"), 400, "invalid")
        self.expect(node.ask("GET", "/v1/chunks?cursor=zz"), 400, "invalid")

    def test_web_page_cannot_reach_a_node_by_a_name_of_its_own(self):
        node = self.start()
        self.expect(node.ask("GET", "/healthz", headers={"Host": "evil.example"}), 403, "denied")
        for host in ["localhost", f"127.0.0.1:{node.port}", "[::1]:80"]:
            self.expect(node.ask("GET", "/healthz", headers={"Host": host}), 200)

    def test_lists_are_complete_at_once_and_by_page(self):
        node = self.start()
        names = {f"{prefix}-{i}" for prefix in ["red", "blue"] for i in range(60)}
        for name in names:
            self.expect(node.put(name, name.encode()), 201)
        everything = node.ask("GET", "/v1/chunks").json()
        self.assertEqual({entry["id"] for entry in everything}, names)
        self.assertTrue(all(entry["size_bytes"] == len(entry["id"]) for entry in everything))
        for path, prefix, expected in [("/v1/chunks?limit=7", "", 120), ("/v1/chunks?limit=7&prefix=red", "red", 60)]:
            paged = []
            while path:
                page = self.expect(node.ask("GET", path), 200)
                self.assertEqual(page.headers["X-Total-Count"], str(expected))
                self.assertLessEqual(len(page.json()), 7)
                paged += [entry["id"] for entry in page.json()]
                link = page.headers["Link"]
                path = link.split(">")[0].lstrip("<") if link else None
            self.assertEqual(len(paged), expected)
            self.assertEqual(set(paged), {name for name in names if name.startswith(prefix)})

    def test_many_clients_at_once(self):
        node = self.start()
        failures = []

        def work(number):
            for i in range(10):
                body = hashlib.sha256(f"{number} {i}".encode()).digest() * 3000
                if node.put(f"c{number}-{i}", body).status != 201 or node.get(f"c{number}-{i}").body != body:
                    failures.append((number, i))

        threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(node.metric("grid_storage_chunks"), 160)


class Durability(StorageServerTest):
    def test_killed_while_receiving_leaves_no_half_chunk(self):
        node = self.start()
        with node.begin_put("half", 1_000_000, b"x" * 400_000):
            self.expect(node.get("half"), 404)
            node.kill()
        self.assertEqual(len(node.files("tmp")), 1)
        again = self.start()
        self.expect(again.get("half"), 404)
        self.assertEqual(again.files("tmp"), [])
        self.assertEqual(again.ask("GET", "/v1/chunks").json(), [])

    def test_cut_upload_leaves_nothing(self):
        node = self.start()
        node.begin_put("half", 1_000_000, b"x" * 400_000).close()
        wait_for("tmp is empty", lambda: not node.files("tmp"))
        self.expect(node.get("half"), 404)

    def test_killed_node_keeps_all_it_acknowledged(self):
        node = self.start()
        acknowledged = {}
        enough = threading.Event()

        def work(number):
            with contextlib.suppress(OSError, http.client.HTTPException):
                for i in range(10_000):
                    body = os.urandom(1 + (i * 7919) % 150_000)
                    if node.put(f"k{number}-{i}", body).status == 201:
                        acknowledged[f"k{number}-{i}"] = hashlib.sha256(body).digest()
                    if len(acknowledged) > 100:
                        enough.set()

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        self.assertTrue(enough.wait(DEADLINE_S))
        node.kill()
        for thread in threads:
            thread.join()
        again = self.start()
        for name, digest in acknowledged.items():
            self.assertEqual(hashlib.sha256(again.get(name).body).digest(), digest, name)

    def flip(self, path, at):
        with open(path, "r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1]))

    def test_flipped_bit_is_never_returned(self):
        node = self.start("--scrub-rate-bps", "0")
        body = os.urandom(300_000)
        self.expect(node.put("bad", body), 201)
        self.flip(node.chunk_file("bad"), os.path.getsize(node.chunk_file("bad")) - 1)
        self.assertEqual(node.get("bad", Range="bytes=0-99").body, body[:100])  # another block, and proven
        self.expect(node.get("bad"), 500, "corrupt")
        self.expect(node.get("bad"), 404)
        self.assertEqual(node.files("quarantine"), ["bad.0"])
        self.assertEqual(node.metric('grid_storage_corrupt_chunks_total{found_by="read"}'), 1)
        self.assertEqual(node.health()["status"], "ok")
        self.expect(node.put("bad", body), 201)
        self.assertEqual(node.get("bad").body, body)

    def test_scrub_finds_what_nobody_reads(self):
        node = self.start("--scrub-interval", "50ms", "--scrub-rate-bps", str(1 << 30))
        for i in range(20):
            self.expect(node.put(f"s{i}", os.urandom(100_000)), 201)
        self.flip(node.chunk_file("s7"), 70_000)
        wait_for("the scrub's find", lambda: node.metric('grid_storage_corrupt_chunks_total{found_by="scrub"}') == 1)
        self.assertEqual(node.files("quarantine"), ["s7.0"])
        passes = node.metric("grid_storage_scrub_passes_total")
        wait_for("another pass", lambda: node.metric("grid_storage_scrub_passes_total") > passes + 1)
        self.assertEqual(len(node.ask("GET", "/v1/chunks").json()), 19)


class Trouble(StorageServerTest):
    def namespace(self):
        """Runs a program where the data directory is a file system of 1 MiB that nobody else sees."""
        unshare = ["unshare", "-m"] if os.getuid() == 0 else ["unshare", "-rm"]
        if subprocess.run([*unshare, "true"], capture_output=True).returncode != 0:
            self.skipTest("no mount namespaces here, so no small file system")
        os.mkdir(self.data)
        mount = 'mount -t tmpfs -o size=1m none "$0" && exec "$@"'
        return [*unshare, "sh", "-c", mount, self.data]

    def test_full_disk_is_told_and_passes(self):
        node = self.start("--reserve-bytes", "100000", wrapper=self.namespace())
        capacity = node.health()["capacity_bytes"]
        self.assertEqual(capacity, 1 << 20)
        kept = {}
        for i in range(100):
            body = os.urandom(50_000)
            answer = node.put(f"f{i}", body)
            if answer.status != 201:
                break
            kept[f"f{i}"] = body
        self.expect(answer, 507, "no_space")
        self.assertGreater(len(kept), 5)
        health = node.health()
        self.assertEqual((health["status"], health["reasons"]), ("degraded", ["disk_full", "read_only"]))
        self.assertLess(health["free_bytes"], 50_000)
        self.expect(node.put("small", b"words"), 507, "no_space")
        for name, body in kept.items():
            self.assertEqual(node.get(name).body, body)
        for name in list(kept)[:3]:
            self.expect(node.ask("DELETE", f"/v1/chunks/{name}"), 204)
        wait_for("space is seen", lambda: node.health()["status"] == "ok")
        self.expect(node.put("after", os.urandom(50_000)), 201)

    @contextlib.contextmanager
    def failing_flushes(self, node):
        """Every fdatasync of the node fails meanwhile."""
        if not shutil.which("strace"):
            self.skipTest("no strace here")
        command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=fdatasync:error=EIO", "-p", str(node.process.pid)]
        strace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            wait_for("strace holds every thread", lambda: strace.poll() is not None or traced(node.process.pid))
            if strace.poll() is not None:
                self.skipTest(f"strace may not attach here: {strace.stderr.read()}")
            yield
        finally:
            strace.terminate()
            strace.communicate(timeout=DEADLINE_S)

    def test_failed_flush_makes_it_read_only_for_good(self):
        node = self.start()
        self.expect(node.put("a", b"first"), 201)
        with self.failing_flushes(node):
            self.expect(node.put("b", b"second"), 500, "io")
        health = node.health()
        self.assertEqual((health["status"], health["reasons"]), ("failing", ["io_error", "read_only"]))
        refused = self.expect(node.put("c", b"third"), 503, "unavailable")
        self.assertIn("read-only", refused.json()["detail"])
        self.expect(node.ask("DELETE", "/v1/chunks/a"), 503, "unavailable")
        self.assertEqual(node.get("a").body, b"first")
        self.expect(node.get("b"), 404)

    def test_deleted_data_directory_is_said_and_nothing_is_taken_in(self):
        node = self.start()
        self.expect(node.put("a", b"first"), 201)
        os.rename(self.data, self.data + " gone")
        shutil.rmtree(self.data + " gone")
        wait_for("the node to say so", lambda: node.health()["status"] == "failing")
        self.assertEqual(node.health()["reasons"], ["data_missing", "read_only"])
        for answer in (node.put("b", b"second"), node.get("a"), node.ask("DELETE", "/v1/chunks/a")):
            refused = self.expect(answer, 503, "unavailable").json()
            self.assertIn("data directory", refused["detail"])
            self.assertNotIn(self.data, json.dumps(refused))
        self.assertFalse(os.path.exists(self.data))

    def test_second_process_is_told_who_holds_the_directory(self):
        node = self.start()
        second = run("--data", self.data, "--port", "0")
        self.assertEqual(second.returncode, 5)
        self.assertIn(f"agent-1/0 (pid {node.process.pid}, port {node.port}, version ", second.stderr)
        self.assertIn("Next: ", second.stderr)
        self.assertEqual(node.health()["status"], "ok")
        node.kill()
        self.start()

    def test_taken_port_is_an_error(self):
        node = self.start()
        other = os.path.join(self.directory, "other")
        second = run("--data", other, "--port", str(node.port))
        self.assertEqual(second.returncode, 5, second.stderr)
        self.assertIn(str(node.port), second.stderr)

    def test_wrong_options_are_refused_with_the_reason(self):
        for options, complaint in [
            (["--data", self.data, "--host", "0.0.0.0"], "loopback only"),
            (["--data", self.data, "--host", "example.com"], "loopback only"),
            ([], "--data"),
            (["--data", self.data, "--port", "70000"], "65535"),
            (["--data", self.data, "--log-level", "loud"], "debug"),
            (["--data", self.data, "extra"], "extra"),
            (["--dada", self.data], "--dada"),
        ]:
            refused = run(*options)
            self.assertEqual(refused.returncode, 2, refused.stderr)
            self.assertIn(complaint, refused.stderr)
        self.assertFalse(os.path.exists(self.data))

    def test_version_is_printed(self):
        told = run("--version")
        self.assertEqual(told.returncode, 0)
        self.assertRegex(told.stdout, r"^storage-server \d+\.\d+\.\d+\n$")


class Lifecycle(StorageServerTest):
    def test_lock_tells_the_agent_who_runs(self):
        node = self.start()
        with open(os.path.join(self.data, "lock"), encoding="utf-8") as file:
            lines = file.read().splitlines()
        note = json.loads(lines[0])
        with open(f"/proc/{node.process.pid}/stat", encoding="utf-8") as file:
            start_time = int(file.read().rsplit(")", 1)[1].split()[19])
        with open(PROGRAM, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:
            boot_id = file.read().strip()
        health = node.health()
        self.assertEqual(len(lines), 1)
        self.assertEqual(note, {"pid": node.process.pid, "start_time": start_time, "boot_id": boot_id, "sha256": digest,
                                "port": node.port, "nonce": "cafe", "id": "agent-1/0", "version": health["version"]})

    def test_health_tells_what_the_agent_asks(self):
        node = self.start()
        health = node.health()
        self.assertEqual((health["status"], health["reasons"], health["nonce"], health["id"]), ("ok", [], "cafe", "agent-1/0"))
        self.assertGreater(health["capacity_bytes"], health["free_bytes"])
        self.assertGreater(health["free_bytes"], 0)
        self.assertEqual(self.expect(node.ask("GET", "/v1/ok-to-stop"), 200).json(), {"ok": True, "reasons": []})

    def test_metrics_count_what_happens(self):
        node = self.start()
        node.put("a", b"words")
        page = node.ask("GET", "/metrics").body.decode()
        for line in ["grid_storage_chunks 1", "grid_storage_received_bytes_total 5",
                     'grid_storage_condition{reason="disk_full"} 0',
                     f'grid_build_info{{version="{node.health()["version"]}"}} 1']:
            self.assertIn(line + "\n", page)
        answered = 'grid_http_request_duration_seconds_count{route="/v1/chunks/:id",status="2xx"}'
        wait_for("the request is counted, which comes after its answer", lambda: node.metric(answered) == 1)

    def test_running_requests_finish_before_it_stops(self):
        node = self.start()
        with node.begin_put("slow", 6, b"abc") as connection:
            node.terminate()
            wait_for("draining", lambda: node.health()["reasons"] == ["draining"])
            self.expect(node.put("late", b"words"), 503, "unavailable")
            connection.sendall(b"def")
            self.assertTrue(connection.recv(4096).startswith(b"HTTP/1.1 201 "))
        self.assertEqual(node.exit_code(), 0)
        self.assertEqual(self.start().get("slow").body, b"abcdef")

    def test_request_without_end_does_not_keep_it_from_stopping(self):
        node = self.start("--drain-timeout", "300ms")
        with node.begin_put("endless", 1000, b"abc"):
            node.terminate()
            self.assertEqual(node.exit_code(), 0)
        self.expect(self.start().get("endless"), 404)

    def test_idle_node_stops_at_once(self):
        node = self.start("--drain-timeout", "1h")
        idle = http.client.HTTPConnection("127.0.0.1", node.port, timeout=DEADLINE_S)
        idle.request("GET", "/healthz")
        idle.getresponse().read()
        node.terminate()
        self.assertEqual(node.exit_code(), 0)
        idle.close()

    def test_full_house_still_answers_the_agent(self):
        node = self.start("--workers", "12")
        with contextlib.ExitStack() as stack:
            for i in range(8):  # all that may be under way
                stack.enter_context(node.begin_put(f"p{i}", 10, b"abc"))
            wait_for("all uploads run", lambda: len(node.files("tmp")) == 8)
            refused = self.expect(node.put("one-more", b"words"), 429, "rate_limited")
            self.assertIsNotNone(refused.headers["Retry-After"])
            self.assertEqual(node.health()["status"], "ok")


if __name__ == "__main__":
    unittest.main(verbosity=2)
