/* What the launcher was told: flags and environment (lib/options.h). */
#pragma once

#include "lib/options.h"

struct settings {
    char state[3072];
    int64_t proven_after_ms;
    int64_t pause_ms;
    int64_t hung_after_ms; /* 0: never */
    char use[256];         /* "": run the agent */
    char log_format[8];
    char log_level[8];
    bool help;
    bool version;
};

extern const struct options launcher_options;
