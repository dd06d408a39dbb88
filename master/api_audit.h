/* REST handlers of /api/audit. On the HTTP server's threads. */
#pragma once

#include "lib/http_server.h"

void api_audit_list(struct http_request *r);
void api_audit_points(struct http_request *r);
