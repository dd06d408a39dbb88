"""Calls to the disk that fail with EIO: reported, nothing acknowledged in vain, nothing half-done, well afterwards."""
import contextlib, http.client, os, random, shutil, signal, subprocess, unittest

import checker
from grid import Grid, Process, wait_for
from ledger import Ledger
from load import FAULTS, VERSIONS, content, sha256
from master_case import elf
from scale import FULL, SEED, say, scale

CALLS = ("fdatasync", "fsync", "pwrite64", "renameat2", "rename")  # those that make durable
SURE = [("fdatasync", "4+"), ("pwrite64", "12+")]  # in the middle of what is asked, whatever the sample


def tracing():
    command = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "true"]
    return shutil.which("strace") and subprocess.run(command, capture_output=True).returncode == 0


def failing(call, when):
    """Words before a program of which this call fails: in each thread the one of this number, "N+": and all after."""
    return ["strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=" + call,
            "-e", "inject=%s:error=EIO:when=%s" % (call, when)]


def points(sample):
    every = [(call, n) for call in CALLS for n in range(1, 11)]
    chosen = every if FULL else random.Random(SEED).sample(every, sample)
    return SURE + [(call, "%d%s" % (n, random.Random("%s%d" % (call, n)).choice(("", "+")))) for call, n in chosen]


def end_tracee(process):
    """Kills the program below strace, not strace, which would let go of it."""
    with open("/proc/%d/task/%d/children" % (process.pid, process.pid)) as file:
        pids = [int(word) for word in file.read().split()]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


class IoErrors(unittest.TestCase):
    def setUp(self):
        if not tracing():
            self.skipTest("strace is not here or may not trace")
        self.grid, self.ledger, self.number = Grid(self, start=False), Ledger(), 0

    def each(self, what, sample, hurt):
        chosen, ended = points(sample), 0
        for call, when in chosen:
            found, early = hurt(call, when)
            ended += early
            self.assertEqual(found, [], "%s, %s number %s gives EIO (seed %d)" % (what, call, when, SEED))
        say("EIO, %s: %d points, %d ended it, %d acknowledged, %d in doubt" % (
            what, len(chosen), ended, self.ledger.acknowledged, self.ledger.doubtful))

    def use_master(self):
        """Statuses of what a client asks; no answer counts as none."""
        self.number += 1
        body, version = elf(62) + content(str(self.number), 30_000), "1.0.%d" % self.number
        file = "tool-%s-linux-x86_64" % version
        wanted = VERSIONS[self.number % 2]
        for kind, key, value, method, path, words in (
                ("channel", "stable", wanted, "PUT", "/api/channels/stable", {"version": wanted}),
                ("binary", file, sha256(body), "PUT", "/api/binaries/%s/linux/x86_64?name=tool" % version, body)):
            try:
                with self.ledger.doing(kind, key, value) as op:
                    status = self.grid.request(method, path, words).status
                    op.answered(status)
                    yield status
            except FAULTS:
                yield 0

    def start_plain(self):
        self.grid.start_master()
        if not self.number:
            for version in VERSIONS:
                self.grid.publish(version)

    def master_is_well(self):
        self.grid.start_master()
        return (checker.database(self.grid, self.ledger) + checker.settled(checker.objects, self.grid) +
                checker.events(self.grid, self.ledger))

    def test_master_acknowledges_nothing_that_went_wrong(self):
        self.start_plain()

        def hurt(call, when):
            self.grid.master.kill()
            early = False
            try:
                master = self.grid.start_master(wrapper=failing(call, when), answers="/healthz")  # ready it need not be
                list(self.use_master())
                end_tracee(master)
            except AssertionError as error:
                early = "the master ended with" in str(error)
                if not early:
                    raise
                self.assertIn("nput/output error", str(error))
            return self.master_is_well(), early

        self.each("master", scale(6, 0), hurt)

    def put_chunks(self, port):
        for _ in range(3):
            self.number += 1
            name, body = "c%d" % self.number, content(str(self.number), 200_000)
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                with contextlib.closing(connection), self.ledger.doing("chunk", ("n", name), sha256(body)) as op:
                    connection.request("PUT", "/v1/chunks/" + name, body)
                    op.answered(connection.getresponse().status)
            except FAULTS:
                continue

    def start_node(self, wrapper=()):
        """The process and its port, or None when it ended because of the fault."""
        data, self.runs = os.path.join(self.grid.directory, "data"), getattr(self, "runs", 0) + 1
        node = Process("storage-server", ["--data", data, "--port", "0", "--id", "n"],
                       os.path.join(self.grid.directory, "run-%d" % self.runs), wrapper=wrapper)
        wait_for("the node", lambda: "listening " in node.out() or not node.running())
        return node, int(node.out().rsplit(":", 1)[1]) if "listening " in node.out() else None

    def test_chunk_store_acknowledges_nothing_that_went_wrong(self):
        def hurt(call, when):
            node, port = self.start_node(failing(call, when))
            if port is not None:
                self.put_chunks(port)
                end_tracee(node)
            else:
                self.assertIn("nput/output error", node.err())
            well, port = self.start_node()
            sent = {chunk for _, chunk in self.ledger.known("chunk")}
            found = checker.chunks_of("n", port, sent, self.ledger)
            found += checker.settled(checker.leftovers, os.path.join(self.grid.directory, "data"), ("tmp",))
            well.kill()
            return found, port is None

        self.each("chunk store", scale(12, 0), hurt)


if __name__ == "__main__":
    unittest.main()
