/* Bus over NNG: bytes in, bytes out, on the wire the protocol of NNG's request/reply sockets; who
 * sent them is decided above (lib/session.h, lib/wire.h). Callbacks of NNG only enqueue; programs
 * take from the queue on their own threads. */
#pragma once

#include "lib/err.h"

#include <stddef.h>
#include <stdint.h>

#define BUS_MESSAGE_MAX_BYTES (256 * 1024)
#define BUS_ADDRESS_SIZE 64

struct bus_server;
struct bus_request; /* a message that is owed a reply; holding it parks the sender */

struct bus_server_options {
    const char *address;
    int port; /* 0: pick one */
    /* At most so many requests are queued or held open at once: the connections of further ones are
     * not read until there is room. */
    size_t max_parked;
    /* Connections beyond are closed at once, counted, and logged now and then; 0: no limit.
     * Loopback counts like any address. */
    size_t max_connections, max_connections_per_address;
    const char *certificate; /* PEM file with key and chain: TLS 1.2; NULL: none. Read once: for
                                another certificate the server is closed and opened anew. */
};

/* Oversize messages drop the sender's connection, as do answers that a peer does not read, ten
 * seconds without a greeting, and two minutes without a request. ERR_CONFLICT when the port is
 * taken, ERR_INVALID for an address that is not this machine's, ERR_DENIED for a port it may not
 * use, ERR_NOT_FOUND and ERR_CORRUPT for a certificate that cannot be read. */
MUST_CHECK bool bus_server_open(struct bus_server **out, const struct bus_server_options *options,
                                struct err *e);
int bus_server_port(const struct bus_server *s);

/* The next request whose sender is still there, waiting at most timeout_ms (-1: for ever). NULL
 * on timeout and after bus_server_stop. Any thread. */
struct bus_request *bus_server_next(struct bus_server *s, int64_t timeout_ms);
size_t bus_server_parked(const struct bus_server *s);

struct bus_connections {
    size_t open;
    uint64_t refused_total;       /* since the start, because there were too many in all */
    uint64_t refused_per_address; /* and because there were too many from their address */
};
void bus_server_connections(const struct bus_server *s, struct bus_connections *out);

const void *bus_request_bytes(const struct bus_request *r, size_t *length);
/* Frees the bytes, for requests that are held for long. */
void bus_request_drop_bytes(struct bus_request *r);
const char *bus_request_address(const struct bus_request *r); /* of the peer, without port */

/* Answers and ends the request; any thread, never blocks. */
void bus_reply(struct bus_request *r, const void *bytes, size_t length);
/* Ends the request without an answer: the sender's deadline will pass. Any thread. */
void bus_discard(struct bus_request *r);

void bus_server_stop(struct bus_server *s);  /* bus_server_next returns NULL from now on */
void bus_server_close(struct bus_server *s); /* after every request was answered or discarded */
OWN_DEFINE(bus_server, struct bus_server, bus_server_close)

struct bus_client;

/* Whom a client takes for its server. NULL: no TLS. */
struct bus_trust {
    const char *ca_pem; /* must have signed the certificate of the server ... */
    const char *name;   /* ... for this DNS name, whatever host is dialled */
};

/* Dials host:port in the background, again and again with growing random pauses (100 ms to 5 s),
 * until closed; host is a name, an IPv4 or an IPv6 address with or without brackets. A name is
 * tried in both families. Never fails for a server that is away, only for a malformed address
 * (ERR_INVALID) and a ca_pem that is none (ERR_CORRUPT). Requests that a lost connection took fail;
 * they are never repeated. */
MUST_CHECK bool bus_client_open(struct bus_client **out, const char *host, int port,
                                const struct bus_trust *trust, struct err *e);

/* Sends one request; its answer, or its failure after timeout_ms, will come out of bus_client_next
 * with this ticket (any but UINT64_MAX). Any number may be under way. A message beyond
 * BUS_MESSAGE_MAX_BYTES fails and is not sent. One owner thread. */
void bus_client_send(struct bus_client *c, uint64_t ticket, const void *bytes, size_t length,
                     int64_t timeout_ms);

/* Forgets every request under way: their answers will not come out any more. */
void bus_client_cancel(struct bus_client *c);

/* BUS_FAILED: no answer in time, or the connection is gone; BUS_IDLE: timeout_ms passed. */
enum bus_event { BUS_REPLY, BUS_FAILED, BUS_WOKEN, BUS_IDLE };
struct bus_arrival {
    enum bus_event event;
    uint64_t ticket;
    void *bytes; /* BUS_REPLY: owned by the caller, free() it; a NUL follows the last byte */
    size_t length;
};
/* What happens next, waiting at most timeout_ms (-1: for ever). Owner thread. */
void bus_client_next(struct bus_client *c, int64_t timeout_ms, struct bus_arrival *out);

/* Makes bus_client_next return BUS_WOKEN once. Any thread, but no signal handler. */
void bus_client_wake(struct bus_client *c);
bool bus_client_connected(const struct bus_client *c);

/* Why requests get no answer now, as far as the connection tells; returns false. ERR_UNTRUSTED: the
 * other side does not speak TLS, or shows a certificate that is not of the trusted CA or not of its
 * name. ERR_UNREACHABLE, ERR_TIMEOUT. Owner thread. */
bool bus_client_trouble(struct bus_client *c, struct err *e);
void bus_client_close(struct bus_client *c);
OWN_DEFINE(bus_client, struct bus_client, bus_client_close)

/* One call and its answer (free() it), for enrollment and tools, while no other request is under
 * way. ERR_TIMEOUT, ERR_UNREACHABLE, ERR_TOO_LARGE; ERR_UNAVAILABLE when bus_client_wake ended it,
 * which counts as that wake's one return. */
MUST_CHECK bool bus_call(struct bus_client *c, const void *bytes, size_t length, int64_t timeout_ms,
                         void **answer, size_t *answer_length, struct err *e);
