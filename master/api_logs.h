/* Live logs of machines as plain text: ?lines=N (1 to 2000, default 200). */
#pragma once

#include "lib/http_server.h"

void api_logs_reply(struct http_request *r, const char *agent_id, const char *node_id);
