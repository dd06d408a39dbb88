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
