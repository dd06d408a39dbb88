"""One real agent and a master that says what the test tells it to: for tests of what an agent does with its orders."""
import contextlib, functools, http.server, json, os, shutil, subprocess, tempfile, threading

from agent_helpers import own_ports
from grid import BUILD, Agent, grid_agent, here, kill_nodes, sanitizer_reports, storage_server, wait_for

MASTER = os.path.abspath(os.path.join(BUILD, "tests", "scripted-master"))


class Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        """An agent that is killed leaves its download half way."""


class Scripted:
    """s = Scripted(self, "1.0.0", "1.2.0"); s.agent(); s.want("1.0.0"); s.wait("idle", version="1.0.0")

    named: {file name: ",yanked" or ",floor=VERSION"}, what the targets say of that file."""

    def __init__(self, test, *versions, nodes=1, agents=(), directory=None, named=None):
        self.directory, self.nodes, self.generation = tempfile.mkdtemp(prefix="grid-e2e-", dir=directory), nodes, 0
        self.process, self.files, self.ports = None, None, own_ports()
        self.last, self.reports = {}, []  # reports: since the last order or start of the agent
        test.addCleanup(self.close)
        paths = [storage_server(v) for v in versions] + [grid_agent(v) for v in agents]
        files = [(path, "%s-%s" % (os.path.basename(path), here())) for path in paths]
        os.mkdir(os.path.join(self.directory, "binaries"))
        for path, name in files:
            shutil.copy(path, os.path.join(self.directory, "binaries", name))
        metadata = os.path.join(self.directory, "tuf", "metadata")
        os.makedirs(metadata)
        self.serve()
        pairs = [word for path, name in files for word in (path, name + (named or {}).get(name, ""))]
        self.master = subprocess.Popen([MASTER, metadata, *pairs], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        lines = [self.master.stdout.readline().split(" ", 1)[1] for _ in range(1 + len(files))]
        self.join = lines[0].strip()
        known = list(map(json.loads, lines[1:]))
        self.artifacts = {a["version"]: a for a in known[:len(versions)]}
        self.builds = {a["version"]: a for a in known[len(versions):]}
        self.listener = threading.Thread(target=self.listen)
        self.listener.start()

    def listen(self):
        for line in self.master.stdout:
            self.last = json.loads(line.split(" ", 1)[1])
            self.reports.append(self.last)

    def serve(self):
        handler = functools.partial(Files, directory=self.directory)
        self.files = Server(("127.0.0.1", 0), handler)
        threading.Thread(target=self.files.serve_forever, args=(0.05,)).start()

    def cut_files(self):
        """From now on no byte of a version can be had."""
        if self.files:
            self.files.shutdown()
            self.files.server_close()
            self.url, self.files = "http://127.0.0.1:%d" % self.files.server_port, None

    def kill_master(self):
        self.master.kill()
        self.master.wait()

    def agent(self, *arguments, **options):
        """Starts the agent, with the same state as before."""
        self.reports.clear()
        if self.files:
            self.url = "http://127.0.0.1:%d" % self.files.server_port
        self.process = Agent(self, "a-1", ["--nodes", str(self.nodes), "--master-binary-url", self.url, *self.ports,
                                            *arguments],
                             token=self.join, **options)
        return self.process

    def want(self, version, prefetch=None, mode="active", own=None, **grant):
        """The desired state from now on; grant: rollout, attempt, lease_ms, ...; own: of the agent's own program."""
        self.generation += 1
        self.reports.clear()
        desired = dict(self.artifacts[version], type="desired", generation=self.generation, mode=mode,
                       name="storage-server", reason="the test says so", grant=grant)
        if own:
            desired["self"] = own
        if prefetch:
            desired["prefetch"] = self.artifacts[prefetch]
        self.master.stdin.write(json.dumps(desired) + "\n")
        self.master.stdin.flush()

    def wait(self, state, **fields):
        """The update of the first report about the latest order, since that or the agent's start, with this state
        and these fields of its update or of itself. A state that has passed by meanwhile counts."""
        def right(report):
            seen = dict({"rollout": "", "cause": ""}, **report["update"], version=report["version"])
            return seen["state"] == state and report["generation"] == self.generation and \
                all(seen.get(k) == v for k, v in fields.items())
        return self.wait_for("update state %s with %s" % (state, fields),
                             lambda: next((r["update"] for r in list(self.reports) if right(r)), None))

    def wait_for(self, what, condition):
        try:
            return wait_for(what, condition)
        except AssertionError as error:
            raise AssertionError("%s\nlast report: %s\nagent said:\n%s" % (
                error, json.dumps(self.last, indent=1), self.process.err()[-4000:]))

    def wait_staged(self, version):
        size = self.artifacts[version]["size_bytes"]
        staged = dict(state="staged", sha256=self.artifacts[version]["sha256"], done_bytes=size, total_bytes=size)
        return self.wait_for("%s to be staged" % version, lambda: self.last.get("staging", {}) == staged)

    def tell(self, *rules, node=0):
        """Faults of the node's builds (storage-server/faults/faults.h), from now on."""
        path = os.path.join(self.process.state, "nodes", str(node), "data", "test-faults")
        with open(path + "-new", "w") as f:
            f.write("\n".join(rules))
        os.rename(path + "-new", path)

    def running(self):
        """The versions that its nodes run, by their records."""
        return [n["version"] for n in self.last["nodes"] if n["state"] != "stopped"]

    def starts(self, version):
        return self.process.err().count("version=%s sealed" % version)

    def close(self):
        self.cut_files()
        if self.process and self.process.running():
            self.process.stop()
        kill_nodes(self.directory)
        with contextlib.suppress(BrokenPipeError):
            self.master.stdin.close()
        self.master.wait()
        self.listener.join()
        self.master.stdout.close()
        bad = sanitizer_reports(self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)
        if bad:
            raise AssertionError("a sanitizer reported:\n" + "\n".join(bad))
