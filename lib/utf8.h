/* UTF-8 (RFC 3629). Pure. */
#pragma once

#include <stddef.h>

#define UTF8_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD, written in place of what is no character */

/* Bytes of the well-formed character at the start of bytes (1 to 4), of which available may be
 * read; 0 when there is none: overlong forms, surrogates, what is beyond U+10FFFF and cut sequences
 * are not characters. */
size_t utf8_character(const char *bytes, size_t available);
