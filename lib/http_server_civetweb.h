/* Inside lib/http_server*: what CivetWeb knows of a connection and its API does not tell. Only the
 * connection's own worker thread may call these. */
#pragma once

#include <civetweb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ssl_st; /* SSL of OpenSSL */

/* mg_start2, but of num_threads workers only so many begin. */
struct mg_context *civetweb_start(struct mg_init_data *init, struct mg_error_data *error,
                                  size_t workers);

/* Starts one of the others; each once, by a worker that runs. */
bool civetweb_start_worker(const struct mg_connection *by, size_t index);

/* The connected, non-blocking socket. */
int civetweb_socket(const struct mg_connection *c);

const char *civetweb_address(const struct mg_connection *c); /* of the peer */

/* The head of the request in its buffer, split in place by NULs; begin + length is what follows. */
const char *civetweb_head(const struct mg_connection *c, size_t *length);

/* True when the head fills the whole buffer without ending. */
bool civetweb_head_overflows(const struct mg_connection *c);

/* Bytes read together with the head, or by civetweb_fill, that nobody has taken yet. */
size_t civetweb_unread(const struct mg_connection *c, const char **bytes);
void civetweb_take(struct mg_connection *c, size_t length);

/* Where further bytes may be read to once nothing is unread; civetweb_filled tells how many came.
 * What of them is not taken becomes the beginning of the next request. */
size_t civetweb_room(struct mg_connection *c, char **target);
void civetweb_filled(struct mg_connection *c, size_t length);

/* What was taken was the body: the next request begins behind it. */
void civetweb_end_body(struct mg_connection *c);

/* Wipes what of the request may be a secret: the tokens and cookies of its head, and of its body
 * what was taken from the buffer. CivetWeb itself still reads the rest of the head. */
void civetweb_forget_request(struct mg_connection *c);

/* Wipes all that the connection left in the buffer, which the thread's next one gets. */
void civetweb_forget(const struct mg_connection *c);

/* Whether client, version and configuration let the connection stay open. */
bool civetweb_keeps_alive(const struct mg_connection *c);

/* TLS that was agreed upon; closed and freed with the connection. */
void civetweb_set_tls(struct mg_connection *c, struct ssl_st *tls);
struct ssl_st *civetweb_tls(const struct mg_connection *c); /* NULL: none */

/* Reads what CivetWeb will take for the head of the first request, which it would otherwise give a
 * time of its own. False when the monotonic deadline came first. */
bool civetweb_read_head(struct mg_connection *c, int64_t deadline_ms);

/* Wakes the accepting thread, so that mg_stop need not wait for its next look at the flag. */
void civetweb_stop_listening(const struct mg_context *c);
