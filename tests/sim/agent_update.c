#include "tests/sim/agent_internal.h"
#include "tests/sim/machine.h"
#include "tests/sim/rules.h"

#include <stdio.h>
#include <string.h>

enum { RETRY_MS = 5000, NOTE_MS = 5000, NOTES = 10 };

static bool on_trial(const struct transition *t) {
    return t->state == TRANSITION_SWITCHING || t->state == TRANSITION_PROBATION;
}

struct transition_policy agent_policy(const struct sim_desired *d) {
    return (struct transition_policy){.min_healthy_ms = d->min_healthy_ms,
                                      .probation_ms = d->probation_ms,
                                      .healthy_deadline_ms = d->healthy_deadline_ms,
                                      .allow_unavailable = d->allow_unavailable};
}

/* Whether it may be written that a version is current. */
static bool links_are_behind(const struct machine *m) {
    return m->current != m->disk.current;
}

/* The whole journal, as one file; never before the link to a version that it calls proven. */
static bool save(struct world *w, uint32_t agent) {
    struct machine *m = &w->machines[agent];
    if (links_are_behind(m) || !agent_writes(w, agent)) {
        m->retry_ms = w->now_ms + RETRY_MS;
        return false;
    }
    m->disk.journal = m->journal;
    for (int i = 0; i < m->node_count; i++)
        machine_node(w, m, i)->durable = machine_node(w, m, i)->noted;
    m->dirty = false;
    return true;
}

static void write_links(struct world *w, uint32_t agent) {
    struct machine *m = &w->machines[agent];
    if (!agent_writes(w, agent)) return;
    m->disk.previous = m->previous;
    m->disk.current = m->current;
}

void agent_commit(struct world *w, uint32_t agent, int version) {
    struct machine *m = &w->machines[agent];
    m->previous = m->current;
    m->current = (uint8_t)version;
    write_links(w, agent);
}

static void note_order(struct machine *m) {
    m->journal.rollout = m->wanted.rollout;
    m->journal.attempt = m->wanted.attempt;
    m->journal.generation = m->wanted.generation;
}

/* Nothing begins that is not written down. */
static void begin(struct world *w, uint32_t agent) {
    struct machine *m = &w->machines[agent];
    const struct sim_journal before = m->journal;
    struct transition_policy policy = agent_policy(&m->wanted);
    rules_moving(w, agent, m->wanted.version);
    note_order(m);
    m->journal.cause = CAUSE_NONE;
    for (int i = 0; i < m->node_count; i++) machine_node(w, m, i)->noted = (struct noted){0};
    transition_take(&m->journal.transition, TURN_BEGIN, version_name(m->wanted.version), &policy);
    if (save(w, agent)) return;
    m->journal = before;
    m->begin_after_ms = m->retry_ms;
}

static void fail(struct machine *m) {
    struct sim_journal *j = &m->journal;
    int version = version_number(j->transition.to);
    if (m->wanted.version == version) note_order(m);
    memmove(&j->failures[1], &j->failures[0], (SIM_FAILURES - 1) * sizeof j->failures[0]);
    j->failures[0] = (struct sim_failure){(uint8_t)version, j->rollout, j->attempt, j->generation};
    j->cause = CAUSE_VERSION;
    transition_take(&j->transition, TURN_FAIL, NULL, NULL);
}

bool agent_gave_up(const struct machine *m) {
    const struct sim_desired *d = &m->wanted;
    for (int i = 0; i < SIM_FAILURES && d->version != 0; i++) {
        const struct sim_failure *f = &m->journal.failures[i];
        if (f->version != d->version || f->rollout != d->rollout) continue;
        if (d->rollout != 0 ? f->attempt >= d->attempt : f->generation == d->generation)
            return true;
    }
    return false;
}

void agent_take_turn(struct world *w, uint32_t agent) {
    struct machine *m = &w->machines[agent];
    enum turn turn = m->decision.turn;
    m->dirty = true;
    if (turn == TURN_BEGIN) {
        begin(w, agent);
        return;
    }
    if (turn == TURN_FAIL) {
        fail(m);
    } else {
        if (turn == TURN_BACK) m->journal.cause = CAUSE_NONE;
        transition_take(&m->journal.transition, turn, NULL, NULL);
    }
    m->watched_at_ms = w->now_ms;
    (void)save(w, agent);
}

/* What the steps are about to do, written down before they do it. A disk that cannot take it does
 * not keep a machine from serving. */
void agent_note_steps(struct world *w, uint32_t agent, const enum step *steps) {
    struct machine *m = &w->machines[agent];
    const struct transition *t = &m->journal.transition;
    for (int i = 0; i < m->node_count && t->state != TRANSITION_NONE; i++) {
        struct sim_node *n = machine_node(w, m, i);
        bool moved = strcmp(n->facts.assigned, t->to) == 0;
        if (steps[i] == STEP_START && moved && on_trial(t)) n->facts.tries++;
        struct noted now = {moved, n->facts.excused, n->facts.tries};
        bool known = now.moved == n->noted.moved && now.excused == n->noted.excused &&
                     now.tries == n->noted.tries;
        n->noted = now;
        if (!known) m->dirty = true;
    }
    if (m->dirty && w->now_ms >= m->retry_ms) (void)save(w, agent);
}

/* A probation counts the time in which somebody watched. */
void agent_watch(struct world *w, uint32_t agent, int64_t *due_ms) {
    struct machine *m = &w->machines[agent];
    struct transition *t = &m->journal.transition;
    int64_t since_ms = w->now_ms - m->watched_at_ms;
    bool watching = t->state == TRANSITION_PROBATION;
    for (int i = 0; i < m->node_count; i++)
        watching = watching && machine_node(w, m, i)->facts.phase != NODE_UNKNOWN;
    m->watched_at_ms = w->now_ms;
    if (watching) t->watched_ms += since_ms;
    int64_t note_ms =
        t->policy.probation_ms / NOTES < NOTE_MS ? t->policy.probation_ms / NOTES : NOTE_MS;
    if (watching && t->watched_ms - m->watched_noted_ms >= note_ms) m->dirty = true;
    if (links_are_behind(m) && w->now_ms >= m->retry_ms) write_links(w, agent);
    if (m->agent_up && m->dirty && w->now_ms >= m->retry_ms && save(w, agent))
        m->watched_noted_ms = t->watched_ms;
    if (m->dirty && m->retry_ms < *due_ms) *due_ms = m->retry_ms;
}

void agent_open_journal(struct world *w, uint32_t agent) {
    struct machine *m = &w->machines[agent];
    const struct transition *t = &m->disk.journal.transition;
    m->journal = m->disk.journal;
    m->current = m->disk.current;
    m->previous = m->disk.previous;
    m->dirty = false;
    m->retry_ms = m->begin_after_ms = m->watched_noted_ms = 0;
    m->watched_at_ms = w->now_ms;
    for (int i = 0; i < m->node_count; i++) {
        struct sim_node *n = machine_node(w, m, i);
        n->facts = (struct reconcile_node){.wanted = true};
        n->noted = n->durable;
        if (t->state == TRANSITION_NONE) continue;
        if (n->noted.moved) memcpy(n->facts.assigned, t->to, sizeof n->facts.assigned);
        n->facts.excused = n->noted.excused;
        n->facts.tries = n->noted.tries;
    }
}
