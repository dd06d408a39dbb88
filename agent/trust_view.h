/* What the trusted targets say of builds. Pure. */
#pragma once

#include "agent/version.h"
#include "lib/tuf_custom.h"
#include "lib/tuf_metadata.h"

struct trust_target {
    char *path; /* owned */
    char sha256[SHA256_HEX_SIZE];
    int64_t length;
    bool readable; /* custom makes sense */
    struct tuf_custom custom;
};

struct trust_view {
    int64_t version;           /* of the targets; 0: none are trusted */
    struct trust_target *list; /* owned; sorted by path */
    size_t count;
};

/* In place of what was there before; NULL: nothing is trusted. */
void trust_view_take(struct trust_view *v, const struct tuf_targets *targets);
void trust_view_clear(struct trust_view *v);

/* Whether they name exactly these bytes for this machine, and let them run. ERR_UNTRUSTED,
 * ERR_NOT_FOUND. */
MUST_CHECK bool trust_view_allows(const struct trust_view *v, const struct version *version,
                                  struct err *e);
