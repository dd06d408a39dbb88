/* When and how long to wait before trying again: doubling from 1 s to 30 s with jitter, five times
 * without headway. */
#pragma once

#include "lib/err.h"

#include <stdint.h>

struct retry {
    int attempts;
};
#define RETRY_BEGIN                                                                                \
    { .attempts = 0 }

/* Whether a failure may be over soon: the network, an overloaded or restarting master. A status
 * below 400 means that the call itself failed, maybe behind an interim or in a cut answer. Pure. */
bool retry_worthwhile(enum err_code code, int status);

/* Milliseconds until the next attempt, at least what the master asked for; -1 when it was tried
 * often enough. */
int64_t retry_next(struct retry *r, int64_t retry_after_s);
void retry_wait(int64_t ms);
