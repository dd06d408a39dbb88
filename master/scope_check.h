/* Whether what a request is about lies within its principal's scope. On the HTTP server's threads.
 */
#pragma once

#include "lib/http_server.h"
#include "master/agents.h"
#include "master/rollouts.h"

/* By the rule of the matched route. ERR_DENIED names the scope; what may only not be seen is
 * ERR_NOT_FOUND, like what is not there. */
MUST_CHECK bool scope_check(struct http_request *r, struct err *e);

/* Whether there is an agent of this id within scope. */
bool scope_has_agent(struct agents *agents, const char *agent_id, const char *scope);

/* Whether the rollout of this number is shown within scope; "" shows all, those that are not there,
 * too. */
bool scope_has_rollout(struct rollouts *rollouts, int64_t number, const char *scope);

/* ERR_DENIED: needs somebody without a scope. */
bool scope_refuse(const struct http_request *r, struct err *e);
