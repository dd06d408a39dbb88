/* Completion of the shell's line, made of the command table. Pure. */
#pragma once

#include "cli/command.h"

/* Appends a script for bash; zsh runs it through its bashcompinit. Ids come from the master as they
 * are asked for. */
void completion_script(const struct command_table *t, bool zsh, struct text *out);
