#include "master/api_system.h"

#include "lib/clock.h"
#include "lib/embed.h"
#include "master/master.h"
#include "master/master_metrics.h"

#include <stdio.h>
#include <string.h>

EMBED_DECLARE(master_openapi)

struct agents_count {
    int64_t pending, up, suspect, lost, revoked;
};
static const struct json_field agents_count_fields[] = {
    J(JSON_INT, struct agents_count, pending, 0), J(JSON_INT, struct agents_count, up, 0),
    J(JSON_INT, struct agents_count, suspect, 0), J(JSON_INT, struct agents_count, lost, 0),
    J(JSON_INT, struct agents_count, revoked, 0),
};
static const struct json_schema agents_count_schema =
    JSON_SCHEMA(struct agents_count, agents_count_fields);

struct nodes_count {
    int64_t starting, healthy, unhealthy, backoff, stopped, draining;
};
static const struct json_field nodes_count_fields[] = {
    J(JSON_INT, struct nodes_count, starting, 0),  J(JSON_INT, struct nodes_count, healthy, 0),
    J(JSON_INT, struct nodes_count, unhealthy, 0), J(JSON_INT, struct nodes_count, backoff, 0),
    J(JSON_INT, struct nodes_count, stopped, 0),   J(JSON_INT, struct nodes_count, draining, 0),
};
static const struct json_schema nodes_count_schema =
    JSON_SCHEMA(struct nodes_count, nodes_count_fields);

struct version_share {
    char version[SEMVER_SIZE];
    int64_t agents;
};
static const struct json_field version_share_fields[] = {
    J(JSON_STRING, struct version_share, version, 0),
    J(JSON_INT, struct version_share, agents, 0),
};
static const struct json_schema version_share_schema =
    JSON_SCHEMA(struct version_share, version_share_fields);

struct channel_pointer {
    char name[CHANNEL_NAME_SIZE];
    char artifact[ARTIFACT_NAME_SIZE];
    char version[SEMVER_SIZE];
};
static const struct json_field channel_pointer_fields[] = {
    J(JSON_STRING, struct channel_pointer, name, 0),
    J(JSON_STRING, struct channel_pointer, artifact, 0),
    J(JSON_STRING, struct channel_pointer, version, 0),
};
static const struct json_schema channel_pointer_schema =
    JSON_SCHEMA(struct channel_pointer, channel_pointer_fields);

struct summary {
    char version[SEMVER_SIZE];
    char grid_id[33];
    char started_at[CLOCK_RFC3339_SIZE];
    int64_t uptime_s;
    char http_url[320], bus_address[320];
    struct agents_count agents;
    struct nodes_count nodes;
    struct version_share *versions;
    size_t versions_count;
    int64_t failed_updates, binaries, rejected;
    struct channel_pointer *channels;
    size_t channels_count;
    int64_t capacity_bytes, free_bytes, last_event;
};
static const struct json_field summary_fields[] = {
    J(JSON_STRING, struct summary, version, 0),
    J(JSON_STRING, struct summary, grid_id, 0),
    J(JSON_STRING, struct summary, started_at, 0),
    J(JSON_INT, struct summary, uptime_s, 0),
    J(JSON_STRING, struct summary, http_url, 0),
    J(JSON_STRING, struct summary, bus_address, 0),
    J_SUB(struct summary, agents, &agents_count_schema, 0),
    J_SUB(struct summary, nodes, &nodes_count_schema, 0),
    J_LIST(struct summary, versions, &version_share_schema, 0),
    J(JSON_INT, struct summary, failed_updates, 0),
    J(JSON_INT, struct summary, binaries, 0),
    J(JSON_INT, struct summary, rejected, 0),
    J_LIST(struct summary, channels, &channel_pointer_schema, 0),
    J(JSON_INT, struct summary, capacity_bytes, 0),
    J(JSON_INT, struct summary, free_bytes, 0),
    J(JSON_INT, struct summary, last_event, 0),
};
static const struct json_schema summary_schema = JSON_SCHEMA(struct summary, summary_fields);

static void fill_agents(const struct master *m, const char *scope, struct summary *s) {
    struct agents_summary now;
    agents_summarize(m->agents, scope, &now);
    s->agents = (struct agents_count){.pending = now.status[AGENT_PENDING],
                                      .up = now.status[AGENT_UP],
                                      .suspect = now.status[AGENT_SUSPECT],
                                      .lost = now.status[AGENT_LOST],
                                      .revoked = now.status[AGENT_REVOKED]};
    s->nodes = (struct nodes_count){.starting = now.node_state[0],
                                    .healthy = now.node_state[1],
                                    .unhealthy = now.node_state[2],
                                    .backoff = now.node_state[3],
                                    .stopped = now.node_state[4],
                                    .draining = now.node_state[5]};
    s->versions = memory_zeroed(now.version_count + 1, sizeof *s->versions);
    for (size_t i = 0; i < now.version_count; i++) {
        memcpy(s->versions[i].version, now.versions[i].version, sizeof s->versions[i].version);
        s->versions[i].agents = now.versions[i].agents;
    }
    s->versions_count = now.version_count;
    s->failed_updates = now.failed_updates;
    s->capacity_bytes = now.capacity_bytes;
    s->free_bytes = now.free_bytes;
}

static bool fill_catalog(const struct master *m, struct summary *s, struct err *e) {
    struct binary *binaries = NULL;
    struct channel *channels = NULL;
    struct rejected *rejected = NULL;
    size_t binary_count = 0, channel_count = 0, rejected_count = 0;
    if (!catalog_list(m->catalog, NULL, NULL, NULL, NULL, &binaries, &binary_count, e))
        return false;
    free(binaries);
    if (!channels_list(m->db, &channels, &channel_count, e)) return false;
    s->channels = memory_zeroed(channel_count + 1, sizeof *s->channels);
    for (size_t i = 0; i < channel_count; i++) {
        memcpy(s->channels[i].name, channels[i].name, sizeof s->channels[i].name);
        memcpy(s->channels[i].artifact, channels[i].artifact, sizeof s->channels[i].artifact);
        memcpy(s->channels[i].version, channels[i].version, sizeof s->channels[i].version);
    }
    s->channels_count = channel_count;
    free(channels);
    intake_rejected(m->intake, &rejected, &rejected_count);
    free(rejected);
    s->binaries = (int64_t)binary_count;
    s->rejected = (int64_t)rejected_count;
    return true;
}

void api_summary(struct http_request *r) {
    static const char *const nothing[] = {NULL};
    const struct master *m = master_of(r);
    struct summary s = {.uptime_s = (clock_monotonic_ms() - m->started_ms) / 1000,
                        .last_event = events_last_seq(m->events)};
    OWN_TEXT struct text json = TEXT_EMPTY;
    struct err e;
    snprintf(s.version, sizeof s.version, "%s", GRID_VERSION);
    memcpy(s.grid_id, m->grid_id, sizeof s.grid_id);
    clock_rfc3339(m->started_at_ms, s.started_at);
    snprintf(s.http_url, sizeof s.http_url, "%s", m->http_url);
    snprintf(s.bus_address, sizeof s.bus_address, "%s", m->bus_address);
    fill_agents(m, http_scope(r), &s);
    if (http_query_only(r, nothing, &e) && fill_catalog(m, &s, &e)) {
        json_encode(&summary_schema, &s, &json);
        http_reply_json(r, 200, text_value(&json), json.length);
    } else {
        http_reply_err(r, &e);
    }
    json_clear(&summary_schema, &s);
}

/* For who has a scope there may be pages of what is not shown, which must not look like the end. */
static bool list_events(struct http_request *r, int64_t since, int64_t limit, struct event **list,
                        size_t *count, struct err *e) {
    const struct master *m = master_of(r);
    const char *scope = http_scope(r);
    int64_t first = 0;
    for (;;) {
        if (!events_list(m->events, since, http_query(r, "kind"), http_query(r, "subject"), limit,
                         list, count, &first, e))
            return false;
        bool last = since < 0 || (int64_t)*count < limit;
        if (*count > 0) since = (*list)[*count - 1].seq;
        if (scope[0] != '\0') events_keep_within(*list, count, m->agents, scope);
        if (last || *count > 0) return true;
        free(*list);
    }
}

void api_events_list(struct http_request *r) {
    static const char *const allowed[] = {"since", "limit", "kind", "subject", NULL};
    struct event *list = NULL;
    size_t count = 0;
    int64_t since = -1, limit = 100;
    OWN_TEXT struct text json = TEXT_EMPTY;
    struct err e;
    if (!http_query_only(r, allowed, &e) ||
        !http_query_int(r, "since", 0, INT64_MAX, -1, &since, &e) ||
        !http_query_int(r, "limit", 1, EVENT_LIST_MAX, 100, &limit, &e) ||
        !list_events(r, since, limit, &list, &count, &e)) {
        http_reply_err(r, &e);
        return;
    }
    json_encode_list(&event_schema, list, count, &json);
    json_clear_list(&event_schema, list, count);
    http_reply_json(r, 200, text_value(&json), json.length);
}

void api_healthz(struct http_request *r) {
    http_reply_json(r, 200, "{\"status\":\"ok\"}", strlen("{\"status\":\"ok\"}"));
}

struct readiness {
    char status[16];
    char *reasons;
};
static const struct json_field readiness_fields[] = {
    J(JSON_STRING, struct readiness, status, 0),
    J(JSON_STRINGS, struct readiness, reasons, 0),
};
static const struct json_schema readiness_schema = JSON_SCHEMA(struct readiness, readiness_fields);

static bool write_nothing(struct db_connection *c, void *argument, struct err *e) {
    (void)argument;
    return db_exec(c, Q_META_SET, e, "ss", "checked_at", "");
}

static void add_reason(struct text *reasons, const char *reason) {
    text_add_format(reasons, "%s%s", reasons->length > 0 ? "\n" : "", reason);
}

void api_readyz(struct http_request *r) {
    const struct master *m = master_of(r);
    OWN_TEXT struct text reasons = TEXT_EMPTY;
    OWN_TEXT struct text json = TEXT_EMPTY;
    struct err e;
    if (!db_write(m->db, write_nothing, NULL, &e)) add_reason(&reasons, e.text);
    if (!intake_scanned_once(m->intake))
        add_reason(&reasons, "the drop box was not looked through yet");
    struct readiness state = {.reasons = reasons.data};
    bool ready = reasons.length == 0;
    snprintf(state.status, sizeof state.status, "%s", ready ? "ok" : "failing");
    json_encode(&readiness_schema, &state, &json);
    http_reply_json(r, ready ? 200 : 503, text_value(&json), json.length);
}

void api_metrics(struct http_request *r) {
    OWN_TEXT struct text words = TEXT_EMPTY;
    master_metrics_render(master_of(r), &words);
    http_reply_text(r, 200, "text/plain; version=0.0.4; charset=utf-8", text_value(&words),
                    words.length);
}

void api_ca(struct http_request *r) {
    const struct master *m = master_of(r);
    if (m->certificates == NULL) {
        struct err e;
        err_set(&e, ERR_NOT_FOUND, "this master speaks no TLS, so there is no CA");
        http_reply_err(r, &e);
        return;
    }
    const char *pem = certificates_ca_pem(m->certificates);
    http_reply_header(r, "Cache-Control", "no-cache");
    http_reply_text(r, 200, "application/x-pem-file", pem, strlen(pem));
}

void api_openapi(struct http_request *r) {
    const struct embedded_file *file = &master_openapi_files[0];
    http_reply_text(r, 200, "application/yaml", file->data, file->size);
}

/* Until the console is there, a page that tells a person in a browser what this is and what to
 * type. */
void api_index(struct http_request *r) {
    static const char page[] = "<!doctype html><html lang=en><meta charset=utf-8><meta "
                               "name=viewport content='width=device-width'>"
                               "<title>grid</title><h1>This is a grid master</h1>"
                               "<p>See the machines: <code>gridctl status</code></p>"
                               "<p>Add one: <code>gridctl agent join-command</code></p>"
                               "<p><a href=/api/binaries>Binaries</a> <a href=/healthz>Health</a> "
                               "<a href=/metrics>Metrics</a></p>";
    http_reply_text(r, 200, "text/html; charset=utf-8", page, strlen(page));
}
