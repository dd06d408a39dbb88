/* Hex and base64 (RFC 4648). Any thread. */
#pragma once

#include "lib/err.h"
#include "lib/text.h"

#include <stddef.h>
#include <stdint.h>

/* Lower-case hex of length bytes into out, which holds 2 * length + 1 characters; returns out. */
char *encode_hex(const void *bytes, size_t length, char *out);

/* Exactly 2 * length hex digits of either case; false otherwise. */
MUST_CHECK bool decode_hex(const char *hex, void *out, size_t length);

/* Standard alphabet with padding. out holds ENCODE_BASE64_SIZE(length) characters; returns out. */
#define ENCODE_BASE64_SIZE(length) ((((length) + 2) / 3) * 4 + 1)
char *encode_base64(const void *bytes, size_t length, char *out);

/* Decodes at most size bytes, strictly (no white space, padding required). False when malformed or
 * too long. */
MUST_CHECK bool decode_base64(const char *text, void *out, size_t size, size_t *length);

/* The same of text_length characters, which nothing need end. */
MUST_CHECK bool decode_base64_part(const char *text, size_t text_length, void *out, size_t size,
                                   size_t *length);

/* URL-safe alphabet without padding (RFC 4648 section 5), for secrets, join strings. Same sizes. */
char *encode_base64url(const void *bytes, size_t length, char *out);
MUST_CHECK bool decode_base64url(const char *text, void *out, size_t size, size_t *length);

/* Percent-encodes everything but unreserved characters (RFC 3986 section 2.3) onto out. */
void encode_url(struct text *out, const char *value);

/* Decodes %XX in place of the same buffer; refuses %00 and malformed escapes. '+' stays '+'. */
MUST_CHECK bool decode_url(char *value);
