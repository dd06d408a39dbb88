/* People who give orders, at random, sensible ones and others. */
#pragma once

#include "tests/sim/world.h"

void operators_begin(struct world *w);
/* This rollout has just given somebody leave. */
void operators_granted(struct world *w, int number);
void operators_event(struct world *w, const struct planned *e); /* SIM_OPERATE */
void operators_look_after(
    struct world *w); /* when faults have stopped: what waits for them goes on */
