/* What agents are told: their desired state, at once when it changed, else when their heartbeat was
 * parked for the interval. */
#include "master/inbox_internal.h"

#include "lib/clock.h"
#include "lib/log.h"

#include <string.h>

/* What an agent is told, sealed; "" when the session is gone meanwhile. False when a newer edition
 * was sealed before: the agent takes what was sealed last. */
static bool seal_answer(struct inbox *i, const struct answer *to, int64_t edition,
                        const struct text *json, struct text *frame) {
    pthread_mutex_lock(&i->lock);
    struct peer *p = peers_find(&i->peers, to->session);
    bool outdated = p != NULL && edition < p->edition;
    if (p != NULL && !outdated) {
        p->edition = edition;
        session_seal(&p->session, to->sequence, text_value(json), json->length, frame);
    }
    pthread_mutex_unlock(&i->lock);
    return !outdated;
}

/* Looks what the agent should do and seals it as a frame; "" when there is nothing to answer. */
static bool try_answer(struct inbox *i, const struct answer *to, struct text *frame) {
    struct wire_desired desired;
    struct err e;
    OWN_TEXT struct text json = TEXT_EMPTY;
    int64_t edition = 0;
    if (!agents_desired(i->options.agents, to->agent_id, &desired, &edition, &e)) {
        log_warn("inbox.no_desired", "agent=%s error=%s", to->agent_id, e.text);
        return true;
    }
    if (i->options.downloads != NULL)
        downloads_grant(i->options.downloads, to->agent_id, clock_wall_ms(),
                        desired.download_token);
    inbox_tell_pin(i, desired.http_pin);
    json_encode(&wire_desired_schema, &desired, &json);
    secret_wipe(desired.download_token, sizeof desired.download_token);
    json_clear(&wire_desired_schema, &desired);
    return seal_answer(i, to, edition, &json, frame);
}

static void make_answer(struct inbox *i, const struct answer *to, struct text *frame) {
    while (!try_answer(i, to, frame)) {
    }
}

static void send_answer(const struct answer *to, const struct text *frame) {
    if (frame->length > 0)
        bus_reply(to->request, frame->data, frame->length);
    else
        bus_discard(to->request);
}

void inbox_answer(struct inbox *i, const struct answer *to) {
    OWN_TEXT struct text frame = TEXT_EMPTY;
    make_answer(i, to, &frame);
    send_answer(to, &frame);
}

bool inbox_take_parked(struct inbox *i, struct peer *p, struct answer *out) {
    if (p == NULL || p->parked == NULL) return false;
    memcpy(out->session, p->session.id, SESSION_ID_SIZE);
    memcpy(out->agent_id, p->agent_id, sizeof out->agent_id);
    out->sequence = p->parked_sequence;
    out->request = peers_unpark(&i->peers, p);
    return true;
}

static void begin_telling(struct inbox *i) {
    pthread_mutex_lock(&i->lock);
    i->telling++;
    pthread_mutex_unlock(&i->lock);
}

static void end_telling(struct inbox *i) {
    pthread_mutex_lock(&i->lock);
    if (--i->telling == 0) pthread_cond_broadcast(&i->told);
    pthread_mutex_unlock(&i->lock);
}

void inbox_wait_for_telling(struct inbox *i) {
    pthread_mutex_lock(&i->lock);
    while (i->telling > 0) pthread_cond_wait(&i->told, &i->lock);
    pthread_mutex_unlock(&i->lock);
}

/* All answers are made before the first is sent, and the last is sent before a report is taken: who
 * is answered reports at once, and thousands of reports would slow down what the others wait for.
 */
static void answer_all(struct inbox *i, const struct answer *answers, size_t count) {
    OWN_MEMORY struct text *frames = memory_zeroed(count + 1, sizeof *frames);
    begin_telling(i);
    for (size_t n = 0; n < count; n++) make_answer(i, &answers[n], &frames[n]);
    for (size_t n = 0; n < count; n++) {
        send_answer(&answers[n], &frames[n]);
        text_fini(&frames[n]);
    }
    end_telling(i);
}

void inbox_desired_changed(void *inbox, const char *const *agent_ids, size_t count) {
    struct inbox *i = inbox;
    OWN_MEMORY struct answer *answers = memory_zeroed(count, sizeof *answers);
    size_t parked = 0;
    pthread_mutex_lock(&i->lock);
    for (size_t n = 0; n < count; n++)
        parked += inbox_take_parked(i, peers_find_live(&i->peers, agent_ids[n]), &answers[parked]);
    pthread_mutex_unlock(&i->lock);
    answer_all(i, answers, parked);
}

static bool take_due(struct inbox *i, int64_t now_ms, struct answer *out) {
    pthread_mutex_lock(&i->lock);
    struct peer *oldest = i->peers.oldest;
    bool due = oldest != NULL && now_ms - oldest->parked_at_ms >= i->options.interval_ms &&
               inbox_take_parked(i, oldest, out);
    pthread_mutex_unlock(&i->lock);
    return due;
}

void inbox_answer_due(struct inbox *i, int64_t now_ms) {
    struct answer answer;
    while (take_due(i, now_ms, &answer)) inbox_answer(i, &answer);
}
