/* The store of verified versions: immutable files named by their digest, and the links current and
 * previous. Everything that enters was verified by the caller; it is verified again where it is
 * used. Blocks on disk. One thread changes it. */
#pragma once

#include "agent/state.h"
#include "agent/version.h"
#include "lib/err.h"

/* Makes the verified file at temporary_path (in STATE/tmp) the store's copy of v, mode 0500: what v
 * is comes first, so that bytes in the store are never without a name. A copy that is there already
 * is replaced. */
MUST_CHECK bool cache_add(const struct state *s, const struct version *v, int fd,
                          const char *temporary_path, struct err *e);

/* Notes what v is, whether its bytes are there or not. */
MUST_CHECK bool cache_describe(const struct state *s, const struct version *v, struct err *e);

/* What the store knows of a digest. ERR_NOT_FOUND; the bytes may be missing or damaged
 * nevertheless. */
MUST_CHECK bool cache_find(const struct state *s, const char *sha256, struct version *out,
                           struct err *e);

/* Whether the bytes are there with the right size. */
bool cache_holds(const struct state *s, const struct version *v);

/* A read-only descriptor of the bytes, -1 on error. */
MUST_CHECK int cache_open(const struct state *s, const char *sha256, struct err *e);

/* Takes damaged bytes away; what is known of them stays, so that they can be fetched again. */
MUST_CHECK bool cache_discard(const struct state *s, const char *sha256, struct err *e);

/* Digests behind the links, "" when there is none. */
void cache_links(const struct state *s, char current[SHA256_HEX_SIZE],
                 char previous[SHA256_HEX_SIZE]);

/* previous becomes what current is, current becomes sha256; durable, and whole after a crash at any
 * point. */
MUST_CHECK bool cache_switch(const struct state *s, const char *sha256, struct err *e);

/* Removes versions that are not in keep and what is left over in STATE/tmp besides keep's
 * downloads. Best effort: what cannot be removed now is tried again next time. Returns how many
 * versions were removed. */
size_t cache_collect(const struct state *s, const char *const *keep, size_t count);
