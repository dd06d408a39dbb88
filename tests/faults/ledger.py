"""What clients of a grid asked for and what they were told: the half of the truth that no fault may change.

    ledger = Ledger()
    with ledger.doing("chunk", ("a-1/0", "c7"), sha256) as op:    # before the request leaves
        status = put(...)
        op.answered(status)                                       # 2xx: acknowledged; 4xx: nothing may have changed
    ledger.allowed("chunk", ("a-1/0", "c7"))                      # the values that a reader may find now

A request without an answer (the process was killed, 5xx) is in doubt: it happened whole, or not at all. One client
at a time writes a key. Kinds that checker.py compares, their keys and values (None: it is not there):

    chunk    (node id, chunk id)   SHA-256 of the bytes
    binary   file name             SHA-256 of the bytes
    channel  channel               version
    label    (agent id, key)       value of the assigned label
    mode     agent id              "active" or "draining"
    token    secret                id of an API token

    with ledger.counting("restart", "a-1/0") as op: ...           # an order that must be carried out exactly once
    ledger.saw("generation", "a-1", 7)                            # a number that must never go back
    ledger.saw_event(event)                                       # must stay as it was read
    ledger.violated("...")                                        # a client itself saw what must never be
"""
import contextlib, json, threading


class Operation:
    """One request. In doubt until somebody says how it was answered."""

    def __init__(self, value):
        self.value, self.outcome = value, "doubt"

    def acknowledged(self):
        self.outcome = "done"

    def refused(self):
        self.outcome = "refused"

    def answered(self, status):
        """By status of HTTP. A failure of the server (5xx) acknowledges nothing and excludes nothing."""
        if 200 <= status < 300:
            self.acknowledged()
        elif 400 <= status < 500:
            self.refused()


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.registers = {}  # kind -> key -> values that a reader may find
        self.open = set()
        self.counters = {}  # kind -> key -> [acknowledged, asked for]
        self.marks = {}
        self.events = {}
        self.acknowledged, self.doubtful, self.violations = 0, 0, []

    @contextlib.contextmanager
    def doing(self, kind, key, value):
        """A client wants key to have this value. Yields the Operation; an exception leaves it in doubt."""
        op = Operation(value)
        with self.lock:
            if (kind, key) in self.open:
                raise RuntimeError("two clients write %s %s at once" % (kind, key))
            self.open.add((kind, key))
            self.registers.setdefault(kind, {}).setdefault(key, {None})
        try:
            yield op
        finally:
            with self.lock:
                self.open.discard((kind, key))
                self._settle_register(kind, key, op)

    def _settle_register(self, kind, key, op):
        if op.outcome == "done":
            self.registers[kind][key] = {op.value}
            self.acknowledged += 1
        elif op.outcome == "doubt":
            self.registers[kind][key].add(op.value)
            self.doubtful += 1

    @contextlib.contextmanager
    def counting(self, kind, key):
        """A client gives an order that counts, such as one restart."""
        op = Operation(1)
        try:
            yield op
        finally:
            with self.lock:
                count = self.counters.setdefault(kind, {}).setdefault(key, [0, 0])
                count[0] += op.outcome == "done"
                count[1] += op.outcome != "refused"

    def allowed(self, kind, key):
        with self.lock:
            return set(self.registers.get(kind, {}).get(key, {None}))

    def known(self, kind):
        """Keys of this kind that were ever written."""
        with self.lock:
            return sorted(self.registers.get(kind, {}))

    def value(self, kind, key):
        """What the key must be, or None when that is absent or in doubt."""
        allowed = self.allowed(kind, key)
        return next(iter(allowed)) if len(allowed) == 1 else None

    def saw(self, kind, key, number):
        """A client read this number, which may only grow."""
        with self.lock:
            before = self.marks.get((kind, key), number)
            if number < before:
                self.violations.append("%s of %s went back from %d to %d" % (kind, key, before, number))
            self.marks[(kind, key)] = max(number, before)

    def violated(self, words):
        """A client saw something that must never be."""
        with self.lock:
            self.violations.append(words)

    def mark(self, kind, key):
        with self.lock:
            return self.marks.get((kind, key), 0)

    def saw_event(self, event):
        """A client read this event: it is history."""
        words = json.dumps(event, sort_keys=True)
        with self.lock:
            before = self.events.setdefault(event["seq"], words)
            if before != words:
                self.violations.append("event %d was %s and is %s now" % (event["seq"], before, words))
