"""Clients that use a grid while it is hurt, and write into a ledger what they asked and were told.

    load = Load(grid, ledger, seed)
    load.start()
    load.check(label)         # while no request is under way
    load.stop()

All that they do follows from the seed; when they do it does not.
"""
import contextlib, hashlib, http.client, os, random, threading

import checker
from grid import here
from master_case import elf

FAULTS = (OSError, http.client.HTTPException)  # a request without an answer
CHUNK_IDS, CHUNK_MAX, TOOLS = 60, 80_000, 40
VERSIONS = ("1.0.0", "1.1.0")


def content(name, largest):
    """The bytes of this name: the same in every attempt."""
    source = random.Random(name)
    return source.randbytes(source.randrange(1, largest))


def sha256(body):
    return hashlib.sha256(body).hexdigest()


class Client(threading.Thread):
    """Repeats step() until the load ends. A request that gets no answer is what this is all about."""
    pause_s = 0.02

    def __init__(self, load, *target):
        super().__init__(name=" ".join([type(self).__name__, *target]), daemon=True)
        self.load, self.grid, self.ledger, self.target = load, load.grid, load.ledger, target
        self.random = random.Random("%s %s" % (load.seed, self.name))
        self.turn = threading.Lock()
        self.failure = None

    def run(self):
        while not self.load.ended.wait(self.random.uniform(0, 2 * self.pause_s)):
            with self.turn, contextlib.suppress(*FAULTS):
                try:
                    self.step()
                except FAULTS:
                    raise
                except Exception as error:  # a mistake of ours: at_rest() raises it
                    self.failure = error
                    return

    def request(self, *arguments, **options):
        return self.grid.request(*arguments, **options)


class ChunkClient(Client):
    """Writes, reads and removes chunks of one node."""

    def step(self):
        node, name = self.target[0], "k%d" % self.random.randrange(CHUNK_IDS)
        body = content(node + name, CHUNK_MAX)
        allowed = self.ledger.allowed("chunk", (node, name))
        choice = self.random.random()
        if allowed == {None} or choice < 0.3:
            self.put(node, name, body)
        elif choice < 0.5:
            self.remove(node, name, allowed)
        else:
            self.read(node, name, allowed)

    def port(self):
        """None while there is no lock, or while its words are just being written."""
        directory = checker.node_directories(self.grid)[self.target[0]]
        try:
            return (checker.read_json(os.path.join(directory, "lock")) or {}).get("port")
        except ValueError:
            return None

    def ask(self, method, name, body=None):
        port = self.port()
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port or 1, timeout=30)) as connection:
            connection.request(method, "/v1/chunks/" + name, body)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def put(self, node, name, body):
        with self.ledger.doing("chunk", (node, name), sha256(body)) as op:
            op.answered(self.ask("PUT", name, body)[0])

    def remove(self, node, name, allowed):
        with self.ledger.doing("chunk", (node, name), None) as op:
            status = self.ask("DELETE", name)[0]
            op.answered(204 if status == 404 and None in allowed else status)

    def read(self, node, name, allowed):
        status, body = self.ask("GET", name)
        found = sha256(body) if status == 200 else None
        if status in (200, 404) and found not in allowed:
            self.ledger.violated("chunk %s of %s was read as %s, allowed %s" % (name, node, found, allowed))


class Publisher(Client):
    """Pushes, whole and in pieces, and removes builds that no machine wants."""
    pause_s = 0.05

    def step(self):
        version = "1.0.%d" % self.random.randrange(TOOLS)
        file = "tool-%s-%s" % (version, here())
        route = "/api/binaries/%s/%s?name=tool" % (version, here().replace("-", "/", 1))
        body = elf(62 if os.uname().machine == "x86_64" else 183) + content(file, CHUNK_MAX)
        allowed = self.ledger.allowed("binary", file)
        if allowed != {None} and self.random.random() < 0.4:
            with self.ledger.doing("binary", file, None) as op:
                status = self.request("DELETE", route).status
                op.answered(204 if status == 404 and None in allowed else status)
            return
        with self.ledger.doing("binary", file, sha256(body)) as op:
            send = self.send_pieces if self.random.random() < 0.3 else self.send_whole
            op.answered(send(route, body))

    def send_whole(self, route, body):
        return self.request("PUT", route, body, {"Content-Type": "application/octet-stream"}).status

    def send_pieces(self, route, body):
        """From where the master has got to, in two pieces; what it kept of an earlier attempt counts."""
        route += "&sha256=" + sha256(body)
        begin = int(self.request("HEAD", route).headers["Upload-Offset"])
        middle = begin + (len(body) - begin) // 2
        status = self.send_piece(route, body, begin, middle) if middle > begin else 202
        return self.send_piece(route, body, middle, len(body)) if status == 202 else status

    def send_piece(self, route, body, first, end):
        span = "bytes %d-%d/%d" % (first, end - 1, len(body)) if end > first else "bytes */%d" % len(body)
        return self.request("PUT", route, body[first:end], {"Content-Range": span}).status


class ChannelMover(Client):
    """The operator who moves all machines back and forth."""
    pause_s = 0.6

    def step(self):
        self.move(self.random.choice(VERSIONS))

    def move(self, version):
        with self.ledger.doing("channel", "stable", version) as op:
            op.answered(self.request("PUT", "/api/channels/stable", {"version": version}).status)


class Labeller(Client):
    pause_s = 0.05

    def step(self):
        agent, key = self.random.choice(sorted(self.grid.agents)), "k%d" % self.random.randrange(4)
        value = self.random.choice([None, "a", "b", "c"])
        with self.ledger.doing("label", (agent, key), value) as op:
            op.answered(self.request("PATCH", "/api/agents/" + agent, {"labels": {key: value}}).status)


class Restarter(Client):
    pause_s = 1.5

    def step(self):
        node = self.random.choice(sorted(checker.node_directories(self.grid)))
        with self.ledger.counting("restart", node) as op:
            op.answered(self.request("POST", "/api/nodes/%s/restart" % node.replace("/", "~")).status)


class TokenClient(Client):
    pause_s = 0.1

    def step(self):
        mine = [s for s in self.ledger.known("token") if self.ledger.value("token", s)]
        if len(mine) > 8:
            secret = self.random.choice(mine)
            with self.ledger.doing("token", secret, None) as op:
                op.answered(self.request("DELETE", "/api/tokens/" + self.ledger.value("token", secret)).status)
            return
        answer = self.request("POST", "/api/tokens", {"kind": "api", "role": "viewer"})
        if answer.status == 201:
            token = answer.json()
            with self.ledger.doing("token", token["secret"], token["id"]) as op:
                op.acknowledged()


class Watcher(Client):
    """Reads events and generations as they come."""
    last = 0

    def step(self):
        answer = self.request("GET", "/api/events?limit=1000&since=%d" % self.last)
        for event in answer.json() if answer.status == 200 else ():
            self.ledger.saw_event(event)
            self.last = event["seq"]
        answer = self.request("GET", "/api/agents")
        for agent in answer.json() if answer.status == 200 else ():
            self.ledger.saw("generation", agent["id"], agent["generation"])


class Load:
    def __init__(self, grid, ledger, seed):
        self.grid, self.ledger, self.seed = grid, ledger, seed
        self.ended = threading.Event()
        self.mover = ChannelMover(self)
        others = [kind(self) for kind in (Publisher, Labeller, Restarter, TokenClient, Watcher)]
        nodes = checker.node_directories(grid)
        self.clients = [self.mover, *others, *(ChunkClient(self, node) for node in sorted(nodes))]

    def start(self):
        for client in self.clients:
            client.start()

    @contextlib.contextmanager
    def at_rest(self):
        with contextlib.ExitStack() as turns:
            for client in self.clients:
                turns.enter_context(client.turn)
                if client.failure:
                    raise client.failure
            yield

    def check(self, label):
        """The last order is a new one: a version whose trials were all killed rightly counts as failed."""
        with self.at_rest():
            self.mover.move(next(v for v in VERSIONS if v != self.ledger.value("channel", "stable")))
            checker.check(self.grid, self.ledger, label)

    def stop(self):
        self.ended.set()
        for client in self.clients:
            client.join()
