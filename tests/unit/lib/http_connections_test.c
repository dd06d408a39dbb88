/* How connections begin, last and end, and how a server starts and stops. */
#include "tests/unit/lib/http_server_fixture.h"

#include "lib/clock.h"
#include "lib/http_client.h"

#include <dirent.h>
#include <poll.h>

static void connections_are_kept_and_pipelined(void **state) {
    (void)state;
    int fd = dial(shared.port);
    for (int i = 0; i < 3; i++)
        send_words(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
                       "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                       "chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n"
                       "GET /items/x HTTP/1.1\r\nHost: a\r\n\r\n");
    static const char *const bodies[] = {"abc", "def", "x"};
    for (int i = 0; i < 9; i++) {
        OWN_REPLY struct reply r;
        receive_reply(fd, true, &r);
        assert_int_equal(r.status, 200);
        assert_string_equal(r.body.data, bodies[i % 3]);
    }
    close(fd);
}

static void connections_end_when_the_client_says_so(void **state) {
    (void)state;
    static const struct {
        const char *request;
        const char *connection;
    } cases[] = {
        {"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "close"},
        {"GET /hello HTTP/1.0\r\n\r\n",                                 "close"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        OWN_REPLY struct reply r;
        int fd = dial(shared.port);
        send_words(fd, cases[i].request);
        receive_reply(fd, true, &r);
        assert_int_equal(r.status, 200);
        assert_string_equal(reply_header(&r, "Connection"), cases[i].connection);
        assert_true(ended(fd));
        close(fd);
    }
    OWN_REPLY struct reply kept;
    exchange_words(shared.port, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &kept);
    assert_string_equal(reply_header(&kept, "Connection"), "keep-alive");
}

static void a_body_nobody_reads_does_not_become_a_request(void **state) {
    (void)state;
    int fd = dial(shared.port);
    static const char inner[] = "GET /items/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    char request[256];
    snprintf(request, sizeof request,
             "POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n%sGET /items/next "
             "HTTP/1.1\r\nHost: a\r\n\r\n",
             sizeof inner - 1, inner);
    send_words(fd, request);
    OWN_REPLY struct reply r;
    receive_reply(fd, true, &r);
    assert_int_equal(r.status, 204);
    OWN_REPLY struct reply next;
    receive_reply(fd, true, &next);
    assert_string_equal(next.body.data, "next");
    close(fd);
    fd = dial(shared.port);
    send_words(fd, "POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nGET "
                   "/items/smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    OWN_REPLY struct reply closed;
    receive_reply(fd, true, &closed);
    assert_int_equal(closed.status, 204);
    assert_string_equal(reply_header(&closed, "Connection"), "close");
    shutdown(fd, SHUT_WR);
    assert_true(ended(fd));
    close(fd);
}

static void a_stream_not_ended_is_seen_as_cut(void **state) {
    (void)state;
    static const char *const kinds[] = {"GET /broken/chunked", "GET /broken/counted",
                                        "GET /broken/short"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        OWN_REPLY struct reply r;
        exchange(shared.port, kinds[i], "", &r);
        assert_true(r.cut);
        assert_string_equal(r.body.data, "half");
    }
}

static size_t count_threads(void) {
    size_t count = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (const struct dirent *entry; (entry = readdir(tasks)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(tasks);
    return count;
}

static void workers_begin_as_connections_come(void **state) {
    (void)state;
    enum { CLIENTS = 100 };
    int fds[CLIENTS];
    if (over_tls()) skip(); /* the threads between are counted too */
    size_t before = count_threads();
    struct served s =
        serve_with((struct http_server_options){ROUTES, .workers = 1000, .keep_alive_ms = 60000});
    assert_true(count_threads() < before + 50);
    /* Nobody is sent away for silence, whatever the others' answers take. */
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = dial(s.port);
        send_words(fds[i], "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    for (int i = 0; i < CLIENTS; i++) {
        OWN_REPLY struct reply r;
        receive_reply(fds[i], true, &r);
        assert_int_equal(r.status, 200);
    }
    assert_in_range(count_threads(), before + CLIENTS, before + CLIENTS + 50);
    for (int i = 0; i < CLIENTS; i++) close(fds[i]);
    http_server_stop(s.server);
    assert_int_equal(count_threads(), before);
}

static void an_address_has_so_many_connections(void **state) {
    (void)state;
    if (over_tls()) skip(); /* http_tls_test.c has its own */
    struct served s =
        serve_with((struct http_server_options){ROUTES, .max_connections_per_address = 2});
    int first = dial(s.port);
    int second = dial(s.port);
    OWN_REPLY struct reply r;
    for (int i = 0; i < 2; i++) {
        OWN_REPLY struct reply taken;
        send_words(i == 0 ? first : second, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
        receive_reply(i == 0 ? first : second, true, &taken);
        assert_int_equal(taken.status, 200);
    }
    int third = dial(s.port);
    receive_reply(third, true, &r);
    assert_int_equal(r.status, 429);
    assert_non_null(reply_header(&r, "Retry-After"));
    assert_true(ended(third));
    close(third);
    shutdown(second, SHUT_RDWR);
    close(second);
    /* The server learns of the end in its own time. */
    int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_S * 1000;
    int status = 429;
    while (status != 200 && clock_monotonic_ms() < deadline_ms) {
        OWN_REPLY struct reply again;
        exchange(s.port, "GET /hello", "", &again);
        status = again.status;
    }
    assert_int_equal(status, 200);
    close(first);
    http_server_stop(s.server);
}

static void slow_heads_are_given_up(void **state) {
    (void)state;
    /* The handshake, which a busy machine takes its time for, is of the same time. */
    struct served s = serve_with(
        (struct http_server_options){ROUTES, .header_timeout_ms = over_tls() ? 1000 : 150});
    int fd = dial(s.port);
    send_words(fd, "GET /hello HTTP/1.1\r\nHo");
    OWN_REPLY struct reply r;
    receive_reply(fd, true, &r);
    assert_int_equal(r.status, 408);
    assert_true(ended(fd));
    close(fd);
    int silent = dial(s.port);
    assert_true(ended(silent));
    close(silent);
    http_server_stop(s.server);
}

static void idle_connections_end(void **state) {
    (void)state;
    struct served s = serve_with((struct http_server_options){ROUTES, .keep_alive_ms = 100});
    int fd = dial(s.port);
    send_words(fd, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    OWN_REPLY struct reply r;
    receive_reply(fd, true, &r);
    assert_int_equal(r.status, 200);
    assert_true(ended(fd));
    close(fd);
    http_server_stop(s.server);
}

static void slow_clients_leave_room_for_others(void **state) {
    (void)state;
    enum { SLOW = 100 };
    struct served s = serve_with((struct http_server_options){ROUTES, .workers = SLOW + 10});
    int slow[SLOW];
    for (int i = 0; i < SLOW; i++) {
        slow[i] = dial(s.port);
        send_words(slow[i], "GET /hello HTTP/1.1\r\n");
    }
    OWN_REPLY struct reply r;
    exchange(s.port, "GET /hello", "", &r);
    assert_int_equal(r.status, 200);
    for (int i = 0; i < SLOW; i++) close(slow[i]);
    http_server_stop(s.server);
}

static void draining_ends_connections_with_their_answer(void **state) {
    (void)state;
    struct served s = serve_with((struct http_server_options){ROUTES});
    int fd = dial(s.port);
    send_words(fd, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    OWN_REPLY struct reply before;
    receive_reply(fd, true, &before);
    assert_null(reply_header(&before, "Connection"));
    http_server_drain(s.server);
    send_words(fd, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    OWN_REPLY struct reply after;
    receive_reply(fd, true, &after);
    assert_int_equal(after.status, 200);
    assert_string_equal(reply_header(&after, "Connection"), "close");
    assert_true(ended(fd));
    close(fd);
    OWN_REPLY struct reply other;
    exchange(s.port, "GET /hello", "", &other);
    assert_int_equal(other.status, 200);
    http_server_stop(s.server);
}

static void *stop_server(void *server) {
    http_server_stop(server);
    return NULL;
}

static void stopping_waits_for_the_handler(void **state) {
    (void)state;
    struct served s = serve_with((struct http_server_options){ROUTES});
    seen.released = false;
    int before = atomic_load(&seen.handled);
    int idle = dial(s.port);
    send_words(idle, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    OWN_REPLY struct reply warm;
    receive_reply(idle, true, &warm);
    int fd = dial(s.port);
    send_words(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    pthread_mutex_lock(&seen.lock);
    while (atomic_load(&seen.handled) == before) pthread_cond_wait(&seen.change, &seen.lock);
    pthread_mutex_unlock(&seen.lock);
    pthread_t stopper;
    assert_int_equal(pthread_create(&stopper, NULL, stop_server, s.server), 0);
    assert_true(ended(idle)); /* it has begun to stop */
    close(idle);
    pthread_mutex_lock(&seen.lock);
    seen.released = true;
    pthread_cond_broadcast(&seen.change);
    pthread_mutex_unlock(&seen.lock);
    OWN_REPLY struct reply r;
    receive_reply(fd, true, &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body.data, "held");
    assert_string_equal(reply_header(&r, "Connection"), "close");
    close(fd);
    pthread_join(stopper, NULL);
}

static void stopping_cuts_who_never_ends(void **state) {
    (void)state;
    struct served s = serve_with((struct http_server_options){ROUTES, .stop_timeout_ms = 100});
    int reader = dial(s.port); /* takes nothing of what is streamed to it */
    send_words(reader, "GET /stream/chunked/1000000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    char byte;
    assert_int_equal(receive_some(reader, &byte, 1), 1);
    int writer = dial(s.port); /* never sends the body it announced */
    send_words(
        writer,
        "PUT /count HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(receive_some(writer, &byte, 1), 1);
    http_server_stop(s.server);
    close(reader);
    close(writer);
}

static void wrong_addresses_and_ports_are_named(void **state) {
    (void)state;
    struct http_server *s = NULL;
    struct err e = {0};
    struct http_server_options options = {
        .address = "127.0.0.1", .port = shared.port, .workers = 2, ROUTES};
    assert_false(http_server_start(&s, &options, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_non_null(strstr(e.text, "in use"));
    assert_string_not_equal(e.hint, "");
    options.address = "no-address";
    assert_false(http_server_start(&s, &options, &e));
    assert_int_equal(e.code, ERR_INVALID);
    assert_non_null(strstr(e.text, "no-address"));
    options.address = "192.0.2.1"; /* RFC 5737: nobody's */
    assert_false(http_server_start(&s, &options, &e));
    assert_non_null(strstr(e.text, "192.0.2.1"));
    options = (struct http_server_options){.port = 70000, .workers = 2, ROUTES};
    assert_false(http_server_start(&s, &options, &e));
    assert_int_equal(e.code, ERR_INVALID);
    assert_null(s);
}

static void ipv6_works_too(void **state) {
    (void)state;
    struct http_server *s = NULL;
    struct err e;
    struct http_server_options options = {.address = "::1", .workers = 2, ROUTES};
    if (!http_server_start(&s, &options, &e)) {
        print_message("not tested: %s\n", e.text); /* a machine without IPv6 */
        return;
    }
    char url[64];
    snprintf(url, sizeof url, "http://[::1]:%d/mirror/", http_server_port(s));
    struct http_call call = {.url = url};
    OWN_HTTP_ANSWER struct http_answer a;
    http_client_setup();
    if (!http_call_ok(&call, &a, &e)) fail_msg("%s", e.text);
    assert_non_null(strstr(a.body.data, "|::1|"));
    http_server_stop(s);
}

static void servers_start_and_stop_again(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct served s = serve_with((struct http_server_options){ROUTES, .workers = 4});
        OWN_REPLY struct reply r;
        exchange(s.port, "GET /hello", "", &r);
        assert_int_equal(r.status, 200);
        http_server_stop(s.server);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_are_kept_and_pipelined),
        cmocka_unit_test(connections_end_when_the_client_says_so),
        cmocka_unit_test(a_body_nobody_reads_does_not_become_a_request),
        cmocka_unit_test(a_stream_not_ended_is_seen_as_cut),
        cmocka_unit_test(workers_begin_as_connections_come),
        cmocka_unit_test(an_address_has_so_many_connections),
        cmocka_unit_test(slow_heads_are_given_up),
        cmocka_unit_test(idle_connections_end),
        cmocka_unit_test(slow_clients_leave_room_for_others),
        cmocka_unit_test(draining_ends_connections_with_their_answer),
        cmocka_unit_test(stopping_waits_for_the_handler),
        cmocka_unit_test(stopping_cuts_who_never_ends),
        cmocka_unit_test(wrong_addresses_and_ports_are_named),
        cmocka_unit_test(ipv6_works_too),
        cmocka_unit_test(servers_start_and_stop_again),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
