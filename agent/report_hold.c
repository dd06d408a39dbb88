/* The part of agent/report.h that says why nothing moves, and what the reader can do about it. */
#include "agent/report_internal.h"
#include "agent/update_words.h"

#include <stdio.h>

void report_flatten(const char *lines, char *out, size_t size) {
    snprintf(out, size, "%s", lines != NULL ? lines : "");
    for (char *at = out; *at != '\0'; at++)
        if (*at == '\n') *at = ';';
}

static void nothing_desired(const char *master_says, struct wire_update *u) {
    if (master_says[0] != '\0')
        update_set_reason(u, "%s", master_says);
    else
        update_set_reason(u, "no version is desired yet: run `gridctl binary push FILE` or drop "
                             "one into the master's binaries directory");
}

static void download_off(bool may_download, struct wire_update *u) {
    if (may_download)
        update_set_reason(u, "%s is fetched as soon as the master answers", u->to);
    else
        update_set_reason(u,
                          "%s is desired, but auto_download_binary is off: name a file with "
                          "binary_path or switch it on",
                          u->to);
}

static void held_by_node(enum hold why, const struct node *n, struct wire_update *u) {
    char words[160];
    switch (why) {
    case HOLD_ASKED:
        update_set_reason(u, "node %s is asked whether it may stop", n->id);
        break;
    case HOLD_EXAMINING:
        update_set_reason(u, "node %s is examined first", n->id);
        break;
    case HOLD_VETO:
        update_set_cause(u, "veto");
        report_flatten(n->veto, words, sizeof words);
        update_set_reason(u, "node %s must not stop now: %s", n->id, words);
        break;
    default:
        update_set_reason(u, "waiting for node %s to work%s%s", n->id,
                          n->trouble[0] != '\0' ? ": " : "", n->trouble);
        break;
    }
}

void report_hold(const struct report_input *in, struct wire_update *u) {
    const struct wire_desired *desired = &in->wanted->desired;
    switch (in->decision->hold) {
    case HOLD_NOTHING_DESIRED:
        nothing_desired(desired->reason, u);
        break;
    case HOLD_DOWNLOAD_OFF:
        download_off(in->may_download, u);
        break;
    case HOLD_DRAINING:
        update_set_cause(u, "draining");
        update_set_reason(u, "%s waits because this agent is draining: gridctl agent resume %s",
                          u->to, in->agent_id);
        break;
    case HOLD_HELD:
        update_set_reason(u, "%s waits: %.200s", u->to, desired->hold);
        break;
    case HOLD_MASTER_AWAY:
        update_set_reason(u, "%s waits until the master answers", u->to);
        break;
    case HOLD_LEAVE:
        update_set_reason(u, "%s waits for its turn in rollout %s", u->to, u->rollout);
        break;
    case HOLD_UNWRITABLE:
        update_set_cause(u, "machine");
        update_set_reason(u, "%s waits until the journal can be written: %.180s", u->to,
                          in->journal_error->text);
        break;
    case HOLD_ASKED:
    case HOLD_EXAMINING:
    case HOLD_VETO:
    case HOLD_NODE:
        held_by_node(in->decision->hold, &in->nodes[in->decision->hold_node], u);
        break;
    case HOLD_NO_RETURN:
        update_set_reason(u, "the stored copy of %s is damaged and is fetched again first",
                          u->from);
        break;
    case HOLD_NODES_HELD:
        update_set_reason(u, "every node's data directory is in use by another process");
        break;
    case HOLD_NONE:
        break;
    }
}
