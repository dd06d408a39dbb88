#include "lib/bus_link.h"

#include "lib/clock.h"
#include "lib/text.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/queue.h>

#define GREETING_SIZE 8
#define LENGTH_SIZE 8
#define FRAME_TIMEOUT_MS 30000 /* for a frame that has begun to come */

struct bus_frame {
    STAILQ_ENTRY(bus_frame) next;
    size_t length;
    unsigned char bytes[];
};

enum receiving { RECEIVING_GREETING, RECEIVING_LENGTH, RECEIVING_MESSAGE };

/* One direction of the stream. */
struct transfer {
    nng_aio *aio;
    bool active; /* from handing the aio to NNG until its callback judged the result */
    unsigned char *bytes;
    size_t wanted, done;
    int64_t deadline_ms; /* INT64_MAX for none */
};

struct bus_link {
    nng_stream *stream;
    const struct bus_link_kind *kind;
    void *owner;
    atomic_size_t references;
    pthread_mutex_t lock; /* guards everything below */
    struct transfer in, out;
    enum receiving receiving;
    unsigned char greeting_in[GREETING_SIZE], greeting_out[GREETING_SIZE], length[LENGTH_SIZE];
    unsigned char *message;
    struct bus_frame *sending; /* NULL while the greeting is on its way */
    int64_t quiet_since_ms;    /* the last message, or the greeting, was complete then */
    int failure;               /* an NNG error that ended it; 0 while there is none */
    STAILQ_HEAD(frames, bus_frame) unsent;
    size_t unsent_bytes;
    unsigned telling; /* events that the owner is being told */
    bool closed, finished;
};

static void in_completed(void *argument);
static void out_completed(void *argument);

static void write_greeting(unsigned char out[GREETING_SIZE], int protocol) {
    const unsigned char greeting[GREETING_SIZE] = {[1] = 'S', 'P', [5] = (unsigned char)protocol};
    memcpy(out, greeting, GREETING_SIZE);
}

struct bus_link *bus_link_new(nng_stream *stream, const struct bus_link_kind *kind, void *owner) {
    struct bus_link *l = memory_zeroed(1, sizeof *l);
    l->stream = stream;
    l->kind = kind;
    l->owner = owner;
    atomic_init(&l->references, 2); /* the caller's, and the one that ends with the closed event */
    pthread_mutex_init(&l->lock, NULL);
    STAILQ_INIT(&l->unsent);
    write_greeting(l->greeting_out, kind->protocol);
    bus_must(nng_aio_alloc(&l->in.aio, in_completed, l));
    bus_must(nng_aio_alloc(&l->out.aio, out_completed, l));
    nng_aio_set_timeout(l->in.aio, NNG_DURATION_INFINITE);
    nng_aio_set_timeout(l->out.aio, NNG_DURATION_INFINITE);
    nng_stream_set_bool(stream, NNG_OPT_TCP_NODELAY, true);
    nng_stream_set_bool(stream, NNG_OPT_TCP_KEEPALIVE, true);
    return l;
}

struct bus_link *bus_link_retain(struct bus_link *l) {
    size_t before = atomic_fetch_add(&l->references, 1);
    assert(before > 0);
    return l;
}

void bus_link_release(struct bus_link *l) {
    size_t before = atomic_fetch_sub(&l->references, 1);
    assert(before > 0);
    if (before > 1) return;
    assert(l->finished && l->telling == 0 && !l->in.active && !l->out.active);
    assert(STAILQ_EMPTY(&l->unsent) && l->sending == NULL);
    nng_stream_free(l->stream);
    nng_aio_reap(l->in.aio); /* this may be the callback of one of them */
    nng_aio_reap(l->out.aio);
    pthread_mutex_destroy(&l->lock);
    free(l->message);
    free(l);
}

struct bus_frame *bus_frame_new(const void *id, size_t id_length, const void *payload,
                                size_t payload_length) {
    uint64_t length = id_length + payload_length;
    struct bus_frame *f = memory_resize(NULL, sizeof *f + LENGTH_SIZE + length, 1);
    f->length = LENGTH_SIZE + length;
    for (int i = 0; i < LENGTH_SIZE; i++)
        f->bytes[i] = (unsigned char)(length >> (8 * (LENGTH_SIZE - 1 - i)));
    memcpy(f->bytes + LENGTH_SIZE, id, id_length);
    if (payload_length > 0) memcpy(f->bytes + LENGTH_SIZE + id_length, payload, payload_length);
    return f;
}

void bus_frame_free(struct bus_frame *f) {
    free(f);
}

static bool is_over(const struct bus_link *l) {
    return l->closed && !l->in.active && !l->out.active && l->telling == 0 && !l->finished;
}

/* Drops what was not sent, tells of it and of the end. Once in the life of a link. */
static void finish(struct bus_link *l) {
    assert(l->closed && l->finished);
    if (l->sending != NULL) STAILQ_INSERT_HEAD(&l->unsent, l->sending, next);
    l->sending = NULL;
    for (struct bus_frame *frame; (frame = STAILQ_FIRST(&l->unsent)) != NULL;) {
        STAILQ_REMOVE_HEAD(&l->unsent, next);
        free(frame);
        l->kind->sent(l->owner);
    }
    l->kind->closed(l->owner);
    bus_link_release(l);
}

/* Unlocks, and finishes the link when nothing is under way any more. The caller has a reference. */
static void settle_unlock(struct bus_link *l) {
    bool over = is_over(l);
    if (over) l->finished = true;
    pthread_mutex_unlock(&l->lock);
    if (over) finish(l);
}

static bool between_messages(const struct bus_link *l) {
    return l->receiving == RECEIVING_LENGTH && l->in.done == 0;
}

/* NNG's TLS keeps to itself that the connection failed while nobody was reading: who reads then
 * would wait for ever. */
static bool has_lost_its_peer(const struct bus_link *l) {
    nng_sockaddr peer;
    return nng_stream_get_addr(l->stream, NNG_OPT_REMADDR, &peer) != 0;
}

bool bus_link_is_late(struct bus_link *l, int64_t now_ms, int64_t idle_ms) {
    pthread_mutex_lock(&l->lock);
    bool late = l->out.active && now_ms >= l->out.deadline_ms;
    if (l->in.active && between_messages(l))
        late = late || (idle_ms >= 0 && now_ms - l->quiet_since_ms >= idle_ms);
    else if (l->in.active)
        late = late || now_ms >= l->in.deadline_ms;
    late = !l->closed && (late || has_lost_its_peer(l));
    pthread_mutex_unlock(&l->lock);
    return late;
}

int bus_link_failure(struct bus_link *l) {
    pthread_mutex_lock(&l->lock);
    int failure = l->failure;
    pthread_mutex_unlock(&l->lock);
    return failure;
}

bool bus_link_is_closed(struct bus_link *l) {
    pthread_mutex_lock(&l->lock);
    bool closed = l->closed;
    pthread_mutex_unlock(&l->lock);
    return closed;
}

/* Closes, or settles what was closed before; lock held on entry, released on return. The caller has
 * a reference. */
static void close_unlock(struct bus_link *l) {
    bool first = !l->closed;
    l->closed = true;
    pthread_mutex_unlock(&l->lock);
    if (first) {
        nng_stream_close(l->stream);
        nng_aio_cancel(l->in.aio);
        nng_aio_cancel(l->out.aio);
    }
    pthread_mutex_lock(&l->lock);
    settle_unlock(l);
}

void bus_link_close(struct bus_link *l) {
    bus_link_retain(l);
    pthread_mutex_lock(&l->lock);
    close_unlock(l);
    bus_link_release(l);
}

/* Closes for a reason, unless that has happened; lock held on entry, released on return. Nobody
 * gets the lock in between, to send over what has failed. */
static void fail_unlock(struct bus_link *l, int failure) {
    if (!l->closed && l->failure == 0) l->failure = failure;
    close_unlock(l);
}

/* Unlocks and hands the rest of a transfer to NNG. What is handed over after the stream was closed
 * would never end, so whoever closes and whoever hands over both look after it: TCP streams end it
 * when it is cancelled, TLS streams only when they are closed once more. Nor does a deadline of NNG
 * end it: in TLS that takes the whole connection along, or does nothing. bus_link_is_late is for
 * that. */
static void transfer_unlock(struct bus_link *l, struct transfer *t,
                            void (*start)(nng_stream *, nng_aio *)) {
    if (l->closed) {
        settle_unlock(l);
        return;
    }
    assert(!t->active && t->done < t->wanted);
    nng_iov rest = {.iov_buf = t->bytes + t->done, .iov_len = t->wanted - t->done};
    t->active = true;
    bus_must(nng_aio_set_iov(t->aio, 1, &rest));
    pthread_mutex_unlock(&l->lock);
    start(l->stream, t->aio);
    if (!bus_link_is_closed(l)) return;
    nng_stream_close(l->stream);
    nng_aio_cancel(t->aio);
}

/* Makes the next size bytes of the stream go to bytes; lock held. */
static void expect(struct bus_link *l, enum receiving what, unsigned char *bytes, size_t size,
                   int timeout_ms) {
    assert(!l->in.active);
    l->receiving = what;
    l->in.bytes = bytes;
    l->in.wanted = size;
    l->in.done = 0;
    l->in.deadline_ms = clock_monotonic_ms() + timeout_ms;
}

static void receive_unlock(struct bus_link *l) {
    transfer_unlock(l, &l->in, nng_stream_recv);
}

/* Writes length bytes; lock held on entry, released on return. */
static void send_unlock(struct bus_link *l, unsigned char *bytes, size_t length) {
    assert(!l->out.active);
    l->out.bytes = bytes;
    l->out.wanted = length;
    l->out.done = 0;
    l->out.deadline_ms = bus_deadline(l->kind->send_timeout_ms);
    transfer_unlock(l, &l->out, nng_stream_send);
}

static void send_next_unlock(struct bus_link *l) {
    assert(l->sending == NULL);
    struct bus_frame *frame = STAILQ_FIRST(&l->unsent);
    if (frame == NULL) {
        settle_unlock(l);
        return;
    }
    STAILQ_REMOVE_HEAD(&l->unsent, next);
    assert(l->unsent_bytes >= frame->length);
    l->unsent_bytes -= frame->length;
    l->sending = frame;
    send_unlock(l, frame->bytes, frame->length);
}

void bus_link_start(struct bus_link *l) {
    pthread_mutex_lock(&l->lock);
    expect(l, RECEIVING_GREETING, l->greeting_in, GREETING_SIZE, l->kind->greeting_timeout_ms);
    l->telling++; /* keeps the link from ending between the two */
    send_unlock(l, l->greeting_out, GREETING_SIZE);
    pthread_mutex_lock(&l->lock);
    l->telling--;
    receive_unlock(l);
}

bool bus_link_send(struct bus_link *l, struct bus_frame *f) {
    pthread_mutex_lock(&l->lock);
    bool closed = l->closed;
    bool stuck = l->unsent_bytes > l->kind->unsent_max_bytes;
    if (closed || stuck) {
        pthread_mutex_unlock(&l->lock);
        free(f);
        if (!closed) bus_link_close(l);
        return false;
    }
    STAILQ_INSERT_TAIL(&l->unsent, f, next);
    l->unsent_bytes += f->length;
    if (l->out.active)
        pthread_mutex_unlock(&l->lock);
    else
        send_next_unlock(l);
    return true;
}

void bus_link_receive(struct bus_link *l) {
    pthread_mutex_lock(&l->lock);
    assert(!l->in.active && l->message == NULL);
    expect(l, RECEIVING_LENGTH, l->length, LENGTH_SIZE, FRAME_TIMEOUT_MS);
    l->quiet_since_ms = clock_monotonic_ms();
    receive_unlock(l);
}

/* Lets the owner be told of something without the lock: the link does not end meanwhile. */
static void tell_unlock(struct bus_link *l) {
    l->telling++;
    pthread_mutex_unlock(&l->lock);
}

static void told(struct bus_link *l) {
    pthread_mutex_lock(&l->lock);
    assert(l->telling > 0);
    l->telling--;
    settle_unlock(l);
}

static void frame_left_unlock(struct bus_link *l) {
    bool greeting = l->sending == NULL;
    free(l->sending);
    l->sending = NULL;
    l->telling++;
    send_next_unlock(l);
    if (!greeting) l->kind->sent(l->owner);
    told(l);
}

static void out_result(struct bus_link *l) {
    pthread_mutex_lock(&l->lock);
    int result = nng_aio_result(l->out.aio);
    l->out.active = false;
    if (result == 0) l->out.done += nng_aio_count(l->out.aio);
    assert(l->out.done <= l->out.wanted);
    if (result != 0 || l->closed)
        fail_unlock(l, result);
    else if (l->out.done < l->out.wanted)
        transfer_unlock(l, &l->out, nng_stream_send);
    else
        frame_left_unlock(l);
}

/* On a thread of NNG. */
static void out_completed(void *argument) {
    struct bus_link *l = bus_link_retain(argument);
    out_result(l);
    bus_link_release(l);
}

static void greeting_arrived_unlock(struct bus_link *l) {
    unsigned char right[GREETING_SIZE];
    write_greeting(right, l->kind->peer_protocol);
    if (memcmp(l->greeting_in, right, sizeof right) != 0) {
        fail_unlock(l, NNG_EPROTO);
        return;
    }
    tell_unlock(l);
    l->kind->opened(l->owner);
    told(l);
}

static void message_arrived_unlock(struct bus_link *l) {
    unsigned char *message = l->message;
    size_t length = l->in.wanted;
    assert(l->receiving == RECEIVING_MESSAGE && message != NULL);
    l->message = NULL;
    message[length] = '\0';
    tell_unlock(l);
    l->kind->received(l->owner, message, length);
    told(l);
}

static void length_arrived_unlock(struct bus_link *l) {
    uint64_t length = 0;
    for (int i = 0; i < LENGTH_SIZE; i++) length = length << 8 | l->length[i];
    if (length > BUS_RECEIVE_MAX_BYTES) {
        fail_unlock(l, NNG_EMSGSIZE);
        return;
    }
    assert(l->message == NULL);
    l->message = memory_resize(NULL, length + 1, 1);
    expect(l, RECEIVING_MESSAGE, l->message, length, FRAME_TIMEOUT_MS);
    if (length > 0)
        receive_unlock(l);
    else
        message_arrived_unlock(l);
}

static void in_progress_unlock(struct bus_link *l, size_t count) {
    if (between_messages(l)) l->in.deadline_ms = clock_monotonic_ms() + FRAME_TIMEOUT_MS;
    l->in.done += count;
    assert(l->in.done <= l->in.wanted);
    if (l->in.done < l->in.wanted)
        receive_unlock(l);
    else if (l->receiving == RECEIVING_GREETING)
        greeting_arrived_unlock(l);
    else if (l->receiving == RECEIVING_LENGTH)
        length_arrived_unlock(l);
    else
        message_arrived_unlock(l);
}

static void in_result(struct bus_link *l) {
    pthread_mutex_lock(&l->lock);
    int result = nng_aio_result(l->in.aio);
    l->in.active = false;
    if (result != 0 || l->closed)
        fail_unlock(l, result);
    else
        in_progress_unlock(l, nng_aio_count(l->in.aio));
}

/* On a thread of NNG. */
static void in_completed(void *argument) {
    struct bus_link *l = bus_link_retain(argument);
    in_result(l);
    bus_link_release(l);
}
