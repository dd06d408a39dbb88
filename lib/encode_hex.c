/* The part of lib/encode.h that does without libsodium, which would be linked whole. */
#include "lib/encode.h"

/* In constant time, as keys and secrets pass through here too. */
static char hex_digit(unsigned value) {
    unsigned is_letter = (9 - value) >> 8 & 1;
    return (char)('0' + value + is_letter * ('a' - '0' - 10));
}

char *encode_hex(const void *bytes, size_t length, char *out) {
    const unsigned char *from = bytes;
    char *to = out;
    for (size_t i = 0; i < length; i++) {
        *to++ = hex_digit(from[i] >> 4);
        *to++ = hex_digit(from[i] & 15);
    }
    *to = '\0';
    return out;
}
