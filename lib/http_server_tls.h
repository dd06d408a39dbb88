/* Inside lib/http_server*: what a server shows and asks of its clients before a connection is
 * theirs. Any thread. */
#pragma once

#include "lib/err.h"
#include "lib/http_server.h"

#include <openssl/types.h>

struct http_tls;

/* Reads the files that the options name, and later what they are replaced by. */
MUST_CHECK bool http_tls_open(struct http_tls **out, const struct http_server_options *options,
                              struct err *e);
void http_tls_close(struct http_tls *t); /* NULL is fine */

enum http_tls_result {
    HTTP_TLS_AGREED,
    HTTP_TLS_PLAIN, /* the client speaks something else; nothing was read */
    HTTP_TLS_FAILED
};

/* Agrees on keys with the client of a non-blocking socket by the monotonic deadline; *out is the
 * caller's then. A client that says nothing costs no memory. */
enum http_tls_result http_tls_accept(struct http_tls *t, int socket, int64_t deadline_ms,
                                     SSL **out);
