/* A whole HTTP server on a socket: any bytes get an answer that is HTTP, or the end, and the next
 * client is served. */
#include "lib/http_server.h"
#include "lib/log.h"
#include "tests/fuzz/wire_socket.h"

#include <stdio.h>
#include <stdlib.h>

static int port;
static char file_path[] = "/tmp/grid-fuzz-XXXXXX";

static void hello(struct http_request *r) {
    struct err e;
    static const char *const known[] = {"name", NULL};
    if (!http_query_only(r, known, &e))
        http_reply_err(r, &e);
    else
        http_reply_json_etag(r, "{\"hello\":true}", 14);
}

static void echo(struct http_request *r) {
    OWN_TEXT struct text body = TEXT_EMPTY;
    struct err e;
    if (!http_body(r, &body, &e))
        http_reply_err(r, &e);
    else
        http_reply_text(r, 200, "text/plain", text_value(&body), body.length);
}

static void tell(struct http_request *r) {
    http_reply_text(r, 200, "text/plain", http_param(r, "path"), strlen(http_param(r, "path")));
}

static void give_file(struct http_request *r) {
    http_reply_file(r, &(struct http_file){.path = file_path,
                                           .content_type = "application/octet-stream",
                                           .etag = "0123abcd",
                                           .download_name = "a \"file\""});
}

static void *accept_socket(struct http_request *r, struct err *e) {
    static int state;
    (void)r;
    (void)e;
    return &state;
}

static void opened(struct http_socket_connection *c, void *state) {
    (void)state;
    (void)!http_socket_send(c, "welcome", 7);
}

static void message(struct http_socket_connection *c, void *state, const char *words,
                    size_t length) {
    (void)state;
    (void)!http_socket_send(c, words, length);
}

static void closed(struct http_socket_connection *c, void *state) {
    (void)c;
    (void)state;
}

static const struct http_socket web_socket = {
    .accept = accept_socket, .opened = opened, .message = message, .closed = closed};

static const struct http_route routes[] = {
    {.method = "GET",  .pattern = "/api/hello", .handler = hello},
    {.method = "POST", .pattern = "/echo",      .handler = echo,  .body_max_bytes = 1000},
    {.method = "GET",                .pattern = "/files/*path",                         .handler = tell},
    {.method = "GET",                .pattern = "/file",                         .handler = give_file       },
    {.method = "WS",                .pattern = "/socket",                          .socket = &web_socket},
};

static void make_file(void) {
    OWN_FD int fd = mkstemp(file_path);
    int failed = ftruncate(fd, 1000);
    assert(fd >= 0 && !failed);
}

static void remove_file(void) {
    unlink(file_path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    struct err e;
    struct http_server *server = NULL;
    struct http_server_options options = {.address = "127.0.0.1",
                                          .workers = 8,
                                          .routes = routes,
                                          .route_count = sizeof routes / sizeof routes[0]};
    (void)argc;
    (void)argv;
    make_file();
    atexit(remove_file);
    bool started = http_server_start(&server, &options, &e);
    assert(started);
    port = http_server_port(server);
    return 0;
}

/* The statuses that clients, and nobody else, can bring about here. */
static bool is_expected(int status) {
    static const int statuses[] = {100, 101, 200, 206, 304, 400, 404, 405, 408,
                                   412, 413, 414, 416, 417, 426, 431, 505};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if (statuses[i] == status) return true;
    return false;
}

static void check_answer(const struct text *answer) {
    int status = 0;
    if (answer->length == 0) return;
    int found = sscanf(answer->data, "HTTP/1.1 %3d ", &status);
    assert(found == 1 && strstr(answer->data, "\r\n\r\n") != NULL);
    if (!is_expected(status)) {
        (void)fprintf(stderr, "unexpected answer: %s\n", answer->data);
        abort();
    }
}

static void check_next_client(void) {
    static const char request[] = "GET /api/hello HTTP/1.1\r\nHost: a\r\n\r\n";
    OWN_TEXT struct text answer = TEXT_EMPTY;
    fuzz_exchange(port, (const uint8_t *)request, sizeof request - 1, &answer);
    assert(strncmp(text_value(&answer), "HTTP/1.1 200 ", 13) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static unsigned runs;
    OWN_TEXT struct text answer = TEXT_EMPTY;
    fuzz_exchange(port, data, size, &answer);
    check_answer(&answer);
    if (runs++ % 64 == 0) check_next_client();
    return 0;
}
