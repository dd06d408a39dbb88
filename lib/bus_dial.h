/* How a client of the bus finds its server: NNG dials one address again and again; this goes on to
 * other addresses of the name when one gives no connection. Included by lib/bus*.c only. Owner
 * thread of the client. */
#pragma once

#include "lib/bus_internal.h"

struct bus_route {
    const char *scheme;
    const char *host;
};

struct bus_dial {
    char host[BUS_HOST_SIZE]; /* without brackets */
    int port;
    nng_socket socket;
    nng_dialer dialer;
    struct bus_route routes[3];
    size_t route_count;
    size_t route;        /* the one being dialled */
    bool proven;         /* it gave a connection once */
    int64_t patience_ms; /* how long a route that never gave one is tried */
    int64_t next_at_ms;  /* when to go on to the next route; 0 while connected */
};

/* Checks the address and begins to dial in the background. ERR_INVALID. The socket stays the
 * caller's. */
MUST_CHECK bool bus_dial_start(struct bus_dial *d, nng_socket socket, const char *host, int port,
                               struct err *e);

/* Goes on to the next route when it is time. Returns when to call it again, INT64_MAX for no need.
 */
int64_t bus_dial_tend(struct bus_dial *d, bool connected, int64_t now_ms);
