/* The part of lib/sign.h that reads and writes secret key files. */
#include "lib/encode.h"
#include "lib/file.h"
#include "lib/sign_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CHECKSUM_ALGORITHM "B2"
#define NO_ENCRYPTION "\0\0"
#define SCRYPT "Sc"
#define SCRYPT_MAX_MEMORY_BYTES (4ULL * 1024 * 1024 * 1024)
#define SCRYPT_MAX_OPERATIONS (1ULL << 32)

/* The second line of a secret key file, as minisign defines it. */
struct sealed_part { /* encrypted: exclusive-or with a stream of scrypt */
    unsigned char id[SIGN_KEY_ID_SIZE];
    unsigned char key[SIGN_SECRET_SIZE];
    unsigned char checksum[32]; /* BLAKE2b-256 of algorithm, id, key; zeros when not encrypted */
};

struct secret_bytes {
    unsigned char algorithm[2];
    unsigned char encryption[2];
    unsigned char checksum_algorithm[2];
    unsigned char salt[crypto_pwhash_scryptsalsa208sha256_SALTBYTES];
    unsigned char operations[8]; /* little-endian */
    unsigned char memory[8];
    struct sealed_part part;
};
static_assert(sizeof(struct secret_bytes) == 158, "no padding");

/* All that a secret key file becomes on its way, in locked memory. */
struct secret_workspace {
    char text[SIGN_KEY_FILE_MAX_BYTES + 1];
    struct secret_bytes bytes;
    struct sealed_part stream;
    unsigned char seed[crypto_sign_SEEDBYTES];
    unsigned char key[SIGN_SECRET_SIZE];
    unsigned char checksum[32];
};
OWN_DEFINE(workspace, struct secret_workspace, sodium_free)

/* Reads at most SIGN_KEY_FILE_MAX_BYTES into text, after checking that nobody else may read the
 * file. */
static bool read_private(const char *path, char *text, struct err *e) {
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) return err_errno(e, errno, "secret key %s", path);
    if (!S_ISREG(status.st_mode))
        return err_set(e, ERR_INVALID, "secret key %s is not a regular file", path);
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        err_set(e, ERR_DENIED, "secret key %s is open to other users (mode %04o)", path,
                (unsigned)(status.st_mode & 07777));
        return err_hint(e, "chmod 600 %s", path);
    }
    size_t length = 0;
    ssize_t got = 0;
    while (length < SIGN_KEY_FILE_MAX_BYTES &&
           (got = read(fd, text + length, SIGN_KEY_FILE_MAX_BYTES - length)) != 0) {
        if (got < 0 && errno != EINTR) return err_errno(e, errno, "secret key %s", path);
        if (got > 0) length += (size_t)got;
    }
    text[length] = '\0';
    return true;
}

static void checksum_of(const struct secret_bytes *b, unsigned char out[32]) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, 32);
    crypto_generichash_update(&state, b->algorithm, sizeof b->algorithm);
    crypto_generichash_update(&state, b->part.id, sizeof b->part.id);
    crypto_generichash_update(&state, b->part.key, sizeof b->part.key);
    crypto_generichash_final(&state, out, 32);
}

static uint64_t little_endian(const unsigned char bytes[8]) {
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) value = value << 8 | bytes[i];
    return value;
}

/* Takes the encryption off w->bytes.part. */
static bool decrypt(struct secret_workspace *w, const char *path, const char *password,
                    struct err *e) {
    uint64_t operations = little_endian(w->bytes.operations);
    uint64_t memory = little_endian(w->bytes.memory);
    if (password == NULL)
        return err_set(e, ERR_DENIED, "secret key %s is encrypted and no password was given", path);
    if (operations > SCRYPT_MAX_OPERATIONS || memory > SCRYPT_MAX_MEMORY_BYTES)
        return err_set(e, ERR_INVALID, "secret key %s asks for too costly a decryption", path);
    if (crypto_pwhash_scryptsalsa208sha256((unsigned char *)&w->stream, sizeof w->stream, password,
                                           strlen(password), w->bytes.salt, operations,
                                           (size_t)memory) != 0)
        return err_set(e, ERR_UNAVAILABLE,
                       "secret key %s cannot be decrypted: that takes %llu MiB of free memory",
                       path, (unsigned long long)memory / (1024 * 1024));
    const unsigned char *stream = (const unsigned char *)&w->stream;
    unsigned char *part = (unsigned char *)&w->bytes.part;
    for (size_t i = 0; i < sizeof w->stream; i++) part[i] ^= stream[i];
    checksum_of(&w->bytes, w->checksum);
    return sodium_memcmp(w->checksum, w->bytes.part.checksum, sizeof w->checksum) == 0 ||
           err_set(e, ERR_DENIED, "wrong password for secret key %s", path);
}

/* The public half inside a secret key must be the seed's own: signing with another one would
 * give the seed away. */
static bool key_consistent(struct secret_workspace *w, struct sign_public *public) {
    memcpy(w->seed, w->bytes.part.key, sizeof w->seed);
    crypto_sign_seed_keypair(public->key, w->key, w->seed);
    memcpy(public->id, w->bytes.part.id, sizeof public->id);
    if (sodium_memcmp(w->key, w->bytes.part.key, sizeof w->key) != 0) return false;
    if (sodium_is_zero(w->bytes.part.checksum, sizeof w->bytes.part.checksum)) return true;
    checksum_of(&w->bytes, w->checksum);
    return sodium_memcmp(w->checksum, w->bytes.part.checksum, sizeof w->checksum) == 0;
}

static bool parse_secret(struct secret_workspace *w, const char *path, const char *password,
                         struct err *e) {
    struct sign_line line;
    const struct secret_bytes *b = &w->bytes;
    if (!sign_key_line(w->text, &line) || !sign_line_decode(&line, &w->bytes, sizeof w->bytes) ||
        memcmp(b->algorithm, SIGN_ALGORITHM, sizeof b->algorithm) != 0 ||
        memcmp(b->checksum_algorithm, CHECKSUM_ALGORITHM, sizeof b->checksum_algorithm) != 0)
        return err_set(e, ERR_INVALID, "%s is no minisign secret key", path);
    if (memcmp(b->encryption, NO_ENCRYPTION, sizeof b->encryption) == 0) return true;
    if (memcmp(b->encryption, SCRYPT, sizeof b->encryption) != 0)
        return err_set(e, ERR_INVALID, "secret key %s is encrypted in an unknown way", path);
    return decrypt(w, path, password, e);
}

bool sign_secret_read(const char *path, const char *password, struct sign_secret **out,
                      struct err *e) {
    OWN(workspace) struct secret_workspace *w = sign_locked_memory(sizeof *w);
    *out = NULL;
    if (!read_private(path, w->text, e) || !parse_secret(w, path, password, e)) return false;
    OWN(sign_secret) struct sign_secret *s = sign_locked_memory(sizeof *s);
    if (!key_consistent(w, &s->public))
        return err_set(e, ERR_CORRUPT, "secret key %s is damaged: its parts do not agree", path);
    memcpy(s->key, w->key, sizeof s->key);
    sign_secret_seal(s);
    *out = TAKE(s);
    return true;
}

/* Gives a finished temporary file its name; link() never replaces another file. */
static bool publish_private(const char *temporary, const char *path, struct err *e) {
    if (link(temporary, path) == 0) return file_sync_parent(path, e);
    if (errno != EEXIST) return err_errno(e, errno, "secret key %s", path);
    err_set(e, ERR_CONFLICT, "secret key %s exists and is never replaced", path);
    return err_hint(e, "choose another name, or move the old key away");
}

static void format_secret(const struct sign_secret *s, struct secret_workspace *w) {
    static const char comment[] = SIGN_COMMENT "minisign secret key, not encrypted\n";
    struct secret_bytes *b = &w->bytes;
    sodium_memzero(b, sizeof *b);
    memcpy(b->algorithm, SIGN_ALGORITHM, sizeof b->algorithm);
    memcpy(b->checksum_algorithm, CHECKSUM_ALGORITHM, sizeof b->checksum_algorithm);
    memcpy(b->part.id, s->public.id, sizeof b->part.id);
    memcpy(b->part.key, s->key, sizeof b->part.key);
    memcpy(w->text, comment, sizeof comment);
    char *line = w->text + sizeof comment - 1;
    encode_base64(b, sizeof *b, line);
    memcpy(line + strlen(line), "\n", 2);
}

bool sign_secret_write(const struct sign_secret *s, const char *path, struct err *e) {
    OWN_TEXT struct text temporary = TEXT_EMPTY;
    OWN(workspace) struct secret_workspace *w = sign_locked_memory(sizeof *w);
    text_add_format(&temporary, "%s.tmp-XXXXXX", path);  /* as file_drop_unfinished knows them */
    OWN_FD int fd = mkostemp(temporary.data, O_CLOEXEC); /* mode 0600 */
    if (fd < 0) return err_errno(e, errno, "secret key %s", path);
    format_secret(s, w);
    bool written = file_write_all(fd, w->text, strlen(w->text)) && fsync(fd) == 0
                       ? publish_private(temporary.data, path, e)
                       : err_errno(e, errno, "secret key %s", path);
    unlink(temporary.data);
    return written;
}
