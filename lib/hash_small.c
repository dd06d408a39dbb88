#define OPENSSL_SUPPRESS_DEPRECATED /* what replaces these functions is what this file avoids */
#include "lib/hash_small.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <unistd.h>

enum { READ_SIZE = 32 * 1024 };

bool hash_small_file(int fd, char out[HASH_SMALL_HEX_SIZE], struct err *e) {
    unsigned char buffer[READ_SIZE];
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256_CTX hash;
    SHA256_Init(&hash);
    for (;;) {
        ssize_t count = read(fd, buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return err_errno(e, errno, "read");
        if (count == 0) break;
        SHA256_Update(&hash, buffer, (size_t)count);
    }
    SHA256_Final(digest, &hash);
    for (size_t i = 0; i < sizeof digest; i++) snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return true;
}
