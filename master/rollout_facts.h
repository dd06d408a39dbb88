/* What an agent's last report says about its part in a rollout. Pure. */
#pragma once

#include "master/agents.h"
#include "master/rollout.h"

/* Which part that is. */
struct rollout_part {
    const char *rollout; /* its id */
    bool self;           /* of the agent's own program instead of its nodes' */
    const char *version;
    const char *to_sha256; /* "": there is no build for it */
    const char *from_version;
    const char *from_sha256;
    const struct rollout_member *member;
};

/* Every fact but taken, which no agent knows. */
void rollout_facts_of(const struct agent_view *agent, const struct rollout_part *part,
                      struct rollout_facts *out);

/* The agent's words about why it does not get on: about its latest grant, else about fetching
 * ahead; "" when it has none. Valid as long as the report. */
const char *rollout_facts_reason(const struct agent_view *agent, const struct rollout_part *part);
const char *rollout_facts_diagnosis(const struct agent_view *agent,
                                    const struct rollout_part *part);
