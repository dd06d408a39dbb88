#include "lib/hash.h"

#include "lib/encode.h"
#include "lib/text.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { READ_SIZE = 128 * 1024 };

struct sha256 {
    EVP_MD_CTX *context;
};

/* Fetched once: OpenSSL 3 otherwise looks the algorithm up by name at every hash. */
static EVP_MD *algorithm;

static void fetch_algorithm(void) {
    algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    assert(algorithm != NULL);
}

static const EVP_MD *sha256_algorithm(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fetch_algorithm);
    return algorithm;
}

struct sha256 *sha256_begin(void) {
    struct sha256 *h = memory_zeroed(1, sizeof *h);
    h->context = EVP_MD_CTX_new();
    assert(h->context != NULL);
    int started = EVP_DigestInit_ex2(h->context, sha256_algorithm(), NULL);
    assert(started == 1);
    return h;
}

void sha256_add(struct sha256 *h, const void *bytes, size_t length) {
    int added = EVP_DigestUpdate(h->context, bytes, length);
    assert(added == 1);
}

void sha256_digest(struct sha256 *h, unsigned char out[SHA256_SIZE]) {
    unsigned size = 0;
    int ended = EVP_DigestFinal_ex(h->context, out, &size);
    assert(ended == 1 && size == SHA256_SIZE);
}

void sha256_hex(struct sha256 *h, char out[SHA256_HEX_SIZE]) {
    unsigned char digest[SHA256_SIZE];
    sha256_digest(h, digest);
    encode_hex(digest, sizeof digest, out);
}

void sha256_free(struct sha256 *h) {
    if (h == NULL) return;
    EVP_MD_CTX_free(h->context);
    free(h);
}

void sha256_bytes(const void *bytes, size_t length, unsigned char out[SHA256_SIZE]) {
    int done = EVP_Digest(bytes, length, out, NULL, sha256_algorithm(), NULL);
    assert(done == 1);
}

bool sha256_file(int fd, char out[SHA256_HEX_SIZE], int64_t *size_bytes, struct err *e) {
    OWN(sha256) struct sha256 *hash = sha256_begin();
    OWN_MEMORY unsigned char *buffer = memory_resize(NULL, READ_SIZE, 1);
    int64_t offset = 0;
    for (;;) {
        ssize_t count = pread(fd, buffer, READ_SIZE, offset);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return err_errno(e, errno, "read at offset %lld", (long long)offset);
        if (count == 0) break;
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
