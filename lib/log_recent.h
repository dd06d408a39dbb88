/* The last lines of this program's own log in memory, for whoever asks over the network. Any
 * thread. */
#pragma once

#include "lib/text.h"

/* Keeps at most this many bytes of lines from now on; once, before threads start. Without it
 * nothing is kept. */
void log_recent_keep(size_t max_bytes);

/* Appends the last whole lines, at most max_bytes of them. */
void log_recent(size_t max_bytes, struct text *out);

/* For lib/log.c: a line with its end. */
void log_recent_add(const char *line, size_t length);
