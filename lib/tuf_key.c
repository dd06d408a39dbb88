#include "lib/tuf_key.h"

#include "lib/encode.h"
#include "lib/hash.h"
#include "lib/text.h"

#include <string.h>

#define ED25519 "ed25519"
#define SIGNATURE_MAX_BYTES 1024 /* RSA of 8192 bits */

void tuf_key_clear(struct tuf_key *k) {
    free(k->value);
    memset(k, 0, sizeof *k);
}

void tuf_key_of(const struct sign_public *p, struct tuf_key *out) {
    char hex[2 * SIGN_PUBLIC_SIZE + 1];
    unsigned char digest[SHA256_SIZE];
    OWN_TEXT struct text canonical = TEXT_EMPTY;
    encode_hex(p->key, sizeof p->key, hex);
    *out = (struct tuf_key){.keytype = ED25519, .scheme = ED25519, .value = text_duplicate(hex)};
    text_add_format(&canonical,
                    "{\"keytype\":\"%s\",\"keyval\":{\"public\":\"%s\"},\"scheme\":\"%s\"}",
                    out->keytype, hex, out->scheme);
    sha256_bytes(canonical.data, canonical.length, digest);
    encode_hex(digest, sizeof digest, out->id);
}

static bool is_ed25519(const struct tuf_key *k) {
    return strcmp(k->keytype, ED25519) == 0 && strcmp(k->scheme, ED25519) == 0;
}

static bool ed25519_bytes(const struct tuf_key *k, unsigned char out[SIGN_PUBLIC_SIZE]) {
    return is_ed25519(k) && decode_hex(k->value, out, SIGN_PUBLIC_SIZE);
}

bool tuf_key_public(const struct tuf_key *k, struct sign_public *out, struct err *e) {
    if (!ed25519_bytes(k, out->key))
        return err_set(e, ERR_INVALID, "key %s is no Ed25519 key", k->id);
    memcpy(out->id, out->key, sizeof out->id);
    return true;
}

static const char *skip_space(const char *at) {
    return at + strspn(at, " \t\r\n");
}

/* PEM means the same with other line ends and lengths of lines. */
static bool same_but_space(const char *a, const char *b) {
    for (;; a++, b++) {
        a = skip_space(a);
        b = skip_space(b);
        if (*a != *b) return false;
        if (*a == '\0') return true;
    }
}

bool tuf_key_same(const struct tuf_key *a, const struct tuf_key *b) {
    unsigned char first[SIGN_PUBLIC_SIZE];
    unsigned char second[SIGN_PUBLIC_SIZE];
    if (ed25519_bytes(a, first) && ed25519_bytes(b, second))
        return memcmp(first, second, sizeof first) == 0;
    return same_but_space(a->value, b->value);
}

static bool foreign_valid(const struct tuf_key *k, const struct tuf_verifiers *foreign,
                          const void *bytes, size_t length, const unsigned char *signature,
                          size_t signature_length) {
    for (size_t i = 0; foreign != NULL && i < foreign->count; i++) {
        const struct tuf_verifier *v = &foreign->list[i];
        if (strcmp(v->keytype, k->keytype) == 0 && strcmp(v->scheme, k->scheme) == 0)
            return v->verify(k->value, bytes, length, signature, signature_length);
    }
    return false;
}

bool tuf_key_verify(const struct tuf_key *k, const struct tuf_verifiers *foreign, const void *bytes,
                    size_t length, const char *signature_hex) {
    unsigned char signature[SIGNATURE_MAX_BYTES];
    unsigned char key[SIGN_PUBLIC_SIZE];
    size_t signature_length = strlen(signature_hex) / 2;
    if (signature_length == 0 || signature_length > sizeof signature ||
        !decode_hex(signature_hex, signature, signature_length))
        return false;
    if (!is_ed25519(k))
        return foreign_valid(k, foreign, bytes, length, signature, signature_length);
    return signature_length == SIGN_SIGNATURE_SIZE && ed25519_bytes(k, key) &&
           sign_bytes_valid(key, bytes, length, signature);
}
