#include "lib/http_client.h"

#include "tests/unit/lib/http_fixture.h"
#include "tests/unit/lib/temporary.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#define ETAG "0123abcd"
#define LARGE (100 << 20)

static char file_path[512];

static void mirror(struct http_request *r) {
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

static void redirect(struct http_request *r) {
    http_reply_header(r, "Location", "/mirror");
    http_reply_empty(r, 302);
}

static void file(struct http_request *r) {
    struct http_file f = {
        .path = file_path, .content_type = "application/octet-stream", .etag = ETAG};
    http_reply_file(r, &f);
}

static void count(struct http_request *r) {
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

static void refuse(struct http_request *r) {
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

static char byte_at(int64_t position) {
    return (char)('a' + position % 23);
}

static void make_file(int64_t size) {
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

static int begin(void **state) {
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

static int end(void **state) {
    http_server_stop(shared.server);
    return temporary_end(state);
}

/* "http://127.0.0.1:PORT/path", in one of a few buffers. */
static const char *url_at(int port, const char *path) {
    static char urls[4][256];
    static unsigned turn;
    char *url = urls[turn++ % 4];
    snprintf(url, sizeof urls[0], "http://127.0.0.1:%d%s", port, path);
    return url;
}

static const char *url(const char *path) {
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

static void play(const struct script *s, int fd) {
    send_bytes(fd, s->bytes, s->length);
    struct pollfd gone = {.fd = fd, .events = POLLIN | POLLRDHUP};
    if (s->hangs) poll(&gone, 1, PATIENCE_S * 1000);
    while (s->drips && poll(&gone, 1, 20) == 0) send_bytes(fd, s->bytes + s->length - 1, 1);
    struct linger reset = {.l_onoff = 1};
    if (s->resets) setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

static void *serve_script(void *argument) {
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

static void script_begin(struct script *s) {
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

static void script_end(struct script *s) {
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
}

static void a_call_carries_everything_there_and_back(void **state) {
    (void)state;
    static const char *const extra[] = {"X-Extra: yes", NULL};
    struct http_call call = {.method = "POST",
                             .url = url("/mirror"),
                             .token = "secret",
                             .headers = extra,
                             .content_type = "application/json",
                             .body = "{}",
                             .body_length = 2};
    OWN_HTTP_ANSWER struct http_answer a;
    struct err e;
    if (!http_call(&call, &a, &e)) fail_msg("%s", e.text);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body.data, "POST|application/json|secret|yes|{}");
    assert_string_equal(a.etag, "\"tag\"");
    assert_string_equal(a.content_type, "text/plain");
    assert_string_equal(a.location, "/there");
    assert_int_equal(a.upload_offset, 77);
    assert_int_equal(a.total_count, 12);
    assert_int_equal(a.retry_after_s, 3);
}

static void every_method_works(void **state) {
    (void)state;
    static const struct {
        const char *method;
        const char *body;
        const char *wanted;
    } cases[] = {
        {NULL,     NULL,  "GET|-|-|-|"   },
        {"GET",    NULL,  "GET|-|-|-|"   },
        {"POST",   NULL,  "POST|-|-|-|"  },
        {"PUT",    "abc", "PUT|-|-|-|abc"},
        {"PATCH",  "x",   "PATCH|-|-|-|x"},
        {"DELETE", NULL,  "DELETE|-|-|-|"},
        {"HEAD",   NULL,  ""             },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *body = cases[i].body;
        struct http_call call = {.method = cases[i].method,
                                 .url = url("/mirror"),
                                 .body = body,
                                 .body_length = body != NULL ? strlen(body) : 0};
        OWN_HTTP_ANSWER struct http_answer a;
        struct err e;
        if (!http_call(&call, &a, &e)) fail_msg("%s: %s", cases[i].method, e.text);
        assert_int_equal(a.status, 200);
        assert_string_equal(text_value(&a.body), cases[i].wanted);
    }
}

static void any_status_is_an_answer(void **state) {
    (void)state;
    struct http_call call = {.url = url("/refuse/conflict")};
    OWN_HTTP_ANSWER struct http_answer a;
    struct err e;
    assert_true(http_call(&call, &a, &e));
    assert_int_equal(a.status, 409);
    assert_int_equal(a.upload_offset, -1);
    assert_int_equal(a.total_count, -1);
    assert_int_equal(a.retry_after_s, -1);
}

static void problems_become_errors(void **state) {
    (void)state;
    static const enum err_code codes[] = {ERR_NOT_FOUND, ERR_CONFLICT,     ERR_UNTRUSTED,
                                          ERR_NO_SPACE,  ERR_RATE_LIMITED, ERR_INTERNAL,
                                          ERR_CORRUPT,   ERR_DENIED};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        char path[64];
        snprintf(path, sizeof path, "/refuse/%s", err_code_name(codes[i]));
        struct http_call call = {.url = url(path)};
        OWN_HTTP_ANSWER struct http_answer a;
        struct err e;
        assert_false(http_call_ok(&call, &a, &e));
        assert_int_equal(e.code, codes[i]);
        assert_int_equal(a.status, err_http_status(codes[i]));
        assert_null(strchr(e.text, '\x1b')); /* it would colour somebody's terminal */
        assert_non_null(strstr(e.text, err_code_name(codes[i])));
        assert_string_equal(e.hint, "do it better");
    }
}

static void statuses_without_a_problem_become_errors(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        enum err_code code;
    } cases[] = {
        {"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", ERR_NOT_FOUND      },
        {"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n",   ERR_UNAUTHENTICATED},
        {"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",   ERR_INTERNAL       },
        {"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",   ERR_UNAVAILABLE    },
        {"HTTP/1.1 599 No\r\nContent-Length: 0\r\n\r\n",   ERR_UNAVAILABLE    },
        {"HTTP/1.1 418 No\r\nContent-Length: 0\r\n\r\n",   ERR_INVALID        },
        {"HTTP/1.1 409 No\r\nContent-Type: application/problem+json\r\nContent-Length: "
         "3\r\n\r\n{{{",                          ERR_CONFLICT       },
        {"HTTP/1.1 409 No\r\nContent-Type: application/problem+json\r\nContent-Length: "
         "15\r\n\r\n{\"code\":\"none\"}",         ERR_CONFLICT       },
        {"HTTP/1.1 409 No\r\nContent-Type: application/problem+json\r\nContent-Length: "
         "15\r\n\r\n{\"code\":\"what\"}",         ERR_CONFLICT       },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct script s = {.bytes = cases[i].bytes};
        script_begin(&s);
        struct http_call call = {.url = url_at(s.port, "/")};
        OWN_HTTP_ANSWER struct http_answer a;
        struct err e;
        assert_false(http_call_ok(&call, &a, &e));
        if (e.code != cases[i].code) fail_msg("%s: %s", cases[i].bytes, e.text);
        script_end(&s);
    }
}

static void redirects_are_not_followed(void **state) {
    (void)state;
    struct http_call call = {.url = url("/redirect"), .token = "secret"};
    OWN_HTTP_ANSWER struct http_answer a;
    struct err e;
    assert_true(http_call(&call, &a, &e));
    assert_int_equal(a.status, 302);
    assert_string_equal(a.location, "/mirror");
    struct http_download d = {.url = url("/redirect"), .fd = -1, .size_bytes = 1};
    int64_t received = 0;
    assert_false(http_download(&d, &received, &e));
    assert_int_equal(e.code, ERR_UNREACHABLE);
    assert_non_null(strstr(e.text, "302"));
}

static bool call_script(struct script *s, struct http_call call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer a;
    script_begin(s);
    call.url = url_at(s->port, "/");
    bool done = http_call(&call, &a, e);
    script_end(s);
    return done;
}

static void servers_out_of_reach_are_told(void **state) {
    (void)state;
    struct err e;
    OWN_HTTP_ANSWER struct http_answer a;
    struct http_call refused = {.url = "http://127.0.0.1:1/"};
    assert_false(http_call(&refused, &a, &e));
    assert_int_equal(e.code, ERR_UNREACHABLE);
    assert_non_null(strstr(e.text, "127.0.0.1:1"));
    struct http_call nowhere = {.url = "http://no-such-host.invalid/"};
    assert_false(http_call(&nowhere, &a, &e));
    assert_int_equal(e.code, ERR_UNREACHABLE);
    struct script silent = {.bytes = ""};
    assert_false(call_script(&silent, (struct http_call){0}, &e));
    assert_int_equal(e.code, ERR_UNREACHABLE);
    struct script resetting = {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
                               .resets = true};
    assert_false(call_script(&resetting, (struct http_call){0}, &e));
    assert_int_equal(e.code, ERR_UNREACHABLE);
    struct script shortened = {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"};
    assert_false(call_script(&shortened, (struct http_call){0}, &e));
    assert_int_equal(e.code, ERR_UNREACHABLE);
}

static void what_is_no_http_url_is_refused(void **state) {
    (void)state;
    static const char *const urls[] = {
        "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "http://", "://", ""};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct http_call call = {.url = urls[i]};
        OWN_HTTP_ANSWER struct http_answer a;
        struct err e = {0};
        assert_false(http_call(&call, &a, &e));
        if (e.code != ERR_INVALID) fail_msg("%s: %s", urls[i], e.text);
    }
}

static void a_server_that_hangs_is_given_up(void **state) {
    (void)state;
    struct err e;
    struct script mute = {.bytes = "", .hangs = true};
    assert_false(call_script(&mute, (struct http_call){.stall_timeout_ms = 100}, &e));
    assert_int_equal(e.code, ERR_TIMEOUT);
    assert_non_null(strstr(e.text, "no byte moved for 100 ms"));
    struct script stalling = {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
                              .hangs = true};
    assert_false(call_script(&stalling, (struct http_call){.stall_timeout_ms = 100}, &e));
    assert_int_equal(e.code, ERR_TIMEOUT);
    assert_non_null(strstr(e.text, "no byte moved for 100 ms"));
    struct script slow = {.bytes = "", .hangs = true};
    assert_false(call_script(&slow, (struct http_call){.timeout_ms = 100}, &e));
    assert_int_equal(e.code, ERR_TIMEOUT);
    assert_non_null(strstr(e.text, "not done within 100 ms"));
}

static void a_server_that_drips_is_given_up(void **state) {
    (void)state;
    struct err e;
    struct script dripping = {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nx",
                              .drips = true};
    assert_false(call_script(&dripping,
                             (struct http_call){.timeout_ms = 300, .stall_timeout_ms = 10000}, &e));
    assert_int_equal(e.code, ERR_TIMEOUT);
    assert_non_null(strstr(e.text, "not done within 300 ms"));
    struct script header = {.bytes = "HTTP/1.1 200 OK\r\nX: x", .drips = true};
    assert_false(
        call_script(&header, (struct http_call){.timeout_ms = 300, .stall_timeout_ms = 10000}, &e));
    assert_int_equal(e.code, ERR_TIMEOUT);
}

static void answers_have_a_cap(void **state) {
    (void)state;
    struct err e;
    struct script endless = {.bytes = "HTTP/1.1 200 OK\r\n\r\nx", .drips = true};
    assert_false(call_script(&endless, (struct http_call){.answer_max_bytes = 3}, &e));
    assert_int_equal(e.code, ERR_TOO_LARGE);
    struct script fitting = {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"};
    assert_true(call_script(&fitting, (struct http_call){.answer_max_bytes = 3}, &e));
}

struct watch {
    int64_t done;
    int64_t total;
    int64_t cancel_at;
    bool backwards;
};

static bool watch(void *argument, int64_t done_bytes, int64_t total_bytes) {
    struct watch *w = argument;
    if (done_bytes < w->done) w->backwards = true;
    w->done = done_bytes;
    if (total_bytes > 0) w->total = total_bytes;
    return w->cancel_at == 0 || done_bytes < w->cancel_at;
}

static void calls_can_be_cancelled(void **state) {
    (void)state;
    struct err e;
    struct watch w = {.cancel_at = 5};
    struct script dripping = {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nx",
                              .drips = true};
    assert_false(
        call_script(&dripping, (struct http_call){.progress = watch, .progress_argument = &w}, &e));
    assert_int_equal(e.code, ERR_UNAVAILABLE);
    assert_string_equal(e.text, "cancelled");
    struct watch at_once = {.cancel_at = -1}; /* while nothing moves at all */
    struct script mute = {.bytes = "", .hangs = true};
    assert_false(call_script(
        &mute, (struct http_call){.progress = watch, .progress_argument = &at_once}, &e));
    assert_int_equal(e.code, ERR_UNAVAILABLE);
}

static int open_target(void) {
    int fd = open(TEMPORARY("target"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

static void check_target(int fd, int64_t size) {
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

static void answers_can_go_to_a_file(void **state) {
    (void)state;
    OWN_FD int fd = open_target();
    struct err e;
    struct http_call call = {.url = url("/file"), .answer_fd = fd, .answer_max_bytes = 10};
    OWN_HTTP_ANSWER struct http_answer a;
    if (!http_call_ok(&call, &a, &e)) fail_msg("%s", e.text);
    assert_int_equal(a.file_bytes, 100000);
    assert_int_equal(a.body.length, 0);
    check_target(fd, 100000);
    struct http_call wrong = {.url = url("/refuse/conflict"), .answer_fd = fd};
    OWN_HTTP_ANSWER struct http_answer b;
    assert_false(http_call_ok(&wrong, &b, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_int_equal(b.file_bytes, 0);
    check_target(fd, 100000);
}

static void large_files_go_up_from_a_descriptor(void **state) {
    (void)state;
    make_file(LARGE + 23);
    struct watch w = {0};
    OWN_FD int fd = open(file_path, O_RDONLY | O_CLOEXEC);
    lseek(fd, 23, SEEK_SET); /* from its position on */
    struct http_call call = {.method = "PUT",
                             .url = url("/count"),
                             .body_fd = fd,
                             .body_fd_length = LARGE,
                             .progress = watch,
                             .progress_argument = &w};
    OWN_HTTP_ANSWER struct http_answer a;
    struct err e;
    if (!http_call_ok(&call, &a, &e)) fail_msg("%s", e.text);
    assert_string_equal(a.body.data, "104857600");
    assert_int_equal(w.done, LARGE);
    assert_int_equal(w.total, LARGE);
    make_file(100000);
}

static void a_file_shorter_than_told_ends_the_call(void **state) {
    (void)state;
    OWN_FD int fd = open(file_path, O_RDONLY | O_CLOEXEC);
    struct http_call call = {
        .method = "PUT", .url = url("/count"), .body_fd = fd, .body_fd_length = 100001};
    OWN_HTTP_ANSWER struct http_answer a;
    struct err e;
    assert_false(http_call(&call, &a, &e));
    assert_int_equal(e.code, ERR_IO);
    assert_non_null(strstr(e.text, "1 bytes too early"));
}

static void an_upload_refused_at_once_says_why(void **state) {
    (void)state;
    make_file(LARGE);
    OWN_FD int fd = open(file_path, O_RDONLY | O_CLOEXEC);
    struct http_call call = {
        .method = "PUT", .url = url("/mirror"), .body_fd = fd, .body_fd_length = LARGE};
    OWN_HTTP_ANSWER struct http_answer a;
    struct err e;
    assert_false(http_call_ok(&call, &a, &e));
    assert_int_equal(e.code, ERR_TOO_LARGE);
    make_file(100000);
}

static void a_download_arrives_whole(void **state) {
    (void)state;
    OWN_FD int fd = open_target();
    struct watch w = {0};
    struct http_download d = {.url = url("/file"),
                              .fd = fd,
                              .size_bytes = 100000,
                              .progress = watch,
                              .progress_argument = &w};
    int64_t received = -1;
    struct err e;
    if (!http_download(&d, &received, &e)) fail_msg("%s", e.text);
    assert_int_equal(received, 100000);
    assert_int_equal(w.done, 100000);
    assert_int_equal(w.total, 100000);
    check_target(fd, 100000);
}

static void a_download_is_resumed(void **state) {
    (void)state;
    static const int64_t offsets[] = {1, 22, 50000, 99999, 100000};
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        OWN_FD int fd = open_target();
        struct watch w = {0};
        for (int64_t at = 0; at < offsets[i]; at++) {
            char byte = byte_at(at);
            assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        }
        struct http_download d = {.url = url("/file"),
                                  .fd = fd,
                                  .offset = offsets[i],
                                  .etag = "\"" ETAG "\"",
                                  .size_bytes = 100000,
                                  .progress = watch,
                                  .progress_argument = &w};
        int64_t received = -1;
        struct err e;
        if (!http_download(&d, &received, &e)) fail_msg("%s", e.text);
        assert_int_equal(received, 100000);
        assert_false(w.backwards);
        check_target(fd, 100000);
    }
}

static void only_the_rest_is_asked_for(void **state) {
    (void)state;
    OWN_FD int fd = open_target();
    struct script s = {
        .bytes =
            "HTTP/1.1 206 Partial\r\nContent-Length: 2\r\nContent-Range: bytes 3-4/5\r\n\r\nde"};
    script_begin(&s);
    assert_int_equal(pwrite(fd, "abc", 3, 0), 3);
    struct http_download d = {.url = url_at(s.port, "/"),
                              .token = "secret",
                              .fd = fd,
                              .offset = 3,
                              .etag = "\"e\"",
                              .size_bytes = 5};
    int64_t received = -1;
    struct err e;
    if (!http_download(&d, &received, &e)) fail_msg("%s", e.text);
    script_end(&s);
    char bytes[6] = "";
    assert_int_equal(pread(fd, bytes, 5, 0), 5);
    assert_string_equal(bytes, "abcde");
    assert_non_null(strstr(s.request, "\r\nRange: bytes=3-\r\n"));
    assert_non_null(strstr(s.request, "\r\nIf-Range: \"e\"\r\n"));
    assert_non_null(strstr(s.request, "\r\nAuthorization: Bearer secret\r\n"));
}

static void a_changed_file_is_begun_again(void **state) {
    (void)state;
    OWN_FD int fd = open_target();
    assert_int_equal(pwrite(fd, "old bytes", 9, 0), 9);
    struct http_download d = {
        .url = url("/file"), .fd = fd, .offset = 9, .etag = "\"old\"", .size_bytes = 100000};
    int64_t received = -1;
    struct err e;
    if (!http_download(&d, &received, &e)) fail_msg("%s", e.text);
    assert_int_equal(received, 100000);
    check_target(fd, 100000);
}

#define OK "HTTP/1.1 200 OK\r\n"
#define PARTIAL "HTTP/1.1 206 Partial\r\n"

static void bad_downloads_fail_with_what_was_received(void **state) {
    (void)state;
    static const struct {
        const char *what;
        const char *bytes;
        enum err_code code;
        int64_t received; /* of 5 wanted, 2 being there */
    } cases[] = {
        {"range ignored, then cut",      OK "Content-Length: 5\r\n\r\nabc",                                     ERR_UNREACHABLE, 3},
        {"range ignored, no byte",       OK "Content-Length: 5\r\n\r\n",                                        ERR_UNREACHABLE, 2},
        {"range honoured, then cut",
         PARTIAL "Content-Length: 3\r\nContent-Range: bytes 2-4/5\r\n\r\nc",                                    ERR_UNREACHABLE, 3},
        {"shorter than expected",        OK "Content-Length: 4\r\n\r\nabcd",                                    ERR_UNREACHABLE, 4},
        {"shorter rest",                 PARTIAL "Content-Length: 2\r\nContent-Range: bytes 2-3/4\r\n\r\ncd",
         ERR_UNREACHABLE,                                                                                                        4},
        {"larger than expected",         OK "Content-Length: 6\r\n\r\nabcdef",                                  ERR_UNTRUSTED,   0},
        {"larger without length",        OK "\r\nabcdef",                                                       ERR_UNTRUSTED,   0},
        {"larger total, this range",
         PARTIAL "Content-Length: 3\r\nContent-Range: bytes 2-4/6\r\n\r\ncde",                                  ERR_UNTRUSTED,   2},
        {"larger, seen before it comes", OK "Content-Length: 6\r\n\r\nabc",                                     ERR_UNTRUSTED,   0},
        {"larger total",                 PARTIAL "Content-Length: 4\r\nContent-Range: bytes 2-5/6\r\n\r\ncdef",
         ERR_UNTRUSTED,                                                                                                          2},
        {"larger rest than told",
         PARTIAL "Content-Length: 4\r\nContent-Range: bytes 2-4/5\r\n\r\ncdef",                                 ERR_UNTRUSTED,   2},
        {"another range",                PARTIAL "Content-Length: 4\r\nContent-Range: bytes 1-4/5\r\n\r\nbcde",
         ERR_UNREACHABLE,                                                                                                        2},
        {"no range",                     PARTIAL "Content-Length: 3\r\n\r\ncde",                                ERR_UNREACHABLE, 2},
        {"malformed range",              PARTIAL "Content-Length: 3\r\nContent-Range: bytes x\r\n\r\ncde",
         ERR_UNREACHABLE,                                                                                                        2},
        {"range of nothing",             PARTIAL "Content-Length: 0\r\nContent-Range: bytes 2-1/5\r\n\r\n",
         ERR_UNREACHABLE,                                                                                                        2},
        {"beyond its end",               "HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n",                        ERR_UNREACHABLE, 0},
        {"not there",                    "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno",                      ERR_NOT_FOUND,   2},
        {"busy",                         "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",                        ERR_UNAVAILABLE, 2},
        {"no content",                   "HTTP/1.1 204 No\r\n\r\n",                                             ERR_UNREACHABLE, 2},
        {"nothing at all",               "",                                                                    ERR_UNREACHABLE, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        OWN_FD int fd = open_target();
        struct script s = {.bytes = cases[i].bytes};
        script_begin(&s);
        assert_int_equal(pwrite(fd, "ab", 2, 0), 2);
        struct http_download d = {
            .url = url_at(s.port, "/"), .fd = fd, .offset = 2, .etag = "\"e\"", .size_bytes = 5};
        int64_t received = -1;
        struct err e = {0};
        bool done = http_download(&d, &received, &e);
        script_end(&s);
        if (done || e.code != cases[i].code || received != cases[i].received)
            fail_msg("%s: %s (%s), %" PRId64 " received", cases[i].what, err_code_name(e.code),
                     e.text, received);
        char bytes[8] = "";
        ssize_t there = pread(fd, bytes, sizeof bytes - 1, 0);
        assert_true(there >= received && there <= 5);
        assert_memory_equal(bytes, "abcde", (size_t)received);
    }
}

/* The script's thread, too, must get its turn and answer before that is a stall. */
static void a_download_that_stalls_keeps_what_it_has(void **state) {
    (void)state;
    OWN_FD int fd = open_target();
    struct script s = {.bytes = OK "Content-Length: 5\r\n\r\nabc", .hangs = true};
    script_begin(&s);
    struct http_download d = {
        .url = url_at(s.port, "/"), .fd = fd, .size_bytes = 5, .stall_timeout_ms = 2000};
    int64_t received = -1;
    struct err e;
    assert_false(http_download(&d, &received, &e));
    script_end(&s);
    assert_int_equal(e.code, ERR_TIMEOUT);
    assert_int_equal(received, 3);
}

/* Byte after byte for ever is no download. */
static void a_download_that_drips_keeps_what_it_has(void **state) {
    (void)state;
    OWN_FD int fd = open_target();
    struct script s = {.bytes = OK "Content-Length: 1000000\r\n\r\nx", .drips = true};
    script_begin(&s);
    struct http_download d = {.url = url_at(s.port, "/"),
                              .fd = fd,
                              .size_bytes = 1000000,
                              .timeout_ms = PATIENCE_S * 1000,
                              .stall_timeout_ms = 1000};
    int64_t received = -1;
    struct err e;
    assert_false(http_download(&d, &received, &e));
    script_end(&s);
    assert_int_equal(e.code, ERR_TIMEOUT);
    assert_non_null(strstr(e.text, "bytes moved within 1000 ms"));
    assert_in_range(received, 1, 999);
}

static void downloads_can_be_cancelled(void **state) {
    (void)state;
    OWN_FD int fd = open_target();
    struct watch w = {.cancel_at = 4};
    struct script s = {.bytes = OK "Content-Length: 1000\r\n\r\nx", .drips = true};
    script_begin(&s);
    struct http_download d = {.url = url_at(s.port, "/"),
                              .fd = fd,
                              .size_bytes = 1000,
                              .progress = watch,
                              .progress_argument = &w};
    int64_t received = -1;
    struct err e;
    assert_false(http_download(&d, &received, &e));
    script_end(&s);
    assert_int_equal(e.code, ERR_UNAVAILABLE);
    assert_in_range(received, 4, 999);
}

static void a_target_that_cannot_be_written_is_told(void **state) {
    (void)state;
    OWN_FD int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct http_download d = {.url = url("/file"), .fd = full, .size_bytes = 100000};
    int64_t received = -1;
    struct err e;
    assert_false(http_download(&d, &received, &e));
    assert_int_equal(e.code, ERR_NO_SPACE);
    assert_int_equal(received, 0);
    struct http_call call = {.url = url("/file"), .answer_fd = full};
    OWN_HTTP_ANSWER struct http_answer a;
    assert_false(http_call(&call, &a, &e));
    assert_int_equal(e.code, ERR_NO_SPACE);
}

/* A low rate must not look like a stall. */
static void a_slow_download_is_no_stall(void **state) {
    (void)state;
    OWN_FD int fd = open_target();
    struct http_download d = {.url = url("/file"),
                              .fd = fd,
                              .size_bytes = 100000,
                              .max_rate_bps = 40000,
                              .stall_timeout_ms = 800};
    int64_t received = -1;
    struct err e;
    if (!http_download(&d, &received, &e)) fail_msg("%s", e.text);
    check_target(fd, 100000);
}

/* Every byte renews the patience: this one, of 50 bytes a second, comes to its end after more than
 * one stall timeout, within which the script's thread gets its turn on a busy machine as well. */
static void a_slow_server_is_no_stall(void **state) {
    (void)state;
    struct err e;
    struct watch w = {.cancel_at = 150};
    struct script dripping = {.bytes = OK "Content-Length: 1000000\r\n\r\nx", .drips = true};
    struct http_call call = {.stall_timeout_ms = 2000, .progress = watch, .progress_argument = &w};
    assert_false(call_script(&dripping, call, &e));
    assert_string_equal(e.text, "cancelled");
}

static void large_downloads_arrive_whole(void **state) {
    (void)state;
    make_file(LARGE);
    OWN_FD int fd = open_target();
    struct http_download d = {.url = url("/file"), .fd = fd, .size_bytes = LARGE};
    int64_t received = -1;
    struct err e;
    if (!http_download(&d, &received, &e)) fail_msg("%s", e.text);
    check_target(fd, LARGE);
    make_file(100000);
}

static void an_empty_file_is_a_download_too(void **state) {
    (void)state;
    make_file(0);
    OWN_FD int fd = open_target();
    struct http_download d = {.url = url("/file"), .fd = fd, .size_bytes = 0};
    int64_t received = -1;
    struct err e;
    if (!http_download(&d, &received, &e)) fail_msg("%s", e.text);
    assert_int_equal(received, 0);
    make_file(100000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_carries_everything_there_and_back),
        cmocka_unit_test(every_method_works),
        cmocka_unit_test(any_status_is_an_answer),
        cmocka_unit_test(problems_become_errors),
        cmocka_unit_test(statuses_without_a_problem_become_errors),
        cmocka_unit_test(redirects_are_not_followed),
        cmocka_unit_test(servers_out_of_reach_are_told),
        cmocka_unit_test(what_is_no_http_url_is_refused),
        cmocka_unit_test(a_server_that_hangs_is_given_up),
        cmocka_unit_test(a_server_that_drips_is_given_up),
        cmocka_unit_test(answers_have_a_cap),
        cmocka_unit_test(calls_can_be_cancelled),
        cmocka_unit_test(answers_can_go_to_a_file),
        cmocka_unit_test(large_files_go_up_from_a_descriptor),
        cmocka_unit_test(a_file_shorter_than_told_ends_the_call),
        cmocka_unit_test(an_upload_refused_at_once_says_why),
        cmocka_unit_test(a_download_arrives_whole),
        cmocka_unit_test(a_download_is_resumed),
        cmocka_unit_test(only_the_rest_is_asked_for),
        cmocka_unit_test(a_changed_file_is_begun_again),
        cmocka_unit_test(bad_downloads_fail_with_what_was_received),
        cmocka_unit_test(a_download_that_stalls_keeps_what_it_has),
        cmocka_unit_test(a_download_that_drips_keeps_what_it_has),
        cmocka_unit_test(downloads_can_be_cancelled),
        cmocka_unit_test(a_target_that_cannot_be_written_is_told),
        cmocka_unit_test(a_slow_download_is_no_stall),
        cmocka_unit_test(a_slow_server_is_no_stall),
        cmocka_unit_test(large_downloads_arrive_whole),
        cmocka_unit_test(an_empty_file_is_a_download_too),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
