/* Requests over the bus: sent, parked, answered, cancelled, and what is left when an end goes. */
#include "tests/unit/lib/bus_fixture.h"

#define MANY 500

static void close_client(struct bus_client **c) {
    bus_client_close(TAKE(*c));
}

static void call_and_reply(void **state) {
    (void)state;
    OWN(bus_server) struct bus_server *s = open_server(LOCAL, 0, 16);
    OWN(bus_client) struct bus_client *c = client_of(s);
    assert_true(bus_server_port(s) > 0);
    send_words(c, 7, "hello");
    struct bus_request *r = take_words(s, "hello");
    assert_string_equal(bus_request_address(r), LOCAL);
    assert_true(bus_client_connected(c));
    assert_int_equal(bus_server_parked(s), 1);
    reply_words(r, "world");
    assert_int_equal(bus_server_parked(s), 0);
    expect_answer(c, 7, "world");
}

static void bytes_pass_unchanged_whatever_their_number(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 4095, 65536, BUS_MESSAGE_MAX_BYTES};
    OWN(bus_server) struct bus_server *s = open_server(LOCAL, 0, 16);
    OWN(bus_client) struct bus_client *c = client_of(s);
    OWN_MEMORY unsigned char *bytes = memory_zeroed(BUS_MESSAGE_MAX_BYTES, 1);
    for (size_t i = 0; i < BUS_MESSAGE_MAX_BYTES; i++) bytes[i] = (unsigned char)(i * 7 >> 3);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t length;
        struct bus_arrival arrival;
        bus_client_send(c, i, bytes, sizes[i], PATIENCE_MS);
        struct bus_request *r = take(s);
        const void *got = bus_request_bytes(r, &length);
        assert_int_equal(length, sizes[i]);
        assert_memory_equal(got, bytes, length);
        bus_reply(r, bytes, sizes[i]);
        bus_client_next(c, PATIENCE_MS, &arrival);
        assert_int_equal(arrival.event, BUS_REPLY);
        assert_int_equal(arrival.length, sizes[i]);
        assert_memory_equal(arrival.bytes, bytes, arrival.length);
        free(arrival.bytes);
    }
}

static void hundreds_of_parked_requests_are_answered_at_once(void **state) {
    (void)state;
    OWN(bus_server) struct bus_server *s = open_server(LOCAL, 0, MANY);
    struct bus_client *clients[5];
    struct bus_request *parked[MANY];
    for (size_t i = 0; i < 5; i++) clients[i] = client_of(s);
    for (uint64_t i = 0; i < MANY; i++) {
        char words[16];
        snprintf(words, sizeof words, "%d", (int)i);
        send_words(clients[i % 5], i, words);
    }
    for (size_t i = 0; i < MANY; i++) parked[i] = take(s);
    assert_int_equal(bus_server_parked(s), MANY);
    for (size_t i = MANY; i > 0; i--) {
        size_t length;
        const void *words = bus_request_bytes(parked[i - 1], &length);
        OWN_MEMORY char *copy = strndup(words, length);
        reply_words(parked[i - 1], copy);
    }
    for (size_t i = 0; i < 5; i++) {
        for (size_t k = 0; k < MANY / 5; k++) {
            uint64_t ticket;
            OWN_MEMORY char *answer = next_answer(clients[i], &ticket);
            char expected[16];
            snprintf(expected, sizeof expected, "%d", (int)ticket);
            assert_string_equal(answer, expected);
            assert_int_equal(ticket % 5, i);
        }
        bus_client_close(clients[i]);
    }
    assert_int_equal(bus_server_parked(s), 0);
}

static void beyond_the_limit_requests_wait_their_turn(void **state) {
    (void)state;
    enum { LIMIT = 8, SENT = 30 };
    OWN(bus_server) struct bus_server *s = open_server(LOCAL, 0, LIMIT);
    OWN(bus_client) struct bus_client *c = client_of(s);
    struct bus_request *held[LIMIT];
    for (uint64_t i = 0; i < SENT; i++) send_words(c, i, "x");
    for (size_t i = 0; i < LIMIT; i++) held[i] = take(s);
    assert_null(bus_server_next(s, 50));
    assert_int_equal(bus_server_parked(s), LIMIT);
    for (size_t i = 0; i < SENT; i++) {
        reply_words(held[i % LIMIT], "y");
        if (i + LIMIT < SENT) held[i % LIMIT] = take(s);
    }
    uint64_t seen = 0;
    for (size_t i = 0; i < SENT; i++) {
        uint64_t ticket;
        free(next_answer(c, &ticket));
        seen |= (uint64_t)1 << ticket;
    }
    assert_int_equal(seen, ((uint64_t)1 << SENT) - 1);
}

static void a_discarded_request_fails_at_its_deadline(void **state) {
    (void)state;
    OWN(bus_server) struct bus_server *s = open_server(LOCAL, 0, 1);
    OWN(bus_client) struct bus_client *c = client_of(s);
    exchange(s, c, 1);
    bus_client_send(c, 2, "x", 1, 50);
    bus_discard(take(s));
    assert_int_equal(bus_server_parked(s), 0);
    expect_failure(c, 2);
    exchange(s, c, 3); /* the only place is free again */
}

static void a_request_waits_for_a_server_that_appears_later(void **state) {
    (void)state;
    int port;
    OWN_FD int reserved = reserve_port(&port);
    OWN(bus_client) struct bus_client *c = open_client(LOCAL, port);
    send_words(c, 1, "early");
    assert_false(bus_client_connected(c));
    OWN(bus_server) struct bus_server *s = open_server(LOCAL, port, 4);
    reply_words(take_words(s, "early"), "late");
    expect_answer(c, 1, "late");
    assert_true(reserved >= 0);
}

static void a_restarted_server_is_found_again(void **state) {
    (void)state;
    int port;
    OWN_FD int reserved = reserve_port(&port);
    struct bus_server *s = open_server(LOCAL, port, 4);
    OWN(bus_client) struct bus_client *c = client_of(s);
    for (uint64_t i = 0; i < 3; i++) {
        exchange(s, c, 3 * i);
        send_words(c, 3 * i + 1, "parked");
        bus_discard(take_words(s, "parked"));
        bus_server_close(s);
        expect_failure(c, 3 * i + 1); /* at once, for the connection is gone */
        s = open_server(LOCAL, port, 4);
        exchange(s, c, 3 * i + 2);
        assert_null(bus_server_next(s, 50)); /* the failed request is not repeated */
    }
    bus_server_close(s);
    assert_true(reserved >= 0);
}

static void an_oversize_request_is_never_sent(void **state) {
    (void)state;
    struct err e = {0};
    void *answer = NULL;
    size_t length = 0;
    OWN(bus_server) struct bus_server *s = open_server(LOCAL, 0, 8);
    OWN(bus_client) struct bus_client *c = client_of(s);
    OWN_MEMORY char *large = memory_zeroed(BUS_MESSAGE_MAX_BYTES + 1, 1);
    bus_client_send(c, 1, large, BUS_MESSAGE_MAX_BYTES + 1, PATIENCE_MS);
    expect_failure(c, 1);
    assert_false(bus_call(c, large, BUS_MESSAGE_MAX_BYTES + 1, PATIENCE_MS, &answer, &length, &e));
    assert_int_equal(e.code, ERR_TOO_LARGE);
    assert_null(bus_server_next(s, 0));
    exchange(s, c, 2);
}

static void an_oversize_answer_is_not_sent(void **state) {
    (void)state;
    OWN(bus_server) struct bus_server *s = open_server(LOCAL, 0, 8);
    OWN(bus_client) struct bus_client *c = client_of(s);
    OWN_MEMORY char *large = memory_zeroed(BUS_MESSAGE_MAX_BYTES + 1, 1);
    bus_client_send(c, 1, "x", 1, 100);
    bus_reply(take(s), large, BUS_MESSAGE_MAX_BYTES + 1);
    expect_failure(c, 1);
    exchange(s, c, 2);
}

static void idle_and_wake(void **state) {
    (void)state;
    int port;
    struct bus_arrival arrival;
    OWN_FD int reserved = reserve_port(&port);
    OWN(bus_client) struct bus_client *c = open_client(LOCAL, port);
    assert_true(reserved >= 0);
    bus_client_next(c, 0, &arrival);
    assert_int_equal(arrival.event, BUS_IDLE);
    bus_client_wake(c);
    bus_client_wake(c);
    bus_client_next(c, PATIENCE_MS, &arrival);
    assert_int_equal(arrival.event, BUS_WOKEN);
    bus_client_next(c, 10, &arrival);
    assert_int_equal(arrival.event, BUS_IDLE);
}

static void *wake_it(void *client) {
    bus_client_wake(client);
    return NULL;
}

static void another_thread_wakes(void **state) {
    (void)state;
    int port;
    pthread_t thread;
    struct bus_arrival arrival;
    OWN_FD int reserved = reserve_port(&port);
    OWN(bus_client) struct bus_client *c = open_client(LOCAL, port);
    assert_true(reserved >= 0);
    assert_int_equal(pthread_create(&thread, NULL, wake_it, c), 0);
    bus_client_next(c, -1, &arrival);
    assert_int_equal(arrival.event, BUS_WOKEN);
    pthread_join(thread, NULL);
}

static void a_wake_ends_a_call(void **state) {
    (void)state;
    struct err e = {0};
    struct bus_arrival arrival;
    void *answer = NULL;
    size_t length = 0;
    OWN(bus_server) struct bus_server *s = open_server(LOCAL, 0, 4);
    OWN(bus_client) struct bus_client *c = client_of(s);
    bus_client_wake(c);
    assert_false(bus_call(c, "x", 1, PATIENCE_MS, &answer, &length, &e));
    assert_int_equal(e.code, ERR_UNAVAILABLE);
    bus_client_next(c, 0, &arrival);
    assert_int_equal(arrival.event, BUS_IDLE);
}

static void *answer_one(void *server) {
    struct bus_request *r = bus_server_next(server, PATIENCE_MS);
    if (r != NULL) reply_words(r, "answer");
    return NULL;
}

static void bus_call_waits_for_its_answer(void **state) {
    (void)state;
    pthread_t thread;
    struct err e = {0};
    void *answer = NULL;
    size_t length = 0;
    OWN(bus_server) struct bus_server *s = open_server(LOCAL, 0, 4);
    OWN(bus_client) struct bus_client *c = client_of(s);
    assert_int_equal(pthread_create(&thread, NULL, answer_one, s), 0);
    assert_true(bus_call(c, "question", 8, PATIENCE_MS, &answer, &length, &e));
    pthread_join(thread, NULL);
    assert_int_equal(length, 6);
    assert_string_equal(answer, "answer");
    free(answer);
}

static void bus_call_says_why_it_failed(void **state) {
    (void)state;
    struct err e = {0};
    void *answer = NULL;
    size_t length = 0;
    OWN(bus_server) struct bus_server *s = open_server(LOCAL, 0, 4);
    OWN(bus_client) struct bus_client *c = client_of(s);
    exchange(s, c, 1);
    assert_false(bus_call(c, "x", 1, 50, &answer, &length, &e));
    assert_int_equal(e.code, ERR_TIMEOUT);
    assert_non_null(strstr(e.text, LOCAL ":"));
    assert_null(answer);
    int port;
    OWN_FD int reserved = reserve_port(&port);
    OWN(bus_client) struct bus_client *lonely = open_client(LOCAL, port);
    assert_true(reserved >= 0);
    assert_false(bus_call(lonely, "x", 1, 50, &answer, &length, &e));
    assert_int_equal(e.code, ERR_UNREACHABLE);
    assert_string_not_equal(e.hint, "");
}

static void a_cancelled_request_is_heard_of_no_more(void **state) {
    (void)state;
    struct bus_arrival arrival;
    OWN(bus_server) struct bus_server *s = open_server(LOCAL, 0, 4);
    OWN(bus_client) struct bus_client *c = client_of(s);
    send_words(c, 1, "one");
    struct bus_request *first = take_words(s, "one");
    send_words(c, 2, "two");
    reply_words(take_words(s, "two"), "late"); /* may be in the client's queue already */
    bus_client_cancel(c);
    reply_words(first, "late");
    bus_client_next(c, 50, &arrival);
    assert_int_equal(arrival.event, BUS_IDLE);
    exchange(s, c, 3);
    bus_client_next(c, 0, &arrival);
    assert_int_equal(arrival.event, BUS_IDLE);
}

static void requests_are_cancelled_before_they_leave(void **state) {
    (void)state;
    struct bus_arrival arrival;
    int port;
    OWN_FD int reserved = reserve_port(&port);
    OWN(bus_client) struct bus_client *c = open_client(LOCAL, port);
    assert_true(reserved >= 0);
    for (uint64_t i = 0; i < 10; i++) send_words(c, i, "early");
    bus_client_cancel(c);
    OWN(bus_server) struct bus_server *s = open_server(LOCAL, port, 4);
    exchange(s, c, 99);
    bus_client_next(c, 0, &arrival);
    assert_int_equal(arrival.event, BUS_IDLE);
    assert_null(bus_server_next(s, 0));
}

static void *take_until_stopped(void *server) {
    struct bus_request *r;
    while ((r = bus_server_next(server, -1)) != NULL) {
        size_t length;
        const void *bytes = bus_request_bytes(r, &length);
        OWN_MEMORY char *copy = strndup(bytes, length);
        reply_words(r, copy);
    }
    return NULL;
}

static void several_threads_take_and_answer(void **state) {
    (void)state;
    enum { ROUNDS = 100, AT_ONCE = 20 };
    pthread_t threads[4];
    OWN(bus_server) struct bus_server *s = open_server(LOCAL, 0, 64);
    OWN(bus_client) struct bus_client *c = client_of(s);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_until_stopped, s), 0);
    for (int round = 0; round < ROUNDS; round++) {
        for (uint64_t i = 0; i < AT_ONCE; i++) {
            char words[16];
            snprintf(words, sizeof words, "%d", (int)i);
            send_words(c, i, words);
        }
        for (int i = 0; i < AT_ONCE; i++) {
            uint64_t ticket;
            char expected[16];
            OWN_MEMORY char *answer = next_answer(c, &ticket);
            snprintf(expected, sizeof expected, "%d", (int)ticket);
            assert_string_equal(answer, expected);
        }
    }
    bus_server_stop(s);
    for (size_t i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    assert_null(bus_server_next(s, -1));
}

static void answers_given_before_the_end_arrive(void **state) {
    (void)state;
    enum { COUNT = 50 };
    struct bus_request *held[COUNT];
    struct bus_server *s = open_server(LOCAL, 0, COUNT);
    OWN(bus_client) struct bus_client *c = client_of(s);
    for (uint64_t i = 0; i < COUNT; i++) send_words(c, i, "x");
    for (size_t i = 0; i < COUNT; i++) held[i] = take(s);
    bus_server_stop(s);
    for (size_t i = 0; i < COUNT; i++) reply_words(held[i], "y");
    bus_server_close(s);
    for (size_t i = 0; i < COUNT; i++) {
        uint64_t ticket;
        free(next_answer(c, &ticket));
    }
}

/* Often enough for a race between closing and reading to show, which would hang this test. */
static void both_ends_close_with_requests_under_way(void **state) {
    (void)state;
    for (int i = 0; i < 400; i++) {
        struct bus_server *s = open_server(LOCAL, 0, 8);
        struct bus_client *c = client_of(s);
        for (uint64_t k = 0; k < 20; k++) send_words(c, k, "x");
        bus_discard(take(s));
        reply_words(take(s), "y");
        if (i % 2 == 0) close_client(&c);
        bus_server_close(s);
        bus_client_close(c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(call_and_reply),
        cmocka_unit_test(bytes_pass_unchanged_whatever_their_number),
        cmocka_unit_test(hundreds_of_parked_requests_are_answered_at_once),
        cmocka_unit_test(beyond_the_limit_requests_wait_their_turn),
        cmocka_unit_test(a_discarded_request_fails_at_its_deadline),
        cmocka_unit_test(a_request_waits_for_a_server_that_appears_later),
        cmocka_unit_test(a_restarted_server_is_found_again),
        cmocka_unit_test(an_oversize_request_is_never_sent),
        cmocka_unit_test(an_oversize_answer_is_not_sent),
        cmocka_unit_test(idle_and_wake),
        cmocka_unit_test(another_thread_wakes),
        cmocka_unit_test(a_wake_ends_a_call),
        cmocka_unit_test(bus_call_waits_for_its_answer),
        cmocka_unit_test(bus_call_says_why_it_failed),
        cmocka_unit_test(a_cancelled_request_is_heard_of_no_more),
        cmocka_unit_test(requests_are_cancelled_before_they_leave),
        cmocka_unit_test(several_threads_take_and_answer),
        cmocka_unit_test(answers_given_before_the_end_arrive),
        cmocka_unit_test(both_ends_close_with_requests_under_way),
    };
    return cmocka_run_group_tests_name("lib/bus", tests, NULL, NULL);
}
