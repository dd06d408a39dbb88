/* Sessions and parked heartbeats. A hello makes a session; it becomes the agent's live one with its
 * first proven heartbeat, so that a replayed hello cannot push a live agent out. */
#include "master/inbox_internal.h"

#include "lib/clock.h"
#include "lib/encode.h"
#include "lib/log.h"

#include <assert.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <string.h>

#define HELLO_GRACE_MS 30000 /* a session that never proved itself is forgotten after this */
#define MAX_UNPROVEN 15000   /* a replayed hello costs memory until then */

static int by_session(const void *a, const void *b) {
    return memcmp(((const struct peer *)a)->session.id, ((const struct peer *)b)->session.id,
                  SESSION_ID_SIZE);
}

static int by_agent(const void *a, const void *b) {
    return strcmp(((const struct peer *)a)->agent_id, ((const struct peer *)b)->agent_id);
}

static struct peer *find_session(struct inbox *i, const unsigned char id[SESSION_ID_SIZE]) {
    struct peer key;
    memcpy(key.session.id, id, SESSION_ID_SIZE);
    struct peer **node = tfind(&key, &i->sessions, by_session);
    return node != NULL ? *node : NULL;
}

static struct peer *find_live(struct inbox *i, const char *agent_id) {
    struct peer key;
    if (!text_copy(key.agent_id, sizeof key.agent_id, agent_id)) return NULL;
    struct peer **node = tfind(&key, &i->live, by_agent);
    return node != NULL ? *node : NULL;
}

/* Takes a parked request out of its session; the caller owes the answer. */
static struct bus_request *unpark(struct inbox *i, struct peer *p) {
    if (p->parked == NULL) return NULL;
    if (p->previous != NULL)
        p->previous->next = p->next;
    else
        i->oldest = p->next;
    if (p->next != NULL)
        p->next->previous = p->previous;
    else
        i->newest = p->previous;
    p->previous = p->next = NULL;
    i->parked_count--;
    return TAKE(p->parked);
}

/* Parked sessions wait in a list, oldest first, so that the tick looks only at those whose time has
 * come. */
static void park(struct inbox *i, struct peer *p, struct bus_request *r, uint64_t sequence) {
    assert(p->parked == NULL);
    p->parked = r;
    p->parked_sequence = sequence;
    p->parked_at_ms = i->options.now_ms();
    p->previous = i->newest;
    if (i->newest != NULL)
        i->newest->next = p;
    else
        i->oldest = p;
    i->newest = p;
    i->parked_count++;
}

static void leave_unproven(struct inbox *i, const struct peer *p) {
    struct peer **at = &i->unproven;
    while (*at != p) at = &(*at)->older;
    *at = p->older;
    i->unproven_count--;
}

static void forget_peer(struct inbox *i, struct peer *p) {
    struct bus_request *r = unpark(i, p);
    if (r != NULL) bus_discard(r);
    if (!p->live) leave_unproven(i, p);
    tdelete(p, &i->sessions, by_session);
    if (p->live) tdelete(p, &i->live, by_agent);
    i->count--;
    secret_wipe(p, sizeof *p);
    free(p);
}

bool inbox_add_session(struct inbox *i, const struct session *s, const struct wire_hello *hello,
                       struct err *e) {
    struct peer *p = memory_zeroed(1, sizeof *p);
    p->session = *s;
    p->created_ms = i->options.now_ms();
    memcpy(p->agent_id, hello->agent_id, sizeof p->agent_id);
    memcpy(p->instance, hello->instance, sizeof p->instance);
    p->greeting = hello->greeting;
    pthread_mutex_lock(&i->lock);
    bool room = i->unproven_count < i->options.max_unproven;
    if (room) {
        if (tsearch(p, &i->sessions, by_session) == NULL) abort();
        p->older = i->unproven;
        i->unproven = p;
        i->unproven_count++;
        i->count++;
    }
    pthread_mutex_unlock(&i->lock);
    if (room) return true;
    secret_wipe(p, sizeof *p);
    free(p);
    return err_set(e, ERR_UNAVAILABLE, "too many agents say hello at once: try again in a moment");
}

/* The first proven message: from now on this session speaks for the agent, and the one before it is
 * over. */
static void make_live(struct inbox *i, struct peer *p) {
    if (p->live) return;
    struct peer *before = find_live(i, p->agent_id);
    if (before != NULL) forget_peer(i, before);
    leave_unproven(i, p);
    p->live = true;
    if (tsearch(p, &i->live, by_agent) == NULL) abort();
}

struct answer {
    struct bus_request *request;
    unsigned char session[SESSION_ID_SIZE];
    uint64_t sequence;
    char agent_id[WIRE_AGENT_ID_SIZE];
};

/* What an agent is told, sealed; "" when the session is gone meanwhile. False when a newer edition
 * was sealed before: the agent takes what was sealed last. */
static bool seal_answer(struct inbox *i, const struct answer *to, int64_t edition,
                        const struct text *json, struct text *frame) {
    pthread_mutex_lock(&i->lock);
    struct peer *p = find_session(i, to->session);
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

static void answer_desired(struct inbox *i, const struct answer *to) {
    OWN_TEXT struct text frame = TEXT_EMPTY;
    make_answer(i, to, &frame);
    send_answer(to, &frame);
}

/* Under the lock: what answering p's parked request needs. False when nothing is parked. */
static bool take_parked(struct inbox *i, struct peer *p, struct answer *out) {
    if (p == NULL || p->parked == NULL) return false;
    memcpy(out->session, p->session.id, SESSION_ID_SIZE);
    memcpy(out->agent_id, p->agent_id, sizeof out->agent_id);
    out->sequence = p->parked_sequence;
    out->request = unpark(i, p);
    return true;
}

/* Reports that come meanwhile wait until the last answer is out. */
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

static void wait_for_telling(struct inbox *i) {
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
        parked += take_parked(i, find_live(i, agent_ids[n]), &answers[parked]);
    pthread_mutex_unlock(&i->lock);
    answer_all(i, answers, parked);
}

/* A hello that was not followed up must not become the session of whoever gets the id next. */
static void forget_unproven_of(struct inbox *i, const char *agent_id) {
    for (struct peer *p = i->unproven, *older; p != NULL; p = older) {
        older = p->older;
        if (strcmp(p->agent_id, agent_id) == 0) forget_peer(i, p);
    }
}

void inbox_forget(struct inbox *i, const char *agent_id) {
    struct answer answer;
    char nonce[WIRE_NONCE_HEX_SIZE];
    pthread_mutex_lock(&i->lock);
    struct peer *p = find_live(i, agent_id);
    bool parked = take_parked(i, p, &answer);
    if (p != NULL) forget_peer(i, p);
    forget_unproven_of(i, agent_id);
    pthread_mutex_unlock(&i->lock);
    if (!parked) return;
    inbox_frame_nonce(answer.session, answer.sequence, nonce);
    inbox_refuse(i, answer.request, "hello_required", nonce, "the session ended");
}

/* Whom a proven frame is from. */
struct speaker {
    char agent_id[WIRE_AGENT_ID_SIZE];
    char instance[WIRE_INSTANCE_SIZE];
    int64_t greeting;
    bool known; /* the session is; a frame of it may be bad all the same */
    bool began; /* this is the first frame of it: a replayed hello comes to none */
};

static bool prove(struct inbox *i, const struct frame *f, struct speaker *out, struct err *e) {
    pthread_mutex_lock(&i->lock);
    struct peer *p = find_session(i, f->session);
    *out = (struct speaker){.known = p != NULL};
    bool proven = p != NULL && session_open(&p->session, f, e);
    if (proven) {
        out->began = !p->live;
        out->greeting = p->greeting;
        make_live(i, p);
        memcpy(out->agent_id, p->agent_id, sizeof out->agent_id);
        memcpy(out->instance, p->instance, sizeof out->instance);
    }
    pthread_mutex_unlock(&i->lock);
    return proven;
}

static bool known_node_state(const char *state) {
    for (size_t i = 0; i < AGENTS_NODE_STATES; i++)
        if (strcmp(state, agents_node_states[i]) == 0) return true;
    return false;
}

/* Its nodes are named "<agent id>/<number>": a name of another agent's node would stand for that.
 */
static bool check_node(const struct wire_node *n, const char *agent_id, struct err *e) {
    size_t length = strlen(agent_id);
    const char *number = n->id + length + 1;
    if (strncmp(n->id, agent_id, length) != 0 || n->id[length] != '/' || *number == '\0' ||
        number[strspn(number, "0123456789")] != '\0')
        return err_set(e, ERR_DENIED, "agent %s speaks for node %s", agent_id, n->id);
    return known_node_state(n->state) ||
           err_set(e, ERR_INVALID, "node %s: no such state: %s", n->id, n->state);
}

static bool check_speaker(const char *told, const char *agent_id, struct err *e) {
    if (strcmp(told, agent_id) == 0) return true;
    return err_set(e, ERR_DENIED, "agent %s speaks for somebody else", agent_id);
}

static bool check_report(const struct wire_heartbeat *report, const char *agent_id, struct err *e) {
    if (!check_speaker(report->agent_id, agent_id, e)) return false;
    for (size_t i = 0; i < report->nodes_count; i++)
        if (!check_node(&report->nodes[i], agent_id, e)) return false;
    return true;
}

static bool decode_heartbeat(const struct frame *f, const char *agent_id,
                             struct wire_heartbeat *out, struct err *e) {
    if (!json_decode(&wire_heartbeat_schema, f->json, f->json_length, JSON_IGNORE_UNKNOWN, out, e))
        return false;
    if (check_report(out, agent_id, e)) return true;
    json_clear(&wire_heartbeat_schema, out);
    return false;
}

/* Parks the request of f, or hands it back as *answer when there are news for the agent or an older
 * one was parked. */
static void park_or_answer(struct inbox *i, struct bus_request *r, const struct frame *f,
                           const char *agent_id, int64_t generation) {
    struct answer before, now = {.request = NULL};
    bus_request_drop_bytes(r);
    pthread_mutex_lock(&i->lock);
    struct peer *p = find_session(i, f->session);
    bool had_parked = take_parked(i, p, &before);
    if (p != NULL) park(i, p, r, f->sequence);
    pthread_mutex_unlock(&i->lock);
    if (had_parked) answer_desired(i, &before);
    if (p == NULL) {
        bus_discard(r);
        return;
    }
    /* Only now, when a change would find it parked, is it safe to look whether one has come before.
     */
    if (!agents_news(i->options.agents, agent_id, generation)) return;
    pthread_mutex_lock(&i->lock);
    bool still_parked = take_parked(i, find_session(i, f->session), &now);
    pthread_mutex_unlock(&i->lock);
    if (still_parked) answer_desired(i, &now);
}

static void take_goodbye(struct inbox *i, struct bus_request *r, const struct frame *f,
                         const char *agent_id) {
    struct wire_goodbye m;
    struct answer answer = {.request = r, .sequence = f->sequence};
    struct err e = {0};
    if (!json_decode(&wire_goodbye_schema, f->json, f->json_length, JSON_IGNORE_UNKNOWN, &m, &e) ||
        !check_speaker(m.agent_id, agent_id, &e)) {
        inbox_refuse_frame(i, r, f, &e);
        return;
    }
    memcpy(answer.session, f->session, SESSION_ID_SIZE);
    snprintf(answer.agent_id, sizeof answer.agent_id, "%s", agent_id);
    agents_stopped(i->options.agents, agent_id);
    answer_desired(i, &answer);
    inbox_forget(i, agent_id);
}

static void take_heartbeat(struct inbox *i, struct bus_request *r, const struct frame *f,
                           const char *agent_id) {
    struct wire_heartbeat report;
    struct err e = {0};
    if (!decode_heartbeat(f, agent_id, &report, &e)) {
        inbox_refuse_frame(i, r, f, &e);
        return;
    }
    int64_t generation = report.generation;
    bool taken = agents_observe(i->options.agents, &report, bus_request_address(r),
                                i->options.now_ms(), clock_wall_ms(), &e);
    json_clear(&wire_heartbeat_schema, &report);
    atomic_fetch_add(&i->heartbeats, 1);
    if (taken)
        park_or_answer(i, r, f, agent_id, generation);
    else
        inbox_refuse_frame(i, r, f, &e);
}

static bool read_type(const struct frame *f, const char *agent_id, bool *goodbye, struct err *e) {
    struct wire_type m;
    if (!json_decode(&wire_type_schema, f->json, f->json_length, JSON_IGNORE_UNKNOWN, &m, e))
        return false;
    *goodbye = strcmp(m.type, "goodbye") == 0;
    return *goodbye || strcmp(m.type, "heartbeat") == 0 ||
           err_set(e, ERR_DENIED, "agent %s says neither heartbeat nor goodbye", agent_id);
}

static void take_message(struct inbox *i, struct bus_request *r, const struct frame *f,
                         const char *agent_id) {
    struct err e = {0};
    bool goodbye = false;
    if (!read_type(f, agent_id, &goodbye, &e))
        inbox_refuse_frame(i, r, f, &e);
    else if (goodbye)
        take_goodbye(i, r, f, agent_id);
    else
        take_heartbeat(i, r, f, agent_id);
}

static void take_session_frame(struct inbox *i, struct bus_request *r, const struct frame *f) {
    struct speaker from;
    struct err e = {0};
    if (prove(i, f, &from, &e)) {
        if (from.began)
            agents_met(i->options.agents, from.agent_id, from.instance, from.greeting,
                       bus_request_address(r));
        take_message(i, r, f, from.agent_id);
    } else if (!from.known) {
        inbox_require_hello(i, r, f);
    } else {
        log_warn("inbox.unproven", "address=%s error=%s", bus_request_address(r), e.text);
        bus_discard(r);
    }
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
        take_session_frame(i, r, &f);
    } else {
        inbox_take_greeting(i, r, &f);
    }
}

void *inbox_run(void *inbox) {
    struct inbox *i = inbox;
    for (struct bus_request *r; (r = bus_server_next(i->options.bus, -1)) != NULL;) {
        wait_for_telling(i);
        take_request(i, r);
    }
    return NULL;
}

static void forget_unproven(struct inbox *i, int64_t now_ms) {
    for (struct peer *p = i->unproven, *older; p != NULL; p = older) {
        older = p->older;
        if (now_ms - p->created_ms >= HELLO_GRACE_MS) forget_peer(i, p);
    }
}

static bool take_due(struct inbox *i, int64_t now_ms, struct answer *out) {
    pthread_mutex_lock(&i->lock);
    bool due = i->oldest != NULL && now_ms - i->oldest->parked_at_ms >= i->options.interval_ms &&
               take_parked(i, i->oldest, out);
    pthread_mutex_unlock(&i->lock);
    return due;
}

void inbox_tick(struct inbox *i, int64_t now_ms) {
    struct answer answer;
    while (take_due(i, now_ms, &answer)) answer_desired(i, &answer);
    pthread_mutex_lock(&i->lock);
    forget_unproven(i, now_ms);
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

static void free_peer(void *p) {
    secret_wipe(p, sizeof(struct peer));
    free(p);
}

static void free_nothing(void *p) {
    (void)p;
}

void inbox_free(struct inbox *i) {
    if (i == NULL) return;
    while (i->oldest != NULL) bus_discard(unpark(i, i->oldest));
    inbox_free_spent(i);
    tdestroy(i->live, free_nothing);
    tdestroy(i->sessions, free_peer);
    rate_limiter_free(i->failures);
    pthread_cond_destroy(&i->told);
    pthread_mutex_destroy(&i->lock);
    secret_wipe(i->challenge_key, sizeof i->challenge_key);
    free(i);
}

size_t inbox_sessions(struct inbox *i) {
    pthread_mutex_lock(&i->lock);
    size_t count = i->count;
    pthread_mutex_unlock(&i->lock);
    return count;
}

size_t inbox_parked(struct inbox *i) {
    pthread_mutex_lock(&i->lock);
    size_t count = i->parked_count;
    pthread_mutex_unlock(&i->lock);
    return count;
}

int64_t inbox_heartbeats(struct inbox *i) {
    return atomic_load(&i->heartbeats);
}
