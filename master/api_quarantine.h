/* REST handlers of /api/quarantine. On the HTTP server's threads. */
#pragma once

#include "lib/http_server.h"

void api_quarantine_list(struct http_request *r);
void api_quarantine_get(struct http_request *r);
void api_quarantine_lift(struct http_request *r);
