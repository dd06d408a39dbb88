#include "master/store.h"

#include "lib/file.h"

#include <limits.h>

EMBED_DECLARE(master_schema)

#define ARTIFACT_COLUMNS                                                                           \
    "name, version, platform, arch, sha256, size_bytes, uploaded_at, key_id, publisher_signature," \
    " release_signature, notes, yanked, deleted_at, left_out"
#define AGENT_COLUMNS                                                                              \
    "id, public_key, admission, reported_labels, assigned_labels, channel, mode, generation,"      \
    " desired_version, desired_sha256, platform, arch, address, enrolled_at,"                      \
    " coalesce(last_seen_at, 0), coalesce(status, 'lost'), coalesce(report, ''),"                  \
    " pin, self_version, self_sha256, conflict"
#define AGENT_ROWS "agent LEFT JOIN agent_seen ON agent_id=id"
#define AGENT_CHOICE_COLUMNS                                                                       \
    "id, channel, platform, arch, generation, desired_version, desired_sha256, pin,"               \
    " self_version, self_sha256, reported_labels, assigned_labels"
#define TOKEN_COLUMNS                                                                              \
    "id, kind, hash, role, labels, uses_left, expires_at, created_at, created_by, scope"
#define ROLLOUT_COLUMNS                                                                            \
    "number, artifact, version, request, state, resume, cause, reason, revision, clock_ms,"        \
    " entered_ms, progress_ms, turns, domain, created_at, finished_at, principal, superseded_by,"  \
    " hold"
#define MEMBER_COLUMNS                                                                             \
    "agent_id, domain, canary, state, cause, reason, diagnosis, attempt, turn, was_broken,"        \
    " deadline_ms, from_version, from_sha256, to_sha256"
#define QUARANTINE_COLUMNS "sha256, artifact, version, rollout, reason, at"
#define HELD_COLUMNS                                                                               \
    "file, sha256, size_bytes, at, principal, key_id, publisher_signature, notes, reason"
#define AUDIT_COLUMNS "seq, at, principal, action, subject, data, hash"
#define AUDIT_FILTER                                                                               \
    "(?1 IS NULL OR principal=?1) AND (?2 IS NULL OR action=?2) AND (?3 IS NULL OR subject=?3)"
#define USER_COLUMNS "name, role, scope, password, created_at, created_by"
#define INVITATION_COLUMNS "id, hash, user, role, scope, expires_at, created_at, created_by"
#define SESSION_COLUMNS                                                                            \
    "s.hash, s.created_at, s.seen_at, u.name, u.role, u.scope"                                     \
    " FROM session s JOIN user u ON u.name=s.user"
#define EVENT_COLUMNS "seq, at, kind, subject, text, principal, data"

static const char *const statements[Q_COUNT] = {
    [Q_QUICK_CHECK] = "PRAGMA quick_check(1)",
    [Q_META_GET] = "SELECT value FROM meta WHERE key=?1",
    [Q_META_SET] = "INSERT INTO meta (key, value) VALUES (?1, ?2)"
                   " ON CONFLICT (key) DO UPDATE SET value=?2",

    [Q_ARTIFACT_INSERT] = "INSERT INTO artifact (" ARTIFACT_COLUMNS ")"
                          " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, 0, 0)",
    [Q_ARTIFACT_FIND] = "SELECT " ARTIFACT_COLUMNS " FROM artifact"
                        " WHERE name=?1 AND version=?2 AND platform=?3 AND arch=?4",
    [Q_ARTIFACT_LIST] = "SELECT " ARTIFACT_COLUMNS " FROM artifact WHERE deleted_at=0"
                        " AND (?1 IS NULL OR name=?1) AND (?2 IS NULL OR platform=?2)"
                        " AND (?3 IS NULL OR arch=?3) AND (?4 IS NULL OR version=?4)"
                        " ORDER BY name, version, platform, arch",
    [Q_ARTIFACT_YANK] =
        "UPDATE artifact SET yanked=1"
        " WHERE name=?1 AND version=?2 AND platform=?3 AND arch=?4 AND deleted_at=0",
    [Q_ARTIFACT_LEAVE_OUT] =
        "UPDATE artifact SET left_out=?5"
        " WHERE name=?1 AND version=?2 AND platform=?3 AND arch=?4 AND deleted_at=0",
    [Q_ARTIFACT_DELETE] =
        "UPDATE artifact SET deleted_at=?5"
        " WHERE name=?1 AND version=?2 AND platform=?3 AND arch=?4 AND deleted_at=0",
    [Q_ARTIFACT_DIGEST_IN_USE] =
        "SELECT (SELECT count(*) FROM artifact WHERE sha256=?1 AND deleted_at=0)"
        " + (SELECT count(*) FROM held WHERE sha256=?1)",
    [Q_ARTIFACT_REVIVE] = "UPDATE artifact SET deleted_at=0, yanked=0, left_out=0, uploaded_at=?5,"
                          " key_id=?6, publisher_signature=?7, release_signature=?8, notes=?9"
                          " WHERE name=?1 AND version=?2 AND platform=?3 AND arch=?4",

    [Q_CHANNEL_SET] =
        "INSERT INTO channel (name, artifact, version, updated_at) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (name, artifact) DO UPDATE SET version=?3, updated_at=?4",
    [Q_CHANNEL_FIND] = "SELECT name, artifact, version, updated_at FROM channel"
                       " WHERE name=?1 AND artifact=?2",
    [Q_CHANNEL_LIST] = "SELECT name, artifact, version, updated_at FROM channel"
                       " ORDER BY name, artifact",
    [Q_DECIDED_NEWEST] = "SELECT max(coalesce((SELECT max(updated_at) FROM channel), 0),"
                         " coalesce((SELECT max(finished_at) FROM rollout), 0))",

    [Q_AGENT_INSERT] =
        "INSERT INTO agent (id, public_key, admission, reported_labels, assigned_labels,"
        " platform, arch, address, enrolled_at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [Q_AGENT_LIST] = "SELECT " AGENT_COLUMNS " FROM " AGENT_ROWS " ORDER BY id",
    [Q_AGENT_FIND] = "SELECT " AGENT_COLUMNS " FROM " AGENT_ROWS " WHERE id=?1",
    [Q_AGENT_CHOICE_LIST] = "SELECT " AGENT_CHOICE_COLUMNS " FROM agent ORDER BY id",
    [Q_AGENT_CHOICE_FIND] = "SELECT " AGENT_CHOICE_COLUMNS " FROM agent WHERE id=?1",
    [Q_AGENT_REENROLL] =
        "UPDATE agent SET reported_labels=?2, assigned_labels=?3, platform=?4, arch=?5,"
        " address=?6, generation=generation+1 WHERE id=?1",
    [Q_AGENT_SET_ADMISSION] = "UPDATE agent SET admission=?2, generation=generation+1 WHERE id=?1",
    [Q_AGENT_SET_DESIRED] = "UPDATE agent SET desired_version=?2, desired_sha256=?3,"
                            " self_version=?4, self_sha256=?5, generation=generation+1"
                            " WHERE id=?1",
    [Q_AGENT_SET_LABELS] =
        "UPDATE agent SET assigned_labels=?2, generation=generation+1 WHERE id=?1",
    [Q_AGENT_SET_CHANNEL] = "UPDATE agent SET channel=?2, generation=generation+1 WHERE id=?1",
    [Q_AGENT_SET_PIN] = "UPDATE agent SET pin=?2, generation=generation+1 WHERE id=?1",
    [Q_AGENT_SET_CONFLICT] = "UPDATE agent SET conflict=?2, generation=generation+1 WHERE id=?1",
    [Q_AGENT_SET_MODE] = "UPDATE agent SET mode=?2, generation=generation+1 WHERE id=?1",
    [Q_AGENT_RAISE_GENERATION] = "UPDATE agent SET generation=max(generation, ?2)+1 WHERE id=?1",
    /* Most reports change none of these. */
    [Q_AGENT_SET_MACHINE] =
        "UPDATE agent SET reported_labels=?2, platform=?3, arch=?4, address=?5 WHERE id=?1"
        " AND (reported_labels<>?2 OR platform<>?3 OR arch<>?4 OR address<>?5)",
    /* One that was removed meanwhile is not seen any more. */
    [Q_AGENT_SET_SEEN] =
        "INSERT INTO agent_seen (agent_id, last_seen_at, status, report)"
        " SELECT id, ?2, ?3, ?4 FROM agent WHERE id=?1 ON CONFLICT (agent_id) DO UPDATE SET"
        " last_seen_at=?2, status=?3, report=?4",
    [Q_AGENT_DELETE] = "DELETE FROM agent WHERE id=?1",

    [Q_NODE_LIST] = "SELECT id, restart_generation, agent_id FROM node ORDER BY id",
    [Q_NODE_OF_AGENT] = "SELECT id, restart_generation FROM node WHERE agent_id=?1 ORDER BY id",
    [Q_NODE_RESTART] = "INSERT INTO node (id, agent_id, restart_generation) VALUES (?1, ?2, ?3)"
                       " ON CONFLICT (id) DO UPDATE SET"
                       " restart_generation=max(restart_generation+1, ?3)",

    [Q_TOKEN_INSERT] = "INSERT INTO token (" TOKEN_COLUMNS ")"
                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [Q_TOKEN_FIND] = "SELECT " TOKEN_COLUMNS " FROM token WHERE id=?1",
    [Q_TOKEN_LIST] = "SELECT " TOKEN_COLUMNS " FROM token ORDER BY created_at, id",
    [Q_TOKEN_DELETE] = "DELETE FROM token WHERE id=?1",
    [Q_TOKEN_CONSUME] =
        "UPDATE token SET uses_left = CASE WHEN uses_left < 0 THEN -1 ELSE uses_left - 1 END"
        " WHERE id=?1 AND kind='join' AND uses_left <> 0"
        " AND (expires_at = 0 OR expires_at > ?2)",
    [Q_TOKEN_PRUNE] = "DELETE FROM token WHERE expires_at > 0 AND expires_at < ?1",

    [Q_USER_INSERT] = "INSERT INTO user (" USER_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [Q_USER_FIND] = "SELECT " USER_COLUMNS " FROM user WHERE name=?1",
    [Q_USER_LIST] = "SELECT " USER_COLUMNS " FROM user ORDER BY name",
    [Q_USER_DELETE] = "DELETE FROM user WHERE name=?1",
    [Q_INVITATION_INSERT] = "INSERT INTO invitation (" INVITATION_COLUMNS ")"
                            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [Q_INVITATION_FIND] = "SELECT " INVITATION_COLUMNS " FROM invitation WHERE id=?1",
    [Q_INVITATION_LIST] = "SELECT " INVITATION_COLUMNS " FROM invitation WHERE expires_at > ?1"
                          " ORDER BY user, created_at",
    [Q_INVITATION_DELETE] = "DELETE FROM invitation WHERE id=?1",
    [Q_INVITATION_DELETE_OF] = "DELETE FROM invitation WHERE user=?1",
    [Q_INVITATION_PRUNE] = "DELETE FROM invitation WHERE expires_at <= ?1",
    [Q_SESSION_INSERT] = "INSERT INTO session (hash, user, created_at, seen_at)"
                         " VALUES (?1, ?2, ?3, ?4)",
    [Q_SESSION_FIND] = "SELECT " SESSION_COLUMNS " WHERE s.hash=?1",
    [Q_SESSION_BY_CREDENTIAL] = "SELECT " SESSION_COLUMNS " WHERE substr(s.hash, 1, 16)=?1",
    [Q_SESSION_SEEN] = "UPDATE session SET seen_at=?2 WHERE hash=?1",
    [Q_SESSION_DELETE] = "DELETE FROM session WHERE hash=?1",
    [Q_SESSION_DELETE_OF] = "DELETE FROM session WHERE user=?1",
    [Q_SESSION_PRUNE] = "DELETE FROM session WHERE created_at <= ?1 OR seen_at <= ?2",

    [Q_EVENT_INSERT] = "INSERT INTO event (at, kind, subject, text, principal, data)"
                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [Q_EVENT_SINCE] = "SELECT " EVENT_COLUMNS " FROM event WHERE seq > ?1"
                      " AND (?2 IS NULL OR kind=?2) AND (?3 IS NULL OR subject=?3)"
                      " ORDER BY seq LIMIT ?4",
    [Q_EVENT_NEWEST] = "SELECT " EVENT_COLUMNS " FROM (SELECT " EVENT_COLUMNS " FROM event"
                       " WHERE (?1 IS NULL OR kind=?1) AND (?2 IS NULL OR subject=?2)"
                       " ORDER BY seq DESC LIMIT ?3) ORDER BY seq",
    /* Each from an index: min and max in one go would read every row. */
    [Q_EVENT_BOUNDS] = "SELECT coalesce((SELECT min(seq) FROM event), 0),"
                       " coalesce((SELECT seq FROM sqlite_sequence WHERE name='event'), 0)",
    [Q_EVENT_PRUNE] = "DELETE FROM event WHERE at < ?1"
                      " OR seq <= (SELECT max(seq) FROM event) - ?2",

    [Q_ROLLOUT_INSERT] =
        "INSERT INTO rollout (artifact, version, request, state, created_at, principal,"
        " idempotency_key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [Q_ROLLOUT_NEWEST] = "SELECT max(number) FROM rollout",
    [Q_ROLLOUT_UPDATE] =
        "UPDATE rollout SET state=?3, resume=?4, cause=?5, reason=?6, revision=?7, clock_ms=?8,"
        " entered_ms=?9, progress_ms=?10, turns=?11, domain=?12, finished_at=?13,"
        " superseded_by=?14, hold=?15, live=?16 WHERE number=?1 AND revision=?2",
    [Q_ROLLOUT_CLOCK] = "UPDATE rollout SET clock_ms=?2 WHERE number=?1",
    [Q_ROLLOUT_FIND] = "SELECT " ROLLOUT_COLUMNS " FROM rollout WHERE number=?1",
    [Q_ROLLOUT_LIVE] = "SELECT " ROLLOUT_COLUMNS " FROM rollout WHERE live=1 ORDER BY number DESC",
    [Q_ROLLOUT_HEADINGS] = "SELECT number, artifact, version, state FROM rollout"
                           " ORDER BY number DESC",
    [Q_ROLLOUT_BY_KEY] = "SELECT number FROM rollout WHERE principal=?1 AND idempotency_key=?2"
                         " AND created_at > ?3 ORDER BY number DESC LIMIT 1",
    [Q_ROLLOUT_DECIDING] = "SELECT " ROLLOUT_COLUMNS " FROM rollout"
                           " WHERE live=1 OR state='completed' ORDER BY number DESC",

    [Q_MEMBER_PUT] =
        "INSERT INTO rollout_agent (rollout, " MEMBER_COLUMNS ")"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
        " ON CONFLICT (rollout, agent_id) DO UPDATE SET domain=?3, canary=?4, state=?5, cause=?6,"
        " reason=?7, diagnosis=?8, attempt=?9, turn=?10, was_broken=?11, deadline_ms=?12,"
        " from_version=?13, from_sha256=?14, to_sha256=?15",
    [Q_MEMBER_LIST] =
        "SELECT " MEMBER_COLUMNS " FROM rollout_agent WHERE rollout=?1 ORDER BY agent_id",
    [Q_MEMBER_COUNT] = "SELECT domain, state, count(*) FROM rollout_agent WHERE rollout=?1"
                       " GROUP BY domain, state ORDER BY domain, state",
    /* The newest rollout of the artifact, below ?3, that may say something about the agent. */
    [Q_MEMBER_PLACE] =
        "SELECT m.rollout, m.state, m.attempt, m.from_version, m.from_sha256, m.to_sha256,"
        " r.version, r.finished_at, r.state, r.resume, r.hold, m.cause, r.cause"
        " FROM rollout_agent m JOIN rollout r ON r.number=m.rollout"
        " WHERE m.agent_id=?1 AND r.artifact=?2 AND m.rollout < ?3 AND m.state<>'excluded'"
        " AND (r.live=1 OR m.state='committed') ORDER BY m.rollout DESC LIMIT 1",
    [Q_MEMBER_EXISTS] = "SELECT 1 FROM rollout_agent WHERE rollout=?1 AND agent_id=?2"
                        " AND state<>'excluded'",
    /* A later rollout of the artifact that moved, or may move, one of the members. */
    [Q_MEMBER_NEWER] =
        "SELECT n.rollout FROM rollout_agent m JOIN rollout_agent n ON n.agent_id=m.agent_id"
        " AND n.rollout > m.rollout JOIN rollout r ON r.number=n.rollout"
        " WHERE m.rollout=?1 AND r.artifact=?2 AND n.state<>'excluded'"
        " AND (n.attempt > 0 AND n.state<>'returned' OR r.finished_at=0) LIMIT 1",
    /* Whose members may still be sent to, or back to, these bytes. */
    [Q_MEMBER_NEEDS] =
        "SELECT m.rollout, m.agent_id FROM rollout_agent m JOIN rollout r ON r.number=m.rollout"
        " WHERE (m.to_sha256=?1 OR (?2 AND m.from_sha256=?1)) AND m.state<>'excluded'"
        " AND (r.finished_at=0 OR (r.live=1 AND m.state<>'committed'))"
        " ORDER BY m.rollout DESC, m.agent_id LIMIT 1",
    [Q_MEMBER_TAKEN] =
        "SELECT DISTINCT m.agent_id FROM rollout_agent m JOIN rollout r ON r.number=m.rollout"
        " WHERE m.rollout > ?1 AND r.artifact=?2 AND m.state<>'excluded' ORDER BY m.agent_id",

    [Q_QUARANTINE_INSERT] = "INSERT INTO quarantine (" QUARANTINE_COLUMNS ")"
                            " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (sha256) DO NOTHING",
    [Q_QUARANTINE_LIST] =
        "SELECT " QUARANTINE_COLUMNS " FROM quarantine ORDER BY artifact, version, sha256",
    [Q_QUARANTINE_FIND] = "SELECT " QUARANTINE_COLUMNS " FROM quarantine WHERE sha256=?1",
    [Q_QUARANTINE_OF_VERSION] =
        "SELECT q.sha256, q.artifact, q.version, q.rollout, q.reason, q.at FROM quarantine q"
        " JOIN artifact a ON a.sha256=q.sha256 WHERE a.name=?1 AND a.version=?2"
        " AND a.deleted_at=0 ORDER BY q.sha256 LIMIT 1",
    [Q_QUARANTINE_DELETE] = "DELETE FROM quarantine WHERE sha256=?1",

    [Q_FLOOR_SET] = "INSERT INTO floor (artifact, version, at) VALUES (?1, ?2, ?3)"
                    " ON CONFLICT (artifact) DO UPDATE SET version=?2, at=?3",
    [Q_FLOOR_LIST] = "SELECT artifact, version, at FROM floor ORDER BY artifact",
    [Q_FLOOR_FIND] = "SELECT artifact, version, at FROM floor WHERE artifact=?1",
    /* Who should run which version of the artifact, runs it, or may return to it. */
    [Q_FLOOR_HOLDERS] =
        "SELECT id, desired_version, 'should run' FROM agent WHERE ?1='storage-server'"
        " UNION ALL SELECT id, pin, 'is pinned to' FROM agent WHERE ?1='storage-server'"
        " UNION ALL SELECT agent_id, coalesce(json_extract(nullif(report, ''), '$.version'), ''),"
        " 'runs' FROM agent_seen WHERE ?1='storage-server'"
        " UNION ALL SELECT id, self_version, 'should run' FROM agent WHERE ?1='grid-agent'"
        " UNION ALL SELECT agent_id,"
        " coalesce(json_extract(nullif(report, ''), '$.self.version'), ''),"
        " 'runs' FROM agent_seen WHERE ?1='grid-agent'"
        " UNION ALL SELECT m.agent_id, m.from_version, 'may return to' FROM rollout_agent m"
        " JOIN rollout r ON r.number=m.rollout WHERE r.artifact=?1 AND m.state<>'excluded'"
        " AND r.live=1",
    [Q_FLOOR_DELETE] = "DELETE FROM floor WHERE artifact=?1",

    [Q_REPO_PUT] = "INSERT INTO repo_metadata (file, role, version, bytes) VALUES (?1, ?2, ?3, ?4)"
                   " ON CONFLICT (file) DO UPDATE SET version=?3, bytes=?4",
    [Q_REPO_FILE] = "SELECT bytes, version, file, role FROM repo_metadata WHERE file=?1",
    [Q_REPO_NEWEST] = "SELECT bytes, version, file, role FROM repo_metadata WHERE role=?1"
                      " ORDER BY version DESC LIMIT 1",
    [Q_REPO_VERSION] = "SELECT coalesce(max(version), 0) FROM repo_metadata WHERE role=?1",
    /* All but the newest ?2. */
    [Q_REPO_PRUNE] = "DELETE FROM repo_metadata WHERE role=?1 AND version <= (SELECT version"
                     " FROM repo_metadata WHERE role=?1 ORDER BY version DESC LIMIT 1 OFFSET ?2)",

    [Q_HELD_PUT] =
        "INSERT INTO held (" HELD_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
        " ON CONFLICT (file) DO UPDATE SET sha256=?2, size_bytes=?3, at=?4, principal=?5,"
        " key_id=?6, publisher_signature=?7, notes=?8, reason=?9",
    [Q_HELD_FIND] = "SELECT " HELD_COLUMNS " FROM held WHERE file=?1",
    [Q_HELD_LIST] = "SELECT " HELD_COLUMNS " FROM held ORDER BY file",
    [Q_HELD_COUNT] = "SELECT count(*) FROM held",
    [Q_HELD_DELETE] = "DELETE FROM held WHERE file=?1",
    [Q_DISCARDED_PUT] = "INSERT INTO held_discarded (file, sha256, at) VALUES (?1, ?2, ?3)"
                        " ON CONFLICT (file) DO UPDATE SET sha256=?2, at=?3",
    [Q_DISCARDED_FIND] = "SELECT at FROM held_discarded WHERE file=?1 AND sha256=?2",
    [Q_DISCARDED_LIST] = "SELECT file FROM held_discarded ORDER BY file",
    [Q_DISCARDED_DELETE] = "DELETE FROM held_discarded WHERE file=?1",

    [Q_AUDIT_INSERT] = "INSERT INTO audit (at, principal, action, subject, data, hash)"
                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [Q_AUDIT_LAST_HASH] = "SELECT hash FROM audit ORDER BY seq DESC LIMIT 1",
    [Q_AUDIT_LIST] = "SELECT " AUDIT_COLUMNS " FROM audit WHERE " AUDIT_FILTER
                     " AND seq < ?4 ORDER BY seq DESC LIMIT ?5",
    [Q_AUDIT_COUNT] = "SELECT count(*) FROM audit WHERE " AUDIT_FILTER,
    [Q_AUDIT_SINCE] = "SELECT " AUDIT_COLUMNS " FROM audit WHERE " AUDIT_FILTER
                      " AND seq > ?4 ORDER BY seq LIMIT ?5",
    /* Of the last row before those that are kept. */
    [Q_AUDIT_ANCHOR] = "SELECT hash FROM audit_checkpoint"
                       " WHERE seq = (SELECT min(seq) FROM audit) - 1",
    [Q_AUDIT_NEWEST] = "SELECT seq, at, hash FROM audit ORDER BY seq DESC LIMIT 1",
    [Q_AUDIT_PRUNE] = "DELETE FROM audit WHERE seq <= ?1",
    [Q_AUDIT_POINT_NEWEST] = "SELECT seq, at, hash FROM audit_checkpoint ORDER BY seq DESC LIMIT 1",
    [Q_AUDIT_POINT_BEFORE] =
        "SELECT seq, at, hash FROM audit_checkpoint"
        " WHERE seq <= (SELECT max(seq) FROM audit) - ?1 ORDER BY seq DESC LIMIT 1",
    [Q_AUDIT_POINT_INSERT] =
        "INSERT INTO audit_checkpoint (seq, at, hash, signature) VALUES (?1, ?2, ?3, ?4)",
    [Q_AUDIT_POINT_LIST] = "SELECT seq, at, hash, signature FROM audit_checkpoint ORDER BY seq",
    [Q_AUDIT_POINT_PRUNE] = "DELETE FROM audit_checkpoint WHERE seq < ?1",
    [Q_AUDIT_ALL] = "SELECT " AUDIT_COLUMNS " FROM audit ORDER BY seq",
};

bool store_open(struct db **out, const char *state_directory, struct err *e) {
    char path[PATH_MAX];
    if (!file_join(path, sizeof path, state_directory, "grid.db", e)) return false;
    const struct db_options options = {.path = path,
                                       .migrations = master_schema_files,
                                       .migration_count = master_schema_file_count,
                                       .statements = statements,
                                       .statement_count = Q_COUNT};
    if (db_open(out, &options, e)) return true;
    if (e->code != ERR_CORRUPT) return false;
    return err_hint(e, "restore a backup: gridctl backup restore FILE --state DIR");
}
