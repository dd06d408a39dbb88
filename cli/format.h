/* Numbers and times as people read them. Pure: the caller says what time it is. */
#pragma once

#include <stdint.h>

#define FORMAT_SIZE 32

/* "0 B", "999 B", "19.3 MB", "2.0 TB" (decimal units); "-" when negative. Returns out. */
char *format_bytes(int64_t bytes, char out[FORMAT_SIZE]);

/* "0 s", "59 s", "3 min", "2 h 5 min", "3 d 4 h": the two largest units at most; "-" when negative.
 */
char *format_duration(int64_t ms, char out[FORMAT_SIZE]);

/* "now", "12 s ago", "3 min ago", "in 2 h": of an RFC 3339 time; "never" for "", "?" for anything
 * else. */
char *format_age(const char *rfc3339, int64_t now_ms, char out[FORMAT_SIZE]);

/* "2026-01-31 12:00:00" in the local time zone; "-" for "", the text itself (cut) when it is no RFC
 * 3339 time. */
char *format_time(const char *rfc3339, char out[FORMAT_SIZE]);

/* "1 agent", "3 agents": noun takes an s. */
char *format_count(int64_t count, const char *noun, char out[FORMAT_SIZE]);

/* value, or something else when there is none: NULL and "". */
static inline const char *format_or(const char *value, const char *otherwise) {
    return value != (const char *)0 && value[0] != '\0' ? value : otherwise;
}
