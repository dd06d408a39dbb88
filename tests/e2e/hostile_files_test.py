#!/usr/bin/python3
"""What lies in the drop box and is no binary, or is another one a moment later: refused with the reason, nothing changes,
and what is served is what was hashed."""
import os, shutil, socket, stat, sys, threading, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from grid import Process, program, wait_for
from master_case import Test, elf, script, sha256
from snapshot import snapshot

GOOD = "storage-server-3.0.0-linux-x86_64"
AARCH64 = 183


def named(number):
    return "storage-server-4.%d.0-linux-x86_64" % number


def write(path, content=None, mode=0o644):
    with open(path, "wb") as f:
        f.write(script("x") if content is None else content)
    os.chmod(path, mode)


def make_sparse(path):
    write(path)
    os.truncate(path, 1 << 40)


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)


def make_link(path):
    write(os.path.join(os.path.dirname(path), ".hidden"))
    os.link(os.path.join(os.path.dirname(path), ".hidden"), path)


# (name, what makes the file, code of the refusal, words in its reason, its name as it is shown)
HOSTILE = [
    (named(1), lambda p: os.symlink("/etc/passwd", p), "invalid", "symbolic link", None),
    (named(2), lambda p: os.symlink(GOOD, p), "invalid", "symbolic link", None),
    (named(3), make_link, "invalid", "hard link", None),
    (named(4), os.mkfifo, "invalid", "FIFO", None),
    (named(5), make_socket, "invalid", "socket", None),
    (named(6), os.mkdir, "invalid", "directory", None),
    (named(7), lambda p: os.mknod(p, stat.S_IFCHR | 0o600, os.makedev(1, 5)), "invalid", "device", None),
    (named(8), lambda p: write(p, b""), "invalid", "empty", None),
    (named(9), make_sparse, "too_large", "at most", None),
    (named(10), lambda p: write(p, elf(AARCH64)), "untrusted", "aarch64", None),
    (named(11), lambda p: write(p, b"\x7fELF\2\1\1"), "untrusted", "cut", None),
    (named(12), lambda p: write(p, elf(62)[:40]), "untrusted", "cut", None),
    (named(13), lambda p: write(p, mode=0o4755), "invalid", "set-user-ID", None),
    (named(14), lambda p: write(p, b"MZ\0\0"), "untrusted", "", None),
    ("-rf", write, "invalid", "-rf", None),
    ("--help-1.0.0-linux-x86_64", write, "invalid", "name", None),
    ("a\nb-1.0.0-linux-x86_64", write, "invalid", "name", "a?b-1.0.0-linux-x86_64"),
    ("\u202ea-1.0.0-linux-x86_64", write, "invalid", "name", "???a-1.0.0-linux-x86_64"),
    ("\x1b[31m-1.0.0-linux-x86_64", write, "invalid", "name", "?[31m-1.0.0-linux-x86_64"),
    ("a" * 255, write, "invalid", "longer than", None),
    ("STORAGE-SERVER-3.0.0-linux-x86_64", write, "invalid", "name", None),
    ("storage-server-3.0.0-Linux-x86_64", write, "invalid", "platform", None),
    ("storage-server-3.0-linux-x86_64", write, "invalid", "3.0", None),
    ("$(reboot)-1.0.0-linux-x86_64", write, "invalid", "name", None),
]


class Files(Test):
    def path(self, name):
        return os.path.join(self.grid.binaries, name)

    def rejected(self):
        return {r["file"]: r for r in self.grid.api("GET", "/api/binaries/rejected")}

    def publish_good(self):
        write(self.path(GOOD), script("good"))
        wait_for(GOOD, lambda: [b for b in self.grid.api("GET", "/api/binaries") if b["path"] == GOOD])

    def test_hostile_files_are_refused_and_change_nothing(self):
        if os.getuid() != 0:
            self.skipTest("only root makes devices")
        self.publish_good()
        before = snapshot(self.grid)
        for name, make, *_ in HOSTILE:
            make(self.path(name))
        wanted = {shown or name for name, _, _, _, shown in HOSTILE}
        wait_for("all to be refused", lambda: wanted <= set(self.rejected()))
        found = self.rejected()
        for name, _, code, words, shown in HOSTILE:
            refusal = found[shown or name]
            self.assertEqual(refusal["code"], code, refusal)
            self.assertIn(words, refusal["reason"], refusal)
        self.assertEqual(set(found), wanted)
        self.assertEqual(snapshot(self.grid), before)
        self.assertEqual(self.get("/binaries/" + GOOD).body, script("good"))
        self.assertEqual(self.grid.gridctl("binary", "list").returncode, 0)
        for name, *_ in HOSTILE:
            path = self.path(name)
            os.rmdir(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
        wait_for("the refusals to go", lambda: not self.rejected())
        self.assertEqual(snapshot(self.grid), before)

    def test_file_that_is_changed_all_the_time_is_served_as_it_was_hashed(self):
        contents = [b"#!/bin/sh\n" + letter * 300000 for letter in (b"a", b"b")]
        over = threading.Event()

        def change(path):
            turn = 0
            while not over.is_set():
                turn += 1
                if turn % 3:
                    with open(path, "r+b") as f:  # in place
                        f.write(contents[turn % 2])
                else:
                    write(path + ".part", contents[turn % 2])
                    os.rename(path + ".part", path)
                over.wait(0.002 * (turn % 40))

        paths = [self.path("storage-server-5.%d.0-linux-x86_64" % i) for i in range(6)]
        for path in paths:
            write(path, contents[0])
        threads = [threading.Thread(target=change, args=(path,)) for path in paths]
        for thread in threads:
            thread.start()
        self.addCleanup(lambda: (over.set(), [thread.join() for thread in threads]))
        for _ in range(60):
            over.wait(0.05)
            self.check_what_is_served(contents)
        over.set()
        for thread in threads:
            thread.join()
        wait_for("all of them", lambda: len(self.grid.api("GET", "/api/binaries")) == len(paths))
        self.check_what_is_served(contents)

    def check_what_is_served(self, contents):
        for binary in self.grid.api("GET", "/api/binaries"):
            body = self.get("/binaries/" + binary["path"]).body
            self.assertEqual(sha256(body), binary["checksum"])
            self.assertIn(body, contents, "a mixture is served")

    def test_unreadable_file_is_refused_until_it_can_be_read(self):
        if os.getuid() != 0:
            self.skipTest("only root starts a master as somebody else")
        nobody, home = 65534, os.path.join(self.grid.directory, "nobody")
        os.chmod(self.grid.directory, 0o755)
        box, state = os.path.join(home, "binaries"), os.path.join(home, "state")
        os.makedirs(box)
        os.mkdir(state)
        for path in (home, state):
            os.chown(path, nobody, nobody)
        shutil.copy(program("grid-master"), home)
        write(os.path.join(box, GOOD), script("good"), 0)
        master = Process("/usr/bin/setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", os.path.join(home, "grid-master"),
                                              "--state", state, "--binaries", box, "--http", "0", "--bus", "0",
                                              "--scan-interval", "1s"], home + "-run")
        self.grid.other.append(master)
        url = wait_for("the master", lambda: [l.split()[1] for l in master.out().splitlines() if l.startswith("http ")])[0]
        with open(os.path.join(state, "admin.token")) as f:
            token = f.read().strip()
        refused = wait_for("the refusal", lambda: self.grid.api("GET", "/api/binaries/rejected", token=token, url=url))
        self.assertEqual((refused[0]["file"], refused[0]["code"]), (GOOD, "denied"))
        os.chmod(os.path.join(box, GOOD), 0o644)
        wait_for("the binary", lambda: self.grid.api("GET", "/api/binaries", token=None, url=url))


if __name__ == "__main__":
    unittest.main()
