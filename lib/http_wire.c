#include "lib/http_wire.h"

#include "lib/file.h"
#include "lib/text.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#define SENDFILE_MAX 0x7ffff000 /* the most that one sendfile(2) call takes */
#define RECORD_MAX 16384        /* of TLS: what is sent in one piece costs one seal */

void http_wire_fini(struct http_wire *w) {
    free(w->piece);
}

/* What a call on w->tls that returned done came to. */
static ssize_t outcome(struct http_wire *w, int done, short *awaited) {
    if (done > 0) return done;
    switch (SSL_get_error(w->tls, done)) {
    case SSL_ERROR_WANT_READ:
        *awaited = POLLIN;
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_WANT_WRITE:
        *awaited = POLLOUT;
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        errno = ECONNRESET;
        return -1;
    }
}

static int within_int(size_t size) {
    return size < INT_MAX ? (int)size : INT_MAX;
}

static ssize_t tls_write(struct http_wire *w, const void *bytes, size_t length, short *awaited) {
    ERR_clear_error(); /* an old complaint of this thread would be taken for one of this call */
    return outcome(w, SSL_write(w->tls, bytes, within_int(length)), awaited);
}

ssize_t http_wire_receive(struct http_wire *w, void *out, size_t size, short *awaited) {
    *awaited = POLLIN;
    if (w->tls == NULL) return recv(w->socket, out, size, 0);
    ERR_clear_error();
    return outcome(w, SSL_read(w->tls, out, within_int(size)), awaited);
}

/* As much of the parts as one record takes; the same bytes again when it is tried again. */
static size_t gather(const struct iovec *parts, size_t count, unsigned char out[RECORD_MAX]) {
    size_t length = 0;
    for (size_t i = 0; i < count && length < RECORD_MAX; i++) {
        size_t room = RECORD_MAX - length;
        size_t taken = parts[i].iov_len < room ? parts[i].iov_len : room;
        memcpy(out + length, parts[i].iov_base, taken);
        length += taken;
    }
    return length;
}

ssize_t http_wire_send(struct http_wire *w, const struct iovec *parts, size_t count, bool more,
                       short *awaited) {
    *awaited = POLLOUT;
    if (w->tls == NULL) {
        struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = count};
        return sendmsg(w->socket, &message, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    }
    unsigned char record[RECORD_MAX];
    size_t length = gather(parts, count, record);
    ssize_t sent = tls_write(w, record, length, awaited);
    explicit_bzero(record, length);
    return sent;
}

/* Fills w->piece when all of it was sent. */
static ssize_t read_piece(struct http_wire *w, int file, int64_t offset, int64_t length) {
    if (w->piece == NULL) w->piece = memory_zeroed(1, HTTP_WIRE_PIECE);
    size_t wanted = length < HTTP_WIRE_PIECE ? (size_t)length : HTTP_WIRE_PIECE;
    ssize_t got = file_read_at(file, w->piece, wanted, offset);
    w->piece_begin = 0;
    w->piece_end = got > 0 ? (size_t)got : 0;
    return got;
}

ssize_t http_wire_send_file(struct http_wire *w, int file, int64_t offset, int64_t length,
                            short *awaited) {
    *awaited = POLLOUT;
    if (w->tls == NULL) {
        off_t at = offset;
        return sendfile(w->socket, file, &at,
                        length < SENDFILE_MAX ? (size_t)length : SENDFILE_MAX);
    }
    if (w->piece_begin == w->piece_end) {
        ssize_t got = read_piece(w, file, offset, length);
        if (got <= 0) return got;
    }
    ssize_t sent = tls_write(w, w->piece + w->piece_begin, w->piece_end - w->piece_begin, awaited);
    if (sent > 0) w->piece_begin += (size_t)sent;
    return sent;
}

bool http_wire_knows_client(const struct http_wire *w) {
    return w->tls != NULL && SSL_get0_peer_certificate(w->tls) != NULL;
}

bool http_wire_holds_bytes(const struct http_wire *w) {
    return w->tls != NULL && SSL_pending(w->tls) > 0;
}

bool http_wire_end(struct http_wire *w) {
    if (w->tls != NULL) {
        ERR_clear_error();
        (void)SSL_shutdown(w->tls); /* one that is not heard is cut off, and sees that it is */
        ERR_clear_error();
    }
    return shutdown(w->socket, SHUT_WR) == 0;
}
