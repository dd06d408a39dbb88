/* The versions in play: the target, current, previous, the one that is fetched ahead. One thread.
 */
#pragma once

#include "agent/reconcile.h"
#include "agent/state.h"
#include "agent/version.h"
#include "lib/err.h"

struct versions {
    const struct state *state;
    struct version target; /* sha256 "" : none */
    struct version current;
    struct version previous;
    struct version prefetch;     /* sha256 "" : none */
    char local[SHA256_HEX_SIZE]; /* digest of the file at binary_path, for which nobody need vouch;
                                    "" otherwise */
    char moved_to[SHA256_HEX_SIZE]; /* current as it should be on disk while the link could not be
                                       written; "" */
    int64_t retry_ms;
};

void versions_load(struct versions *v, const struct state *s);
void versions_fini(struct versions *v);

/* Whether bytes of it are in the store that were proven when they came, or are the local file's. */
bool versions_staged(const struct versions *v, const struct version *version);

/* The version with this digest among those in play, or what the store knows of it, copied into *out
 * (cleared first). */
MUST_CHECK bool versions_find(const struct versions *v, const char *sha256, struct version *out,
                              struct err *e);

/* Fills target, current, previous, prefetch of the input. */
void versions_describe(const struct versions *v, struct reconcile_input *in);

/* sha256 works: it is current from now on, what was current is previous. A link that cannot be
 * written now is tried again by versions_retry. */
void versions_commit(struct versions *v, const char *sha256, int64_t now_ms);
void versions_retry(struct versions *v, int64_t now_ms, int64_t *due_ms);

/* When the target is what current is under another number, current takes that number. */
void versions_rename(struct versions *v);

/* Removes from the store what nothing needs: keep names digests that are used besides those in
 * play. */
void versions_collect(const struct versions *v, const char *const *keep, size_t count);
