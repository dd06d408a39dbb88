/* Public keys of TUF metadata (The Update Framework 1.0, section 4.2) and signatures by them.
 * Ed25519 is built in; other kinds come with a table of verifiers that the program links in
 * (lib/tuf_foreign.h), so that a program which needs none does not carry OpenSSL. Any thread. */
#pragma once

#include "lib/err.h"
#include "lib/sign.h"

#include <stddef.h>

/* As the metadata name it: ours are SHA-256 in hex, foreign ones any text. */
#define TUF_KEY_ID_SIZE 129

/* What checks signatures of one scheme. value is the key's "public" text. */
struct tuf_verifier {
    const char *keytype; /* "ecdsa", "rsa" */
    const char *scheme;  /* "ecdsa-sha2-nistp256", "rsassa-pss-sha256" */
    bool (*verify)(const char *value, const void *bytes, size_t length,
                   const unsigned char *signature, size_t signature_length);
};
struct tuf_verifiers {
    const struct tuf_verifier *list;
    size_t count;
};

struct tuf_key {
    char id[TUF_KEY_ID_SIZE];
    char keytype[32];
    char scheme[48];
    char *value; /* "public": hex of an Ed25519 key, PEM of others; owned */
};
void tuf_key_clear(struct tuf_key *k);

/* Our own kind: the id is SHA-256 over the canonical JSON of the key. */
void tuf_key_of(const struct sign_public *p, struct tuf_key *out);
/* The other way round; the minisign id is derived from the key (its first 8 bytes), since TUF keeps
 * none. ERR_INVALID for a key that is no Ed25519 key. */
MUST_CHECK bool tuf_key_public(const struct tuf_key *k, struct sign_public *out, struct err *e);

/* Whether both are the same key, whatever they are called. */
bool tuf_key_same(const struct tuf_key *a, const struct tuf_key *b);

/* signature_hex is checked for form, too. foreign may be NULL; a scheme nobody checks is no
 * signature. */
bool tuf_key_verify(const struct tuf_key *k, const struct tuf_verifiers *foreign, const void *bytes,
                    size_t length, const char *signature_hex);
