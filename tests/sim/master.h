/* The master: who is there, what each agent should run, rollouts, and what a restart leaves. The
 * shell around master/rollout.h and master/desired.h. */
#pragma once

#include "tests/sim/world.h"

void master_init(struct world *w);
void master_fini(struct world *w);

void master_take(struct world *w, uint32_t agent, const struct message *m);
void master_event(struct world *w,
                  const struct planned *e); /* SIM_PARK_END, SIM_TICK, SIM_MASTER_UP */

void master_crash(struct world *w, int64_t for_ms);

/* A machine joins, is removed, pinned (0: unpinned), drained. */
void master_join(struct world *w, uint32_t agent);
void master_remove(struct world *w, uint32_t agent);
void master_pin(struct world *w, uint32_t agent, int version);
void master_drain(struct world *w, uint32_t agent, bool draining);
void master_point_channel(struct world *w, int version);

/* What the agent should do is chosen again and, when it is something else, told. */
void master_choose(struct world *w, uint32_t agent);
void master_choose_all(struct world *w);

int64_t master_wall_ms(const struct world *w);
