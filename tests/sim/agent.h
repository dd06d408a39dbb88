/* The agent's process: what agent/supervise.c and agent/link.c do with the decisions of
 * agent/reconcile.h and agent/link_state.h, and what they keep on disk. */
#pragma once

#include "tests/sim/world.h"

/* Begins with what is on disk; every node's process has to be examined first. */
void agent_start(struct world *w, uint32_t agent);
/* Forgets what was not durable. again: it is started anew after a moment. */
void agent_die(struct world *w, uint32_t agent, bool again);

void agent_take(struct world *w, const struct planned *e, const struct message *m);
void agent_event(struct world *w, const struct planned *e); /* all of its other kinds */

/* A node's process has taken another state: it ended, or the next health check will tell. */
void agent_process_changed(struct world *w, uint32_t agent, int node);

/* The version was tried on this very order and given up. */
bool agent_gave_up(const struct machine *m);

/* Something that it looks at has changed. */
void agent_wake(struct world *w, uint32_t agent);
