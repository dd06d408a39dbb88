-- What was last seen of an agent, with its report, apart from what it should be: a change for ten thousand
-- agents writes short rows, and a report writes none of theirs.

CREATE TABLE agent_seen (
    agent_id TEXT PRIMARY KEY REFERENCES agent (id) ON DELETE CASCADE,
    last_seen_at INTEGER NOT NULL,
    status TEXT NOT NULL,  -- as of the last transition: up, suspect, lost
    report TEXT NOT NULL   -- last heartbeat that changed anything, as JSON
) WITHOUT ROWID;
INSERT INTO agent_seen SELECT id, last_seen_at, status, report FROM agent;
ALTER TABLE agent DROP COLUMN report;
ALTER TABLE agent DROP COLUMN status;
ALTER TABLE agent DROP COLUMN last_seen_at;
