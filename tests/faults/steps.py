"""Kills at the Nth system call: what the tests of every step share."""
import os, random, signal, struct, subprocess, tempfile

import grid as e2e
from scale import FULL, SEED

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


def points(count, sample):
    """Every call, or under ctest a sample that the seed draws."""
    everything = list(range(1, count + 1))
    return everything if FULL else sorted(random.Random(SEED).sample(everything, min(sample, count)))
