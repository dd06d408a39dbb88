/* REST handlers of /api/trust: who may sign what agents run. On the HTTP server's threads. */
#pragma once

#include "lib/http_server.h"

void api_trust_get(struct http_request *r);
void api_trust_root(struct http_request *r);
void api_trust_targets(struct http_request *r);
void api_trust_rotate(struct http_request *r);
