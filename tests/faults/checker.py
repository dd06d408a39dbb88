"""The one checker at the end of every fault: clients' acknowledgements against database, files, processes and REST.

    ledger = Ledger()                               # ledger.py: clients write down what they ask and are told
    ...load, faults; then end the load and the fault, and start again what the fault ended...
    check(grid, ledger, "seed 7 round 3")           # waits for convergence, raises Violated listing every violation

The parts can be called alone, for a grid that is still ill or has no such half; each returns a list of violations:

    wait_converged(grid)        I5: all agents up, nodes healthy on what their channel wants, updates idle, processes()
    database(grid, ledger)      integrity, foreign keys, acknowledged rows, generations that never go back
    objects(grid)               I2: the master's store holds exactly the published files, each with its digest
    damaged_builds(agent)       I2: what the agent's store shows is whole, at any time
    store(agent, published)     I2 I3: the agent's store when all is settled; published: digests (published_digests(grid))
    chunks(grid, ledger)        I1 I2: every acknowledged chunk with its bytes, none that was never sent
    processes(grid)             each node once, and its lock names it; nobody is left of what ended
    events(grid, ledger)        gapless, and what was read once stays so
    tokens(grid, ledger)        acknowledged tokens work, revoked ones do not

grid is a Grid of tests/e2e/grid.py; the directories are taken from grid.master.state and agent.state, so they may lie
on any file system. Reading never writes to the grid.
"""
import contextlib, hashlib, http.client, json, os, re, sqlite3

import grid as e2e

NO_CRASH_SIGNALS = (9, 15)  # what a test or an agent sends; every other signal is a crash
SETTLE_S = 10
MASTER_TEMPORARY = ("staging",)


class Violated(AssertionError):
    pass


def check(grid, ledger, label):
    """Everything. label says which seed and round it was."""
    found = wait_converged(grid)
    for part in (database, events, tokens):
        found += part(grid, ledger)
    found += settled(chunks, grid, ledger) + settled(objects, grid)
    published = published_digests(grid)
    for agent in grid.agents.values():
        found += settled(store, agent, published)
    found += ledger.violations
    if found:
        raise Violated("%s: %d violations after %d acknowledged operations (grid %s)\n  %s" % (
            label, len(found), ledger.acknowledged, grid.directory, "\n  ".join(found)))


def settled(part, *arguments):
    """What a part still finds when programs had time to clean up and to report."""
    try:
        e2e.wait_for("an end of violations", lambda: not part(*arguments), SETTLE_S)
    except AssertionError:
        return part(*arguments)
    return []


def wait_converged(grid):
    try:
        e2e.wait_for("convergence", lambda: not unsettled(grid))
    except AssertionError:
        return unsettled(grid) or []
    return []


def unsettled(grid):
    """What keeps the grid from being as it should, by REST and by the processes that REST speaks of."""
    return unsettled_agents(grid) + processes(grid)


def unsettled_agents(grid):
    channels = {c["name"]: c["version"] for c in grid.api("GET", "/api/channels") if c["artifact"] == "storage-server"}
    agents = {a["id"]: a for a in grid.api("GET", "/api/agents")}
    found = ["agent %s is not known to the master" % i for i in grid.agents if i not in agents]
    for agent in agents.values():
        found += unsettled_agent(agent, channels.get(agent["channel"]))
    return found


def unsettled_agent(agent, wanted):
    found = []
    if agent["status"] != "up":
        found.append("agent %s is %s" % (agent["id"], agent["status"]))
    if wanted and agent["desired_version"] != wanted:
        found.append("agent %s should run %s, its channel says %s" % (agent["id"], agent["desired_version"], wanted))
    if agent["mode"] == "active" and agent["update"]["state"] != "idle":
        found.append("update of %s: %s" % (agent["id"], json.dumps(agent["update"])))
    good = {"active": "healthy", "draining": "draining"}[agent["mode"]]
    for node in agent["nodes"]:
        if node["state"] != good or (good == "healthy" and node["version"] != agent["desired_version"]):
            found.append("node %s is %s on %s: %s" % (node["id"], node["state"], node["version"], node["reasons"]))
        end = node.get("last_exit", {})
        if end.get("kind") == "signal" and end["value"] not in NO_CRASH_SIGNALS:
            found.append("node %s crashed: %s" % (node["id"], json.dumps(end)))
    return found


def tokens(grid, ledger):
    found = []
    for secret in ledger.known("token"):
        allowed = ledger.allowed("token", secret)
        works = grid.request("GET", "/api/summary", token=secret).status == 200
        if (works and allowed == {None}) or (not works and None not in allowed):
            verdict = "works" if works else "is refused"
            found.append("token %s %s, allowed %s" % (secret.split(".")[0], verdict, allowed))
    return found


def events(grid, ledger):
    """All that are kept, page by page."""
    found, last = [], 0
    while page := grid.api("GET", "/api/events?limit=1000&since=%d" % last):
        for event in page:
            if event["seq"] != last + 1 and last != 0:
                found.append("events go from %d to %d" % (last, event["seq"]))
            last = event["seq"]
            ledger.saw_event(event)
    lost = [n for n in ledger.events if n > last]
    return found + ["event %d was read before and is gone" % n for n in lost]


def connect(grid):
    path = os.path.join(grid.master.state, "grid.db")
    return contextlib.closing(sqlite3.connect("file:%s?mode=ro" % path, uri=True))


def published_digests(grid):
    with connect(grid) as db:
        return {row[0] for row in db.execute("SELECT sha256 FROM artifact")}


def database(grid, ledger):
    with connect(grid) as db:
        found = ["integrity: " + row[0] for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
        found += ["foreign key: %s" % (row,) for row in db.execute("PRAGMA foreign_key_check")]
        found += rows(db, ledger) + restarts(db, ledger) + generations(grid, db, ledger)
    return found


def labels(words):
    return dict(pair.split("=", 1) for pair in words.split(",") if pair)


def rows(db, ledger):
    """Rows that clients were promised."""
    agents = {row[0]: row[1:] for row in db.execute("SELECT id, assigned_labels, mode FROM agent")}
    artifacts = db.execute("SELECT name||'-'||version||'-'||platform||'-'||arch, sha256"
                           " FROM artifact WHERE deleted_at = 0")
    actual = {
        "binary": dict(artifacts.fetchall()),
        "channel": dict(db.execute("SELECT name, version FROM channel WHERE artifact = 'storage-server'")),
        "label": {(a, k): v for a, row in agents.items() for k, v in labels(row[0]).items()},
        "mode": {a: row[1] for a, row in agents.items()},
    }
    return [violation for kind, found in actual.items() for violation in compare(ledger, kind, found)]


def compare(ledger, kind, found):
    result = []
    for key in ledger.known(kind):
        allowed = ledger.allowed(kind, key)
        if found.get(key) not in allowed:
            result.append("%s %s is %s, allowed %s" % (kind, key, found.get(key), allowed))
    return result


def restarts(db, ledger):
    counted = dict(db.execute("SELECT id, restart_generation FROM node"))
    return ["restarts of %s: %d counted, %d acknowledged, %d asked for" % (node, counted.get(node, 0), done, asked)
            for node, (done, asked) in ledger.counters.get("restart", {}).items()
            if not done <= counted.get(node, 0) <= asked]


def generations(grid, db, ledger):
    """Never back at the master, and no agent ahead of it."""
    found = []
    for agent_id, generation in db.execute("SELECT id, generation FROM agent"):
        if generation < ledger.mark("generation", agent_id):
            found.append("generation of %s: %d in the database, %d was seen" % (
                agent_id, generation, ledger.mark("generation", agent_id)))
        agent = grid.agents.get(agent_id)
        desired = agent and read_json(os.path.join(agent.state, "desired.json"))
        if desired and desired["generation"] > generation:
            found.append("%s obeys generation %d, the master has %d" % (agent_id, desired["generation"], generation))
    return found


def objects(grid):
    directory = os.path.join(grid.master.state, "objects")
    with connect(grid) as db:
        wanted = {row[0] for row in db.execute("SELECT sha256 FROM artifact WHERE deleted_at = 0")}
    there = set(os.listdir(directory))
    found = ["object %s is published but not there" % name for name in wanted - there]
    found += ["object %s belongs to nothing published" % name for name in there - wanted]
    found += damaged(directory, there)
    return found + leftovers(grid.master.state, MASTER_TEMPORARY)


def damaged(directory, names):
    """Files that do not have the digest that their name promises."""
    return ["%s has other bytes than its name says" % os.path.join(directory, name) for name in sorted(names)
            if not re.fullmatch("[0-9a-f]{64}", name) or e2e.sha256(os.path.join(directory, name)) != name]


def leftovers(root, temporary):
    """Files in the making that nobody makes any more: PATH.tmp-XXXXXX anywhere, anything in these directories."""
    found = []
    for folder, _, names in os.walk(root):
        if os.path.relpath(folder, root) in temporary:
            found += [os.path.join(folder, name) for name in names]
        else:
            found += [os.path.join(folder, name) for name in names if ".tmp-" in name]
    return ["leftover %s" % path for path in found]


def read_json(path):
    """None when it is not there or holds nothing. The first line counts: of a longer note before it, a node that
    writes into its lock may not have cut off the rest yet. A power cut may leave zeros in place of its words."""
    try:
        with open(path) as file:
            words = file.readline().strip("\0\n")
    except FileNotFoundError:
        return None
    return json.loads(words) if words else None


def store(agent, published):
    """What it may run is whole, verified and published; nothing else lies around."""
    names = set(os.listdir(os.path.join(agent.state, "store")))
    builds = stored(agent)
    found = damaged_builds(agent)
    found += ["%s holds %s, which was never published" % (agent.id, name) for name in builds - published]
    found += ["%s has no note of %s" % (agent.id, name) for name in builds if name + ".json" not in names]
    return found + links(agent, builds) + leftovers(agent.state, ("tmp",))


def stored(agent):
    names = os.listdir(os.path.join(agent.state, "store"))
    return {name for name in names if not name.endswith(".json") and ".tmp-" not in name}


def damaged_builds(agent):
    """I2 alone: what is to be seen in the store is whole, whatever is going on."""
    return damaged(os.path.join(agent.state, "store"), stored(agent))


def links(agent, builds):
    """I3: current is a verified version; nothing but current, previous and what is desired, which may have failed and
    be tried again, is kept once all is settled."""
    target = {}
    for name in ("current", "previous"):
        path = os.path.join(agent.state, name)
        target[name] = os.path.basename(os.readlink(path)) if os.path.islink(path) else None
    found = ["%s: %s leads to %s, which is not there" % (agent.id, name, digest) for name, digest in target.items()
             if digest is not None and digest not in builds]
    if target["current"] is None:
        found.append("%s has no current version" % agent.id)
    desired = read_json(os.path.join(agent.state, "desired.json")) or {}
    wanted = {*target.values(), desired.get("sha256"), desired.get("prefetch", {}).get("sha256")}
    return found + ["%s keeps %s, which is neither current nor previous nor desired" % (agent.id, name)
                    for name in sorted(builds - wanted)]


def node_directories(grid):
    """Data directory of every node by its id."""
    found = {}
    for agent in grid.agents.values():
        nodes = os.path.join(agent.state, "nodes")
        for index in sorted(os.listdir(nodes)) if os.path.isdir(nodes) else ():
            found["%s/%s" % (agent.id, index)] = os.path.join(nodes, index, "data")
    return found


def chunks(grid, ledger):
    found = []
    sent = {}
    for node, chunk in ledger.known("chunk"):
        sent.setdefault(node, set()).add(chunk)
    for node, directory in node_directories(grid).items():
        note = read_json(os.path.join(directory, "lock")) or {}
        found += chunks_of(node, note.get("port"), sent.get(node, set()), ledger)
        found += settled(leftovers, directory, ("tmp", "quarantine"))
    return found


def chunks_of(node, port, sent, ledger):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=e2e.PATIENCE_S)
        with contextlib.closing(connection):
            there = {entry["id"] for entry in json.loads(get(connection, "/v1/chunks")[1])}
            return (["%s shows chunk %s, which nobody sent" % (node, name) for name in there - sent] +
                    [v for name in sorted(sent) for v in chunk(connection, node, name, name in there, ledger)])
    except (OSError, http.client.HTTPException, ValueError) as error:
        return ["%s on port %s does not list its chunks: %r" % (node, port, error)]


def chunk(connection, node, name, listed, ledger):
    allowed = ledger.allowed("chunk", (node, name))
    status, body = get(connection, "/v1/chunks/" + name)
    digest = hashlib.sha256(body).hexdigest() if status == 200 else None
    if status not in (200, 404):
        return ["chunk %s of %s answers %d: %s" % (name, node, status, body[:200])]
    if listed != (digest is not None):
        return ["chunk %s of %s is %slisted and answers %d" % (name, node, "" if listed else "not ", status)]
    return [] if digest in allowed else ["chunk %s of %s has %s, allowed %s" % (name, node, digest, allowed)]


def get(connection, path):
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read()


def processes(grid):
    found = []
    mine = {p.pid: p.name for p in [grid.master, *grid.agents.values()]}
    for pid, name in mine.items():
        if not e2e.alive(pid):
            found.append("%s (pid %d) does not run" % (name, pid))
    reported = {n["id"]: n["pid"] for a in grid.agents for n in grid.nodes(a)}
    for node, directory in node_directories(grid).items():
        found += node_processes(node, directory, reported.get(node))
        mine.update(dict.fromkeys(e2e.processes_of(directory), node))
    return found + strangers(grid, mine) + zombies(mine)


def node_processes(node, directory, reported):
    running = e2e.processes_of(directory)
    note = read_json(os.path.join(directory, "lock")) or {}
    if running != [note.get("pid")]:
        return ["%s runs as %s, its lock names %s" % (node, running, note.get("pid"))]
    found = []
    if reported != running[0]:
        found.append("%s runs as %d, the master knows %s" % (node, running[0], reported))
    if running[0] not in lock_holders(os.path.join(directory, "lock")):
        found.append("%s (pid %d) does not hold its lock" % (node, running[0]))
    return found


def lock_holders(path):
    """Pids that hold the flock of this file, as the kernel lists them."""
    inode = str(os.stat(path).st_ino)
    with open("/proc/locks") as file:
        lines = [line.split() for line in file]
    return {int(w[4]) for w in lines if w[1] == "FLOCK" and w[3] == "WRITE" and w[5].rsplit(":", 1)[1] == inode}


def strangers(grid, mine):
    """Programs of this grid that are nobody's."""
    found = []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            with open("/proc/%d/cmdline" % pid, "rb") as file:
                words = file.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        ours = os.path.basename(words[0]) in ("grid-master", "grid-agent", "storage-server")
        if ours and pid not in mine and any(w.startswith(grid.directory) for w in words) and e2e.alive(pid):
            found.append("pid %d is left over: %s" % (pid, " ".join(words)))
    return found


def zombies(mine):
    """Children that ended and that their parent, one of ours, does not collect."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as file:
                state, parent = file.read().rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue
        if state == "Z" and int(parent) in mine:
            found.append("pid %s is a zombie of %s (pid %s)" % (pid, mine[int(parent)], parent))
    return found
