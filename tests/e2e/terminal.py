"""Programs on a terminal of their own."""
import fcntl, os, pty, select, struct, termios, time

from grid import PATIENCE_S, program


def on_terminal(arguments, env, directory, answer=None, columns=80, once=None):
    """Runs gridctl on a terminal of 24 lines, giving this answer once it asks: exit code and everything it showed.
    once: (words, act): what to do as soon as it has shown these words."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(directory)
        os.execve(program("gridctl"), ["gridctl", *arguments], dict(env, TERM="xterm", LC_ALL="C.UTF-8"))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    shown, deadline = b"", time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if not select.select([fd], [], [], 1)[0]:
            continue
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        shown += data
        if answer is not None and b"[y/N]" in shown:
            os.write(fd, answer.encode())
            answer = None
        if once is not None and once[0].encode() in shown:
            once[1]()
            once = None
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    return os.waitstatus_to_exitcode(status), shown.decode(errors="replace")
