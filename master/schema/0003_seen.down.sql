ALTER TABLE agent ADD COLUMN last_seen_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agent ADD COLUMN status TEXT NOT NULL DEFAULT 'lost';
ALTER TABLE agent ADD COLUMN report TEXT NOT NULL DEFAULT '';
UPDATE agent SET last_seen_at=s.last_seen_at, status=s.status, report=s.report
    FROM agent_seen s WHERE s.agent_id=agent.id;
DROP TABLE agent_seen;
