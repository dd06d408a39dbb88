#include "lib/secret.h"

#include "lib/encode.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define ID_BYTES 8
#define SECRET_BYTES 32
#define SECRET_CHARACTERS 43 /* 32 bytes in base64url without padding */

void secret_generate(const char *kind, char id[SECRET_ID_SIZE], char text[SECRET_TEXT_SIZE],
                     char hash[SECRET_HASH_SIZE]) {
    unsigned char bytes[SECRET_BYTES];
    char secret[ENCODE_BASE64_SIZE(SECRET_BYTES)];
    random_hex(ID_BYTES, id);
    random_bytes(bytes, sizeof bytes);
    encode_base64url(bytes, sizeof bytes, secret);
    int length = snprintf(text, SECRET_TEXT_SIZE, "%s_%s.%s", kind, id, secret);
    assert(length > 0 && length < SECRET_TEXT_SIZE);
    secret_hash(text, hash);
    secret_wipe(bytes, sizeof bytes);
    secret_wipe(secret, sizeof secret);
}

/* Does rest begin with 16 lower-case hex digits and a dot? */
static bool id_valid(const char *rest) {
    for (size_t i = 0; i < SECRET_ID_SIZE - 1; i++) {
        if (!((rest[i] >= '0' && rest[i] <= '9') || (rest[i] >= 'a' && rest[i] <= 'f')))
            return false;
    }
    return rest[SECRET_ID_SIZE - 1] == '.';
}

static bool secret_valid(const char *secret) {
    unsigned char bytes[SECRET_BYTES];
    size_t length = 0;
    bool valid = strnlen(secret, SECRET_CHARACTERS + 1) == SECRET_CHARACTERS &&
                 decode_base64url(secret, bytes, sizeof bytes, &length) && length == sizeof bytes;
    secret_wipe(bytes, sizeof bytes);
    return valid;
}

bool secret_id(const char *kind, const char *text, char id[SECRET_ID_SIZE], struct err *e) {
    size_t kind_length = strlen(kind);
    const char *rest = text + kind_length + 1;
    id[0] = '\0';
    if (strnlen(text, SECRET_TEXT_SIZE) >= SECRET_TEXT_SIZE ||
        strncmp(text, kind, kind_length) != 0 || text[kind_length] != '_' || !id_valid(rest) ||
        !secret_valid(rest + SECRET_ID_SIZE))
        return err_set(
            e, ERR_UNAUTHENTICATED,
            "the token is malformed: it must read %s_<id>.<secret>, as it was shown when "
            "it was created",
            kind);
    memcpy(id, rest, SECRET_ID_SIZE - 1);
    id[SECRET_ID_SIZE - 1] = '\0';
    return true;
}

void secret_hash(const char *text, char hash[SECRET_HASH_SIZE]) {
    unsigned char digest[32];
    int failed = crypto_generichash(digest, sizeof digest, (const unsigned char *)text,
                                    strlen(text), NULL, 0);
    assert(failed == 0);
    encode_hex(digest, sizeof digest, hash);
}

bool secret_equal(const char *a, const char *b) {
    size_t length = strlen(a);
    return length == strlen(b) && sodium_memcmp(a, b, length) == 0;
}

void secret_wipe(void *memory, size_t size) {
    sodium_memzero(memory, size);
}

void secret_mac(const unsigned char key[SECRET_MAC_KEY_SIZE], const void *bytes, size_t length,
                unsigned char *mac, size_t mac_size) {
    crypto_generichash(mac, mac_size, bytes, length, key, SECRET_MAC_KEY_SIZE);
}

void random_bytes(void *out, size_t size) {
    randombytes_buf(out, size);
}

void random_hex(size_t bytes, char *out) {
    unsigned char raw[64];
    assert(bytes <= sizeof raw);
    random_bytes(raw, bytes);
    encode_hex(raw, bytes, out);
    secret_wipe(raw, sizeof raw);
}

unsigned random_below(unsigned limit) {
    assert(limit > 0);
    return randombytes_uniform(limit);
}
