/* The audit trail: who changed what. Each row's hash covers the row and the hash before it, so that
 * none can be altered or left out unseen. Written in the transaction of what it tells. Kept are the
 * newest AUDIT_ROWS_KEPT at least: master/audit_points.h. */
#pragma once

#include "lib/db.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/json.h"

struct audit_entry {
    int64_t seq;
    char at[32]; /* RFC 3339 */
    char principal[64];
    char action[48]; /* what was done, noun.verb: "rollout.start", "floor.set", ... */
    char subject[256];
    char *data; /* JSON object, owned */
    char hash[SHA256_HEX_SIZE];
};
extern const struct json_schema audit_entry_schema;

/* The action whose outcome an event of this kind tells: "token.create" of "token.created". */
const char *audit_action_of(const char *event);

/* Inside a db_write operation. data_json is an object's text or NULL. */
MUST_CHECK bool audit_add(struct db_connection *c, const char *principal, const char *action,
                          const char *subject, const char *data_json, struct err *e);

/* The same for what is about a version: data is {"version":...}. */
MUST_CHECK bool audit_add_version(struct db_connection *c, const char *principal,
                                  const char *action, const char *subject, const char *version,
                                  struct err *e);

struct audit_filter { /* NULL: any */
    const char *principal, *action, *subject;
};
/* Newest first, only those with seq below `before` (INT64_MAX: from the newest on), at most
 * `limit` (-1: all). The caller frees with json_clear_list(&audit_entry_schema, ...). */
MUST_CHECK bool audit_list(struct db *db, const struct audit_filter *filter, int64_t before,
                           int64_t limit, struct audit_entry **out, size_t *count, struct err *e);
/* Oldest first, only those with seq above `since`. */
MUST_CHECK bool audit_since(struct db *db, const struct audit_filter *filter, int64_t since,
                            int64_t limit, struct audit_entry **out, size_t *count, struct err *e);
MUST_CHECK bool audit_count(struct db *db, const struct audit_filter *filter, size_t *count,
                            struct err *e);

/* Whether every row's hash is what it should be; ERR_CORRUPT names the first that is not. */
MUST_CHECK bool audit_check(struct db *db, struct err *e);
