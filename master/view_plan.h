/* What a rollout would do, as REST shows it. */
#pragma once

#include "master/rollout_plan.h"
#include "master/rollouts.h"

/* An agent whose nodes do not want to stop now. */
struct plan_veto {
    char agent_id[WIRE_AGENT_ID_SIZE];
    char reason[256];
};

/* Appends the JSON object. vetoes: of any agents, by id; those that the rollout would move are
 * shown. conflict: why it would be refused; its code is ERR_NONE when it would not. */
void view_plan(const struct rollout_view *v, const struct rollout_plan *plan,
               const struct plan_veto *vetoes, size_t veto_count, const struct err *conflict,
               struct text *out);
