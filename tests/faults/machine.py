"""Disks, networks and clocks of a test alone. They are made in namespaces of the test's own process, so that the kernel
takes them back when it ends, however it ends.

    setUpModule = machine.private_mounts     # needs root: without it the module is skipped, with the reason
    directory = machine.directory(self)      # before Grid(self, directory=directory), so that it goes after it
    disk = machine.Ext4(self, directory + "/master")
    disk.cut_power(); ...kill what ran there...; disk.power_on()
"""
import ctypes, fcntl, json, os, shutil, struct, subprocess, tempfile, unittest

from grid import Master, wait_for

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
FS_IOC_SHUTDOWN, NOLOGFLUSH = 0x8004587D, 2


def run(*command, **options):
    """Runs it to its end; a failure carries what it said."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError("%s: exit %d: %s" % (" ".join(command), done.returncode, done.stderr.strip()))
    return done.stdout


def unshare(flags):
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root, for file systems and networks of its own")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        raise unittest.SkipTest("no namespaces here: " + os.strerror(ctypes.get_errno()))
    run("mount", "--make-rprivate", "/")


def private_mounts():
    unshare(CLONE_NEWNS)


def private_network():
    unshare(CLONE_NEWNS | CLONE_NEWNET)
    run("ip", "link", "set", "lo", "up")


def directory(test):
    path = tempfile.mkdtemp(prefix="grid-faults-")
    test.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return path


class Disk:
    """A file system of its own at a path that does not exist yet."""

    def __init__(self, test, path):
        self.path = path
        os.mkdir(path)
        self.mount()
        test.addCleanup(lambda: run("umount", "--lazy", self.path))

    def fill(self):
        """Leaves not one free byte; gives the path whose removal frees them."""
        path = os.path.join(self.path, "filler")
        with open(path, "ab", buffering=0) as f:
            for size in (1 << 20, 4096, 1):
                try:
                    while f.write(bytes(size)):
                        pass
                except OSError:
                    continue
        return path


class Tmpfs(Disk):
    def __init__(self, test, path, size):
        self.size = size
        super().__init__(test, path)

    def mount(self):
        run("mount", "-t", "tmpfs", "-o", "size=" + self.size, "tmpfs", self.path)


class Ext4(Disk):
    """ext4 on a loop device: what was not flushed when the power is cut is gone, as on a machine."""

    def __init__(self, test, path, size="160M"):
        self.image = path + ".ext4"
        run("truncate", "-s", size, self.image)
        run("mkfs.ext4", "-q", self.image)
        super().__init__(test, path)
        os.rmdir(os.path.join(path, "lost+found"))

    def mount(self):
        """The kernel's own flush every few seconds is put off: only what the programs flush counts."""
        try:
            run("mount", "-o", "loop,commit=600,errors=remount-ro", self.image, self.path)
        except RuntimeError as error:
            raise unittest.SkipTest("no loop devices here: %s" % error)

    def cut_power(self):
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, FS_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        finally:
            os.close(fd)

    def turn_read_only(self):
        """As the kernel does by itself when it finds the file system damaged, whatever is open there."""
        device = os.stat(self.path).st_dev
        name = os.path.basename(os.readlink("/sys/dev/block/%d:%d" % (os.major(device), os.minor(device))))
        try:
            with open("/sys/fs/ext4/%s/trigger_fs_error" % name, "w") as trigger:
                trigger.write("made by a test")
        except OSError as error:
            raise unittest.SkipTest("errors of a file system cannot be made here: %s" % error)

    def repair(self):
        """Once nobody has a file open there."""
        run("umount", self.path)
        subprocess.run(["e2fsck", "-p", self.image], capture_output=True)
        self.mount()

    def power_on(self):
        """Once nobody has a file open there."""
        run("umount", self.path)
        self.mount()


RULES = """
table inet faults
delete table inet faults
table inet faults {
  counter attempts { }
  counter dropped { }
  chain to_far { tcp flags & (syn | ack) == syn counter name attempts; %s; }
  chain from_far { %s; }
  chain output { type filter hook output priority 0; oifname "line" jump to_far; }
  chain input { type filter hook input priority 0; iifname "line" jump from_far; }
}
"""


class Far:
    """Another machine, behind two cables: `line`, which a test hurts, and `desk`, from which it looks on."""
    line, desk = "10.77.0.1", "10.77.1.1"

    def __init__(self, test):
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
        test.addCleanup(self.holder.wait)
        test.addCleanup(self.holder.kill)
        mine = os.readlink("/proc/self/ns/net")
        wait_for("its network", lambda: os.readlink("/proc/%d/ns/net" % self.holder.pid) != mine)
        self.wrapper = ("nsenter", "-t", str(self.holder.pid), "-n")
        for name, address in (("line", self.line), ("desk", self.desk)):
            run("ip", "link", "add", name, "type", "veth", "peer", "name", name, "netns", str(self.holder.pid))
            test.addCleanup(run, "ip", "link", "delete", name)  # at once: the kernel takes its time with namespaces
            self.cable((), name, address.rsplit(".", 1)[0] + ".2")
            self.cable(self.wrapper, name, address)

    @staticmethod
    def cable(where, name, address):
        """Single packets, as on a wire: otherwise one loss takes 64 kB."""
        run(*where, "ethtool", "-K", name, "gso", "off", "tso", "off", "gro", "off", "tx-udp-segmentation", "off")
        run(*where, "ip", "address", "add", address + "/24", "dev", name)
        run(*where, "ip", "link", "set", name, "up")

    def hurt(self, out="accept", into="accept"):
        """What becomes of packets to and from the far machine. Counts our attempts to connect, and what counts itself
        as dropped, from 0."""
        run("nft", "-f", "-", input=RULES % (out, into))

    def counted(self, name):
        listed = json.loads(run("nft", "-j", "list", "counter", "inet", "faults", name))
        return next(entry["counter"]["packets"] for entry in listed["nftables"] if "counter" in entry)


class FarMaster(Master):
    """FarMaster(grid, options, http="0.0.0.0:0", bus="0.0.0.0:0", wrapper=far.wrapper)"""

    def reached_at(self, url):
        return url.replace("0.0.0.0", Far.desk)
