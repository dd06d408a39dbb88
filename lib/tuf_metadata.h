/* Metadata of The Update Framework 1.0, section 4 (theupdateframework.github.io/specification):
 * what the four roles say, read from bytes and written as bytes. Bytes are kept as they came;
 * signatures count over the canonical form (lib/json_canonical.h) of their "signed" part, so that
 * members that nobody here knows are covered as well. Nothing is believed before tuf_verify. Any
 * thread. */
#pragma once

#include "lib/err.h"
#include "lib/hash.h"
#include "lib/text.h"
#include "lib/tuf_key.h"

#include <stddef.h>
#include <stdint.h>

#define TUF_SPEC_VERSION "1.0.33"
#define TUF_ROLE_NAME_SIZE 128
#define TUF_KEYS_MAX 256    /* per metadata file, and per role */
#define TUF_ROLES_MAX 256   /* delegated by one file */
#define TUF_PATHS_MAX 16384 /* of one delegated role */
#define TUF_BITS_MAX 32     /* of a succinct delegation */
#define TUF_SNAPSHOT_ENTRIES_MAX 32768
#define TUF_TARGETS_MAX 100000

enum tuf_role_kind { TUF_ROOT, TUF_TIMESTAMP, TUF_SNAPSHOT, TUF_TARGETS, TUF_ROLE_COUNT };
const char *tuf_role_name(enum tuf_role_kind role); /* "root" ... */
MUST_CHECK bool tuf_role_parse(const char *name, enum tuf_role_kind *out);

/* Who may sign: so many different keys of these. */
struct tuf_signers {
    char (*key_ids)[TUF_KEY_ID_SIZE]; /* owned */
    size_t key_count;
    int64_t threshold;
};

struct tuf_keys {
    struct tuf_key *list; /* owned */
    size_t count;
};

/* What every role says of itself. */
struct tuf_heading {
    int64_t version; /* from 1 */
    int64_t expires_ms;
};

struct tuf_root {
    struct tuf_heading heading;
    bool consistent_snapshot;
    struct tuf_keys keys;
    struct tuf_signers roles[TUF_ROLE_COUNT];
};

/* Bytes of a file as another file promises them. */
struct tuf_promise {
    int64_t version;              /* of metadata; 0 for targets */
    int64_t length;               /* -1: not told */
    char sha256[SHA256_HEX_SIZE]; /* "" : not told */
    char sha512[SHA512_HEX_SIZE]; /* "" : not told */
};

struct tuf_timestamp {
    struct tuf_heading heading;
    struct tuf_promise snapshot;
};

struct tuf_snapshot_entry {
    char role[TUF_ROLE_NAME_SIZE]; /* "targets", or a delegated role's name: without ".json" */
    struct tuf_promise promise;
};
struct tuf_snapshot {
    struct tuf_heading heading;
    struct tuf_snapshot_entry *entries; /* owned; sorted by role */
    size_t count;
};

struct tuf_target {
    char *path; /* owned */
    struct tuf_promise promise;
    char *custom; /* JSON object as text, NULL for none; owned */
};

/* To one role; or succinctly (TAP 15), alone in its file, to 2^bits roles at once: a path belongs
 * to the one whose name ends with the first bits of its SHA-256. */
struct tuf_delegation {
    char role[TUF_ROLE_NAME_SIZE]; /* with bits what the names begin with: "bin" of "bin-7f" */
    int bits;                      /* 0: one role */
    struct tuf_signers signers;
    char **paths; /* shell patterns, '*' and '?' within a segment; owned */
    size_t path_count;
    char **hash_prefixes; /* of SHA-256 of the path, instead of paths; owned */
    size_t hash_prefix_count;
    bool terminating;
};

struct tuf_targets {
    struct tuf_heading heading;
    struct tuf_target *list; /* owned; sorted by path */
    size_t count;
    struct tuf_keys delegation_keys;
    struct tuf_delegation *delegations; /* owned; in the order of the file */
    size_t delegation_count;
};

/* From bytes; "_type" and "spec_version" 1.x must fit. Unknown members are ignored. ERR_INVALID
 * names the member. On failure *out owns nothing. */
MUST_CHECK bool tuf_root_parse(const char *bytes, size_t length, struct tuf_root *out,
                               struct err *e);
MUST_CHECK bool tuf_timestamp_parse(const char *bytes, size_t length, struct tuf_timestamp *out,
                                    struct err *e);
MUST_CHECK bool tuf_snapshot_parse(const char *bytes, size_t length, struct tuf_snapshot *out,
                                   struct err *e);
MUST_CHECK bool tuf_targets_parse(const char *bytes, size_t length, struct tuf_targets *out,
                                  struct err *e);
void tuf_root_clear(struct tuf_root *r);
void tuf_snapshot_clear(struct tuf_snapshot *s);
void tuf_targets_clear(struct tuf_targets *t);

/* NULL when it is not there. */
const struct tuf_key *tuf_keys_find(const struct tuf_keys *keys, const char *id);
bool tuf_signers_have(const struct tuf_signers *s, const char *key_id);
bool tuf_root_names(const struct tuf_root *r, const char *key_id); /* whether any role does */
const struct tuf_snapshot_entry *tuf_snapshot_find(const struct tuf_snapshot *s, const char *role);
const struct tuf_target *tuf_targets_find(const struct tuf_targets *t, const char *path);

/* How many different keys of signers have signed these bytes: one key under two ids counts once, a
 * key id that signs twice makes the whole invalid (section 4.2.1). */
size_t tuf_count_signers(const char *bytes, size_t length, const struct tuf_keys *keys,
                         const struct tuf_signers *signers, const struct tuf_verifiers *foreign);
/* ERR_UNTRUSTED: "timestamp: 0 of 1 signatures". role is for words only. */
MUST_CHECK bool tuf_verify(const char *bytes, size_t length, const char *role,
                           const struct tuf_keys *keys, const struct tuf_signers *signers,
                           const struct tuf_verifiers *foreign, struct err *e);

/* Whether bytes are what was promised. ERR_UNTRUSTED says what differs. */
MUST_CHECK bool tuf_promise_kept(const struct tuf_promise *p, const void *bytes, size_t length,
                                 const char *what, struct err *e);

/* For those who write. Keys and targets come to stand in order; what is there already is not added
 * again: a key id of a role, a key id of a file. */
void tuf_signers_add(struct tuf_signers *s, const char *key_id);
void tuf_keys_add(struct tuf_keys *keys, const struct tuf_key *key); /* a copy */
void tuf_root_drop_unnamed(struct tuf_root *r);                      /* keys of no role */
/* The target of this path, made anew and promising nothing when it was not there. Good until the
 * next one is put or removed. */
struct tuf_target *tuf_targets_put(struct tuf_targets *t, const char *path);
bool tuf_targets_remove(struct tuf_targets *t, const char *path); /* false: was not there */

/* Appends the whole file, unsigned yet ("signatures":[]), members in canonical order as far as
 * custom objects are; times are cut to seconds. */
void tuf_root_write(const struct tuf_root *r, struct text *out);
void tuf_timestamp_write(const struct tuf_timestamp *t, struct text *out);
void tuf_snapshot_write(const struct tuf_snapshot *s, struct text *out);
void tuf_targets_write(const struct tuf_targets *t, struct text *out);

/* Puts the secret's signature among those of *file, in place of an older one of the same key.
 * ERR_INVALID when that is no metadata file. */
MUST_CHECK bool tuf_sign(struct text *file, const struct sign_secret *secret, struct err *e);
