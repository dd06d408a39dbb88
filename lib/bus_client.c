#include "lib/bus_dial.h"
#include "lib/bus_internal.h"
#include "lib/clock.h"
#include "lib/text.h"

#include <assert.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdatomic.h>
#include <string.h>

#define SILENCE_MS 5000 /* a request unanswered for so long on a silent connection: a dead one */
#define CALL_TICKET UINT64_MAX

/*   bus_client_send         on the wire            answer, failure           bus_client_next
 * IDLE -----------> SENDING -----------> WAITING ---------------> DONE ------------------> IDLE */
enum call_state { CALL_IDLE, CALL_SENDING, CALL_WAITING, CALL_DONE };

/* A context of NNG with the request it carries; used again for request after request. */
struct call {
    struct bus_client *client;
    nng_ctx context;
    nng_aio *aio;
    struct call *next;      /* all: owner thread */
    struct call *next_idle; /* owner thread */
    uint64_t ticket;
    uint64_t era; /* of the client when it was sent: an older one was cancelled */
    int64_t deadline_ms;
    /* guarded by the client's lock */
    enum call_state state;
    int64_t sent_at_ms; /* 0 while no connection took it */
    int result;         /* of NNG, once DONE */
    nng_msg *answer;
    struct call *next_done;
};

struct bus_client {
    nng_socket socket;
    atomic_bool connected;
    struct bus_dial dial; /* owner thread, like the lists of calls */
    struct call *all, *idle;
    struct bus_signal signal; /* guards everything below */
    struct call *done_first, *done_last;
    uint64_t era;
    bool woken, closing;
    nng_pipe pipe;       /* the newest connection, up or about to be */
    int64_t heard_at_ms; /* the last answer */
};

/* NNG tells of the end of connections that never came about, too, and may do so before it tells
 * that they came: only the connection announced last counts. On a thread of NNG. */
static void connection_changed(nng_pipe pipe, nng_pipe_ev event, void *argument) {
    struct bus_client *c = argument;
    pthread_mutex_lock(&c->signal.lock);
    if (event == NNG_PIPE_EV_ADD_PRE)
        c->pipe = pipe;
    else if (pipe.id == c->pipe.id)
        atomic_store(&c->connected, event == NNG_PIPE_EV_ADD_POST);
    if (event == NNG_PIPE_EV_REM_POST && pipe.id == c->pipe.id)
        c->pipe = (nng_pipe)NNG_PIPE_INITIALIZER;
    pthread_cond_signal(&c->signal.changed);
    pthread_mutex_unlock(&c->signal.lock);
}

bool bus_client_connected(const struct bus_client *c) {
    return atomic_load(&c->connected);
}

bool bus_client_open(struct bus_client **out, const char *host, int port, struct err *e) {
    OWN(bus_client) struct bus_client *c = memory_zeroed(1, sizeof *c);
    *out = NULL;
    bus_signal_init(&c->signal);
    bus_must(nng_req0_open(&c->socket));
    bus_must(nng_socket_set_size(c->socket, NNG_OPT_RECVMAXSZ, BUS_RECEIVE_MAX_BYTES));
    /* Otherwise a parked request would be sent again every minute. */
    bus_must(nng_socket_set_ms(c->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE));
    for (nng_pipe_ev event = NNG_PIPE_EV_ADD_PRE; event < NNG_PIPE_EV_NUM; event++)
        bus_must(nng_pipe_notify(c->socket, event, connection_changed, c));
    if (!bus_dial_start(&c->dial, c->socket, host, port, e)) return err_wrap(e, "bus");
    *out = TAKE(c);
    return true;
}

/* Returns the time to call it again. */
static int64_t tend_dial(struct bus_client *c) {
    return bus_dial_tend(&c->dial, bus_client_connected(c), clock_monotonic_ms());
}

/* Puts the call among those done; lock held. */
static void finish(struct call *call, int result, nng_msg *answer) {
    struct bus_client *c = call->client;
    call->state = CALL_DONE;
    call->result = result;
    call->answer = answer;
    call->next_done = NULL;
    if (c->done_last != NULL)
        c->done_last->next_done = call;
    else
        c->done_first = call;
    c->done_last = call;
    pthread_cond_signal(&c->signal.changed);
}

static int32_t time_left_ms(const struct call *call) {
    int64_t left = call->deadline_ms - clock_monotonic_ms();
    return left < 1 ? 1 : left > INT32_MAX ? INT32_MAX : (int32_t)left;
}

/* The request left, or did not; true when its answer is to be waited for. Lock held. */
static bool sent(struct call *call, int result) {
    struct bus_client *c = call->client;
    if (result != 0 || call->era != c->era || c->closing) {
        finish(call, result != 0 ? result : NNG_ECANCELED, NULL);
        return false;
    }
    call->state = CALL_WAITING;
    call->sent_at_ms = clock_monotonic_ms();
    return true;
}

/* On a thread of NNG. */
static void completed(void *argument) {
    struct call *call = argument;
    struct bus_client *c = call->client;
    int result = nng_aio_result(call->aio);
    nng_msg *message = nng_aio_get_msg(call->aio); /* the answer, or a request that did not leave */
    bool go_on = false;
    nng_aio_set_msg(call->aio, NULL);
    pthread_mutex_lock(&c->signal.lock);
    if (call->state == CALL_SENDING) {
        go_on = sent(call, result);
    } else {
        assert(call->state == CALL_WAITING);
        if (result == 0) c->heard_at_ms = clock_monotonic_ms();
        finish(call, result, result == 0 ? message : NULL);
        if (result == 0) message = NULL;
    }
    pthread_mutex_unlock(&c->signal.lock);
    nng_msg_free(message);
    if (!go_on) return;
    nng_aio_set_timeout(call->aio, time_left_ms(call));
    nng_ctx_recv(call->context, call->aio);
}

static struct call *idle_call(struct bus_client *c) {
    struct call *call = c->idle;
    if (call != NULL) {
        c->idle = call->next_idle;
        return call;
    }
    call = memory_zeroed(1, sizeof *call);
    call->client = c;
    bus_must(nng_ctx_open(&call->context, c->socket));
    bus_must(nng_aio_alloc(&call->aio, completed, call));
    call->next = c->all;
    c->all = call;
    return call;
}

void bus_client_send(struct bus_client *c, uint64_t ticket, const void *bytes, size_t length,
                     int64_t timeout_ms) {
    nng_msg *request;
    struct call *call = idle_call(c);
    bool too_large = length > BUS_MESSAGE_MAX_BYTES;
    tend_dial(c);
    call->ticket = ticket;
    call->deadline_ms = bus_deadline(timeout_ms);
    pthread_mutex_lock(&c->signal.lock);
    call->state = CALL_SENDING;
    call->sent_at_ms = 0;
    call->era = c->era;
    if (too_large) finish(call, NNG_EMSGSIZE, NULL);
    pthread_mutex_unlock(&c->signal.lock);
    if (too_large) return;
    bus_must(nng_msg_alloc(&request, 0));
    bus_must(nng_msg_append(request, bytes, length));
    nng_aio_set_msg(call->aio, request);
    nng_aio_set_timeout(call->aio, time_left_ms(call));
    nng_ctx_send(call->context, call->aio);
}

void bus_client_cancel(struct bus_client *c) {
    pthread_mutex_lock(&c->signal.lock);
    c->era++;
    pthread_mutex_unlock(&c->signal.lock);
    for (struct call *call = c->all; call != NULL; call = call->next) nng_aio_cancel(call->aio);
}

/* A dead path loses packets in silence, for a quarter of an hour before TCP gives up: when a
 * request got no answer and nothing else came either, the connection is dropped and dialled anew.
 */
static void drop_silent_connection(struct bus_client *c, const struct call *call) {
    if (call->result != NNG_ETIMEDOUT || call->sent_at_ms == 0) return;
    pthread_mutex_lock(&c->signal.lock);
    bool silent =
        c->heard_at_ms <= call->sent_at_ms && clock_monotonic_ms() - call->sent_at_ms >= SILENCE_MS;
    nng_pipe pipe = c->pipe;
    pthread_mutex_unlock(&c->signal.lock);
    if (silent && bus_client_connected(c)) nng_pipe_close(pipe);
}

/* Turns a finished call into what happened and makes it idle. False for a cancelled one. */
static bool report(struct bus_client *c, struct call *call, struct bus_arrival *out) {
    bool wanted = call->era == c->era;
    nng_msg *answer = call->answer;
    if (wanted) {
        *out = (struct bus_arrival){.event = BUS_FAILED, .ticket = call->ticket};
        drop_silent_connection(c, call);
    }
    if (wanted && answer != NULL) {
        out->event = BUS_REPLY;
        out->length = nng_msg_len(answer);
        out->bytes = memory_zeroed(out->length + 1, 1); /* a NUL behind, for readers of text */
        memcpy(out->bytes, nng_msg_body(answer), out->length);
    }
    nng_msg_free(answer);
    call->answer = NULL;
    call->state = CALL_IDLE;
    call->next_idle = c->idle;
    c->idle = call;
    return wanted;
}

/* The next finished call, or NULL with *woken or when the deadline passed. */
static struct call *wait_for_call(struct bus_client *c, int64_t deadline_ms, bool *woken) {
    for (;;) {
        int64_t tend_at = tend_dial(c);
        pthread_mutex_lock(&c->signal.lock);
        bool in_time = true;
        if (!c->woken && c->done_first == NULL)
            in_time = bus_signal_wait(&c->signal, tend_at < deadline_ms ? tend_at : deadline_ms);
        *woken = c->woken;
        c->woken = false;
        struct call *call = *woken ? NULL : c->done_first;
        if (call != NULL) c->done_first = call->next_done;
        if (c->done_first == NULL) c->done_last = NULL;
        pthread_mutex_unlock(&c->signal.lock);
        if (*woken || call != NULL) return call;
        if (!in_time && clock_monotonic_ms() >= deadline_ms) return NULL;
    }
}

/* As bus_client_next; *result is NNG's for a call that failed, *left whether it was sent. */
static void next_arrival(struct bus_client *c, int64_t timeout_ms, struct bus_arrival *out,
                         int *result, bool *left) {
    int64_t deadline = bus_deadline(timeout_ms);
    for (;;) {
        bool woken;
        struct call *call = wait_for_call(c, deadline, &woken);
        if (call == NULL) {
            *out = (struct bus_arrival){.event = woken ? BUS_WOKEN : BUS_IDLE};
            return;
        }
        *result = call->result;
        *left = call->sent_at_ms != 0;
        if (report(c, call, out)) return;
    }
}

void bus_client_next(struct bus_client *c, int64_t timeout_ms, struct bus_arrival *out) {
    int result;
    bool left;
    next_arrival(c, timeout_ms, out, &result, &left);
}

void bus_client_wake(struct bus_client *c) {
    pthread_mutex_lock(&c->signal.lock);
    c->woken = true;
    pthread_cond_signal(&c->signal.changed);
    pthread_mutex_unlock(&c->signal.lock);
}

static bool call_failed(const struct bus_client *c, int result, bool left, int64_t timeout_ms,
                        struct err *e) {
    char place[BUS_URL_SIZE];
    bus_url(place, "tcp", c->dial.host, c->dial.port);
    const char *server = place + strlen("tcp://");
    if (result == NNG_EMSGSIZE)
        return err_set(e, ERR_TOO_LARGE, "a bus message may have at most %d bytes",
                       BUS_MESSAGE_MAX_BYTES);
    if (result == NNG_ETIMEDOUT && left)
        return err_set(e, ERR_TIMEOUT, "%s did not answer within %lld ms", server,
                       (long long)timeout_ms);
    if (result != NNG_ETIMEDOUT)
        return err_set(e, ERR_UNREACHABLE, "the connection to %s was lost", server);
    err_set(e, ERR_UNREACHABLE, "%s cannot be reached", server);
    return err_hint(e, "is the master running there, and is TCP port %d open to it?", c->dial.port);
}

bool bus_call(struct bus_client *c, const void *bytes, size_t length, int64_t timeout_ms,
              void **answer, size_t *answer_length, struct err *e) {
    struct bus_arrival arrival;
    int result = 0;
    bool left = false;
    *answer = NULL;
    *answer_length = 0;
    bus_client_send(c, CALL_TICKET, bytes, length, timeout_ms);
    do {
        next_arrival(c, -1, &arrival, &result, &left);
        if (arrival.ticket != CALL_TICKET) free(arrival.bytes);
    } while (arrival.event != BUS_WOKEN && arrival.ticket != CALL_TICKET);
    if (arrival.event == BUS_WOKEN) {
        bus_client_cancel(c);
        return err_set(e, ERR_UNAVAILABLE, "the call to %s was given up", c->dial.host);
    }
    if (arrival.event == BUS_FAILED) return call_failed(c, result, left, timeout_ms, e);
    *answer = arrival.bytes;
    *answer_length = arrival.length;
    return true;
}

void bus_client_close(struct bus_client *c) {
    if (c == NULL) return;
    pthread_mutex_lock(&c->signal.lock);
    c->closing = true;
    pthread_mutex_unlock(&c->signal.lock);
    for (struct call *call = c->all; call != NULL; call = call->next) nng_aio_stop(call->aio);
    for (struct call *call = c->all; call != NULL; call = call->next) nng_ctx_close(call->context);
    nng_close(c->socket);
    for (struct call *call = c->all, *next; call != NULL; call = next) {
        next = call->next;
        nng_msg_free(call->answer);
        nng_aio_free(call->aio);
        free(call);
    }
    bus_signal_fini(&c->signal);
    free(c);
}
