/* Channels: explicit pointers from a name to a version. Any thread. */
#pragma once

#include "lib/artifact.h"
#include "lib/db.h"
#include "lib/err.h"

#define CHANNEL_NAME_SIZE 33 /* [a-z0-9][a-z0-9-]*, at most 32 */

struct channel {
    char name[CHANNEL_NAME_SIZE];
    char artifact[ARTIFACT_NAME_SIZE];
    char version[SEMVER_SIZE];
    int64_t updated_at_ms;
};

MUST_CHECK bool channel_name_check(const char *name, struct err *e);
/* Inside an operation: all channels; free() *out. */
MUST_CHECK bool channels_read(struct db_connection *c, struct channel **out, size_t *count,
                              struct err *e);
MUST_CHECK bool channels_list(struct db *db, struct channel **out, size_t *count,
                              struct err *e); /* free() *out */

/* Inside an operation: whether a build of this version is registered (ERR_NOT_FOUND) and not yanked
 * (ERR_CONFLICT). */
MUST_CHECK bool channels_check_offered(struct db_connection *c, const char *artifact,
                                       const char *version, struct err *e);
/* Inside an operation: whether agents may be sent to this version: registered (ERR_NOT_FOUND), not
 * yanked, not quarantined, not below the floor (ERR_CONFLICT). */
MUST_CHECK bool channels_check_version(struct db_connection *c, const char *artifact,
                                       const char *version, struct err *e);

/* Points the channel at a version that passes channels_check_version and writes the event. One that
 * points there already does so anew, which outweighs rollouts that ended before. Agents are told by
 * agents_refresh, which the caller runs next. */
MUST_CHECK bool channels_set(struct db *db, const char *name, const char *artifact,
                             const char *version, const char *principal, struct channel *out,
                             struct err *e);

/* Inside a transaction: sets it only when the channel has no version yet, and neither quarantine
 * nor floor speaks against this one, which is registered. *adopted tells. */
MUST_CHECK bool channels_adopt(struct db_connection *c, const char *name, const char *artifact,
                               const char *version, bool *adopted, struct err *e);
