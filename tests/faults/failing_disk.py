"""A disk that fails below a directory, for programs that run already, and only as long as a test wants.

    disk = FailingDisk(self, folder)                  # before the program starts
    ...start it with env=disk.environment
    with disk.failing("flush", agent.state + "/store"):
        ...
"""
import contextlib, mmap, os, struct

from preload import preload

CALLS = {"open": 1, "read": 2, "write": 4, "flush": 8, "rename": 16}
HEAD, BELOW_BYTES = struct.Struct("qqq"), 1024


class FailingDisk:
    def __init__(self, test, folder):
        path = os.path.join(folder, "failing_disk")
        with open(path, "w+b") as file:
            file.truncate(HEAD.size + BELOW_BYTES)
            self.order = mmap.mmap(file.fileno(), 0)
        test.addCleanup(self.order.close)
        self.environment = dict(preload("failing_disk.c", folder), FAILING_DISK=path)

    @contextlib.contextmanager
    def failing(self, calls, below, passed=0):
        """These calls ("flush", "open read", ...) on what begins with this path give EIO, after so many went well."""
        folder, name = os.path.split(below)  # the name may be a link's own
        path = os.path.join(os.path.realpath(folder), name)
        self.order[HEAD.size:] = path.encode().ljust(BELOW_BYTES, b"\0")
        self.order[:HEAD.size] = HEAD.pack(sum(CALLS[call] for call in calls.split()), passed, 0)
        try:
            yield
        finally:
            self.order[:8] = bytes(8)

    @property
    def failed(self):
        """How many calls failed since it began."""
        return HEAD.unpack(self.order[:HEAD.size])[2]
