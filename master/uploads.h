/* Uploads: binaries that arrive over HTTP in one piece or several. Partial bytes wait in
 * STATE/uploads under the digest they are to have and survive a restart; abandoned ones go after a
 * day. Any thread; one writer per upload at a time. */
#pragma once

#include "lib/http_server.h"
#include "master/catalog.h"

#define UPLOAD_MAX_BYTES (INT64_C(4) << 30)

struct uploads;

MUST_CHECK bool uploads_open(struct uploads **out, const char *state_directory,
                             struct catalog *catalog, struct err *e);
void uploads_close(struct uploads *u);
OWN_DEFINE(uploads, struct uploads, uploads_close)

/* How many bytes of the content with this digest are already here: 0 when none. */
MUST_CHECK bool uploads_offset(struct uploads *u, const char *sha256, int64_t *offset,
                               struct err *e);

struct upload_piece {
    const char *sha256; /* of the whole; NULL: unknown, then the body must be everything */
    int64_t first;      /* offset of the body's first byte */
    /* Size of the whole; -1 unknown: the body is everything, and what was here of it is replaced.
     */
    int64_t total;
};

/* Where the body of a piece comes from, one call after another; *length 0 means its end. */
typedef bool upload_source(void *context, void *out, size_t size, size_t *length, struct err *e);

/* Takes length (-1: unknown) bytes from source as that piece. *complete: *staged then holds the
 * whole content, hashed and compared; catalog_unstage is the caller's then. *offset is where the
 * next piece begins. ERR_CONFLICT when first is not the offset or somebody else is writing it;
 * ERR_UNTRUSTED when the digest differs (nothing is kept then); ERR_NO_SPACE before any byte,
 * ERR_TOO_LARGE. A source that fails leaves what came before it, durable, when the digest is
 * known. */
MUST_CHECK bool uploads_take(struct uploads *u, const struct upload_piece *piece, int64_t length,
                             upload_source *source, void *context, bool *complete, int64_t *offset,
                             struct staged *staged, struct err *e);

/* The same with the body of r. */
MUST_CHECK bool uploads_receive(struct uploads *u, struct http_request *r,
                                const struct upload_piece *piece, bool *complete, int64_t *offset,
                                struct staged *staged, struct err *e);

/* Removes what nobody wrote to for a day. */
void uploads_prune(struct uploads *u, int64_t now_wall_ms);
