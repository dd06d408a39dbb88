#!/usr/bin/python3
"""Completion in real shells: what bash offers, what zsh offers, and that a hostile master runs nothing in them."""
import fcntl, json, os, pty, select, shutil, signal, socket, struct, subprocess, sys, tempfile, termios, threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from grid import Grid, PATIENCE_S, program, wait_for

ANY = "storage-server-%s-any-any"
KILL_LINE, DUMP = "\x15", "\x14"
BEGIN = {
    "bash": (["--norc", "--noprofile", "-i"], """PS1='ready> '
dump() { printf '%%s' "$READLINE_LINE" >%(file)s.new; mv %(file)s.new %(file)s; }
bind -x '"\\C-t": dump'
bind 'set completion-query-items 0'
bind 'set page-completions off'
source <(gridctl completion bash)
"""),
    "zsh": (["-f", "-i"], """PS1='ready> ' LISTMAX=10000
dump() { print -rn -- $BUFFER >%(file)s.new; mv %(file)s.new %(file)s }
zle -N dump
bindkey '^T' dump
autoload -Uz compinit && compinit -u -d %(file)s.compdump
source <(gridctl completion zsh)
"""),
}


class Shell:
    """A shell on a terminal of its own. type() gives the line as it is after Tab; shown is the screen since then."""

    def __init__(self, test, name, env):
        self.directory = tempfile.mkdtemp(prefix="grid-e2e-")
        test.addCleanup(shutil.rmtree, self.directory)
        self.file, self.shown = os.path.join(self.directory, "line"), ""
        arguments, begin = BEGIN[name]
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(self.directory)
            os.execvpe(name, [name, *arguments], dict(env, TERM="xterm", LC_ALL="C.UTF-8", HOME=self.directory))
        test.addCleanup(self.close)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        with open(os.path.join(self.directory, "begin"), "w") as f:
            f.write(begin % {"file": self.file})
        os.write(self.fd, b"source ./begin\n")
        wait_for("the shell", lambda: self.read() and "ready> " in self.shown)

    def read(self):
        while select.select([self.fd], [], [], 0)[0]:
            self.shown += os.read(self.fd, 65536).decode(errors="replace")
        return True

    def type(self, line, tabs=1):
        self.read()
        self.shown = ""
        if os.path.exists(self.file):
            os.remove(self.file)
        os.write(self.fd, (line + "\t" * tabs + DUMP + KILL_LINE).encode())
        wait_for("the line after Tab; the screen: %r" % self.shown, lambda: self.read() and os.path.exists(self.file))
        self.read()  # what it showed before it wrote that line
        with open(self.file) as f:
            return f.read()

    def close(self):
        os.close(self.fd)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


class CompletionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.addCleanup = cls.addClassCleanup  # the grid lives as long as the class
        cls.grid = Grid(cls)
        del cls.addCleanup
        for version in ("1.0.0", "1.1.0-rc.1"):
            path = os.path.join(cls.grid.directory, ANY % version)
            with open(path, "w") as f:
                f.write(version)
            assert cls.grid.gridctl("binary", "push", path).returncode == 0
        assert cls.grid.gridctl("channel", "set", "canary", "1.0.0").returncode == 0
        os.symlink(cls.grid.master.state, os.path.join(cls.grid.directory, "state"))

    def env(self, **more):
        return dict({k: v for k, v in os.environ.items() if not k.startswith("GRID_")},
                    PATH=os.path.dirname(program("gridctl")) + ":" + os.environ["PATH"], **more)

    def of_the_grid(self):
        return self.env(GRID_TOKEN=self.grid.token, GRID_URL=self.grid.master.url)

    def offers(self, line, env=None):
        """What bash offers where the line ends."""
        ask = 'source <(gridctl completion bash); COMP_LINE=$1 COMP_POINT=${#1}; _gridctl; printf "%s\\n" "${COMPREPLY[@]}"'
        result = subprocess.run(["bash", "--norc", "-c", ask, "bash", line], env=env or self.of_the_grid(), capture_output=True,
                                text=True, timeout=PATIENCE_S, cwd=self.grid.directory, stdin=subprocess.DEVNULL)
        self.assertEqual(result.stderr, "")
        return result.stdout.split()

    def test_bash_offers_nouns_verbs_and_options(self):
        self.assertEqual(self.offers("gridctl ag"), ["agent"])
        self.assertIn("join-command", self.offers("gridctl agent "))
        self.assertNotIn("join-command", self.offers("gridctl --output json node "))
        self.assertEqual(self.offers("gridctl agent join-command --us"), ["--uses"])
        self.assertEqual(self.offers("gridctl status --tok"), ["--token-file"])
        self.assertEqual(self.offers("gridctl --vers"), ["--version"])
        self.assertIn("--timeout", self.offers("gridctl status "))

    def test_bash_offers_the_values_of_options_and_arguments(self):
        formats = ["table", "wide", "json", "name"]
        self.assertEqual(self.offers("gridctl agent list -o "), formats)
        self.assertEqual(self.offers("gridctl agent list --output="), formats)
        self.assertEqual(self.offers("gridctl agent list --output=j"), ["json"])
        self.assertEqual(self.offers("gridctl token create --role p"), ["publisher"])
        self.assertEqual(self.offers("gridctl token create --kind "), ["api", "join"])
        self.assertEqual(self.offers("gridctl event tail --kind "), [])
        self.assertEqual(self.offers("gridctl completion z"), ["zsh"])
        self.assertEqual(self.offers("gridctl api "), ["GET", "POST", "PUT", "PATCH", "DELETE"])

    def test_bash_offers_what_the_master_lists(self):
        self.assertEqual(self.offers("gridctl binary show storage-server-1.0"), [ANY % "1.0.0"])
        self.assertEqual(self.offers("gridctl channel set can"), ["canary"])
        self.assertEqual(self.offers("gridctl channel set canary "), ["1.0.0", "1.1.0-rc.1"])
        self.assertEqual(self.offers("gridctl agent label a-1 --channel c"), ["canary"])
        token_id = self.grid.gridctl("token", "create").stdout.strip()[3:].split(".")[0]
        self.assertEqual(self.offers("gridctl token revoke --yes x " + token_id[:8]), [token_id])

    def test_names_come_from_the_master_that_the_line_names(self):
        lost = self.env(GRID_URL="http://127.0.0.1:1", GRID_TOKEN=self.grid.token)
        self.assertEqual(self.offers("gridctl channel set c", lost), [])
        self.assertEqual(self.offers("gridctl --url %s channel set c" % self.grid.master.url, lost), ["canary"])
        self.assertEqual(self.offers("gridctl channel --url=%s set c" % self.grid.master.url, lost), ["canary"])
        self.assertEqual(self.offers("gridctl channel set --state ~/state c", self.env(HOME=self.grid.directory)), ["canary"])

    def test_a_hostile_master_runs_nothing_in_the_shell_that_completes(self):
        mark = os.path.join(self.grid.directory, "mark")
        body = json.dumps([{"id": "$(touch %s)" % mark}, {"id": "`touch %s`" % mark}, {"id": "good"}]).encode()
        with socket.create_server(("127.0.0.1", 0)) as hostile:
            def serve():
                connection, _ = hostile.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                                       b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            server = threading.Thread(target=serve)
            server.start()
            url = "http://127.0.0.1:%d" % hostile.getsockname()[1]
            offered = self.offers("gridctl token revoke ", self.env(GRID_URL=url, GRID_TOKEN="gt_x.y"))
            server.join()
        self.assertEqual(offered, ["good"])
        self.assertEqual(self.offers("gridctl --url $(touch${IFS}%s) channel set " % mark), [])
        self.assertFalse(os.path.exists(mark))

    def common_lines(self, shell):
        self.assertEqual(shell.type("gridctl ag"), "gridctl agent ")
        self.assertEqual(shell.type("gridctl agent join"), "gridctl agent join-command ")
        self.assertEqual(shell.type("gridctl agent list --output=wi").rstrip(), "gridctl agent list --output=wide")
        self.assertEqual(shell.type("gridctl token create --role op"), "gridctl token create --role operator ")
        self.assertEqual(shell.type("gridctl --timeout 9s channel set ca"), "gridctl --timeout 9s channel set canary ")
        self.assertEqual(shell.type("gridctl channel set canary 1.1"), "gridctl channel set canary 1.1.0-rc.1 ")
        self.assertEqual(shell.type("gridctl completion b"), "gridctl completion bash ")
        shell.type("gridctl binary ", tabs=2)
        for verb in ("push", "list", "show", "verify", "sign", "yank", "rm"):
            self.assertIn(verb, shell.shown)

    def test_bash_on_a_terminal(self):
        shell = Shell(self, "bash", self.of_the_grid())
        self.common_lines(shell)
        self.assertEqual(shell.type("gridctl --state ./beg"), "gridctl --state ./beg")  # a file is no directory
        self.assertEqual(shell.type("gridctl binary push beg"), "gridctl binary push begin ")

    def test_zsh_on_a_terminal(self):
        shell = Shell(self, "zsh", self.of_the_grid())
        self.common_lines(shell)
        self.assertIn("publishes a file, going on where a cut upload stopped", shell.shown)
        self.assertEqual(shell.type("gridctl binary push beg"), "gridctl binary push begin ")
        shell.type("gridctl agent list --", tabs=2)
        self.assertIn("only what fits; again for more", shell.shown)
        lost = Shell(self, "zsh", self.env(GRID_URL="http://127.0.0.1:1", GRID_TOKEN=self.grid.token))
        self.assertEqual(lost.type("gridctl channel set ca"), "gridctl channel set ca")
        with_url = "gridctl --url %s channel set " % self.grid.master.url
        self.assertEqual(lost.type(with_url + "ca"), with_url + "canary ")


if __name__ == "__main__":
    unittest.main()
