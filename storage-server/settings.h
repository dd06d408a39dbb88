/* The node's settings, from flags, environment and defaults. Set once before threads start. */
#pragma once

#include "lib/options.h"

#include <limits.h>

struct settings {
    char data[PATH_MAX];
    char host[256];
    char id[128];
    char nonce[128]; /* from the environment only */
    char log_level[8];
    char log_format[8];
    int64_t port;
    int64_t reserve_bytes;
    int64_t scrub_interval_ms;
    int64_t scrub_rate_bps;
    int64_t drain_ms;
    int64_t workers;
    bool help;
    bool version;
};

extern const struct options node_options;

/* What no type tells: ranges, a host that is this machine. ERR_USAGE says what would do. */
MUST_CHECK bool settings_check(const struct settings *s, struct err *e);
