/* EVP, and SHA256() with it, would link every algorithm of OpenSSL, 3 MB, for this one. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "lib/hash.h"

#include "lib/encode.h"
#include "lib/text.h"

#include <errno.h>
#include <openssl/sha.h>
#include <string.h>
#include <unistd.h>

enum { READ_SIZE = 128 * 1024 };

struct sha256 {
    SHA256_CTX context;
};

struct sha256 *sha256_begin(void) {
    struct sha256 *h = memory_zeroed(1, sizeof *h);
    SHA256_Init(&h->context);
    return h;
}

void sha256_add(struct sha256 *h, const void *bytes, size_t length) {
    SHA256_Update(&h->context, bytes, length);
}

void sha256_digest(struct sha256 *h, unsigned char out[SHA256_SIZE]) {
    SHA256_Final(out, &h->context);
}

void sha256_hex(struct sha256 *h, char out[SHA256_HEX_SIZE]) {
    unsigned char digest[SHA256_SIZE];
    sha256_digest(h, digest);
    encode_hex(digest, sizeof digest, out);
}

void sha256_free(struct sha256 *h) {
    free(h);
}

void sha256_bytes(const void *bytes, size_t length, unsigned char out[SHA256_SIZE]) {
    struct sha256 hash;
    SHA256_Init(&hash.context);
    sha256_add(&hash, bytes, length);
    sha256_digest(&hash, out);
}

bool sha256_file(int fd, char out[SHA256_HEX_SIZE], int64_t *size_bytes, struct err *e) {
    return sha256_file_up_to(fd, INT64_MAX, out, size_bytes, e);
}

bool sha256_file_up_to(int fd, int64_t max_bytes, char out[SHA256_HEX_SIZE], int64_t *size_bytes,
                       struct err *e) {
    OWN(sha256) struct sha256 *hash = sha256_begin();
    OWN_MEMORY unsigned char *buffer = memory_resize(NULL, READ_SIZE, 1);
    int64_t offset = 0;
    for (;;) {
        ssize_t count = pread(fd, buffer, READ_SIZE, offset);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return err_errno(e, errno, "read at offset %lld", (long long)offset);
        if (count == 0) break;
        if (count > max_bytes - offset)
            return err_set(e, ERR_TOO_LARGE, "more than %lld bytes", (long long)max_bytes);
        sha256_add(hash, buffer, (size_t)count);
        offset += count;
    }
    sha256_hex(hash, out);
    if (size_bytes != NULL) *size_bytes = offset;
    return true;
}

bool sha256_hex_valid(const char *hex) {
    return strspn(hex, "0123456789abcdef") == SHA256_HEX_SIZE - 1 &&
           hex[SHA256_HEX_SIZE - 1] == '\0';
}

void sha512_hex(const void *bytes, size_t length, char out[SHA512_HEX_SIZE]) {
    unsigned char digest[SHA512_DIGEST_LENGTH];
    SHA512_CTX context;
    SHA512_Init(&context);
    SHA512_Update(&context, bytes, length);
    SHA512_Final(digest, &context);
    encode_hex(digest, sizeof digest, out);
}
