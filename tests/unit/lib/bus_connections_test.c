/* Where the bus listens, who may connect, and what becomes of peers that misbehave. */
#include "tests/unit/lib/bus_fixture.h"

#include "lib/clock.h"

#include <errno.h>
#include <poll.h>

static struct bus_server *open_limited_server(size_t max, size_t max_per_address) {
    struct err e = {0};
    struct bus_server *s = NULL;
    const struct bus_server_options options = {.address = LOCAL,
                                               .max_parked = 16,
                                               .max_connections = max,
                                               .max_connections_per_address = max_per_address};
    if (!bus_server_open(&s, &options, &e)) fail_msg("%s", e.text);
    return s;
}

static void a_taken_port_is_a_conflict(void **state) {
    (void)state;
    struct err e = {0};
    struct bus_server *second = NULL;
    OWN(bus_server) struct bus_server *s = open_server(LOCAL, 0, 4);
    char port[16];
    snprintf(port, sizeof port, ":%d", bus_server_port(s));
    assert_false(try_server(&second, LOCAL, bus_server_port(s), 4, &e));
    assert_null(second);
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_non_null(strstr(e.text, port));
    assert_string_not_equal(e.hint, "");
}

static void addresses_that_cannot_be_are_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"",          "a b", "a/b",  "tcp://a", "::g", "[::1",
                                        "user@host", "a;b", "a:70", "*",       "a?b", "[]"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct err e = {0};
        struct bus_client *c = NULL;
        struct bus_server *s = NULL;
        assert_false(bus_client_open(&c, wrong[i], 7000, NULL, &e));
        assert_int_equal(e.code, ERR_INVALID);
        assert_false(try_server(&s, wrong[i], 0, 4, &e));
        assert_int_equal(e.code, ERR_INVALID);
    }
    struct err e = {0};
    struct bus_client *c = NULL;
    struct bus_server *s = NULL;
    assert_false(bus_client_open(&c, LOCAL, 0, NULL, &e));
    assert_false(bus_client_open(&c, LOCAL, 65536, NULL, &e));
    assert_false(try_server(&s, "203.0.113.1", 0, 4, &e)); /* nobody's here */
    assert_int_equal(e.code, ERR_INVALID);
    assert_non_null(strstr(e.text, "203.0.113.1"));
}

static bool ipv6_missing(void) {
    struct err e = {0};
    OWN(bus_server) struct bus_server *s = NULL;
    if (try_server(&s, "::1", 0, 1, &e)) return false;
    print_message("no IPv6 on this machine: skipped (%s)\n", e.text);
    return true;
}

static void ipv6_addresses_work_with_and_without_brackets(void **state) {
    (void)state;
    if (ipv6_missing()) skip();
    static const char *const forms[] = {"::1", "[::1]"};
    for (size_t i = 0; i < 2; i++) {
        OWN(bus_server) struct bus_server *s = open_server(forms[i], 0, 4);
        OWN(bus_client) struct bus_client *c = open_client(forms[i], bus_server_port(s));
        send_words(c, 1, "x");
        struct bus_request *r = take_words(s, "x");
        assert_string_equal(bus_request_address(r), "::1");
        reply_words(r, "y");
        expect_answer(c, 1, "y");
    }
}

static void an_ipv4_peer_of_an_ipv6_server_has_an_ipv4_address(void **state) {
    (void)state;
    if (ipv6_missing()) skip();
    OWN(bus_server) struct bus_server *s = open_server("::", 0, 4);
    OWN(bus_client) struct bus_client *c = client_of(s);
    send_words(c, 1, "x");
    struct bus_request *r = take_words(s, "x");
    assert_string_equal(bus_request_address(r), LOCAL);
    bus_discard(r);
}

static void localhost_is_found_in_either_family(void **state) {
    (void)state;
    int port;
    OWN(bus_server) struct bus_server *four = open_server(LOCAL, 0, 4);
    OWN(bus_client) struct bus_client *c = open_client("localhost", bus_server_port(four));
    exchange(four, c, 1);
    if (ipv6_missing()) return;
    OWN_FD int refusing = reserve_port(&port); /* of 127.0.0.1, the address tried first */
    OWN(bus_server) struct bus_server *six = open_server("::1", port, 4);
    OWN(bus_client) struct bus_client *d = open_client("localhost", port);
    exchange(six, d, 1);
    assert_true(refusing >= 0);
}

/* From 127.0.0.`host`. */
static int raw_connect_from(uint32_t host, int port) {
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + host);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static int raw_connect(int port) {
    return raw_connect_from(1, port);
}

static void raw_send(int fd, const void *bytes, size_t length) {
    for (size_t done = 0; done < length;) {
        ssize_t n = send(fd, (const char *)bytes + done, length - done, MSG_NOSIGNAL);
        if (n <= 0) return; /* the other side closed already */
        done += (size_t)n;
    }
}

/* Reads until the other side ends the connection. */
static void raw_expect_end(int fd) {
    char bytes[512];
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
        if (recv(fd, bytes, sizeof bytes, 0) <= 0) return;
    }
}

static const unsigned char requester[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
static const unsigned char replier[8] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
static const unsigned char publisher[8] = {0, 'S', 'P', 0, 0, 0x20, 0, 0};

static void raw_expect(int fd, const void *bytes, size_t length) {
    char got[512];
    assert_true(length <= sizeof got);
    assert_int_equal(recv(fd, got, length, MSG_WAITALL), length);
    assert_memory_equal(got, bytes, length);
}

/* The TCP mapping of the scalability protocols, as NNG's own request and reply sockets speak it. */
static void the_wire_is_that_of_nng(void **state) {
    (void)state;
    static const unsigned char plain[] = {0, 0, 0, 0, 0, 0, 0, 6, 0x80, 0, 0, 1, 'h', 'i'};
    static const unsigned char routed[] = {0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 7, 0x91, 2, 3, 4, '?'};
    static const unsigned char answer[] = {0, 0, 0, 0, 0, 0, 0, 6, 0x80, 0, 0, 1, 'y', 'o'};
    static const unsigned char empty[] = {0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 7, 0x91, 2, 3, 4};
    OWN(bus_server) struct bus_server *s = open_server(LOCAL, 0, 8);
    OWN_FD int fd = raw_connect(bus_server_port(s));
    raw_send(fd, requester, sizeof requester);
    for (size_t i = 0; i < sizeof plain; i++) raw_send(fd, plain + i, 1);
    raw_expect(fd, replier, sizeof replier);
    struct bus_request *first = take_words(s, "hi");
    raw_send(fd, routed, sizeof routed);
    reply_words(take_words(s, "?"), ""); /* answers need not keep the order */
    raw_expect(fd, empty, sizeof empty);
    reply_words(first, "yo");
    raw_expect(fd, answer, sizeof answer);
}

static void large_requests_wait_in_their_connection(void **state) {
    (void)state;
    enum { COUNT = 100 };
    OWN(bus_server) struct bus_server *s = open_server(LOCAL, 0, 2 * COUNT);
    OWN(bus_client) struct bus_client *c = client_of(s);
    OWN_MEMORY char *large = memory_zeroed(BUS_MESSAGE_MAX_BYTES, 1);
    for (uint64_t i = 0; i < COUNT; i++)
        bus_client_send(c, i, large, BUS_MESSAGE_MAX_BYTES, PATIENCE_MS);
    for (size_t i = 0; i < COUNT; i++) reply_words(take(s), "y");
    bool answered[COUNT] = {0};
    for (size_t i = 0; i < COUNT; i++) {
        uint64_t ticket;
        free(next_answer(c, &ticket));
        assert_true(ticket < COUNT && !answered[ticket]);
        answered[ticket] = true;
    }
}

/* It asks and asks but never reads an answer: the server neither waits for it nor piles them up. */
static void a_peer_that_does_not_read_is_dropped(void **state) {
    (void)state;
    enum { COUNT = 200 };
    static const unsigned char request[] = {0, 0, 0, 0, 0, 0, 0, 5, 0x80, 0, 0, 1, '?'};
    OWN(bus_server) struct bus_server *s = open_server(LOCAL, 0, COUNT);
    OWN(bus_client) struct bus_client *c = client_of(s);
    OWN_MEMORY char *large = memory_zeroed(BUS_MESSAGE_MAX_BYTES, 1);
    struct bus_request *held[COUNT];
    OWN_FD int fd = raw_connect(bus_server_port(s));
    raw_send(fd, requester, sizeof requester);
    for (size_t i = 0; i < COUNT; i++) raw_send(fd, request, sizeof request);
    for (size_t i = 0; i < COUNT; i++) held[i] = take_words(s, "?");
    for (size_t i = 0; i < COUNT; i++) bus_reply(held[i], large, BUS_MESSAGE_MAX_BYTES);
    assert_int_equal(bus_server_parked(s), 0);
    exchange(s, c, 1);
    raw_expect_end(fd);
}

static void an_oversize_message_drops_only_its_connection(void **state) {
    (void)state;
    static const unsigned char lengths[][8] = {
        {0,    0,    0,    0,    0,    4,    0,    65  }, /* just above the largest with its header */
        {0,    0,    0,    1,    0,    0,    0,    0   },
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
    };
    OWN(bus_server) struct bus_server *s = open_server(LOCAL, 0, 8);
    OWN(bus_client) struct bus_client *c = client_of(s);
    send_words(c, 1, "parked");
    struct bus_request *parked = take_words(s, "parked");
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        OWN_FD int fd = raw_connect(bus_server_port(s));
        raw_send(fd, requester, sizeof requester);
        raw_send(fd, lengths[i], sizeof lengths[i]);
        raw_expect_end(fd);
    }
    reply_words(parked, "still here");
    expect_answer(c, 1, "still here");
}

static void garbage_on_the_port_does_not_disturb(void **state) {
    (void)state;
    static const char http[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static const unsigned char short_message[] = {0, 0, 0, 0, 0, 0, 0, 2, 1, 2};
    OWN(bus_server) struct bus_server *s = open_server(LOCAL, 0, 8);
    OWN(bus_client) struct bus_client *c = client_of(s);
    int port = bus_server_port(s);
    unsigned char noise[4096];
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (unsigned char)(i * 131 + 7);
    OWN_FD int silent = raw_connect(port);
    OWN_FD int half = raw_connect(port);
    assert_true(silent >= 0);
    raw_send(half, requester, 4);
    for (size_t i = 0; i < 5; i++) {
        OWN_FD int fd = raw_connect(port);
        if (i == 0) raw_send(fd, http, sizeof http - 1);
        if (i == 1) raw_send(fd, noise, sizeof noise);
        if (i == 2) raw_send(fd, publisher, sizeof publisher);
        if (i == 3) raw_send(fd, requester, sizeof requester);
        if (i == 3) raw_send(fd, short_message, sizeof short_message);
        if (i == 4) shutdown(fd, SHUT_WR);
        exchange(s, c, i);
        raw_expect_end(fd);
        OWN(bus_client) struct bus_client *newcomer = open_client(LOCAL, port);
        exchange(s, newcomer, i);
    }
}

/* Requests of a peer that is gone are dropped when their turn comes: their places are free then. */
static void a_request_gets_the_place_of_one_whose_peer_left(void **state) {
    (void)state;
    static const unsigned char one[] = {0, 0, 0, 0, 0, 0, 0, 5, 0x80, 0, 0, 1, '1'};
    static const unsigned char two[] = {0, 0, 0, 0, 0, 0, 0, 5, 0x80, 0, 0, 1, '2'};
    OWN(bus_server) struct bus_server *s = open_server(LOCAL, 0, 2);
    OWN_FD int leaver = raw_connect(bus_server_port(s));
    OWN_FD int waiter = raw_connect(bus_server_port(s));
    raw_send(leaver, requester, sizeof requester);
    raw_send(leaver, one, sizeof one);
    raw_send(leaver, one, sizeof one);
    raw_send(waiter, requester, sizeof requester);
    raw_expect(waiter, replier, sizeof replier);
    raw_send(waiter, two, sizeof two);
    usleep(100000); /* so that it finds no room; if it comes later, this proves nothing */
    shutdown(leaver, SHUT_WR);
    raw_expect_end(leaver);
    reply_words(take_words(s, "2"), "");
}

static int greeted_from(uint32_t host, struct bus_server *s) {
    int fd = raw_connect_from(host, bus_server_port(s));
    raw_expect(fd, replier, sizeof replier);
    return fd;
}

static struct bus_connections connections_of(const struct bus_server *s) {
    struct bus_connections c;
    bus_server_connections(s, &c);
    return c;
}

/* Until its end has been noticed, a connection keeps its place. */
static void wait_until_open(const struct bus_server *s, size_t count) {
    for (int i = 0; i < PATIENCE_MS / 10 && connections_of(s).open != count; i++) usleep(10000);
    assert_int_equal(connections_of(s).open, count);
}

static void an_address_with_too_many_connections_is_refused_others_are_not(void **state) {
    (void)state;
    OWN(bus_server) struct bus_server *s = open_limited_server(0, 2);
    OWN_FD int first = greeted_from(2, s);
    OWN_FD int second = greeted_from(2, s);
    OWN_FD int third = raw_connect_from(2, bus_server_port(s));
    raw_expect_end(third);
    OWN_FD int other = greeted_from(3, s);
    assert_int_equal(connections_of(s).open, 3);
    assert_int_equal(connections_of(s).refused_per_address, 1);
    assert_int_equal(connections_of(s).refused_total, 0);
    shutdown(first, SHUT_RDWR);
    wait_until_open(s, 2);
    OWN_FD int again = greeted_from(2, s);
    assert_int_equal(connections_of(s).open, 3);
}

static void beyond_so_many_connections_in_all_any_address_is_refused(void **state) {
    (void)state;
    OWN(bus_server) struct bus_server *s = open_limited_server(3, 0);
    OWN_FD int first = greeted_from(2, s);
    OWN_FD int second = greeted_from(3, s);
    OWN(bus_client) struct bus_client *c = client_of(s);
    exchange(s, c, 1);
    for (uint32_t host = 4; host < 24; host++) {
        OWN_FD int refused = raw_connect_from(host, bus_server_port(s));
        raw_expect_end(refused);
    }
    assert_int_equal(connections_of(s).open, 3);
    assert_int_equal(connections_of(s).refused_total, 20);
    exchange(s, c, 2);
    shutdown(first, SHUT_RDWR);
    wait_until_open(s, 2);
    OWN_FD int again = greeted_from(4, s);
    assert_int_equal(connections_of(s).refused_total, 20);
}

/* Ids that never end would be a path through endless devices. */
static void a_request_of_endless_ids_is_dropped(void **state) {
    (void)state;
    OWN(bus_server) struct bus_server *s = open_server(LOCAL, 0, 8);
    OWN(bus_client) struct bus_client *c = client_of(s);
    unsigned char message[8 + 400] = {[6] = 400 >> 8, [7] = 400 & 0xff};
    OWN_FD int fd = raw_connect(bus_server_port(s));
    raw_send(fd, requester, sizeof requester);
    raw_send(fd, message, sizeof message);
    exchange(s, c, 1);
    assert_null(bus_server_next(s, 0));
}

/* A listening socket that speaks the protocol's first words and nothing more. */
static int raw_listen(int *port) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static int raw_accept(int listener, const unsigned char words[8]) {
    struct pollfd wait = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    raw_send(fd, words, 8);
    return fd;
}

static void a_connection_that_stays_silent_is_dropped(void **state) {
    (void)state;
    int port;
    OWN_FD int listener = raw_listen(&port);
    OWN(bus_client) struct bus_client *c = open_client(LOCAL, port);
    bus_client_send(c, 1, "x", 1, 5200);
    OWN_FD int dead = raw_accept(listener, replier);
    expect_failure(c, 1);
    raw_expect_end(dead);
    OWN_FD int again = raw_accept(listener, replier);
    assert_true(again >= 0);
}

static void a_server_of_another_protocol_is_no_connection(void **state) {
    (void)state;
    int port;
    OWN_FD int listener = raw_listen(&port);
    OWN(bus_client) struct bus_client *c = open_client(LOCAL, port);
    for (int i = 0; i < 3; i++) {
        OWN_FD int fd = raw_accept(listener, publisher);
        raw_expect_end(fd);
        assert_false(bus_client_connected(c));
    }
}

/* Or all agents of a grid would keep the machine busy that is to become their master again. */
static void attempts_that_fail_are_pauses_apart(void **state) {
    (void)state;
    int port;
    OWN_FD int listener = raw_listen(&port);
    OWN(bus_client) struct bus_client *c = open_client(LOCAL, port);
    int64_t begun_at_ms = clock_monotonic_ms();
    for (int i = 0; i < 3; i++) {
        OWN_FD int fd = raw_accept(listener, publisher);
        raw_expect_end(fd);
    }
    assert_true(clock_monotonic_ms() - begun_at_ms > 150); /* two of at least 100 */
    assert_false(bus_client_connected(c));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_taken_port_is_a_conflict),
        cmocka_unit_test(addresses_that_cannot_be_are_refused),
        cmocka_unit_test(ipv6_addresses_work_with_and_without_brackets),
        cmocka_unit_test(an_ipv4_peer_of_an_ipv6_server_has_an_ipv4_address),
        cmocka_unit_test(localhost_is_found_in_either_family),
        cmocka_unit_test(the_wire_is_that_of_nng),
        cmocka_unit_test(large_requests_wait_in_their_connection),
        cmocka_unit_test(a_peer_that_does_not_read_is_dropped),
        cmocka_unit_test(an_oversize_message_drops_only_its_connection),
        cmocka_unit_test(garbage_on_the_port_does_not_disturb),
        cmocka_unit_test(a_request_gets_the_place_of_one_whose_peer_left),
        cmocka_unit_test(an_address_with_too_many_connections_is_refused_others_are_not),
        cmocka_unit_test(beyond_so_many_connections_in_all_any_address_is_refused),
        cmocka_unit_test(a_request_of_endless_ids_is_dropped),
        cmocka_unit_test(a_connection_that_stays_silent_is_dropped),
        cmocka_unit_test(a_server_of_another_protocol_is_no_connection),
        cmocka_unit_test(attempts_that_fail_are_pauses_apart),
    };
    return cmocka_run_group_tests_name("lib/bus_connections", tests, NULL, NULL);
}
