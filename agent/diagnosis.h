/* How a node's process came to fail: how it ended, or what it says while it runs, and its last
 * lines. Blocks on disk; the supervisor's thread. */
#pragma once

#include "agent/node.h"

/* Appends at most max_bytes. */
void diagnosis_write(const struct node *n, size_t max_bytes, struct text *out);
