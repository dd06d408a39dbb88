/* What the files of repo share: repo.c (open, read, re-sign), repo_keys.c (secret keys on this
 * machine), repo_view.c (rows of repo_metadata and what they say), repo_sign.c (from words to
 * signed rows), repo_outrun.c (above what agents have seen), repo_targets.c (what targets say),
 * repo_roots.c (other roots and keys). Not for others. */
#pragma once

#include "master/repo.h"

#include <limits.h>
#include <pthread.h>

#define REPO_KEYS_MAX (2 * TUF_ROLE_COUNT) /* each role's, and its successor */
#define REPO_KEY_FILE_SIZE 32
#define REPO_BRIDGE "1.root.json.minisig"

struct repo_key {
    struct sign_secret *secret;
    char id[TUF_KEY_ID_SIZE];
    char file[REPO_KEY_FILE_SIZE]; /* "root.key", "root.next.key" */
};

/* What the rows say inside the writer's transaction. Taken anew from them whenever their version is
 * another than the one that is kept here: so an operation that was undone leaves nothing behind. */
struct repo_view {
    struct tuf_root root;
    char root_sha256[SHA256_HEX_SIZE];
    struct tuf_targets targets;
    int64_t release; /* the highest of these targets */
    struct tuf_snapshot snapshot;
    struct tuf_timestamp timestamp;
};

struct repo_blob; /* bytes that several threads read */

struct repo {
    struct db *db;
    struct keys *keys;
    char directory[PATH_MAX]; /* STATE/keys */
    int64_t life_ms[TUF_ROLE_COUNT];
    bool restored;
    /* The writer's thread alone. */
    struct repo_view view;
    int64_t outrun[TUF_ROLE_COUNT];      /* versions above which the next one has to be */
    int64_t behind_told[TUF_ROLE_COUNT]; /* what agents know and nobody here can sign above */

    pthread_mutex_t lock; /* guards the fields below */
    pthread_cond_t changed;
    bool changing;
    struct repo_key secrets[REPO_KEYS_MAX];
    size_t secret_count;
    struct repo_status status;                /* as committed */
    struct repo_blob *newest[TUF_ROLE_COUNT]; /* numbered files that were asked for last */
};

/* repo_keys.c. */
void repo_key_file(enum tuf_role_kind role, bool next, char out[REPO_KEY_FILE_SIZE]);
MUST_CHECK bool repo_keys_read(struct repo *r, struct err *e);
/* Makes ROLE.key, or its successor ROLE.next.key in place of one that never came into force; one
 * that is there already as ROLE.key is taken. */
MUST_CHECK bool repo_keys_make(struct repo *r, enum tuf_role_kind role, bool next, struct err *e);
void repo_keys_free(struct repo *r);
/* The public half of the key in this file. */
MUST_CHECK bool repo_key_public(struct repo *r, const char *file, struct tuf_key *out);
size_t repo_keys_count(struct repo *r, const struct tuf_signers *signers);
bool repo_can_sign(struct repo *r, const struct tuf_signers *signers);
/* Adds the signatures of all keys here that are among these. */
MUST_CHECK bool repo_keys_sign(struct repo *r, const struct tuf_signers *signers, struct text *file,
                               struct err *e);
/* Ids of the keys here that root names, and files of those that it does not and that go, blanks in
 * between. */
void repo_keys_list(struct repo *r, const struct tuf_root *root, struct text *named_ids,
                    struct text *unnamed_files);
/* Wipes keys that root does not name (but successors of snapshot and timestamp, which wait for a
 * root that is signed elsewhere), gives successors their final names, and wipes the release key
 * when root cannot be signed here. Failures are logged: the next start tries again. */
void repo_keys_settle(struct repo *r, const struct tuf_root *root);

/* repo_view.c; all inside an operation. */
MUST_CHECK bool repo_view_load(struct repo *r, struct db_connection *c, struct err *e);
void repo_view_clear(struct repo_view *v);
void repo_view_forget(struct repo *r, enum tuf_role_kind role); /* it is about to change */
void repo_view_take_root(struct repo_view *v, struct tuf_root *root, const char *bytes,
                         size_t length); /* owns what *root owned */
void repo_view_take_targets(struct repo_view *v, struct tuf_targets *t);
int64_t repo_view_version(const struct repo_view *v, enum tuf_role_kind role);
const struct tuf_heading *repo_view_heading(const struct repo_view *v, enum tuf_role_kind role);
MUST_CHECK bool repo_row_version(struct db_connection *c, enum tuf_role_kind role, int64_t *out,
                                 struct err *e);
MUST_CHECK bool repo_row_put(struct db_connection *c, const char *file, const char *role,
                             int64_t version, const char *bytes, struct err *e);
/* Writes the role's numbered row (timestamp's only one) and drops generations that nobody needs. */
MUST_CHECK bool repo_row_put_role(struct db_connection *c, enum tuf_role_kind role, int64_t version,
                                  const char *bytes, struct err *e);
void repo_row_file(enum tuf_role_kind role, int64_t version, char out[64]);

/* repo_sign.c; inside an operation, with the view loaded. Role and those that tell of it: targets,
 * snapshot, timestamp. */
MUST_CHECK bool repo_publish(struct repo *r, struct db_connection *c, enum tuf_role_kind first,
                             struct err *e);
/* The same for targets that are signed already. */
MUST_CHECK bool repo_publish_taken(struct repo *r, struct db_connection *c, const char *bytes,
                                   size_t length, struct err *e);
int64_t repo_next_version(int64_t last);
int64_t repo_expiry(const struct repo *r, enum tuf_role_kind role); /* of what is signed now */
void repo_promise(struct tuf_promise *out, int64_t version, const char *bytes, size_t length);
/* Status is what it is now once the operation is committed. */
void repo_note_status(struct repo *r, struct db_connection *c);

/* repo_targets.c; inside an operation, with the view loaded. */
MUST_CHECK bool repo_targets_of_catalog(struct repo *r, struct db_connection *c, struct err *e);

/* repo_roots.c; inside an operation. */
MUST_CHECK bool repo_first_root(struct repo *r, struct db_connection *c, struct err *e);
/* The root in force, one version on and valid from now. */
MUST_CHECK bool repo_renew_root(struct repo *r, struct db_connection *c, struct err *e);
/* Takes a root that is signed: writes it, its keys' record, and what must be signed anew. */
MUST_CHECK bool repo_install_root(struct repo *r, struct db_connection *c, struct tuf_root *root,
                                  const char *bytes, size_t length,
                                  const struct repo_input *targets, struct err *e);
