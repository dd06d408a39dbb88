/* Steps: what changed about rollouts, written in one transaction with what their agents should do,
 * then put into effect. */
#include "master/rollouts_internal.h"

#include "lib/clock.h"
#include "lib/log.h"
#include "master/audit.h"
#include "master/decided.h"
#include "master/quarantine.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DIAGNOSIS_SIZE 8192 /* agents send 2 KiB; no other keeps more with every member */

bool live_rollout_next(struct rollout *state, enum rollout_event event, struct rollout_time at) {
    bool taken = rollout_next(state, event, at);
    const char *broken = rollout_broken_invariant(state);
    if (broken != NULL) log_error("rollout.invariant", "broken=%s", broken);
    assert(broken == NULL);
    return taken;
}

void steps_add(struct steps *s, const struct live_rollout *before, struct live_rollout *after,
               enum rollout_event event) {
    s->list = memory_resize(s->list, s->count + 1, sizeof *s->list);
    s->list[s->count++] = (struct step){.before = before, .after = after, .event = event};
}

/* The member as it was; NULL for one that came with this step. */
static const struct rollout_member *member_before(const struct step *s, size_t index) {
    size_t at = index;
    if (s->before == NULL) return NULL;
    if (s->before->row.state.member_count != s->after->row.state.member_count &&
        !live_rollout_find(s->before, s->after->agents[index].id, &at))
        return NULL;
    return &s->before->row.state.members[at];
}

static bool must_write(const struct step *s, size_t index) {
    return s->after->row.state.members[index].changed || member_before(s, index) == NULL;
}

static bool changed_state(const struct step *s, size_t index) {
    const struct rollout_member *m = &s->after->row.state.members[index];
    const struct rollout_member *before = member_before(s, index);
    return before == NULL ? m->state != MEMBER_WAITING
                          : m->state != before->state || m->attempt != before->attempt;
}

struct hearing {
    const struct live_rollout *l;
    size_t index;
};

static bool hear(const struct agent_view *v, void *argument) {
    const struct hearing *h = argument;
    const struct rollout_part part = live_rollout_part(h->l, h->l->row.state.members, h->index);
    struct rollout_agent_view *a = &h->l->agents[h->index];
    const char *reason = rollout_facts_reason(v, &part);
    if (reason[0] != '\0') {
        free((char *)a->reason);
        a->reason = text_duplicate(reason);
    }
    char diagnosis[DIAGNOSIS_SIZE];
    text_cut(diagnosis, sizeof diagnosis, rollout_facts_diagnosis(v, &part));
    free((char *)a->diagnosis);
    a->diagnosis = text_duplicate(diagnosis);
    return true;
}

/* Why the member is where it is: the agent's own words if it has any. */
static void give_reason(const struct step *s, size_t index, struct agents *agents) {
    const struct rollout_member *m = &s->after->row.state.members[index];
    struct rollout_agent_view *a = &s->after->agents[index];
    struct hearing h = {s->after, index};
    struct err e;
    bool back =
        m->state == MEMBER_LEAVING || m->state == MEMBER_RETURNING || m->state == MEMBER_RETURNED;
    if (back && a->reason[0] != '\0') return; /* why it goes back */
    free((char *)a->reason);
    a->reason = text_duplicate(rollout_member_words((enum rollout_cause)m->cause));
    if (m->cause != CAUSE_NONE && !agents_visit_one(agents, a->id, hear, &h, &e))
        log_debug("rollout.agent_gone", "id=%s", a->id);
}

static bool learn(const struct agent_view *v, void *argument) {
    const struct hearing *h = argument;
    struct rollout_agent_view *a = &h->l->agents[h->index];
    bool self = live_rollout_self(h->l);
    text_cut(a->from_version, sizeof a->from_version,
             self ? v->report.self.version : v->report.version);
    text_cut(a->from_sha256, sizeof a->from_sha256,
             self ? v->report.self.sha256 : v->report.sha256);
    return true;
}

/* Of whom nothing was known when it was selected: its way back begins where it is now. */
static void learn_origin(const struct step *s, size_t index, struct agents *agents) {
    const struct rollout_member *m = &s->after->row.state.members[index];
    struct hearing h = {s->after, index};
    struct err e;
    bool unknown = s->after->agents[index].from_version[0] == '\0';
    if (!unknown || m->state != MEMBER_GRANTED || m->attempt != 1 || m->facts.on_target) return;
    if (!agents_visit_one(agents, s->after->agents[index].id, learn, &h, &e))
        log_debug("rollout.agent_gone", "id=%s", s->after->agents[index].id);
}

static void prepare(const struct steps *steps, const struct step *s) {
    struct live_rollout *l = s->after;
    for (size_t i = 0; i < l->row.state.member_count; i++) {
        if (!changed_state(s, i)) continue;
        learn_origin(s, i, steps->rollouts->options.agents);
        give_reason(s, i, steps->rollouts->options.agents);
    }
    if (rollout_is_active(l->row.state.state)) l->row.finished_at_ms = 0;
    l->row.clock_ms = live_rollout_clock(l, steps->now_ms);
    if (steps->now_ms > l->clock_at_ms) l->clock_at_ms = steps->now_ms;
    rollout_words(l, l->row.reason);
}

static const struct {
    enum rollout_member_state state;
    const char *kind, *words;
} member_events[] = {
    {MEMBER_GRANTED,       "rollout.agent.granted",   "may switch"             },
    {MEMBER_RETURNING,     "rollout.agent.granted",   "may go back"            },
    {MEMBER_COMMITTED,     "rollout.agent.committed", "runs it"                },
    {MEMBER_FAILED,        "rollout.agent.failed",    "failed"                 },
    {MEMBER_RETURN_FAILED, "rollout.agent.failed",    "could not go back"      },
    {MEMBER_HELD,          "rollout.agent.held",      "is held"                },
    {MEMBER_DEFERRED,      "rollout.agent.deferred",  "comes later"            },
    {MEMBER_RETURNED,      "rollout.agent.returned",  "runs what it did before"},
};

static bool is_granted(enum rollout_member_state state) {
    return state == MEMBER_GRANTED || state == MEMBER_RETURNING;
}

static bool tell_member_as(struct db_connection *c, const struct live_rollout *l, size_t index,
                           enum rollout_member_state state, struct err *e) {
    const struct rollout_agent_view *a = &l->agents[index];
    bool broken = is_granted(state) && l->row.state.members[index].was_broken;
    char data[64];
    snprintf(data, sizeof data, "{\"rollout\":\"" ROLLOUT_ID_FORMAT "\"%s}", l->row.number,
             broken ? ",\"broken\":true" : "");
    for (size_t i = 0; i < sizeof member_events / sizeof member_events[0]; i++)
        if (member_events[i].state == state)
            return events_add(c, e, member_events[i].kind, a->id, "", data,
                              "agent %s %s: " ROLLOUT_ID_FORMAT ", %s %s%s%.200s", a->id,
                              member_events[i].words, l->row.number, l->row.request.name,
                              l->row.request.version, a->reason[0] != '\0' ? ": " : "", a->reason);
    return true;
}

/* It failed, wherever that has led it since. */
static bool speaks_against(const struct rollout_member *m) {
    bool there =
        m->state == MEMBER_FAILED || m->state == MEMBER_LEAVING || m->state == MEMBER_RETURNED;
    return there && (m->cause == CAUSE_VERSION || m->cause == CAUSE_SILENT);
}

/* A rollout that goes back at once leaves no time for "failed". */
static bool tell_failure(struct db_connection *c, const struct step *s, size_t index,
                         struct err *e) {
    const struct rollout_member *m = &s->after->row.state.members[index];
    const struct rollout_member *before = member_before(s, index);
    bool news = before != NULL && before->state == MEMBER_GRANTED && m->state != MEMBER_FAILED &&
                speaks_against(m);
    if (!news) return true;
    return tell_member_as(c, s->after, index, MEMBER_FAILED, e);
}

static bool tell_member(struct db_connection *c, const struct step *s, size_t index,
                        struct err *e) {
    enum rollout_member_state state =
        (enum rollout_member_state)s->after->row.state.members[index].state;
    return tell_failure(c, s, index, e) && tell_member_as(c, s->after, index, state, e);
}

static bool write_members(struct db_connection *c, const struct step *s, struct err *e) {
    for (size_t i = 0; i < s->after->row.state.member_count; i++) {
        if (s->before != NULL && must_write(s, i) && !live_rollout_write_member(c, s->after, i, e))
            return false;
    }
    return true;
}

/* What ended comes before what begins, so that the events never show more under way than is. */
static bool tell_members(struct db_connection *c, const struct step *s, struct err *e) {
    const struct rollout *r = &s->after->row.state;
    for (int begins = 0; begins <= 1; begins++)
        for (size_t i = 0; i < r->member_count; i++)
            if (changed_state(s, i) && is_granted(r->members[i].state) == (begins == 1) &&
                !tell_member(c, s, i, e))
                return false;
    return true;
}

static const char *event_kind(const struct step *s) {
    if (s->before == NULL) return "rollout.started";
    if (s->event == ROLLOUT_PROMOTE) return "rollout.promoted";
    switch (s->after->row.state.state) {
    case ROLLOUT_PAUSED:
        return "rollout.paused";
    case ROLLOUT_COMPLETED:
        return "rollout.completed";
    case ROLLOUT_REVERTING:
        return "rollout.reverting";
    case ROLLOUT_REVERTED:
        return "rollout.reverted";
    case ROLLOUT_REVERT_STUCK:
        return "rollout.stuck";
    case ROLLOUT_STOPPED:
        return "rollout.stopped";
    case ROLLOUT_SUPERSEDED:
        return "rollout.superseded";
    default:
        return "rollout.state";
    }
}

static bool tell_rollout(struct db_connection *c, const struct steps *steps, const struct step *s,
                         struct err *e) {
    const struct live_rollout *l = s->after;
    if (s->before != NULL && s->before->row.state.state == l->row.state.state) return true;
    return events_add(c, e, event_kind(s), l->id, steps->principal, NULL,
                      "rollout %s of %s %s is %s%s%.200s", l->id, l->row.request.name,
                      l->row.request.version, rollout_state_name(l->row.state.state),
                      l->row.reason[0] != '\0' ? ": " : "", l->row.reason);
}

/* A revert that nobody ordered: what failed is not to be chosen again. */
static bool quarantine_failed(struct db_connection *c, const struct step *s, struct err *e) {
    const struct live_rollout *l = s->after;
    const struct rollout *r = &l->row.state;
    bool begins = r->state == ROLLOUT_REVERTING && s->before != NULL &&
                  s->before->row.state.state != ROLLOUT_REVERTING;
    if (!begins || s->event != ROLLOUT_TICK ||
        (r->cause != CAUSE_VERSION && r->cause != CAUSE_SILENT))
        return true;
    for (size_t i = 0; i < r->member_count; i++) {
        if (!speaks_against(&r->members[i]) || r->members[i].was_broken) continue;
        struct quarantined q = {.rollout = l->row.number, .at_ms = clock_wall_ms()};
        memcpy(q.sha256, l->agents[i].to_sha256, sizeof q.sha256);
        memcpy(q.artifact, l->row.request.name, sizeof q.artifact);
        memcpy(q.version, l->row.request.version, sizeof q.version);
        snprintf(q.reason, sizeof q.reason, "failed on %s in rollout " ROLLOUT_ID_FORMAT ": %.200s",
                 l->agents[i].id, l->row.number, l->agents[i].reason);
        if (!quarantine_add(c, &q, e)) return false;
    }
    return true;
}

/* What changes about one agent. */
struct direction {
    bool changes;
    bool news;        /* to be told even when its version stays */
    bool leave, only; /* whether it may begin; that nothing else changes */
};

static struct direction direction_of(const struct step *s, size_t index) {
    const struct rollout_member *m = &s->after->row.state.members[index];
    const struct rollout_member *before = member_before(s, index);
    struct rollout_orders now = rollout_orders(&s->after->row.state, m);
    struct rollout_orders then = {.told = TOLD_OTHERS};
    if (before != NULL) then = rollout_orders(&s->before->row.state, before);
    bool same = before != NULL && then.told == now.told && then.prefetch == now.prefetch &&
                before->attempt == m->attempt &&
                (before->state == m->state || now.told != TOLD_OTHERS);
    bool news = now.told != TOLD_OTHERS && (m->attempt > 0 || now.prefetch != then.prefetch);
    return (struct direction){!same || now.leave != then.leave, news, now.leave, same};
}

/* A halt of ten thousand agents writes none of their rows. */
static bool direct_agent(struct db_connection *c, const struct steps *steps, const struct step *s,
                         size_t index, struct direction d, struct err *e) {
    const struct live_rollout *l = s->after;
    const char *id = l->agents[index].id;
    if (!d.only) return agents_refresh_row(c, steps->refresh, id, d.news, e);
    struct wire_grant grant = {.attempt = l->row.state.members[index].attempt,
                               .lease_ms = d.leave ? ROLLOUT_LEASE_MS : 0};
    memcpy(grant.rollout, l->id, sizeof grant.rollout);
    agents_refresh_leave(steps->refresh, id, &grant);
    return true;
}

/* An agent that is left alone by this rollout hears of it only when another rule has another
 * version for it. */
static bool direct_agents(struct db_connection *c, const struct steps *steps, const struct step *s,
                          struct err *e) {
    for (size_t i = 0; i < s->after->row.state.member_count; i++) {
        struct direction d = direction_of(s, i);
        if (d.changes && !direct_agent(c, steps, s, i, d, e)) return false;
    }
    return true;
}

static const char *const actions[] = {"rollout.step",     "rollout.pause", "rollout.resume",
                                      "rollout.promote",  "rollout.stop",  "rollout.rollback",
                                      "rollout.supersede"};

static bool write_audit(struct db_connection *c, const struct steps *steps, const struct step *s,
                        struct err *e) {
    OWN_TEXT struct text data = TEXT_EMPTY;
    if (s->before != NULL && s->event == ROLLOUT_TICK) return true;
    if (s->before == NULL) rollout_request_encode(&s->after->row.request, &data);
    return audit_add(c, steps->principal, s->before == NULL ? "rollout.start" : actions[s->event],
                     s->after->id, s->before == NULL ? text_value(&data) : NULL, e);
}

static bool date_end(struct db_connection *c, struct live_rollout *l, struct err *e) {
    bool over = !rollout_is_active(l->row.state.state);
    return !over || l->row.finished_at_ms > 0 || decided_now(c, &l->row.finished_at_ms, e);
}

static bool write_step(struct db_connection *c, const struct steps *steps, const struct step *s,
                       struct err *e) {
    if (!date_end(c, s->after, e)) return false;
    bool written = s->before == NULL
                       ? live_rollout_insert(c, s->after, steps->idempotency_key, e)
                       : live_rollout_write(c, s->after, s->before->row.state.revision, e);
    if (written && s->before == NULL) *steps->number = s->after->row.number;
    return written && write_members(c, s, e) && tell_members(c, s, e) &&
           tell_rollout(c, steps, s, e) && quarantine_failed(c, s, e) &&
           write_audit(c, steps, s, e);
}

static bool write_all(struct db_connection *c, void *argument, struct err *e) {
    struct steps *s = argument;
    if (s->check != NULL && !s->check(c, s, e)) return false;
    for (size_t i = 0; i < s->count; i++) {
        if (s->list[i].event == ROLLOUT_SUPERSEDE)
            s->list[i].after->row.superseded_by = s->list[0].after->row.number;
        if (!write_step(c, s, &s->list[i], e)) return false;
    }
    for (size_t i = 0; i < s->count; i++)
        if (!direct_agents(c, s, &s->list[i], e)) return false;
    return true;
}

/* Takes it out of the list; true when it was there. */
static bool unlink_live(struct rollouts *r, const struct live_rollout *l) {
    for (struct live_rollout **at = &r->live; *at != NULL; at = &(*at)->next) {
        if (*at != l) continue;
        *at = l->next;
        return true;
    }
    return false;
}

static void link_live(struct rollouts *r, struct live_rollout *l) {
    struct live_rollout **at = &r->live;
    while (*at != NULL && (*at)->row.number > l->row.number) at = &(*at)->next;
    l->next = *at;
    *at = l;
}

/* Whom this rollout moves, older ones leave alone. */
static void take_from_older(const struct live_rollout *l) {
    for (struct live_rollout *older = l->next; older != NULL; older = older->next)
        for (size_t i = 0; strcmp(older->row.request.name, l->row.request.name) == 0 &&
                           i < l->row.state.member_count;
             i++)
            live_rollout_take_out(older, l->agents[i].id);
}

static void put_into_effect(struct rollouts *r, struct step *s) {
    struct live_rollout *gone = NULL;
    bool grown =
        s->before == NULL || s->before->row.state.member_count != s->after->row.state.member_count;
    pthread_mutex_lock(&r->lock);
    if (s->before != NULL && unlink_live(r, s->before)) gone = (struct live_rollout *)s->before;
    if (rollout_is_live(&s->after->row.state)) {
        link_live(r, s->after);
        if (grown) take_from_older(s->after);
        s->after = NULL;
    }
    r->steps++;
    pthread_mutex_unlock(&r->lock);
    if (gone != NULL) live_rollout_free(gone);
}

static void steps_clear(struct steps *s) {
    for (size_t i = 0; i < s->count; i++)
        if (s->list[i].after != NULL) live_rollout_free(s->list[i].after);
    agents_refresh_free(s->refresh);
    free(s->list);
    s->list = NULL;
    s->count = 0;
}

bool rollouts_write(struct steps *s, struct err *e) {
    struct rollouts *r = s->rollouts;
    s->refresh = agents_refresh_begin(r->options.agents);
    for (size_t i = 0; i < s->count; i++) prepare(s, &s->list[i]);
    bool written = db_write(r->options.db, write_all, s, e);
    if (written) {
        for (size_t i = 0; i < s->count; i++) put_into_effect(r, &s->list[i]);
        agents_refresh_done(s->refresh);
        events_announce(r->options.events);
    }
    steps_clear(s);
    return written;
}
