#include "storage-server/settings.h"

#include "lib/join.h"

#include <string.h>

#define FIELD(name) OPTION(struct settings, name)

static const struct option_entry entries[] = {
    {
     .flag = "data",
     .environment = {"STORAGE_ROOT"},
     .type = OPTION_STRING,
     .value_name = "DIR",
     .help = "where chunks are kept",
     FIELD(data),
     },
    {
     .flag = "host",
     .environment = {"STORAGE_HOST"},
     .type = OPTION_STRING,
     .initial = "127.0.0.1",
     .value_name = "ADDR",
     .help = "address to listen on; an address of this machine's loopback",
     FIELD(host),
     },
    {
     .flag = "port",
     .environment = {"STORAGE_PORT"},
     .type = OPTION_INT,
     .initial = "7100",
     .value_name = "PORT",
     .help = "port to listen on; 0 picks one and prints it",
     FIELD(port),
     },
    {
     .flag = "id",
     .environment = {"STORAGE_ID"},
     .type = OPTION_STRING,
     .initial = "node",
     .value_name = "ID",
     .help = "name of this node in its answers",
     FIELD(id),
     },
    {
     .environment = {"GRID_NODE_NONCE"},
     .type = OPTION_STRING,
     FIELD(nonce),
     },
    {
     .flag = "reserve-bytes",
     .environment = {"STORAGE_RESERVE_BYTES"},
     .type = OPTION_INT,
     .initial = "67108864",
     .value_name = "N",
     .help = "bytes of the file system that are never used",
     FIELD(reserve_bytes),
     },
    {
     .flag = "scrub-interval",
     .environment = {"STORAGE_SCRUB_INTERVAL"},
     .type = OPTION_DURATION,
     .initial = "30d",
     .value_name = "TIME",
     .help = "prove every chunk once in this time",
     FIELD(scrub_interval_ms),
     },
    {
     .flag = "scrub-rate-bps",
     .environment = {"STORAGE_SCRUB_RATE_BPS"},
     .type = OPTION_INT,
     .initial = "8388608",
     .value_name = "N",
     .help = "bytes a second to prove in the background; 0 proves none",
     FIELD(scrub_rate_bps),
     },
    {
     .flag = "drain-timeout",
     .environment = {"STORAGE_DRAIN_TIMEOUT"},
     .type = OPTION_DURATION,
     .initial = "8s",
     .value_name = "TIME",
     .help = "how long running requests may take to finish after SIGTERM",
     FIELD(drain_ms),
     },
    {
     .flag = "workers",
     .environment = {"STORAGE_WORKERS"},
     .type = OPTION_INT,
     .initial = "128",
     .value_name = "N",
     .help = "connections served at once",
     FIELD(workers),
     },
    {
     .flag = "log-level",
     .environment = {"GRID_LOG_LEVEL"},
     .type = OPTION_STRING,
     .initial = "info",
     .value_name = "debug|info|warn|error",
     .help = "least important lines that are written",
     FIELD(log_level),
     },
    {
     .flag = "log-format",
     .environment = {"GRID_LOG_FORMAT"},
     .type = OPTION_STRING,
     .initial = "text",
     .value_name = "text|json",
     .help = "form of the lines",
     FIELD(log_format),
     },
    {
     .flag = "help",
     .letter = 'h',
     .type = OPTION_BOOL,
     .help = "print this",
     FIELD(help),
     },
    {
     .flag = "version",
     .letter = 'V',
     .type = OPTION_BOOL,
     .help = "print the version",
     FIELD(version),
     },
};

const struct options node_options = {.entries = entries,
                                     .count = sizeof entries / sizeof entries[0]};

static bool check_range(const char *flag, int64_t value, int64_t minimum, int64_t maximum,
                        struct err *e) {
    return (value >= minimum && value <= maximum) ||
           err_set(e, ERR_USAGE, "--%s %lld: from %lld to %lld would do", flag, (long long)value,
                   (long long)minimum, (long long)maximum);
}

static bool check_place(const struct settings *s, struct err *e) {
    if (s->data[0] == '\0') {
        err_set(e, ERR_USAGE, "--data DIR is missing");
        return err_hint(e, "give an empty directory, or one of a node before");
    }
    if (join_is_loopback(s->host)) return true;
    err_set(
        e, ERR_USAGE,
        "--host %s: a node has no keys yet to tell friend from foe, so it listens on loopback only",
        s->host);
    return err_hint(e, "use 127.0.0.1, ::1 or localhost");
}

bool settings_check(const struct settings *s, struct err *e) {
    return check_place(s, e) && check_range("port", s->port, 0, 65535, e) &&
           check_range("reserve-bytes", s->reserve_bytes, 0, INT64_MAX / 2, e) &&
           check_range("scrub-interval", s->scrub_interval_ms, 0, INT64_MAX / 2, e) &&
           check_range("scrub-rate-bps", s->scrub_rate_bps, 0, INT64_C(1) << 40, e) &&
           check_range("drain-timeout", s->drain_ms, 0, INT64_C(3600) * 1000, e) &&
           check_range("workers", s->workers, 8, 4096, e);
}
