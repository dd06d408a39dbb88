/* Time zones by IANA name, out of the machine's zone files (TZif, RFC 8536). A loaded zone is
 * never changed; any thread. */
#pragma once

#include "lib/err.h"

#include <stdbool.h>
#include <stdint.h>

#define TIMEZONE_NAME_SIZE 64
#define TIMEZONE_DIRECTORY "/usr/share/zoneinfo"

struct timezone_rules;

/* "Europe/Berlin"; "" and "UTC" need no file. ERR_INVALID when it cannot be a zone's name,
 * ERR_NOT_FOUND when there is no such zone, ERR_CORRUPT when its file is not TZif 2 or later. */
MUST_CHECK bool timezone_load(struct timezone_rules **out, const char *name, struct err *e);
void timezone_close(struct timezone_rules *zone); /* NULL is fine */
OWN_DEFINE(timezone, struct timezone_rules, timezone_close)

/* Seconds to add to this UTC time (Unix seconds) for local time. Pure. */
int64_t timezone_offset_at(const struct timezone_rules *zone, int64_t utc_s);

/* The UTC time of a local one (its date and time counted as if it were UTC). Of one that comes
 * twice, the first; of one that is left out, that which the clocks show in its place: as much later
 * as they are put forward. Pure. */
int64_t timezone_utc_of(const struct timezone_rules *zone, int64_t local_s);

/* Takes a file's bytes instead; timezone_load does it for names. */
MUST_CHECK bool timezone_decode(struct timezone_rules **out, const void *bytes, size_t length,
                                struct err *e);
