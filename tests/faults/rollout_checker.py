"""What must hold of every rollout at the end of a fault, by the master's database, its events and its agents.

    found = members(grid) + budgets(grid) + audit(grid)      # violations, as of checker.py
"""
import hashlib, json

import checker

# Once a rollout is over no member is in the middle of anything.
ENDED = {
    "completed": {"committed", "deferred", "excluded", "failed", "granted"},  # deferred ones trickle in, granted again
    "reverted": {"returned", "waiting", "deferred", "excluded", "held"},
    "stopped": {"committed", "failed", "waiting", "deferred", "excluded", "held"},
    "superseded": {"committed", "failed", "waiting", "deferred", "excluded", "returned", "return_failed"},
    "revert_stuck": {"returned", "waiting", "deferred", "excluded", "held", "return_failed"},
}
OVER = ("committed", "failed", "held", "deferred", "returned")


def rows(grid, query):
    with checker.connect(grid) as db:
        return db.execute(query).fetchall()


def members(grid):
    """Rows that fit their rollout's end, and agents that run what the newest row about them says."""
    found, said = [], {}
    for number, state, agent, member, from_sha256, to_sha256 in rows(
            grid, "SELECT number, rollout.state, agent_id, rollout_agent.state, from_sha256, to_sha256"
            " FROM rollout JOIN rollout_agent ON rollout = number ORDER BY number"):
        if state in ENDED and member not in ENDED[state]:
            found.append("r-%d is %s and its member %s is %s" % (number, state, agent, member))
        if member == "committed":
            said[agent] = to_sha256
        elif member == "returned":
            said[agent] = from_sha256
    for agent, sha256 in said.items():
        running = {n["sha256"] for n in grid.nodes(agent)}
        if running != {sha256}:
            found.append("%s runs %s, its newest rollout ended with %s" % (agent, running, sha256))
    return found


def amount(words, selected):
    words = str(words)
    return max(1, -(-int(words[:-1]) * selected // 100)) if words.endswith("%") else int(words)


def budgets(grid):
    """By the order of events: never more under way than max_parallel, never two domains at once."""
    found = []
    for number, request in rows(grid, "SELECT number, request FROM rollout"):
        of_it = dict(rows(grid, "SELECT agent_id, domain FROM rollout_agent WHERE rollout = %d" % number))
        most = amount(json.loads(request)["max_parallel"], len(of_it))
        found += over_budget("r-%d" % number, of_it, most, grid.events())
    return found


def over_budget(rollout, of_it, most, events):
    found, under_way, history = [], {}, []
    for event in events:
        step = event["kind"].removeprefix("rollout.agent.")
        if event["data"].get("rollout") != rollout or event["subject"] not in of_it:
            continue
        history.append("%s %s" % (event["subject"], step))
        if step == "granted":
            under_way[event["subject"]] = event["data"].get("broken", False)
        elif step in OVER:
            under_way.pop(event["subject"], None)
        counted = {agent for agent, broken in under_way.items() if not broken}
        if len(counted) > most:
            found.append("%s: %s under way at event %d, %d allowed: %s" % (
                rollout, sorted(counted), event["seq"], most, history))
        domains = {of_it[agent] for agent in under_way}
        if len(domains) > 1:
            found.append("%s: domains %s at once at event %d: %s" % (rollout, sorted(domains), event["seq"], history))
    return found


def audit(grid):
    """The chain, computed anew: each part with its length before it, beginning with the hash before."""
    found, before = [], ""
    for seq, *parts, said in rows(grid, "SELECT seq, at, principal, action, subject, data, hash FROM audit ORDER BY seq"):
        encoded = [str(part).encode() for part in (before, *parts)]
        before = hashlib.sha256(b"".join(b"%d:%s" % (len(part), part) for part in encoded)).hexdigest()
        if before != said:
            found.append("row %d of the audit trail has the hash %s, %s would be right" % (seq, said, before))
            before = said
    return found
