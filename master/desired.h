/* Which version an agent should run, and why. Pure. */
#pragma once

#include "master/catalog.h"
#include "master/channels.h"

#include <stddef.h>

/* What the choice depends on, taken whole. */
struct desired_inputs {
    const char *artifact; /* "storage-server" */
    const char *channel;
    const char *platform;
    const char *arch;
    const struct channel *channels;
    size_t channel_count;
    const struct binary *binaries;
    size_t binary_count;
};

enum desired_rule { DESIRED_NONE, DESIRED_CHANNEL };
const char *desired_rule_name(enum desired_rule rule);

struct desired_choice {
    enum desired_rule rule;
    const struct binary *binary; /* NULL: nothing is desired; the agent keeps what it runs */
    char reason[256];            /* one sentence, with the next step when nothing can be desired */
};

void desired_choose(const struct desired_inputs *in, struct desired_choice *out);
