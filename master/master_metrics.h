/* Every metric of the master in one table. Any thread. */
#pragma once

#include "lib/metrics.h"
#include "lib/text.h"

struct master;

extern struct metric metric_http_seconds; /* route, status class */
extern struct metric metric_http_sent_bytes;
extern struct metric metric_db_commit_seconds;

/* All of them. */
extern struct metric *const master_metrics[];
extern const size_t master_metric_count;

/* Once, before the first observation. */
void master_metrics_setup(void);

/* Sets the gauges from the state as it is and appends the exposition. */
void master_metrics_render(const struct master *m, struct text *out);
void master_metrics_fini(void);

/* http_server_options.finished. */
void master_metrics_request(void *master, const char *method, const char *route, int status,
                            double seconds, int64_t sent_bytes);
