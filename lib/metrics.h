/* Metrics in Prometheus text exposition format 0.0.4. A program has one table of families (static);
 * series appear on first use. Any thread, no locks on the hot path once a series exists. */
#pragma once

#include "lib/text.h"

#include <stddef.h>
#include <stdint.h>

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* Series of one family. The last place is kept for the one with every label "other", into which all
 * further labels fall. */
#define METRIC_MAX_SERIES 256
#define METRIC_MAX_LABELS 2

struct metric_series;

/* {.name = "grid_agents", .help = "By status.", .type = METRIC_GAUGE, .labels = {"status"}} */
struct metric {
    const char *name; /* grid_*, base units, counters end in _total */
    const char *help;
    enum metric_type type;
    const char *labels[METRIC_MAX_LABELS]; /* names, NULL when unused */
    const double *bounds;                  /* histogram: ascending upper bounds, without +Inf */
    size_t bound_count;
    struct metric_series *_Atomic series; /* private */
};

extern const double metric_seconds_bounds[]; /* 0.001 .. 10 s, for latencies */
extern const size_t metric_seconds_bound_count;

/* Values of the labels follow in order of the family's label names: exactly as many as it has, NULL
 * for the rest. Counters take no negative amounts; counters and gauges are added to and set,
 * histograms observe. */
void metric_add(struct metric *m, double amount, const char *label0, const char *label1);
void metric_set(struct metric *m, double value, const char *label0, const char *label1);
void metric_observe(struct metric *m, double value, const char *label0, const char *label1);

/* Appends the families with HELP and TYPE. Families without series print nothing but those two
 * lines. */
void metrics_render(struct metric *const *families, size_t count, struct text *out);

/* Frees the series, at the program's end. */
void metrics_fini(struct metric *const *families, size_t count);
