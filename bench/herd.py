"""A master with thousands of agents that are not there: what bench/heartbeats, bench/lists and their tests share."""
import contextlib, json, os, subprocess, sys, threading, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
os.environ.setdefault("GRID_BUILD_DIR", os.path.join(ROOT, "build/release"))
sys.path.insert(0, os.path.join(ROOT, "tests/e2e"))
from grid import Grid, wait_for  # noqa: E402 (the path comes first)

# The portable build has none, so that it may come from another.
HERD = os.path.join(os.path.abspath(os.environ.get("HERD_BUILD_DIR", os.environ["GRID_BUILD_DIR"])), "bin/grid-herd")
# What a master needs that so many agents of one address are not kept out.
ROOM = ["--max-agents", "20000", "--bus-connections", "0", "--bus-connections-per-address", "0"]
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Scope(contextlib.ExitStack):
    """Stands for the test that a Grid belongs to."""
    addCleanup = contextlib.ExitStack.callback


class Herd:
    """count agents that the grid's master knows, connected by one process."""

    def __init__(self, grid, count):
        self.grid, self.count = grid, count
        self.keys = os.path.join(grid.directory, "herd.keys")
        grid.master.stop()
        subprocess.run([HERD, "provision", grid.master.state, str(count), self.keys], check=True)
        grid.start_master()

    def __enter__(self):
        self.popen = subprocess.Popen(
            [HERD, "run", self.grid.master.bus, self.grid.master.state, str(self.count), self.keys],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.started_at_s = time.monotonic()
        return self

    def __exit__(self, *failure):
        self.popen.stdin.close()
        self.popen.wait()
        self.popen.stdout.close()

    def order(self, words):
        self.popen.stdin.write(words + "\n")
        self.popen.stdin.flush()
        return json.loads(self.popen.stdout.readline())

    def status(self):
        return self.order("status")

    def wait_live(self):
        """When the last of them had a session (monotonic seconds)."""
        return wait_for("%d agents to be live" % self.count, lambda: self.status()["all_live_at_s"], 120)

    def wait_up(self):
        """Until the master has taken a heartbeat of each."""
        wait_for("%d agents to be up" % self.count,
                 lambda: self.grid.api("GET", "/api/summary")["agents"]["up"] == self.count, 120)


class Health:
    """Asks /healthz again and again while the with block runs; longest_s is the slowest answer."""

    def __init__(self, grid):
        self.grid, self.longest_s, self.answers, self.over = grid, 0.0, 0, threading.Event()
        self.thread = threading.Thread(target=self.ask)

    def ask(self):
        while not self.over.is_set():
            begun = time.monotonic()
            if self.grid.request("GET", "/healthz", token=None).status == 200:
                self.answers += 1
            self.longest_s = max(self.longest_s, time.monotonic() - begun)
            self.over.wait(0.02)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *failure):
        self.over.set()
        self.thread.join()


def cpu_s(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def resident_bytes(pid):
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS:"))


def row(name, value, unit, goal=None):
    """One figure; with a goal its share of it, where less than 1 is better."""
    judged = "" if goal is None else "goal %g %s, ratio %.2f%s" % (goal, unit, value / goal, "" if value <= goal else "  MISSED")
    print("  %-64s %10.3f %-6s %s" % (name, value, unit, judged), flush=True)
