/* What must hold whatever happens: checked after every event on what it touched, and on the whole
 * world each virtual second. The numbers are the model's own, never the engine's. */
#pragma once

#include "tests/sim/world.h"

#define RULES_NOBODY UINT32_MAX

/* The machine is about to start a process with this version. */
void rules_started(struct world *w, uint32_t agent, int version);
/* The agent begins to move nodes to this version. */
void rules_moving(struct world *w, uint32_t agent, int version);
/* The agent calls this version proven. */
void rules_committed(struct world *w, uint32_t agent, int version);
/* Something about the machine has changed. */
void rules_look_at(struct world *w, uint32_t agent);

/* The master's side. */
void rules_desired(struct world *w, uint32_t agent);
void rules_began(struct world *w, struct sim_rollout *r);
void rules_stepped(struct world *w, struct sim_rollout *r, enum rollout_state before);
/* A member changed that is about to be written. */
void rules_judge_member(struct sim_rollout *r, size_t index);
void rules_ordered(struct world *w, struct sim_rollout *r, enum rollout_event order);
/* The master has lost its memory; what it will read has to be what it knew. */
void rules_reload(struct world *w, const struct sim_rollout *r);

void rules_look(struct world *w);

/* In rules_rollout.c, for rules.c. */
void rules_judge_step(struct world *w, struct sim_rollout *r, enum rollout_state before);
void rules_judge_deadlines(struct world *w, const struct sim_rollout *r);

/* Whether everything has come to rest where it should. False: why names what has not, *agent whom
 * it concerns (or RULES_NOBODY). */
bool rules_at_rest(struct world *w, uint32_t *agent, char *why, size_t size);

void rules_break(struct world *w, uint32_t agent, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
