/* Which tables there are: every program's manual and every program's metrics. */
#pragma once

#include "lib/manual.h"
#include "lib/metrics.h"

extern const struct manual *const manuals[];
extern const size_t manual_count;

struct metric_table {
    const char *program;
    const char *where; /* how to read them */
    struct metric *const *families;
    const size_t *count;
};
extern const struct metric_table metric_tables[];
extern const size_t metric_table_count;
