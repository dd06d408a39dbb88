#include "master/view_agent.h"

#include "lib/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Texts point into what is shown; nothing here is owned, so nothing is cleared. */
struct exit_json {
    const char *kind;
    int64_t value;
    char at[CLOCK_RFC3339_SIZE];
    const char *log_tail;
};
static const struct json_field exit_fields[] = {
    J(JSON_TEXT, struct exit_json, kind, 0),
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
    J(JSON_TEXT, struct wire_update, reason, JSON_NEVER_NULL),
    J(JSON_STRING, struct wire_update, rollout, 0),
    J(JSON_INT, struct wire_update, rollout_attempt, 0),
    J(JSON_TEXT, struct wire_update, diagnosis, JSON_NEVER_NULL),
};
static const struct json_schema update_schema = JSON_SCHEMA(struct wire_update, update_fields);

static const struct json_field staging_fields[] = {
    J(JSON_STRING, struct wire_staging, state, 0),
    J(JSON_STRING, struct wire_staging, sha256, 0),
    J(JSON_INT, struct wire_staging, done_bytes, 0),
    J(JSON_INT, struct wire_staging, total_bytes, 0),
    J(JSON_STRING, struct wire_staging, code, 0),
    J(JSON_STRING, struct wire_staging, cause, 0),
    J(JSON_TEXT, struct wire_staging, reason, JSON_NEVER_NULL),
};
static const struct json_schema staging_schema = JSON_SCHEMA(struct wire_staging, staging_fields);

static const struct json_field trust_fields[] = {
    J(JSON_INT, struct wire_trust, root, 0),
    J(JSON_INT, struct wire_trust, targets, 0),
    J(JSON_INT, struct wire_trust, timestamp, 0),
    J(JSON_TEXT, struct wire_trust, attack, JSON_NEVER_NULL),
    J(JSON_TEXT, struct wire_trust, reason, JSON_NEVER_NULL),
};
static const struct json_schema trust_schema = JSON_SCHEMA(struct wire_trust, trust_fields);

struct node_json {
    const char *id, *agent_id, *host, *state, *version, *sha256;
    int64_t pid, port;
    char started_at[CLOCK_RFC3339_SIZE];
    int64_t restarts;
    struct exit_json exit;
    const struct exit_json *last_exit; /* NULL when it never ended */
    int64_t capacity_bytes, free_bytes;
    const char *reasons;
};
static const struct json_field node_fields[] = {
    J(JSON_TEXT, struct node_json, id, 0),
    J(JSON_TEXT, struct node_json, agent_id, 0),
    J(JSON_TEXT, struct node_json, host, 0),
    J(JSON_TEXT, struct node_json, state, 0),
    J(JSON_TEXT, struct node_json, version, 0),
    J(JSON_TEXT, struct node_json, sha256, 0),
    J(JSON_INT, struct node_json, pid, 0),
    J(JSON_INT, struct node_json, port, 0),
    J(JSON_STRING, struct node_json, started_at, 0),
    J(JSON_INT, struct node_json, restarts, 0),
    J_REFERENCE(struct node_json, last_exit, &exit_schema),
    J(JSON_INT, struct node_json, capacity_bytes, 0),
    J(JSON_INT, struct node_json, free_bytes, 0),
    J(JSON_STRINGS, struct node_json, reasons, 0),
};
static const struct json_schema node_schema = JSON_SCHEMA(struct node_json, node_fields);

struct agent_json {
    const char *id, *status, *mode, *version, *desired_version, *desired_reason;
    const struct wire_update *update;
    const struct wire_staging *staging;
    char reason[256];
    const char *platform, *arch, *labels, *assigned_labels, *channel, *pin, *conflict, *rollout;
    const char *address, *agent_version;
    const struct wire_update *agent_update;
    const struct wire_trust *trust;
    const char *binary_path, *sandbox;
    int64_t generation, free_bytes, clock_offset_ms;
    char enrolled_at[CLOCK_RFC3339_SIZE], last_seen_at[CLOCK_RFC3339_SIZE];
    struct node_json *nodes;
    size_t nodes_count;
};
static const struct json_field agent_fields[] = {
    J(JSON_TEXT, struct agent_json, id, 0),
    J(JSON_TEXT, struct agent_json, status, 0),
    J(JSON_TEXT, struct agent_json, mode, 0),
    J(JSON_TEXT, struct agent_json, version, 0),
    J(JSON_TEXT, struct agent_json, desired_version, 0),
    J(JSON_TEXT, struct agent_json, desired_reason, JSON_NEVER_NULL),
    J_REFERENCE(struct agent_json, update, &update_schema),
    J_REFERENCE(struct agent_json, staging, &staging_schema),
    J(JSON_STRING, struct agent_json, reason, 0),
    J(JSON_TEXT, struct agent_json, platform, 0),
    J(JSON_TEXT, struct agent_json, arch, 0),
    J(JSON_LABELS, struct agent_json, labels, 0),
    J(JSON_LABELS, struct agent_json, assigned_labels, 0),
    J(JSON_TEXT, struct agent_json, channel, 0),
    J(JSON_TEXT, struct agent_json, pin, 0),
    J(JSON_TEXT, struct agent_json, conflict, JSON_NEVER_NULL),
    J(JSON_TEXT, struct agent_json, rollout, 0),
    J(JSON_TEXT, struct agent_json, address, 0),
    J(JSON_TEXT, struct agent_json, agent_version, 0),
    J_REFERENCE(struct agent_json, agent_update, &update_schema),
    J_REFERENCE(struct agent_json, trust, &trust_schema),
    J(JSON_TEXT, struct agent_json, binary_path, JSON_NEVER_NULL),
    J(JSON_STRINGS, struct agent_json, sandbox, 0),
    J(JSON_INT, struct agent_json, generation, 0),
    J(JSON_INT, struct agent_json, free_bytes, 0),
    J(JSON_INT, struct agent_json, clock_offset_ms, 0),
    J(JSON_STRING, struct agent_json, enrolled_at, 0),
    J(JSON_STRING, struct agent_json, last_seen_at, JSON_OMIT_EMPTY),
    J_LIST(struct agent_json, nodes, &node_schema, 0),
};
static const struct json_schema agent_schema = JSON_SCHEMA(struct agent_json, agent_fields);

const char *view_node_state(const struct agent_view *v, const struct wire_node *n) {
    bool draining = strcmp(v->mode, "draining") == 0 && strcmp(n->state, "healthy") == 0;
    return draining ? "draining" : n->state;
}

static void fill_node(const struct agent_view *v, const struct wire_node *n, struct node_json *j) {
    *j = (struct node_json){.id = n->id,
                            .agent_id = v->id,
                            .host = v->address,
                            .state = view_node_state(v, n),
                            .version = n->version,
                            .sha256 = n->sha256,
                            .pid = n->pid,
                            .port = n->port,
                            .restarts = n->restarts,
                            .capacity_bytes = n->capacity_bytes,
                            .free_bytes = n->free_bytes,
                            .reasons = n->reasons};
    clock_rfc3339(n->started_at_ms, j->started_at);
    if (n->last_exit.kind[0] == '\0') return;
    j->exit = (struct exit_json){
        .kind = n->last_exit.kind, .value = n->last_exit.value, .log_tail = n->last_exit.log_tail};
    clock_rfc3339(n->last_exit.at_ms, j->exit.at);
    j->last_exit = &j->exit;
}

void view_node(const struct agent_view *v, const struct wire_node *n, struct text *out) {
    struct node_json j;
    fill_node(v, n, &j);
    json_encode(&node_schema, &j, out);
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

void view_update(const struct wire_update *u, struct text *out) {
    json_encode(&update_schema, u, out);
}

void view_agent(const struct agent_view *v, struct text *out) {
    size_t count = v->report.nodes_count;
    OWN_MEMORY struct node_json *nodes = memory_resize(NULL, count, sizeof *nodes);
    struct agent_json j = {.id = v->id,
                           .status = agent_status_name(v->status),
                           .mode = v->mode,
                           .version = v->report.version,
                           .desired_version = v->desired_version,
                           .desired_reason = v->desired_reason,
                           .update = &v->report.update,
                           .staging = &v->report.staging,
                           .platform = v->platform,
                           .arch = v->arch,
                           .labels = v->labels,
                           .assigned_labels = v->assigned_labels,
                           .channel = v->channel,
                           .pin = v->pin,
                           .conflict = v->conflict,
                           .rollout = v->grant.rollout,
                           .address = v->address,
                           .agent_version = v->report.agent_version,
                           .agent_update = &v->report.self.update,
                           .trust = &v->report.trust,
                           .binary_path = v->report.binary_path,
                           .sandbox = v->report.sandbox,
                           .generation = v->generation,
                           .free_bytes = v->report.free_bytes,
                           .clock_offset_ms = v->clock_offset_ms,
                           .nodes = nodes,
                           .nodes_count = count};
    view_agent_reason(v, j.reason, sizeof j.reason);
    clock_rfc3339(v->enrolled_at_ms, j.enrolled_at);
    if (v->last_seen_at_ms > 0) clock_rfc3339(v->last_seen_at_ms, j.last_seen_at);
    for (size_t i = 0; i < count; i++) fill_node(v, &v->report.nodes[i], &nodes[i]);
    json_encode(&agent_schema, &j, out);
}
