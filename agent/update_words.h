/* The words of an update in a report: of the nodes' version, of the agent's own. Pure. */
#pragma once

#include "lib/err.h"
#include "lib/wire.h"

void update_set_state(struct wire_update *u, const char *state);
void update_set_cause(struct wire_update *u, const char *cause);
void update_set_reason(struct wire_update *u, const char *format, ...) PRINTF_LIKE(2, 3);

/* State, code, reason and cause at once. */
void update_set_failure(struct wire_update *u, const struct err *why, const char *cause);
