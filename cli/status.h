/* The grid at a glance: what `status` says. Pure. */
#pragma once

#include "cli/answers.h"
#include "cli/output.h"
#include "cli/rollout_answers.h"

/* The lines above "Next:"; url is the one that was asked. */
void status_text(const struct answer_summary *s, const char *url, const struct output_style *style,
                 struct text *out);

/* A line for each rollout that may still move agents. */
void status_rollouts(const struct answer_rollout *rollouts, size_t count,
                     const struct output_style *style, struct text *out);

/* "Next: ...": one of these rollouts that stands still comes first, then whatever else is wrong,
 * then watching one. */
void status_add_next(const struct answer_summary *s, const struct answer_rollout *rollouts,
                     size_t count, struct text *out);

/* The most useful next command for this grid, rollouts aside. */
const char *status_next(const struct answer_summary *s);
