/* SHA-256 for programs that must stay small: OpenSSL's own function, a few KB, where lib/hash.h
 * brings all of its algorithms, megabytes in a static program. Any thread. */
#pragma once

#include "lib/err.h"

#define HASH_SMALL_HEX_SIZE 65

/* Hashes what fd holds from its position to its end, as lower-case hex. ERR_IO. */
MUST_CHECK bool hash_small_file(int fd, char out[HASH_SMALL_HEX_SIZE], struct err *e);
