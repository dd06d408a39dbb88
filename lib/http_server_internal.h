/* Inside lib/http_server*: one server, its workers, the request that a worker answers. */
#pragma once

#include "lib/http_chunked.h"
#include "lib/http_pace.h"
#include "lib/http_route.h"
#include "lib/http_server.h"
#include "lib/http_server_civetweb.h"
#include "lib/http_server_tls.h"
#include "lib/http_wire.h"
#include "lib/rate.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>

#define HTTP_ADDRESS_SIZE 48
#define HTTP_REQUEST_ID_SIZE 65
#define HTTP_PRINCIPAL_SIZE 128
#define HTTP_CREDENTIAL_SIZE 40

#define HTTP_SEND_STALL_MS 30000 /* a client that takes no byte for this long is gone */
#define HTTP_LINGER_MS 2000      /* for a client to read why its upload was refused */
#define HTTP_BODY_TIMEOUT_MS 30000
#define HTTP_REQUESTS_PER_CONNECTION 10000

/* A thread of CivetWeb and the one connection it serves. */
struct http_worker {
    struct http_server *server;
    int64_t requests;         /* own thread: on this connection */
    int64_t waiting_since_ms; /* accepted, or the last request answered */
    int socket;               /* -1: no connection */
    bool busy;                /* a request is being answered */
    bool leaving;             /* its client was sent away and is not gone yet */
    char address[HTTP_ADDRESS_SIZE];
    struct http_pace pace; /* of the request; only the own thread writes */
    struct http_socket_connection *web_socket;
};

struct http_server {
    struct http_server_options options;
    struct mg_context *civetweb;
    struct http_tls *tls; /* NULL: plain HTTP */
    int port;
    char startup_trouble[160]; /* CivetWeb's last words while it starts */
    char request_prefix[9];
    atomic_uint_fast64_t request_number;
    atomic_bool started;
    atomic_bool draining;
    atomic_bool stopping;
    atomic_size_t workers_started;
    size_t worker_count;
    struct http_worker *workers;
    /* Guards what follows, and of workers what stands behind requests. */
    pthread_mutex_t lock;
    pthread_cond_t quiet; /* busy_count became 0 */
    size_t busy_count;
    size_t connected_count;
    size_t workers_begun; /* of worker_count; more begin before all of them are taken */
    bool growing;         /* a worker is beginning some */
    bool lacks_workers;   /* the last one that should have begun could not */
    size_t leaving_count;
    struct rate_bucket words; /* of CivetWeb for the log */
    unsigned words_unsaid;
};

enum http_body_kind { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED };

struct http_body_state {
    enum http_body_kind kind;
    int64_t length; /* announced; -1 when chunked */
    int64_t received;
    int64_t deadline_ms;   /* 0: reading has not begun */
    bool expects_continue; /* the client waits for the interim answer */
    bool ended;
    bool failed;
    struct http_chunked chunked;
};

enum http_stream_kind {
    HTTP_STREAM_NONE,
    HTTP_STREAM_LENGTH,
    HTTP_STREAM_CHUNKED,
    HTTP_STREAM_RAW
};

struct http_request {
    struct http_server *server;
    struct http_worker *worker;
    struct mg_connection *connection;
    const struct mg_request_info *info;
    struct http_wire wire;
    int64_t started_us;
    char id[HTTP_REQUEST_ID_SIZE];
    struct text path;
    struct text query;
    struct http_query_pair *pairs; /* of query; NULL without one */
    size_t pair_count;
    const struct http_route *route; /* NULL: none matched */
    struct text parameters;
    char principal[HTTP_PRINCIPAL_SIZE];
    enum http_role role;
    struct text scope;
    char credential[HTTP_CREDENTIAL_SIZE]; /* "": the principal */
    struct http_body_state body;
    struct text headers; /* lines that the handler adds to its answer */
    int status;          /* 0: not answered yet */
    int64_t sent_bytes;
    bool close; /* decided before the answer: the connection ends with it */
    bool keep;  /* told to the client: the connection stays open */
    bool gone;  /* the client cannot be written to */
    enum http_stream_kind stream;
    int64_t stream_left;
};

/* http_server_room.c */
/* When few workers are left, the client that keeps one waiting for a request the longest, but for
 * the newest (may be NULL), has to go, so that silent and slow clients, however many, keep nobody
 * out. Without such a client it is the one that takes its answer, or gives its body, the slowest.
 * Lock held. */
void http_make_room(struct http_server *s, const struct http_worker *newest);
/* For a worker that waits for its client: now and then notes how far that has come, and has slow
 * clients go when few workers are left. */
void http_watch_pace(struct http_worker *worker, short awaited);
bool http_is_crowded(struct http_server *s); /* a connection without a request is in the way */
/* Whether a connection may keep its worker for as long as the client likes. */
bool http_may_hold_worker(struct http_server *s);

/* http_server_admit.c */
/* Too many connections from this address: answers and ends this one. */
void http_refuse_crowd(const struct http_server *s, int socket);
/* Agrees on keys and reads the head of the first request, both within header_timeout_ms. */
void http_begin_tls(struct http_worker *worker, struct mg_connection *connection);

/* http_server_dispatch.c */
/* From the head to the end of the answer; info is not CivetWeb's own where its parser failed. */
void http_request_begin(struct http_request *r, struct mg_connection *connection,
                        const struct mg_request_info *info);
void http_request_serve(struct http_request *r); /* checks it, finds its route, has it answered */
void http_request_end(struct http_request *r);

/* http_server_head.c */
/* 0 when the head is framed as RFC 9112 wants it and nothing in it could mean two things; else the
 * status to refuse it with, and *reason. Sets body. Trims white space behind values. */
int http_head_check(struct http_request *r, const char **reason);

/* http_server_connection.c */
enum http_receive_result { HTTP_RECEIVED, HTTP_RECEIVE_END, HTTP_RECEIVE_LATE };
/* At least one byte, or why not, by the monotonic deadline. */
enum http_receive_result http_receive(struct http_request *r, void *out, size_t size,
                                      int64_t deadline_ms, size_t *length);
/* All of the parts (it changes them); false, and r->gone, when the client is gone or takes nothing
 * for HTTP_SEND_STALL_MS. more: further bytes follow at once. */
MUST_CHECK bool http_send(struct http_request *r, struct iovec *parts, size_t count, bool more);
MUST_CHECK bool http_send_file(struct http_request *r, int file, int64_t offset, int64_t length);
/* Ends our direction, then reads what still comes for a while: a close with unread bytes would
 * reset the connection, and the client would never see the answer. */
void http_linger(struct http_request *r);
/* What the kernel still holds for a client that is gone goes with the socket, not minutes later. */
void http_drop_unsent(const struct http_request *r);

/* http_server_body.c */
/* True when nothing of the body is missing, or what is missing was already here and is dropped. */
bool http_body_skip(struct http_request *r);

/* http_server_reply.c */
const char *http_status_phrase(int status);
bool http_is_head(const struct http_request *r);
bool http_has_reply_header(const struct http_request *r, const char *name);
/* Status line and headers, all but the empty line at the end; decides r->keep. */
void http_reply_head(struct http_request *r, int status, struct text *out);
/* problem+json with a status of its own, for what no err_code stands for; closes. */
void http_refuse(struct http_request *r, int status, const char *detail);

/* http_server_socket.c */
bool http_wants_socket(const struct http_request *r); /* asks for an upgrade to a WebSocket */
void http_socket_serve(struct http_request *r);       /* returns when the conversation has ended */
