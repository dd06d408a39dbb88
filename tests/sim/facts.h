/* What the master knows of a rollout's members, through master/rollout_facts.h. */
#pragma once

#include "tests/sim/world.h"

/* Looks again at members of which anything has changed since the last look. */
void facts_fill(struct world *w, struct sim_rollout *r);
