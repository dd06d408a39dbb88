/* A machine without its agent: power, disk, and the processes of its nodes. */
#pragma once

#include "tests/sim/world.h"

struct sim_node *machine_node(struct world *w, const struct machine *m, int node);

/* Starts a process of a version whose bytes are there. */
void machine_start(struct world *w, uint32_t agent, int node, int version);
void machine_stop(struct world *w, uint32_t agent, int node, bool at_once);
void machine_process(struct world *w, const struct planned *e); /* SIM_PROCESS */

/* Every node's process works, seen from outside. */
bool machine_works(struct world *w, uint32_t agent);
/* Every node's process is of this version. */
bool machine_runs(struct world *w, uint32_t agent, int version);

void machine_lose_power(struct world *w, uint32_t agent, int64_t for_ms);
void machine_power(struct world *w, uint32_t agent); /* SIM_POWER */

bool machine_can_write(const struct machine *m);
