/* The part of lib/sign.h that signs and verifies files (.minisig). */
#include "lib/clock.h"
#include "lib/encode.h"
#include "lib/file.h"
#include "lib/sign_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SIGNATURE_TEXT_MAX_BYTES (16 * 1024)
#define TRUSTED_COMMENT_MAX_BYTES 1024
#define LEGACY_MAX_BYTES (256 * 1024 * 1024)
#define DIGEST_SIZE 64 /* BLAKE2b-512 */

/* The second line of a .minisig file. */
struct signature_bytes {
    unsigned char algorithm[2];
    unsigned char id[SIGN_KEY_ID_SIZE];
    unsigned char signature[SIGN_SIGNATURE_SIZE];
};
static_assert(sizeof(struct signature_bytes) == 74, "no padding");

/* A .minisig text taken apart, nothing in it believed yet. */
struct file_signature {
    struct signature_bytes bytes;
    const char *comment; /* trusted once comment_signature is checked; into the text */
    size_t comment_length;
    unsigned char comment_signature[SIGN_SIGNATURE_SIZE];
    bool hashed;
};

static bool malformed(struct err *e, const char *what) {
    err_set(e, ERR_INVALID, "this is no minisign signature: %s", what);
    return false; /* said here, since analyzers see one file at a time */
}

static bool parse_algorithm(struct file_signature *s, struct err *e) {
    const unsigned char *algorithm = s->bytes.algorithm;
    s->hashed = memcmp(algorithm, SIGN_ALGORITHM_HASHED, 2) == 0;
    return s->hashed || memcmp(algorithm, SIGN_ALGORITHM, 2) == 0 ||
           malformed(e, "its algorithm is neither ED nor Ed");
}

static bool parse(const char *text, struct file_signature *s, struct err *e) {
    struct sign_line line;
    size_t length;
    if (strnlen(text, SIGNATURE_TEXT_MAX_BYTES) == SIGNATURE_TEXT_MAX_BYTES)
        return malformed(e, "it is too long");
    if (!sign_next_line(&text, &line) || sign_line_after(&line, SIGN_COMMENT, &length) == NULL)
        return malformed(e, "its first line must begin with \"untrusted comment: \"");
    if (!sign_next_line(&text, &line) || !sign_line_decode(&line, &s->bytes, sizeof s->bytes))
        return malformed(e, "its second line must hold 74 bytes in base64");
    if (!sign_next_line(&text, &line) ||
        (s->comment = sign_line_after(&line, SIGN_TRUSTED_COMMENT, &s->comment_length)) == NULL)
        return malformed(e, "its third line must begin with \"trusted comment: \"");
    if (s->comment_length > TRUSTED_COMMENT_MAX_BYTES)
        return malformed(e, "its trusted comment is too long");
    if (!sign_next_line(&text, &line) ||
        !sign_line_decode(&line, s->comment_signature, sizeof s->comment_signature))
        return malformed(e, "its fourth line must hold 64 bytes in base64");
    while (sign_next_line(&text, &line)) {
        if (line.length > 0) return malformed(e, "something follows its fourth line");
    }
    return parse_algorithm(s, e);
}

static void comment_message(const unsigned char *signature, const char *comment, size_t length,
                            unsigned char *out) {
    memcpy(out, signature, SIGN_SIGNATURE_SIZE);
    memcpy(out + SIGN_SIGNATURE_SIZE, comment, length);
}

static bool comment_valid(const struct file_signature *s, const struct sign_public *key) {
    unsigned char message[SIGN_SIGNATURE_SIZE + TRUSTED_COMMENT_MAX_BYTES];
    comment_message(s->bytes.signature, s->comment, s->comment_length, message);
    return crypto_sign_verify_detached(s->comment_signature, message,
                                       SIGN_SIGNATURE_SIZE + s->comment_length, key->key) == 0;
}

/* Tab-separated fields: exactly one must be "file:NAME". */
static bool check_name(const struct file_signature *s, const char *file_name, struct err *e) {
    static const char prefix[] = "file:";
    const char *name = NULL;
    size_t length = 0;
    const char *end = s->comment + s->comment_length;
    for (const char *field = s->comment; field <= end;) {
        const char *tab = memchr(field, '\t', (size_t)(end - field));
        const char *stop = tab != NULL ? tab : end;
        if ((size_t)(stop - field) >= sizeof prefix - 1 &&
            memcmp(field, prefix, sizeof prefix - 1) == 0) {
            if (name != NULL)
                return err_set(e, ERR_UNTRUSTED, "the signature names two files: that binds none");
            name = field + sizeof prefix - 1;
            length = (size_t)(stop - name);
        }
        field = stop + 1;
    }
    if (name == NULL) {
        err_set(e, ERR_UNTRUSTED, "the signature binds no file name (no file: in its comment)");
        return err_hint(e, "sign with the trusted comment \"file:%s\"", file_name);
    }
    if (length == strlen(file_name) && memcmp(name, file_name, length) == 0) return true;
    err_set(e, ERR_UNTRUSTED, "the signature is for file \"%.*s\", not for \"%s\"",
            (int)(length < 100 ? length : 100), name, file_name);
    return err_hint(e, "keep the name the file was signed with, or sign it under this name");
}

static bool read_error(struct err *e, const char *file_name) {
    return err_errno(e, errno, "read %s", file_name);
}

static bool digest_file(int fd, unsigned char out[DIGEST_SIZE], const char *name, struct err *e) {
    crypto_generichash_state state;
    OWN_MEMORY unsigned char *block = memory_zeroed(1, 256 * 1024);
    crypto_generichash_init(&state, NULL, 0, DIGEST_SIZE);
    for (off_t offset = 0;;) {
        ssize_t n = pread(fd, block, 256 * 1024, offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return read_error(e, name);
        if (n == 0) break;
        crypto_generichash_update(&state, block, (unsigned long long)n);
        offset += n;
    }
    crypto_generichash_final(&state, out, DIGEST_SIZE);
    return true;
}

/* Legacy signatures need the whole file in memory: Ed25519 hashes it behind parts of the signature.
 */
static bool load_file(int fd, unsigned char **out, size_t *length, const char *name,
                      struct err *e) {
    struct stat status;
    if (fstat(fd, &status) != 0) return read_error(e, name);
    if (status.st_size > LEGACY_MAX_BYTES) {
        err_set(e, ERR_TOO_LARGE, "%s is too large for a legacy signature (at most %d MiB)", name,
                LEGACY_MAX_BYTES / (1024 * 1024));
        return err_hint(e, "sign it anew without minisign's option -l");
    }
    size_t size = (size_t)status.st_size;
    OWN_MEMORY unsigned char *bytes = memory_zeroed(size, 1);
    ssize_t got = file_read_at(fd, bytes, size, 0);
    if (got < 0) return read_error(e, name);
    *length = (size_t)got;
    *out = TAKE(bytes);
    return true;
}

static bool check_content(const struct file_signature *s, const struct sign_public *key, int fd,
                          const char *file_name, struct err *e) {
    unsigned char digest[DIGEST_SIZE];
    OWN_MEMORY unsigned char *whole = NULL;
    size_t length = sizeof digest;
    if (s->hashed ? !digest_file(fd, digest, file_name, e)
                  : !load_file(fd, &whole, &length, file_name, e))
        return false;
    return crypto_sign_verify_detached(s->bytes.signature, s->hashed ? digest : whole, length,
                                       key->key) == 0 ||
           err_set(e, ERR_UNTRUSTED,
                   "the signature does not fit the content of %s: one of them "
                   "was altered",
                   file_name);
}

/* The key that made the comment's signature, among those with the signature's key id. */
static const struct sign_public *find_signer(const struct file_signature *s,
                                             const struct sign_public *keys, size_t count,
                                             bool *id_known) {
    *id_known = false;
    for (size_t i = 0; i < count; i++) {
        if (memcmp(keys[i].id, s->bytes.id, SIGN_KEY_ID_SIZE) != 0) continue;
        *id_known = true;
        if (comment_valid(s, &keys[i])) return &keys[i];
    }
    return NULL;
}

static char *signer_id(const struct file_signature *s, char out[SIGN_KEY_ID_HEX_SIZE]) {
    struct sign_public named = {0};
    memcpy(named.id, s->bytes.id, sizeof named.id);
    return sign_key_id(&named, out);
}

bool sign_verify_file(const struct sign_public *keys, size_t key_count, const char *signature,
                      int fd, const char *file_name, size_t *used_key, struct err *e) {
    struct file_signature s = {0};
    char id[SIGN_KEY_ID_HEX_SIZE];
    if (!parse(signature, &s, e)) return false;
    bool id_known;
    const struct sign_public *key = find_signer(&s, keys, key_count, &id_known);
    if (!id_known)
        return err_set(e, ERR_UNTRUSTED, "%s is signed by key %s, which is not trusted here",
                       file_name, signer_id(&s, id));
    if (key == NULL)
        return err_set(e, ERR_UNTRUSTED,
                       "the signature of %s or its trusted comment was altered, or key %s is "
                       "another key of the same id",
                       file_name, signer_id(&s, id));
    if (!check_name(&s, file_name, e) || !check_content(&s, key, fd, file_name, e)) return false;
    if (used_key != NULL) *used_key = (size_t)(key - keys);
    return true;
}

/* A name that would break the comment's line or its fields cannot be bound. */
static bool name_bindable(const char *name) {
    size_t length = strlen(name);
    if (length == 0 || length >= SIGN_FILE_NAME_SIZE) return false;
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f) return false;
    }
    return true;
}

bool sign_file(const struct sign_secret *s, int fd, const char *file_name, struct text *out,
               struct err *e) {
    struct signature_bytes bytes;
    unsigned char digest[DIGEST_SIZE];
    unsigned char message[SIGN_SIGNATURE_SIZE + TRUSTED_COMMENT_MAX_BYTES];
    unsigned char comment_signature[SIGN_SIGNATURE_SIZE];
    char comment[TRUSTED_COMMENT_MAX_BYTES], id[SIGN_KEY_ID_HEX_SIZE];
    char line[ENCODE_BASE64_SIZE(sizeof bytes)];
    if (!name_bindable(file_name))
        return err_set(e, ERR_INVALID,
                       "this file name cannot be signed: 1 to %d bytes without "
                       "control characters are needed",
                       SIGN_FILE_NAME_SIZE - 1);
    if (!digest_file(fd, digest, file_name, e)) return false;
    memcpy(bytes.algorithm, SIGN_ALGORITHM_HASHED, sizeof bytes.algorithm);
    memcpy(bytes.id, s->public.id, sizeof bytes.id);
    crypto_sign_detached(bytes.signature, NULL, digest, sizeof digest, s->key);
    int length = snprintf(comment, sizeof comment, "timestamp:%" PRId64 "\tfile:%s\thashed",
                          clock_wall_ms() / 1000, file_name);
    assert(length > 0 && (size_t)length < sizeof comment);
    comment_message(bytes.signature, comment, (size_t)length, message);
    crypto_sign_detached(comment_signature, NULL, message, SIGN_SIGNATURE_SIZE + (size_t)length,
                         s->key);
    text_add_format(out, SIGN_COMMENT "signature of %s by key %s\n%s\n", file_name,
                    sign_key_id(&s->public, id), encode_base64(&bytes, sizeof bytes, line));
    text_add_format(out, SIGN_TRUSTED_COMMENT "%s\n%s\n", comment,
                    encode_base64(comment_signature, sizeof comment_signature, line));
    return true;
}
