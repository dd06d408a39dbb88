/* REST handlers for who signs in at the console: setup, login, logout, me, tickets. On the HTTP
 * server's threads. */
#pragma once

#include "lib/http_server.h"

void api_setup(struct http_request *r);
void api_login(struct http_request *r);
void api_logout(struct http_request *r);
void api_me(struct http_request *r);
void api_events_ticket(struct http_request *r);
