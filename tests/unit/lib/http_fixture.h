/* A real server on a free port and a client that can send any bytes. Handlers run on the server's
 * threads, so they note what they see instead of asserting. */
#pragma once

#include "lib/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/lib/tls_pump.h"

/* No test may hang: whatever is waited for comes within this time, or the test fails. */
#define PATIENCE_S 20

struct served {
    struct http_server *server;
    int port;
};

/* The tests of a program run once as they are and once over HTTPS (CMakeLists.txt). */
__attribute__((unused)) static bool over_tls(void) {
    return getenv("GRID_TEST_TLS") != NULL;
}

__attribute__((unused)) static struct served serve_with(struct http_server_options options) {
    struct served s;
    struct err e;
    if (options.workers == 0) options.workers = 8;
    options.address = "127.0.0.1";
    if (over_tls()) options.certificate = tls_test_certificate();
    if (!http_server_start(&s.server, &options, &e)) fail_msg("%s", e.text);
    s.port = http_server_port(s.server);
    return s;
}

__attribute__((unused)) static int dial(int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    if (!over_tls()) return fd;
    fd = tls_pump_begin(fd);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return fd;
}

/* A server that refuses may close before all is sent. */
__attribute__((unused)) static void send_bytes(int fd, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0) return;
        bytes += sent;
        length -= (size_t)sent;
    }
}

__attribute__((unused)) static void send_words(int fd, const char *words) {
    send_bytes(fd, words, strlen(words));
}

/* At most size bytes; 0 at the end, also when it came as a reset. */
__attribute__((unused)) static size_t receive_some(int fd, char *out, size_t size) {
    ssize_t got = recv(fd, out, size, 0);
    if (got < 0 && errno != ECONNRESET) fail_msg("nothing came within %d s", PATIENCE_S);
    return got > 0 ? (size_t)got : 0;
}

struct reply {
    int status; /* 0: the connection ended without one */
    char head[8192];
    struct text body;
    bool cut; /* the connection ended within the body */
};
#define OWN_REPLY __attribute__((cleanup(reply_fini)))
__attribute__((unused)) static void reply_fini(struct reply *r) {
    text_fini(&r->body);
}

/* The value of a header in a buffer of its own (four of them take turns), or NULL. */
__attribute__((unused)) static const char *reply_header(const struct reply *r, const char *name) {
    static char values[4][512];
    static unsigned turn;
    size_t length = strlen(name);
    const char *line = strstr(r->head, "\r\n");
    for (; line != NULL && line[2] != '\0'; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, length) != 0 || line[2 + length] != ':') continue;
        const char *value = line + 2 + length + 1;
        value += strspn(value, " ");
        char *out = values[turn++ % 4];
        snprintf(out, sizeof values[0], "%.*s", (int)strcspn(value, "\r"), value);
        return out;
    }
    return NULL;
}

static void read_head(int fd, struct reply *r) {
    size_t length = 0;
    while (length < sizeof r->head - 1 && strstr(r->head, "\r\n\r\n") == NULL) {
        if (receive_some(fd, r->head + length, 1) == 0) return;
        r->head[++length] = '\0';
    }
    if (strncmp(r->head, "HTTP/1.1 ", 9) != 0) fail_msg("no status: %s", r->head);
    r->status = (int)strtol(r->head + 9, NULL, 10);
}

static void read_exactly(int fd, struct reply *r, int64_t length) {
    char bytes[16384];
    while (length > 0) {
        size_t wanted = (uint64_t)length < sizeof bytes ? (size_t)length : sizeof bytes;
        size_t got = receive_some(fd, bytes, wanted);
        if (got == 0) {
            r->cut = true;
            return;
        }
        text_add_bytes(&r->body, bytes, got);
        length -= (int64_t)got;
    }
}

static void read_chunks(int fd, struct reply *r) {
    for (;;) {
        char line[32] = "";
        size_t length = 0;
        while (length < sizeof line - 1 && strstr(line, "\r\n") == NULL) {
            if (receive_some(fd, line + length, 1) == 0) {
                r->cut = true;
                return;
            }
            length++;
        }
        int64_t size = strtoll(line, NULL, 16);
        read_exactly(fd, r, size + 2);
        if (r->cut) return;
        r->body.length -= 2;
        r->body.data[r->body.length] = '\0';
        if (size == 0) return;
    }
}

/* Reads one answer; has_body is false after HEAD. */
__attribute__((unused)) static void receive_reply(int fd, bool has_body, struct reply *r) {
    *r = (struct reply){0};
    text_clear(&r->body);
    read_head(fd, r);
    if (r->status == 0 || !has_body || r->status == 204 || r->status == 304 || r->status < 200)
        return;
    const char *length = reply_header(r, "Content-Length");
    if (length != NULL)
        read_exactly(fd, r, strtoll(length, NULL, 10));
    else if (reply_header(r, "Transfer-Encoding") != NULL)
        read_chunks(fd, r);
    else {
        read_exactly(fd, r, INT64_MAX);
        r->cut = false;
    }
}

/* True when nothing more comes and the connection ends. */
__attribute__((unused)) static bool ended(int fd) {
    char byte;
    return receive_some(fd, &byte, 1) == 0;
}

/* One request on a connection of its own. */
__attribute__((unused)) static void exchange_bytes(int port, const char *bytes, size_t length,
                                                   struct reply *r) {
    int fd = dial(port);
    send_bytes(fd, bytes, length);
    receive_reply(fd, strncmp(bytes, "HEAD ", 5) != 0, r);
    close(fd);
}

__attribute__((unused)) static void exchange_words(int port, const char *words, struct reply *r) {
    exchange_bytes(port, words, strlen(words), r);
}

/* "GET /path" and further header lines, each ended by \r\n. */
__attribute__((unused)) static void exchange(int port, const char *start, const char *headers,
                                             struct reply *r) {
    OWN_TEXT struct text request = TEXT_EMPTY;
    text_add_format(&request, "%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", start, headers);
    exchange_bytes(port, request.data, request.length, r);
}
