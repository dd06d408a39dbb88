/* Follows a rollout to its end: live on a terminal, a line per change elsewhere, both on stderr;
 * nothing with -o json and -o name. */
#pragma once

#include "cli/invocation.h"

/* GET /api/rollouts/{id}, decoded; the newest one when id is "". ERR_NOT_FOUND when there is none.
 */
struct rollout_scene;
struct http_answer;
MUST_CHECK bool rollout_fetch(struct invocation *call, const char *id, struct http_answer *answer,
                              struct rollout_scene *out, struct err *e);

/* Its agents, all of them or, of a large one and when all is false, those in flight or in trouble.
 */
MUST_CHECK bool rollout_fetch_agents(struct invocation *call, struct rollout_scene *s, bool all,
                                     struct err *e);

/* Waits until it has ended and prints how: on stdout, as -o asks. Exit code 0 when it ended as
 * `wanted` ("completed", "reverted"), else 7. ERR_TIMEOUT after --timeout. Ctrl-C leaves it alone
 * and says how to watch again. A master that is away is waited for. */
MUST_CHECK bool rollout_watch(struct invocation *call, const char *id, const char *wanted,
                              struct err *e);
