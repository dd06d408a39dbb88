/* Parts of a file, as the headers Range and Content-Range name them. Any thread. */
#pragma once

#include "lib/own.h"

#include <stdbool.h>
#include <stdint.h>

/* "bytes=a-b" against size: 206 with *first and *last, 416, or 200 when absent, malformed or
 * several (RFC 9110 section 14). */
int http_range_parse(const char *range, int64_t size, int64_t *first, int64_t *last);

/* "bytes FIRST-LAST/TOTAL" with FIRST <= LAST < TOTAL (RFC 9110 section 14.4), none of them beyond
 * 18 digits, so that their sums do not overflow. "*" in place of FIRST-LAST is the empty part at
 * the end: *first is *total, *last one less. False for anything else. */
MUST_CHECK bool http_content_range_parse(const char *text, int64_t *first, int64_t *last,
                                         int64_t *total);
