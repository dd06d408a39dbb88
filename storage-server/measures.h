/* What a node measures of itself (lib/metrics.h). Any thread. */
#pragma once

#include "lib/metrics.h"

extern struct metric measure_build_info; /* version */
extern struct metric measure_chunks;
extern struct metric measure_capacity_bytes;
extern struct metric measure_free_bytes;
extern struct metric measure_conditions;     /* reason */
extern struct metric measure_corrupt_chunks; /* found_by */
extern struct metric measure_io_errors;      /* operation */
extern struct metric measure_received_bytes;
extern struct metric measure_scrubbed_bytes;
extern struct metric measure_scrub_passes;
extern struct metric measure_http_seconds; /* route, status */
extern struct metric measure_http_sent_bytes;

/* All of them. */
extern struct metric *const measures[];
extern const size_t measure_count;

/* Before threads. */
void measures_setup(const char *version);
void measures_render(struct text *out);
void measures_fini(void);
