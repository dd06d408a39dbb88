/* A WebSocket lives on the worker thread that accepted it: that thread alone reads and writes.
 * Others put frames into a queue and wake it, so that a slow client never holds up whoever has
 * news. */
#include "lib/clock.h"
#include "lib/encode.h"
#include "lib/http_frame.h"
#include "lib/http_server_internal.h"
#include "lib/log.h"
#include "lib/utf8.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>

#define MESSAGE_MAX (64 * 1024)
#define QUEUE_MAX (1024 * 1024) /* of a client that takes its messages slower than they come */
#define FLUSH_AT (64 * 1024)
#define PING_MS 20000
#define SILENCE_PINGS 3 /* so many pings without an answer: gone */

struct http_socket_connection {
    struct http_request *request; /* this field and those down to the blank line: own thread */
    const struct http_socket *handler;
    void *state;
    pthread_t worker;
    struct text incoming; /* bytes of frames not complete yet */
    struct text message;  /* fragments of a message not complete yet */
    bool in_message;
    int64_t ping_ms;
    int64_t heard_at_ms;
    int64_t pinged_at_ms;
    int wake; /* eventfd; any thread writes */

    pthread_mutex_t lock; /* guards the fields below */
    struct text outgoing; /* frames */
    int close_code;       /* 0: open */
    bool closing_sent;
};

bool http_wants_socket(const struct http_request *r) {
    const char *upgrade = http_header(r, "Upgrade");
    return upgrade != NULL && strcasecmp(upgrade, "websocket") == 0 &&
           strcmp(http_method(r), "GET") == 0 && strcmp(r->info->http_version, "1.1") == 0;
}

/* A page of another site may open sockets too, with whatever the browser knows of its user. */
static bool same_origin(const struct http_request *r) {
    const char *origin = http_header(r, "Origin");
    if (origin == NULL) return true;
    const char *host = strstr(origin, "://");
    return host != NULL && strcasecmp(host + 3, http_header(r, "Host")) == 0;
}

static bool check_upgrade(struct http_request *r, const char *key, struct err *e) {
    unsigned char nonce[16];
    size_t length = 0;
    const char *version = http_header(r, "Sec-WebSocket-Version");
    if (version == NULL || strcmp(version, "13") != 0)
        return err_set(e, ERR_INVALID, "Sec-WebSocket-Version must be 13");
    if (key == NULL || !decode_base64(key, nonce, sizeof nonce, &length) || length != sizeof nonce)
        return err_set(e, ERR_INVALID, "Sec-WebSocket-Key must be 16 bytes in base64");
    if (!same_origin(r)) return err_set(e, ERR_DENIED, "a page of another site may not connect");
    return true;
}

static bool send_handshake(struct http_request *r, const char *key) {
    OWN_TEXT struct text head = TEXT_EMPTY;
    OWN_TEXT struct text keyed = TEXT_EMPTY;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_length = 0;
    char accept[ENCODE_BASE64_SIZE(EVP_MAX_MD_SIZE)];
    text_add_format(&keyed, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    if (EVP_Digest(keyed.data, keyed.length, digest, &digest_length, EVP_sha1(), NULL) != 1)
        abort();
    http_reply_head(r, 101, &head);
    text_add_format(&head,
                    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                    encode_base64(digest, digest_length, accept));
    struct iovec part = {head.data, head.length};
    return http_send(r, &part, 1, false);
}

static void add_frame(struct http_socket_connection *c, enum http_frame_opcode opcode,
                      const char *payload, size_t length) {
    unsigned char header[HTTP_FRAME_HEADER_MAX];
    text_add_bytes(&c->outgoing, header, http_frame_header(opcode, length, header));
    text_add_bytes(&c->outgoing, payload, length);
}

static void wake(const struct http_socket_connection *c) {
    uint64_t one = 1;
    ssize_t written = write(c->wake, &one, sizeof one);
    (void)written; /* full means that it is awake already */
}

/* Sends all that is queued. False when the client is gone. */
static bool flush(struct http_socket_connection *c) {
    OWN_TEXT struct text frames = TEXT_EMPTY;
    pthread_mutex_lock(&c->lock);
    frames = c->outgoing;
    c->outgoing = TEXT_EMPTY;
    pthread_mutex_unlock(&c->lock);
    struct iovec part = {frames.data, frames.length};
    return http_send(c->request, &part, 1, false);
}

/* Queues a frame. *queued is how much waits then; false when the connection is closing. */
static bool enqueue(struct http_socket_connection *c, enum http_frame_opcode opcode,
                    const char *payload, size_t length, size_t *queued) {
    pthread_mutex_lock(&c->lock);
    bool open = c->close_code == 0;
    if (open) add_frame(c, opcode, payload, length);
    *queued = c->outgoing.length;
    pthread_mutex_unlock(&c->lock);
    return open;
}

static void drop_queue(struct http_socket_connection *c) {
    pthread_mutex_lock(&c->lock);
    text_fini(&c->outgoing);
    pthread_mutex_unlock(&c->lock);
}

bool http_socket_send(struct http_socket_connection *c, const char *words, size_t length) {
    size_t queued = 0;
    if (!enqueue(c, HTTP_FRAME_TEXT, words, length, &queued)) return false;
    /* Who calls from a callback of the connection is slowed down to the client's pace. */
    if (pthread_equal(pthread_self(), c->worker)) return queued < FLUSH_AT || flush(c);
    if (queued > QUEUE_MAX) {
        log_warn("http.socket_slow", "queued_bytes=%zu", queued);
        drop_queue(c);
        http_socket_close(c, HTTP_CLOSE_POLICY);
        return false;
    }
    wake(c);
    return true;
}

void http_socket_close(struct http_socket_connection *c, int code) {
    assert(code >= HTTP_CLOSE_NORMAL && code <= 4999); /* RFC 6455 section 7.4 */
    pthread_mutex_lock(&c->lock);
    if (c->close_code == 0) {
        char payload[2] = {(char)(code >> 8), (char)code};
        c->close_code = code;
        add_frame(c, HTTP_FRAME_CLOSE, payload, sizeof payload);
    }
    pthread_mutex_unlock(&c->lock);
    wake(c);
}

static bool is_utf8(const struct text *t) {
    for (size_t at = 0; at < t->length;) {
        size_t character = utf8_character(t->data + at, t->length - at);
        if (character == 0) return false;
        at += character;
    }
    return true;
}

/* 0, or the code to close with. */
static int take_data(struct http_socket_connection *c, const struct http_frame *frame,
                     const char *payload) {
    if (frame->opcode == HTTP_FRAME_BINARY) return HTTP_CLOSE_UNSUPPORTED;
    if ((frame->opcode == HTTP_FRAME_CONTINUATION) != c->in_message) return HTTP_CLOSE_PROTOCOL;
    if (c->message.length + frame->length > MESSAGE_MAX) return HTTP_CLOSE_TOO_BIG;
    text_add_bytes(&c->message, payload, frame->length);
    c->in_message = !frame->final;
    if (c->in_message) return 0;
    if (!is_utf8(&c->message)) return HTTP_CLOSE_NOT_UTF8;
    c->handler->message(c, c->state, c->message.data, c->message.length);
    text_clear(&c->message);
    return 0;
}

static int take_frame(struct http_socket_connection *c, const struct http_frame *frame,
                      const char *payload) {
    size_t queued = 0;
    switch (frame->opcode) {
    case HTTP_FRAME_CLOSE:
        return HTTP_CLOSE_NORMAL;
    case HTTP_FRAME_PING:
        enqueue(c, HTTP_FRAME_PONG, payload, frame->length, &queued);
        return queued < QUEUE_MAX ? 0 : HTTP_CLOSE_POLICY;
    case HTTP_FRAME_PONG:
        return 0;
    default:
        return take_data(c, frame, payload);
    }
}

/* Takes every complete frame out of what came in. */
static void take_frames(struct http_socket_connection *c) {
    size_t at = 0;
    for (;;) {
        struct http_frame frame;
        char *bytes = c->incoming.data + at;
        size_t available = c->incoming.length - at;
        int code = http_frame_parse(bytes, available, MESSAGE_MAX, &frame);
        if (code < 0 || (code == 0 && available - frame.header_length < frame.length)) break;
        if (code == 0) {
            char *payload = bytes + frame.header_length;
            http_frame_unmask(payload, frame.length, frame.mask);
            code = take_frame(c, &frame, payload);
            at += frame.header_length + frame.length;
        }
        if (code != 0) {
            http_socket_close(c, code);
            return;
        }
    }
    assert(at <= c->incoming.length);
    c->incoming.length -= at;
    memmove(c->incoming.data, c->incoming.data + at, c->incoming.length);
}

static bool receive(struct http_socket_connection *c) {
    char bytes[1024];
    short awaited = 0;
    ssize_t got = http_wire_receive(&c->request->wire, bytes, sizeof bytes, &awaited);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return false;
    if (got < 0) return true;
    c->heard_at_ms = clock_monotonic_ms();
    text_add_bytes(&c->incoming, bytes, (size_t)got);
    take_frames(c);
    return true;
}

/* Pings a client that says nothing; false when it has not answered several times. */
static bool check_silence(struct http_socket_connection *c) {
    int64_t now = clock_monotonic_ms();
    size_t queued = 0;
    if (now - c->heard_at_ms >= SILENCE_PINGS * c->ping_ms) return false;
    if (now - c->heard_at_ms < c->ping_ms || now - c->pinged_at_ms < c->ping_ms) return true;
    c->pinged_at_ms = now;
    enqueue(c, HTTP_FRAME_PING, "", 0, &queued);
    return true;
}

static bool is_closing(struct http_socket_connection *c) {
    pthread_mutex_lock(&c->lock);
    bool closing = c->close_code != 0;
    pthread_mutex_unlock(&c->lock);
    return closing;
}

static void converse(struct http_socket_connection *c) {
    take_frames(c); /* what came right behind the handshake */
    for (;;) {
        bool closing =
            is_closing(c); /* asked first: a close frame queued later is sent next time */
        if (!flush(c) || closing) return;
        bool held = http_wire_holds_bytes(&c->request->wire);
        struct pollfd both[] = {
            {.fd = c->request->wire.socket, .events = POLLIN},
            {.fd = c->wake,                 .events = POLLIN}
        };
        if (poll(both, 2, held ? 0 : (int)c->ping_ms) < 0 && errno != EINTR) return;
        uint64_t wakes = 0;
        if (both[1].revents != 0 && read(c->wake, &wakes, sizeof wakes) < 0 && errno != EAGAIN)
            return;
        if ((held || both[0].revents != 0) && !receive(c)) return;
        if (!check_silence(c)) return;
    }
}

static void register_socket(struct http_request *r, struct http_socket_connection *c) {
    pthread_mutex_lock(&r->server->lock);
    assert((r->worker->web_socket == NULL) == (c != NULL)); /* one at a time */
    r->worker->web_socket = c;
    pthread_mutex_unlock(&r->server->lock);
}

static void connection_init(struct http_socket_connection *c, struct http_request *r, int wake_fd,
                            void *state) {
    const char *bytes = NULL;
    size_t unread = civetweb_unread(r->connection, &bytes);
    int64_t ping_ms = r->route->socket->ping_ms;
    *c = (struct http_socket_connection){.request = r,
                                         .handler = r->route->socket,
                                         .state = state,
                                         .worker = pthread_self(),
                                         .ping_ms = ping_ms > 0 ? ping_ms : PING_MS,
                                         .heard_at_ms = clock_monotonic_ms(),
                                         .wake = wake_fd};
    pthread_mutex_init(&c->lock, NULL);
    text_clear(&c->incoming);
    text_clear(&c->message);
    text_add_bytes(&c->incoming, bytes, unread);
    civetweb_take(r->connection, unread);
}

static void connection_fini(struct http_socket_connection *c) {
    text_fini(&c->incoming);
    text_fini(&c->message);
    text_fini(&c->outgoing);
    pthread_mutex_destroy(&c->lock);
}

static void run(struct http_request *r, const char *key, int wake_fd, void *state) {
    struct http_socket_connection c;
    connection_init(&c, r, wake_fd, state);
    bool connected = send_handshake(r, key);
    register_socket(r, &c);
    if (atomic_load(&r->server->stopping)) http_socket_close(&c, HTTP_CLOSE_GOING_AWAY);
    c.handler->opened(&c, state);
    if (connected) converse(&c);
    if (!r->gone) http_linger(r);
    register_socket(r, NULL);
    /* Whoever still has the connection gets false from now on. */
    http_socket_close(&c, HTTP_CLOSE_GOING_AWAY);
    c.handler->closed(&c, state);
    connection_fini(&c);
}

void http_socket_serve(struct http_request *r) {
    struct err e = {0};
    const char *key = http_header(r, "Sec-WebSocket-Key");
    OWN_FD int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    void *state = NULL;
    if (wake_fd < 0)
        err_errno(&e, errno, "open an event descriptor");
    else if (!http_may_hold_worker(r->server)) {
        err_set(&e, ERR_UNAVAILABLE, "no thread is left for another WebSocket");
        err_hint(&e, "try again later, or give the server more memory or threads (TasksMax)");
    } else if (check_upgrade(r, key, &e))
        state = r->route->socket->accept(r, &e);
    if (state == NULL && e.code != ERR_NONE) {
        http_reply_err(r, &e);
        return;
    }
    r->close = true;
    run(r, key, wake_fd, state);
}
