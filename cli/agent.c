#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/label_changes.h"
#include "cli/listing.h"
#include "lib/clock.h"

#include <stdio.h>
#include <string.h>

static void agent_path(const char *id, const char *what, struct text *out) {
    text_add(out, "/api/agents");
    api_path_add(out, id);
    if (what != NULL) text_add_format(out, "/%s", what);
}

static const struct output_column columns[] = {
    {"ID",       0           },
    {"STATUS",   COLUMN_STATE},
    {"MODE",     COLUMN_STATE},
    {"VERSION",  0           },
    {"DESIRED",  0           },
    {"NODES",    COLUMN_RIGHT},
    {"SEEN",     0           },
    {"CHANNEL",  COLUMN_WIDE },
    {"PIN",      COLUMN_WIDE },
    {"ROLLOUT",  COLUMN_WIDE },
    {"PLATFORM", COLUMN_WIDE },
    {"LABELS",   COLUMN_WIDE },
    {"ADDRESS",  COLUMN_WIDE },
    {"AGENT",    COLUMN_WIDE },
    {"REASON",   COLUMN_FLEX },
};

/* A node of a draining machine is called draining while it is healthy. */
static int serving_nodes(const struct answer_agent *a) {
    int serving = 0;
    for (size_t i = 0; i < a->nodes_count; i++) {
        const char *state = format_or(a->nodes[i].state, "");
        if (strcmp(state, "healthy") == 0 || strcmp(state, "draining") == 0) serving++;
    }
    return serving;
}

static const char *agent_reason(const struct answer_agent *a) {
    if (a->reason != NULL && a->reason[0] != '\0') return a->reason;
    return a->update.reason;
}

static void agent_row(const void *item, int64_t now_ms, struct output_table *t) {
    const struct answer_agent *a = item;
    char age[FORMAT_SIZE];
    output_cell(t, a->id);
    output_cell(t, a->status);
    output_cell(t, a->mode);
    output_cell(t, a->version);
    output_cell(t, a->desired_version);
    output_cell_format(t, "%d/%zu", serving_nodes(a), a->nodes_count);
    output_cell(t, format_age(format_or(a->last_seen_at, ""), now_ms, age));
    output_cell(t, a->channel);
    output_cell(t, a->pin);
    output_cell(t, a->rollout);
    output_cell_format(t, "%s/%s", format_or(a->platform, "-"), format_or(a->arch, "-"));
    output_cell(t, a->labels);
    output_cell(t, a->address);
    output_cell(t, a->agent_version);
    output_cell(t, agent_reason(a));
}

static const char *agent_name(const void *item) {
    return ((const struct answer_agent *)item)->id;
}

bool agent_list(struct invocation *call, struct err *e) {
    static const struct listing l = {.path = "/api/agents",
                                     .plural = "agents",
                                     .schema = &answer_agent_schema,
                                     .columns = columns,
                                     .column_count = COUNT_OF(columns),
                                     .row = agent_row,
                                     .name = agent_name,
                                     .when_empty = "gridctl agent join-command"};
    return listing_run(call, &l, e);
}

static void add_nodes(const struct answer_agent *a, const struct output_style *style,
                      struct text *out) {
    static const struct output_column node_columns[] = {
        {"NODE",     0           },
        {"STATE",    COLUMN_STATE},
        {"VERSION",  0           },
        {"PORT",     COLUMN_RIGHT},
        {"PID",      COLUMN_RIGHT},
        {"RESTARTS", COLUMN_RIGHT},
    };
    OWN_TABLE struct output_table t = OUTPUT_TABLE_OF(node_columns);
    for (size_t i = 0; i < a->nodes_count; i++) {
        const struct answer_node *n = &a->nodes[i];
        output_cell(&t, n->id);
        output_cell(&t, n->state);
        output_cell(&t, n->version);
        output_cell_format(&t, "%lld", (long long)n->port);
        output_cell_format(&t, "%lld", (long long)n->pid);
        output_cell_format(&t, "%lld", (long long)n->restarts);
    }
    if (a->nodes_count == 0) return;
    text_add(out, "\n");
    output_table(&t, false, style, out);
}

static void describe_update(const struct answer_update *u, struct text *out) {
    if (u->state == NULL || u->state[0] == '\0' || strcmp(u->state, "idle") == 0) return;
    text_add(out, u->state);
    if (u->to != NULL && u->to[0] != '\0')
        text_add_format(out, " %s -> %s", format_or(u->from, "-"), u->to);
    if (u->attempt > 1) text_add_format(out, ", attempt %lld", (long long)u->attempt);
    if (u->total_bytes > 0 && u->done_bytes < u->total_bytes) {
        char done[FORMAT_SIZE], total[FORMAT_SIZE];
        text_add_format(out, ", %s of %s", format_bytes(u->done_bytes, done),
                        format_bytes(u->total_bytes, total));
    }
    if (u->reason != NULL && u->reason[0] != '\0') text_add_format(out, ": %s", u->reason);
}

static void describe_belief(const struct answer_belief *t, struct text *out) {
    const char *attack = format_or(t->attack, ""), *reason = format_or(t->reason, "");
    if (t->root > 0)
        text_add_format(out, "root %lld, targets %lld, timestamp %lld", (long long)t->root,
                        (long long)t->targets, (long long)t->timestamp);
    if (reason[0] != '\0')
        text_add_format(out, "%s%s%s%s", out->length > 0 ? "; " : "", attack,
                        attack[0] != '\0' ? ": " : "", reason);
}

/* Layers that work in one line, each that does not in one of its own. */
static void add_sandbox(const char *lines, struct output_table *t) {
    OWN_TEXT struct text works = TEXT_EMPTY;
    OWN_MEMORY char *layers = text_duplicate(format_or(lines, ""));
    char *position = layers;
    for (char *line; (line = strsep(&position, "\n")) != NULL;) {
        char *what = strchr(line, '=');
        if (what == NULL || strcmp(what, "=yes") != 0) continue;
        *what = '\0';
        text_add_format(&works, "%s%s", works.length > 0 ? ", " : "", line);
    }
    output_field(t, "Fenced by", text_value(&works));
    OWN_MEMORY char *again = text_duplicate(format_or(lines, ""));
    position = again;
    for (char *line; (line = strsep(&position, "\n")) != NULL;) {
        char *what = strstr(line, "=no: ");
        if (what == NULL) continue;
        *what = '\0';
        output_field_format(t, "Not by", "%s: %s", line, what + strlen("=no: "));
    }
}

static void describe(const struct answer_agent *a, const struct output_style *style,
                     struct text *out) {
    char words[FORMAT_SIZE];
    OWN_TEXT struct text update = TEXT_EMPTY, trust = TEXT_EMPTY;
    OWN_TABLE struct output_table t = OUTPUT_FIELDS;
    describe_update(&a->update, &update);
    describe_belief(&a->trust, &trust);
    output_field(&t, "Agent", a->id);
    output_field(&t, "Status", a->status);
    output_field(&t, "Reason", a->reason);
    output_field(&t, "Mode", a->mode);
    output_field(&t, "Version", format_or(a->version, "-"));
    output_field(&t, "Desired", format_or(a->desired_version, "-"));
    output_field(&t, "Because", a->desired_reason);
    output_field(&t, "Update", text_value(&update));
    output_field(&t, "Channel", a->channel);
    output_field(&t, "Pin", a->pin);
    output_field(&t, "Rollout", a->rollout);
    output_field_format(&t, "Machine", "%s/%s", format_or(a->platform, "-"),
                        format_or(a->arch, "-"));
    output_field(&t, "Labels", a->labels);
    output_field(&t, "Assigned", a->assigned_labels);
    output_field(&t, "Binary", a->binary_path);
    output_field(&t, "Trusts", text_value(&trust));
    output_field(&t, "Address", a->address);
    output_field(&t, "Program", a->agent_version);
    add_sandbox(a->sandbox, &t);
    if (a->free_bytes > 0) output_field(&t, "Free", format_bytes(a->free_bytes, words));
    output_field(&t, "Enrolled", format_time(format_or(a->enrolled_at, ""), words));
    output_field(&t, "Seen", format_age(format_or(a->last_seen_at, ""), clock_wall_ms(), words));
    output_fields(&t, style, out);
    add_nodes(a, style, out);
}

static bool fetch(struct invocation *call, const char *id, struct http_answer *answer,
                  struct answer_agent *agent, struct err *e) {
    OWN_TEXT struct text path = TEXT_EMPTY;
    agent_path(id, NULL, &path);
    return api_get(call->api, text_value(&path), answer, e) &&
           answer_decode(&answer_agent_schema, answer, agent, e);
}

bool agent_show(struct invocation *call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct answer_agent agent;
    if (!fetch(call, call->arguments[0], &answer, &agent, e)) return false;
    describe(&agent, &call->style, &out);
    bool done = call->format == OUTPUT_TABLE ? output_emit(&out, e)
                                             : listing_changed(call, &answer, agent.id, e, " ");
    json_clear(&answer_agent_schema, &agent);
    return done;
}

static void add_holds(const char *lines, struct output_table *t) {
    OWN_MEMORY char *holds = text_duplicate(format_or(lines, ""));
    char *position = holds;
    for (char *line; (line = strsep(&position, "\n")) != NULL;) output_field(t, "Held up", line);
}

/* An agent that nobody moves is not worth a line. */
static void explain_program(const struct answer_program *p, struct output_table *t) {
    if (p->desired.version == NULL || p->desired.version[0] == '\0') return;
    output_field_format(t, "Its agent", "%s, should be %s: %s", format_or(p->running.version, "-"),
                        p->desired.version, format_or(p->desired.reason, ""));
    add_holds(p->holds, t);
}

static void explain(const struct answer_why *w, const struct output_style *style,
                    struct text *out) {
    OWN_TEXT struct text update = TEXT_EMPTY;
    OWN_TABLE struct output_table t = OUTPUT_FIELDS;
    describe_update(&w->update, &update);
    output_field(&t, "Agent", w->agent_id);
    output_field(&t, "Runs", format_or(w->running.version, "-"));
    output_field(&t, "Should run", format_or(w->desired.version, "-"));
    output_field(&t, "Decided by", w->desired.rule);
    output_field(&t, "Because", w->desired.reason);
    for (size_t i = 0; i < w->lost_count; i++)
        output_field_format(&t, "Not by", "%s (%s): %s", format_or(w->lost[i].rule, "?"),
                            format_or(w->lost[i].version, "nothing"),
                            format_or(w->lost[i].reason, ""));
    output_field(&t, "Update", text_value(&update));
    add_holds(w->holds, &t);
    explain_program(&w->agent, &t);
    output_fields(&t, style, out);
}

bool agent_why(struct invocation *call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY, out = TEXT_EMPTY;
    agent_path(call->arguments[0], "why", &path);
    if (!api_get(call->api, text_value(&path), &answer, e)) return false;
    if (call->format == OUTPUT_JSON) return listing_json(&answer, e);
    struct answer_why why;
    if (!answer_decode(&answer_why_schema, &answer, &why, e)) return false;
    explain(&why, &call->style, &out);
    json_clear(&answer_why_schema, &why);
    return output_emit(&out, e);
}

static const struct {
    const char *verb;
    const char *done;     /* after the agent's id */
    const char *question; /* asked before; NULL: nothing to ask */
} changes[] = {
    {"drain",   "is draining: it starts no new version, its nodes keep serving",      NULL},
    {"resume",  "is active again",                                                    NULL},
    {"approve", "is approved",                                                        NULL},
    {"revoke",  "is revoked: the master talks to it no more, its nodes keep running",
     "its identity is refused from now on"                                                },
};

static size_t change_index(const struct invocation *call) {
    size_t i = 0;
    while (strcmp(changes[i].verb, call->command->verb) != 0) i++;
    return i;
}

static bool would_change(struct invocation *call, const char *id, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    struct answer_agent agent;
    if (!fetch(call, id, &answer, &agent, e)) return false;
    bool done = invocation_would(call, e, "%s %s (%s, %s)", call->command->verb, agent.id,
                                 format_or(agent.status, "-"), format_or(agent.mode, "-"));
    json_clear(&answer_agent_schema, &agent);
    return done;
}

static bool change_one(struct invocation *call, const char *id, struct err *e) {
    if (call->settings->dry_run) return would_change(call, id, e);
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY;
    agent_path(id, call->command->verb, &path);
    return api_send(call->api, "POST", text_value(&path), NULL, &answer, e) &&
           listing_changed(call, &answer, id, e, "%s %s", id, changes[change_index(call)].done);
}

static void join_words(const struct invocation *call, struct text *out) {
    for (int i = 0; i < call->argument_count; i++)
        text_add_format(out, "%s%s", i > 0 ? ", " : "", call->arguments[i]);
}

/* Asks about all arguments at once. */
static bool confirm(struct invocation *call, const char *what, const char *consequence,
                    struct err *e) {
    OWN_TEXT struct text ids = TEXT_EMPTY;
    join_words(call, &ids);
    return call->settings->dry_run || invocation_confirm(call, e, "%s %.300s: %s. Go on?", what,
                                                         text_value(&ids), consequence);
}

bool agent_change(struct invocation *call, struct err *e) {
    const char *question = changes[change_index(call)].question;
    if (question != NULL && !confirm(call, call->command->verb, question, e)) return false;
    return invocation_each(call, call->arguments, call->argument_count, change_one, e);
}

static bool remove_one(struct invocation *call, const char *id, struct err *e) {
    if (call->settings->dry_run) return would_change(call, id, e);
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY;
    agent_path(id, NULL, &path);
    if (call->settings->force) api_query_add(&path, "force", "true");
    return api_send(call->api, "DELETE", text_value(&path), NULL, &answer, e) &&
           listing_changed(call, &answer, id, e, "%s is removed; to come back it must join again",
                           id);
}

bool agent_rm(struct invocation *call, struct err *e) {
    return confirm(call, "remove", "the master forgets it, it must join again", e) &&
           invocation_each(call, call->arguments, call->argument_count, remove_one, e);
}

bool agent_label(struct invocation *call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY, body = TEXT_EMPTY;
    const char *id = call->arguments[0];
    if (!label_changes_json(call->arguments + 1, (size_t)call->argument_count - 1,
                            call->settings->channel, &body, e))
        return false;
    if (call->settings->dry_run)
        return invocation_would(call, e, "change %s: %s", id, text_value(&body));
    agent_path(id, NULL, &path);
    if (!api_send(call->api, "PATCH", text_value(&path), text_value(&body), &answer, e))
        return false;
    struct answer_agent agent;
    if (!answer_decode(&answer_agent_schema, &answer, &agent, e)) return false;
    bool done = listing_changed(call, &answer, id, e, "%s  channel %s  labels %s", id,
                                format_or(agent.channel, "-"), format_or(agent.labels, "-"));
    json_clear(&answer_agent_schema, &agent);
    return done;
}

bool agent_logs(struct invocation *call, struct err *e) {
    OWN_TEXT struct text path = TEXT_EMPTY;
    agent_path(call->arguments[0], "logs", &path);
    return listing_log(call, &path, e);
}
