/* Between master/rollout_plan.c and rollout_plan_words.c. */
#pragma once

#include "master/rollout_plan.h"

/* Appends the sentences to plan->words. */
void rollout_plan_explain(struct rollout_plan *plan, const struct rollout *draft,
                          const char *const *domains, size_t domain_count);
