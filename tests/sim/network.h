/* Messages on their way: delayed, lost, doubled, overtaken, held back by partitions. */
#pragma once

#include "tests/sim/world.h"

void network_init(struct network *n);
void network_fini(struct network *n);

/* Sends a copy of *m on its way to the master (or to the agent). */
void network_send(struct world *w, uint32_t agent, bool to_master, const struct message *m);

/* Takes the message of an event off the network. False when a partition holds it back by now. */
bool network_arrive(struct world *w, const struct planned *e, struct message *out);
