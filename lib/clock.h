/* Time. Deadlines and intervals use the monotonic clock, which no administrator can set back. Any
 * thread. */
#pragma once

#include <stdint.h>

#define CLOCK_RFC3339_SIZE 32

int64_t clock_monotonic_ms(void);
int64_t clock_boot_ms(void); /* the same, but it goes on while the machine sleeps: for what
                                somebody else counts meanwhile */
int64_t clock_wall_ms(void); /* Unix time in milliseconds */

/* "2026-01-31T12:00:00.123Z" (RFC 3339, UTC) into out; returns out. */
const char *clock_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_SIZE]);

/* The Unix time in ms of an RFC 3339 text, or -1 when it is none or before 1970. */
int64_t clock_parse_rfc3339(const char *text);

/* "90s", "5m", "2h", "1d", "250ms" or plain seconds -> ms; -1 when it is none of these or
 * overflows. */
int64_t clock_parse_duration_ms(const char *text);

/* Boot id of this machine (/proc/sys/kernel/random/boot_id), "" when it cannot be read. Static
 * memory. */
const char *clock_boot_id(void);
