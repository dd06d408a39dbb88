/* Quarantine: digests that failed. No rollout, channel or pin leads there until an operator lifts
 * it. */
#pragma once

#include "lib/artifact.h"
#include "lib/db.h"
#include "lib/err.h"
#include "lib/hash.h"

struct quarantined {
    char sha256[SHA256_HEX_SIZE];
    char artifact[ARTIFACT_NAME_SIZE];
    char version[SEMVER_SIZE];
    int64_t rollout; /* where it failed; 0: none */
    char reason[384];
    int64_t at_ms;
};

/* Inside a db_write operation, with its event. A digest that is there already stays as it is. */
MUST_CHECK bool quarantine_add(struct db_connection *c, const struct quarantined *q, struct err *e);

/* Inside an operation: all of them, by artifact, version and digest. free() *out. */
MUST_CHECK bool quarantine_read(struct db_connection *c, struct quarantined **out, size_t *count,
                                struct err *e);
MUST_CHECK bool quarantine_list(struct db *db, struct quarantined **out, size_t *count,
                                struct err *e); /* free() *out */
MUST_CHECK bool quarantine_find(struct db *db, const char *sha256, struct quarantined *out,
                                struct err *e); /* ERR_NOT_FOUND */

/* Lifts it, with event and audit row. ERR_NOT_FOUND. Run follow_up after. */
MUST_CHECK bool quarantine_lift(struct db *db, const char *sha256, const char *principal,
                                struct err *e);

/* Inside an operation: ERR_CONFLICT when a build of this version is quarantined, with the way to
 * lift it as the hint. */
MUST_CHECK bool quarantine_check(struct db_connection *c, const char *artifact, const char *version,
                                 struct err *e);

/* Pure: the entry of this digest in a list, NULL when there is none. */
const struct quarantined *quarantine_find_in(const struct quarantined *list, size_t count,
                                             const char *sha256);
