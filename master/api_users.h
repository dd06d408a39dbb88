/* REST handlers for users of the console. On the HTTP server's threads. */
#pragma once

#include "lib/http_server.h"

void api_users_list(struct http_request *r);
void api_users_invite(struct http_request *r);
void api_users_remove(struct http_request *r);
