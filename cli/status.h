/* The grid at a glance: what `status` says. Pure. */
#pragma once

#include "cli/answers.h"
#include "cli/output.h"

/* The lines above "Next:"; url is the one that was asked. */
void status_text(const struct answer_summary *s, const char *url, const struct output_style *style,
                 struct text *out);

/* The most useful next command for this grid. */
const char *status_next(const struct answer_summary *s);
