#include "master/store.h"

#include "lib/file.h"

#include <limits.h>

EMBED_DECLARE(master_schema)

#define ARTIFACT_COLUMNS                                                                           \
    "name, version, platform, arch, sha256, size_bytes, uploaded_at, key_id, publisher_signature," \
    " release_signature, notes, yanked, deleted_at"
#define AGENT_COLUMNS                                                                              \
    "id, public_key, admission, reported_labels, assigned_labels, channel, mode, generation,"      \
    " desired_version, desired_sha256, platform, arch, address, enrolled_at, last_seen_at, "       \
    "status,"                                                                                      \
    " report"
#define AGENT_CHOICE_COLUMNS                                                                       \
    "id, channel, platform, arch, generation, desired_version, desired_sha256"
#define TOKEN_COLUMNS "id, kind, hash, role, labels, uses_left, expires_at, created_at, created_by"
#define EVENT_COLUMNS "seq, at, kind, subject, text, principal, data"

static const char *const statements[Q_COUNT] = {
    [Q_QUICK_CHECK] = "PRAGMA quick_check(1)",
    [Q_META_GET] = "SELECT value FROM meta WHERE key=?1",
    [Q_META_SET] = "INSERT INTO meta (key, value) VALUES (?1, ?2)"
                   " ON CONFLICT (key) DO UPDATE SET value=?2",

    [Q_ARTIFACT_INSERT] = "INSERT INTO artifact (" ARTIFACT_COLUMNS ")"
                          " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, 0)",
    [Q_ARTIFACT_FIND] = "SELECT " ARTIFACT_COLUMNS " FROM artifact"
                        " WHERE name=?1 AND version=?2 AND platform=?3 AND arch=?4",
    [Q_ARTIFACT_LIST] = "SELECT " ARTIFACT_COLUMNS " FROM artifact WHERE deleted_at=0"
                        " AND (?1 IS NULL OR name=?1) AND (?2 IS NULL OR platform=?2)"
                        " AND (?3 IS NULL OR arch=?3) AND (?4 IS NULL OR version=?4)"
                        " ORDER BY name, version, platform, arch",
    [Q_ARTIFACT_YANK] =
        "UPDATE artifact SET yanked=1"
        " WHERE name=?1 AND version=?2 AND platform=?3 AND arch=?4 AND deleted_at=0",
    [Q_ARTIFACT_DELETE] =
        "UPDATE artifact SET deleted_at=?5"
        " WHERE name=?1 AND version=?2 AND platform=?3 AND arch=?4 AND deleted_at=0",
    [Q_ARTIFACT_DIGEST_IN_USE] = "SELECT count(*) FROM artifact WHERE sha256=?1 AND deleted_at=0",
    [Q_ARTIFACT_REVIVE] = "UPDATE artifact SET deleted_at=0, yanked=0, uploaded_at=?5, key_id=?6,"
                          " publisher_signature=?7, release_signature=?8, notes=?9"
                          " WHERE name=?1 AND version=?2 AND platform=?3 AND arch=?4",

    [Q_CHANNEL_SET] =
        "INSERT INTO channel (name, artifact, version, updated_at) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (name, artifact) DO UPDATE SET version=?3, updated_at=?4",
    [Q_CHANNEL_FIND] = "SELECT name, artifact, version, updated_at FROM channel"
                       " WHERE name=?1 AND artifact=?2",
    [Q_CHANNEL_LIST] = "SELECT name, artifact, version, updated_at FROM channel"
                       " ORDER BY name, artifact",

    [Q_AGENT_INSERT] =
        "INSERT INTO agent (id, public_key, admission, reported_labels, assigned_labels,"
        " platform, arch, address, enrolled_at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [Q_AGENT_LIST] = "SELECT " AGENT_COLUMNS " FROM agent ORDER BY id",
    [Q_AGENT_FIND] = "SELECT " AGENT_COLUMNS " FROM agent WHERE id=?1",
    [Q_AGENT_CHOICE_LIST] = "SELECT " AGENT_CHOICE_COLUMNS " FROM agent ORDER BY id",
    [Q_AGENT_CHOICE_FIND] = "SELECT " AGENT_CHOICE_COLUMNS " FROM agent WHERE id=?1",
    [Q_AGENT_REENROLL] =
        "UPDATE agent SET reported_labels=?2, assigned_labels=?3, platform=?4, arch=?5,"
        " address=?6, generation=generation+1 WHERE id=?1",
    [Q_AGENT_SET_ADMISSION] = "UPDATE agent SET admission=?2, generation=generation+1 WHERE id=?1",
    [Q_AGENT_SET_DESIRED] = "UPDATE agent SET desired_version=?2, desired_sha256=?3,"
                            " generation=generation+1 WHERE id=?1",
    [Q_AGENT_SET_LABELS] =
        "UPDATE agent SET assigned_labels=?2, generation=generation+1 WHERE id=?1",
    [Q_AGENT_SET_CHANNEL] = "UPDATE agent SET channel=?2, generation=generation+1 WHERE id=?1",
    [Q_AGENT_SET_MODE] = "UPDATE agent SET mode=?2, generation=generation+1 WHERE id=?1",
    [Q_AGENT_RAISE_GENERATION] = "UPDATE agent SET generation=max(generation, ?2)+1 WHERE id=?1",
    [Q_AGENT_SET_OBSERVED] =
        "UPDATE agent SET reported_labels=?2, platform=?3, arch=?4, address=?5,"
        " last_seen_at=?6, status=?7, report=?8 WHERE id=?1",
    [Q_AGENT_DELETE] = "DELETE FROM agent WHERE id=?1",

    [Q_NODE_LIST] = "SELECT id, restart_generation, agent_id FROM node ORDER BY id",
    [Q_NODE_OF_AGENT] = "SELECT id, restart_generation FROM node WHERE agent_id=?1 ORDER BY id",
    [Q_NODE_RESTART] = "INSERT INTO node (id, agent_id, restart_generation) VALUES (?1, ?2, ?3)"
                       " ON CONFLICT (id) DO UPDATE SET"
                       " restart_generation=max(restart_generation+1, ?3)",

    [Q_TOKEN_INSERT] = "INSERT INTO token (" TOKEN_COLUMNS ")"
                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [Q_TOKEN_FIND] = "SELECT " TOKEN_COLUMNS " FROM token WHERE id=?1",
    [Q_TOKEN_LIST] = "SELECT " TOKEN_COLUMNS " FROM token ORDER BY created_at, id",
    [Q_TOKEN_DELETE] = "DELETE FROM token WHERE id=?1",
    [Q_TOKEN_CONSUME] =
        "UPDATE token SET uses_left = CASE WHEN uses_left < 0 THEN -1 ELSE uses_left - 1 END"
        " WHERE id=?1 AND kind='join' AND uses_left <> 0"
        " AND (expires_at = 0 OR expires_at > ?2)",
    [Q_TOKEN_PRUNE] = "DELETE FROM token WHERE expires_at > 0 AND expires_at < ?1",

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
