/* What the files of the catalog share: catalog.c (rows), catalog_admit.c (the one door),
 * catalog_batch.c (several through it together), catalog_held.c (held files, and metadata that
 * publish them), catalog_objects.c (bytes on disk). Not for others. */
#pragma once

#include "master/catalog.h"

#include <pthread.h>

/* One thread's exclusive use of an object's name, so that publishing bytes and removing the same
 * bytes cannot cross. Lies on the claimant's stack. */
struct object_claim {
    const char *sha256;
    struct object_claim *next;
};

struct catalog {
    struct db *db;
    struct keys *keys;
    struct repo *repo;
    enum catalog_signatures required;
    char objects[PATH_MAX];
    char staging[PATH_MAX];
    pthread_mutex_t lock; /* guards the fields below */
    pthread_cond_t claim_ended;
    struct object_claim *claims;
    int holds;
    char (*kept)[SHA256_HEX_SIZE]; /* objects to be looked at again when nobody holds any more */
    size_t kept_count;
};

void objects_claim(struct catalog *c, struct object_claim *claim, const char *sha256); /* waits */
void objects_end_claim(struct catalog *c, struct object_claim *claim);

/* Makes the staged file the object of its digest. The caller has the claim. */
MUST_CHECK bool objects_publish(struct catalog *c, const struct staged *staged, struct err *e);

/* Removes the object unless a row uses it or somebody holds objects. The caller has the claim;
 * failures are logged: the next start tries again. */
void objects_drop_unused(struct catalog *c, const char *sha256);

/* Of the start: compares rows and objects, see catalog_open. */
MUST_CHECK bool objects_check(struct catalog *c, struct err *e);

/* Inside an operation: the row, a tombstone too. ERR_NOT_FOUND. */
MUST_CHECK bool catalog_read_row(struct db_connection *c, const struct artifact_name *id,
                                 struct binary *out, struct err *e);

/* What the name means before an admission. */
/* LEFT_OUT: the same, but the targets do not name it, and it is offered anew. */
enum standing { STANDING_NEW, STANDING_SAME, STANDING_DELETED, STANDING_LEFT_OUT };

/* A binary on its way to a row. */
struct entry {
    const struct admission *admission;
    struct binary *binary; /* in: what to write; out: what stands */
    enum standing standing;
    bool adopted;
    bool approved; /* a lacking signature is overlooked */
    bool held;
    char lacks[HELD_REASON_SIZE];   /* why it is to be held; "": for nothing */
    char was_held[SHA256_HEX_SIZE]; /* other bytes that were held under this name */
};

/* All that an admission needs before its commit: proofs, the release signature, the object. The
 * caller has the claim. STANDING_SAME: nothing is left to be done. */
MUST_CHECK bool catalog_prepare(struct catalog *c, struct entry *n, struct err *e);
/* Inside an operation. Looks again at what the names mean, then publishes or holds, with one
 * version of the targets. One entry that fails fails all. */
MUST_CHECK bool catalog_commit(struct catalog *c, struct db_connection *connection,
                               struct entry *const *entries, size_t count, struct err *e);
/* The same as an operation of its own. */
MUST_CHECK bool catalog_publish(struct catalog *c, struct entry *const *entries, size_t count,
                                struct err *e);
/* What came of an entry; lets go of other bytes that were held under its name. The caller has ended
 * its claim. */
enum admitted catalog_end_entry(struct catalog *c, const struct entry *n, bool admitted);
/* Inside an operation: row, channel and event of a binary that the targets name, and no held file
 * any more. */
MUST_CHECK bool catalog_write(struct db_connection *c, struct entry *n, struct err *e);
MUST_CHECK bool catalog_judge(struct db_connection *c, struct entry *n, struct binary *found,
                              struct err *e);
/* Signs with the release key, if it is here. */
MUST_CHECK bool catalog_sign_release(struct catalog *c, int fd, struct binary *b, struct err *e);
/* Inside an operation: yanks the living row, with its event. */
MUST_CHECK bool catalog_yank_row(struct db_connection *c, const struct artifact_name *id,
                                 const char *principal, struct err *e);
/* Claims the object and drops it when nothing uses it any more. */
void objects_release(struct catalog *c, const char *sha256);
