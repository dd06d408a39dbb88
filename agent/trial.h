/* What agent and launcher tell each other about a new build of the agent, in STATE/agent:
 *
 *   trial/build   the build on trial, by name: the agent writes it before the switch and removes it
 *                 when the build is proven; until then the launcher counts every start
 *   trial/log     what that build said, by the launcher
 *   failed        the build that the launcher gave up last, when and why
 *
 * directory is STATE/agent. Blocks on disk; one thread. */
#pragma once

#include "agent/builds.h"
#include "lib/text.h"

#define TRIAL_REASON_SIZE 160

/* Begins a trial with an empty log, and forgets what was given up. The same call again is fine. */
MUST_CHECK bool trial_begin(const char *directory, const char *build, struct err *e);
MUST_CHECK bool trial_end(const char *directory, struct err *e);
bool trial_of(const char *directory, const char *build);

/* A descriptor that appends to the log; -1 on error. */
MUST_CHECK int trial_log(const char *directory, struct err *e);

/* Appends the last whole lines of the log, at most max_bytes of them. */
void trial_words(const char *directory, size_t max_bytes, struct text *out);

/* Moves what was said since *place, at most 64 KiB of it, to fd; keeps the log short. */
void trial_relay(const char *directory, int64_t *place, int fd);

MUST_CHECK bool trial_give_up(const char *directory, const char *build, const char *reason,
                              struct err *e);

/* Whether the launcher gave this build up, and its reason. */
bool trial_given_up(const char *directory, const char *build, char reason[TRIAL_REASON_SIZE]);
