/* The part of agent/node.h that says what the master is told. */
#include "agent/node.h"

#include <stdio.h>
#include <string.h>

static const char *state_name(const struct node *n, bool draining) {
    const struct reconcile_node *facts = n->facts;
    switch (facts->phase) {
    case NODE_UNKNOWN:
        return "starting";
    case NODE_RUNNING:
        if (facts->health == HEALTH_GOOD) return draining ? "draining" : "healthy";
        return facts->proven || facts->health != HEALTH_NONE ? "unhealthy" : "starting";
    case NODE_STOPPING:
        return facts->hung ? "unhealthy" : "draining";
    case NODE_DOWN:
        if (!facts->wanted || facts->assigned[0] == '\0') return "stopped";
        return facts->failures > 0 ? "backoff" : "starting";
    case NODE_HELD:
    default:
        return "stopped";
    }
}

static void add_reason(struct text *lines, const char *words) {
    if (words == NULL || *words == '\0') return;
    text_add_format(lines, "%s%s", lines->length > 0 ? "\n" : "", words);
}

static char *describe_reasons(const struct node *n) {
    struct text lines = TEXT_EMPTY;
    OWN_TEXT struct text trouble = TEXT_EMPTY;
    bool running = n->facts->phase == NODE_RUNNING;
    bool unhealthy = n->facts->health == HEALTH_BAD;
    if (n->trouble_code != ERR_NONE)
        text_add_format(&trouble, "%s: %s", err_code_name(n->trouble_code), n->trouble);
    add_reason(&lines, text_value(&trouble));
    if (running && (n->facts->misses == 0 || unhealthy)) add_reason(&lines, n->health_reasons);
    if (running) add_reason(&lines, n->port_note);
    if (running && n->from_store)
        add_reason(&lines, "memfds cannot be executed here: it runs from the store's file");
    if (!n->facts->wanted)
        add_reason(&lines, "beyond the configured number of nodes; its data is kept");
    return text_take(&lines);
}

static void describe_exit(const struct wire_exit *last, size_t log_tail_max,
                          struct wire_exit *out) {
    *out = *last;
    out->log_tail = NULL;
    size_t length = last->log_tail != NULL ? strlen(last->log_tail) : 0;
    if (length > 0)
        out->log_tail =
            text_duplicate(last->log_tail + (length > log_tail_max ? length - log_tail_max : 0));
}

void node_describe(const struct node *n, bool draining, size_t log_tail_max,
                   struct wire_node *out) {
    bool process = n->pid != 0;
    *out = (struct wire_node){.pid = n->pid,
                              .port = n->record.port,
                              .started_at_ms = process ? n->started_at_ms : 0,
                              .restarts = n->record.restarts,
                              .restart_generation = n->record.restart_generation,
                              .capacity_bytes = n->capacity_bytes,
                              .free_bytes = n->free_bytes,
                              .reasons = describe_reasons(n)};
    memcpy(out->id, n->id, sizeof out->id);
    snprintf(out->state, sizeof out->state, "%s", state_name(n, draining));
    if (process) memcpy(out->version, n->record.version, sizeof out->version);
    if (process) memcpy(out->sha256, n->record.sha256, sizeof out->sha256);
    describe_exit(&n->record.last_exit, log_tail_max, &out->last_exit);
}
