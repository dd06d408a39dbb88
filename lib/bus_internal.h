/* What both ends of the bus share: addresses, errors, waiting. Included by lib/bus*.c only. */
#pragma once

#include "lib/bus.h"

#include <nng/nng.h>
#include <pthread.h>

#define BUS_HOST_SIZE 256
#define BUS_URL_SIZE (BUS_HOST_SIZE + 32)

/* What a message may weigh on the wire: the largest body and NNG's request ids before it. */
#define BUS_RECEIVE_MAX_BYTES (BUS_MESSAGE_MAX_BYTES + 64)

/* Copies host without the brackets of an IPv6 literal, after checking that it can stand in a URL.
 */
MUST_CHECK bool bus_host(const char *host, char out[BUS_HOST_SIZE], struct err *e);
bool bus_host_is_literal(const char *host); /* an IPv4 or IPv6 address, no name */

/* "scheme://host:port", with brackets around IPv6. */
void bus_url(char out[BUS_URL_SIZE], const char *scheme, const char *host, int port);

/* An NNG error as ours: "text: what NNG says". Returns false. */
bool bus_error(struct err *e, int code, const char *format, ...) PRINTF_LIKE(3, 4);

/* NNG calls that fail only without memory, or by a bug of ours: ends the process then. */
void bus_must(int code);

/* A lock and the condition that what it guards changed. */
struct bus_signal {
    pthread_mutex_t lock;
    pthread_cond_t changed;
};
void bus_signal_init(struct bus_signal *s);
void bus_signal_fini(struct bus_signal *s);

/* Waits, lock held, until the monotonic time deadline_ms (INT64_MAX: for ever) or a change; false
 * when it passed. */
bool bus_signal_wait(struct bus_signal *s, int64_t deadline_ms);

/* The deadline timeout_ms from now; INT64_MAX for negative timeouts. */
int64_t bus_deadline(int64_t timeout_ms);
