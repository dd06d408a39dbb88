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

/* When log is larger than max_bytes: log.1 becomes its copy and log is cut. Lines written between
 * the two are lost. */
MUST_CHECK bool node_log_rotate(const char *directory, int64_t max_bytes, struct err *e);

/* Appends the last whole lines, at most max_bytes of them, reaching back into log.1. Nothing when
 * there is no log. */
void node_log_tail(const char *directory, size_t max_bytes, struct text *out);
