/* Frames of a session, proven: heartbeats, which are parked, and goodbyes. */
#include "master/inbox_internal.h"

#include "lib/clock.h"
#include "lib/log.h"

#include <stdio.h>
#include <string.h>

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
    struct peer *p = peers_find(&i->peers, f->session);
    *out = (struct speaker){.known = p != NULL};
    bool proven = p != NULL && session_open(&p->session, f, e);
    if (proven) {
        out->began = !p->live;
        out->greeting = p->greeting;
        peers_make_live(&i->peers, p);
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
    struct peer *p = peers_find(&i->peers, f->session);
    bool had_parked = inbox_take_parked(i, p, &before);
    if (p != NULL) peers_park(&i->peers, p, r, f->sequence, i->options.now_ms());
    pthread_mutex_unlock(&i->lock);
    if (had_parked) inbox_answer(i, &before);
    if (p == NULL) {
        bus_discard(r);
        return;
    }
    /* Only now, when a change would find it parked, is it safe to look whether one has come before.
     */
    if (!agents_news(i->options.agents, agent_id, generation)) return;
    pthread_mutex_lock(&i->lock);
    bool still_parked = inbox_take_parked(i, peers_find(&i->peers, f->session), &now);
    pthread_mutex_unlock(&i->lock);
    if (still_parked) inbox_answer(i, &now);
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
    inbox_answer(i, &answer);
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

void inbox_take_session_frame(struct inbox *i, struct bus_request *r, const struct frame *f) {
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
