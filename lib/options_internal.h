/* What the sources of lib/options.h share. */
#pragma once

#include "lib/options.h"

/* Stores value, given as text, in the entry's field; a list gets it as one more item. origin
 * ("--http", "HTTP_PORT", "agent.conf:3: nodes") begins the error text, which never repeats what
 * may be a secret: ERR_USAGE. */
MUST_CHECK bool options_store(const struct option_entry *entry, const char *value,
                              const char *origin, void *settings, struct err *e);

/* Empties a list before a source of higher precedence fills it; other types stay, they will be
 * overwritten. */
void options_empty_list(const struct option_entry *entry, void *settings);

/* Stores every key of the file. Errors carry its name and line; a file that cannot be read is
 * err_errno's. */
MUST_CHECK bool options_file_read(const struct options *o, const char *path, void *settings,
                                  struct err *e);
