/* Which version an agent should run, and why. Pure: the pin of the agent, before what an unfinished
 * rollout tells it, before the newest decision of all others: a rollout that is over, or its
 * channel (docs/decisions/0014). */
#pragma once

#include "master/catalog.h"
#include "master/channels.h"
#include "master/quarantine.h"
#include "master/rollout.h"

#include <stddef.h>

/* What a rollout says about the agent. number 0: nothing. */
struct desired_rollout {
    int64_t number;
    enum rollout_told told;
    char version[SEMVER_SIZE]; /* where it leads */
    char to_sha256[SHA256_HEX_SIZE];
    char from_version[SEMVER_SIZE];
    char from_sha256[SHA256_HEX_SIZE];
    int64_t finished_at_ms; /* 0: active */
    bool late;              /* it was over before the agent could be a member */
};

/* What the choice depends on, taken whole. */
struct desired_inputs {
    const char *artifact; /* "storage-server" */
    const char *pin;      /* version; "": none */
    const char *channel;  /* "": none, as for grid-agent */
    const char *platform;
    const char *arch;
    const struct desired_rollout *rollout;
    const struct channel *channels;
    size_t channel_count;
    const struct binary *binaries;
    size_t binary_count;
    const struct quarantined *quarantined;
    size_t quarantined_count;
};

/* Later ones are stronger, but for the newer of channel and completed. */
enum desired_rule {
    DESIRED_NONE,
    DESIRED_CHANNEL,
    DESIRED_COMPLETED,
    DESIRED_ROLLOUT,
    DESIRED_PIN
};
const char *desired_rule_name(enum desired_rule rule);

/* A rule that had something to say, but lost. */
struct desired_lost {
    enum desired_rule rule;
    char version[SEMVER_SIZE];
    char reason[256];
};
#define DESIRED_LOST_MAX 3

struct desired_choice {
    enum desired_rule rule;
    const struct binary *binary;  /* NULL: nothing is desired; the agent keeps what it runs */
    char version[SEMVER_SIZE];    /* what the rule names, even where no build of it can be had */
    char sha256[SHA256_HEX_SIZE]; /* of binary, or of what it ran before and the catalog does not
                                     have; "": nothing is desired */
    char reason[256];             /* one sentence, with the next step when nothing can be desired */
    struct desired_lost lost[DESIRED_LOST_MAX]; /* strongest first */
    size_t lost_count;
};

void desired_choose(const struct desired_inputs *in, struct desired_choice *out);
