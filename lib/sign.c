/* The part of lib/sign.h that needs no file: keys in memory, messages, sealed boxes. */
#include "lib/sign.h"

#include "lib/encode.h"
#include "lib/secret.h"
#include "lib/sign_internal.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define SEALED_MAX_BYTES 1024

void sign_setup(void) {
    if (sodium_init() >= 0) return;
    fputs("libsodium cannot start: this machine gives no random numbers\n", stderr);
    abort();
}

void *sign_locked_memory(size_t size) {
    void *memory = sodium_malloc(size);
    if (memory != NULL) return memory;
    fputs("out of memory for a secret key\n", stderr);
    abort();
}

void sign_secret_seal(struct sign_secret *s) {
    (void)sodium_mprotect_readonly(s); /* a guard more, which not every system gives */
}

bool sign_generate(struct sign_secret **out, struct err *e) {
    struct sign_secret *s = sign_locked_memory(sizeof *s);
    *out = NULL;
    if (crypto_sign_keypair(s->public.key, s->key) != 0) {
        sign_secret_free(s);
        return err_set(e, ERR_INTERNAL, "no signing key could be made");
    }
    memcpy(s->public.id, s->public.key, sizeof s->public.id);
    sign_secret_seal(s);
    *out = s;
    return true;
}

void sign_secret_free(struct sign_secret *s) {
    sodium_free(s); /* wipes */
}

const struct sign_public *sign_secret_public(const struct sign_secret *s) {
    return &s->public;
}

bool sign_public_equal(const struct sign_public *a, const struct sign_public *b) {
    return memcmp(a->id, b->id, sizeof a->id) == 0 && memcmp(a->key, b->key, sizeof a->key) == 0;
}

void sign_bytes(const struct sign_secret *s, const void *bytes, size_t length,
                unsigned char out[SIGN_SIGNATURE_SIZE]) {
    int failed = crypto_sign_detached(out, NULL, bytes, length, s->key);
    assert(failed == 0);
}

bool sign_bytes_valid(const unsigned char key[SIGN_PUBLIC_SIZE], const void *bytes, size_t length,
                      const unsigned char signature[SIGN_SIGNATURE_SIZE]) {
    return crypto_sign_verify_detached(signature, bytes, length, key) == 0;
}

/* Ed25519 reads its input twice, so purpose and bytes must lie together. The caller frees. */
static unsigned char *with_purpose(const char *purpose, const void *bytes, size_t length,
                                   size_t *total) {
    size_t purpose_size = strlen(purpose) + 1;
    *total = purpose_size + length;
    unsigned char *joined = memory_zeroed(*total, 1);
    memcpy(joined, purpose, purpose_size);
    if (length > 0) memcpy(joined + purpose_size, bytes, length);
    return joined;
}

void sign_message(const struct sign_secret *s, const char *purpose, const void *bytes,
                  size_t length, unsigned char out[SIGN_SIGNATURE_SIZE]) {
    size_t total = 0;
    OWN_MEMORY unsigned char *joined = with_purpose(purpose, bytes, length, &total);
    sign_bytes(s, joined, total, out);
}

bool sign_message_valid(const struct sign_public *p, const char *purpose, const void *bytes,
                        size_t length, const unsigned char signature[SIGN_SIGNATURE_SIZE]) {
    size_t total = 0;
    OWN_MEMORY unsigned char *joined = with_purpose(purpose, bytes, length, &total);
    return sign_bytes_valid(p->key, joined, total, signature);
}

bool sign_seal(const struct sign_public *to, const char *secret_text, struct text *base64,
               struct err *e) {
    unsigned char exchange_key[crypto_box_PUBLICKEYBYTES];
    unsigned char sealed[SEALED_MAX_BYTES];
    char encoded[ENCODE_BASE64_SIZE(SEALED_MAX_BYTES)];
    size_t length = strlen(secret_text);
    if (length > sizeof sealed - crypto_box_SEALBYTES)
        return err_set(e, ERR_TOO_LARGE, "a secret to seal may have at most %d bytes",
                       (int)(sizeof sealed - crypto_box_SEALBYTES));
    if (crypto_sign_ed25519_pk_to_curve25519(exchange_key, to->key) != 0 ||
        crypto_box_seal(sealed, (const unsigned char *)secret_text, length, exchange_key) != 0)
        return err_set(e, ERR_INVALID, "nothing can be sealed for this public key");
    text_add(base64, encode_base64(sealed, length + crypto_box_SEALBYTES, encoded));
    return true;
}

/* Opens a sealed box with the X25519 form of an Ed25519 key. False when it was sealed for another.
 */
static bool open_sealed(const struct sign_secret *s, const unsigned char *sealed, size_t length,
                        unsigned char *out) {
    unsigned char public_key[crypto_box_PUBLICKEYBYTES];
    unsigned char secret_key[crypto_box_SECRETKEYBYTES];
    bool opened = crypto_sign_ed25519_pk_to_curve25519(public_key, s->public.key) == 0 &&
                  crypto_sign_ed25519_sk_to_curve25519(secret_key, s->key) == 0 &&
                  crypto_box_seal_open(out, sealed, length, public_key, secret_key) == 0;
    secret_wipe(secret_key, sizeof secret_key);
    return opened;
}

bool sign_unseal(const struct sign_secret *s, const char *base64, char *out, size_t size,
                 struct err *e) {
    unsigned char sealed[SEALED_MAX_BYTES];
    unsigned char opened[SEALED_MAX_BYTES];
    size_t length = 0;
    assert(size > 0);
    out[0] = '\0';
    if (!decode_base64(base64, sealed, sizeof sealed, &length) || length < crypto_box_SEALBYTES)
        return err_set(e, ERR_INVALID, "the sealed secret is malformed");
    char id[SIGN_KEY_ID_HEX_SIZE];
    if (!open_sealed(s, sealed, length, opened))
        return err_set(e, ERR_UNTRUSTED, "the sealed secret was altered or not sealed for key %s",
                       sign_key_id(&s->public, id));
    length -= crypto_box_SEALBYTES;
    bool fits = length < size && memchr(opened, '\0', length) == NULL;
    if (fits) {
        memcpy(out, opened, length);
        out[length] = '\0';
    }
    secret_wipe(opened, sizeof opened);
    return fits ||
           err_set(e, ERR_INVALID, "the sealed secret is no text of at most %zu bytes", size - 1);
}
