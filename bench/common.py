"""What the benchmarks share: where the programs are, a master of its own, rounds that alternate, and the table.

Every figure is the median of rounds in which ours and the rival take turns, so that a machine whose speed drifts
slows both alike. The ratio is the median of the rounds' ratios.
"""
import os, platform, shutil, socket, ssl, statistics, subprocess, sys, tempfile, time, urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("GRID_BUILD_DIR") or os.path.join(ROOT, "build/release")
PATIENCE_S = 60


def program(name):
    """Path of one of our programs; ends with the next step when it is not built."""
    for path in (os.path.join(BUILD, "bin", name), os.path.join(BUILD, "bench", name)):
        if os.access(path, os.X_OK):
            return path
    sys.exit("%s is not built in %s; next: cmake --preset release && cmake --build build/release --target bench" % (name, BUILD))


def tool(name, package):
    """Path of a rival or a load generator; ends with the package that holds it."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin") or sys.exit(
        "%s is missing; next: apt-get install %s" % (name, package))


def machine():
    with open("/proc/cpuinfo") as f:
        names = [line.split(":", 1)[1].strip() for line in f if line.startswith("model name")]
    return "%s, %d cores, Linux %s" % (names[0] if names else platform.machine(), os.cpu_count(), platform.release())


def wait_for(what, condition):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            if value := condition():
                return value
        except OSError:
            pass
        time.sleep(0.02)
    sys.exit("waited in vain for " + what)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def here():
    return "linux-" + os.uname().machine


def padded_build(path, size_bytes):
    """A real storage-server that is size_bytes long: what follows an ELF file's segments is never read."""
    shutil.copy(program("storage-server"), path)
    with open(path, "ab") as f:
        f.write(os.urandom(size_bytes - f.tell()))


class Directory:
    """with Directory() as path: a temporary directory and the processes started in it."""

    def __enter__(self):
        self.path, self.started = tempfile.mkdtemp(prefix="grid-bench-"), []
        return self

    def start(self, arguments, **options):
        log = open(os.path.join(self.path, os.path.basename(arguments[0]) + ".log"), "ab")
        self.started.append(subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options))
        return self.started[-1]

    def __exit__(self, *_):
        for process in reversed(self.started):
            process.terminate()
        for process in self.started:
            process.wait()
        shutil.rmtree(self.path, ignore_errors=True)


class Master:
    """A grid-master in a Directory; binaries may be dropped into .binaries before."""

    def __init__(self, directory, *arguments):
        self.directory = directory.path
        self.state = os.path.join(directory.path, "master")
        self.binaries = os.path.join(directory.path, "binaries")
        os.makedirs(self.binaries, exist_ok=True)
        self.process = directory.start([program("grid-master"), "--state", self.state, "--binaries", self.binaries,
                                        "--http", "0", "--bus", "0", *arguments])
        self.url = wait_for("the master", self.read_url)
        self.tls = ssl._create_unverified_context()  # figures, no secrets
        wait_for("a ready master", lambda: urllib.request.urlopen(self.url + "/readyz", context=self.tls).status == 200)

    def read_url(self):
        with open(os.path.join(self.state, "url")) as f:
            return f.read().strip()

    def published(self, name):
        """Waits until the file is served; its URL."""
        url = "%s/binaries/%s" % (self.url, name)
        wait_for(name, lambda: urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), context=self.tls).status == 200)
        return url


def alternate(rounds, ours, rival):
    """Runs both in turn, each first every other round: (median ours, median rival, median ratio)."""
    figures = []
    for number in range(rounds):
        if number % 2:
            b = rival()
            figures.append((ours(), b))
        else:
            a = ours()
            figures.append((a, rival()))
    return (statistics.median(a for a, _ in figures), statistics.median(b for _, b in figures),
            statistics.median(a / b for a, b in figures))


def table(title, columns, rows):
    """Prints a Markdown table, ready for docs/performance.md."""
    print("%s\n%s\n" % (title, machine()))
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(row) + " |")
