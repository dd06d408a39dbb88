#include "bench/herd/herd_internal.h"

#include "agent/message.h"
#include "lib/clock.h"
#include "lib/encode.h"
#include "lib/platform.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

#define HELLO_MS 5000 /* as agent/link.c */
#define SLACK_MS 5000
#define ID_SIZE 4

static void report_update(const struct herd_agent *a, struct wire_update *update) {
    bool there = a->version[0] != '\0' && strcmp(a->version, a->grant.version) == 0;
    const char *state = a->switching ? "switching" : there ? "idle" : "waiting";
    snprintf(update->state, sizeof update->state, "%s", state);
    memcpy(update->to, a->grant.version, sizeof update->to);
    memcpy(update->rollout, a->grant.rollout, sizeof update->rollout);
    update->rollout_attempt = a->grant.attempt;
}

static void make_report(struct herd_agent *a) {
    struct wire_node node = {.port = 7100,
                             .pid = 4711,
                             .started_at_ms = 1,
                             .capacity_bytes = INT64_C(4) << 40,
                             .free_bytes = INT64_C(3) << 40};
    struct wire_heartbeat m = {.type = "heartbeat",
                               .generation = a->generation,
                               .agent_version = GRID_VERSION,
                               .free_bytes = INT64_C(1) << 38,
                               .nodes = &node,
                               .nodes_count = 1,
                               .labels = "rack=b,role=edge"};
    memcpy(m.agent_id, a->id, sizeof m.agent_id);
    memcpy(m.version, a->version, sizeof m.version);
    memcpy(m.sha256, a->sha256, sizeof m.sha256);
    report_update(a, &m.update);
    snprintf(m.staging.state, sizeof m.staging.state, "%s", a->staged[0] != '\0' ? "staged" : "");
    memcpy(m.staging.sha256, a->staged, sizeof m.staging.sha256);
    snprintf(m.platform, sizeof m.platform, "%s", platform_here());
    snprintf(m.arch, sizeof m.arch, "%s", platform_arch_here());
    snprintf(node.id, sizeof node.id, "%s/0", a->id);
    snprintf(node.state, sizeof node.state, "%s", a->unhealthy ? "unhealthy" : "healthy");
    memcpy(node.version, a->version, sizeof node.version);
    memcpy(node.sha256, a->sha256, sizeof node.sha256);
    text_clear(&a->report);
    json_encode(&wire_heartbeat_schema, &m, &a->report);
}

static void send_frame(struct herd_agent *a, uint64_t ticket, const struct text *frame,
                       int64_t timeout_ms) {
    struct herd_call *call = &a->calls[a->calls[0].under_way ? 1 : 0];
    assert(!call->under_way);
    *call = (struct herd_call){.under_way = true,
                               .id = ++a->last_id | 0x80000000,
                               .ticket = ticket,
                               .deadline_ms = clock_monotonic_ms() + timeout_ms};
    uint32_t id = htonl(call->id);
    call->unsent = bus_frame_new(&id, sizeof id, frame->data, frame->length);
}

static void send_hello(struct herd_agent *a) {
    struct wire_hello m = {.type = "hello", .generation = a->generation};
    OWN_TEXT struct text frame = TEXT_EMPTY;
    random_hex(SESSION_NONCE_SIZE, a->nonce);
    session_exchange_new(&a->mine);
    memcpy(m.nonce, a->nonce, sizeof m.nonce);
    memcpy(m.agent_id, a->id, sizeof m.agent_id);
    memcpy(m.master_key, a->herd->master_key, sizeof m.master_key);
    encode_hex(a->mine.public_key, sizeof a->mine.public_key, m.exchange_key);
    message_sign(a->key, &wire_hello_schema, &m, &frame);
    send_frame(a, 0, &frame, HELLO_MS);
}

static void send_heartbeat(struct herd_agent *a) {
    OWN_TEXT struct text frame = TEXT_EMPTY;
    if (a->report.length == 0) make_report(a);
    session_seal(&a->session, 0, a->report.data, a->report.length, &frame);
    send_frame(a, a->session.sent, &frame, a->interval_ms + SLACK_MS);
}

static void forget_calls(struct herd_agent *a) {
    for (size_t i = 0; i < HERD_CALLS; i++) {
        bus_frame_free(a->calls[i].unsent);
        a->calls[i] = (struct herd_call){.under_way = false};
    }
}

/* Takes one event, as act() of agent/link.c does; lock held. */
static void step(struct herd_agent *a, enum link_event event, int64_t now_ms) {
    uint32_t random;
    random_bytes(&random, sizeof random);
    bool live = a->state.phase == LINK_LIVE;
    enum link_action action = link_next(&a->state, event, now_ms, random, &a->wake_ms);
    if (live != (a->state.phase == LINK_LIVE)) herd_live(a->herd, live ? -1 : 1);
    if (event == LINK_LOST) {
        forget_calls(a);
        herd_lost(a->herd);
    }
    if (action == LINK_SEND_HELLO) send_hello(a);
    if (action == LINK_SEND_HEARTBEAT) send_heartbeat(a);
}

/* When the tick has something to do for it. */
static int64_t find_due(const struct herd_agent *a) {
    int64_t due_ms = a->state.phase == LINK_DOWN ? a->wake_ms : INT64_MAX;
    if (a->switching && a->switched_at_ms < due_ms) due_ms = a->switched_at_ms;
    for (size_t i = 0; i < HERD_CALLS; i++)
        if (a->calls[i].under_way && a->calls[i].deadline_ms < due_ms)
            due_ms = a->calls[i].deadline_ms;
    return due_ms;
}

static void unlock(struct herd_agent *a) {
    atomic_store(a->due_ms, find_due(a));
    pthread_mutex_unlock(&a->lock);
}

/* Unlocks, then hands to the link what is to be sent. */
static void unlock_and_send(struct herd_agent *a) {
    struct bus_frame *frames[HERD_CALLS] = {NULL};
    struct bus_link *link = a->opened ? bus_link_retain(a->link) : NULL;
    for (size_t i = 0; i < HERD_CALLS && link != NULL; i++) frames[i] = TAKE(a->calls[i].unsent);
    unlock(a);
    if (link == NULL) return;
    for (size_t i = 0; i < HERD_CALLS; i++)
        if (frames[i] != NULL) bus_link_send(link, frames[i]);
    bus_link_release(link);
}

static enum link_event take_hello_answer(struct herd_agent *a, const char *bytes, size_t length) {
    struct wire_hello_answer m;
    struct message_expected expected = {a->herd->options.master_key, "hello", a->nonce,
                                        &wire_hello_answer_schema};
    unsigned char id[SESSION_ID_SIZE], nonce[SESSION_NONCE_SIZE], peer[SESSION_KEY_SIZE];
    struct err e;
    if (!message_open(&expected, bytes, length, &m, &e) || !decode_hex(m.session, id, sizeof id) ||
        !decode_hex(a->nonce, nonce, sizeof nonce) ||
        !decode_hex(m.exchange_key, peer, sizeof peer) ||
        !session_begin(&a->session, SESSION_AGENT, id, nonce, &a->mine, peer, &e))
        return LINK_LOST;
    a->interval_ms = m.interval_ms;
    return LINK_HELLO_ANSWERED;
}

static enum link_event take_heartbeat_answer(struct herd_agent *a, const struct herd_call *call,
                                             const char *bytes, size_t length) {
    struct frame f;
    struct err e;
    if (!frame_parse(bytes, length, &f, &e) || f.kind != FRAME_SESSION ||
        !session_open(&a->session, &f, &e) || f.answers != call->ticket)
        return LINK_LOST;
    herd_agent_obey(a, f.json);
    herd_answered(a->herd, a->changed_at_s);
    a->changed_at_s = 0;
    return LINK_ANSWERED;
}

static struct herd_call *find_call(struct herd_agent *a, uint32_t id) {
    for (size_t i = 0; i < HERD_CALLS; i++)
        if (a->calls[i].under_way && a->calls[i].id == id) return &a->calls[i];
    return NULL;
}

static void take_answer(struct herd_agent *a, const unsigned char *message, size_t length) {
    uint32_t id;
    memcpy(&id, message, sizeof id);
    struct herd_call *call = find_call(a, ntohl(id));
    if (call == NULL) return; /* it was given up */
    const char *bytes = (const char *)message + ID_SIZE;
    bool hello = a->state.phase == LINK_HELLO;
    call->under_way = false;
    step(a,
         hello ? take_hello_answer(a, bytes, length - ID_SIZE)
               : take_heartbeat_answer(a, call, bytes, length - ID_SIZE),
         clock_monotonic_ms());
}

static void link_received(void *owner, unsigned char *message, size_t length) {
    struct herd_agent *a = owner;
    pthread_mutex_lock(&a->lock);
    a->heard = true;
    struct bus_link *link = bus_link_retain(a->link);
    if (length >= ID_SIZE) take_answer(a, message, length);
    unlock_and_send(a);
    free(message);
    bus_link_receive(link);
    bus_link_release(link);
}

static void link_opened(void *owner) {
    struct herd_agent *a = owner;
    pthread_mutex_lock(&a->lock);
    a->opened = true;
    struct bus_link *link = bus_link_retain(a->link);
    unlock_and_send(a);
    bus_link_receive(link);
    bus_link_release(link);
}

static void link_sent(void *owner) {
    (void)owner;
}

static bool any_sent(const struct herd_agent *a) {
    for (size_t i = 0; i < HERD_CALLS; i++)
        if (a->calls[i].under_way && a->calls[i].unsent == NULL) return true;
    return false;
}

static void link_closed(void *owner) {
    struct herd_agent *a = owner;
    pthread_mutex_lock(&a->lock);
    struct bus_link *link = TAKE(a->link);
    bool heard = a->heard;
    a->opened = false;
    if (any_sent(a)) step(a, LINK_LOST, clock_monotonic_ms());
    unlock(a);
    bus_link_release(link);
    bus_dial_again(&a->dial, heard);
}

static const struct bus_link_kind link_kind = {
    .protocol = BUS_PROTOCOL_REQUEST,
    .peer_protocol = BUS_PROTOCOL_REPLY,
    .greeting_timeout_ms = 30000,
    .send_timeout_ms = -1,
    .unsent_max_bytes = SIZE_MAX,
    .opened = link_opened,
    .received = link_received,
    .sent = link_sent,
    .closed = link_closed,
};

static void connected(void *owner, nng_stream *stream) {
    struct herd_agent *a = owner;
    struct bus_link *link = bus_link_new(stream, &link_kind, a);
    pthread_mutex_lock(&a->lock);
    a->link = bus_link_retain(link);
    a->heard = false;
    pthread_mutex_unlock(&a->lock);
    bus_link_start(link);
    bus_link_release(link);
}

bool herd_agent_open(struct herd_agent *a, struct err *e) {
    const struct herd_options *o = &a->herd->options;
    pthread_mutex_init(&a->lock, NULL);
    if (!bus_dial_init(&a->dial, o->host, o->port, o->trust, connected, a, e)) return false;
    bus_dial_start(&a->dial);
    return true;
}

static bool is_overdue(const struct herd_agent *a, int64_t now_ms) {
    for (size_t i = 0; i < HERD_CALLS; i++)
        if (a->calls[i].under_way && a->calls[i].deadline_ms <= now_ms) return true;
    return false;
}

void herd_agent_tick(struct herd_agent *a, int64_t now_ms) {
    pthread_mutex_lock(&a->lock);
    if (is_overdue(a, now_ms)) step(a, LINK_LOST, now_ms);
    if (a->state.phase == LINK_DOWN && a->wake_ms <= now_ms) step(a, LINK_TICK, now_ms);
    if (a->switching && a->switched_at_ms <= now_ms) {
        herd_agent_finish_switch(a);
        if (a->state.phase == LINK_LIVE) step(a, LINK_CHANGED, now_ms);
    }
    unlock_and_send(a);
}

void herd_agent_change(struct herd_agent *a) {
    pthread_mutex_lock(&a->lock);
    a->unhealthy = !a->unhealthy;
    text_clear(&a->report);
    if (a->state.phase == LINK_LIVE) {
        a->changed_at_s = herd_now_s();
        step(a, LINK_CHANGED, clock_monotonic_ms());
    }
    unlock_and_send(a);
}
