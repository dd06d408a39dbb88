DROP TABLE audit;
DROP TABLE floor;
DROP TABLE quarantine;
DROP TABLE rollout_agent;
DROP TABLE rollout;
ALTER TABLE agent DROP COLUMN self_sha256;
ALTER TABLE agent DROP COLUMN self_version;
ALTER TABLE agent DROP COLUMN pin;
