/* What the files of the catalog share: catalog.c (rows), catalog_admit.c (the one door),
 * catalog_objects.c (bytes on disk). Not for others. */
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
