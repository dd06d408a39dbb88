/* The part of lib/sign.h that reads and writes public keys; lines of minisign's texts. */
#include "lib/encode.h"
#include "lib/file.h"
#include "lib/sign_internal.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* The second line of a public key file, as minisign defines it. */
struct public_bytes {
    unsigned char algorithm[2];
    unsigned char id[SIGN_KEY_ID_SIZE];
    unsigned char key[SIGN_PUBLIC_SIZE];
};
static_assert(sizeof(struct public_bytes) == 42, "no padding");

bool sign_next_line(const char **cursor, struct sign_line *out) {
    if (**cursor == '\0') return false;
    size_t length = strcspn(*cursor, "\n");
    out->start = *cursor;
    out->length = length > 0 && (*cursor)[length - 1] == '\r' ? length - 1 : length;
    *cursor += length + ((*cursor)[length] == '\n');
    return true;
}

const char *sign_line_after(const struct sign_line *line, const char *prefix, size_t *length) {
    size_t prefix_length = strlen(prefix);
    if (line->length < prefix_length || memcmp(line->start, prefix, prefix_length) != 0)
        return NULL;
    *length = line->length - prefix_length;
    return line->start + prefix_length;
}

bool sign_line_decode(const struct sign_line *line, void *out, size_t size) {
    size_t length = 0;
    return decode_base64_part(line->start, line->length, out, size, &length) && length == size;
}

bool sign_key_line(const char *text, struct sign_line *out) {
    size_t length;
    struct sign_line more;
    if (!sign_next_line(&text, out)) return false;
    if (sign_line_after(out, SIGN_COMMENT, &length) != NULL && !sign_next_line(&text, out))
        return false;
    while (sign_next_line(&text, &more)) {
        if (more.length > 0) return false;
    }
    return true;
}

char *sign_key_id(const struct sign_public *p, char out[SIGN_KEY_ID_HEX_SIZE]) {
    for (size_t i = 0; i < SIGN_KEY_ID_SIZE; i++)
        snprintf(out + 2 * i, 3, "%02X", p->id[SIGN_KEY_ID_SIZE - 1 - i]);
    return out;
}

char *sign_public_text(const struct sign_public *p, char out[SIGN_PUBLIC_TEXT_SIZE]) {
    struct public_bytes bytes;
    memcpy(bytes.algorithm, SIGN_ALGORITHM, sizeof bytes.algorithm);
    memcpy(bytes.id, p->id, sizeof bytes.id);
    memcpy(bytes.key, p->key, sizeof bytes.key);
    static_assert(ENCODE_BASE64_SIZE(sizeof bytes) == SIGN_PUBLIC_TEXT_SIZE, "one line");
    return encode_base64(&bytes, sizeof bytes, out);
}

bool sign_public_parse(const char *text, struct sign_public *out, struct err *e) {
    struct sign_line line;
    struct public_bytes bytes;
    if (!sign_key_line(text, &line) || !sign_line_decode(&line, &bytes, sizeof bytes))
        return err_set(e, ERR_INVALID,
                       "this is no minisign public key: one line of 56 base64 characters is "
                       "expected, with or without a comment line before it");
    if (memcmp(bytes.algorithm, SIGN_ALGORITHM, sizeof bytes.algorithm) != 0)
        return err_set(e, ERR_INVALID, "this public key is not of minisign's Ed25519 kind");
    if (!crypto_core_ed25519_is_valid_point(bytes.key))
        return err_set(e, ERR_INVALID, "this public key is no valid Ed25519 key");
    memcpy(out->id, bytes.id, sizeof out->id);
    memcpy(out->key, bytes.key, sizeof out->key);
    return true;
}

bool sign_public_read(const char *path, struct sign_public *out, struct err *e) {
    OWN_TEXT struct text content = TEXT_EMPTY;
    if (!file_read(path, SIGN_KEY_FILE_MAX_BYTES, &content, e)) return err_wrap(e, "public key");
    return sign_public_parse(text_value(&content), out, e) || err_wrap(e, "%s", path);
}

bool sign_public_write(const struct sign_public *p, const char *path, struct err *e) {
    char id[SIGN_KEY_ID_HEX_SIZE], line[SIGN_PUBLIC_TEXT_SIZE];
    OWN_TEXT struct text content = TEXT_EMPTY;
    text_add_format(&content, SIGN_COMMENT "minisign public key %s\n%s\n", sign_key_id(p, id),
                    sign_public_text(p, line));
    return file_write_durable(path, content.data, content.length, 0644, e) ||
           err_wrap(e, "public key");
}
