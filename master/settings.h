/* The master's settings, from flags, environment, configuration file and defaults. Set once before
 * threads start. */
#pragma once

#include "lib/options.h"

#include <limits.h>

struct settings {
    char state[PATH_MAX];
    char binaries[PATH_MAX];
    char http[300]; /* [ADDR:]PORT */
    char bus[300];
    char config[PATH_MAX];
    char log_format[8];
    char log_level[8];
    int64_t http_workers;
    int64_t max_agents;
    int64_t bus_connections; /* 0: no limit, as for the next */
    int64_t bus_connections_per_address;
    int64_t scan_interval_ms; /* full rescan of the drop box; changes are seen at once through
                                 inotify */
    int64_t heartbeat_ms;     /* how long a heartbeat is parked */
    int64_t suspect_ms;
    int64_t lost_ms;
    int64_t rollout_quiet_ms; /* after a start no rollout admits or fails anybody for so long */
    int64_t tuf_timestamp_life_ms, tuf_snapshot_life_ms, tuf_targets_life_ms, tuf_root_life_ms;
    char require_signature[8]; /* auto, on, off */
    bool public_downloads;
    bool approve_agents; /* joining agents wait for `gridctl agent approve` */
    bool insecure;
    char *host_names; /* lines; of the console, besides addresses, localhost and tls_names */
    bool core_dumps;
    char tls[8];                    /* auto, on, off */
    char tls_certificate[PATH_MAX]; /* "" : by the own CA */
    char tls_key[PATH_MAX];
    char *tls_names; /* lines; NULL: none */
    char client_ca[PATH_MAX];
    bool require_client_certificate;
    bool help;
    bool version;
};

extern const struct options master_options;
