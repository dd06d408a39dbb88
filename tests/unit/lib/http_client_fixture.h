/* A good server with a file to fetch, and one that answers what a good server never does. */
#pragma once

#include "lib/http_client.h"
#include "tests/unit/lib/http_fixture.h"
#include "tests/unit/lib/temporary.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#define ETAG "0123abcd"
#define LARGE (100 << 20)

static char file_path[512];

static inline void mirror(struct http_request *r) {
    OWN_TEXT struct text body = TEXT_EMPTY;
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct err e;
    if (!http_body(r, &body, &e)) {
        http_reply_err(r, &e);
        return;
    }
    const char *type = http_header(r, "Content-Type");
    const char *bearer = http_bearer(r);
    const char *extra = http_header(r, "X-Extra");
    text_add_format(&out, "%s|%s|%s|%s|%s", http_method(r), type != NULL ? type : "-",
                    bearer != NULL ? bearer : "-", extra != NULL ? extra : "-", text_value(&body));
    http_reply_header(r, "ETag", "\"tag\"");
    http_reply_header(r, "Upload-Offset", "77");
    http_reply_header(r, "X-Total-Count", "12");
    http_reply_header(r, "Retry-After", "3");
    http_reply_header(r, "Location", "/there");
    http_reply_text(r, 200, "text/plain", out.data, out.length);
}

static inline void redirect(struct http_request *r) {
    http_reply_header(r, "Location", "/mirror");
    http_reply_empty(r, 302);
}

static inline void file(struct http_request *r) {
    struct http_file f = {
        .path = file_path, .content_type = "application/octet-stream", .etag = ETAG};
    http_reply_file(r, &f);
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
        for (size_t i = 0; i < length; i++)
            if (piece[i] != (char)('a' + (total + (int64_t)i) % 23)) piece[i] = '!';
        if (memchr(piece, '!', length) != NULL) break;
        total += (int64_t)length;
    } while (length > 0);
    snprintf(words, sizeof words, "%" PRId64, total);
    http_reply_text(r, 200, "text/plain", words, strlen(words));
}

static inline void refuse(struct http_request *r) {
    struct err e;
    err_set(&e, err_code_by_name(http_param(r, "code")), "no \x1b[31m%s", http_param(r, "code"));
    err_hint(&e, "do it\nbetter");
    http_reply_err(r, &e);
}

static const struct http_route routes[] = {
    {"GET",    "/mirror",       HTTP_PUBLIC, mirror,   1000,    0, NULL},
    {"POST",   "/mirror",       HTTP_PUBLIC, mirror,   1000,    0, NULL},
    {"PUT",    "/mirror",       HTTP_PUBLIC, mirror,   1000,    0, NULL},
    {"PATCH",  "/mirror",       HTTP_PUBLIC, mirror,   1000,    0, NULL},
    {"DELETE", "/mirror",       HTTP_PUBLIC, mirror,   1000,    0, NULL},
    {"GET",    "/redirect",     HTTP_PUBLIC, redirect, 0,       0, NULL},
    {"GET",    "/file",         HTTP_PUBLIC, file,     0,       0, NULL},
    {"PUT",    "/count",        HTTP_PUBLIC, count,    1 << 30, 0, NULL},
    {"GET",    "/refuse/:code", HTTP_PUBLIC, refuse,   0,       0, NULL},
};

static struct served shared;

static inline char byte_at(int64_t position) {
    return (char)('a' + position % 23);
}

static inline void make_file(int64_t size) {
    static char piece[23 << 12];
    int fd = open(file_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof piece; i++) piece[i] = byte_at((int64_t)i);
    for (int64_t at = 0; at < size; at += (int64_t)sizeof piece) {
        size_t length = size - at < (int64_t)sizeof piece ? (size_t)(size - at) : sizeof piece;
        assert_int_equal(write(fd, piece, length), (ssize_t)length);
    }
    close(fd);
}

static inline int begin(void **state) {
    http_client_setup();
    if (temporary_begin(state) != 0) return -1;
    snprintf(file_path, sizeof file_path, "%s", TEMPORARY("served"));
    make_file(100000);
    /* What runs must not depend on the environment. */
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    shared = serve_with((struct http_server_options){
        .routes = routes, .route_count = sizeof routes / sizeof routes[0]});
    return 0;
}

static inline int end(void **state) {
    http_server_stop(shared.server);
    return temporary_end(state);
}

/* "http://127.0.0.1:PORT/path", in one of a few buffers. */
static inline const char *url_at(int port, const char *path) {
    static char urls[4][256];
    static unsigned turn;
    char *url = urls[turn++ % 4];
    snprintf(url, sizeof urls[0], "http://127.0.0.1:%d%s", port, path);
    return url;
}

static inline const char *url(const char *path) {
    return url_at(shared.port, path);
}

/* A server that answers one request with exactly these bytes, for what a good server never does. */
struct script {
    const char *bytes;
    size_t length;
    bool hangs;  /* keeps the connection open after them, until the client closes it */
    bool resets; /* ends it with a reset */
    bool drips;  /* repeats the last byte 50 times a second until the client has gone */
    int listener;
    int port;
    pthread_t thread;
    char request[4096];
};

static inline void play(const struct script *s, int fd) {
    send_bytes(fd, s->bytes, s->length);
    struct pollfd gone = {.fd = fd, .events = POLLIN | POLLRDHUP};
    if (s->hangs) poll(&gone, 1, PATIENCE_S * 1000);
    while (s->drips && poll(&gone, 1, 20) == 0) send_bytes(fd, s->bytes + s->length - 1, 1);
    struct linger reset = {.l_onoff = 1};
    if (s->resets) setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

static inline void *serve_script(void *argument) {
    struct script *s = argument;
    int fd = accept(s->listener, NULL, NULL);
    if (fd < 0) return NULL;
    for (size_t length = 0; length < sizeof s->request - 1;) {
        ssize_t got = recv(fd, s->request + length, 1, 0);
        if (got <= 0) break;
        s->request[++length] = '\0';
        if (strstr(s->request, "\r\n\r\n") != NULL) break;
    }
    play(s, fd);
    close(fd);
    return NULL;
}

static inline void script_begin(struct script *s) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (s->length == 0) s->length = strlen(s->bytes);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(s->listener, 1), 0);
    getsockname(s->listener, (struct sockaddr *)&address, &length);
    s->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve_script, s), 0);
}

static inline void script_end(struct script *s) {
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
}

static inline bool call_script(struct script *s, struct http_call call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer a;
    script_begin(s);
    call.url = url_at(s->port, "/");
    bool done = http_call(&call, &a, e);
    script_end(s);
    return done;
}

struct watch {
    int64_t done;
    int64_t total;
    int64_t cancel_at;
    bool backwards;
};

static inline bool watch(void *argument, int64_t done_bytes, int64_t total_bytes) {
    struct watch *w = argument;
    if (done_bytes < w->done) w->backwards = true;
    w->done = done_bytes;
    if (total_bytes > 0) w->total = total_bytes;
    return w->cancel_at == 0 || done_bytes < w->cancel_at;
}

static inline int open_target(void) {
    int fd = open(TEMPORARY("target"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

static inline void check_target(int fd, int64_t size) {
    static char piece[1 << 16];
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_size, size);
    for (int64_t at = 0; at < size;) {
        ssize_t got = pread(fd, piece, sizeof piece, at);
        assert_true(got > 0);
        for (ssize_t i = 0; i < got; i++)
            if (piece[i] != byte_at(at + i)) fail_msg("byte %" PRId64, at + i);
        at += got;
    }
}
