/* What goes wrong, and is mended again. */
#pragma once

#include "tests/sim/world.h"

void faults_begin(struct world *w);
void faults_event(struct world *w, const struct planned *e); /* SIM_FAULT, SIM_MEND */

/* Everything is mended but disks that died. */
void faults_stop(struct world *w);
