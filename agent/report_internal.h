/* Between the parts of agent/report.h. */
#pragma once

#include "agent/report.h"

/* Lines become one sentence. NULL: none. */
void report_flatten(const char *lines, char *out, size_t size);

/* Why nothing moves, when something should: reason and cause. */
void report_hold(const struct report_input *in, struct wire_update *u);
