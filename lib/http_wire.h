/* Inside lib/http_server*: bytes to and from a client over its non-blocking socket, through TLS
 * where the connection has it. Only the connection's own worker thread may call these. */
#pragma once

#include "lib/own.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#define HTTP_WIRE_PIECE (64 * 1024) /* of a file, held for each client that takes one */

struct http_wire {
    int socket;
    SSL *tls;             /* NULL: plain */
    unsigned char *piece; /* of a file that is being sent through TLS, HTTP_WIRE_PIECE long */
    size_t piece_begin, piece_end; /* what of it is still to be sent */
};

void http_wire_fini(struct http_wire *w); /* closes nothing */

/* All three as recv(2), sendmsg(2) and sendfile(2) do: fewer bytes than asked for, 0 at the end, or
 * -1, and then errno is EAGAIN where *awaited (POLLIN, POLLOUT) has to come about first. */
MUST_CHECK ssize_t http_wire_receive(struct http_wire *w, void *out, size_t size, short *awaited);
MUST_CHECK ssize_t http_wire_send(struct http_wire *w, const struct iovec *parts, size_t count,
                                  bool more, short *awaited);
MUST_CHECK ssize_t http_wire_send_file(struct http_wire *w, int file, int64_t offset,
                                       int64_t length, short *awaited);

/* The client has shown a certificate, and the handshake found it good. */
bool http_wire_knows_client(const struct http_wire *w);

/* Bytes have been received that no poll(2) tells of. */
bool http_wire_holds_bytes(const struct http_wire *w);

/* Nothing more will be sent. False when the client is gone. */
bool http_wire_end(struct http_wire *w);
