/* Maintenance windows. Pure, but that zones are read from the machine's zone files. */
#pragma once

#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* [{"days":"mon-fri","from":"22:00","to":"04:00","tz":"Europe/Berlin"}]: on these days from `from`
 * on, until `to`, which is the next day's when it is not later. */
struct rollout_window {
    char days[32]; /* "mon-fri", "sat,sun", "daily" */
    char from[8];
    char to[8];
    char tz[64]; /* IANA name; "" : UTC */
};

/* ERR_INVALID naming what is wrong with its words; whether the zone exists is another question. */
MUST_CHECK bool rollout_window_check(const struct rollout_window *window, struct err *e);
/* ERR_INVALID when this machine has no zone of that name. */
MUST_CHECK bool rollout_window_check_zone(const struct rollout_window *window, struct err *e);

/* As rollout_window_open of master/rollout_request.h. */
MUST_CHECK bool rollout_windows_at(const struct rollout_window *windows, size_t count,
                                   int64_t now_wall_ms, bool *open, int64_t *next_change_ms,
                                   struct err *e);
