/* What the "custom" member of this grid's targets says of a build, besides its bytes: what it is,
 * and whether agents may begin to run it. Pure. */
#pragma once

#include "lib/artifact.h"
#include "lib/text.h"
#include "lib/tuf_metadata.h"

#include <stdint.h>

struct tuf_custom {
    struct artifact_name id;
    int64_t release;         /* counts publications, from 1 */
    char floor[SEMVER_SIZE]; /* agents begin no version of id.name below it; "": none */
    bool yanked;             /* agents do not begin to run it */
};

/* ERR_INVALID names the member that is wrong. Members that nobody here knows are ignored; platform,
 * arch and versions must be what lib/artifact.h takes. */
MUST_CHECK bool tuf_custom_parse(const char *json, struct tuf_custom *out, struct err *e);

/* Of a target of this grid, whose path is the file name of what it says: ERR_INVALID otherwise. */
MUST_CHECK bool tuf_custom_of(const struct tuf_target *target, struct tuf_custom *out,
                              struct err *e);

/* Raises floor ("": none yet) to the one that a target of artifact name tells. Each target of the
 * name may tell another one, whatever its own version is: the highest counts. */
void tuf_custom_raise_floor(const struct tuf_custom *custom, const char *name,
                            char floor[SEMVER_SIZE]);

/* Appends it in canonical form. */
void tuf_custom_write(const struct tuf_custom *custom, struct text *out);

/* Makes it the target's, in place of what that said before. */
void tuf_custom_set(struct tuf_target *target, const struct tuf_custom *custom);
