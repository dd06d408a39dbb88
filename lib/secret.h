/* Bearer secrets "<kind>_<id>.<secret>" (gt_ API tokens, gj_ join tokens), random ids,
 * constant-time comparison. sign_setup() comes first. Any thread. */
#pragma once

#include "lib/err.h"

#include <stddef.h>

#define SECRET_ID_SIZE 17   /* 16 lower-case hex digits and NUL */
#define SECRET_TEXT_SIZE 72 /* kind, '_', id, '.', 43 characters (256 bits, base64url), NUL */
#define SECRET_HASH_SIZE 65 /* BLAKE2b-256 of the text in hex: 256 bits need no slow hash */
#define RANDOM_HEX_SIZE(bytes) (2 * (bytes) + 1)

/* A new secret of this kind ("gt", "gj"): its public id, the text shown once, the hash to store. */
void secret_generate(const char *kind, char id[SECRET_ID_SIZE], char text[SECRET_TEXT_SIZE],
                     char hash[SECRET_HASH_SIZE]);

/* The id in a secret's text, after checking its form. ERR_UNAUTHENTICATED echoes none of it. */
MUST_CHECK bool secret_id(const char *kind, const char *text, char id[SECRET_ID_SIZE],
                          struct err *e);

void secret_hash(const char *text, char hash[SECRET_HASH_SIZE]);
bool secret_equal(const char *a, const char *b); /* constant time in the content */
void secret_wipe(void *memory, size_t size);

/* Keeps this process's memory, keys among it, out of core dumps and from other processes of its
 * user; root can still debug it. Programs that it starts are not concerned. */
void secret_bar_dumps(void);

/* Keyed BLAKE2b (RFC 7693) of bytes, mac_size (16 to 64) bytes long: what only a holder of the key
 * can make. */
#define SECRET_MAC_KEY_SIZE 32
void secret_mac(const unsigned char key[SECRET_MAC_KEY_SIZE], const void *bytes, size_t length,
                unsigned char *mac, size_t mac_size);

void random_bytes(void *out, size_t size);
void random_hex(size_t bytes, char *out); /* out holds RANDOM_HEX_SIZE(bytes) */
unsigned random_below(unsigned limit);    /* uniform in 0..limit-1 */
