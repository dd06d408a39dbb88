#include "lib/bus_internal.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/text.h"

#include <arpa/inet.h>
#include <assert.h>
#include <nng/protocol/reqrep0/rep.h>
#include <string.h>

#define RECEIVING_CONTEXTS 64 /* requests that may arrive before the program takes one */
#define SEND_TIMEOUT_MS 10000 /* for an answer to a peer that does not read */
#define FLUSH_TIMEOUT_MS 1000 /* for answers under way when the server closes */

/*            request arrives        bus_server_next        bus_reply
 * RECEIVING ----------------> QUEUED --------------> HELD -----------> SENDING
 *     ^                                               | bus_discard       | sent, or given up
 *     +-----------------------------------------------+-------------------+
 * Any of them goes to ENDED when the server closes. */
enum slot_state { SLOT_RECEIVING, SLOT_QUEUED, SLOT_HELD, SLOT_SENDING, SLOT_ENDED };

/* A context of NNG with what it carries; used again for request after request. */
struct bus_request {
    struct bus_server *server;
    nng_ctx context;
    nng_aio *aio;
    nng_msg *message; /* the request, from QUEUED to HELD */
    char address[BUS_ADDRESS_SIZE];
    enum slot_state state;          /* guarded by the server's lock, like the links */
    struct bus_request *next;       /* all */
    struct bus_request *next_ready; /* those QUEUED */
};

struct bus_server {
    nng_socket socket;
    nng_listener listener;
    int port;
    size_t max_contexts;
    struct bus_signal signal; /* guards everything below */
    struct bus_request *all;
    struct bus_request *ready_first, *ready_last;
    size_t contexts, receiving, parked, sending;
    size_t inside; /* threads in bus_server_next */
    bool stopped, closing;
};

/* The peer's address without its port. False when it is gone already. */
static bool peer_address(nng_msg *message, char out[BUS_ADDRESS_SIZE]) {
    nng_sockaddr address;
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    out[0] = '\0';
    if (nng_pipe_get_addr(nng_msg_get_pipe(message), NNG_OPT_REMADDR, &address) != 0) return false;
    if (address.s_family == NNG_AF_INET)
        inet_ntop(AF_INET, &address.s_in.sa_addr, out, BUS_ADDRESS_SIZE);
    if (address.s_family == NNG_AF_INET6 && memcmp(address.s_in6.sa_addr, mapped, 12) == 0)
        inet_ntop(AF_INET, address.s_in6.sa_addr + 12, out, BUS_ADDRESS_SIZE);
    else if (address.s_family == NNG_AF_INET6)
        inet_ntop(AF_INET6, address.s_in6.sa_addr, out, BUS_ADDRESS_SIZE);
    return out[0] != '\0';
}

/* Lets the slot wait for a request; lock held on entry, released on return. */
static void receive_unlock(struct bus_request *r) {
    struct bus_server *s = r->server;
    bool go_on = !s->closing;
    r->state = go_on ? SLOT_RECEIVING : SLOT_ENDED;
    if (go_on) s->receiving++;
    pthread_mutex_unlock(&s->signal.lock);
    if (!go_on) return;
    nng_aio_set_timeout(r->aio, NNG_DURATION_INFINITE);
    nng_ctx_recv(r->context, r->aio);
}

static void received(struct bus_request *r, int result) {
    struct bus_server *s = r->server;
    nng_msg *message = result == 0 ? nng_aio_get_msg(r->aio) : NULL;
    nng_aio_set_msg(r->aio, NULL);
    bool wanted = message != NULL && peer_address(message, r->address);
    if (message != NULL && !wanted) nng_msg_free(message);
    pthread_mutex_lock(&s->signal.lock);
    s->receiving--;
    if (!wanted) {
        receive_unlock(r);
        return;
    }
    r->state = SLOT_QUEUED;
    r->message = message;
    r->next_ready = NULL;
    if (s->ready_last != NULL)
        s->ready_last->next_ready = r;
    else
        s->ready_first = r;
    s->ready_last = r;
    pthread_cond_signal(&s->signal.changed);
    pthread_mutex_unlock(&s->signal.lock);
}

static void sent(struct bus_request *r, int result) {
    struct bus_server *s = r->server;
    if (result != 0) nng_msg_free(nng_aio_get_msg(r->aio));
    nng_aio_set_msg(r->aio, NULL);
    pthread_mutex_lock(&s->signal.lock);
    s->sending--;
    if (s->stopped && s->sending == 0) pthread_cond_broadcast(&s->signal.changed);
    receive_unlock(r);
}

/* On a thread of NNG. */
static void completed(void *argument) {
    struct bus_request *r = argument;
    int result = nng_aio_result(r->aio);
    pthread_mutex_lock(&r->server->signal.lock);
    enum slot_state state = r->state;
    pthread_mutex_unlock(&r->server->signal.lock);
    assert(state == SLOT_RECEIVING || state == SLOT_SENDING);
    if (state == SLOT_RECEIVING)
        received(r, result);
    else
        sent(r, result);
}

/* Opens one more context, which s->contexts counts already. */
static void open_slot(struct bus_server *s) {
    struct bus_request *r = memory_zeroed(1, sizeof *r);
    r->server = s;
    bus_must(nng_ctx_open(&r->context, s->socket));
    bus_must(nng_aio_alloc(&r->aio, completed, r));
    pthread_mutex_lock(&s->signal.lock);
    r->next = s->all;
    s->all = r;
    receive_unlock(r);
}

static bool listen_on(struct bus_server *s, const char *host, int port, struct err *e) {
    char url[BUS_URL_SIZE];
    bus_url(url, "tcp", host, port);
    const char *place = url + strlen("tcp://");
    int code = nng_listener_create(&s->listener, s->socket, url);
    if (code == 0) {
        bus_must(nng_listener_set_bool(s->listener, NNG_OPT_TCP_NODELAY, true));
        bus_must(nng_listener_set_bool(s->listener, NNG_OPT_TCP_KEEPALIVE, true));
        code = nng_listener_start(s->listener, 0);
    }
    if (code == 0) code = nng_listener_get_int(s->listener, NNG_OPT_TCP_BOUND_PORT, &s->port);
    if (code == 0) return true;
    bus_error(e, code, "the bus cannot listen on %s", place);
    if (code == NNG_EADDRINUSE)
        err_hint(e, "choose another port, or stop what uses this one (ss -ltnp shows it)");
    if (code == NNG_EADDRINVAL) err_hint(e, "name an address of this machine (ip address)");
    return false;
}

bool bus_server_open(struct bus_server **out, const char *address, int port, size_t max_parked,
                     struct err *e) {
    char host[BUS_HOST_SIZE];
    *out = NULL;
    assert(max_parked > 0);
    if (!bus_host(address, host, e)) return err_wrap(e, "bus");
    OWN(bus_server) struct bus_server *s = memory_zeroed(1, sizeof *s);
    bus_signal_init(&s->signal);
    bus_must(nng_rep0_open(&s->socket));
    bus_must(nng_socket_set_size(s->socket, NNG_OPT_RECVMAXSZ, BUS_RECEIVE_MAX_BYTES));
    s->max_contexts = max_parked;
    s->contexts = max_parked < RECEIVING_CONTEXTS ? max_parked : RECEIVING_CONTEXTS;
    for (size_t i = 0; i < s->contexts; i++) open_slot(s);
    if (!listen_on(s, host, port, e)) return false;
    *out = TAKE(s);
    return true;
}

int bus_server_port(const struct bus_server *s) {
    return s->port;
}

static struct bus_request *take_ready(struct bus_server *s) {
    struct bus_request *r = s->ready_first;
    if (r == NULL) return NULL;
    s->ready_first = r->next_ready;
    if (s->ready_first == NULL) s->ready_last = NULL;
    r->state = SLOT_HELD;
    s->parked++;
    return r;
}

struct bus_request *bus_server_next(struct bus_server *s, int64_t timeout_ms) {
    int64_t deadline = bus_deadline(timeout_ms);
    pthread_mutex_lock(&s->signal.lock);
    s->inside++;
    while (!s->stopped && s->ready_first == NULL && bus_signal_wait(&s->signal, deadline)) {
    }
    struct bus_request *r = s->stopped ? NULL : take_ready(s);
    bool grow = r != NULL && s->receiving < RECEIVING_CONTEXTS && s->contexts < s->max_contexts;
    if (grow) s->contexts++;
    pthread_mutex_unlock(&s->signal.lock);
    if (grow) open_slot(s);
    pthread_mutex_lock(&s->signal.lock);
    s->inside--;
    if (s->stopped) pthread_cond_broadcast(&s->signal.changed);
    pthread_mutex_unlock(&s->signal.lock);
    return r;
}

size_t bus_server_parked(const struct bus_server *s) {
    pthread_mutex_t *lock = (pthread_mutex_t *)&s->signal.lock;
    pthread_mutex_lock(lock);
    size_t parked = s->parked;
    pthread_mutex_unlock(lock);
    return parked;
}

const void *bus_request_bytes(const struct bus_request *r, size_t *length) {
    *length = nng_msg_len(r->message);
    return nng_msg_body(r->message);
}

const char *bus_request_address(const struct bus_request *r) {
    return r->address;
}

/* Takes the request from the program; lock held on return. */
static void end_held_lock(struct bus_request *r) {
    struct bus_server *s = r->server;
    nng_msg_free(r->message);
    r->message = NULL;
    pthread_mutex_lock(&s->signal.lock);
    assert(r->state == SLOT_HELD);
    s->parked--;
}

void bus_reply(struct bus_request *r, const void *bytes, size_t length) {
    nng_msg *answer;
    if (length > BUS_MESSAGE_MAX_BYTES) {
        log_error("bus.answer_too_large", "address=%s bytes=%zu", r->address, length);
        bus_discard(r);
        return;
    }
    bus_must(nng_msg_alloc(&answer, 0));
    bus_must(nng_msg_append(answer, bytes, length));
    end_held_lock(r);
    r->state = SLOT_SENDING;
    r->server->sending++;
    pthread_mutex_unlock(&r->server->signal.lock);
    nng_aio_set_msg(r->aio, answer);
    nng_aio_set_timeout(r->aio, SEND_TIMEOUT_MS);
    nng_ctx_send(r->context, r->aio);
}

void bus_discard(struct bus_request *r) {
    end_held_lock(r);
    receive_unlock(r); /* receiving anew makes the context forget whom it owed an answer */
}

void bus_server_stop(struct bus_server *s) {
    pthread_mutex_lock(&s->signal.lock);
    s->stopped = true;
    pthread_cond_broadcast(&s->signal.changed);
    pthread_mutex_unlock(&s->signal.lock);
}

/* Waits for threads to leave and answers to go out, then lets no slot start anything. */
static void settle(struct bus_server *s) {
    bus_server_stop(s);
    int64_t deadline = bus_deadline(FLUSH_TIMEOUT_MS);
    pthread_mutex_lock(&s->signal.lock);
    while (s->inside > 0) bus_signal_wait(&s->signal, INT64_MAX);
    while (s->sending > 0 && bus_signal_wait(&s->signal, deadline)) {
    }
    assert(s->parked == 0);
    s->closing = true;
    pthread_mutex_unlock(&s->signal.lock);
}

void bus_server_close(struct bus_server *s) {
    if (s == NULL) return;
    settle(s);
    for (struct bus_request *r = s->all; r != NULL; r = r->next) nng_aio_stop(r->aio);
    for (struct bus_request *r = s->all; r != NULL; r = r->next) nng_ctx_close(r->context);
    nng_close(s->socket);
    for (struct bus_request *r = s->all, *next; r != NULL; r = next) {
        next = r->next;
        nng_msg_free(r->message);
        nng_aio_free(r->aio);
        free(r);
    }
    bus_signal_fini(&s->signal);
    free(s);
}
