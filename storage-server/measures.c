#include "storage-server/measures.h"

struct metric measure_build_info = {
    .name = "grid_build_info",
    .help = "Version of this program; always 1.",
    .type = METRIC_GAUGE,
    .labels = {"version"},
};
struct metric measure_chunks = {
    .name = "grid_storage_chunks",
    .help = "Chunks this node holds.",
    .type = METRIC_GAUGE,
};
struct metric measure_capacity_bytes = {
    .name = "grid_storage_capacity_bytes",
    .help = "Size of the file system below the data directory.",
    .type = METRIC_GAUGE,
};
struct metric measure_free_bytes = {
    .name = "grid_storage_free_bytes",
    .help = "Bytes that may still be used: free space less the reserve.",
    .type = METRIC_GAUGE,
};
struct metric measure_conditions = {
    .name = "grid_storage_condition",
    .help = "1 for each reason that keeps this node from its full service.",
    .type = METRIC_GAUGE,
    .labels = {"reason"},
};
struct metric measure_corrupt_chunks = {
    .name = "grid_storage_corrupt_chunks_total",
    .help = "Damaged chunks put aside, by what found them.",
    .type = METRIC_COUNTER,
    .labels = {"found_by"},
};
struct metric measure_io_errors = {
    .name = "grid_storage_io_errors_total",
    .help = "Operations that the disk failed.",
    .type = METRIC_COUNTER,
    .labels = {"operation"},
};
struct metric measure_received_bytes = {
    .name = "grid_storage_received_bytes_total",
    .help = "Bytes of chunks taken in and acknowledged.",
    .type = METRIC_COUNTER,
};
struct metric measure_scrubbed_bytes = {
    .name = "grid_storage_scrubbed_bytes_total",
    .help = "Bytes of chunks proven in the background.",
    .type = METRIC_COUNTER,
};
struct metric measure_scrub_passes = {
    .name = "grid_storage_scrub_passes_total",
    .help = "Times every chunk was proven in the background.",
    .type = METRIC_COUNTER,
};
struct metric measure_http_seconds = {
    .name = "grid_http_request_duration_seconds",
    .help = "Time to answer, by route and class of status.",
    .type = METRIC_HISTOGRAM,
    .labels = {"route", "status"},
    .bounds = metric_seconds_bounds,
};
struct metric measure_http_sent_bytes = {
    .name = "grid_http_sent_bytes_total",
    .help = "Bytes of answers sent.",
    .type = METRIC_COUNTER,
};

struct metric *const measures[] = {
    &measure_build_info,   &measure_chunks,         &measure_capacity_bytes,
    &measure_free_bytes,   &measure_conditions,     &measure_corrupt_chunks,
    &measure_io_errors,    &measure_received_bytes, &measure_scrubbed_bytes,
    &measure_scrub_passes, &measure_http_seconds,   &measure_http_sent_bytes,
};
const size_t measure_count = sizeof measures / sizeof measures[0];

void measures_setup(const char *version) {
    measure_http_seconds.bound_count = metric_seconds_bound_count;
    metric_set(&measure_build_info, 1, version, NULL);
}

void measures_render(struct text *out) {
    metrics_render(measures, measure_count, out);
}

void measures_fini(void) {
    metrics_fini(measures, measure_count);
}
