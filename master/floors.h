/* Floors: nothing below such a version may be chosen any more, because it would not understand what
 * lies on the disks. One for each artifact. */
#pragma once

#include "lib/artifact.h"
#include "lib/db.h"
#include "lib/err.h"

struct repo;

struct floor {
    char artifact[ARTIFACT_NAME_SIZE];
    char version[SEMVER_SIZE];
    int64_t at_ms;
};

MUST_CHECK bool floors_list(struct db *db, struct floor **out, size_t *count,
                            struct err *e); /* by artifact; free() *out */

/* Sets it, with event and audit row, and in the targets of repo while they can be signed here.
 * ERR_INVALID: no version; ERR_CONFLICT: an agent should run, runs, or may return to a version
 * below, or a channel points there. *out is the row as it is. */
MUST_CHECK bool floors_set(struct db *db, struct repo *repo, const char *artifact,
                           const char *version, const char *principal, struct floor *out,
                           struct err *e);
MUST_CHECK bool floors_remove(struct db *db, struct repo *repo, const char *artifact,
                              const char *principal, struct err *e); /* ERR_NOT_FOUND */

/* Inside an operation: the floor of the artifact, "" when it has none. */
MUST_CHECK bool floors_of(struct db_connection *c, const char *artifact, char version[SEMVER_SIZE],
                          struct err *e);

/* Inside an operation: ERR_CONFLICT when the version is below the artifact's floor. */
MUST_CHECK bool floors_check(struct db_connection *c, const char *artifact, const char *version,
                             struct err *e);
