/* What requests bring, bodies and all, and what is answered. */
#include "tests/unit/lib/http_server_fixture.h"

#include "lib/clock.h"
#include "lib/json.h"

#include <poll.h>
#include <sys/resource.h>

static void wait_finished(int wanted) {
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += PATIENCE_S;
    int failed = 0;
    pthread_mutex_lock(&seen.lock);
    while (atomic_load(&seen.finished) < wanted && failed == 0)
        failed = pthread_cond_timedwait(&seen.change, &seen.lock, &deadline);
    pthread_mutex_unlock(&seen.lock);
    assert_int_equal(failed, 0);
}

static bool holds(const struct reply *r, const char *words) {
    return strstr(text_value(&r->body), words) != NULL;
}

static void get_is_answered_with_safe_headers(void **state) {
    (void)state;
    OWN_REPLY struct reply r;
    exchange(shared.port, "GET /hello", "", &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body.data, "{\"hello\":\"world\"}");
    assert_string_equal(reply_header(&r, "Content-Type"), "application/json");
    assert_string_equal(reply_header(&r, "X-Content-Type-Options"), "nosniff");
    assert_string_equal(reply_header(&r, "Cache-Control"), "no-store");
    assert_non_null(reply_header(&r, "Date"));
    assert_null(reply_header(&r, "Connection"));
    assert_null(reply_header(&r, "Expires"));
    assert_null(reply_header(&r, "Pragma"));
    assert_null(reply_header(&r, "Server"));
}

static void head_is_get_without_the_body(void **state) {
    (void)state;
    OWN_REPLY struct reply r;
    int fd = dial(shared.port);
    send_words(
        fd, "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /items/next HTTP/1.1\r\nHost: a\r\n\r\n");
    receive_reply(fd, false, &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(reply_header(&r, "Content-Length"), "17");
    OWN_REPLY struct reply next;
    receive_reply(fd, true, &next);
    assert_string_equal(next.body.data, "next");
    close(fd);
}

static void request_ids_are_kept_when_sane(void **state) {
    (void)state;
    OWN_REPLY struct reply kept;
    exchange(shared.port, "GET /hello", "X-Request-Id: a.B-1_2\r\n", &kept);
    assert_string_equal(reply_header(&kept, "X-Request-Id"), "a.B-1_2");
    OWN_REPLY struct reply made;
    exchange(shared.port, "GET /hello", "X-Request-Id: <script>\r\n", &made);
    assert_null(strchr(reply_header(&made, "X-Request-Id"), '<'));
    OWN_REPLY struct reply again;
    exchange(shared.port, "GET /hello", "", &again);
    assert_string_not_equal(reply_header(&made, "X-Request-Id"),
                            reply_header(&again, "X-Request-Id"));
}

static void unknown_paths_and_methods_are_told_apart(void **state) {
    (void)state;
    static const char *const missing[] = {"GET /nothing", "GET /helloX", "GET /hello/", "PUT /hell",
                                          "GET /"};
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        OWN_REPLY struct reply r;
        exchange(shared.port, missing[i], "", &r);
        assert_int_equal(r.status, 404);
        assert_string_equal(reply_header(&r, "Content-Type"), "application/problem+json");
        assert_true(holds(&r, "\"code\":\"not_found\""));
    }
    OWN_REPLY struct reply r;
    exchange(shared.port, "PATCH /echo", "", &r);
    assert_int_equal(r.status, 405);
    assert_string_equal(reply_header(&r, "Allow"), "POST, DELETE");
    assert_true(holds(&r, "\"code\":\"method_not_allowed\""));
    OWN_REPLY struct reply read;
    exchange(shared.port, "GET /echo", "", &read);
    assert_int_equal(read.status, 405);
    assert_true(holds(&r, "\"hint\":\"it takes POST, DELETE\""));
}

static void problems_hold_every_member(void **state) {
    (void)state;
    OWN_REPLY struct reply r;
    exchange(shared.port, "GET /fail/conflict", "X-Request-Id: id-1\r\n", &r);
    struct err e;
    assert_int_equal(r.status, 409);
    if (!json_check(r.body.data, r.body.length - 1, &e)) fail_msg("%s", e.text);
    assert_string_equal(
        r.body.data, "{\"type\":\"urn:grid:error:conflict\",\"title\":\"Conflict\",\"status\":409,"
                     "\"detail\":\"it \\\"failed\\\"\\nhere\",\"code\":\"conflict\","
                     "\"hint\":\"try again\",\"request_id\":\"id-1\"}\n");
}

static void some_problems_say_when_or_how_to_come_back(void **state) {
    (void)state;
    OWN_REPLY struct reply limited;
    exchange(shared.port, "GET /fail/rate_limited", "", &limited);
    assert_int_equal(limited.status, 429);
    assert_string_equal(reply_header(&limited, "Retry-After"), "1");
    OWN_REPLY struct reply away;
    exchange(shared.port, "GET /fail/unavailable", "", &away);
    assert_int_equal(away.status, 503);
    assert_string_equal(reply_header(&away, "Retry-After"), "5");
    OWN_REPLY struct reply full;
    exchange(shared.port, "GET /fail/no_space", "", &full);
    assert_int_equal(full.status, 507);
    OWN_REPLY struct reply who;
    exchange(shared.port, "GET /operators", "", &who);
    assert_int_equal(who.status, 401);
    assert_string_equal(reply_header(&who, "WWW-Authenticate"), "Bearer");
}

static void tokens_decide_by_role(void **state) {
    (void)state;
    static const struct {
        const char *start;
        const char *headers;
        int status;
    } cases[] = {
        {"GET /operators",                   "Authorization: Bearer operator\r\n",   200},
        {"GET /operators",                   "authorization: bearer   operator\r\n", 200},
        {"GET /operators",                   "X-API-Key: operator\r\n",              200},
        {"GET /operators",                   "Authorization: Basic operator\r\n",    401},
        {"GET /operators",                   "Authorization: Bearer operato\r\n",    401},
        {"GET /operators",                   "Authorization: Bearer\r\n",            401},
        {"GET /operators",                   "",                                     401},
        {"GET /admins",                      "Authorization: Bearer operator\r\n",   403},
        {"GET /hello",                       "Authorization: Bearer wrong\r\n",      401},
        {"GET /hello",                       "Authorization: Bearer operator\r\n",   200},
        {"GET /operators?token=operator",    "",                                     400},
        {"GET /hello?access_token=operator", "",                                     400},
        {"GET /hello?x=1&API_KEY=operator",  "",                                     400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        OWN_REPLY struct reply r;
        exchange(shared.port, cases[i].start, cases[i].headers, &r);
        if (r.status != cases[i].status)
            fail_msg("%s %s: %d", cases[i].start, cases[i].headers, r.status);
        if (r.status == 400) assert_true(holds(&r, "\"hint\":\"send it in a header"));
    }
}

static void without_tokens_only_public_routes_answer(void **state) {
    (void)state;
    struct served s = serve_with((struct http_server_options){ROUTES});
    OWN_REPLY struct reply open;
    exchange(s.port, "GET /hello", "Authorization: Bearer operator\r\n", &open);
    assert_int_equal(open.status, 200);
    OWN_REPLY struct reply closed;
    exchange(s.port, "GET /operators", "Authorization: Bearer operator\r\n", &closed);
    assert_int_equal(closed.status, 403);
    http_server_stop(s.server);
}

static void accessors_tell_what_came(void **state) {
    (void)state;
    OWN_REPLY struct reply r;
    exchange(shared.port, "GET /mirror/a%20b/c?name=x%26y&limit=9",
             "Accept:  text/plain  \r\nX-API-Key: operator\r\n", &r);
    assert_string_equal(r.body.data, "GET|/mirror/a b/c|127.0.0.1|x&y|9|text/plain|token:op");
    OWN_REPLY struct reply plain;
    exchange(shared.port, "GET /mirror/", "", &plain);
    assert_string_equal(plain.body.data, "GET|/mirror/|127.0.0.1|-|7|-|anonymous");
}

static void query_parameters_are_checked(void **state) {
    (void)state;
    static const struct {
        const char *start;
        const char *words;
    } cases[] = {
        {"GET /mirror/?nam=x",                      "nam: no such query parameter"                },
        {"GET /mirror/?nam=x",                      "\"hint\":\"allowed: name, limit\""           },
        {"GET /mirror/?limit=0",                    "limit: 0 is not a whole number from 1 to 100"},
        {"GET /mirror/?limit=101",                  "101"                                         },
        {"GET /mirror/?limit=",                     "limit"                                       },
        {"GET /mirror/?limit=1x",                   "1x"                                          },
        {"GET /mirror/?limit=%201",                 "limit"                                       },
        {"GET /mirror/?limit=+1",                   "limit"                                       },
        {"GET /mirror/?limit=99999999999999999999", "99999999999999999999"                        },
        {"GET /mirror/?name=a&name=b",              "name: the query parameter is given twice"    },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        OWN_REPLY struct reply r;
        exchange(shared.port, cases[i].start, "", &r);
        if (r.status != 400 || !holds(&r, cases[i].words))
            fail_msg("%s: %d %s", cases[i].start, r.status, r.body.data);
    }
}

static void encoded_parameters_reach_the_handler_decoded(void **state) {
    (void)state;
    OWN_REPLY struct reply r;
    exchange(shared.port, "GET /items/agent-1%2F0", "", &r);
    assert_string_equal(r.body.data, "agent-1/0");
}

static void header_values_cannot_begin_new_lines(void **state) {
    (void)state;
    OWN_REPLY struct reply r;
    exchange(shared.port, "GET /decorated", "", &r);
    assert_int_equal(r.status, 201);
    assert_null(reply_header(&r, "Set-Cookie"));
    assert_string_equal(reply_header(&r, "Location"), "/x  Set-Cookie: stolen=1");
    assert_string_equal(reply_header(&r, "Cache-Control"), "public, max-age=60");
    assert_string_equal(reply_header(&r, "Content-Length"), "0");
}

static void json_with_an_etag_is_not_sent_twice(void **state) {
    (void)state;
    OWN_REPLY struct reply first;
    exchange(shared.port, "GET /tagged", "", &first);
    const char *etag = reply_header(&first, "ETag");
    assert_non_null(etag);
    assert_int_equal(etag[0], '"');
    assert_string_equal(reply_header(&first, "Cache-Control"), "no-cache");
    char headers[128];
    snprintf(headers, sizeof headers, "If-None-Match: W/\"x\", W/%s\r\n", etag);
    OWN_REPLY struct reply second;
    exchange(shared.port, "GET /tagged", headers, &second);
    assert_int_equal(second.status, 304);
    assert_string_equal(reply_header(&second, "ETag"), etag);
    assert_null(reply_header(&second, "Content-Length"));
    OWN_REPLY struct reply other;
    exchange(shared.port, "GET /tagged", "If-None-Match: \"other\"\r\n", &other);
    assert_int_equal(other.status, 200);
}

static void post(int port, const char *path, size_t length, struct reply *r) {
    OWN_TEXT struct text request = TEXT_EMPTY;
    text_add_format(&request, "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", path,
                    length);
    for (size_t i = 0; i < length; i++) text_add_bytes(&request, &"0123456789"[i % 10], 1);
    exchange_bytes(port, request.data, request.length, r);
}

static void bodies_of_every_size_come_back(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 100, 8191, 8192, 8193, 16384, 20000, 99999, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        OWN_REPLY struct reply r;
        post(shared.port, "/echo", sizes[i], &r);
        assert_int_equal(r.status, 200);
        assert_int_equal(r.body.length, sizes[i]);
        if (sizes[i] > 0)
            assert_int_equal(r.body.data[sizes[i] - 1], "0123456789"[(sizes[i] - 1) % 10]);
    }
}

static void a_body_above_the_cap_is_refused_before_it_is_sent(void **state) {
    (void)state;
    OWN_REPLY struct reply r;
    int before = atomic_load(&seen.handled);
    int fd = dial(shared.port);
    send_words(
        fd,
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\nExpect: 100-continue\r\n\r\n");
    receive_reply(fd, true, &r);
    assert_int_equal(r.status, 413);
    assert_true(holds(&r, "100001 bytes is more than the 100000"));
    assert_string_equal(reply_header(&r, "Connection"), "close");
    close(fd);
    assert_int_equal(atomic_load(&seen.handled), before);
}

/* The rest is still taken for a while: a reset could overtake the answer. */
static void whoever_sends_too_much_still_reads_why(void **state) {
    (void)state;
    static char megabyte[1 << 20];
    int fd = dial(shared.port);
    send_words(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n");
    for (int i = 0; i < 8; i++)
        assert_int_equal(send(fd, megabyte, sizeof megabyte, MSG_NOSIGNAL), sizeof megabyte);
    OWN_REPLY struct reply r;
    receive_reply(fd, true, &r);
    assert_int_equal(r.status, 413);
    assert_false(r.cut);
    close(fd);
}

static void a_chunked_body_above_the_cap_is_cut(void **state) {
    (void)state;
    static char piece[0x8000];
    int fd = dial(shared.port);
    send_words(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 4; i++) {
        send_words(fd, "8000\r\n");
        send_bytes(fd, piece, sizeof piece);
        send_words(fd, "\r\n");
    }
    send_words(fd, "0\r\n\r\n");
    OWN_REPLY struct reply r;
    receive_reply(fd, true, &r);
    assert_int_equal(r.status, 413);
    close(fd);
}

static void a_body_where_none_is_taken_is_refused(void **state) {
    (void)state;
    OWN_REPLY struct reply counted;
    exchange_words(shared.port, "DELETE /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
                   &counted);
    assert_int_equal(counted.status, 413);
    OWN_REPLY struct reply chunked;
    exchange(shared.port, "GET /hello", "Transfer-Encoding: chunked\r\n", &chunked);
    assert_int_equal(chunked.status, 413);
    OWN_REPLY struct reply none;
    exchange(shared.port, "DELETE /echo", "Content-Length: 0\r\n", &none);
    assert_int_equal(none.status, 204);
}

static void a_body_cut_short_is_told(void **state) {
    (void)state;
    static const char *const requests[] = {
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
    };
    for (size_t i = 0; i < 2; i++) {
        int fd = dial(shared.port);
        send_words(fd, requests[i]);
        shutdown(fd, SHUT_WR);
        OWN_REPLY struct reply r;
        receive_reply(fd, true, &r);
        assert_int_equal(r.status, 400);
        assert_true(holds(&r, "the body ended"));
        assert_true(ended(fd));
        close(fd);
    }
}

static void a_body_that_does_not_come_is_given_up(void **state) {
    (void)state;
    int fd = dial(shared.port);
    send_words(fd, "POST /impatient HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    OWN_REPLY struct reply r;
    receive_reply(fd, true, &r);
    assert_int_equal(r.status, 408);
    assert_true(holds(&r, "\"code\":\"timeout\""));
    assert_true(ended(fd));
    close(fd);
}

/* The deadline is for the whole body: a byte now and then does not renew it. The body is far longer
 * than what can drip within anyone's patience, so that it never comes whole to a slow server. */
static void a_body_that_drips_is_given_up(void **state) {
    (void)state;
    int fd = dial(shared.port);
    int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_S * 1000;
    struct pollfd answer = {.fd = fd, .events = POLLIN};
    send_words(fd, "POST /impatient HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    while (poll(&answer, 1, 20) == 0 && clock_monotonic_ms() < deadline_ms) send_words(fd, "x");
    OWN_REPLY struct reply r;
    receive_reply(fd, true, &r);
    assert_int_equal(r.status, 408);
    assert_true(holds(&r, "\"code\":\"timeout\""));
    close(fd);
}

static void clients_that_wait_are_told_to_continue(void **state) {
    (void)state;
    int fd = dial(shared.port);
    char interim[26] = "";
    send_words(
        fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    for (size_t i = 0; i < 25; i++) assert_int_equal(receive_some(fd, interim + i, 1), 1);
    assert_string_equal(interim, "HTTP/1.1 100 Continue\r\n\r\n");
    send_words(fd, "abcGET /items/next HTTP/1.1\r\nHost: a\r\n\r\n");
    OWN_REPLY struct reply r;
    receive_reply(fd, true, &r);
    assert_string_equal(r.body.data, "abc");
    OWN_REPLY struct reply next;
    receive_reply(fd, true, &next);
    assert_string_equal(next.body.data, "next");
    close(fd);
}

static void a_client_that_did_not_wait_is_not_told(void **state) {
    (void)state;
    OWN_REPLY struct reply r;
    exchange_words(
        shared.port,
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
        &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body.data, "abc");
}

/* The most memory that was resident so far. */
static int64_t resident_kib(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void large_bodies_stream_through_little_memory(void **state) {
    (void)state;
    static char piece[1 << 16];
    const int64_t total = 100 << 20;
    if (over_tls()) skip(); /* the thread between holds memory too */
    int64_t before_kib = resident_kib();
    int fd = dial(shared.port);
    char head[128];
    snprintf(head, sizeof head,
             "PUT /count HTTP/1.1\r\nHost: a\r\nContent-Length: %" PRId64 "\r\n\r\n", total);
    send_words(fd, head);
    for (int64_t sent = 0; sent < total; sent += (int64_t)sizeof piece)
        send_bytes(fd, piece, sizeof piece);
    OWN_REPLY struct reply r;
    receive_reply(fd, true, &r);
    assert_string_equal(r.body.data, "104857600");
    send_words(fd, "GET /stream/chunked/104857600 HTTP/1.1\r\nHost: a\r\n\r\nGET /items/next "
                   "HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    int64_t received = 0;
    char tail[64] = "";
    for (size_t got = 1; got > 0; received += (int64_t)got) {
        got = receive_some(fd, piece, sizeof piece);
        if (got >= 4) memcpy(tail, piece + got - 4, 4);
    }
    close(fd);
    assert_string_equal(tail, "next");
    assert_true(received > total && received < total + (1 << 20));
    assert_true(resident_kib() - before_kib < 30 * 1024);
}

static void streams_are_framed(void **state) {
    (void)state;
    OWN_REPLY struct reply chunked;
    exchange(shared.port, "GET /stream/chunked/100000", "", &chunked);
    assert_int_equal(chunked.body.length, 100000);
    OWN_REPLY struct reply counted;
    exchange(shared.port, "GET /stream/counted/100000", "", &counted);
    assert_string_equal(reply_header(&counted, "Content-Length"), "100000");
    assert_int_equal(counted.body.length, 100000);
    OWN_REPLY struct reply head;
    exchange(shared.port, "HEAD /stream/counted/100000", "", &head);
    assert_string_equal(reply_header(&head, "Content-Length"), "100000");
    OWN_REPLY struct reply old;
    exchange_words(shared.port, "GET /stream/chunked/1000 HTTP/1.0\r\n\r\n", &old);
    assert_null(reply_header(&old, "Transfer-Encoding"));
    assert_int_equal(old.body.length, 1000);
}

static void every_answer_is_reported(void **state) {
    (void)state;
    int before = atomic_load(&seen.finished);
    OWN_REPLY struct reply r;
    exchange(shared.port, "GET /items/1", "", &r);
    wait_finished(before + 1);
    assert_string_equal(seen.method, "GET");
    assert_string_equal(seen.route, "/items/:id");
    assert_int_equal(seen.status, 200);
    assert_int_equal(seen.sent_bytes, (int64_t)(strlen(r.head) + r.body.length));
    before = atomic_load(&seen.finished);
    OWN_REPLY struct reply bad;
    exchange_words(shared.port, "BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n", &bad);
    wait_finished(before + 1);
    assert_string_equal(seen.method, "none");
    assert_string_equal(seen.route, "none");
    assert_int_equal(seen.status, 400);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_is_answered_with_safe_headers),
        cmocka_unit_test(head_is_get_without_the_body),
        cmocka_unit_test(request_ids_are_kept_when_sane),
        cmocka_unit_test(unknown_paths_and_methods_are_told_apart),
        cmocka_unit_test(problems_hold_every_member),
        cmocka_unit_test(some_problems_say_when_or_how_to_come_back),
        cmocka_unit_test(tokens_decide_by_role),
        cmocka_unit_test(without_tokens_only_public_routes_answer),
        cmocka_unit_test(accessors_tell_what_came),
        cmocka_unit_test(query_parameters_are_checked),
        cmocka_unit_test(encoded_parameters_reach_the_handler_decoded),
        cmocka_unit_test(header_values_cannot_begin_new_lines),
        cmocka_unit_test(json_with_an_etag_is_not_sent_twice),
        cmocka_unit_test(bodies_of_every_size_come_back),
        cmocka_unit_test(a_body_above_the_cap_is_refused_before_it_is_sent),
        cmocka_unit_test(whoever_sends_too_much_still_reads_why),
        cmocka_unit_test(a_chunked_body_above_the_cap_is_cut),
        cmocka_unit_test(a_body_where_none_is_taken_is_refused),
        cmocka_unit_test(a_body_cut_short_is_told),
        cmocka_unit_test(a_body_that_does_not_come_is_given_up),
        cmocka_unit_test(a_body_that_drips_is_given_up),
        cmocka_unit_test(clients_that_wait_are_told_to_continue),
        cmocka_unit_test(a_client_that_did_not_wait_is_not_told),
        cmocka_unit_test(large_bodies_stream_through_little_memory),
        cmocka_unit_test(streams_are_framed),
        cmocka_unit_test(every_answer_is_reported),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
