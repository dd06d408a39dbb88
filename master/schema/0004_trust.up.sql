-- Trust: what the repository says, who may do what, and proof of both. Times are Unix milliseconds.

-- Every version of each role's TUF metadata, byte for byte as it was signed; '1.root.json.minisig' too.
CREATE TABLE repo_metadata (
    file TEXT PRIMARY KEY, -- "3.root.json", "1700000000.targets.json", "timestamp.json"
    role TEXT NOT NULL,
    version INTEGER NOT NULL,
    bytes BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX repo_metadata_by_role ON repo_metadata (role, version);

-- Files that wait for an approval; their bytes are in STATE/objects.
CREATE TABLE held (
    file TEXT PRIMARY KEY,
    sha256 TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    at INTEGER NOT NULL,
    principal TEXT NOT NULL,
    key_id TEXT NOT NULL, -- as in artifact
    publisher_signature TEXT NOT NULL DEFAULT '',
    notes TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL
) WITHOUT ROWID;

-- Whether targets that were signed elsewhere name it no more: agents would refuse it, so nothing chooses it.
ALTER TABLE artifact ADD COLUMN left_out INTEGER NOT NULL DEFAULT 0;

-- Held files that were given up while they still lay in the drop box: offered by it, they stay away until somebody
-- touches them. Forgotten once the file is gone from there, or is taken after all.
CREATE TABLE held_discarded (
    file TEXT PRIMARY KEY,
    sha256 TEXT NOT NULL,
    at INTEGER NOT NULL
) WITHOUT ROWID;

-- Why an agent may not switch though it is admitted: two machines speak in its name. "": it may.
ALTER TABLE agent ADD COLUMN conflict TEXT NOT NULL DEFAULT '';

-- Selector of the agents that an API token is good for; "": all.
ALTER TABLE token ADD COLUMN scope TEXT NOT NULL DEFAULT '';

-- People who sign in at the console.
CREATE TABLE user (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    scope TEXT NOT NULL DEFAULT '',
    password TEXT NOT NULL, -- Argon2id, as libsodium writes it
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL
) WITHOUT ROWID;

-- One-use links with which somebody chooses a password.
CREATE TABLE invitation (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL,
    user TEXT NOT NULL,
    role TEXT NOT NULL,
    scope TEXT NOT NULL DEFAULT '',
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE session (
    hash TEXT PRIMARY KEY, -- of the cookie
    user TEXT NOT NULL REFERENCES user (name) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
) WITHOUT ROWID;

-- The audit trail's newest hash, signed now and then.
CREATE TABLE audit_checkpoint (
    seq INTEGER PRIMARY KEY, -- of the newest row it covers
    at INTEGER NOT NULL,
    hash TEXT NOT NULL,
    signature TEXT NOT NULL -- by the master's message key
);
