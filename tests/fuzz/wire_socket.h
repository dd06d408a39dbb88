/* A client of a real server under fuzzing: sends, ends its side, and reads what comes. */
#pragma once

#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#define PATIENCE_MS 20000 /* a server that keeps a finished client for so long has a fault */

/* From one loopback address after the other, so that closed connections do not use up the ports. */
static int fuzz_dial(int port) {
    static uint32_t number;
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + number++ % 60000);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    int failed = bind(fd, (struct sockaddr *)&from, sizeof from);
    assert(!failed);
    failed = connect(fd, (struct sockaddr *)&to, sizeof to);
    assert(!failed);
    return fd;
}

static void fuzz_await(int fd) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    int ready = 0;
    do ready = poll(&wait, 1, PATIENCE_MS);
    while (ready < 0 && errno == EINTR); /* the fuzzer's own alarm */
    assert(ready == 1);
}

/* All that comes until the server ends the connection. */
static void fuzz_exchange(int port, const uint8_t *data, size_t size, struct text *out) {
    char bytes[4096];
    ssize_t got = 0;
    OWN_FD int fd = fuzz_dial(port);
    while (size > 0 && (got = send(fd, data, size, MSG_NOSIGNAL)) > 0) {
        data += got;
        size -= (size_t)got;
    }
    shutdown(fd, SHUT_WR);
    do {
        fuzz_await(fd);
        got = recv(fd, bytes, sizeof bytes, 0);
        if (got > 0) text_add_bytes(out, bytes, (size_t)got);
    } while (got > 0);
}
