#include "master/master_metrics.h"

#include "master/master.h"
#include "master/quarantine.h"

#include <stdio.h>

struct metric metric_http_seconds = {
    .name = "grid_http_request_duration_seconds",
    .help = "Time to answer HTTP requests by route and status class.",
    .type = METRIC_HISTOGRAM,
    .labels = {"route", "status"},
    .bounds = metric_seconds_bounds
};
struct metric metric_http_sent_bytes = {.name = "grid_http_sent_bytes_total",
                                        .help = "Bytes of HTTP answers sent.",
                                        .type = METRIC_COUNTER};
struct metric metric_db_commit_seconds = {.name = "grid_db_commit_duration_seconds",
                                          .help = "Time of a group's commit, disk flush included.",
                                          .type = METRIC_HISTOGRAM,
                                          .bounds = metric_seconds_bounds};
static struct metric agents = {.name = "grid_agents",
                               .help = "Agents by status: pending, up, suspect, lost, revoked.",
                               .type = METRIC_GAUGE,
                               .labels = {"status"}};
static struct metric distrusting = {
    .name = "grid_agents_distrusting",
    .help = "Agents that believe no new metadata of builds, because somebody tries something.",
    .type = METRIC_GAUGE};
static struct metric nodes = {.name = "grid_nodes",
                              .help = "Nodes of agents that are up or suspect, by state: starting, "
                                      "healthy, unhealthy, backoff, stopped, draining.",
                              .type = METRIC_GAUGE,
                              .labels = {"state"}};
static struct metric binaries = {
    .name = "grid_binaries", .help = "Published binaries.", .type = METRIC_GAUGE};
static struct metric heartbeats = {.name = "grid_heartbeats_total",
                                   .help = "Heartbeats taken from agents.",
                                   .type = METRIC_COUNTER};
static struct metric parked = {.name = "grid_heartbeats_parked",
                               .help = "Heartbeats waiting for news or the end of their interval.",
                               .type = METRIC_GAUGE};
static struct metric connections = {.name = "grid_bus_connections",
                                    .help = "Connections of agents that are open.",
                                    .type = METRIC_GAUGE};
static struct metric refused = {
    .name = "grid_bus_connections_refused_total",
    .help = "Connections closed at once, by the limit they met: total, address.",
    .type = METRIC_COUNTER,
    .labels = {"limit"}};
static struct metric rollouts = {.name = "grid_rollouts",
                                 .help = "Active rollouts by state: draft, prefetch, canary, "
                                         "await_promote, rolling, paused, reverting.",
                                 .type = METRIC_GAUGE,
                                 .labels = {"state"}};
static struct metric rollout_agents = {
    .name = "grid_rollout_agents",
    .help = "Agents of active rollouts by phase: waiting, deferred, excluded, granted, committed, "
            "failed, held, leaving, returning, returned, return_failed.",
    .type = METRIC_GAUGE,
    .labels = {"phase"}};
static struct metric rollout_steps = {.name = "grid_rollout_steps_total",
                                      .help = "Steps of rollouts that were written.",
                                      .type = METRIC_COUNTER};
static struct metric quarantined = {.name = "grid_quarantined_digests",
                                    .help = "Digests that failed and are not chosen any more.",
                                    .type = METRIC_GAUGE};
static struct metric tuf_expires = {
    .name = "grid_tuf_expires_timestamp_seconds",
    .help = "When the newest metadata expire, in Unix seconds, by role: root, targets, snapshot, "
            "timestamp.",
    .type = METRIC_GAUGE,
    .labels = {"role"}};
static struct metric tls_expires = {
    .name = "grid_tls_expires_timestamp_seconds",
    .help = "When the certificate that HTTPS shows expires, in Unix seconds; absent without TLS.",
    .type = METRIC_GAUGE};
static struct metric binaries_held = {
    .name = "grid_binaries_held", .help = "Files that wait for an approval.", .type = METRIC_GAUGE};
static struct metric build_info = {.name = "grid_build_info",
                                   .help = "Always 1; the label tells the version.",
                                   .type = METRIC_GAUGE,
                                   .labels = {"version"}};

struct metric *const master_metrics[] = {&metric_http_seconds,
                                         &metric_http_sent_bytes,
                                         &metric_db_commit_seconds,
                                         &agents,
                                         &distrusting,
                                         &nodes,
                                         &binaries,
                                         &heartbeats,
                                         &parked,
                                         &connections,
                                         &refused,
                                         &rollouts,
                                         &rollout_agents,
                                         &rollout_steps,
                                         &quarantined,
                                         &tuf_expires,
                                         &tls_expires,
                                         &binaries_held,
                                         &build_info};
const size_t master_metric_count = sizeof master_metrics / sizeof master_metrics[0];

void master_metrics_setup(void) {
    metric_http_seconds.bound_count = metric_seconds_bound_count;
    metric_db_commit_seconds.bound_count = metric_seconds_bound_count;
}

static void set_connections(const struct master *m) {
    struct bus_connections c;
    bus_server_connections(m->bus, &c);
    metric_set(&connections, (double)c.open, NULL, NULL);
    metric_set(&refused, (double)c.refused_total, "total", NULL);
    metric_set(&refused, (double)c.refused_per_address, "address", NULL);
}

static void set_rollouts(const struct master *m) {
    struct rollouts_summary s;
    OWN_MEMORY struct quarantined *list = NULL;
    size_t count = 0;
    struct err e;
    rollouts_summarize(m->rollouts, &s);
    for (unsigned i = 0; i < ROLLOUT_STATE_COUNT; i++)
        if (rollout_is_active(i))
            metric_set(&rollouts, (double)s.states[i], rollout_state_name(i), NULL);
    for (unsigned i = 0; i < MEMBER_STATE_COUNT; i++)
        metric_set(&rollout_agents, (double)s.members[i], rollout_member_state_name(i), NULL);
    metric_set(&rollout_steps, (double)s.steps, NULL, NULL);
    if (quarantine_list(m->db, &list, &count, &e))
        metric_set(&quarantined, (double)count, NULL, NULL);
}

static double whole_seconds(int64_t ms) {
    int64_t seconds = ms / 1000;
    return (double)seconds;
}

static void set_trust(const struct master *m) {
    struct repo_status status;
    int64_t held = 0;
    struct err e;
    repo_status(m->repo, &status);
    for (int i = 0; i < TUF_ROLE_COUNT; i++)
        metric_set(&tuf_expires, whole_seconds(status.headings[i].expires_ms),
                   tuf_role_name((enum tuf_role_kind)i), NULL);
    if (m->certificates != NULL)
        metric_set(&tls_expires, whole_seconds(certificates_http_expires_ms(m->certificates)), NULL,
                   NULL);
    if (held_count(m->db, &held, &e)) metric_set(&binaries_held, (double)held, NULL, NULL);
}

void master_metrics_render(const struct master *m, struct text *out) {
    struct agents_summary s;
    struct binary *list = NULL;
    size_t count = 0;
    struct err e;
    agents_summarize(m->agents, "", &s);
    for (int i = 0; i < AGENT_STATUS_COUNT; i++)
        metric_set(&agents, (double)s.status[i], agent_status_name((enum agent_status)i), NULL);
    metric_set(&distrusting, (double)s.distrusting, NULL, NULL);
    for (int i = 0; i < AGENTS_NODE_STATES; i++)
        metric_set(&nodes, (double)s.node_state[i], agents_node_states[i], NULL);
    if (catalog_list(m->catalog, NULL, NULL, NULL, NULL, &list, &count, &e))
        metric_set(&binaries, (double)count, NULL, NULL);
    free(list);
    metric_set(&heartbeats, (double)inbox_heartbeats(m->inbox), NULL, NULL);
    metric_set(&parked, (double)inbox_parked(m->inbox), NULL, NULL);
    set_connections(m);
    set_rollouts(m);
    set_trust(m);
    metric_set(&build_info, 1, GRID_VERSION, NULL);
    metrics_render(master_metrics, master_metric_count, out);
}

void master_metrics_fini(void) {
    metrics_fini(master_metrics, master_metric_count);
}

void master_metrics_request(void *master, const char *method, const char *route, int status,
                            double seconds, int64_t sent_bytes) {
    static const char *const classes[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
    (void)master, (void)method;
    const char *class = status >= 100 && status < 600 ? classes[status / 100 - 1] : "other";
    metric_observe(&metric_http_seconds, seconds, route, class);
    metric_add(&metric_http_sent_bytes, (double)sent_bytes, NULL, NULL);
}
