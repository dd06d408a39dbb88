#include "lib/bus_link.h"
#include "lib/bus_places.h"
#include "lib/bus_tls.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/text.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>
#include <sys/queue.h>

#define QUEUE_MAX_BYTES (16 * 1024 * 1024) /* requests that nobody took yet */
#define UNSENT_MAX_BYTES (4 * 1024 * 1024) /* answers that a peer does not read */
#define SEND_TIMEOUT_MS 30000              /* for one of them */
#define IDLE_MS 120000                     /* a connection without requests is closed after that */
#define REAP_EVERY_MS 1000                 /* peers who let a deadline pass are found within that */
#define REAP_BATCH 64
#define BEHIND_MS 500 /* so late a look means that this server is slow, and not its peers */
#define GREETING_TIMEOUT_MS 10000
#define ACCEPT_PAUSE_MS 100   /* when no connection can be accepted */
#define FLUSH_TIMEOUT_MS 1000 /* for answers under way when the server closes */
#define IDS_MAX_SIZE (9 * 4)  /* a request's own id behind those of eight devices */

/* A connection. Lives as long as its link runs and as its requests do. */
struct peer {
    struct bus_server *server;
    struct bus_link *link;
    char address[BUS_ADDRESS_SIZE];
    bool admitted; /* it has a place until its link ends */
    /* guarded by the server's lock */
    LIST_ENTRY(peer) next;
    size_t references; /* the running link's, and one per request */
    size_t requests;
};

/*           there is room          bus_server_next     bus_reply, bus_discard
 * (waiting) -------------> (ready) --------------> held ---------------------> freed
 * A request that found no room waits, and its connection is not read meanwhile. */
struct bus_request {
    struct peer *peer;
    unsigned char *message; /* ids, then the payload */
    size_t ids_size, length;
    TAILQ_ENTRY(bus_request) next; /* ready or waiting; guarded by the server's lock */
};
TAILQ_HEAD(requests, bus_request);
LIST_HEAD(peers, peer);

struct bus_server {
    nng_stream_listener *listener;
    nng_aio *accepting, *reaping;
    bool pausing;      /* only the accepting callback uses it */
    int64_t reaped_ms; /* only the reaping one does */
    int port;
    size_t max_parked;
    struct bus_signal signal; /* guards everything below */
    struct bus_places places;
    struct peers peers, leaving;
    struct requests ready, waiting;
    size_t ready_count, ready_bytes, parked;
    size_t unsent; /* answers on their way */
    size_t inside; /* threads in bus_server_next */
    bool stopped, closing;
};

static void lock(struct bus_server *s) {
    pthread_mutex_lock(&s->signal.lock);
}

static void unlock(struct bus_server *s) {
    pthread_mutex_unlock(&s->signal.lock);
}

/* Lock held on entry, released on return. */
static void release_peer_unlock(struct peer *p) {
    struct bus_server *s = p->server;
    assert(p->references > 0);
    bool last = --p->references == 0;
    assert(!last || p->requests == 0);
    if (last) LIST_REMOVE(p, next);
    if (last && s->closing) pthread_cond_broadcast(&s->signal.changed);
    unlock(s);
    if (!last) return;
    bus_link_release(p->link);
    free(p);
}

static bool has_room(const struct bus_server *s) {
    return s->ready_count + s->parked < s->max_parked && s->ready_bytes < QUEUE_MAX_BYTES;
}

static void make_ready(struct bus_server *s, struct bus_request *r) {
    assert(has_room(s));
    TAILQ_INSERT_TAIL(&s->ready, r, next);
    s->ready_count++;
    s->ready_bytes += r->length;
    pthread_cond_signal(&s->signal.changed);
}

static void free_request_unlock(struct bus_request *r) {
    struct peer *p = r->peer;
    assert(p->requests > 0);
    p->requests--;
    free(r->message);
    free(r);
    release_peer_unlock(p);
}

/* Lets those who wait for room in, as many as find some. */
static void admit(struct bus_server *s) {
    for (;;) {
        lock(s);
        struct bus_request *r = has_room(s) && !s->closing ? TAILQ_FIRST(&s->waiting) : NULL;
        if (r == NULL) {
            unlock(s);
            return;
        }
        struct bus_link *link = bus_link_retain(r->peer->link);
        TAILQ_REMOVE(&s->waiting, r, next);
        make_ready(s, r);
        unlock(s);
        bus_link_receive(link);
        bus_link_release(link);
    }
}

/* Bytes of the ids before the payload: the last one has its highest bit set. 0 for nonsense. */
static size_t ids_size(const unsigned char *message, size_t length) {
    for (size_t i = 0; i + 4 <= length && i + 4 <= IDS_MAX_SIZE; i += 4) {
        if ((message[i] & 0x80) != 0) return i + 4;
    }
    return 0;
}

static void peer_opened(void *owner) {
    bus_link_receive(((struct peer *)owner)->link);
}

static void peer_received(void *owner, unsigned char *message, size_t length) {
    struct peer *p = owner;
    struct bus_server *s = p->server;
    size_t ids = ids_size(message, length);
    if (ids == 0) {
        free(message);
        bus_link_close(p->link);
        return;
    }
    struct bus_request *r = memory_zeroed(1, sizeof *r);
    *r = (struct bus_request){.peer = p, .message = message, .ids_size = ids, .length = length};
    lock(s);
    p->references++;
    p->requests++;
    bool room = has_room(s);
    if (s->closing) {
        free_request_unlock(r);
        return;
    }
    if (room)
        make_ready(s, r);
    else
        TAILQ_INSERT_TAIL(&s->waiting, r, next);
    unlock(s);
    if (room) bus_link_receive(p->link);
}

static void peer_sent(void *owner) {
    struct bus_server *s = ((struct peer *)owner)->server;
    lock(s);
    assert(s->unsent > 0);
    s->unsent--;
    if (s->stopped && s->unsent == 0) pthread_cond_broadcast(&s->signal.changed);
    unlock(s);
}

static void peer_closed(void *owner) {
    struct peer *p = owner;
    lock(p->server);
    if (p->admitted) bus_places_give(&p->server->places, p->address);
    release_peer_unlock(p);
}

static const struct bus_link_kind peer_kind = {
    .protocol = BUS_PROTOCOL_REPLY,
    .peer_protocol = BUS_PROTOCOL_REQUEST,
    .greeting_timeout_ms = GREETING_TIMEOUT_MS,
    .send_timeout_ms = SEND_TIMEOUT_MS,
    .unsent_max_bytes = UNSENT_MAX_BYTES,
    .opened = peer_opened,
    .received = peer_received,
    .sent = peer_sent,
    .closed = peer_closed,
};

/* The peer's address without its port, "" when it is gone already. */
static void peer_address(nng_stream *stream, char out[BUS_ADDRESS_SIZE]) {
    nng_sockaddr address;
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    out[0] = '\0';
    if (nng_stream_get_addr(stream, NNG_OPT_REMADDR, &address) != 0) return;
    if (address.s_family == NNG_AF_INET)
        inet_ntop(AF_INET, &address.s_in.sa_addr, out, BUS_ADDRESS_SIZE);
    else if (memcmp(address.s_in6.sa_addr, mapped, sizeof mapped) == 0)
        inet_ntop(AF_INET, address.s_in6.sa_addr + sizeof mapped, out, BUS_ADDRESS_SIZE);
    else
        inet_ntop(AF_INET6, address.s_in6.sa_addr, out, BUS_ADDRESS_SIZE);
}

/* Lock held. */
static bool admit_peer(struct peer *p) {
    struct bus_server *s = p->server;
    if (s->closing || p->address[0] == '\0') return false;
    return p->admitted = bus_places_take(&s->places, p->address);
}

static void add_peer(struct bus_server *s, nng_stream *stream) {
    struct peer *p = memory_zeroed(1, sizeof *p);
    p->server = s;
    p->references = 1;
    peer_address(stream, p->address);
    p->link = bus_link_new(stream, &peer_kind, p);
    lock(s);
    bool wanted = admit_peer(p);
    LIST_INSERT_HEAD(&s->peers, p, next);
    struct bus_link *link = bus_link_retain(p->link);
    unlock(s);
    if (wanted)
        bus_link_start(link);
    else
        bus_link_close(link);
    bus_link_release(link);
}

/* On a thread of NNG. */
static void accepted(void *argument) {
    struct bus_server *s = argument;
    int result = nng_aio_result(s->accepting);
    if (result == NNG_ECLOSED || result == NNG_ECANCELED) return;
    if (result == 0 && !s->pausing) add_peer(s, nng_aio_get_output(s->accepting, 0));
    s->pausing = result != 0;
    if (s->pausing)
        nng_sleep_aio(ACCEPT_PAUSE_MS, s->accepting); /* no descriptors or memory left */
    else
        nng_stream_listener_accept(s->listener, s->accepting);
}

/* Some connections that are late, each to be released. Those with requests may be silent. */
static size_t find_late(struct bus_server *s, struct bus_link *out[REAP_BATCH]) {
    int64_t now = clock_monotonic_ms();
    size_t count = 0;
    struct peer *p;
    lock(s);
    LIST_FOREACH(p, &s->peers, next) {
        if (count == REAP_BATCH) break;
        if (bus_link_is_late(p->link, now, p->requests == 0 ? IDLE_MS : -1))
            out[count++] = bus_link_retain(p->link);
    }
    unlock(s);
    return count;
}

static void close_late(struct bus_server *s) {
    struct bus_link *late[REAP_BATCH];
    size_t count;
    do {
        count = find_late(s, late);
        for (size_t i = 0; i < count; i++) {
            bus_link_close(late[i]);
            bus_link_release(late[i]);
        }
    } while (count == REAP_BATCH);
}

/* On a thread of NNG, now and then. It waits its turn behind the handshakes of all who come: when
 * thousands do at once, none is called late for what this server has not got to. */
static void reap(void *argument) {
    struct bus_server *s = argument;
    if (nng_aio_result(s->reaping) != 0) return;
    int64_t now = clock_monotonic_ms();
    bool behind = now - s->reaped_ms > REAP_EVERY_MS + BEHIND_MS;
    s->reaped_ms = now;
    if (!behind) close_late(s);
    nng_sleep_aio(REAP_EVERY_MS, s->reaping);
}

static bool listen_on(struct bus_server *s, const char *host, int port, nng_tls_config *tls,
                      struct err *e) {
    char url[BUS_URL_SIZE];
    bus_url(url, tls != NULL ? "tls+tcp" : "tcp", host, port);
    int code = nng_stream_listener_alloc(&s->listener, url);
    if (code == 0 && tls != NULL)
        code = nng_stream_listener_set_ptr(s->listener, NNG_OPT_TLS_CONFIG, tls);
    if (code == 0) code = nng_stream_listener_listen(s->listener);
    if (code == 0)
        code = nng_stream_listener_get_int(s->listener, NNG_OPT_TCP_BOUND_PORT, &s->port);
    if (code == 0) return true;
    bus_error(e, code, "the bus cannot listen on %s", strstr(url, "://") + strlen("://"));
    if (code == NNG_EADDRINUSE)
        err_hint(e, "choose another port, or stop what uses this one (ss -ltnp shows it)");
    if (code == NNG_EADDRINVAL) err_hint(e, "name an address of this machine (ip address)");
    return false;
}

bool bus_server_open(struct bus_server **out, const struct bus_server_options *options,
                     struct err *e) {
    char host[BUS_HOST_SIZE];
    *out = NULL;
    assert(options->max_parked > 0);
    if (!bus_host(options->address, host, e)) return err_wrap(e, "bus");
    OWN(bus_server) struct bus_server *s = memory_zeroed(1, sizeof *s);
    bus_signal_init(&s->signal);
    s->max_parked = options->max_parked;
    bus_places_init(&s->places, options->max_connections, options->max_connections_per_address);
    LIST_INIT(&s->peers);
    LIST_INIT(&s->leaving);
    TAILQ_INIT(&s->ready);
    TAILQ_INIT(&s->waiting);
    bus_must(nng_aio_alloc(&s->accepting, accepted, s));
    bus_must(nng_aio_alloc(&s->reaping, reap, s));
    OWN(bus_tls) nng_tls_config *tls = NULL;
    if (options->certificate != NULL && !bus_tls_server(&tls, options->certificate, e))
        return err_wrap(e, "bus");
    if (!listen_on(s, host, options->port, tls, e)) return false;
    nng_stream_listener_accept(s->listener, s->accepting);
    s->reaped_ms = clock_monotonic_ms();
    nng_sleep_aio(REAP_EVERY_MS, s->reaping);
    *out = TAKE(s);
    return true;
}

int bus_server_port(const struct bus_server *s) {
    return s->port;
}

/* The first ready request whose sender is still there; lock held. */
static struct bus_request *take_ready(struct bus_server *s) {
    for (struct bus_request *r; (r = TAILQ_FIRST(&s->ready)) != NULL; lock(s)) {
        TAILQ_REMOVE(&s->ready, r, next);
        assert(s->ready_count > 0 && s->ready_bytes >= r->length);
        s->ready_count--;
        s->ready_bytes -= r->length;
        if (!bus_link_is_closed(r->peer->link)) {
            s->parked++;
            return r;
        }
        free_request_unlock(r);
        admit(s); /* whoever waited for its place */
    }
    return NULL;
}

struct bus_request *bus_server_next(struct bus_server *s, int64_t timeout_ms) {
    int64_t deadline = bus_deadline(timeout_ms);
    struct bus_request *r = NULL;
    lock(s);
    s->inside++;
    while (!s->stopped && (r = take_ready(s)) == NULL && bus_signal_wait(&s->signal, deadline)) {
    }
    unlock(s);
    admit(s); /* fewer bytes are ready now */
    lock(s);
    assert(s->inside > 0);
    s->inside--;
    if (s->stopped) pthread_cond_broadcast(&s->signal.changed);
    unlock(s);
    return r;
}

size_t bus_server_parked(const struct bus_server *s) {
    pthread_mutex_t *mutex = (pthread_mutex_t *)&s->signal.lock;
    pthread_mutex_lock(mutex);
    size_t parked = s->parked;
    pthread_mutex_unlock(mutex);
    return parked;
}

void bus_server_connections(const struct bus_server *s, struct bus_connections *out) {
    pthread_mutex_t *mutex = (pthread_mutex_t *)&s->signal.lock;
    pthread_mutex_lock(mutex);
    *out = s->places.counts;
    pthread_mutex_unlock(mutex);
}

const void *bus_request_bytes(const struct bus_request *r, size_t *length) {
    assert(r->ids_size > 0 && r->ids_size <= r->length);
    *length = r->length - r->ids_size;
    return r->message + r->ids_size;
}

void bus_request_drop_bytes(struct bus_request *r) {
    r->message = memory_resize(r->message, r->ids_size, 1);
    r->length = r->ids_size;
}

const char *bus_request_address(const struct bus_request *r) {
    return r->peer->address;
}

void bus_discard(struct bus_request *r) {
    struct bus_server *s = r->peer->server;
    lock(s);
    assert(s->parked > 0);
    s->parked--;
    free_request_unlock(r);
    admit(s);
}

void bus_reply(struct bus_request *r, const void *bytes, size_t length) {
    struct bus_server *s = r->peer->server;
    if (length > BUS_MESSAGE_MAX_BYTES) {
        log_error("bus.answer_too_large", "address=%s bytes=%zu", r->peer->address, length);
    } else {
        lock(s);
        s->unsent++;
        unlock(s);
        struct bus_frame *frame = bus_frame_new(r->message, r->ids_size, bytes, length);
        if (!bus_link_send(r->peer->link, frame)) peer_sent(r->peer);
    }
    bus_discard(r);
}

void bus_server_stop(struct bus_server *s) {
    lock(s);
    s->stopped = true;
    pthread_cond_broadcast(&s->signal.changed);
    unlock(s);
}

/* Waits for threads to leave and for answers to go out, then stops accepting. */
static void settle(struct bus_server *s) {
    bus_server_stop(s);
    int64_t deadline = bus_deadline(FLUSH_TIMEOUT_MS);
    lock(s);
    while (s->inside > 0) bus_signal_wait(&s->signal, INT64_MAX);
    while (s->unsent > 0 && bus_signal_wait(&s->signal, deadline)) {
    }
    assert(s->parked == 0);
    s->closing = true;
    unlock(s);
    nng_aio_stop(s->reaping);
    if (s->listener != NULL) nng_stream_listener_close(s->listener);
    nng_aio_wait(s->accepting); /* the closed listener ends it; see bus_tls.h on cancelling */
}

/* The next connection that was not told to close yet, now among those leaving; to be released. */
static struct bus_link *next_to_close(struct bus_server *s) {
    lock(s);
    struct peer *p = LIST_FIRST(&s->peers);
    struct bus_link *link = p != NULL ? bus_link_retain(p->link) : NULL;
    if (p != NULL) {
        LIST_REMOVE(p, next);
        LIST_INSERT_HEAD(&s->leaving, p, next);
    }
    unlock(s);
    return link;
}

static void drop_requests(struct bus_server *s, struct requests *list) {
    lock(s);
    for (struct bus_request *r; (r = TAILQ_FIRST(list)) != NULL; lock(s)) {
        TAILQ_REMOVE(list, r, next);
        free_request_unlock(r);
    }
    unlock(s);
}

void bus_server_close(struct bus_server *s) {
    if (s == NULL) return;
    settle(s);
    for (struct bus_link *link; (link = next_to_close(s)) != NULL;) {
        bus_link_close(link);
        bus_link_release(link);
    }
    drop_requests(s, &s->ready);
    drop_requests(s, &s->waiting);
    lock(s);
    while (!LIST_EMPTY(&s->leaving)) bus_signal_wait(&s->signal, INT64_MAX);
    unlock(s);
    assert(TAILQ_EMPTY(&s->ready) && TAILQ_EMPTY(&s->waiting) && LIST_EMPTY(&s->peers));
    nng_stream_listener_free(s->listener);
    nng_aio_free(s->accepting);
    nng_aio_free(s->reaping);
    bus_places_fini(&s->places);
    bus_signal_fini(&s->signal);
    free(s);
}
