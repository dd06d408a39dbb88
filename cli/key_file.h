/* Key files that people name on the command line: minisign's secret and public ones. */
#pragma once

#include "lib/sign.h"

/* A secret key file. The password of an encrypted one is read from GRID_KEY_PASSWORD or asked
 * for. */
MUST_CHECK bool key_file_secret(const char *path, struct sign_secret **out, struct err *e);

/* The public key of a .pub file or of a secret key file; then *secret is that key, else NULL.
 * secret may be NULL when it is not wanted. */
MUST_CHECK bool key_file_public(const char *path, struct sign_public *out,
                                struct sign_secret **secret, struct err *e);

/* Prints a public key as its file would be, its id with -o name. */
struct invocation;
MUST_CHECK bool key_file_print(const struct invocation *call, const struct sign_public *key,
                               struct err *e);

/* Secret keys at hand. */
#define KEY_RING_MAX 64
struct key_ring {
    struct sign_secret *list[KEY_RING_MAX];
    size_t count;
};
void key_ring_fini(struct key_ring *r);
#define OWN_KEY_RING __attribute__((cleanup(key_ring_fini)))

/* Takes the key over. ERR_USAGE when the ring is full. */
MUST_CHECK bool key_ring_add(struct key_ring *r, struct sign_secret *key, struct err *e);
/* The secret key files of these lines; NULL for none. */
MUST_CHECK bool key_ring_read(struct key_ring *r, const char *paths, struct err *e);
