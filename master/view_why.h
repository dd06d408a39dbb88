/* Why an agent runs what it runs, as REST explains it. Encoded while things are locked: nothing
 * here blocks. */
#pragma once

#include "master/agents.h"
#include "master/rollouts.h"

/* Where the agent stands in a rollout that may still move it. number 0: in none. */
struct why_rollout {
    int64_t number;
    enum rollout_state state;
    enum rollout_cause hold;
    char reason[256]; /* of the rollout */
    enum rollout_member_state member;
    char member_reason[256];
};

/* Whether this rollout has to do with the agent; if so it fills *out. */
bool view_why_rollout(const struct rollout_view *v, const char *agent_id, struct why_rollout *out);

/* One of the two artifacts that the master decides about for an agent. */
struct why_subject {
    struct desired_choice choice;
    struct why_rollout rollout;
};
void view_why(const struct agent_view *v, const struct why_subject *storage_server,
              const struct why_subject *grid_agent, struct text *out);
