#include "lib/bus_dial.h"
#include "lib/bus_link.h"
#include "lib/clock.h"
#include "lib/secret.h"
#include "lib/text.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/queue.h>

#define ID_SIZE 4
#define SILENCE_MS 5000 /* a request unanswered for so long on a silent connection: a dead one */
#define GREETING_TIMEOUT_MS 30000 /* thousands may come back to a server at once */
#define GREETING_CHECK_MS 1000    /* how often a connection that is not open yet is looked at */
#define CALL_TICKET UINT64_MAX

/*   bus_client_send       connected        answer, failure, deadline      bus_client_next
 * ----------------> unsent -------> waiting -------------------------> done --------------> freed
 */
struct call {
    TAILQ_ENTRY(call) next;
    uint64_t ticket;
    uint32_t id;
    int64_t deadline_ms;
    int64_t sent_at_ms;      /* 0 while no connection took it */
    struct bus_frame *frame; /* while unsent */
    int result;              /* of NNG, once done */
    unsigned char *message;  /* the answer behind its id, when result is 0 */
    size_t length;
};
TAILQ_HEAD(calls, call);

struct bus_client {
    struct bus_dial dial;
    atomic_bool connected;
    nng_aio *watching;        /* a connection until it is open */
    struct bus_signal signal; /* guards everything below */
    struct bus_link *link;    /* NULL while there is none; one reference */
    bool opened;              /* the link may be used */
    struct calls unsent, waiting, done;
    uint32_t last_id;
    int64_t heard_at_ms; /* the last answer */
    bool heard;          /* over this link */
    unsigned ending;     /* threads of NNG that are telling of a link's end */
    int trouble;         /* why the last link ended before it was open, an NNG error */
    bool watched;
    bool woken, closing;
};

static void lock(struct bus_client *c) {
    pthread_mutex_lock(&c->signal.lock);
}

static void unlock(struct bus_client *c) {
    pthread_mutex_unlock(&c->signal.lock);
}

static void free_calls(struct calls *list) {
    for (struct call *call; (call = TAILQ_FIRST(list)) != NULL;) {
        TAILQ_REMOVE(list, call, next);
        bus_frame_free(call->frame);
        free(call->message);
        free(call);
    }
}

/* Moves a call from its list to those done; lock held. */
static void finish(struct bus_client *c, struct calls *list, struct call *call, int result) {
    TAILQ_REMOVE(list, call, next);
    TAILQ_INSERT_TAIL(&c->done, call, next);
    bus_frame_free(TAKE(call->frame));
    call->result = result;
    pthread_cond_signal(&c->signal.changed);
}

/* Hands the unsent calls to the link, one by one. */
static void send_unsent(struct bus_client *c) {
    for (;;) {
        lock(c);
        struct call *call = c->opened ? TAILQ_FIRST(&c->unsent) : NULL;
        assert(!c->opened || c->link != NULL);
        assert(call == NULL || call->frame != NULL);
        if (call == NULL) {
            unlock(c);
            return;
        }
        TAILQ_REMOVE(&c->unsent, call, next);
        TAILQ_INSERT_TAIL(&c->waiting, call, next);
        call->sent_at_ms = clock_monotonic_ms();
        struct bus_frame *frame = TAKE(call->frame);
        struct bus_link *link = bus_link_retain(c->link);
        unlock(c);
        bus_link_send(link, frame); /* a link that is closing fails its calls */
        bus_link_release(link);
    }
}

/* Sees to the deadline of a greeting, on a thread of NNG. Later a server that is silent is noticed
 * by the calls that it owes an answer. */
static void watch(void *argument) {
    struct bus_client *c = argument;
    bool stopped = nng_aio_result(c->watching) != 0;
    lock(c);
    bool awaited = !stopped && c->link != NULL && !c->opened && !c->closing;
    struct bus_link *link = awaited ? bus_link_retain(c->link) : NULL;
    c->watched = awaited;
    unlock(c);
    if (link == NULL) return;
    if (bus_link_is_late(link, clock_monotonic_ms(), -1)) bus_link_close(link);
    bus_link_release(link);
    nng_sleep_aio(GREETING_CHECK_MS, c->watching);
}

static void link_opened(void *owner) {
    struct bus_client *c = owner;
    lock(c);
    assert(c->link != NULL && !c->opened);
    c->opened = true;
    c->trouble = 0;
    atomic_store(&c->connected, true);
    struct bus_link *link = bus_link_retain(c->link);
    pthread_cond_signal(&c->signal.changed);
    unlock(c);
    send_unsent(c);
    bus_link_receive(link);
    bus_link_release(link);
}

static struct call *find_call(struct bus_client *c, uint32_t id) {
    struct call *call;
    TAILQ_FOREACH(call, &c->waiting, next) {
        if (call->id == id) return call;
    }
    return NULL;
}

static uint32_t read_id(const unsigned char bytes[ID_SIZE]) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void link_received(void *owner, unsigned char *message, size_t length) {
    struct bus_client *c = owner;
    lock(c);
    assert(c->link != NULL && c->opened);
    struct bus_link *link = bus_link_retain(c->link);
    struct call *call = length >= ID_SIZE ? find_call(c, read_id(message)) : NULL;
    c->heard = true; /* the server is alive, whatever it says */
    c->heard_at_ms = clock_monotonic_ms();
    if (call != NULL) {
        call->message = TAKE(message);
        call->length = length - ID_SIZE;
        finish(c, &c->waiting, call, 0);
    }
    unlock(c);
    free(message); /* an answer that came too late, or nonsense */
    if (length >= ID_SIZE)
        bus_link_receive(link);
    else
        bus_link_close(link);
    bus_link_release(link);
}

static void link_sent(void *owner) {
    (void)owner;
}

static void link_closed(void *owner) {
    struct bus_client *c = owner;
    lock(c);
    assert(c->link != NULL);
    struct bus_link *link = TAKE(c->link);
    bool again = !c->closing, heard = c->heard;
    if (!c->opened) c->trouble = bus_link_failure(link);
    c->opened = false;
    c->ending++;
    atomic_store(&c->connected, false);
    for (struct call *call; (call = TAILQ_FIRST(&c->waiting)) != NULL;)
        finish(c, &c->waiting, call, NNG_ECONNRESET);
    unlock(c);
    bus_link_release(link);
    if (again) bus_dial_again(&c->dial, heard);
    lock(c);
    assert(c->ending > 0);
    c->ending--;
    pthread_cond_signal(&c->signal.changed);
    unlock(c); /* when the client is closing, it may be gone from here on */
}

static const struct bus_link_kind link_kind = {
    .protocol = BUS_PROTOCOL_REQUEST,
    .peer_protocol = BUS_PROTOCOL_REPLY,
    .greeting_timeout_ms = GREETING_TIMEOUT_MS,
    .send_timeout_ms = -1, /* a server without room does not read: each call has its own deadline */
    .unsent_max_bytes = SIZE_MAX,
    .opened = link_opened,
    .received = link_received,
    .sent = link_sent,
    .closed = link_closed,
};

static void connected(void *owner, nng_stream *stream) {
    struct bus_client *c = owner;
    struct bus_link *link = bus_link_new(stream, &link_kind, c);
    lock(c);
    bool wanted = !c->closing;
    assert(c->link == NULL && !c->opened); /* it dials again when the one before has ended */
    c->link = bus_link_retain(link);
    c->heard = false;
    bool watched = c->watched;
    c->watched = true;
    unlock(c);
    if (wanted)
        bus_link_start(link);
    else
        bus_link_close(link);
    bus_link_release(link);
    if (!watched) nng_sleep_aio(GREETING_CHECK_MS, c->watching);
}

bool bus_client_open(struct bus_client **out, const char *host, int port,
                     const struct bus_trust *trust, struct err *e) {
    OWN(bus_client) struct bus_client *c = memory_zeroed(1, sizeof *c);
    *out = NULL;
    bus_signal_init(&c->signal);
    TAILQ_INIT(&c->unsent);
    TAILQ_INIT(&c->waiting);
    TAILQ_INIT(&c->done);
    c->last_id = random_below(UINT32_MAX);
    bus_must(nng_aio_alloc(&c->watching, watch, c));
    if (!bus_dial_init(&c->dial, host, port, trust, connected, c, e)) return err_wrap(e, "bus");
    bus_dial_start(&c->dial);
    *out = TAKE(c);
    return true;
}

bool bus_client_connected(const struct bus_client *c) {
    return atomic_load(&c->connected);
}

void bus_client_send(struct bus_client *c, uint64_t ticket, const void *bytes, size_t length,
                     int64_t timeout_ms) {
    struct call *call = memory_zeroed(1, sizeof *call);
    call->ticket = ticket;
    call->deadline_ms = bus_deadline(timeout_ms);
    lock(c);
    call->id = ++c->last_id | 0x80000000; /* the mark of a request's own id */
    uint32_t id = htonl(call->id);
    TAILQ_INSERT_TAIL(&c->unsent, call, next);
    if (length > BUS_MESSAGE_MAX_BYTES)
        finish(c, &c->unsent, call, NNG_EMSGSIZE);
    else
        call->frame = bus_frame_new(&id, sizeof id, bytes, length);
    unlock(c);
    send_unsent(c);
}

void bus_client_cancel(struct bus_client *c) {
    lock(c);
    free_calls(&c->unsent);
    free_calls(&c->waiting);
    free_calls(&c->done);
    unlock(c);
}

/* Fails the calls of a list whose deadline passed; the earliest deadline of the others. Lock held.
 */
static int64_t expire(struct bus_client *c, struct calls *list, int64_t now_ms) {
    int64_t earliest = INT64_MAX;
    for (struct call *call = TAILQ_FIRST(list), *next; call != NULL; call = next) {
        next = TAILQ_NEXT(call, next);
        if (call->deadline_ms <= now_ms)
            finish(c, list, call, NNG_ETIMEDOUT);
        else if (call->deadline_ms < earliest)
            earliest = call->deadline_ms;
    }
    return earliest;
}

/* The next finished call, or NULL when woken or when the deadline passed. */
static struct call *wait_for_call(struct bus_client *c, int64_t deadline_ms, bool *woken) {
    struct call *call = NULL;
    lock(c);
    for (;;) {
        int64_t now = clock_monotonic_ms();
        int64_t unsent = expire(c, &c->unsent, now), waiting = expire(c, &c->waiting, now);
        int64_t earliest = unsent < waiting ? unsent : waiting;
        call = TAILQ_FIRST(&c->done);
        if (c->woken || call != NULL || now >= deadline_ms) break;
        bus_signal_wait(&c->signal, earliest < deadline_ms ? earliest : deadline_ms);
    }
    *woken = c->woken;
    c->woken = false;
    if (*woken) call = NULL;
    if (call != NULL) TAILQ_REMOVE(&c->done, call, next);
    unlock(c);
    return call;
}

/* A dead path loses packets in silence, for a quarter of an hour before TCP gives up: when a
 * request got no answer and nothing else came either, the connection is dropped and dialled anew.
 */
static void drop_silent_connection(struct bus_client *c, const struct call *call) {
    if (call->result != NNG_ETIMEDOUT || call->sent_at_ms == 0) return;
    lock(c);
    bool silent = c->opened && c->heard_at_ms <= call->sent_at_ms &&
                  clock_monotonic_ms() - call->sent_at_ms >= SILENCE_MS;
    struct bus_link *link = silent ? bus_link_retain(c->link) : NULL;
    unlock(c);
    if (link == NULL) return;
    bus_link_close(link);
    bus_link_release(link);
}

/* Waits for the next arrival. The call it came from is the caller's to free, NULL without one. */
static struct call *next_arrival(struct bus_client *c, int64_t timeout_ms,
                                 struct bus_arrival *out) {
    bool woken;
    struct call *call = wait_for_call(c, bus_deadline(timeout_ms), &woken);
    if (call == NULL) {
        *out = (struct bus_arrival){.event = woken ? BUS_WOKEN : BUS_IDLE};
        return NULL;
    }
    *out = (struct bus_arrival){.event = BUS_FAILED, .ticket = call->ticket};
    drop_silent_connection(c, call);
    if (call->result != 0) return call;
    assert(call->message != NULL);
    out->event = BUS_REPLY;
    out->length = call->length;
    out->bytes = TAKE(call->message);
    memmove(out->bytes, (unsigned char *)out->bytes + ID_SIZE, call->length + 1);
    return call;
}

void bus_client_next(struct bus_client *c, int64_t timeout_ms, struct bus_arrival *out) {
    free(next_arrival(c, timeout_ms, out));
}

void bus_client_wake(struct bus_client *c) {
    lock(c);
    c->woken = true;
    pthread_cond_signal(&c->signal.changed);
    unlock(c);
}

/* Somebody listens there, but it is not the bus that this client wants. Certain only over TLS: one
 * without may close a connection because it has too many. */
static bool not_our_bus(const struct bus_client *c, const char *server, int trouble,
                        struct err *e) {
    if (c->dial.tls != NULL && bus_tls_is_distrust(trouble)) {
        err_set(e, ERR_UNTRUSTED, "%s shows no certificate of this grid", server);
        return err_hint(e,
                        "is that the address of the grid's master? If it got another CA, or "
                        "speaks no TLS any more (--insecure), join again with a new join string");
    }
    err_set(e, ERR_UNREACHABLE, "%s closed the connection without a greeting", server);
    return c->dial.tls != NULL
               ? err_hint(e, "is that the port of the bus, and not that of HTTP?")
               : err_hint(e, "does it speak TLS? Then join again with a new join string, which "
                             "has ca=");
}

bool bus_client_trouble(struct bus_client *c, struct err *e) {
    char place[BUS_URL_SIZE];
    bus_url(place, "tcp", c->dial.host, c->dial.port);
    const char *server = place + strlen("tcp://");
    lock(c);
    int trouble = c->trouble;
    unlock(c);
    bool reached = atomic_load(&c->dial.reached);
    if (bus_client_connected(c) || (reached && trouble == 0))
        return err_set(e, ERR_TIMEOUT, "%s does not answer", server);
    if (reached) return not_our_bus(c, server, trouble, e);
    err_set(e, ERR_UNREACHABLE, "%s cannot be reached", server);
    return err_hint(e, "is the master running there, and is TCP port %d open to it?", c->dial.port);
}

static bool call_failed(struct bus_client *c, const struct call *call, int64_t timeout_ms,
                        struct err *e) {
    if (call->result == NNG_EMSGSIZE)
        return err_set(e, ERR_TOO_LARGE, "a bus message may have at most %d bytes",
                       BUS_MESSAGE_MAX_BYTES);
    if (call->result == NNG_ECONNRESET)
        return err_set(e, ERR_UNREACHABLE, "the connection to %s:%d was lost", c->dial.host,
                       c->dial.port);
    if (call->sent_at_ms == 0) return bus_client_trouble(c, e);
    return err_set(e, ERR_TIMEOUT, "%s:%d did not answer within %lld ms", c->dial.host,
                   c->dial.port, (long long)timeout_ms);
}

bool bus_call(struct bus_client *c, const void *bytes, size_t length, int64_t timeout_ms,
              void **answer, size_t *answer_length, struct err *e) {
    struct bus_arrival arrival = {0};
    OWN_MEMORY struct call *call = NULL;
    *answer = NULL;
    *answer_length = 0;
    bus_client_send(c, CALL_TICKET, bytes, length, timeout_ms);
    do {
        free(arrival.bytes);
        free(call);
        call = next_arrival(c, -1, &arrival);
    } while (arrival.event != BUS_WOKEN && arrival.ticket != CALL_TICKET);
    if (arrival.event == BUS_WOKEN) {
        bus_client_cancel(c);
        return err_set(e, ERR_UNAVAILABLE, "the call to %s was given up", c->dial.host);
    }
    if (arrival.event == BUS_FAILED) return call_failed(c, call, timeout_ms, e);
    *answer = arrival.bytes;
    *answer_length = arrival.length;
    return true;
}

/* Ends the link, if there is one, and waits until NNG has told everything. */
static void end_link(struct bus_client *c) {
    lock(c);
    struct bus_link *link = c->link != NULL ? bus_link_retain(c->link) : NULL;
    unlock(c);
    if (link != NULL) {
        bus_link_close(link);
        bus_link_release(link);
    }
    lock(c);
    while (c->link != NULL || c->ending > 0) bus_signal_wait(&c->signal, INT64_MAX);
    unlock(c);
}

void bus_client_close(struct bus_client *c) {
    if (c == NULL) return;
    lock(c);
    c->closing = true;
    unlock(c);
    bus_dial_stop(&c->dial);
    if (c->watching != NULL) nng_aio_stop(c->watching);
    end_link(c);
    nng_aio_free(c->watching);
    bus_dial_fini(&c->dial);
    bus_client_cancel(c);
    bus_signal_fini(&c->signal);
    free(c);
}
