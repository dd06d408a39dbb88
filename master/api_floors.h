/* REST handlers of /api/floors. On the HTTP server's threads. */
#pragma once

#include "lib/http_server.h"

void api_floors_list(struct http_request *r);
void api_floors_set(struct http_request *r);
void api_floors_remove(struct http_request *r);
