/* Servers and clients of the bus, and what they say to each other. */
#pragma once

#include "lib/bus.h"
#include "lib/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define LOCAL "127.0.0.1"
#define PATIENCE_MS 20000 /* for what must happen */

static inline bool try_server(struct bus_server **out, const char *address, int port,
                              size_t max_parked, struct err *e) {
    const struct bus_server_options options = {
        .address = address, .port = port, .max_parked = max_parked};
    return bus_server_open(out, &options, e);
}

static inline struct bus_server *open_server(const char *address, int port, size_t max_parked) {
    struct err e = {0};
    struct bus_server *s = NULL;
    if (!try_server(&s, address, port, max_parked, &e)) fail_msg("%s", e.text);
    return s;
}

static inline struct bus_client *open_client(const char *host, int port) {
    struct err e = {0};
    struct bus_client *c = NULL;
    if (!bus_client_open(&c, host, port, NULL, &e)) fail_msg("%s", e.text);
    return c;
}

static inline struct bus_client *client_of(const struct bus_server *s) {
    return open_client(LOCAL, bus_server_port(s));
}

static inline void send_words(struct bus_client *c, uint64_t ticket, const char *words) {
    bus_client_send(c, ticket, words, strlen(words), PATIENCE_MS);
}

static inline struct bus_request *take(struct bus_server *s) {
    struct bus_request *r = bus_server_next(s, PATIENCE_MS);
    assert_non_null(r);
    return r;
}

static inline struct bus_request *take_words(struct bus_server *s, const char *words) {
    size_t length;
    struct bus_request *r = take(s);
    const void *bytes = bus_request_bytes(r, &length);
    assert_int_equal(length, strlen(words));
    assert_memory_equal(bytes, words, length);
    return r;
}

static inline void reply_words(struct bus_request *r, const char *words) {
    bus_reply(r, words, strlen(words));
}

/* The next answer as heap text. */
static inline char *next_answer(struct bus_client *c, uint64_t *ticket) {
    struct bus_arrival arrival;
    bus_client_next(c, PATIENCE_MS, &arrival);
    assert_int_equal(arrival.event, BUS_REPLY);
    *ticket = arrival.ticket;
    return arrival.bytes;
}

static inline void expect_answer(struct bus_client *c, uint64_t ticket, const char *words) {
    uint64_t got;
    OWN_MEMORY char *answer = next_answer(c, &got);
    assert_int_equal(got, ticket);
    assert_string_equal(answer, words);
}

static inline void expect_failure(struct bus_client *c, uint64_t ticket) {
    struct bus_arrival arrival;
    bus_client_next(c, PATIENCE_MS, &arrival);
    assert_int_equal(arrival.event, BUS_FAILED);
    assert_int_equal(arrival.ticket, ticket);
    assert_null(arrival.bytes);
}

static inline void exchange(struct bus_server *s, struct bus_client *c, uint64_t ticket) {
    send_words(c, ticket, "question");
    reply_words(take_words(s, "question"), "answer");
    expect_answer(c, ticket, "answer");
}

/* A port that nobody listens on and nobody else gets as long as the descriptor is open: listeners
 * that reuse addresses, as the bus does, may have it. */
static inline int reserve_port(int *port) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}
