/* Checkpoints of the audit trail: its newest hash, signed now and then by the master's message key,
 * so that who has seen one notices when rows before it are cut off or written anew. Any thread. */
#pragma once

#include "lib/audit_chain.h"
#include "lib/db.h"
#include "lib/json.h"

#define AUDIT_POINT_ROWS 1000
#define AUDIT_POINT_MS (INT64_C(3600) * 1000)

struct audit_point_view {
    int64_t seq;
    char at[32]; /* RFC 3339 */
    char hash[SHA256_HEX_SIZE];
    char signature[96]; /* base64 */
};
extern const struct json_schema audit_point_schema;

/* Whether a checkpoint is due: rows since the last one, and an hour or AUDIT_POINT_ROWS of them. */
bool audit_point_due(int64_t newest_seq, const struct audit_point *last, int64_t now_wall_ms);

/* Writes one when it is due; now: as soon as there is a row that none covers. */
MUST_CHECK bool audit_points_write(struct db *db, const struct sign_secret *key,
                                   int64_t now_wall_ms, bool now, struct err *e);

/* All of them, oldest first; free() *out. */
MUST_CHECK bool audit_points_list(struct db *db, struct audit_point_view **out, size_t *count,
                                  struct err *e);

/* Deletes rows up to a checkpoint, which stays as the first hash to go on from, so that the newest
 * `kept` rows at least are left. */
MUST_CHECK bool audit_points_prune(struct db *db, int64_t kept, struct err *e);
