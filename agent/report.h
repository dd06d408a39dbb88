/* The observed state in words: what the agent does about its desired version, and why. Pure but for
 * free space. One thread. */
#pragma once

#include "agent/fetching.h"
#include "agent/journal.h"
#include "agent/node.h"
#include "agent/versions.h"
#include "agent/wanted.h"
#include "lib/wire.h"

struct report_input {
    const char *agent_id;
    const char *agent_version;
    const char *labels;
    const char *binary_path; /* "" : none */
    bool may_download;       /* by configuration */
    const struct wanted *wanted;
    const struct versions *versions;
    const struct fetching *fetching;
    const struct reconcile_decision *decision;
    const struct journal *journal;
    const struct err *journal_error; /* why it could not be written last */
    const struct node *nodes;
    size_t count;
    int64_t free_bytes;
    const struct sandbox *sandbox;
    const struct wire_log *log; /* an answer that the master waits for; NULL for none */
};

/* Free with json_clear(&wire_heartbeat_schema, out). */
void report_build(const struct report_input *in, struct wire_heartbeat *out);

/* What a version was given up for: the state of its failed node, which had deadline_ms to work. */
void report_failure(const struct node *n, const struct version *version, int64_t deadline_ms,
                    struct err *out);

/* Appends the heartbeat, at most max_bytes of it: what is too long loses the diagnosis first, then
 * log tails, then the log answer's words, then reasons. h is changed accordingly. */
void report_encode(struct wire_heartbeat *h, size_t max_bytes, struct text *out);

/* The heartbeat without what changes all the time: when this text changes, the master should know
 * at once. */
void report_stable(const struct wire_heartbeat *h, struct text *out);
