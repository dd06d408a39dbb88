/* Completion of the shell's line: tables made of the command table, and behind them the script of
 * cli/shell that reads them. Pure. */
#pragma once

#include "cli/command.h"

/* Append a script to source or to install. Ids and versions come from the master as they are asked
 * for, within two seconds and silently. */
void completion_bash(const struct command_table *t, struct text *out);
void completion_zsh(const struct command_table *t, struct text *out);
