/* Failed attempts to sign in: counted by address and by name, five a minute, and who is kept out by
 * that. Each failure is an event, some of them told; that somebody is kept out is a row of the
 * audit trail as well: once an hour for each address and name, and at most sixty an hour in all,
 * which say how many others went untold, so that nobody floods what is to be kept for years. Any
 * thread. */
#pragma once

#include "lib/err.h"

#include <stdint.h>

struct lockouts;
struct events;
struct lockouts *lockouts_new(struct events *events); /* never NULL */
void lockouts_free(struct lockouts *l);

struct attempt {
    const char *address, *name;
};

/* ERR_RATE_LIMITED, and *wait_ms. Where somebody of this name has signed in before (since the
 * start) the failures of others with that name do not count. */
MUST_CHECK bool lockouts_check(struct lockouts *l, const struct attempt *by, int64_t now_ms,
                               int64_t *wait_ms, struct err *e);

/* known: the name is a user's. What was typed as another may be a password: it is told nowhere. */
void lockouts_failed(struct lockouts *l, const struct attempt *by, bool known, int64_t now_ms);
/* A wrong invitation: counted by address alone, and no event of its own. */
void lockouts_not_invited(struct lockouts *l, const char *address, int64_t now_ms);

void lockouts_signed_in(struct lockouts *l, const struct attempt *by, int64_t now_ms);
