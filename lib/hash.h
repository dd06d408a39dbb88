/* SHA-256 and SHA-512 (FIPS 180-4) through OpenSSL, which uses the processor's instructions; CRC32C
 * (RFC 3720 appendix B.4). Any thread. */
#pragma once

#include "lib/err.h"

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32
#define SHA256_HEX_SIZE 65

struct sha256; /* a running hash */

struct sha256 *sha256_begin(void); /* never NULL */
void sha256_add(struct sha256 *h, const void *bytes, size_t length);

/* Both end the hash, as bytes or as lower-case hex; only sha256_free may follow. */
void sha256_digest(struct sha256 *h, unsigned char out[SHA256_SIZE]);
void sha256_hex(struct sha256 *h, char out[SHA256_HEX_SIZE]);

void sha256_free(struct sha256 *h); /* NULL is fine */
OWN_DEFINE(sha256, struct sha256, sha256_free)

void sha256_bytes(const void *bytes, size_t length, unsigned char out[SHA256_SIZE]);

/* Hashes the whole of fd from offset 0 by pread, without moving its position. */
MUST_CHECK bool sha256_file(int fd, char out[SHA256_HEX_SIZE], int64_t *size_bytes, struct err *e);
/* The same of a file that somebody may be writing to: ERR_TOO_LARGE once there are more bytes. */
MUST_CHECK bool sha256_file_up_to(int fd, int64_t max_bytes, char out[SHA256_HEX_SIZE],
                                  int64_t *size_bytes, struct err *e);

/* True for 64 lower-case hex digits. */
bool sha256_hex_valid(const char *hex);

#define SHA512_HEX_SIZE 129

/* SHA-512 of bytes in lower-case hex. */
void sha512_hex(const void *bytes, size_t length, char out[SHA512_HEX_SIZE]);

/* CRC32C of more bytes: begin with crc 0 and feed the result back in. In hardware if possible. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t length);

/* CRC32C of two pieces that follow each other, from that of each; the second is length bytes. */
uint32_t crc32c_join(uint32_t first, uint32_t second, size_t length);
