#include "tests/unit/lib/http_fixture.h"

#include "lib/http_frame.h"

#define MOST 4

/* Sockets that are open, as the program that serves them would keep them. */
static struct {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t change;
    struct http_socket_connection *open[MOST];
    int opened;
    int closed;
    char query[64];
    int64_t replay_bytes; /* sent at once to each that opens */
} hub = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};

static void *accept_socket(struct http_request *r, struct err *e) {
    const char *since = http_query(r, "since");
    if (since != NULL && strcmp(since, "bad") == 0) {
        err_set(e, ERR_INVALID, "since: bad");
        return NULL;
    }
    pthread_mutex_lock(&hub.lock);
    snprintf(hub.query, sizeof hub.query, "%s", since != NULL ? since : "");
    pthread_mutex_unlock(&hub.lock);
    return text_duplicate("state");
}

static void replay(struct http_socket_connection *c, int64_t bytes) {
    char message[1000];
    memset(message, 'r', sizeof message);
    for (; bytes > 0; bytes -= (int64_t)sizeof message)
        if (!http_socket_send(c, message, sizeof message)) return;
}

static void opened(struct http_socket_connection *c, void *state) {
    (void)state;
    pthread_mutex_lock(&hub.lock);
    for (int i = 0; i < MOST; i++)
        if (hub.open[i] == NULL) {
            hub.open[i] = c;
            break;
        }
    hub.opened++;
    int64_t bytes = hub.replay_bytes;
    pthread_cond_broadcast(&hub.change);
    pthread_mutex_unlock(&hub.lock);
    replay(c, bytes);
}

static void message(struct http_socket_connection *c, void *state, const char *words,
                    size_t length) {
    (void)state;
    if (strcmp(words, "bye") == 0)
        http_socket_close(c, 4000);
    else if (!http_socket_send(c, words, length))
        return;
}

static void closed(struct http_socket_connection *c, void *state) {
    pthread_mutex_lock(&hub.lock);
    for (int i = 0; i < MOST; i++)
        if (hub.open[i] == c) hub.open[i] = NULL;
    hub.closed++;
    pthread_cond_broadcast(&hub.change);
    pthread_mutex_unlock(&hub.lock);
    free(state);
}

static const struct http_socket echoing = {
    .accept = accept_socket, .opened = opened, .message = message, .closed = closed};
static const struct http_socket pinging = {.ping_ms = 300,
                                           .accept = accept_socket,
                                           .opened = opened,
                                           .message = message,
                                           .closed = closed};

static bool authorize(struct http_request *r, enum http_role role, struct err *e) {
    if (role == HTTP_PUBLIC || http_bearer(r) != NULL) return true;
    return err_set(e, ERR_UNAUTHENTICATED, "no token");
}

static const struct http_route routes[] = {
    {"WS", "/ws",      HTTP_PUBLIC, NULL, 0, 0, &echoing},
    {"WS", "/pinging", HTTP_PUBLIC, NULL, 0, 0, &pinging},
    {"WS", "/private", HTTP_VIEWER, NULL, 0, 0, &echoing},
};

static struct served shared;

static int begin(void **state) {
    (void)state;
    shared = serve_with(
        (struct http_server_options){.routes = routes, .route_count = 3, .authorize = authorize});
    return 0;
}

static int end(void **state) {
    (void)state;
    http_server_stop(shared.server);
    return 0;
}

/* Waits until so many have closed since the beginning; hub.lock is not held. */
static void wait_for(const int *counter, int wanted) {
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += PATIENCE_S;
    int failed = 0;
    pthread_mutex_lock(&hub.lock);
    while (*counter < wanted && failed == 0)
        failed = pthread_cond_timedwait(&hub.change, &hub.lock, &deadline);
    pthread_mutex_unlock(&hub.lock);
    assert_int_equal(failed, 0);
}

static int count_of(const int *counter) {
    pthread_mutex_lock(&hub.lock);
    int count = *counter;
    pthread_mutex_unlock(&hub.lock);
    return count;
}

static struct http_socket_connection *first_open(void) {
    pthread_mutex_lock(&hub.lock);
    struct http_socket_connection *c = hub.open[0];
    pthread_mutex_unlock(&hub.lock);
    return c;
}

static void set_replay(int64_t bytes) {
    pthread_mutex_lock(&hub.lock);
    hub.replay_bytes = bytes;
    pthread_mutex_unlock(&hub.lock);
}

static void wait_until_none_is_open(void) {
    wait_for(&hub.closed, count_of(&hub.opened));
}

#define UPGRADE                                                                                    \
    "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"       \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static int open_socket(int port, const char *path) {
    char request[512];
    struct reply r;
    wait_until_none_is_open();
    int before = count_of(&hub.opened);
    int fd = dial(port);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost:1\r\n%s\r\n", path,
             UPGRADE);
    send_words(fd, request);
    receive_reply(fd, false, &r);
    assert_int_equal(r.status, 101);
    /* The example of RFC 6455 section 1.3. */
    assert_string_equal(reply_header(&r, "Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    reply_fini(&r);
    wait_for(&hub.opened, before + 1);
    return fd;
}

static void send_frame(int fd, unsigned char first, const char *payload, size_t length) {
    OWN_TEXT struct text bytes = TEXT_EMPTY;
    unsigned char header[HTTP_FRAME_HEADER_MAX];
    size_t header_length = http_frame_header(HTTP_FRAME_TEXT, length, header);
    header[0] = first;
    header[1] = (unsigned char)(header[1] | 0x80);
    text_add_bytes(&bytes, header, header_length);
    text_add(&bytes, "mask");
    for (size_t i = 0; i < length; i++) {
        char masked = (char)(payload[i] ^ "mask"[i % 4]);
        text_add_bytes(&bytes, &masked, 1);
    }
    send_bytes(fd, bytes.data, bytes.length);
}

static void send_text(int fd, const char *words) {
    send_frame(fd, 0x81, words, strlen(words));
}

/* The opcode of the next frame, its payload in *out; -1 at the end of the connection. */
static int receive_frame(int fd, struct text *out) {
    unsigned char header[HTTP_FRAME_HEADER_MAX];
    struct reply body = {0};
    text_clear(out);
    if (receive_some(fd, (char *)header, 1) == 0 || receive_some(fd, (char *)header + 1, 1) == 0)
        return -1;
    size_t width = header[1] < 126 ? 0 : (header[1] == 126 ? 2 : 8);
    for (size_t i = 0; i < width; i++)
        assert_int_equal(receive_some(fd, (char *)header + 2 + i, 1), 1);
    int64_t length = width == 0 ? header[1] : 0;
    for (size_t i = 0; i < width; i++) length = length << 8 | header[2 + i];
    read_exactly(fd, &body, length);
    text_add_bytes(out, text_value(&body.body), body.body.length);
    reply_fini(&body);
    return header[0] & 0x0f;
}

static void expect_text(int fd, const char *words) {
    OWN_TEXT struct text got = TEXT_EMPTY;
    assert_int_equal(receive_frame(fd, &got), HTTP_FRAME_TEXT);
    assert_string_equal(got.data, words);
}

/* A close frame with this code comes (after whatever was on its way), then the connection ends. */
static void expect_close(int fd, int code) {
    OWN_TEXT struct text got = TEXT_EMPTY;
    int opcode = receive_frame(fd, &got);
    while (opcode == HTTP_FRAME_TEXT || opcode == HTTP_FRAME_PING) opcode = receive_frame(fd, &got);
    assert_int_equal(opcode, HTTP_FRAME_CLOSE);
    assert_int_equal(got.length, 2);
    assert_int_equal((unsigned char)got.data[0] << 8 | (unsigned char)got.data[1], code);
    assert_int_equal(receive_frame(fd, &got), -1);
    close(fd);
}

static void messages_go_both_ways(void **state) {
    (void)state;
    int fd = open_socket(shared.port, "/ws?since=12");
    assert_string_equal(hub.query, "12");
    send_text(fd, "hello");
    expect_text(fd, "hello");
    send_text(fd, "\xc3\xa9");
    expect_text(fd, "\xc3\xa9");
    send_text(fd, "");
    expect_text(fd, "");
    send_frame(fd, 0x88, "\x03\xe8", 2);
    expect_close(fd, 1000);
    wait_until_none_is_open();
}

static void messages_of_every_length_come_back(void **state) {
    (void)state;
    static const size_t lengths[] = {1, 125, 126, 127, 4095, 4096, 65535, 65536};
    int fd = open_socket(shared.port, "/ws");
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        OWN_TEXT struct text sent = TEXT_EMPTY;
        for (size_t k = 0; k < lengths[i]; k++) text_add_bytes(&sent, &"abcdefg"[k % 7], 1);
        send_text(fd, sent.data);
        expect_text(fd, sent.data);
    }
    close(fd);
}

static void fragments_are_put_together(void **state) {
    (void)state;
    int fd = open_socket(shared.port, "/ws");
    OWN_TEXT struct text got = TEXT_EMPTY;
    send_frame(fd, 0x01, "one ", 4);
    send_frame(fd, 0x89, "ping", 4);
    send_frame(fd, 0x00, "two ", 4);
    send_frame(fd, 0x80, "three", 5);
    assert_int_equal(receive_frame(fd, &got), HTTP_FRAME_PONG);
    assert_string_equal(got.data, "ping");
    expect_text(fd, "one two three");
    close(fd);
}

static void frames_may_come_byte_by_byte_or_with_the_handshake(void **state) {
    (void)state;
    int fd = dial(shared.port);
    send_words(fd,
               "GET /ws HTTP/1.1\r\nHost: a\r\n" UPGRADE "\r\n\x81\x85mask\x05\x04\x1f\x07\x02");
    OWN_REPLY struct reply r;
    receive_reply(fd, false, &r);
    expect_text(fd, "hello");
    static const char frame[] = "\x81\x85mask\x05\x04\x1f\x07\x02";
    for (size_t i = 0; i < sizeof frame - 1; i++) send_bytes(fd, frame + i, 1);
    expect_text(fd, "hello");
    close(fd);
}

static void hostile_frames_end_the_connection(void **state) {
    (void)state;
    static const struct {
        const char *what;
        const char *bytes;
        size_t length;
        int code;
    } cases[] = {
        {"unmasked",              "\x81\x05hello",                    7,  1002},
        {"2 GB announced",        "\x81\xff\0\0\0\0\x7f\xff\0\0mask", 14, 1009},
        {"2^63 announced",        "\x81\xff\x80\0\0\0\0\0\0\0mask",   14, 1009},
        {"64 KiB and a byte",     "\x81\xff\0\0\0\0\0\x01\0\x01mask", 14, 1009},
        {"binary",                "\x82\x80mask",                     6,  1003},
        {"reserved bit",          "\xc1\x80mask",                     6,  1002},
        {"unknown opcode",        "\x83\x80mask",                     6,  1002},
        {"continuation of none",  "\x80\x80mask",                     6,  1002},
        {"text within a message", "\x01\x80mask\x81\x80mask",         12, 1002},
        {"ping of 126 bytes",     "\x89\xfe\0\x7emask",               8,  1002},
        {"bad UTF-8",             "\x81\x81\0\0\0\0\xff",             7,  1007},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd = open_socket(shared.port, "/ws");
        send_bytes(fd, cases[i].bytes, cases[i].length);
        expect_close(fd, cases[i].code);
        wait_until_none_is_open();
    }
}

static void fragments_that_never_end_are_too_big(void **state) {
    (void)state;
    static char piece[16384];
    memset(piece, 'x', sizeof piece);
    int fd = open_socket(shared.port, "/ws");
    send_frame(fd, 0x01, piece, sizeof piece);
    for (int i = 0; i < 4; i++) send_frame(fd, 0x00, piece, sizeof piece);
    expect_close(fd, 1009);
}

static void upgrades_that_are_none_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *start;
        const char *headers;
        int status;
    } cases[] = {
        {"GET /ws",           "",                                                                           426},
        {"GET /ws",           "Upgrade: h2c\r\nConnection: Upgrade\r\n",                                    426},
        {"POST /ws",          "",                                                                           405},
        {"POST /ws",          UPGRADE,                                                                      405},
        {"GET /ws",           "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
         400                                                                                                   },
        {"GET /ws",
         "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "
         "13\r\nSec-WebSocket-Key: short\r\n",                                                              400},
        {"GET /ws",
         "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "
         "8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",                                            400},
        {"GET /ws",           UPGRADE "Origin: http://evil.example\r\n",                                    403},
        {"GET /ws",           UPGRADE "Origin: http://localhost.evil.example\r\n",                          403},
        {"GET /ws",           UPGRADE "Origin: null\r\n",                                                   403},
        {"GET /ws?since=bad", UPGRADE,                                                                      400},
        {"GET /ws?token=x",   UPGRADE,                                                                      400},
        {"GET /private",      UPGRADE,                                                                      401},
        {"GET /nowhere",      UPGRADE,                                                                      404},
    };
    int before = count_of(&hub.opened);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        OWN_REPLY struct reply r;
        exchange(shared.port, cases[i].start, cases[i].headers, &r);
        if (r.status != cases[i].status)
            fail_msg("%s %s: %d", cases[i].start, cases[i].headers, r.status);
        if (r.status == 426) assert_string_equal(reply_header(&r, "Upgrade"), "websocket");
    }
    assert_int_equal(count_of(&hub.opened), before);
    OWN_REPLY struct reply same;
    exchange(shared.port, "GET /ws", UPGRADE "Origin: http://localhost\r\n", &same);
    assert_int_equal(same.status, 101);
    OWN_REPLY struct reply authorized;
    exchange(shared.port, "GET /private", UPGRADE "Authorization: Bearer x\r\n", &authorized);
    assert_int_equal(authorized.status, 101);
    wait_for(&hub.opened, before + 2);
}

static void *send_many(void *argument) {
    struct http_socket_connection *c = argument;
    for (int i = 0; i < 500; i++) {
        pthread_mutex_lock(&hub.lock); /* held as a program would, so that closed() waits for us */
        bool sent = hub.open[0] == c && http_socket_send(c, "tick", 4);
        pthread_mutex_unlock(&hub.lock);
        if (!sent) break;
    }
    return NULL;
}

static void any_thread_may_send(void **state) {
    (void)state;
    int fd = open_socket(shared.port, "/ws");
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, first_open()), 0);
    for (int i = 0; i < 2000; i++) expect_text(fd, "tick");
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    close(fd);
}

static void sending_while_the_client_leaves_is_safe(void **state) {
    (void)state;
    for (int round = 0; round < 20; round++) {
        int fd = open_socket(shared.port, "/ws");
        pthread_t threads[4];
        for (int i = 0; i < 4; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, send_many, first_open()), 0);
        expect_text(fd, "tick");
        close(fd);
        for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    }
    wait_until_none_is_open();
}

static void a_client_that_reads_nothing_holds_up_nobody(void **state) {
    (void)state;
    static char news[1000];
    memset(news, 'n', sizeof news);
    int fd = open_socket(shared.port, "/ws");
    int64_t sent = 0;
    /* More than sockets and queue hold: in the end it is refused, at once. */
    for (bool open = true; open && sent < 1 << 30; sent += (int64_t)sizeof news) {
        pthread_mutex_lock(&hub.lock);
        open = hub.open[0] != NULL && http_socket_send(hub.open[0], news, sizeof news);
        pthread_mutex_unlock(&hub.lock);
    }
    assert_in_range(sent, 1000000, 1 << 29);
    close(fd);
    wait_until_none_is_open();
}

static void news_of_the_past_keep_to_the_clients_pace(void **state) {
    (void)state;
    wait_until_none_is_open();
    set_replay(20 << 20); /* far more than may wait in the queue */
    int fd = open_socket(shared.port, "/ws");
    set_replay(0);
    OWN_TEXT struct text got = TEXT_EMPTY;
    int64_t received = 0;
    while (received < 20 << 20) {
        assert_int_equal(receive_frame(fd, &got), HTTP_FRAME_TEXT);
        received += (int64_t)got.length;
    }
    send_text(fd, "and now");
    expect_text(fd, "and now");
    close(fd);
}

static void the_program_may_close(void **state) {
    (void)state;
    int fd = open_socket(shared.port, "/ws");
    send_text(fd, "bye");
    expect_close(fd, 4000);
}

static void silent_clients_are_pinged_and_given_up(void **state) {
    (void)state;
    OWN_TEXT struct text got = TEXT_EMPTY;
    int fd = open_socket(shared.port, "/pinging");
    int before = count_of(&hub.closed);
    for (int i = 0; i < 4; i++) { /* who answers stays */
        assert_int_equal(receive_frame(fd, &got), HTTP_FRAME_PING);
        send_frame(fd, 0x8a, "", 0);
    }
    assert_int_equal(count_of(&hub.closed), before);
    int opcode = HTTP_FRAME_PING;
    while (opcode == HTTP_FRAME_PING) opcode = receive_frame(fd, &got);
    assert_int_equal(opcode, -1);
    wait_until_none_is_open();
    close(fd);
}

static void *stop_server(void *server) {
    http_server_stop(server);
    return NULL;
}

static void stopping_says_goodbye(void **state) {
    (void)state;
    struct served s = serve_with((struct http_server_options){.routes = routes, .route_count = 3});
    int before = count_of(&hub.closed);
    int fd = open_socket(s.port, "/ws");
    pthread_t stopper;
    assert_int_equal(pthread_create(&stopper, NULL, stop_server, s.server), 0);
    expect_close(fd, 1001);
    pthread_join(stopper, NULL);
    assert_int_equal(count_of(&hub.closed), before + 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_go_both_ways),
        cmocka_unit_test(messages_of_every_length_come_back),
        cmocka_unit_test(fragments_are_put_together),
        cmocka_unit_test(frames_may_come_byte_by_byte_or_with_the_handshake),
        cmocka_unit_test(hostile_frames_end_the_connection),
        cmocka_unit_test(fragments_that_never_end_are_too_big),
        cmocka_unit_test(upgrades_that_are_none_are_refused),
        cmocka_unit_test(any_thread_may_send),
        cmocka_unit_test(sending_while_the_client_leaves_is_safe),
        cmocka_unit_test(a_client_that_reads_nothing_holds_up_nobody),
        cmocka_unit_test(news_of_the_past_keep_to_the_clients_pace),
        cmocka_unit_test(the_program_may_close),
        cmocka_unit_test(silent_clients_are_pinged_and_given_up),
        cmocka_unit_test(stopping_says_goodbye),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
