/* REST handlers for agents and their nodes. On the HTTP server's threads. */
#pragma once

#include "lib/http_server.h"

void api_agents_list(struct http_request *r);
void api_agents_get(struct http_request *r);
void api_agents_patch(struct http_request *r);
void api_agents_delete(struct http_request *r);
void api_agents_approve(struct http_request *r);
void api_agents_revoke(struct http_request *r);
void api_agents_drain(struct http_request *r);
void api_agents_resume(struct http_request *r);
void api_agents_why(struct http_request *r);
void api_agents_logs(struct http_request *r);

void api_nodes_list(struct http_request *r);
void api_nodes_get(struct http_request *r);
void api_nodes_restart(struct http_request *r);
void api_nodes_logs(struct http_request *r);
