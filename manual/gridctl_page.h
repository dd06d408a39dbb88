/* Man pages of gridctl: gridctl(1), and one for each noun that has verbs. Pure. */
#pragma once

#include "cli/command.h"

void gridctl_page(const struct command_table *t, const char *date, struct text *out);
void gridctl_page_noun(const struct command_table *t, const struct command_noun *noun,
                       const char *date, struct text *out);
