/* The next targets metadata: which builds agents take from then on, made of the current ones and of
 * changes. Pure. */
#pragma once

#include "lib/artifact.h"
#include "lib/tuf_metadata.h"

struct trust_build {
    struct artifact_name id;
    char sha256[SHA256_HEX_SIZE];
    int64_t size_bytes;
};

/* The heading that follows current: version max(last + 1, Unix seconds), as the master counts. */
void trust_targets_renew(struct tuf_targets *t, int64_t now_ms, int64_t life_ms);

/* Adds a build as the newest publication. Naming the same bytes again is fine; ERR_CONFLICT when
 * the name has other bytes. */
MUST_CHECK bool trust_targets_add(struct tuf_targets *t, const struct trust_build *b,
                                  struct err *e);

/* Marks it: agents begin it no more. Takes it out. ERR_NOT_FOUND. */
MUST_CHECK bool trust_targets_yank(struct tuf_targets *t, const char *file, struct err *e);
MUST_CHECK bool trust_targets_remove(struct tuf_targets *t, const char *file, struct err *e);

/* No version of the artifact below it is begun any more; NULL: any may be again. ERR_NOT_FOUND when
 * nothing of that name is there to say it. */
MUST_CHECK bool trust_targets_floor(struct tuf_targets *t, const char *name, const char *version,
                                    struct err *e);

/* Appends what they name, a line each: "names FILE, N bytes, SHA-256 ...", and floors. */
void trust_targets_say(const struct tuf_targets *t, struct text *out);

/* Appends what differs from before to after, a line each: "adds FILE, N bytes, SHA-256 ...",
 * "removes FILE", "yanks FILE, ...", "replaces the bytes of FILE, ...", "moves the floor of NAME to
 * VERSION". Nothing for nothing. */
void trust_targets_difference(const struct tuf_targets *before, const struct tuf_targets *after,
                              struct text *out);
