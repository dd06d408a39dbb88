#include "master/observe.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void add(struct observed_changes *out, const char *kind, const char *subject,
                const char *format, ...) PRINTF_LIKE(4, 5);

static void add(struct observed_changes *out, const char *kind, const char *subject,
                const char *format, ...) {
    out->worth_writing = true;
    if (out->count == OBSERVED_EVENTS_MAX) return;
    struct observed_event *event = &out->events[out->count++];
    event->kind = kind;
    snprintf(event->subject, sizeof event->subject, "%s", subject);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(event->text, sizeof event->text, format, arguments);
    va_end(arguments);
}

static bool same_text(const char *a, const char *b) {
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static const struct wire_node *find_node(const struct wire_heartbeat *report, const char *id) {
    for (size_t i = 0; i < report->nodes_count; i++)
        if (strcmp(report->nodes[i].id, id) == 0) return &report->nodes[i];
    return NULL;
}

static void describe_exit(const struct wire_exit *last, char *out, size_t size) {
    if (strcmp(last->kind, "exit") == 0)
        snprintf(out, size, "exited with status %" PRId64, last->value);
    else if (strcmp(last->kind, "signal") == 0)
        snprintf(out, size, "was ended by signal %" PRId64, last->value);
    else
        snprintf(out, size, "ended; how is unknown, since it was adopted");
}

static void compare_node(const struct wire_node *before, const struct wire_node *now,
                         struct observed_changes *out) {
    static const struct wire_node nothing = {0};
    if (before == NULL) before = &nothing;
    if (now->restarts > before->restarts && now->last_exit.at_ms != before->last_exit.at_ms) {
        char how[64];
        describe_exit(&now->last_exit, how, sizeof how);
        add(out, "node.exited", now->id, "node %s %s; restart %" PRId64, now->id, how,
            now->restarts);
    }
    if (strcmp(now->state, before->state) != 0) {
        out->worth_writing = true;
        if (strcmp(now->state, "healthy") == 0)
            add(out, "node.healthy", now->id, "node %s runs %s and is healthy", now->id,
                now->version);
        else if (strcmp(now->state, "unhealthy") == 0)
            add(out, "node.unhealthy", now->id, "node %s is unhealthy: %s", now->id,
                now->reasons != NULL && *now->reasons != '\0'
                    ? now->reasons
                    : "it does not answer its health check");
    }
    if (now->restart_generation > before->restart_generation && before != &nothing)
        add(out, "node.restarted", now->id, "node %s was restarted as asked", now->id);
    if (now->pid != before->pid || now->port != before->port ||
        strcmp(now->sha256, before->sha256) != 0 || !same_text(now->reasons, before->reasons))
        out->worth_writing = true;
}

static void compare_update(const struct wire_heartbeat *before, const struct wire_heartbeat *now,
                           struct observed_changes *out) {
    const struct wire_update *u = &now->update, *b = &before->update;
    if (strcmp(now->version, before->version) != 0 && *now->version != '\0')
        add(out, "agent.updated", now->agent_id, "agent %s runs %s%s%s", now->agent_id,
            now->version, *before->version != '\0' ? ", before it ran " : "", before->version);
    bool failed = strcmp(u->state, "failed") == 0;
    if (failed && (strcmp(b->state, "failed") != 0 || !same_text(u->reason, b->reason) ||
                   strcmp(u->to, b->to) != 0))
        add(out, "agent.update_failed", now->agent_id, "agent %s did not take %s (%s): %s",
            now->agent_id, u->to, u->code, text_or_empty(u->reason));
    if (strcmp(u->state, b->state) != 0 || strcmp(u->to, b->to) != 0 ||
        !same_text(u->reason, b->reason))
        out->worth_writing = true;
}

static bool is_set(const char *text) {
    return text != NULL && text[0] != '\0';
}

static void compare_trust(const struct wire_heartbeat *before, const struct wire_heartbeat *now,
                          struct observed_changes *out) {
    const struct wire_trust *t = &now->trust, *b = &before->trust;
    if (t->root != b->root) out->worth_writing = true;
    if (same_text(t->attack, b->attack)) return;
    if (is_set(t->attack))
        add(out, "agent.distrusts", now->agent_id,
            "agent %s believes no new metadata of builds (%s): %s", now->agent_id, t->attack,
            is_set(t->reason) ? t->reason : "");
    else
        add(out, "agent.trusts", now->agent_id, "agent %s believes the metadata of builds again",
            now->agent_id);
}

void observe_changes(const struct wire_heartbeat *before, const struct wire_heartbeat *now,
                     struct observed_changes *out) {
    out->count = 0;
    out->worth_writing =
        before->agent_id[0] == '\0' || before->nodes_count != now->nodes_count ||
        before->generation != now->generation || !same_text(before->labels, now->labels) ||
        strcmp(before->sha256, now->sha256) != 0 || strcmp(before->platform, now->platform) != 0 ||
        strcmp(before->arch, now->arch) != 0 || !same_text(before->binary_path, now->binary_path) ||
        strcmp(before->agent_version, now->agent_version) != 0;
    compare_update(before, now, out);
    compare_trust(before, now, out);
    for (size_t i = 0; i < now->nodes_count; i++)
        compare_node(find_node(before, now->nodes[i].id), &now->nodes[i], out);
}
