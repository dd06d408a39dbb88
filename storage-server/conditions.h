/* What keeps a node from its full service, as bits, and what follows from them. Pure.
 *
 *   condition     reasons                 status    writes  deletes  reads  ends
 *   disk full     disk_full read_only     degraded  507     yes      yes    when space is back
 *   read error    io_error                degraded  yes     yes      yes    with the program
 *   write error   io_error read_only      failing   503     503      yes    with the program
 *   data missing  data_missing read_only  failing   503     503      some   when it is back
 *   draining      draining                degraded  503     503      yes    with the program
 *
 * Without its data directory a node gives what it still finds, and 503 instead of 404 for the rest;
 * a restart begins with an empty directory. */
#pragma once

#include "lib/err.h"
#include "lib/text.h"

#include <stdint.h>

enum {
    CONDITION_DISK_FULL = 1,
    CONDITION_READ_ERROR = 2,
    /* A write or a flush failed: never tried again, what is on the disk is unknown. */
    CONDITION_WRITE_ERROR = 4,
    CONDITION_DRAINING = 8,
    /* The data directory was moved, deleted or covered: what would be written there, nobody finds.
     */
    CONDITION_DATA_MISSING = 16,
};

const char *conditions_status(unsigned conditions); /* "ok", "degraded", "failing" */

/* The reasons there are, and whether they hold; false past the last. */
bool conditions_reason(unsigned conditions, size_t index, const char **reason, bool *holds);

/* Appends the reasons that hold, one a line. */
void conditions_reasons(unsigned conditions, struct text *lines);

/* ERR_NO_SPACE or ERR_UNAVAILABLE with words and a hint for the client. */
MUST_CHECK bool conditions_allow_write(unsigned conditions, struct err *e);
MUST_CHECK bool conditions_allow_delete(unsigned conditions, struct err *e);

/* Of a chunk that is not there: ERR_UNAVAILABLE while it may be where the directory is. */
MUST_CHECK bool conditions_allow_absence(unsigned conditions, struct err *e);

/* Room on the disk. A write is refused when it would leave less than the reserve. Only a refusal
 * that even a chunk of usual size would have met makes the node full, and it stays so until that
 * much fits again: a single large chunk closes nothing. */
#define SPACE_USUAL_BYTES (INT64_C(4) * 1024 * 1024 + 4096)
bool space_fits(int64_t free_bytes, int64_t reserve_bytes, int64_t wanted_bytes);
int64_t space_needed_again(int64_t refused_bytes);
