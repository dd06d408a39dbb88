"""Many clients at once that mean no good: silent, slow to ask, slow to tell, slow to read. They come from many loopback
addresses, as they would from many machines, and whoever is sent away comes back. A crowd is a process of its own, so
that it does not slow down whoever measures."""
import errno, json, resource, select, signal, socket, subprocess, sys, time

TICK_S = 0.1
REOPENED_PER_TICK = 200  # more would make the crowd, and not what it besets, the bottleneck
DESCRIPTORS = 20000
LATER = (errno.EAGAIN, errno.ECONNREFUSED, errno.EADDRNOTAVAIL)  # the other side's queue is full


def head(path, more=""):
    return ("GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s" % (path, more)).encode()


def kind(count, first=b"", drip=b"", sips=None):
    """So many clients that say first, then drip some bytes each second; they take what comes, or only so many bytes each
    second."""
    return {"count": count, "first": first.decode("latin-1"), "drip": drip.decode("latin-1"), "sips": sips}


class Crowd:
    def __init__(self, test, address, *kinds):
        order = json.dumps({"address": address, "kinds": kinds})
        self.size, self.report = sum(k["count"] for k in kinds), None
        self.popen = subprocess.Popen([sys.executable, __file__, order], stdout=subprocess.PIPE)
        test.addCleanup(self.end)

    def end(self):
        """Everybody leaves: how many were there, and how many had been sent away before."""
        if self.report is None:
            self.popen.terminate()
            self.report = json.loads(self.popen.communicate()[0])
        return self.report


class Client(socket.socket):
    """One of them; told: it has said what it says first."""

    def __init__(self, does, number):
        super().__init__()
        self.does, self.number, self.told = does, number, False
        self.interest = select.EPOLLIN if does["sips"] is None else 0


class Gathering:
    """The crowd inside its process."""

    def __init__(self, address, kinds):
        self.address, self.epoll, self.over = tuple(address), select.epoll(), False
        self.by_fd, self.sent_away = {}, 0
        self.absent = [(k, i) for k in kinds for i in range(k["count"])]

    def stop(self, *_):
        self.over = True

    def open(self, does, number):
        client = Client(does, number)
        if does["sips"] is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.bind(("127.0.%d.%d" % (1 + number % 200, 1 + number // 200 % 250), 0))
        client.setblocking(False)
        refused = client.connect_ex(self.address)
        if refused in LATER:
            client.close()
            return False
        self.by_fd[client.fileno()] = client
        self.epoll.register(client.fileno(), select.EPOLLOUT | client.interest)
        return True

    def gather(self):
        for _ in range(min(len(self.absent), REOPENED_PER_TICK)):
            if not self.open(*self.absent[0]):
                return
            self.absent.pop(0)

    def leave(self, client):
        self.sent_away += 1
        self.absent.append((client.does, client.number))
        del self.by_fd[client.fileno()]
        client.close()

    def say(self, client, words):
        try:
            client.send(words.encode("latin-1"))
        except BlockingIOError:
            pass
        except OSError:
            self.leave(client)

    def take(self, client, most):
        try:
            if not client.recv(most):
                self.leave(client)
        except BlockingIOError:
            pass
        except OSError:
            self.leave(client)

    def pass_a_second(self):
        for client in [c for c in self.by_fd.values() if c.told]:
            if client.does["drip"]:
                self.say(client, client.does["drip"])
            elif client.does["sips"]:
                self.take(client, client.does["sips"])

    def attend(self, client, event):
        if event & (select.EPOLLERR | select.EPOLLHUP):
            self.leave(client)
        elif event & select.EPOLLOUT and not client.told:
            client.told = True
            self.epoll.modify(client.fileno(), client.interest)
            self.say(client, client.does["first"])
        elif event & select.EPOLLIN:
            self.take(client, 65536)

    def run(self):
        dripped = time.monotonic()
        while not self.over:
            self.gather()
            for fd, event in self.epoll.poll(TICK_S, maxevents=DESCRIPTORS):
                if fd in self.by_fd:
                    self.attend(self.by_fd[fd], event)
            if time.monotonic() - dripped > 1:
                dripped = time.monotonic()
                self.pass_a_second()
            time.sleep(TICK_S)
        return {"present": sum(c.told for c in self.by_fd.values()), "sent_away": self.sent_away}


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, most), most))
    gathering = Gathering(**json.loads(sys.argv[1]))
    signal.signal(signal.SIGTERM, gathering.stop)
    print(json.dumps(gathering.run()))
