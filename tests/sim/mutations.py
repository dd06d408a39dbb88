"""Breaks one rule of the engine or of the agent's decisions at a time, and demands that the simulator finds it.

    GRID_BUILD_DIR=build/dev tests/sim/mutations.py [NAME...]

Only the broken file is compiled; it is linked with the other objects of grid-sim. Prints which seed found what."""
import os
import shlex
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("GRID_BUILD_DIR", os.path.join(ROOT, "build/dev")))
SEEDS = 400
AGENTS = 60

# name, file, what stands there, what is put in its place
MUTATIONS = [
    ("slots ignore unavailable machines", "master/rollout_tally.c",
     "- t->in_flight - t->unavailable;", "- t->in_flight;"),
    ("grants join in any domain", "master/rollout_grant.c",
     "    if (s->flying > 0) return s->domain;\n    if (s->broken", "    if (s->broken"),
    ("a canary may fail", "master/rollout_tally.c",
     "return s->canary_failed || s->tally.failures > borne;", "return s->tally.failures > borne;"),
    ("more failures are borne", "master/rollout_tally.c",
     "s->tally.failures > borne;", "s->tally.failures > borne + 2;"),
    ("silence after a grant is no failure", "master/rollout_member.c",
     "    if (!m->facts.online)\n        rollout_move(m, MEMBER_FAILED, CAUSE_SILENT);",
     "    if (!m->facts.online)\n        return;"),
    ("deadlines of what has begun do not fire", "master/rollout_member.c",
     "    if (now_ms >= m->deadline_ms) rollout_move(m, MEMBER_FAILED, CAUSE_SILENT);", ""),
    ("after a restart the master listens for ever", "master/rollout.c",
     "r->quiet_until_ms = now_ms + quiet_ms;", "r->quiet_until_ms = now_ms + quiet_ms * 100000;"),
    ("a return forgets who was committed", "master/rollout_steps.c",
     "    case MEMBER_COMMITTED:\n    case MEMBER_FAILED:", "    case MEMBER_FAILED:"),
    ("a pause keeps the leave", "master/rollout_orders.c",
     "if (r->state == ROLLOUT_PAUSED || r->hold", "if (r->hold"),
    ("any report gives back a leave that was taken back", "master/rollout_facts.c",
     "told->edition > 0 && told->edition == u->edition;", "told->edition > 0;"),
    ("changes of members are not told", "master/rollout_states.c",
     "    m->changed = true;\n    m->deadline_ms = 0;", "    m->deadline_ms = 0;"),
    ("returns ignore the budget", "master/rollout_grant.c",
     "int32_t oldest = oldest_turn(r, domain, s->tally.slots);", "int32_t oldest = 1;"),
    ("the lease is ignored", "agent/reconcile.c",
     "return now_ms < in->grant.lease_until_ms ? HOLD_NONE : HOLD_LEAVE;", "return HOLD_NONE;"),
    ("probation is skipped", "agent/reconcile_judge.c",
     "take(v, watched ? TURN_WATCH : TURN_COMMIT, 0)", "take(v, TURN_COMMIT, 0)"),
    ("a version is proven while a node fails", "agent/reconcile_judge.c",
     "if (!all_there(t) || t->undecided) return false;", "if (!all_there(t)) return false;"),
]


def commands():
    """Compile commands by source, and the link command, of grid-sim."""
    shown = subprocess.run(["ninja", "-C", BUILD, "-t", "commands", "grid-sim"], check=True, capture_output=True,
                           text=True).stdout.splitlines()
    compiles = {}
    for line in shown:
        words = shlex.split(line)
        if any("grid-sim.dir" in word for word in words) and "-c" in words:
            compiles[os.path.relpath(words[words.index("-c") + 1], ROOT)] = words
    link = next(line for line in reversed(shown) if "-o tests/grid-sim" in line)
    return compiles, shlex.split(link)


def build(folder, compile_words, link_words, broken):
    """The program with the broken file in place of the source; its path."""
    words = [word for word in compile_words if not word.endswith(".d")]
    for flag in ("-MD", "-MT", "-MF"):
        if flag in words:
            at = words.index(flag)
            del words[at:at + (2 if flag == "-MT" else 1)]
    obj = words[words.index("-o") + 1]
    words[words.index("-o") + 1] = os.path.join(folder, "broken.o")
    words[words.index("-c") + 1] = broken
    subprocess.run([*words, "-Wno-error"], cwd=BUILD, check=True, capture_output=True)
    start = link_words.index("&&") + 1 if "&&" in link_words else 0
    link = link_words[start:]
    link = link[:link.index("&&")] if "&&" in link else link
    link = [os.path.join(folder, "broken.o") if word == obj else word for word in link]
    link[link.index("-o") + 1] = os.path.join(folder, "grid-sim")
    subprocess.run(link, cwd=BUILD, check=True, capture_output=True)
    return os.path.join(folder, "grid-sim")


def try_one(mutation, compiles, link):
    """What found it, or None."""
    name, source, old, new = mutation
    with open(os.path.join(ROOT, source), encoding="utf-8") as file:
        text = file.read()
    if text.count(old) != 1:
        sys.exit(f"{name}: {source} has {text.count(old)} times what is to be broken: {old!r}\n"
                 f"Next: say in {__file__} what stands there now")
    with tempfile.TemporaryDirectory(prefix="grid-mutation.") as folder:
        broken = os.path.join(folder, os.path.basename(source))
        with open(broken, "w", encoding="utf-8") as file:
            file.write(text.replace(old, new))
        program = build(folder, compiles[source], link, broken)
        ran = subprocess.run([program, "--quiet", "--failures=1", f"--agents={AGENTS}", f"--seeds={SEEDS}"],
                             capture_output=True, text=True, timeout=600)
    if ran.returncode == 0:
        return None
    words = ran.stdout.splitlines() or ran.stderr.splitlines() or [f"ended with {ran.returncode}"]
    return next((line for line in words if line.startswith("seed ")), words[0])


def main():
    wanted = sys.argv[1:]
    compiles, link = commands()
    survivors = 0
    for mutation in MUTATIONS:
        if wanted and mutation[0] not in wanted:
            continue
        found = try_one(mutation, compiles, link)
        survivors += found is None
        print(f"{mutation[0]}: {found or f'NOT FOUND by {SEEDS} seeds'}", flush=True)
    sys.exit(f"{survivors} broken rules were not found" if survivors else 0)


if __name__ == "__main__":
    main()
