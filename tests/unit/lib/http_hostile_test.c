/* What comes from people who mean harm, and from broken clients: each gets the right status, harms
 * nothing, and the next request is answered. */
#include "lib/log_recent.h"
#include "tests/unit/lib/http_fixture.h"

#include <poll.h>

#define LOG_KEPT_BYTES (64 * 1024)

static void hello(struct http_request *r) {
    http_reply_text(r, 200, "text/plain", "hello", 5);
}

static void echo(struct http_request *r) {
    OWN_TEXT struct text body = TEXT_EMPTY;
    struct err e;
    if (!http_body(r, &body, &e))
        http_reply_err(r, &e);
    else
        http_reply_text(r, 200, "text/plain", text_value(&body), body.length);
}

static void swallow(struct http_request *r) {
    http_reply_text(r, 200, "text/plain", http_param(r, "path"), strlen(http_param(r, "path")));
}

#define LARGE_BYTES ((int64_t)32 * 1024 * 1024)

static void large(struct http_request *r) {
    static const char piece[64 * 1024];
    int64_t left = LARGE_BYTES;
    if (http_stream_begin(r, 200, "application/octet-stream", left))
        while (left > 0 && http_stream_write(r, piece, sizeof piece)) left -= (int64_t)sizeof piece;
    http_stream_end(r);
}

static const struct http_route routes[] = {
    {"GET",  "/api/binaries", HTTP_PUBLIC, hello,   0,    0, NULL},
    {"POST", "/echo",         HTTP_PUBLIC, echo,    1000, 0, NULL},
    {"GET",  "/files/*path",  HTTP_PUBLIC, swallow, 0,    0, NULL},
    {"GET",  "/large",        HTTP_PUBLIC, large,   0,    0, NULL},
};

static struct served shared;

static int begin(void **state) {
    (void)state;
    shared =
        serve_with((struct http_server_options){.routes = routes, .route_count = 3, .workers = 40});
    return 0;
}

static int end(void **state) {
    (void)state;
    http_server_stop(shared.server);
    return 0;
}

static void the_server_still_answers(const char *what) {
    OWN_REPLY struct reply r;
    exchange(shared.port, "GET /api/binaries", "", &r);
    if (r.status != 200) fail_msg("after %s: %d", what, r.status);
}

#define NONE 0 /* the connection is closed without an answer */

struct hostile {
    const char *what;
    const char *request;
    int status;
};

static void expect(const char *what, const char *request, size_t length, int status) {
    OWN_REPLY struct reply r;
    int fd = dial(shared.port);
    send_bytes(fd, request, length);
    shutdown(fd, SHUT_WR);
    receive_reply(fd, true, &r);
    close(fd);
    if (r.status != status)
        fail_msg("%s: %d instead of %d: %s", what, r.status, status, text_value(&r.body));
    if (status >= 400) {
        assert_string_equal(reply_header(&r, "Content-Type"), "application/problem+json");
        assert_non_null(strstr(r.body.data, "\"request_id\""));
        assert_string_equal(reply_header(&r, "X-Content-Type-Options"), "nosniff");
    }
    the_server_still_answers(what);
}

static void expect_all(const struct hostile *cases, size_t count) {
    for (size_t i = 0; i < count; i++)
        expect(cases[i].what, cases[i].request, strlen(cases[i].request), cases[i].status);
}
#define EXPECT_ALL(cases) expect_all(cases, sizeof(cases) / sizeof(cases)[0])

#define H "Host: a\r\n"

static const struct hostile targets[] = {
    {"prefix confusion",       "GET /api/binariesX HTTP/1.1\r\n" H "\r\n",                  404 },
    {"dots",                   "GET /files/../etc/passwd HTTP/1.1\r\n" H "\r\n",            400 },
    {"dots at the end",        "GET /files/.. HTTP/1.1\r\n" H "\r\n",                       400 },
    {"dots encoded",           "GET /files/%2e%2e/etc/passwd HTTP/1.1\r\n" H "\r\n",        400 },
    {"dots half encoded",      "GET /files/.%2e/etc/passwd HTTP/1.1\r\n" H "\r\n",          400 },
    {"dots and slash encoded", "GET /files/%2e%2e%2fetc%2fpasswd HTTP/1.1\r\n" H "\r\n",    400 },
    {"dots doubly encoded",    "GET /files/%252e%252e/etc/passwd HTTP/1.1\r\n" H "\r\n",    400 },
    {"slash doubly encoded",   "GET /files/..%252fetc HTTP/1.1\r\n" H "\r\n",               400 },
    {"overlong dots",          "GET /files/%c0%ae%c0%ae/etc HTTP/1.1\r\n" H "\r\n",         400 },
    {"NUL",                    "GET /files/a%00.txt HTTP/1.1\r\n" H "\r\n",                 400 },
    {"NUL in the query",       "GET /api/binaries?a=%00 HTTP/1.1\r\n" H "\r\n",             400 },
    {"backslash",              "GET /files/..\\etc HTTP/1.1\r\n" H "\r\n",                  400 },
    {"backslash encoded",      "GET /files/..%5cetc HTTP/1.1\r\n" H "\r\n",                 400 },
    {"double slash",           "GET //etc/passwd HTTP/1.1\r\n" H "\r\n",                    400 },
    {"double slash within",    "GET /files//etc/passwd HTTP/1.1\r\n" H "\r\n",              400 },
    {"CRLF in the path",       "GET /files/a%0d%0aSet-Cookie:%20x HTTP/1.1\r\n" H "\r\n",   400 },
    {"bad escape",             "GET /files/%zz HTTP/1.1\r\n" H "\r\n",                      400 },
    {"bad UTF-8",              "GET /files/%ff HTTP/1.1\r\n" H "\r\n",                      400 },
    {"no leading slash",       "GET files HTTP/1.1\r\n" H "\r\n",                           400 },
    {"token in the query",     "GET /api/binaries?token=x HTTP/1.1\r\n" H "\r\n",           400 },
    {"script in the path",     "GET /files/<script> HTTP/1.1\r\n" H "\r\n",                 200 },
    {"another host's URL",     "GET http://example.org/api/binaries HTTP/1.1\r\n" H "\r\n", NONE},
    {"asterisk",               "OPTIONS * HTTP/1.1\r\n" H "\r\n",                           NONE},
    {"tunnel",                 "CONNECT example.org:443 HTTP/1.1\r\n" H "\r\n",             400 },
    {"options",
     "OPTIONS /api/binaries HTTP/1.1\r\n" H "Origin: http://evil\r\n"
     "Access-Control-Request-Method: PUT\r\n\r\n",                                          405 },
};

static void targets_are_checked(void **state) {
    (void)state;
    EXPECT_ALL(targets);
}

static const struct hostile lines[] = {
    {"nothing",                   "",                                                             NONE},
    {"garbage",                   "\x01\x02\x03\xff\xfe garbage\r\n\r\n",                         400 },
    {"TLS greeting",              "\x16\x03\x01\x02",                                             400 },
    {"HTTP/2 preface",            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",                             400 },
    {"HTTP/0.9",                  "GET /api/binaries\r\n\r\n",                                    400 },
    {"HTTP/2",                    "GET /api/binaries HTTP/2.0\r\n" H "\r\n",                      505 },
    {"HTTP/1.2",                  "GET /api/binaries HTTP/1.2\r\n" H "\r\n",                      505 },
    {"no version",                "GET /api/binaries \r\n" H "\r\n",                              400 },
    {"unknown method",            "BREW /api/binaries HTTP/1.1\r\n" H "\r\n",                     400 },
    {"trace",                     "TRACE /api/binaries HTTP/1.1\r\n" H "\r\n",                    400 },
    {"lower-case method",         "get /api/binaries HTTP/1.1\r\n" H "\r\n",                      400 },
    {"two spaces before path",    "GET  /api/binaries HTTP/1.1\r\n" H "\r\n",                     400 },
    {"two spaces before version", "GET /api/binaries  HTTP/1.1\r\n" H "\r\n",                     400 },
    {"space behind version",      "GET /api/binaries HTTP/1.1 \r\n" H "\r\n",                     400 },
    {"tab for space",             "GET\t/api/binaries HTTP/1.1\r\n" H "\r\n",                     400 },
    {"empty line first",          "\r\nGET /api/binaries HTTP/1.1\r\n" H "\r\n",                  400 },
    {"two empty lines first",     "\r\n\r\nGET /api/binaries HTTP/1.1\r\n" H "\r\n",              400 },
    {"lone LF first",             "\nGET /api/binaries HTTP/1.1\r\n" H "\r\n",                    400 },
    {"lone LFs first",            "\n\nGET /api/binaries HTTP/1.1\r\n" H "\r\n",                  400 },
    {"space first",               " GET /api/binaries HTTP/1.1\r\n" H "\r\n",                     400 },
    {"lone LF, request line",     "GET /api/binaries HTTP/1.1\n" H "\r\n",                        400 },
    {"lone LF and space",         "GET /api/binaries HTTP/1.1\n " H "\r\n",                       400 },
    {"lone LF, then CR",          "GET /api/binaries HTTP/1.1\n\r" H "\r\n",                      400 },
    {"lone CR, request line",     "GET /api/binaries HTTP/1.1\r" H "\r\n",                        400 },
    {"two CRs, request line",     "GET /api/binaries HTTP/1.1\r\r" H "\r\n",                      400 },
    {"CR CR LF, request line",    "GET /api/binaries HTTP/1.1\r\r\n" H "\r\n",                    400 },
    {"LF within request line",    "GET\n/api/binaries HTTP/1.1\r\n" H "\r\n",                     400 },
    {"lone LF, header",           "GET /api/binaries HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",          400 },
    {"lone LF, last header",      "GET /api/binaries HTTP/1.1\r\nHost: a\n\r\n",                  400 },
    {"lone LFs everywhere",       "GET /api/binaries HTTP/1.1\nHost: a\n\n",                      400 },
    {"lone LF as empty line",     "GET /api/binaries HTTP/1.1\r\nHost: a\r\n\n",                  400 },
    {"lone CR in a value",        "GET /api/binaries HTTP/1.1\r\nHost: a\r\nX: a\rb: c\r\n\r\n",  400 },
    {"folded header",             "GET /api/binaries HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",  400 },
    {"folded by a tab",           "GET /api/binaries HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n", 400 },
    {"folded first header",       "GET /api/binaries HTTP/1.1\r\n Host: a\r\n\r\n",               400 },
    {"header without colon",      "GET /api/binaries HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",           400 },
    {"header without name",       "GET /api/binaries HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",         400 },
    {"space before colon",        "GET /api/binaries HTTP/1.1\r\nHost : a\r\n\r\n",               400 },
    {"space before colon, empty", "GET /api/binaries HTTP/1.1\r\nHost: a\r\nX :\r\n\r\n",         400 },
    {"space in a name",           "GET /api/binaries HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n",      400 },
    {"delimiter in a name",       "GET /api/binaries HTTP/1.1\r\nHost: a\r\nX(Y: b\r\n\r\n",      400 },
    {"control in a value",        "GET /api/binaries HTTP/1.1\r\nHost: a\r\nX: a\x01\r\n\r\n",    400 },
    {"no headers",                "GET /api/binaries HTTP/1.1\r\n\r\n",                           400 },
    {"no Host",                   "GET /api/binaries HTTP/1.1\r\nX: b\r\n\r\n",                   400 },
    {"two Hosts",                 "GET /api/binaries HTTP/1.1\r\n" H H "\r\n",                    400 },
    {"Host with a path",          "GET /api/binaries HTTP/1.1\r\nHost: a/b\r\n\r\n",              400 },
    {"Host with a user",          "GET /api/binaries HTTP/1.1\r\nHost: a@b\r\n\r\n",              400 },
    {"two authorizations",
     "GET /api/binaries HTTP/1.1\r\n" H "Authorization: Bearer a\r\n"
     "Authorization: Bearer b\r\n\r\n",                                                           400 },
    {"unknown expectation",       "GET /api/binaries HTTP/1.1\r\n" H "Expect: wonders\r\n\r\n",   417 },
};

static void lines_are_checked(void **state) {
    (void)state;
    EXPECT_ALL(lines);
}

#define POST "POST /echo HTTP/1.1\r\n" H
#define CHUNKED "Transfer-Encoding: chunked\r\n"

static const struct hostile bodies[] = {
    {"two equal lengths",               POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",           400},
    {"two lengths",                     POST "Content-Length: 3\r\nContent-Length: 5\r\n\r\nabc",           400},
    {"two lengths in one",              POST "Content-Length: 3, 3\r\n\r\nabc",                             400},
    {"negative length",                 POST "Content-Length: -1\r\n\r\n",                                  400},
    {"length with a plus",              POST "Content-Length: +3\r\n\r\nabc",                               400},
    {"hexadecimal length",              POST "Content-Length: 0x3\r\n\r\nabc",                              400},
    {"length with words",               POST "Content-Length: 3 bytes\r\n\r\nabc",                          400},
    {"empty length",                    POST "Content-Length:\r\n\r\nabc",                                  400},
    {"20-digit length",                 POST "Content-Length: 99999999999999999999\r\n\r\nabc",             400},
    {"length of 2^64 + 3",              POST "Content-Length: 18446744073709551619\r\n\r\nabc",             400},
    {"length above the cap",            POST "Content-Length: 999999999999999999\r\n\r\nabc",               413},
    {"length and chunked",              POST "Content-Length: 3\r\n" CHUNKED "\r\n0\r\n\r\n",               400},
    {"chunked and length",              POST CHUNKED "Content-Length: 3\r\n\r\n0\r\n\r\n",                  400},
    {"chunked twice",                   POST CHUNKED CHUNKED "\r\n0\r\n\r\n",                               400},
    {"gzip, chunked",                   POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",           400},
    {"identity",                        POST "Transfer-Encoding: identity\r\n\r\n",                         400},
    {"identity and length",             POST "Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc",
     400                                                                                                       },
    {"xchunked",                        POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",                400},
    {"space before the coding's colon", POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",                400},
    {"chunked in HTTP/1.0",             "POST /echo HTTP/1.0\r\n" H CHUNKED "\r\n0\r\n\r\n",                400},
    {"chunk of ffffffffffffffff",       POST CHUNKED "\r\nffffffffffffffff\r\nabc",                         400},
    {"chunk of 7fffffffffffffff",       POST CHUNKED "\r\n7fffffffffffffff\r\nabc",                         400},
    {"chunk of fffffffffffffff",        POST CHUNKED "\r\nfffffffffffffff\r\nabc",                          400},
    {"negative chunk",                  POST CHUNKED "\r\n-1\r\nabc",                                       400},
    {"chunk with extension",            POST CHUNKED "\r\n3;a=b\r\nabc\r\n0\r\n\r\n",                       400},
    {"chunk ended by lone LF",          POST CHUNKED "\r\n3\nabc\r\n0\r\n\r\n",                             400},
    {"chunk longer than told",          POST CHUNKED "\r\n3\r\nabcd\r\n0\r\n\r\n",                          400},
    {"trailer",                         POST CHUNKED "\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n",                   400},
    {"no last chunk",                   POST CHUNKED "\r\n3\r\nabc\r\n",                                    400},
    {"body shorter than told",          POST "Content-Length: 10\r\n\r\nabc",                               400},
    {"form",
     "POST /api/binaries HTTP/1.1\r\n" H
     "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 3\r\n\r\nabc",                       405},
};

static void bodies_are_checked(void **state) {
    (void)state;
    EXPECT_ALL(bodies);
}

static void repeat(struct text *out, const char *words, int times) {
    for (int i = 0; i < times; i++) text_add(out, words);
}

static void large_heads_are_refused(void **state) {
    (void)state;
    OWN_TEXT struct text uri = TEXT_EMPTY;
    text_add(&uri, "GET /");
    repeat(&uri, "abcdefghij", 2000);
    text_add(&uri, " HTTP/1.1\r\n" H "\r\n");
    expect("20 kB URI", uri.data, uri.length, 414);
    OWN_TEXT struct text header = TEXT_EMPTY;
    text_add(&header, "GET /api/binaries HTTP/1.1\r\n" H "X: ");
    repeat(&header, "abcdefghij", 2000);
    text_add(&header, "\r\n\r\n");
    expect("20 kB header", header.data, header.length, 431);
    OWN_TEXT struct text many = TEXT_EMPTY;
    text_add(&many, "GET /api/binaries HTTP/1.1\r\n" H);
    repeat(&many, "X: y\r\n", 200);
    text_add(&many, "\r\n");
    expect("200 headers", many.data, many.length, 431);
    OWN_TEXT struct text last = TEXT_EMPTY;
    text_add(&last, "POST /echo HTTP/1.1\r\n" H "Content-Length: 0\r\n");
    repeat(&last, "X: y\r\n", 62);
    text_add(&last, "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    expect("the 65th header frames the body", last.data, last.length, 431);
    OWN_TEXT struct text most = TEXT_EMPTY;
    text_add(&most, "GET /api/binaries HTTP/1.1\r\n" H);
    repeat(&most, "X: y\r\n", 63);
    text_add(&most, "\r\n");
    expect("64 headers", most.data, most.length, 200);
}

static void nul_bytes_are_refused(void **state) {
    (void)state;
    static const char in_path[] = "GET /files/a\0b HTTP/1.1\r\n" H "\r\n";
    static const char in_header[] = "GET /api/binaries HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n";
    expect("NUL byte in the path", in_path, sizeof in_path - 1, 400);
    expect("NUL byte in a header", in_header, sizeof in_header - 1, 400);
}

/* What is left in the buffer of whoever used the thread before must never be read again. */
static void white_space_does_not_show_the_request_before(void **state) {
    (void)state;
    struct served one =
        serve_with((struct http_server_options){.routes = routes, .route_count = 3, .workers = 1});
    int fd = dial(one.port);
    send_words(fd, POST "Content-Length: 71\r\n\r\nxxxxGET /files/secret HTTP/1.1\r\nHost: a\r\n"
                        "Authorization: Bearer secret\r\n\r\n");
    OWN_REPLY struct reply first;
    receive_reply(fd, true, &first);
    assert_int_equal(first.status, 200);
    close(fd);
    for (int spaces = 0; spaces < 64; spaces++) {
        char request[80];
        snprintf(request, sizeof request, "%*s\r\n\r\n", spaces, "");
        OWN_REPLY struct reply r;
        exchange_words(one.port, request, &r);
        assert_int_equal(r.status, 400);
        assert_null(strstr(r.body.data, "secret"));
    }
    http_server_stop(one.server);
}

static void smuggled_requests_are_not_answered(void **state) {
    (void)state;
    static const char *const requests[] = {
        POST "Content-Length: 5\r\n" CHUNKED "\r\n0\r\n\r\nGET /files/smuggled HTTP/1.1\r\n" H
             "\r\n",
        POST "Content-Length: 0\r\nContent-Length: 50\r\n\r\nGET /files/smuggled HTTP/1.1\r\n" H
             "\r\n",
        POST CHUNKED "\r\n0\n\nGET /files/smuggled HTTP/1.1\r\n" H "\r\n",
        "\r\n\r\nPOST /echo HTTP/1.1\r\n" H
        "Content-Length: 2\r\n\r\nGET /files/smuggled HTTP/1.1\r\n" H "\r\n",
    };
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        OWN_REPLY struct reply r;
        int fd = dial(shared.port);
        send_words(fd, requests[i]);
        shutdown(fd, SHUT_WR);
        receive_reply(fd, true, &r);
        if (r.status != 400) fail_msg("%zu: %d", i, r.status);
        assert_true(ended(fd));
        close(fd);
    }
}

static void a_flood_of_connections_leaves_the_server_alive(void **state) {
    (void)state;
    enum { MANY = 300 };
    int fds[MANY];
    for (int i = 0; i < MANY; i++) {
        fds[i] = dial(shared.port);
        send_words(fds[i], i % 2 == 0 ? "GET /api/binaries HTTP/1.1\r\n" H "\r\n" : "GET");
    }
    for (int i = 0; i < MANY; i++) close(fds[i]);
    the_server_still_answers("a flood");
}

/* How many of these connections the server has ended. */
static int count_ended(const int *fds, int count) {
    int found = 0;
    for (int i = 0; i < count; i++) {
        struct pollfd one = {.fd = fds[i], .events = POLLIN};
        found += poll(&one, 1, 0) == 1;
    }
    return found;
}

/* Their deadline is far beyond the patience of this test. */
static void silent_clients_give_way_when_all_workers_are_taken(void **state) {
    (void)state;
    enum { WORKERS = 4, SILENT = 40 };
    int fds[SILENT];
    struct served small = serve_with((struct http_server_options){
        .routes = routes, .route_count = 3, .workers = WORKERS, .header_timeout_ms = 600000});
    for (int i = 0; i < SILENT; i++) {
        fds[i] = dial(small.port);
        send_words(fds[i], i % 2 == 0 ? "GET /api/binaries HTTP/1.1\r\nX: " : "");
    }
    for (int i = 0; i < 10; i++) {
        OWN_REPLY struct reply r;
        exchange(small.port, "GET /api/binaries", "", &r);
        assert_int_equal(r.status, 200);
    }
    for (int tenths = 0; count_ended(fds, SILENT) < SILENT - WORKERS; tenths++) {
        assert_true(tenths < PATIENCE_S * 10);
        usleep(100000);
    }
    for (int i = 0; i < SILENT; i++) close(fds[i]);
    http_server_stop(small.server);
}

static int dial_and_say(int port, const char *words) {
    int fd = dial(port);
    send_words(fd, words);
    return fd;
}

struct fair {
    int port;
    _Atomic int64_t received;
};

/* Takes a large answer at its own pace. */
static void *download(void *argument) {
    struct fair *f = argument;
    char bytes[64 * 1024];
    int fd = dial_and_say(f->port, "GET /large HTTP/1.1\r\n" H "\r\n");
    for (size_t got = 1; got > 0; usleep(1000)) {
        got = receive_some(fd, bytes, sizeof bytes);
        f->received += (int64_t)got;
    }
    close(fd);
    return NULL;
}

/* Each would be let alone for much longer than this test waits. */
static void slow_answers_and_bodies_give_way_when_all_workers_are_taken(void **state) {
    (void)state;
    enum { WORKERS = 8, SLOW = 12 };
    int fds[SLOW];
    pthread_t thread;
    struct served small = serve_with(
        (struct http_server_options){.routes = routes, .route_count = 4, .workers = WORKERS});
    struct fair fair = {.port = small.port};
    assert_int_equal(pthread_create(&thread, NULL, download, &fair), 0);
    for (int ms = 0; fair.received == 0; ms++) { /* who has not asked yet may be sent away */
        assert_true(ms < PATIENCE_S * 1000);
        usleep(1000);
    }
    for (int i = 0; i < SLOW; i++)
        fds[i] = dial_and_say(small.port, i % 2 == 0 ? "GET /large HTTP/1.1\r\n" H "\r\n"
                                                     : "POST /echo HTTP/1.1\r\n" H
                                                       "Content-Length: 1000\r\n\r\nbegun");
    for (int i = 0; i < 10; i++) {
        OWN_REPLY struct reply r;
        exchange(small.port, "GET /api/binaries", "", &r);
        assert_int_equal(r.status, 200);
    }
    pthread_join(thread, NULL);
    assert_true(fair.received > LARGE_BYTES);
    for (int i = 0; i < SLOW; i++) close(fds[i]);
    http_server_stop(small.server);
}

/* CivetWeb has something to say about each of these. */
static void the_log_cannot_be_flooded(void **state) {
    (void)state;
    OWN_TEXT struct text request = TEXT_EMPTY;
    OWN_TEXT struct text log = TEXT_EMPTY;
    text_add(&request, "GET /api/binaries HTTP/1.");
    repeat(&request, "9999999999", 30);
    text_add(&request, "\r\n" H "\r\n");
    for (int i = 0; i < 100; i++)
        expect("a version of 300 digits", request.data, request.length, 505);
    log_recent(LOG_KEPT_BYTES, &log);
    int said = 0;
    for (const char *at = text_value(&log); (at = strstr(at, "http.civetweb")) != NULL; at++)
        said++;
    assert_in_range(said, 1, 12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_checked),
        cmocka_unit_test(lines_are_checked),
        cmocka_unit_test(bodies_are_checked),
        cmocka_unit_test(large_heads_are_refused),
        cmocka_unit_test(nul_bytes_are_refused),
        cmocka_unit_test(white_space_does_not_show_the_request_before),
        cmocka_unit_test(smuggled_requests_are_not_answered),
        cmocka_unit_test(a_flood_of_connections_leaves_the_server_alive),
        cmocka_unit_test(silent_clients_give_way_when_all_workers_are_taken),
        cmocka_unit_test(slow_answers_and_bodies_give_way_when_all_workers_are_taken),
        cmocka_unit_test(the_log_cannot_be_flooded),
    };
    /* Bytes of a head are the same to who has taken them out of TLS. */
    const struct CMUnitTest tests_over_tls[] = {
        cmocka_unit_test(large_heads_are_refused),
        cmocka_unit_test(smuggled_requests_are_not_answered),
        cmocka_unit_test(a_flood_of_connections_leaves_the_server_alive),
        cmocka_unit_test(silent_clients_give_way_when_all_workers_are_taken),
    };
    log_recent_keep(LOG_KEPT_BYTES);
    return over_tls() ? cmocka_run_group_tests(tests_over_tls, begin, end)
                      : cmocka_run_group_tests(tests, begin, end);
}
