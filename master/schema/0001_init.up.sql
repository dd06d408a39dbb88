-- What the grid should be, and the last thing it was seen to be. Times are Unix milliseconds.

-- Facts about this grid: grid_id.
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Published files. A name keeps its digest for ever, so deleted rows stay as tombstones.
CREATE TABLE artifact (
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    platform TEXT NOT NULL,
    arch TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size_bytes INTEGER NOT NULL CHECK (size_bytes > 0),
    uploaded_at INTEGER NOT NULL,
    key_id TEXT NOT NULL,        -- publisher's key that approved it, else the release key
    publisher_signature TEXT,    -- NULL: accepted without one ("keys on this machine")
    release_signature TEXT NOT NULL,
    notes TEXT NOT NULL DEFAULT '',
    yanked INTEGER NOT NULL DEFAULT 0,
    deleted_at INTEGER NOT NULL DEFAULT 0, -- 0: it is not
    PRIMARY KEY (name, version, platform, arch)
) WITHOUT ROWID;
CREATE INDEX artifact_by_digest ON artifact (sha256);

-- Explicit pointers to versions.
CREATE TABLE channel (
    name TEXT NOT NULL,
    artifact TEXT NOT NULL,
    version TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (name, artifact)
) WITHOUT ROWID;

CREATE TABLE agent (
    id TEXT PRIMARY KEY,
    public_key TEXT NOT NULL UNIQUE,
    admission TEXT NOT NULL CHECK (admission IN ('pending', 'admitted', 'revoked')),
    reported_labels TEXT NOT NULL DEFAULT '',
    assigned_labels TEXT NOT NULL DEFAULT '', -- by token or operator; wins over what the agent reports
    channel TEXT NOT NULL DEFAULT 'stable',
    mode TEXT NOT NULL DEFAULT 'active' CHECK (mode IN ('active', 'draining')),
    generation INTEGER NOT NULL DEFAULT 0,
    desired_version TEXT NOT NULL DEFAULT '',
    desired_sha256 TEXT NOT NULL DEFAULT '',
    platform TEXT NOT NULL,
    arch TEXT NOT NULL,
    address TEXT NOT NULL DEFAULT '',
    enrolled_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL DEFAULT 0,
    status TEXT NOT NULL DEFAULT 'lost', -- as of the last transition: up, suspect, lost
    report TEXT NOT NULL DEFAULT ''      -- last heartbeat that changed anything, as JSON
) WITHOUT ROWID;

-- Orders to nodes, as counters that survive loss and repetition.
CREATE TABLE node (
    id TEXT PRIMARY KEY,
    agent_id TEXT NOT NULL REFERENCES agent (id) ON DELETE CASCADE,
    restart_generation INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX node_by_agent ON node (agent_id);

CREATE TABLE token (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('join', 'api')),
    hash TEXT NOT NULL,
    role TEXT NOT NULL DEFAULT '',
    labels TEXT NOT NULL DEFAULT '',
    uses_left INTEGER NOT NULL, -- -1: no limit
    expires_at INTEGER NOT NULL, -- 0: never
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    principal TEXT NOT NULL DEFAULT '',
    data TEXT NOT NULL DEFAULT '{}'
);
