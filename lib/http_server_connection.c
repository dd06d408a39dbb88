#include "lib/clock.h"
#include "lib/http_server_internal.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

static bool try_again(void) {
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* False when the deadline passed first. */
static bool wait_for(struct http_request *r, short events, int64_t deadline_ms) {
    for (;;) {
        int64_t left = deadline_ms - clock_monotonic_ms();
        if (left <= 0) return false;
        http_watch_pace(r->worker, events);
        struct pollfd one = {.fd = r->wire.socket, .events = events};
        int ready = poll(&one, 1, left > HTTP_PACE_NOTE_MS ? HTTP_PACE_NOTE_MS : (int)left);
        if (ready > 0 || (ready < 0 && errno != EINTR)) return true;
    }
}

enum http_receive_result http_receive(struct http_request *r, void *out, size_t size,
                                      int64_t deadline_ms, size_t *length) {
    for (;;) {
        short awaited = 0;
        ssize_t got = http_wire_receive(&r->wire, out, size, &awaited);
        if (got > 0) {
            *length = (size_t)got;
            return HTTP_RECEIVED;
        }
        if (got == 0 || !try_again()) return HTTP_RECEIVE_END;
        if (!wait_for(r, awaited, deadline_ms)) return HTTP_RECEIVE_LATE;
    }
}

/* Until it can be written to again; false: stalled or gone. */
static bool wait_to_send(struct http_request *r, short awaited) {
    return wait_for(r, awaited, clock_monotonic_ms() + HTTP_SEND_STALL_MS);
}

static void advance(struct iovec **parts, size_t *count, size_t sent) {
    while (*count > 0 && sent >= (*parts)->iov_len) {
        sent -= (*parts)->iov_len;
        (*parts)++;
        (*count)--;
    }
    assert(*count > 0 || sent == 0); /* no more was sent than there was */
    if (*count == 0) return;
    (*parts)->iov_base = (char *)(*parts)->iov_base + sent;
    (*parts)->iov_len -= sent;
}

bool http_send(struct http_request *r, struct iovec *parts, size_t count, bool more) {
    advance(&parts, &count, 0);
    while (count > 0 && !r->gone) {
        short awaited = 0;
        ssize_t sent = http_wire_send(&r->wire, parts, count, more, &awaited);
        if (sent > 0) {
            r->sent_bytes += sent;
            advance(&parts, &count, (size_t)sent);
        } else if (sent == 0 || !try_again() || !wait_to_send(r, awaited)) {
            r->gone = true;
        }
    }
    return !r->gone;
}

bool http_send_file(struct http_request *r, int file, int64_t offset, int64_t length) {
    while (length > 0 && !r->gone) {
        short awaited = 0;
        ssize_t sent = http_wire_send_file(&r->wire, file, offset, length, &awaited);
        if (sent > 0) {
            r->sent_bytes += sent;
            offset += sent;
            length -= sent;
        } else if (sent == 0 || !try_again() || !wait_to_send(r, awaited)) {
            r->gone = true; /* at 0 the file is shorter than it was */
        }
    }
    return !r->gone;
}

void http_linger(struct http_request *r) {
    char nothing[4096]; /* what is truncated, sealed or not, is not copied */
    int64_t deadline_ms = clock_monotonic_ms() + HTTP_LINGER_MS;
    if (!http_wire_end(&r->wire)) return;
    while (clock_monotonic_ms() < deadline_ms) {
        ssize_t got = recv(r->wire.socket, nothing, sizeof nothing, MSG_TRUNC);
        if (got == 0 || (got < 0 && (!try_again() || !wait_for(r, POLLIN, deadline_ms)))) return;
    }
}

void http_drop_unsent(const struct http_request *r) {
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(r->wire.socket, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}
