#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/listing.h"
#include "lib/clock.h"

#include <stdio.h>
#include <string.h>

static void node_path(const char *id, const char *what, struct text *out) {
    text_add(out, "/api/nodes");
    api_path_add(out, id);
    if (what != NULL) text_add_format(out, "/%s", what);
}

/* "exit 127 3 min ago", "" when it never ended. */
static char *describe_exit(const struct answer_exit *x, int64_t now_ms, char out[64]) {
    char age[FORMAT_SIZE];
    bool ended = x->kind != NULL && x->kind[0] != '\0';
    out[0] = '\0';
    if (ended && strcmp(x->kind, "unknown") == 0)
        snprintf(out, 64, "unknown (adopted)");
    else if (ended)
        snprintf(out, 64, "%.10s %lld %s", x->kind, (long long)x->value,
                 x->at != NULL && x->at[0] != '\0' ? format_age(x->at, now_ms, age) : "");
    return out;
}

static const struct output_column columns[] = {
    {"ID",        0                         },
    {"STATE",     COLUMN_STATE              },
    {"VERSION",   0                         },
    {"PORT",      COLUMN_RIGHT              },
    {"PID",       COLUMN_RIGHT              },
    {"STARTED",   0                         },
    {"RESTARTS",  COLUMN_RIGHT              },
    {"FREE",      COLUMN_RIGHT              },
    {"CAPACITY",  COLUMN_RIGHT | COLUMN_WIDE},
    {"HOST",      COLUMN_WIDE               },
    {"LAST EXIT", COLUMN_WIDE               },
    {"REASONS",   COLUMN_FLEX               },
};

static void node_row(const void *item, int64_t now_ms, struct output_table *t) {
    const struct answer_node *n = item;
    char words[64];
    output_cell(t, n->id);
    output_cell(t, n->state);
    output_cell(t, n->version);
    output_cell_format(t, "%lld", (long long)n->port);
    output_cell_format(t, "%lld", (long long)n->pid);
    output_cell(t, n->pid > 0 ? format_age(format_or(n->started_at, ""), now_ms, words) : NULL);
    output_cell_format(t, "%lld", (long long)n->restarts);
    output_cell(t, n->capacity_bytes > 0 ? format_bytes(n->free_bytes, words) : "");
    output_cell(t, n->capacity_bytes > 0 ? format_bytes(n->capacity_bytes, words) : "");
    output_cell(t, n->host);
    output_cell(t, describe_exit(&n->last_exit, now_ms, words));
    output_cell(t, n->reasons);
}

static const char *node_name(const void *item) {
    return ((const struct answer_node *)item)->id;
}

bool node_list(struct invocation *call, struct err *e) {
    static const struct listing l = {.path = "/api/nodes",
                                     .plural = "nodes",
                                     .schema = &answer_node_schema,
                                     .columns = columns,
                                     .column_count = COUNT_OF(columns),
                                     .row = node_row,
                                     .name = node_name,
                                     .when_empty = "gridctl agent list"};
    return listing_run(call, &l, e);
}

static void describe(const struct answer_node *n, const struct output_style *style,
                     struct text *out) {
    char words[64];
    OWN_TABLE struct output_table t = OUTPUT_FIELDS;
    output_field(&t, "Node", n->id);
    output_field(&t, "State", n->state);
    output_field(&t, "Reasons", n->reasons);
    output_field(&t, "Version", n->version);
    output_field(&t, "Agent", n->agent_id);
    output_field(&t, "Host", n->host);
    if (n->port > 0) output_field_format(&t, "Port", "%lld", (long long)n->port);
    if (n->pid > 0) output_field_format(&t, "Pid", "%lld", (long long)n->pid);
    if (n->pid > 0) output_field(&t, "Started", format_time(format_or(n->started_at, ""), words));
    output_field_format(&t, "Restarts", "%lld", (long long)n->restarts);
    output_field(&t, "Last exit", describe_exit(&n->last_exit, clock_wall_ms(), words));
    if (n->capacity_bytes > 0) {
        output_field(&t, "Capacity", format_bytes(n->capacity_bytes, words));
        output_field(&t, "Free", format_bytes(n->free_bytes, words));
    }
    output_fields(&t, style, out);
}

bool node_show(struct invocation *call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY, out = TEXT_EMPTY;
    struct answer_node node;
    node_path(call->arguments[0], NULL, &path);
    if (!api_get(call->api, text_value(&path), &answer, e) ||
        !answer_decode(&answer_node_schema, &answer, &node, e))
        return false;
    describe(&node, &call->style, &out);
    bool done = call->format == OUTPUT_TABLE ? output_emit(&out, e)
                                             : listing_changed(call, &answer, node.id, e, " ");
    json_clear(&answer_node_schema, &node);
    return done;
}

static bool restart_one(struct invocation *call, const char *id, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY;
    node_path(id, call->settings->dry_run ? NULL : "restart", &path);
    if (call->settings->dry_run)
        return api_get(call->api, text_value(&path), &answer, e) &&
               invocation_would(call, e, "restart %s", id);
    return api_send(call->api, "POST", text_value(&path), NULL, &answer, e) &&
           listing_changed(call, &answer, id, e, "%s restarts", id);
}

bool node_restart(struct invocation *call, struct err *e) {
    return invocation_each(call, call->arguments, call->argument_count, restart_one, e);
}

bool node_logs(struct invocation *call, struct err *e) {
    OWN_TEXT struct text path = TEXT_EMPTY;
    node_path(call->arguments[0], "logs", &path);
    return listing_log(call, &path, e);
}
