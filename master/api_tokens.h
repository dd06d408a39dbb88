/* REST handlers for tokens. On the HTTP server's threads. */
#pragma once

#include "lib/http_server.h"

void api_tokens_create(struct http_request *r);
void api_tokens_list(struct http_request *r);
void api_tokens_revoke(struct http_request *r);
