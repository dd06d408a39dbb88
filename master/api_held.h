/* REST handlers of /api/binaries/held. On the HTTP server's threads. */
#pragma once

#include "lib/http_server.h"

void api_held_list(struct http_request *r);
void api_held_approve(struct http_request *r);
void api_held_discard(struct http_request *r);
