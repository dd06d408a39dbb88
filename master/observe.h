/* What a heartbeat changes: comparing the last report with the new one. Pure. */
#pragma once

#include "lib/wire.h"

#include <stdbool.h>

#define OBSERVED_EVENTS_MAX 64

struct observed_event {
    const char *kind;
    char subject[WIRE_NODE_ID_SIZE];
    char text[384];
};

struct observed_changes {
    bool worth_writing; /* something other than counters of progress and free bytes changed */
    struct observed_event events[OBSERVED_EVENTS_MAX]; /* more are cut: a machine has few nodes */
    size_t count;
};

/* before: its agent_id is "" when nothing was reported yet. */
void observe_changes(const struct wire_heartbeat *before, const struct wire_heartbeat *now,
                     struct observed_changes *out);
