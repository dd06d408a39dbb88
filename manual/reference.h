/* docs/reference in Markdown, from the tables. Pure. */
#pragma once

#include "cli/command.h"

void reference_gridctl(const struct command_table *t, struct text *out);
void reference_options(struct text *out);
void reference_metrics(struct text *out);
