#include "master/view_agent.h"

#include "lib/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct exit_json {
    char kind[12];
    int64_t value;
    char at[CLOCK_RFC3339_SIZE];
    char *log_tail;
};
static const struct json_field exit_fields[] = {
    J(JSON_STRING, struct exit_json, kind, 0),
    J(JSON_INT, struct exit_json, value, 0),
    J(JSON_STRING, struct exit_json, at, 0),
    J(JSON_TEXT, struct exit_json, log_tail, JSON_OMIT_EMPTY),
};
static const struct json_schema exit_schema = JSON_SCHEMA(struct exit_json, exit_fields);

/* Every key is there, unlike on the bus, so that scripts need not ask first. */
static const struct json_field update_fields[] = {
    J(JSON_STRING, struct wire_update, state, 0),
    J(JSON_STRING, struct wire_update, from, 0),
    J(JSON_STRING, struct wire_update, to, 0),
    J(JSON_INT, struct wire_update, attempt, 0),
    J(JSON_INT, struct wire_update, done_bytes, 0),
    J(JSON_INT, struct wire_update, total_bytes, 0),
    J(JSON_STRING, struct wire_update, code, 0),
    J(JSON_STRING, struct wire_update, cause, 0),
    J(JSON_TEXT, struct wire_update, reason, 0),
    J(JSON_STRING, struct wire_update, rollout, 0),
    J(JSON_INT, struct wire_update, rollout_attempt, 0),
    J(JSON_TEXT, struct wire_update, diagnosis, 0),
};
static const struct json_schema update_schema = JSON_SCHEMA(struct wire_update, update_fields);

static const struct json_field staging_fields[] = {
    J(JSON_STRING, struct wire_staging, state, 0),
    J(JSON_STRING, struct wire_staging, sha256, 0),
    J(JSON_INT, struct wire_staging, done_bytes, 0),
    J(JSON_INT, struct wire_staging, total_bytes, 0),
    J(JSON_STRING, struct wire_staging, code, 0),
    J(JSON_STRING, struct wire_staging, cause, 0),
    J(JSON_TEXT, struct wire_staging, reason, 0),
};
static const struct json_schema staging_schema = JSON_SCHEMA(struct wire_staging, staging_fields);

static const struct json_field trust_fields[] = {
    J(JSON_INT, struct wire_trust, root, 0),      J(JSON_INT, struct wire_trust, targets, 0),
    J(JSON_INT, struct wire_trust, timestamp, 0), J(JSON_TEXT, struct wire_trust, attack, 0),
    J(JSON_TEXT, struct wire_trust, reason, 0),
};
static const struct json_schema trust_schema = JSON_SCHEMA(struct wire_trust, trust_fields);

/* Strings point into what is shown; nothing here is owned, so nothing is cleared. */
struct node_json {
    char id[WIRE_NODE_ID_SIZE];
    char agent_id[WIRE_AGENT_ID_SIZE];
    char host[BUS_ADDRESS_SIZE];
    char state[16];
    char version[SEMVER_SIZE];
    char sha256[SHA256_HEX_SIZE];
    int64_t pid, port;
    char started_at[CLOCK_RFC3339_SIZE];
    int64_t restarts;
    char *last_exit; /* raw JSON, NULL when it never ended */
    int64_t capacity_bytes, free_bytes;
    char *reasons;
};
static const struct json_field node_fields[] = {
    J(JSON_STRING, struct node_json, id, 0),
    J(JSON_STRING, struct node_json, agent_id, 0),
    J(JSON_STRING, struct node_json, host, 0),
    J(JSON_STRING, struct node_json, state, 0),
    J(JSON_STRING, struct node_json, version, 0),
    J(JSON_STRING, struct node_json, sha256, 0),
    J(JSON_INT, struct node_json, pid, 0),
    J(JSON_INT, struct node_json, port, 0),
    J(JSON_STRING, struct node_json, started_at, 0),
    J(JSON_INT, struct node_json, restarts, 0),
    J(JSON_RAW, struct node_json, last_exit, 0),
    J(JSON_INT, struct node_json, capacity_bytes, 0),
    J(JSON_INT, struct node_json, free_bytes, 0),
    J(JSON_STRINGS, struct node_json, reasons, 0),
};
static const struct json_schema node_schema = JSON_SCHEMA(struct node_json, node_fields);

struct agent_json {
    char id[WIRE_AGENT_ID_SIZE];
    char status[16];
    char mode[16];
    char version[SEMVER_SIZE];
    char desired_version[SEMVER_SIZE];
    char desired_reason[256];
    struct wire_update update;
    struct wire_staging staging;
    char reason[256];
    char platform[PLATFORM_SIZE], arch[PLATFORM_SIZE];
    char *labels, *assigned_labels;
    char channel[CHANNEL_NAME_SIZE];
    char pin[SEMVER_SIZE];
    char conflict[256];
    char rollout[WIRE_ROLLOUT_ID_SIZE];
    char address[BUS_ADDRESS_SIZE];
    char agent_version[SEMVER_SIZE];
    struct wire_update agent_update;
    struct wire_trust trust;
    char binary_path[256];
    char *sandbox;
    int64_t generation, free_bytes, clock_offset_ms;
    char enrolled_at[CLOCK_RFC3339_SIZE], last_seen_at[CLOCK_RFC3339_SIZE];
    char *nodes; /* raw JSON */
};
static const struct json_field agent_fields[] = {
    J(JSON_STRING, struct agent_json, id, 0),
    J(JSON_STRING, struct agent_json, status, 0),
    J(JSON_STRING, struct agent_json, mode, 0),
    J(JSON_STRING, struct agent_json, version, 0),
    J(JSON_STRING, struct agent_json, desired_version, 0),
    J(JSON_STRING, struct agent_json, desired_reason, 0),
    J_SUB(struct agent_json, update, &update_schema, 0),
    J_SUB(struct agent_json, staging, &staging_schema, 0),
    J(JSON_STRING, struct agent_json, reason, 0),
    J(JSON_STRING, struct agent_json, platform, 0),
    J(JSON_STRING, struct agent_json, arch, 0),
    J(JSON_LABELS, struct agent_json, labels, 0),
    J(JSON_LABELS, struct agent_json, assigned_labels, 0),
    J(JSON_STRING, struct agent_json, channel, 0),
    J(JSON_STRING, struct agent_json, pin, 0),
    J(JSON_STRING, struct agent_json, conflict, 0),
    J(JSON_STRING, struct agent_json, rollout, 0),
    J(JSON_STRING, struct agent_json, address, 0),
    J(JSON_STRING, struct agent_json, agent_version, 0),
    J_SUB(struct agent_json, agent_update, &update_schema, 0),
    J_SUB(struct agent_json, trust, &trust_schema, 0),
    J(JSON_STRING, struct agent_json, binary_path, 0),
    J(JSON_STRINGS, struct agent_json, sandbox, 0),
    J(JSON_INT, struct agent_json, generation, 0),
    J(JSON_INT, struct agent_json, free_bytes, 0),
    J(JSON_INT, struct agent_json, clock_offset_ms, 0),
    J(JSON_STRING, struct agent_json, enrolled_at, 0),
    J(JSON_STRING, struct agent_json, last_seen_at, JSON_OMIT_EMPTY),
    J(JSON_RAW, struct agent_json, nodes, 0),
};
static const struct json_schema agent_schema = JSON_SCHEMA(struct agent_json, agent_fields);

#define COPY(target, source) text_cut((target), sizeof(target), (source))

const char *view_node_state(const struct agent_view *v, const struct wire_node *n) {
    bool draining = strcmp(v->mode, "draining") == 0 && strcmp(n->state, "healthy") == 0;
    return draining ? "draining" : n->state;
}

static void encode_exit(const struct wire_exit *last, struct text *out) {
    struct exit_json j = {.value = last->value, .log_tail = last->log_tail};
    COPY(j.kind, last->kind);
    clock_rfc3339(last->at_ms, j.at);
    json_encode(&exit_schema, &j, out);
}

void view_node(const struct agent_view *v, const struct wire_node *n, struct text *out) {
    OWN_TEXT struct text last_exit = TEXT_EMPTY;
    struct node_json j = {.pid = n->pid,
                          .port = n->port,
                          .restarts = n->restarts,
                          .capacity_bytes = n->capacity_bytes,
                          .free_bytes = n->free_bytes,
                          .reasons = n->reasons};
    COPY(j.id, n->id);
    COPY(j.agent_id, v->id);
    COPY(j.host, v->address);
    COPY(j.state, view_node_state(v, n));
    COPY(j.version, n->version);
    COPY(j.sha256, n->sha256);
    clock_rfc3339(n->started_at_ms, j.started_at);
    if (n->last_exit.kind[0] != '\0') {
        encode_exit(&n->last_exit, &last_exit);
        j.last_exit = last_exit.data;
    }
    json_encode(&node_schema, &j, out);
}

static void encode_nodes(const struct agent_view *v, struct text *out) {
    text_add(out, "[");
    for (size_t i = 0; i < v->report.nodes_count; i++) {
        if (i > 0) text_add(out, ",");
        view_node(v, &v->report.nodes[i], out);
    }
    text_add(out, "]");
}

bool view_distrusts(const struct wire_trust *t) {
    return t->attack != NULL && t->attack[0] != '\0';
}

void view_distrust(const struct wire_trust *t, char *out, size_t size) {
    snprintf(out, size, "it believes no new metadata (%.20s): %s", t->attack,
             t->reason != NULL ? t->reason : "");
}

void view_agent_reason(const struct agent_view *v, char *out, size_t size) {
    const struct wire_update *u = &v->report.update;
    if (v->status == AGENT_PENDING)
        snprintf(out, size, "waits for approval: gridctl agent approve %s", v->id);
    else if (v->status == AGENT_REVOKED)
        snprintf(out, size, "was revoked");
    else if (v->last_seen_at_ms == 0)
        snprintf(out, size, "has not reported yet");
    else if (v->stopped)
        snprintf(out, size, "was stopped");
    else if (v->status != AGENT_UP)
        snprintf(out, size, "has not reported for a while");
    else if (v->conflict != NULL)
        snprintf(out, size, "%.120s: gridctl agent approve %s once one of them is gone",
                 v->conflict, v->id);
    else if (text_or_empty(u->reason)[0] != '\0')
        snprintf(out, size, "%s", u->reason);
    else if (view_distrusts(&v->report.trust))
        view_distrust(&v->report.trust, out, size);
    else if (v->desired_version[0] == '\0' && text_or_empty(v->report.binary_path)[0] == '\0')
        snprintf(out, size, "%s", text_or_empty(v->desired_reason));
    else
        out[0] = '\0';
}

/* With every text there, so that none is null. */
static struct wire_update whole_update(const struct wire_update *u) {
    static char nothing[] = "";
    struct wire_update whole = *u;
    if (whole.reason == NULL) whole.reason = nothing;
    if (whole.diagnosis == NULL) whole.diagnosis = nothing;
    return whole;
}

static struct wire_staging whole_staging(const struct wire_staging *s) {
    static char nothing[] = "";
    struct wire_staging whole = *s;
    if (whole.reason == NULL) whole.reason = nothing;
    return whole;
}

static struct wire_trust whole_trust(const struct wire_trust *t) {
    static char nothing[] = "";
    struct wire_trust whole = *t;
    if (whole.attack == NULL) whole.attack = nothing;
    if (whole.reason == NULL) whole.reason = nothing;
    return whole;
}

void view_update(const struct wire_update *u, struct text *out) {
    struct wire_update whole = whole_update(u);
    json_encode(&update_schema, &whole, out);
}

void view_agent(const struct agent_view *v, struct text *out) {
    OWN_TEXT struct text nodes = TEXT_EMPTY;
    struct agent_json j = {.update = whole_update(&v->report.update),
                           .staging = whole_staging(&v->report.staging),
                           .agent_update = whole_update(&v->report.self.update),
                           .trust = whole_trust(&v->report.trust),
                           .labels = v->labels,
                           .assigned_labels = v->assigned_labels,
                           .sandbox = v->report.sandbox,
                           .generation = v->generation,
                           .free_bytes = v->report.free_bytes,
                           .clock_offset_ms = v->clock_offset_ms};
    COPY(j.id, v->id);
    COPY(j.status, agent_status_name(v->status));
    COPY(j.mode, v->mode);
    COPY(j.version, v->report.version);
    COPY(j.desired_version, v->desired_version);
    COPY(j.desired_reason, text_or_empty(v->desired_reason));
    view_agent_reason(v, j.reason, sizeof j.reason);
    COPY(j.platform, v->platform);
    COPY(j.arch, v->arch);
    COPY(j.channel, v->channel);
    COPY(j.pin, v->pin);
    COPY(j.conflict, text_or_empty(v->conflict));
    COPY(j.rollout, v->grant.rollout);
    COPY(j.address, v->address);
    COPY(j.agent_version, v->report.agent_version);
    COPY(j.binary_path, text_or_empty(v->report.binary_path));
    clock_rfc3339(v->enrolled_at_ms, j.enrolled_at);
    if (v->last_seen_at_ms > 0) clock_rfc3339(v->last_seen_at_ms, j.last_seen_at);
    encode_nodes(v, &nodes);
    j.nodes = nodes.data;
    json_encode(&agent_schema, &j, out);
}
