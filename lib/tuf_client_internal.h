/* What the files of the TUF client share: metadata files in memory, and the client's state. */
#pragma once

#include "lib/tuf_client.h"

/* A metadata file: its bytes and what they say. */
struct tuf_document {
    enum tuf_role_kind kind;
    struct text bytes;
    bool proven; /* signed by those whom the trusted root names now */
    union {
        struct tuf_heading heading; /* each of the others begins with it */
        struct tuf_root root;
        struct tuf_timestamp timestamp;
        struct tuf_snapshot snapshot;
        struct tuf_targets targets;
    };
};

/* Takes the bytes and reads them; nothing of it is proven. ERR_INVALID. */
MUST_CHECK bool tuf_document_read(enum tuf_role_kind kind, struct text *bytes,
                                  struct tuf_document **out, struct err *e);
void tuf_document_free(struct tuf_document *d);
OWN_DEFINE(tuf_document, struct tuf_document, tuf_document_free)

struct tuf_client {
    struct tuf_client_options options;
    enum tuf_attack attack;
    /* By enum tuf_role_kind. The root is always there and proven; others may be NULL, or be no
     * longer proven by a newer root and then count for what they say of versions alone. */
    struct tuf_document *trusted[TUF_ROLE_COUNT];
    struct tuf_document *found; /* the delegated role that holds the last target looked up */
};

/* Remembers the attack, makes *e ERR_UNTRUSTED. Returns false. */
bool tuf_client_refuse(struct tuf_client *c, enum tuf_attack attack, struct err *e);

/* Asks the repository for a file and reads it. Not proven yet. */
MUST_CHECK bool tuf_client_fetch(struct tuf_client *c, enum tuf_role_kind kind, const char *file,
                                 size_t max_bytes, struct tuf_document **out, struct err *e);

/* What was stored, not proven yet. ERR_NOT_FOUND, also when it cannot be read as metadata. */
MUST_CHECK bool tuf_client_load(struct tuf_client *c, enum tuf_role_kind kind, const char *file,
                                struct tuf_document **out, struct err *e);
MUST_CHECK bool tuf_client_save(struct tuf_client *c, const char *file,
                                const struct tuf_document *d, struct err *e);

/* Fetches the file that the role above promises ("7.targets.json", or "targets.json" without
 * consistent snapshots), and sees whether length and hashes are as promised. */
MUST_CHECK bool tuf_client_fetch_promised(struct tuf_client *c, enum tuf_role_kind kind,
                                          const char *file, const struct tuf_promise *promise,
                                          struct tuf_document **out, struct err *e);

/* The document has the version that was promised, and has not expired. */
MUST_CHECK bool tuf_client_current(struct tuf_client *c, const struct tuf_document *d,
                                   const char *file, const struct tuf_promise *promise,
                                   int64_t now_ms, struct err *e);
MUST_CHECK bool tuf_client_unexpired(struct tuf_client *c, const struct tuf_document *d,
                                     const char *file, int64_t now_ms, struct err *e);
