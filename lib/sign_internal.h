/* What the parts of lib/sign share: the secret key and the two-line texts of minisign. Included by
 * lib/sign*.c only. */
#pragma once

#include "lib/sign.h"

#define SIGN_ALGORITHM "Ed"        /* Ed25519 over the bytes themselves; also the mark of keys */
#define SIGN_ALGORITHM_HASHED "ED" /* Ed25519 over BLAKE2b-512 of the bytes */
#define SIGN_KEY_FILE_MAX_BYTES 4096
#define SIGN_COMMENT "untrusted comment: "
#define SIGN_TRUSTED_COMMENT "trusted comment: "

struct sign_secret {
    struct sign_public public;
    unsigned char key[SIGN_SECRET_SIZE]; /* seed and public key, as libsodium keeps it */
};

/* Locked, guarded memory, which sodium_free wipes; ends the process when there is none. */
void *sign_locked_memory(size_t size);

/* Nothing writes into a finished key any more: whoever tries ends the process. */
void sign_secret_seal(struct sign_secret *s);

struct sign_line {
    const char *start;
    size_t length;
};

/* Takes the next line, without its end ("\n" or "\r\n"), off the cursor. False when nothing is
 * left. */
bool sign_next_line(const char **cursor, struct sign_line *out);

/* The rest of a line behind prefix, NULL when the line does not begin with it. */
const char *sign_line_after(const struct sign_line *line, const char *prefix, size_t *length);

/* Decodes a line of base64 that must hold exactly size bytes. */
MUST_CHECK bool sign_line_decode(const struct sign_line *line, void *out, size_t size);

/* The base64 line of a key text: the only line, or the one behind the comment. */
MUST_CHECK bool sign_key_line(const char *text, struct sign_line *out);
