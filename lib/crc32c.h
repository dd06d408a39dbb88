/* The ways to compute CRC32C behind crc32c() of lib/hash.h, listed so that each can be tested. Any
 * thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct crc32c_way {
    const char *name;
    bool (*usable)(void); /* whether this processor can; the last way always can */
    /* state is the CRC not yet inverted. */
    uint32_t (*add)(uint32_t state, const unsigned char *bytes, size_t length);
};

extern const struct crc32c_way crc32c_ways[];
extern const size_t crc32c_way_count;
