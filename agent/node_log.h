/* A node's log: the file that its standard output and error append to. It outlives agent and node,
 * and is rotated by copying and cutting, because the node keeps it open. Any thread; blocks on
 * disk. */
#pragma once

#include "lib/err.h"
#include "lib/text.h"

#include <stdint.h>

#define NODE_LOG_MAX_BYTES (4 * 1024 * 1024)

/* Opens directory/log for appending; -1 on error. */
MUST_CHECK int node_log_open(const char *directory, struct err *e);

/* Places in the log count from the first byte of log; negative ones lie so far back in log.1. */
#define NODE_LOG_ALL INT64_MIN
int64_t node_log_end(const char *directory);

/* When log is larger than max_bytes: log.1 becomes its copy and log is cut. Lines written between
 * the two are lost. *cut_bytes, 0 when nothing was done, is by how much every place has moved. */
MUST_CHECK bool node_log_rotate(const char *directory, int64_t max_bytes, int64_t *cut_bytes,
                                struct err *e);

/* Appends the last whole lines since the place begin, at most max_bytes of them, reaching back into
 * log.1. Nothing when there is no log. */
void node_log_tail(const char *directory, int64_t begin, size_t max_bytes, struct text *out);
