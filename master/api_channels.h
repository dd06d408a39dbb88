/* REST handlers of /api/channels. On the HTTP server's threads. */
#pragma once

#include "lib/http_server.h"

void api_channels_list(struct http_request *r);
void api_channels_set(struct http_request *r);
