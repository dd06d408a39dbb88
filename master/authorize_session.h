/* Requests of browsers: what a cookie opens, and from where. On the HTTP server's threads. */
#pragma once

#include "lib/http_server.h"

/* When r brings the cookie of a session: its principal, role and scope. No cookie, or one of a
 * session that has ended, is as if there were none. Then and where people sign in, requests have to
 * be our own pages' ones: ERR_DENIED. */
MUST_CHECK bool session_authenticate(struct http_request *r, struct err *e);

/* Ends the session that r brings the cookie of, with its WebSockets; true when there is none. */
MUST_CHECK bool session_drop(struct http_request *r, struct err *e);

/* Has the browser keep this cookie; "": none any more. */
void session_set_cookie(struct http_request *r, const char *cookie);
