"""Kills at the Nth system call: what the tests of every step share."""
import itertools, os, queue, random, re, signal, struct, subprocess, tempfile, threading, time

import grid as e2e
from scale import CALLS, FULL, SEED, say

PROGRESS = 100  # kills between two lines that tell how far it is
FAILURES_MOST = 10
ROUNDS_MOST = 5

KILL_AT = os.path.abspath(os.path.join(e2e.BUILD, "tests", "kill-at"))


def usable():
    """Whether processes may be traced here."""
    with tempfile.NamedTemporaryFile() as counter:
        return subprocess.run([KILL_AT, counter.name, "", "0", "/bin/true"], capture_output=True).returncode == 0


def end(process):
    """Kills what runs below kill-at and waits until it is gone, not only its tracer."""
    process.stop(signal.SIGINT)


class Steps:
    """wrapper(n) goes before a program that dies at its nth call, count() tells how many it made."""

    def __init__(self, directory, name, begin="", children=False):
        self.path, self.begin = os.path.join(directory, name + ".calls"), begin
        self.options = ["--children"] if children else []

    def wrapper(self, n):
        return [KILL_AT, *self.options, self.path, self.begin, str(n)]

    def count(self):
        with open(self.path, "rb") as file:
            return struct.unpack("q", file.read(8))[0]


def part(words):
    """(FROM, TO or None, STEP) of "FROM-TO/STEP", each of which may be missing; None for no words."""
    if not words:
        return None
    found = re.fullmatch(r"([1-9]\d*)?(-)?([1-9]\d*)?(?:/([1-9]\d*))?", words)
    if not found:
        raise SystemExit("GRID_FAULTS_CALLS is %r. Next: FROM-TO/STEP, such as 512, 100-200, 100- or /7" % words)
    first, dash, last, step = found.groups()
    alone = first if not dash else None
    return int(first or 1), int(last or alone or 0) or None, int(step or 1)


PART = part(CALLS)


def points(count, sample):
    """The calls to kill at: each one, or those that GRID_FAULTS_CALLS names; under ctest a sample that the seed draws."""
    everything = range(1, count + 1)
    if PART:
        first, last, step = PART
        return list(everything[first - 1:last:step])
    return list(everything) if FULL else sorted(random.Random(SEED).sample(everything, min(sample, count)))


def kill_at_points(measure, hurt, sample):
    """(calls of a run, how many of the points in it killed). measure() makes an undisturbed run and counts its calls,
    hurt(n) tells whether call n killed. While a run stalls others make calls that the next one does not reach: where no
    point killed, it is measured again."""
    for _ in range(ROUNDS_MOST):
        count = measure()
        died = sum(hurt(n) for n in points(count, sample))
        if died:
            break
    return count, died


class Matrix:
    """The calls of one thing, each of which kills once, in several lanes at a time.

        found = Matrix("update", count, sample).run(lanes)  # lanes: functions that are given a call, and tell whether
                                                            # it killed and a list of what is wrong since
    """

    def __init__(self, what, count, sample, failures_most=FAILURES_MOST):
        self.what, self.count, self.failures_most, self.todo = what, count, failures_most, queue.SimpleQueue()
        self.chosen, self.died, self.failures, self.begun = points(count, sample), 0, [], time.monotonic()
        for n in self.chosen:
            self.todo.put(n)
        self.tried, self.lock = itertools.count(1), threading.Lock()

    def run(self, lanes):
        threads = [threading.Thread(target=self.work, args=(hurt,)) for hurt in lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.label = "%s: %d calls, %d tried, killed at %d of them, %d failures (seed %d) in %.0f s" % (
            self.what, self.count, next(self.tried) - 1, self.died, len(self.failures), SEED,
            time.monotonic() - self.begun)
        say(self.label)
        return self.failures

    def work(self, hurt):
        while len(self.failures) < self.failures_most:
            try:
                n = self.todo.get_nowait()
            except queue.Empty:
                return
            try:
                died, found = hurt(n)
            except Exception as error:
                died, found = True, [repr(error)]
            self.note(n, died, found)

    def note(self, n, died, found):
        with self.lock:
            self.died += died
            self.failures += ["call %d: %s" % (n, words) for words in found]
            tried = next(self.tried)
        for words in found:
            say("%s: call %d: %s" % (self.what, n, words))
        if tried % PROGRESS == 0:
            say("%s: %d of %d calls tried, the latest was %d, %d failures" % (
                self.what, tried, len(self.chosen), n, len(self.failures)))
