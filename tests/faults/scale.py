"""How much of the matrix runs: a part under ctest, all of it under ci/soak, and which seed decides."""
import os, sys

FULL = os.environ.get("GRID_FAULTS") == "full"
SEED = int(os.environ.get("GRID_FAULTS_SEED", "1"))
CALLS = os.environ.get("GRID_FAULTS_CALLS", "")  # only these are killed at: steps.py
LANES = int(os.environ.get("GRID_FAULTS_LANES", "0"))  # 0: as many as each test thinks right


def scale(part, full):
    return full if FULL else part


def lanes(part, full):
    return LANES or scale(part, full)


def say(words):
    """A line for the person who watches, at once."""
    print(words, file=sys.stderr, flush=True)
