"""A grid of many machines and what rollouts need: policies that last seconds, faults of single machines, and a watch
that asks the nodes themselves all the time, so that no test takes the master's word for what was up.

    fleet = Fleet(self, {"a-1": "rack=a", "b-1": "rack=b"})     # all of them healthy on 1.2.0
    fleet.publish("1.3.0")
    fleet.tell("b-1", "1.3.0 * exit 3")                          # storage-server/faults/faults.h
    with Watch(fleet) as watch:
        fleet.roll_out("1.3.0", max_parallel=2).wait("reverted")
    self.assertLessEqual(watch.most_down(), 2)
"""
import json, os, threading, time, urllib.parse, urllib.request

from grid import PATIENCE_S, Grid, ApiError, processes_of, wait_for

OLD, NEW, NEWER = "1.2.0", "1.3.0", "1.4.0"
# Silence is noticed within seconds, for tests in which machines or the master go away.
SOON = ("--heartbeat", "1s", "--suspect-after", "2s", "--lost-after", "4s", "--rollout-quiet", "1s")
# A good version has as long to start as a machine with much else to do may take, or it would be taken for a bad one.
QUICK = {"canary": 1, "max_parallel": 1, "min_healthy_s": 0.1, "probation_s": 0.3, "auto_promote_s": 0,
         "healthy_deadline_s": 20, "progress_deadline_s": 60}
# For what is held (Fleet.hold): no deadline passes meanwhile.
HELD = {"healthy_deadline_s": 300, "progress_deadline_s": 300}
ENDS = ("completed", "reverted", "revert_stuck", "stopped", "superseded")


def machines(count, *racks):
    """a-1, a-2, ... in one rack, or as many per rack named: {"a-1": "rack=a", "b-1": "rack=b", ...}."""
    if not racks:
        return {"a-%d" % n: "" for n in range(1, count + 1)}
    return {"%s-%d" % (rack, n): "rack=" + rack for rack in racks for n in range(1, count + 1)}


class Rollout:
    def __init__(self, grid, shown):
        self.grid, self.id = grid, shown["id"]

    def show(self):
        return self.grid.api("GET", "/api/rollouts/" + self.id)

    def members(self, *states):
        """What is known of its agents by id; only those in these states, if any are named."""
        found = self.grid.api("GET", "/api/rollouts/%s/agents" % self.id)
        return {m["agent_id"]: m for m in found if not states or m["state"] in states}

    def states(self):
        return {agent: m["state"] for agent, m in self.members().items()}

    def order(self, word):
        return self.grid.api("POST", "/api/rollouts/%s/%s" % (self.id, word))

    def wait(self, *states):
        """Until it is in one of these; fails at once when it ended in another."""
        def there():
            shown = self.show()
            if shown["state"] in ENDS and shown["state"] not in states:
                raise AssertionError("%s is over, it never was %s\n%s" % (self.id, " or ".join(states), self.words()))
            return shown if shown["state"] in states else None
        return self.wait_for("to be " + " or ".join(states), there)

    def wait_for(self, what, condition):
        try:
            return wait_for("%s %s" % (self.id, what), condition)
        except AssertionError as error:
            raise AssertionError("%s\n%s" % (error, self.words()))

    def wait_members(self, count, *states):
        """Until at least so many are in one of these states; their ids."""
        def there():
            found = self.members(*states)
            return found if len(found) >= count else None
        return set(self.wait_for("to have %d %s" % (count, states), there))

    def wait_begun(self, count):
        """Until at least so many have begun with their leave, so that they finish whatever comes; their ids. Who was
        granted has not heard of it yet."""
        def there():
            found = {agent for agent, m in self.members("granted", "committed").items()
                     if m["phase"] not in ("told", "not_begun", "away")}
            return found if len(found) >= count else None
        return self.wait_for("to see %d begin" % count, there)

    def words(self):
        lines = [json.dumps(self.show())] + [json.dumps(m) for m in self.members().values()]
        return "\n".join(lines + ["%s %s %s" % (e["kind"], e["subject"], e["data"]) for e in self.grid.events()[-25:]])


class Fleet(Grid):
    def __init__(self, test, labels, version=OLD, nodes=1, master_arguments=(), agent_arguments=(), **options):
        super().__init__(test, master_arguments, **options)
        self.node_count, self.labels, self.agent_arguments = nodes, labels, agent_arguments
        if self.master:
            self.begin(version)

    def begin(self, version=OLD):
        self.publish(version)
        for agent in self.labels:
            self.start(agent)
        self.wait_all(version)

    def start(self, agent, *arguments, **options):
        """Starts the agent, for the first time or again."""
        if self.labels[agent]:
            arguments += ("--label", self.labels[agent])
        return self.agent(agent, "--nodes", str(self.node_count), *self.agent_arguments, *arguments, **options)

    def wait_all(self, version, agents=None):
        for agent in agents or self.labels:
            self.wait_healthy(agent, version, self.node_count)

    def runs(self, version, agents):
        """Whether every node of these agents is healthy on the version, by the master's word."""
        return all(n["version"] == version and n["state"] == "healthy" for a in agents for n in self.nodes(a))

    def pids(self):
        """Processes of each agent's nodes."""
        return {agent: processes_of(os.path.join(self.directory, agent, "nodes")) for agent in self.labels}

    def data(self, agent, index=0):
        return os.path.join(self.directory, agent, "nodes", str(index), "data")

    def tell(self, agent, *rules):
        """Faults of this machine from now on; none: it is sound again."""
        for index in range(self.node_count):
            temporary = os.path.join(self.data(agent, index), "new-faults")
            with open(temporary, "w") as f:
                f.write("\n".join(rules))
            os.rename(temporary, os.path.join(self.data(agent, index), "test-faults"))

    def hold(self, version, agents=None):
        """Whoever switches to the version is not through with it before tell() says otherwise: a test that looks now and
        then would miss states that pass by meanwhile."""
        for agent in agents or self.labels:
            self.tell(agent, version + " * unhealthy")

    def let_go(self, *rules):
        for agent in self.labels:
            self.tell(agent, *rules)

    def node_url(self, agent, path, index=0):
        return "http://127.0.0.1:%d%s" % (self.nodes(agent)[index]["port"], path)

    def put_chunk(self, agent, name, content):
        request = urllib.request.Request(self.node_url(agent, "/v1/chunks/" + name), content, method="PUT")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status

    def get_chunk(self, agent, name):
        with urllib.request.urlopen(self.node_url(agent, "/v1/chunks/" + name), timeout=10) as answer:
            return answer.read()

    def roll_out(self, version, **policy):
        return Rollout(self, self.api("POST", "/api/rollouts", dict(QUICK, version=version, **policy)))

    def refusal(self, method, path, body=None):
        """The problem that this request must be answered with."""
        try:
            raise AssertionError("%s %s was answered %s" % (method, path, self.api(method, path, body)))
        except ApiError as error:
            return dict(json.loads(error.problem), status=error.status)

    def refused(self, version, **policy):
        return self.refusal("POST", "/api/rollouts", dict(QUICK, version=version, **policy))

    def plan(self, version, **policy):
        return self.api("POST", "/api/rollouts/plan", dict(QUICK, version=version, **policy))

    def why(self, agent):
        return self.api("GET", "/api/agents/%s/why" % agent)

    def told(self, kind):
        """Subjects of the events of this kind, in order."""
        return [e["subject"] for e in self.events(kind=urllib.parse.quote(kind))]


class Watch:
    """Asks every node for its health again and again while the with block runs."""

    def __init__(self, fleet):
        self.over = threading.Event()
        self.down = {}  # agent -> [[down at the latest since, down at least until], ...]
        self.rounds = 0
        targets = [(agent, n["port"]) for agent in fleet.labels for n in fleet.nodes(agent)]
        self.threads = [threading.Thread(target=self.look, args=(targets[n::2],)) for n in range(2)]

    def look(self, targets):
        spans = {}
        while not self.over.wait(0.02):
            for target in targets:
                asked, works, answered = time.monotonic(), self.works(target[1]), time.monotonic()
                if works:
                    spans.pop(target, None)
                elif target in spans:
                    spans[target][1] = asked
                else:
                    spans[target] = [answered, asked]
                    self.down.setdefault(target[0], []).append(spans[target])
            self.rounds += 1

    @staticmethod
    def works(port):
        try:
            # One that is busy is not down: who is gone refuses at once.
            with urllib.request.urlopen("http://127.0.0.1:%d/healthz" % port, timeout=PATIENCE_S) as answer:
                return json.loads(answer.read())["status"] == "ok"
        except (OSError, ValueError):
            return False

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def at_once(self):
        """Sets of agents that were down at the same moment."""
        spans = [(first, last, agent) for agent, all_of in self.down.items() for first, last in all_of]
        return [{agent for first, last, agent in spans if first <= moment <= last} for moment, _, _ in spans]

    def most_down(self, besides=()):
        return max((len(agents - set(besides)) for agents in self.at_once()), default=0)

    def racks_at_once(self):
        return max((len({agent.split("-")[0] for agent in agents}) for agents in self.at_once()), default=0)
