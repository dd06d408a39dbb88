/* Ed25519 keys and signatures in the formats of minisign (jedisct1.github.io/minisign): what this
 * writes the stock `minisign -V` accepts, and the other way round. A signature here always binds a
 * file name: the trusted comment must hold "file:<name>". Any thread. */
#pragma once

#include "lib/err.h"
#include "lib/text.h"

#include <stddef.h>
#include <stdint.h>

#define SIGN_PUBLIC_SIZE 32
#define SIGN_SECRET_SIZE 64
#define SIGN_SIGNATURE_SIZE 64
#define SIGN_KEY_ID_SIZE 8
#define SIGN_KEY_ID_HEX_SIZE 17  /* as minisign prints it: the id's bytes reversed, upper case */
#define SIGN_PUBLIC_TEXT_SIZE 57 /* the second line of a .pub file: base64 of "Ed", id, key */
#define SIGN_FILE_NAME_SIZE 256

struct sign_public {
    unsigned char id[SIGN_KEY_ID_SIZE];
    unsigned char key[SIGN_PUBLIC_SIZE];
};

struct sign_secret; /* kept in locked memory, wiped when freed */

/* Once per program before anything here or in session.h, secret.h: starts libsodium; ends the
 * process when it cannot. */
void sign_setup(void);

/* The id is the key's first bytes, so that one key has one name in minisign's files and in metadata
 * that keep the key alone. */
MUST_CHECK bool sign_generate(struct sign_secret **out, struct err *e);
void sign_secret_free(struct sign_secret *s);
OWN_DEFINE(sign_secret, struct sign_secret, sign_secret_free)

const struct sign_public *sign_secret_public(const struct sign_secret *s);

/* Unencrypted minisign secret key files (as `minisign -G -W` makes), mode 0600. Encrypted ones
 * (scrypt) are opened with a password; ERR_DENIED when it is wrong or missing. A file that others
 * may read is refused. Writing never replaces a file (ERR_CONFLICT). */
MUST_CHECK bool sign_secret_read(const char *path, const char *password, struct sign_secret **out,
                                 struct err *e);
MUST_CHECK bool sign_secret_write(const struct sign_secret *s, const char *path, struct err *e);

/* Public keys: a whole .pub file's text or just its base64 line. */
MUST_CHECK bool sign_public_parse(const char *text, struct sign_public *out, struct err *e);
MUST_CHECK bool sign_public_read(const char *path, struct sign_public *out, struct err *e);
/* Replaces the file; mode 0644. */
MUST_CHECK bool sign_public_write(const struct sign_public *p, const char *path, struct err *e);
char *sign_public_text(const struct sign_public *p, char out[SIGN_PUBLIC_TEXT_SIZE]);
char *sign_key_id(const struct sign_public *p, char out[SIGN_KEY_ID_HEX_SIZE]);
bool sign_public_equal(const struct sign_public *a, const struct sign_public *b);

/* Appends the minisign signature (pre-hashed, "ED": BLAKE2b-512 of the file, read by pread from 0)
 * whose trusted comment is "timestamp:<unix seconds>\tfile:<name>\thashed". */
MUST_CHECK bool sign_file(const struct sign_secret *s, int fd, const char *file_name,
                          struct text *out, struct err *e);

/* Verifies a .minisig text over the file: right key id, signature over the content ("ED", and
 * legacy "Ed"), signature over the trusted comment, and file:<name> equal to file_name.
 * ERR_UNTRUSTED says which of these failed, ERR_INVALID that it is no signature text. used_key may
 * be NULL. */
MUST_CHECK bool sign_verify_file(const struct sign_public *keys, size_t key_count,
                                 const char *signature, int fd, const char *file_name,
                                 size_t *used_key, struct err *e);

/* Plain detached signatures over bytes, for bus messages. purpose separates domains: it is signed
 * before the bytes, with its NUL. */
void sign_message(const struct sign_secret *s, const char *purpose, const void *bytes,
                  size_t length, unsigned char out[SIGN_SIGNATURE_SIZE]);
bool sign_message_valid(const struct sign_public *p, const char *purpose, const void *bytes,
                        size_t length, const unsigned char signature[SIGN_SIGNATURE_SIZE]);

/* Ed25519 (RFC 8032) over the bytes alone, for formats that mark their purpose themselves. */
void sign_bytes(const struct sign_secret *s, const void *bytes, size_t length,
                unsigned char out[SIGN_SIGNATURE_SIZE]);
bool sign_bytes_valid(const unsigned char key[SIGN_PUBLIC_SIZE], const void *bytes, size_t length,
                      const unsigned char signature[SIGN_SIGNATURE_SIZE]);

/* Sealed boxes (libsodium crypto_box_seal, keys converted to X25519): anybody seals for a public
 * key, only its holder opens. */
MUST_CHECK bool sign_seal(const struct sign_public *to, const char *secret_text,
                          struct text *base64, struct err *e);
MUST_CHECK bool sign_unseal(const struct sign_secret *s, const char *base64, char *out, size_t size,
                            struct err *e);
