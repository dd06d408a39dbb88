#include "lib/bus_dial.h"

#include "lib/secret.h"

#include <string.h>
#include <strings.h>

#define ATTEMPT_TIMEOUT_MS 10000
#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 5000

/* NNG takes only the first address that a name resolves to, be there a server or not. So attempts
 * go round: the system's first choice, IPv4, IPv6; localhost begins where servers listen by
 * default. */
static bool make_routes(struct bus_dial *d, struct err *e) {
    static const char *const local[] = {"127.0.0.1", "::1"};
    static const char *const schemes[] = {"tcp", "tcp4", "tcp6"};
    bool is_local = strcasecmp(d->host, "localhost") == 0;
    size_t count = is_local ? 2 : bus_host_is_literal(d->host) ? 1 : 3;
    for (size_t i = 0; i < count; i++) {
        char url[BUS_URL_SIZE];
        bus_url(url, is_local ? "tcp" : schemes[i], is_local ? local[i] : d->host, d->port);
        int code = nng_stream_dialer_alloc(&d->routes[i], url);
        if (code != 0) return bus_error(e, code, "cannot dial %s", url);
        d->route_count++;
    }
    return true;
}

static void attempt(struct bus_dial *d) {
    d->pausing = false;
    nng_aio_set_timeout(d->aio, ATTEMPT_TIMEOUT_MS);
    nng_stream_dialer_dial(d->routes[d->route], d->aio);
}

/* A pause of PAUSE_MIN_MS or more, at most twice the last one's limit. */
static void pause_before_attempt(struct bus_dial *d) {
    d->pause_ms = d->pause_ms * 2 < PAUSE_MAX_MS ? d->pause_ms * 2 : PAUSE_MAX_MS;
    int length_ms = PAUSE_MIN_MS + (int)random_below((unsigned)(d->pause_ms - PAUSE_MIN_MS + 1));
    d->pausing = true;
    nng_aio_set_timeout(d->aio, NNG_DURATION_INFINITE);
    nng_sleep_aio(length_ms, d->aio);
}

/* On a thread of NNG. */
static void completed(void *argument) {
    struct bus_dial *d = argument;
    int result = nng_aio_result(d->aio);
    if (d->pausing && result == 0) {
        attempt(d);
    } else if (result == 0) {
        d->connected(d->owner, nng_aio_get_output(d->aio, 0));
    } else if (result != NNG_ECLOSED && result != NNG_ECANCELED) {
        d->route = (d->route + 1) % d->route_count;
        pause_before_attempt(d);
    }
}

bool bus_dial_init(struct bus_dial *d, const char *host, int port,
                   void (*connected)(void *owner, nng_stream *stream), void *owner, struct err *e) {
    *d = (struct bus_dial){.port = port, .connected = connected, .owner = owner};
    if (!bus_host(host, d->host, e)) return false;
    if (port <= 0 || port > 65535)
        return err_set(e, ERR_INVALID, "%d is no port of a server: 1 to 65535", port);
    bus_must(nng_aio_alloc(&d->aio, completed, d));
    return make_routes(d, e);
}

void bus_dial_start(struct bus_dial *d) {
    d->pause_ms = PAUSE_MIN_MS;
    attempt(d);
}

void bus_dial_again(struct bus_dial *d, bool was_of_use) {
    if (was_of_use) d->pause_ms = PAUSE_MIN_MS;
    pause_before_attempt(d);
}

void bus_dial_stop(struct bus_dial *d) {
    for (size_t i = 0; i < d->route_count; i++) nng_stream_dialer_close(d->routes[i]);
    if (d->aio != NULL) nng_aio_stop(d->aio);
    while (d->route_count > 0) nng_stream_dialer_free(d->routes[--d->route_count]);
}

void bus_dial_fini(struct bus_dial *d) {
    bus_dial_stop(d);
    nng_aio_free(d->aio);
}
