/* The inbox as a whole: its threads, its sessions and its end. */
#include "master/inbox_internal.h"

#include "lib/clock.h"
#include "lib/log.h"

#define HELLO_GRACE_MS 30000 /* a session that never proved itself is forgotten after this */
#define MAX_UNPROVEN 15000   /* a replayed hello costs memory until then */

bool inbox_add_session(struct inbox *i, const struct session *s, const struct wire_hello *hello,
                       struct err *e) {
    pthread_mutex_lock(&i->lock);
    bool room = i->peers.unproven_count < i->options.max_unproven;
    if (room) peers_add(&i->peers, s, hello, i->options.now_ms());
    pthread_mutex_unlock(&i->lock);
    return room ||
           err_set(e, ERR_UNAVAILABLE, "too many agents say hello at once: try again in a moment");
}

void inbox_forget(struct inbox *i, const char *agent_id) {
    struct answer answer;
    char nonce[WIRE_NONCE_HEX_SIZE];
    pthread_mutex_lock(&i->lock);
    struct peer *p = peers_find_live(&i->peers, agent_id);
    bool parked = inbox_take_parked(i, p, &answer);
    if (p != NULL) peers_forget(&i->peers, p);
    peers_forget_unproven_of(&i->peers, agent_id);
    pthread_mutex_unlock(&i->lock);
    if (!parked) return;
    inbox_frame_nonce(answer.session, answer.sequence, nonce);
    inbox_refuse(i, answer.request, "hello_required", nonce, "the session ended");
}

static void take_request(struct inbox *i, struct bus_request *r) {
    struct frame f;
    struct err e;
    size_t length = 0;
    const void *bytes = bus_request_bytes(r, &length);
    if (!frame_parse(bytes, length, &f, &e)) {
        log_debug("inbox.malformed", "address=%s error=%s", bus_request_address(r), e.text);
        bus_discard(r);
    } else if (f.kind == FRAME_SESSION) {
        inbox_take_session_frame(i, r, &f);
    } else {
        inbox_take_greeting(i, r, &f);
    }
}

void *inbox_run(void *inbox) {
    struct inbox *i = inbox;
    for (struct bus_request *r; (r = bus_server_next(i->options.bus, -1)) != NULL;) {
        inbox_wait_for_telling(i);
        take_request(i, r);
    }
    return NULL;
}

void inbox_tick(struct inbox *i, int64_t now_ms) {
    inbox_answer_due(i, now_ms);
    pthread_mutex_lock(&i->lock);
    peers_forget_unproven_before(&i->peers, now_ms - HELLO_GRACE_MS);
    pthread_mutex_unlock(&i->lock);
}

/* Agents that are answered come back at once, find nobody, and say hello to the next master with
 * jitter. */
void inbox_drain(struct inbox *i) {
    inbox_tick(i, INT64_MAX);
}

void inbox_tell_pin(const struct inbox *i, char out[WIRE_PIN_SIZE]) {
    out[0] = '\0';
    if (i->options.certificates != NULL) certificates_http_pin(i->options.certificates, out);
}

void inbox_set_http_port(struct inbox *i, int port) {
    i->http_port = port;
}

struct inbox *inbox_new(const struct inbox_options *options) {
    struct inbox *i = memory_zeroed(1, sizeof *i);
    i->options = *options;
    if (i->options.now_ms == NULL) i->options.now_ms = clock_monotonic_ms;
    if (i->options.max_unproven == 0) i->options.max_unproven = MAX_UNPROVEN;
    pthread_mutex_init(&i->lock, NULL);
    pthread_cond_init(&i->told, NULL);
    random_bytes(i->challenge_key, sizeof i->challenge_key);
    i->failures = rate_limiter_new((struct rate_limit){.per_second = 5.0 / 60, .burst = 5}, 10000);
    return i;
}

void inbox_free(struct inbox *i) {
    if (i == NULL) return;
    peers_fini(&i->peers);
    inbox_free_spent(i);
    rate_limiter_free(i->failures);
    pthread_cond_destroy(&i->told);
    pthread_mutex_destroy(&i->lock);
    secret_wipe(i->challenge_key, sizeof i->challenge_key);
    free(i);
}

size_t inbox_sessions(struct inbox *i) {
    pthread_mutex_lock(&i->lock);
    size_t count = i->peers.count;
    pthread_mutex_unlock(&i->lock);
    return count;
}

size_t inbox_parked(struct inbox *i) {
    pthread_mutex_lock(&i->lock);
    size_t count = i->peers.parked_count;
    pthread_mutex_unlock(&i->lock);
    return count;
}

int64_t inbox_heartbeats(struct inbox *i) {
    return atomic_load(&i->heartbeats);
}
