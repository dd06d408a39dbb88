/* When something was decided. What an agent should run follows the newest decision, be it a channel
 * that was pointed elsewhere or a rollout that ended: their times have to keep their order,
 * whatever the wall clock does. */
#pragma once

#include "lib/db.h"

/* The wall clock, or the moment after the newest decision that the database knows, when the clock
 * was put back behind it. Inside the transaction that writes the decision. */
MUST_CHECK bool decided_now(struct db_connection *c, int64_t *out_ms, struct err *e);
