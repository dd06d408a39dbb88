/* HTTP server over CivetWeb: one handler, our route table, roles, deadlines, caps, problem+json
 * (RFC 9457), request ids. Handlers run on the server's worker threads. A request and what its
 * accessors return live until the handler returns. */
#pragma once

#include "lib/err.h"
#include "lib/text.h"

#include <stddef.h>
#include <stdint.h>

enum http_role { HTTP_PUBLIC, HTTP_VIEWER, HTTP_OPERATOR, HTTP_PUBLISHER, HTTP_ADMIN };
const char *http_role_name(enum http_role role); /* "viewer" ... */
MUST_CHECK bool http_role_parse(const char *name, enum http_role *out);

struct http_request;
struct http_server;
typedef void http_handler(struct http_request *r);

struct http_route {
    const char
        *method; /* GET answers HEAD too, unless HEAD has its own row; "WS" accepts a WebSocket */
    const char
        *pattern; /* "/api/agents/:id"; ":name" takes one segment, a last "*name" takes the rest */
    enum http_role role;
    http_handler *handler;   /* NULL for WS */
    int64_t body_max_bytes;  /* 0: no body allowed */
    int64_t body_timeout_ms; /* total for the whole body; 0: the server's default of 30 s */
    const struct http_socket *socket; /* WS only */
};

struct http_server_options {
    const char *address;             /* "127.0.0.1"; "::" takes connections over IPv4 too */
    int port;                        /* 0: the kernel picks one, see http_server_port */
    const char *certificate;         /* PEM file with key and chain: HTTPS, TLS 1.2 and 1.3; read
                                        anew when it was replaced. NULL: plain HTTP */
    const char *client_ca;           /* PEM file: who shows a certificate must have one of this CA;
                                        NULL: none is asked for */
    bool client_certificates;        /* and routes that are not public want to see one */
    int workers;                     /* one per open connection, idle ones too; at most so many */
    int max_connections_per_address; /* 0: no cap. More are answered with 429 and closed; loopback
                                        counts like any address */
    int64_t keep_alive_ms;           /* how long an idle connection stays; 0: 5 s */
    int64_t header_timeout_ms;       /* total for the head of a request; 0: 5 s */
    int64_t stop_timeout_ms;         /* how long http_server_stop lets requests finish; 0: 10 s */
    const struct http_route *routes;
    size_t route_count;
    void *context; /* http_context of every request */
    /* Decides whether the bearer token (or X-API-Key) on r suffices for role, and sets the
     * principal. Called for every route, HTTP_PUBLIC too (a bad token given to a public route is
     * refused as well). NULL: only HTTP_PUBLIC routes answer. */
    bool (*authorize)(struct http_request *r, enum http_role role, struct err *e);
    /* Called once per answered request, after the answer; may be NULL. route is its pattern, or
     * "none". */
    void (*finished)(void *context, const char *method, const char *route, int status,
                     double seconds, int64_t sent_bytes);
};

MUST_CHECK bool http_server_start(struct http_server **out,
                                  const struct http_server_options *options, struct err *e);
int http_server_port(const struct http_server *s);
void http_server_drain(
    struct http_server *s); /* answers "Connection: close" from now on, still serves */
/* Takes no more connections, closes WebSockets (1001) and idle connections, waits for handlers:
 * after stop_timeout_ms their connections are cut, so that what they read and write fails. Frees s.
 */
void http_server_stop(struct http_server *s);
OWN_DEFINE(http_server, struct http_server, http_server_stop)

void *http_context(const struct http_request *r);
const char *http_method(const struct http_request *r);
const char *http_path(const struct http_request *r);    /* decoded */
const char *http_address(const struct http_request *r); /* of the peer, without port */
const char *http_request_id(
    const struct http_request *r); /* X-Request-Id of the client when sane, else made here */
const char *http_param(const struct http_request *r,
                       const char *name); /* of the pattern, decoded; never NULL for one it has */
/* NULL when absent. What is a token or a cookie is wiped, "", once the answer has begun. */
const char *http_header(const struct http_request *r, const char *name);
const char *
http_bearer(const struct http_request *r); /* token of Authorization: Bearer or X-API-Key; NULL */

/* Query parameters, decoded (a '+' stays a '+'); NULL when absent. http_query_only refuses any name
 * outside allowed (NULL-terminated list): ERR_INVALID naming the allowed ones. */
const char *http_query(struct http_request *r, const char *name);
MUST_CHECK bool http_query_only(struct http_request *r, const char *const *allowed, struct err *e);
MUST_CHECK bool http_query_int(struct http_request *r, const char *name, int64_t minimum,
                               int64_t maximum, int64_t initial, int64_t *out, struct err *e);

void http_set_principal(struct http_request *r, const char *principal,
                        enum http_role role);             /* copied */
const char *http_principal(const struct http_request *r); /* "token:<id>", or "anonymous" */
enum http_role http_principal_role(const struct http_request *r);

/* ERR_DENIED when the server wants client certificates and none was shown: for what is behind a
 * public route, and not for everybody. */
MUST_CHECK bool http_require_certificate(const struct http_request *r, struct err *e);

/* What authorize found out besides: the selector of what the principal is good for ("": all), and
 * what names its credential (the principal unless set), for who may have several. Both copied. */
void http_set_scope(struct http_request *r, const char *scope);
const char *http_scope(const struct http_request *r);
void http_set_credential(struct http_request *r, const char *credential);
const char *http_credential(const struct http_request *r);

const struct http_route *http_matched_route(const struct http_request *r);
bool http_is_secure(const struct http_request *r); /* it came over TLS */

/* Body: all of it as text (cap and deadline of the route), or streamed. Sends "100 Continue" when
 * the client waits for it. http_body_length is -1 when chunked. http_body_read: *length 0 means the
 * end; a body cut short is ERR_INVALID. */
MUST_CHECK bool http_body(struct http_request *r, struct text *out, struct err *e);
int64_t http_body_length(const struct http_request *r);
MUST_CHECK bool http_body_read(struct http_request *r, void *out, size_t size, size_t *length,
                               struct err *e);

void http_reply_header(struct http_request *r, const char *name,
                       const char *value); /* before the reply */
void http_reply_json(struct http_request *r, int status, const char *json, size_t length);
void http_reply_text(struct http_request *r, int status, const char *content_type,
                     const char *words, size_t length);
void http_reply_empty(struct http_request *r,
                      int status); /* 204, 304, or an Upload-Offset answer */

/* problem+json from an error: status, code, title, detail, hint, request_id; adds Retry-After for
 * 429 and 503. Errors of 500 and above are logged. */
void http_reply_err(struct http_request *r, const struct err *e);

/* A strong ETag of the JSON body is set, and If-None-Match answered with 304. */
void http_reply_json_etag(struct http_request *r, const char *json, size_t length);

struct http_file {
    const char *path; /* of a regular file that nobody writes to any more */
    const char *content_type;
    const char *etag;          /* without quotes */
    const char *cache_control; /* "public, max-age=31536000, immutable" */
    const char *repr_digest;   /* RFC 9530: "sha-256=:<base64>:"; NULL for none */
    const char *download_name; /* Content-Disposition; NULL for none */
};
/* Range (one range; several are answered with the whole file), If-Range, If-None-Match, HEAD;
 * sendfile. 404 when it cannot be opened. */
void http_reply_file(struct http_request *r, const struct http_file *file);

/* Streams: status and headers first, then pieces; length -1 sends chunked. False when the client is
 * gone. */
MUST_CHECK bool http_stream_begin(struct http_request *r, int status, const char *content_type,
                                  int64_t length);
MUST_CHECK bool http_stream_write(struct http_request *r, const void *bytes, size_t length);
void http_stream_end(struct http_request *r);

struct http_socket_connection;
struct http_socket {
    int64_t ping_ms; /* a silent client is pinged so often and given up after 3 times; 0: 20 s */
    /* Query and headers are readable here; the return value is kept as the connection's state. NULL
     * with *e set refuses. */
    void *(*accept)(struct http_request *r, struct err *e);
    /* The connection may be written to from any thread from now on until closed is called. */
    void (*opened)(struct http_socket_connection *c, void *state);
    void (*message)(struct http_socket_connection *c, void *state, const char *words,
                    size_t length); /* text, at most 64 KiB */
    void (*closed)(struct http_socket_connection *c,
                   void *state); /* the last use of both; frees state */
};
/* Never blocks but when called from a callback of this very connection, which then keeps to the
 * client's pace. False: closing or gone; a client with more than 1 MiB waiting for it is closed too
 * (1008). */
MUST_CHECK bool http_socket_send(struct http_socket_connection *c, const char *words,
                                 size_t length);
void http_socket_close(struct http_socket_connection *c,
                       int code); /* starts closing; closed() follows */

/* The index of the route for method and path (as on the wire, still percent-encoded) or -1; of
 * several the one that says most closely what it takes: literal before ":name" before "*name";
 * *allowed gets the methods that the path would take ("GET, PUT"), "" for none. */
int http_route_match(const struct http_route *routes, size_t count, const char *method,
                     const char *path, char *allowed, size_t allowed_size);
