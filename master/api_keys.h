/* REST handlers of /api/keys. On the HTTP server's threads. */
#pragma once

#include "lib/http_server.h"

void api_keys_list(struct http_request *r);
void api_keys_trust(struct http_request *r);
void api_keys_distrust(struct http_request *r);
void api_keys_release(struct http_request *r);
void api_keys_master(struct http_request *r); /* the .pub file, for everybody */
