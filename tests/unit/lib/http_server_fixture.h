/* A server whose routes show what a request brought and what an answer can be. */
#pragma once

#include "tests/unit/lib/http_fixture.h"

/* What handlers saw; a test reads it after it has the answer. */
static struct {
    atomic_int handled;
    atomic_int finished;
    char method[16];
    char route[64];
    int status;
    int64_t sent_bytes;
    pthread_mutex_t lock; /* guards the fields above but the first two, and released */
    pthread_cond_t change;
    bool released;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};

static inline void note_finished(void *context, const char *method, const char *route, int status,
                                 double seconds, int64_t sent_bytes) {
    (void)context;
    (void)seconds;
    pthread_mutex_lock(&seen.lock);
    snprintf(seen.method, sizeof seen.method, "%s", method);
    snprintf(seen.route, sizeof seen.route, "%s", route);
    seen.status = status;
    seen.sent_bytes = sent_bytes;
    atomic_fetch_add(&seen.finished, 1);
    pthread_cond_broadcast(&seen.change);
    pthread_mutex_unlock(&seen.lock);
}

static inline void hello(struct http_request *r) {
    static const char json[] = "{\"hello\":\"world\"}";
    http_reply_json(r, 200, json, sizeof json - 1);
}

static inline void item(struct http_request *r) {
    const char *id = http_param(r, "id");
    http_reply_text(r, 200, "text/plain", id, strlen(id));
}

static inline void tagged(struct http_request *r) {
    http_reply_json_etag(r, "{\"a\":1}", 7);
}

/* Tells everything that accessors say. */
static inline void mirror(struct http_request *r) {
    static const char *const allowed[] = {"name", "limit", NULL};
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct err e;
    int64_t limit = 0;
    if (!http_query_only(r, allowed, &e) || !http_query_int(r, "limit", 1, 100, 7, &limit, &e)) {
        http_reply_err(r, &e);
        return;
    }
    const char *name = http_query(r, "name");
    const char *accept = http_header(r, "accept");
    text_add_format(&out, "%s|%s|%s|%s|%" PRId64 "|%s|%s", http_method(r), http_path(r),
                    http_address(r), name != NULL ? name : "-", limit,
                    accept != NULL ? accept : "-", http_principal(r));
    http_reply_text(r, 200, "text/plain", out.data, out.length);
}

static inline void echo(struct http_request *r) {
    OWN_TEXT struct text body = TEXT_EMPTY;
    struct err e;
    atomic_fetch_add(&seen.handled, 1);
    if (!http_body(r, &body, &e))
        http_reply_err(r, &e);
    else
        http_reply_text(r, 200, "application/octet-stream", text_value(&body), body.length);
}

static inline void count(struct http_request *r) {
    char piece[65536];
    char words[32];
    int64_t total = 0;
    size_t length = 0;
    struct err e;
    do {
        if (!http_body_read(r, piece, sizeof piece, &length, &e)) {
            http_reply_err(r, &e);
            return;
        }
        total += (int64_t)length;
    } while (length > 0);
    snprintf(words, sizeof words, "%" PRId64, total);
    http_reply_text(r, 200, "text/plain", words, strlen(words));
}

static inline void ignore_body(struct http_request *r) {
    http_reply_empty(r, 204);
}

static inline void fail_with(struct http_request *r) {
    struct err e;
    err_set(&e, err_code_by_name(http_param(r, "code")), "it \"failed\"\nhere");
    err_hint(&e, "try again");
    http_reply_err(r, &e);
}

static inline void decorated(struct http_request *r) {
    http_reply_header(r, "Location", "/x\r\nSet-Cookie: stolen=1");
    http_reply_header(r, "Cache-Control", "public, max-age=60");
    http_reply_empty(r, 201);
}

static inline void stream(struct http_request *r) {
    char piece[65536];
    memset(piece, 'x', sizeof piece);
    int64_t total = strtoll(http_param(r, "bytes"), NULL, 10);
    bool counted = strcmp(http_param(r, "kind"), "counted") == 0;
    if (!http_stream_begin(r, 200, "application/octet-stream", counted ? total : -1)) return;
    for (int64_t left = total; left > 0;) {
        size_t length = (uint64_t)left < sizeof piece ? (size_t)left : sizeof piece;
        if (!http_stream_write(r, piece, length)) return;
        left -= (int64_t)length;
    }
    http_stream_end(r);
}

static inline void broken_stream(struct http_request *r) {
    bool chunked = strcmp(http_param(r, "kind"), "chunked") == 0;
    bool ends = strcmp(http_param(r, "kind"), "short") == 0;
    if (http_stream_begin(r, 200, "text/plain", chunked ? -1 : 10) &&
        http_stream_write(r, "half", 4) && ends)
        http_stream_end(r);
}

static inline void hold(struct http_request *r) {
    atomic_fetch_add(&seen.handled, 1);
    pthread_mutex_lock(&seen.lock);
    pthread_cond_broadcast(&seen.change);
    while (!seen.released) pthread_cond_wait(&seen.change, &seen.lock);
    pthread_mutex_unlock(&seen.lock);
    http_reply_text(r, 200, "text/plain", "held", 4);
}

static inline bool authorize(struct http_request *r, enum http_role role, struct err *e) {
    const char *token = http_bearer(r);
    if (token == NULL) return role == HTTP_PUBLIC || err_set(e, ERR_UNAUTHENTICATED, "no token");
    if (strcmp(token, "operator") != 0) return err_set(e, ERR_UNAUTHENTICATED, "unknown token");
    http_set_principal(r, "token:op", HTTP_OPERATOR);
    return role <= HTTP_OPERATOR || err_set(e, ERR_DENIED, "needs %s", http_role_name(role));
}

static const struct http_route routes[] = {
    {"GET",    "/hello",               HTTP_PUBLIC,   hello,         0,       0,      NULL},
    {"GET",    "/items/:id",           HTTP_PUBLIC,   item,          0,       0,      NULL},
    {"GET",    "/tagged",              HTTP_PUBLIC,   tagged,        0,       0,      NULL},
    {"GET",    "/mirror/*rest",        HTTP_PUBLIC,   mirror,        0,       0,      NULL},
    {"POST",   "/echo",                HTTP_PUBLIC,   echo,          100000,  0,      NULL},
    {"POST",   "/impatient",           HTTP_PUBLIC,   echo,          100000,  150,    NULL},
    {"PUT",    "/count",               HTTP_PUBLIC,   count,         1 << 30, 600000, NULL},
    {"POST",   "/ignore",              HTTP_PUBLIC,   ignore_body,   1 << 30, 0,      NULL},
    {"DELETE", "/echo",                HTTP_PUBLIC,   ignore_body,   0,       0,      NULL},
    {"GET",    "/fail/:code",          HTTP_PUBLIC,   fail_with,     0,       0,      NULL},
    {"GET",    "/decorated",           HTTP_PUBLIC,   decorated,     0,       0,      NULL},
    {"GET",    "/stream/:kind/:bytes", HTTP_PUBLIC,   stream,        0,       0,      NULL},
    {"GET",    "/broken/:kind",        HTTP_PUBLIC,   broken_stream, 0,       0,      NULL},
    {"GET",    "/hold",                HTTP_PUBLIC,   hold,          0,       0,      NULL},
    {"GET",    "/operators",           HTTP_OPERATOR, hello,         0,       0,      NULL},
    {"GET",    "/admins",              HTTP_ADMIN,    hello,         0,       0,      NULL},
};
#define ROUTES .routes = routes, .route_count = sizeof routes / sizeof routes[0]

static struct served shared;

static inline int begin(void **state) {
    (void)state;
    /* What should end a connection and does not is waited for longer than anyone's patience. */
    shared = serve_with((struct http_server_options){
        ROUTES, .keep_alive_ms = 60000, .authorize = authorize, .finished = note_finished});
    return 0;
}

static inline int end(void **state) {
    (void)state;
    http_server_stop(shared.server);
    return 0;
}
