#include "lib/bus_dial.h"

#include "lib/secret.h"

#include <assert.h>
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
    static const char *const schemes[2][3] = {
        {"tcp",     "tcp4",     "tcp6"    },
        {"tls+tcp", "tls+tcp4", "tls+tcp6"}
    };
    bool is_local = strcasecmp(d->host, "localhost") == 0;
    size_t count = is_local ? 2 : bus_host_is_literal(d->host) ? 1 : 3;
    assert(count <= sizeof d->routes / sizeof d->routes[0] && d->route_count == 0);
    for (size_t i = 0; i < count; i++) {
        char url[BUS_URL_SIZE];
        const char *scheme = schemes[d->tls != NULL][is_local ? 0 : i];
        bus_url(url, scheme, is_local ? local[i] : d->host, d->port);
        int code = nng_stream_dialer_alloc(&d->routes[i], url);
        if (code != 0) return bus_error(e, code, "cannot dial %s", url);
        d->route_count++;
        if (d->tls != NULL)
            bus_must(nng_stream_dialer_set_ptr(d->routes[i], NNG_OPT_TLS_CONFIG, d->tls));
    }
    return true;
}

static void attempt(struct bus_dial *d) {
    assert(d->route < d->route_count);
    nng_stream_dialer_dial(d->routes[d->route], d->dialing);
}

/* A pause of PAUSE_MIN_MS or more, at most twice the last one's limit. */
static void pause_before_attempt(struct bus_dial *d) {
    d->pause_ms = d->pause_ms * 2 < PAUSE_MAX_MS ? d->pause_ms * 2 : PAUSE_MAX_MS;
    assert(d->pause_ms >= PAUSE_MIN_MS);
    int length_ms = PAUSE_MIN_MS + (int)random_below((unsigned)(d->pause_ms - PAUSE_MIN_MS + 1));
    nng_sleep_aio(length_ms, d->pausing);
}

/* On a thread of NNG. */
static void paused(void *argument) {
    struct bus_dial *d = argument;
    if (nng_aio_result(d->pausing) == 0) attempt(d);
}

/* On a thread of NNG. */
static void dialled(void *argument) {
    struct bus_dial *d = argument;
    int result = nng_aio_result(d->dialing);
    atomic_store(&d->reached, result == 0);
    if (result == 0) {
        d->connected(d->owner, nng_aio_get_output(d->dialing, 0));
    } else if (result != NNG_ECLOSED && result != NNG_ECANCELED) {
        d->route = (d->route + 1) % d->route_count;
        pause_before_attempt(d);
    }
}

bool bus_dial_init(struct bus_dial *d, const char *host, int port, const struct bus_trust *trust,
                   void (*connected)(void *owner, nng_stream *stream), void *owner, struct err *e) {
    *d = (struct bus_dial){.port = port, .connected = connected, .owner = owner};
    if (!bus_host(host, d->host, e)) return false;
    if (port <= 0 || port > 65535)
        return err_set(e, ERR_INVALID, "%d is no port of a server: 1 to 65535", port);
    if (trust != NULL && !bus_tls_client(&d->tls, trust, e)) return false;
    bus_must(nng_aio_alloc(&d->dialing, dialled, d));
    bus_must(nng_aio_alloc(&d->pausing, paused, d));
    nng_aio_set_timeout(d->dialing, ATTEMPT_TIMEOUT_MS);
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
    if (d->pausing != NULL) nng_aio_stop(d->pausing);
    if (d->dialing != NULL) nng_aio_wait(d->dialing); /* not cancelled: see bus_tls.h */
    while (d->route_count > 0) nng_stream_dialer_free(d->routes[--d->route_count]);
}

void bus_dial_fini(struct bus_dial *d) {
    bus_dial_stop(d);
    nng_aio_free(d->pausing);
    nng_aio_free(d->dialing);
    bus_tls_free(TAKE(d->tls));
}
