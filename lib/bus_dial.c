#include "lib/bus_dial.h"

#include <string.h>
#include <strings.h>

#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 5000
#define PATIENCE_MIN_MS 2000
#define PATIENCE_MAX_MS 8000
#define PATIENCE_PROVEN_MS 30000

/* NNG takes only the first address that a name resolves to, be there a server or not. So the
 * families are tried in turn; localhost begins with the address where servers listen by default. */
static void choose_routes(struct bus_dial *d) {
    static const char *const schemes[] = {"tcp", "tcp4", "tcp6"};
    if (strcasecmp(d->host, "localhost") == 0) {
        d->routes[0] = (struct bus_route){"tcp", "127.0.0.1"};
        d->routes[1] = (struct bus_route){"tcp", "::1"};
        d->route_count = 2;
        return;
    }
    d->route_count = bus_host_is_literal(d->host) ? 1 : 3;
    for (size_t i = 0; i < d->route_count; i++)
        d->routes[i] = (struct bus_route){schemes[i], d->host};
}

/* NNG pauses between attempts, each time up to twice as long, by chance. */
static int dial(struct bus_dial *d) {
    char url[BUS_URL_SIZE];
    bus_url(url, d->routes[d->route].scheme, d->routes[d->route].host, d->port);
    int code = nng_dialer_create(&d->dialer, d->socket, url);
    if (code != 0) return code;
    bus_must(nng_dialer_set_bool(d->dialer, NNG_OPT_TCP_NODELAY, true));
    bus_must(nng_dialer_set_bool(d->dialer, NNG_OPT_TCP_KEEPALIVE, true));
    bus_must(nng_dialer_set_ms(d->dialer, NNG_OPT_RECONNMINT, PAUSE_MIN_MS));
    bus_must(nng_dialer_set_ms(d->dialer, NNG_OPT_RECONNMAXT, PAUSE_MAX_MS));
    return nng_dialer_start(d->dialer, NNG_FLAG_NONBLOCK);
}

bool bus_dial_start(struct bus_dial *d, nng_socket socket, const char *host, int port,
                    struct err *e) {
    *d = (struct bus_dial){.socket = socket, .port = port, .patience_ms = PATIENCE_MIN_MS};
    if (!bus_host(host, d->host, e)) return false;
    if (port <= 0 || port > 65535)
        return err_set(e, ERR_INVALID, "%d is no port of a server: 1 to 65535", port);
    choose_routes(d);
    int code = dial(d);
    return code == 0 || bus_error(e, code, "cannot dial %s", d->host);
}

int64_t bus_dial_tend(struct bus_dial *d, bool connected, int64_t now_ms) {
    if (d->route_count == 1) return INT64_MAX;
    if (connected) {
        d->proven = true;
        d->next_at_ms = 0;
        return INT64_MAX;
    }
    if (d->next_at_ms == 0)
        d->next_at_ms = now_ms + (d->proven ? PATIENCE_PROVEN_MS : d->patience_ms);
    if (now_ms < d->next_at_ms) return d->next_at_ms;
    nng_dialer_close(d->dialer);
    d->proven = false;
    d->route = (d->route + 1) % d->route_count;
    if (d->route == 0 && d->patience_ms < PATIENCE_MAX_MS) d->patience_ms *= 2;
    bus_must(dial(d));
    d->next_at_ms = now_ms + d->patience_ms;
    return d->next_at_ms;
}
