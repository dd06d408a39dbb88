/* People who give orders, at random, sensible ones and others. */
#pragma once

#include "tests/sim/world.h"

void operators_begin(struct world *w);
void operators_event(struct world *w, const struct planned *e); /* SIM_OPERATE */
void operators_look_after(
    struct world *w); /* when faults have stopped: what waits for them goes on */
