/* Which build to start: current, or the one before when current cannot be executed or was started
 * in vain too often. Blocks on disk; one launcher at a time. */
#pragma once

#include "agent/launcher/starts.h"

struct choice {
    char directory[PATH_MAX]; /* STATE/agent */
    char program[PATH_MAX];   /* of the build that starts.build names */
    struct starts starts;
    char last_end[64]; /* of an agent that this launcher started, "" for none */
};

/* Settles on the build to start next. *went_back: it is another one than before, because that
 * failed; the reason is kept in STATE/agent/failed. ERR_NOT_FOUND, ERR_DENIED, ERR_CORRUPT, ERR_IO:
 * there is none. */
MUST_CHECK bool choose(struct choice *c, bool *went_back, struct err *e);

/* A full disk must not keep the agent from starting: counting then goes on in memory. */
void choose_save(const struct choice *c);
