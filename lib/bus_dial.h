/* How a client of the bus finds its server: attempts one after another, with pauses that grow, over
 * the addresses that a name may have. Included by lib/bus*.c only. */
#pragma once

#include "lib/bus_tls.h"

#include <stdatomic.h>

struct bus_dial {
    char host[BUS_HOST_SIZE]; /* without brackets */
    int port;
    nng_tls_config *tls;                                /* NULL: none */
    void (*connected)(void *owner, nng_stream *stream); /* takes the stream; on a thread of NNG */
    void *owner;
    nng_stream_dialer *routes[3];
    size_t route_count;
    nng_aio *dialing, *pausing;
    atomic_bool reached; /* the last attempt found somebody listening */
    /* Used by one thread after another: the starter's, then NNG's. */
    size_t route;
    int pause_ms;
};

/* Checks address and trust (NULL: no TLS). ERR_INVALID. bus_dial_fini is due even when it fails. */
MUST_CHECK bool bus_dial_init(struct bus_dial *d, const char *host, int port,
                              const struct bus_trust *trust,
                              void (*connected)(void *owner, nng_stream *stream), void *owner,
                              struct err *e);

/* Dials until there is a connection, which ends the search: at once for the first time, then after
 * a pause, a short one again if the last connection was of use. Not while it searches already. */
void bus_dial_start(struct bus_dial *d);
void bus_dial_again(struct bus_dial *d, bool was_of_use);

void bus_dial_stop(struct bus_dial *d); /* for good; waits for connected to return */
void bus_dial_fini(struct bus_dial *d);
