#include "lib/clock.h"
#include "lib/http_server_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

int64_t http_body_length(const struct http_request *r) {
    return r->body.length;
}

static bool fail(struct http_request *r) {
    r->body.failed = true;
    r->close = true;
    return false;
}

static bool fail_receive(struct http_request *r, enum http_receive_result result, struct err *e) {
    int64_t received = r->body.received;
    if (result == HTTP_RECEIVE_LATE)
        err_set(e, ERR_TIMEOUT, "the body did not arrive in time, %" PRId64 " bytes did", received);
    else if (r->body.length >= 0)
        err_set(e, ERR_INVALID, "the body ended after %" PRId64 " of %" PRId64 " bytes", received,
                r->body.length);
    else
        err_set(e, ERR_INVALID, "the body ended within a chunk, after %" PRId64 " bytes", received);
    return fail(r);
}

static void end_body(struct http_request *r) {
    assert(!r->body.ended);
    r->body.ended = true;
    civetweb_end_body(r->connection);
}

/* Bytes that came with the head, or those that come next, up to size. */
static bool read_counted(struct http_request *r, void *out, size_t size, size_t *length,
                         struct err *e) {
    struct http_body_state *body = &r->body;
    int64_t left = body->length - body->received;
    assert(left > 0 && size > 0);
    if ((uint64_t)left < size) size = (size_t)left;
    const char *bytes = NULL;
    size_t unread = civetweb_unread(r->connection, &bytes);
    if (unread > 0) {
        *length = unread < size ? unread : size;
        memcpy(out, bytes, *length);
        civetweb_take(r->connection, *length);
    } else {
        enum http_receive_result result = http_receive(r, out, size, body->deadline_ms, length);
        if (result != HTTP_RECEIVED) return fail_receive(r, result, e);
    }
    body->received += (int64_t)*length;
    assert(body->received <= body->length);
    if (body->received == body->length) end_body(r);
    return true;
}

/* Takes what is unread up to the next data; *length 0 when there was none. */
static bool take_chunks(struct http_request *r, void *out, size_t size, size_t *length,
                        struct err *e) {
    struct http_body_state *body = &r->body;
    const char *bytes = NULL;
    size_t unread = civetweb_unread(r->connection, &bytes);
    size_t taken = http_chunked_take(&body->chunked, bytes, unread, size, length);
    assert(taken <= unread && *length <= taken && *length <= size);
    memcpy(out, bytes + taken - *length, *length);
    civetweb_take(r->connection, taken);
    body->received += (int64_t)*length;
    if (body->chunked.state == HTTP_CHUNKED_ENDED) end_body(r);
    if (body->chunked.state == HTTP_CHUNKED_BROKEN) {
        err_set(e, ERR_INVALID, "the body's chunks are malformed after %" PRId64 " bytes",
                body->received);
        return fail(r);
    }
    if (body->received > r->route->body_max_bytes) {
        err_set(e, ERR_TOO_LARGE, "the body is larger than the %" PRId64 " bytes that are taken",
                r->route->body_max_bytes);
        return fail(r);
    }
    return true;
}

static bool read_chunked(struct http_request *r, void *out, size_t size, size_t *length,
                         struct err *e) {
    for (;;) {
        if (!take_chunks(r, out, size, length, e)) return false;
        if (*length > 0 || r->body.ended) return true;
        char *target = NULL;
        size_t got = 0;
        size_t room = civetweb_room(r->connection, &target);
        if (room == 0) {
            err_set(e, ERR_TOO_LARGE, "the head leaves no room to read a chunked body");
            return fail(r);
        }
        enum http_receive_result result = http_receive(r, target, room, r->body.deadline_ms, &got);
        if (result != HTTP_RECEIVED) return fail_receive(r, result, e);
        civetweb_filled(r->connection, got);
    }
}

static void begin_reading(struct http_request *r) {
    static char words[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct http_body_state *body = &r->body;
    int64_t timeout_ms = r->route->body_timeout_ms;
    assert(body->deadline_ms == 0 && !body->ended);
    body->deadline_ms = clock_monotonic_ms() + (timeout_ms > 0 ? timeout_ms : HTTP_BODY_TIMEOUT_MS);
    const char *bytes = NULL;
    if (!body->expects_continue) return;
    body->expects_continue = false;
    if (civetweb_unread(r->connection, &bytes) > 0) return; /* it did not wait */
    struct iovec part = {words, sizeof words - 1};
    if (!http_send(r, &part, 1, false)) r->close = true;
}

bool http_body_read(struct http_request *r, void *out, size_t size, size_t *length, struct err *e) {
    assert(size > 0 && r->route != NULL);
    *length = 0;
    if (r->body.failed) return err_set(e, ERR_INVALID, "the body could not be read before");
    if (r->body.ended) return true;
    if (r->body.deadline_ms == 0) begin_reading(r);
    if (r->body.kind == HTTP_BODY_CHUNKED) return read_chunked(r, out, size, length, e);
    return read_counted(r, out, size, length, e);
}

bool http_body(struct http_request *r, struct text *out, struct err *e) {
    char piece[4096];
    size_t length = 0;
    do {
        bool read = http_body_read(r, piece, sizeof piece, &length, e);
        if (read) text_add_bytes(out, piece, length);
        explicit_bzero(piece, length);
        if (!read) return false;
    } while (length > 0);
    return true;
}

bool http_body_skip(struct http_request *r) {
    struct http_body_state *body = &r->body;
    char dropped[1024];
    size_t length = 0;
    while (!body->ended) {
        const char *bytes = NULL;
        if (r->route == NULL || civetweb_unread(r->connection, &bytes) == 0) return false;
        bool read = body->kind == HTTP_BODY_CHUNKED
                        ? take_chunks(r, dropped, sizeof dropped, &length, NULL)
                        : read_counted(r, dropped, sizeof dropped, &length, NULL);
        explicit_bzero(dropped, length);
        if (!read) return false;
    }
    return true;
}
