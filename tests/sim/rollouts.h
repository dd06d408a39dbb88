/* The master's rollouts: rows, facts, steps, orders. */
#pragma once

#include "tests/sim/world.h"

/* NULL for number 0. */
struct sim_rollout *rollout_find(struct world *w, int number);
void rollout_clear(struct sim_rollout *r);

struct sim_request {
    uint8_t target;
    uint64_t domains;
    int32_t modulo, remainder;
    bool supersede, override;
    int64_t window_ms;
    struct rollout_policy policy;
};
/* 0 when it is refused. */
int rollouts_start(struct world *w, const struct sim_request *request);
/* Whether the shell takes the order at all: of a rollout that is over only where no newer one has
 * touched its agents. */
bool rollouts_may(struct world *w, int number, enum rollout_event order);
bool rollouts_order(struct world *w, int number, enum rollout_event order);

void rollouts_tick_all(struct world *w);
void rollouts_load(struct world *w, int64_t quiet_ms); /* the master has started */
void rollouts_greet(struct world *w, uint32_t agent);  /* a machine that joined: a late joiner? */
