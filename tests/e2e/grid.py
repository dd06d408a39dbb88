"""A grid of real programs for end-to-end tests: one master, agents, their nodes, REST and gridctl.

Everything lives in one temporary directory, listens on ports the kernel picks, and is stopped by its own process
ids when the test ends. Conditions are waited for with a deadline; nothing sleeps for luck.
"""
import contextlib, functools, hashlib, json, os, random, shutil, signal, socket, ssl, subprocess, tempfile, time
import urllib.error, urllib.request

BUILD = os.environ.get("GRID_BUILD_DIR") or os.path.join(os.path.dirname(__file__), "../../build/dev")
BIN = os.path.abspath(os.path.join(BUILD, "bin"))
PORTS_EACH = 20
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # As a shell starts what runs in its background: whatever we start would ignore it, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
claims = []  # sockets of this process's ranges of ports
PATIENCE_S = float(os.environ.get("GRID_TEST_PATIENCE_S", "60"))


def program(name):
    return os.path.join(BIN, name)


def storage_server(version):
    """Path of a real storage-server build of this version."""
    return os.path.join(BIN, "versions", "storage-server-" + version)


def grid_agent(version):
    """Path of a real grid-agent build of this version."""
    return os.path.join(BIN, "versions", "grid-agent-" + version)


def here():
    """This machine as the grid names it: "linux-x86_64"."""
    return "linux-" + os.uname().machine


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def wait_for(what, condition, patience_s=None):
    """Returns the first true value of condition(); fails naming what was waited for and what was seen last."""
    deadline = time.monotonic() + (patience_s or PATIENCE_S)
    seen = None
    while time.monotonic() < deadline:
        try:
            seen = condition()
            if seen:
                return seen
        except (OSError, ApiError) as error:
            seen = error
        time.sleep(0.05)
    raise AssertionError("waited in vain for %s; last seen: %r" % (what, seen))


def alive(pid):
    """Whether the process runs (a zombie does not)."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def processes_of(directory):
    """Pids of the storage-servers that serve a data directory below this one."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                words = f.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        if "--data" in words and words[words.index("--data") + 1].startswith(directory) and alive(int(pid)):
            found.append(int(pid))
    return sorted(found)


def kill_nodes(directory):
    """Kills the storage-servers that serve a data directory below this one. One may be ending by itself."""
    for pid in processes_of(directory):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for("the nodes to end", lambda: not processes_of(directory))


def sanitizer_reports(directory):
    """What sanitizers said in any log file below the directory."""
    found = []
    for folder, _, names in os.walk(directory):
        for path in (os.path.join(folder, n) for n in names if n in ("stderr", "log", "log.1")):
            with open(path, errors="replace") as f:
                words = f.read()
            marks = [words.find(m) for m in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:",
                                             "WARNING: ThreadSanitizer") if m in words]
            if marks:
                found.append("%s:\n%s" % (path, words[min(marks):][:6000]))
    return found


@functools.cache
def port_range(owner):
    """"A-B" for the nodes of this owner. No other has any of these ports for as long as this process lives, which the
    socket says to all others in the same network namespace: machines of their own."""
    for first in random.sample(range(10000, 20000, PORTS_EACH), 10000 // PORTS_EACH):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind("\0grid-test-ports-%d" % first)
        except OSError:
            claim.close()
            continue
        claims.append(claim)
        return "%d-%d" % (first, first + PORTS_EACH - 1)
    raise AssertionError("no range of ports is left for %s" % owner)


class ApiError(Exception):
    def __init__(self, status, problem, headers):
        super().__init__("%d %s" % (status, problem))
        self.status, self.problem, self.headers = status, problem, headers


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class Process:
    """A program with its output in files, so that a dead test never blocks it."""

    def __init__(self, name, arguments, directory, env=None, stdin=None, wrapper=()):
        os.makedirs(directory, exist_ok=True)
        self.name, self.out_path, self.err_path = name, os.path.join(directory, "stdout"), os.path.join(directory, "stderr")
        full = dict(os.environ)
        for key in ("GRID_TOKEN", "GRID_URL", "GRID_STATE", "HTTP_PORT", "BUS_PORT", "BINARIES_DIR"):
            full.pop(key, None)
        if name.startswith(("grid-agent", "grid-launcher")) and "--node-ports" not in arguments:
            full["GRID_NODE_PORTS"] = port_range(directory)
        full.update(env or {})
        with open(self.out_path, "ab") as out, open(self.err_path, "ab") as err:
            self.popen = subprocess.Popen([*wrapper, program(name)] + arguments, cwd=directory, stdout=out, stderr=err, env=full,
                                          stdin=subprocess.DEVNULL if stdin is None else stdin)
        self.pid = self.popen.pid

    def out(self):
        with open(self.out_path, errors="replace") as f:
            return f.read()

    def err(self):
        with open(self.err_path, errors="replace") as f:
            return f.read()

    def running(self):
        return self.popen.poll() is None

    def wait(self, patience_s=None):
        try:
            return self.popen.wait(patience_s or PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError("%s (pid %d) did not end; it said:\n%s" % (self.name, self.pid, self.err()[-3000:]))

    def stop(self, signal_number=signal.SIGTERM):
        if self.running():
            self.popen.send_signal(signal_number)
        return self.wait()

    def kill(self):
        return self.stop(signal.SIGKILL)


class Master(Process):
    def __init__(self, grid, arguments=(), http="0", bus="0", answers="/readyz", **options):
        self.grid, self.answers = grid, answers
        self.state = os.path.join(grid.directory, "master")
        super().__init__("grid-master", ["--state", self.state, "--binaries", grid.binaries, "--http", http, "--bus", bus,
                                         "--scan-interval", "1s", *arguments], os.path.join(grid.directory, "master-run"), **options)
        wait_for("the master to answer", self.ready)

    def ready(self):
        if not self.running():
            raise AssertionError("the master ended with %s:\n%s" % (self.popen.returncode, self.err()[-3000:]))
        lines = self.out().splitlines()
        http = [l.split()[1] for l in lines if l.startswith("http ")]
        bus = [l.split()[1] for l in lines if l.startswith("bus ")]
        if not http or not bus:
            return False
        self.url, self.bus = self.reached_at(http[-1]), bus[-1]
        return self.grid.request("GET", self.answers, token=None, url=self.url).status == 200

    def reached_at(self, url):
        """How the test itself gets to what the master printed."""
        return url.replace("//0.0.0.0:", "//127.0.0.1:")


class Agent(Process):
    def __init__(self, grid, agent_id, arguments=(), token=None, env=None, state=None, master=None, name="grid-agent",
                 **options):
        self.id, self.grid = agent_id, grid
        self.state = state or os.path.join(grid.directory, agent_id)
        full = dict(env or {})
        if token:
            full["GRID_TOKEN"] = token
        address = ["--master", master] if master else []
        super().__init__(name, ["--id", agent_id, "--state", self.state, *address, *arguments],
                         os.path.join(grid.directory, agent_id + "-run"), full, **options)


class Grid:
    """grid = Grid(self); grid.publish("1.0.0"); grid.agent("a-1"); grid.wait_healthy("a-1", "1.0.0")"""

    def __init__(self, test, master_arguments=(), start=True, directory=None):
        self.directory = directory or tempfile.mkdtemp(prefix="grid-e2e-")
        self.binaries = os.path.join(self.directory, "binaries")
        os.mkdir(self.binaries)
        self.master_arguments = list(master_arguments)
        self.agents, self.master, self.other = {}, None, []
        test.addCleanup(self.close)
        if start:
            self.start_master()

    def start_master(self, **options):
        """Starts it, on the ports it had before if it ran already, so that agents find it again."""
        if self.master is not None:
            options.setdefault("http", self.master.url.rsplit(":", 1)[1])
            options.setdefault("bus", self.master.bus.rsplit(":", 1)[1])
        self.master = Master(self, self.master_arguments, **options)
        return self.master

    @property
    def token(self):
        with open(os.path.join(self.master.state, "admin.token")) as f:
            return f.read().strip()

    @property
    def ca(self):
        """The file of the grid's own CA."""
        return os.path.join(self.master.state if self.master else os.path.join(self.directory, "master"), "tls/ca.pem")

    def tls(self, url):
        """Whom to believe at this URL: the grid's own CA, where the master speaks TLS."""
        return ssl.create_default_context(cafile=self.ca) if url.startswith("https://") else None

    def request(self, method, path, body=None, headers=None, token="admin", url=None):
        """Any answer, errors too. body: bytes, or something that becomes JSON."""
        all_headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            all_headers.setdefault("Content-Type", "application/json")
        if token:
            all_headers["Authorization"] = "Bearer " + (self.token if token == "admin" else token)
        request = urllib.request.Request((url or self.master.url) + path, body, all_headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30, context=self.tls(request.full_url)) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read())

    def api(self, method, path, body=None, **options):
        """The decoded answer; raises ApiError with the problem for statuses of 400 and above."""
        answer = self.request(method, path, body, **options)
        if answer.status >= 400:
            raise ApiError(answer.status, answer.body.decode(errors="replace"), answer.headers)
        return answer.json() if answer.body else None

    def join(self, **order):
        return self.api("POST", "/api/tokens", dict(kind="join", **order))["join"]

    def agent(self, agent_id, *arguments, join=None, **options):
        """Starts an agent; one without identity yet gets a join string of its own."""
        state = options.get("state") or os.path.join(self.directory, agent_id)
        if join is None and not os.path.exists(os.path.join(state, "identity")):
            join = self.join()
        self.agents[agent_id] = Agent(self, agent_id, arguments, token=join, **options)
        return self.agents[agent_id]

    def drop(self, path, name):
        """Puts a file into the drop box under this name, whole at once."""
        temporary = os.path.join(self.binaries, "." + name)
        shutil.copy(path, temporary)
        os.rename(temporary, os.path.join(self.binaries, name))

    def publish(self, version, platform=None):
        """Drops a real build and waits until it is in the catalog."""
        self.drop(storage_server(version), "storage-server-%s-%s" % (version, platform or here()))
        return wait_for("binary %s" % version, lambda: next(
            (b for b in self.api("GET", "/api/binaries") if b["version"] == version), None))

    def set_channel(self, version, name="stable"):
        return self.api("PUT", "/api/channels/" + name, {"version": version})

    def show(self, agent_id):
        return self.api("GET", "/api/agents/" + agent_id)

    def nodes(self, agent_id):
        return self.show(agent_id)["nodes"]

    def wait_healthy(self, agent_id, version=None, nodes=1):
        """Waits until every node of the agent is healthy on this version; gives the agent."""
        def healthy():
            agent = self.show(agent_id)
            good = [n for n in agent["nodes"] if n["state"] == "healthy" and version in (None, n["version"])]
            return agent if agent["status"] == "up" and len(good) == len(agent["nodes"]) == nodes else None
        try:
            return wait_for("%s to be healthy on %s" % (agent_id, version), healthy)
        except AssertionError as error:
            said = self.agents[agent_id].err()[-3000:] if agent_id in self.agents else ""
            raise AssertionError("%s\n%s\nagent said:\n%s" % (error, json.dumps(self.show(agent_id), indent=1), said))

    def events(self, **filters):
        query = "&".join("%s=%s" % pair for pair in dict(since=0, limit=1000, **filters).items())
        return self.api("GET", "/api/events?" + query)

    def gridctl(self, *arguments, token="admin", stdin=None, env=None):
        """Runs gridctl against this master: a CompletedProcess with text output."""
        full = dict(os.environ, GRID_URL=self.master.url, NO_COLOR="1", HOME=self.directory)
        if self.master.url.startswith("https://"):
            full["GRID_CA"] = self.ca
        full.update(env or {})
        full.pop("GRID_STATE", None)
        if token:
            full["GRID_TOKEN"] = self.token if token == "admin" else token
        return subprocess.run([program("gridctl"), *arguments], env=full, input=stdin, capture_output=True, text=True,
                              timeout=PATIENCE_S * 2, cwd=self.directory)

    def close(self):
        """Stops agents, their nodes and the master; fails the test when a program ended by a sanitizer's report."""
        for process in [*self.agents.values(), *self.other, *([self.master] if self.master else [])]:
            if process.running():
                process.stop()
        kill_nodes(self.directory)
        bad = sanitizer_reports(self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)
        if bad:
            raise AssertionError("a sanitizer reported:\n" + "\n".join(bad))

