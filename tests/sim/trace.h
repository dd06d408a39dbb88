/* The last things that happened to each agent, told when a rule is broken. */
#pragma once

#include "tests/sim/world.h"

void trace_event(struct world *w, const struct planned *e);
void trace_dump(struct world *w, uint32_t agent);
void trace_rollout(struct world *w, const struct sim_rollout *r, const char *verb);
void trace_rollouts(struct world *w); /* once a minute */
