/* Files that are not published yet: they lack the signature that is asked for, or targets are
 * signed on another machine. Their bytes lie in STATE/objects like those of published ones; what
 * becomes of them is the catalog's to do (catalog_approve, catalog_accept_targets,
 * catalog_discard). */
#pragma once

#include "lib/db.h"
#include "master/binary.h"

#define HELD_REASON_SIZE 128

struct held {
    char file[ARTIFACT_FILE_SIZE];
    char reason[HELD_REASON_SIZE];
    char principal[64];
    int64_t at_ms;
    struct binary binary; /* as it would be published; without the release key's signature */
};

/* By file; free() *out. Any thread. */
MUST_CHECK bool held_list(struct db *db, struct held **out, size_t *count, struct err *e);
MUST_CHECK bool held_count(struct db *db, int64_t *out, struct err *e);
MUST_CHECK bool held_find(struct db *db, const char *file, struct held *out, struct err *e);

/* Inside an operation. ERR_NOT_FOUND names the file. */
MUST_CHECK bool held_read(struct db_connection *c, const char *file, struct held *out,
                          struct err *e);
MUST_CHECK bool held_put(struct db_connection *c, const struct held *h, struct err *e);
MUST_CHECK bool held_remove(struct db_connection *c, const char *file, struct err *e);

/* Inside an operation: gives the file up. That is remembered until the file is held or published
 * again, since the drop box may still hold it: it offers all that lies there at every start. */
MUST_CHECK bool held_discard(struct db_connection *c, const struct held *h, struct err *e);
/* Inside an operation: when these bytes were given up; 0: they were not. */
MUST_CHECK bool held_discarded(struct db_connection *c, const char *file, const char *sha256,
                               int64_t *at_ms, struct err *e);
/* Forgets what was given up and does not lie in the drop box any more. Any thread; writes only when
 * there is something to forget. */
typedef bool held_lies_there(const void *box, const char *file);
MUST_CHECK bool held_prune_discarded(struct db *db, held_lies_there *lies_there, const void *box,
                                     struct err *e);
