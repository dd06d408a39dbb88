/* /api/rollouts: moving sets of agents to a version. */
#pragma once

#include "lib/http_server.h"

void api_rollouts_list(struct http_request *r);
void api_rollouts_start(struct http_request *r);
void api_rollouts_plan(struct http_request *r);
void api_rollouts_get(struct http_request *r);
void api_rollouts_agents(struct http_request *r);
void api_rollouts_pause(struct http_request *r);
void api_rollouts_resume(struct http_request *r);
void api_rollouts_promote(struct http_request *r);
void api_rollouts_stop(struct http_request *r);
void api_rollouts_rollback(struct http_request *r);
