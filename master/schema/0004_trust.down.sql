DROP TABLE audit_checkpoint;
DROP TABLE session;
DROP TABLE invitation;
DROP TABLE user;
ALTER TABLE token DROP COLUMN scope;
ALTER TABLE agent DROP COLUMN conflict;
DROP TABLE held_discarded;
DROP TABLE held;
DROP TABLE repo_metadata;
