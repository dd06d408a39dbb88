/* Builds of the agent on their way into STATE/agent, and whether what is there is whole. One
 * thread; hashes a build when it is first asked about. */
#pragma once

#include "agent/builds.h"
#include "agent/fetching.h"
#include "lib/wire.h"

#define SELF_STAGING_KNOWN 4 /* builds of which it is remembered whether they are whole */

extern const struct fetch_place self_staging_place;

struct self_proof {
    char name[BUILDS_NAME_SIZE];
    int64_t size_bytes, changed_ns; /* of the file that was hashed */
    uint64_t inode;
    bool good;
};

struct self_staging {
    const char *directory; /* STATE/agent */
    struct fetching fetching;
    struct self_proof known[SELF_STAGING_KNOWN];
    size_t next; /* of known, to be written over */
};

/* The build's name; false when the artifact names none. */
MUST_CHECK bool self_staging_name(const struct wire_artifact *a, char out[BUILDS_NAME_SIZE]);

/* *out is cleared first. */
void self_staging_version(const struct wire_artifact *a, struct version *out);

bool self_staging_has(struct self_staging *s, const char *name);

/* Makes the job be for this artifact, NULL for none. */
void self_staging_want(struct self_staging *s, const struct wire_artifact *a, int64_t now_ms,
                       int64_t *due_ms);

/* The last failure of this digest, while it is still the news; NULL: there is none. */
const struct fetching_try *self_staging_failure(const struct self_staging *s, const char *sha256);
