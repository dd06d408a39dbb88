/* UTF-8 (RFC 3629). Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD, written in place of what is no character */

/* Bytes of the well-formed character at the start of bytes (1 to 4), of which available may be
 * read; 0 when there is none: overlong forms, surrogates, what is beyond U+10FFFF and cut sequences
 * are not characters. */
size_t utf8_character(const char *bytes, size_t available);

/* Writes the character of a code point that is one (no surrogate, at most U+10FFFF) and returns its
 * 1 to 4 bytes. */
size_t utf8_encode(uint32_t code, char out[4]);
