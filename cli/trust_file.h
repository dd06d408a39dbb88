/* A metadata file in hand, root or targets: read from disk, fetched, or just made. */
#pragma once

#include "lib/tuf_metadata.h"

struct trust_file {
    enum tuf_role_kind role; /* TUF_ROOT or TUF_TARGETS */
    struct text bytes;       /* empty: no file */
    struct tuf_root root;    /* of TUF_ROOT */
    struct tuf_targets targets;
};
void trust_file_fini(struct trust_file *f);
#define OWN_TRUST_FILE __attribute__((cleanup(trust_file_fini)))

static inline bool trust_file_present(const struct trust_file *f) {
    return f->bytes.length > 0;
}

/* Takes the bytes. ERR_INVALID when they are neither root nor targets of a grid; *out is empty
 * then.
 */
MUST_CHECK bool trust_file_parse(struct text *bytes, struct trust_file *out, struct err *e);
MUST_CHECK bool trust_file_read(const char *path, struct trust_file *out, struct err *e);

MUST_CHECK bool trust_file_copy(const struct trust_file *from, struct trust_file *out,
                                struct err *e);

/* Made of what is to be said; unsigned yet. The struct is copied by way of its bytes. */
MUST_CHECK bool trust_file_of_root(const struct tuf_root *root, struct trust_file *out,
                                   struct err *e);
MUST_CHECK bool trust_file_of_targets(const struct tuf_targets *targets, struct trust_file *out,
                                      struct err *e);

const struct tuf_heading *trust_file_heading(const struct trust_file *f);

/* "2.root.json" */
#define TRUST_FILE_NAME_SIZE 48
char *trust_file_name(const struct trust_file *f, char out[TRUST_FILE_NAME_SIZE]);

/* Writes a new file: ERR_CONFLICT when there is one of other content that replace does not allow to
 * lose. */
MUST_CHECK bool trust_file_write(const struct trust_file *f, const char *path, bool replace,
                                 struct err *e);

MUST_CHECK bool trust_file_sign(struct trust_file *f, const struct sign_secret *key, struct err *e);

/* Whether this key is one of the signers, and whether its signature is on the file and holds. */
bool trust_signer_is(const struct tuf_signers *signers, const struct sign_public *key);
bool trust_file_signed_by(const struct trust_file *f, const struct tuf_keys *keys,
                          const char *key_id);
bool trust_bytes_signed_by(const struct text *metadata, const struct tuf_keys *keys,
                           const char *key_id);
