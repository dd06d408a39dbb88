-- Rollouts, pins, quarantined digests, floors, and what principals did. Times are Unix milliseconds
-- but for those of the rollout's own clock (master/rollout.h).

ALTER TABLE agent ADD COLUMN pin TEXT NOT NULL DEFAULT ''; -- version of storage-server; "": none
ALTER TABLE agent ADD COLUMN self_version TEXT NOT NULL DEFAULT ''; -- of grid-agent, desired
ALTER TABLE agent ADD COLUMN self_sha256 TEXT NOT NULL DEFAULT '';

CREATE TABLE rollout (
    number INTEGER PRIMARY KEY AUTOINCREMENT, -- "r-" and this is its id
    artifact TEXT NOT NULL,
    version TEXT NOT NULL,
    request TEXT NOT NULL, -- body of the request that made it, completed with the defaults
    state TEXT NOT NULL,
    resume TEXT NOT NULL DEFAULT '',
    cause TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '', -- one sentence about cause, naming machines
    hold TEXT NOT NULL DEFAULT '', -- why nothing moves though something should
    live INTEGER NOT NULL DEFAULT 1, -- steps may still change it
    revision INTEGER NOT NULL DEFAULT 0,
    clock_ms INTEGER NOT NULL DEFAULT 0, -- its own clock when this row was written
    entered_ms INTEGER NOT NULL DEFAULT 0,
    progress_ms INTEGER NOT NULL DEFAULT 0,
    turns INTEGER NOT NULL DEFAULT 0,
    domain INTEGER NOT NULL DEFAULT -1,
    created_at INTEGER NOT NULL,
    finished_at INTEGER NOT NULL DEFAULT 0, -- 0: active
    principal TEXT NOT NULL,
    idempotency_key TEXT NOT NULL DEFAULT '',
    superseded_by INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX rollout_by_key ON rollout (principal, idempotency_key);

CREATE TABLE rollout_agent (
    rollout INTEGER NOT NULL REFERENCES rollout (number) ON DELETE CASCADE,
    agent_id TEXT NOT NULL,
    domain TEXT NOT NULL,
    canary INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL,
    cause TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '', -- the agent's words
    diagnosis TEXT NOT NULL DEFAULT '',
    attempt INTEGER NOT NULL DEFAULT 0,
    turn INTEGER NOT NULL DEFAULT 0,
    was_broken INTEGER NOT NULL DEFAULT 0,
    deadline_ms INTEGER NOT NULL DEFAULT 0,
    from_version TEXT NOT NULL DEFAULT '', -- where a revert leads; "": nothing ran
    from_sha256 TEXT NOT NULL DEFAULT '',
    to_sha256 TEXT NOT NULL DEFAULT '',    -- the version's build for this machine
    PRIMARY KEY (rollout, agent_id)
) WITHOUT ROWID;
CREATE INDEX rollout_agent_by_agent ON rollout_agent (agent_id);
CREATE INDEX rollout_agent_by_state ON rollout_agent (rollout, domain, state); -- to be counted

-- Digests that failed: no rollout, channel or pin leads there until an operator lifts it.
CREATE TABLE quarantine (
    sha256 TEXT PRIMARY KEY,
    artifact TEXT NOT NULL,
    version TEXT NOT NULL,
    rollout INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL,
    at INTEGER NOT NULL
) WITHOUT ROWID;

-- Nothing below this version may be chosen any more: what lies on the disks would not be understood.
CREATE TABLE floor (
    artifact TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    at INTEGER NOT NULL
) WITHOUT ROWID;

-- Each row's hash covers the row and the hash before it.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    principal TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    data TEXT NOT NULL DEFAULT '{}',
    hash TEXT NOT NULL
);
