/* Upkeep: what nobody asks for, but must not grow old. Reports get to the database, metadata and
 * certificates are renewed, the audit trail is signed, what has had its time is dropped. One
 * thread. */
#pragma once

#include "master/master.h"

#define UPKEEP_TICK_MS 100

struct upkeep {
    struct master *master;
    unsigned ticks;
    bool bus_told; /* that the bus shows another certificate than the file holds */
};

void upkeep_tick(struct upkeep *u); /* each UPKEEP_TICK_MS; blocks on disk */

/* Signs the newest row of the audit trail when that is due; now: when it is not signed yet. */
void upkeep_sign_audit(struct master *m, bool now);
