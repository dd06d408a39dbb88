#include "tests/sim/agent_internal.h"

#include "agent/backoff.h"
#include "tests/sim/machine.h"
#include "tests/sim/rules.h"

#include <stdio.h>
#include <string.h>

enum {
    HUNG_AFTER_MS = 30000,
    PROBE_MS = 2000,
    REPROBE_MS = 10000,
    MISSES = 3,
    CONSENT_MS = 30,
    BUSY_PPM = 200000, /* nodes that cannot be spared for just a moment */
    EXAMINE_MS = 300,
};

static uint32_t random_number(struct world *w) {
    return (uint32_t)dice_next(&w->dice);
}

void agent_wake(struct world *w, uint32_t agent) {
    agent_run(w, agent);
}

bool agent_writes(struct world *w, uint32_t agent) {
    struct machine *m = &w->machines[agent];
    if (m->crash_after == 0) {
        agent_die(w, agent, true);
        return false;
    }
    if (m->crash_after > 0) m->crash_after--;
    return machine_can_write(m);
}

static void ask(struct world *w, uint32_t agent, int node, enum happening kind, int64_t delay_ms) {
    const struct machine *m = &w->machines[agent];
    world_after(w, delay_ms,
                &(struct planned){
                    .kind = (uint8_t)kind, .agent = agent, .node = (uint8_t)node, .life = m->life});
}

void agent_start(struct world *w, uint32_t agent) {
    struct machine *m = &w->machines[agent];
    if (m->agent_up || !m->powered) return;
    m->agent_up = true;
    m->life++;
    m->crash_after = -1;
    m->wanted = m->disk.desired;
    m->link = (struct link_state){0};
    m->session = 0;
    m->answer_by_ms = INT64_MAX;
    m->link_wake_ms = m->agent_wake_ms = 0;
    m->connected = false;
    m->lease_until_ms = 0;
    m->fetching = 0;
    for (int i = 0; i < SIM_TRIES; i++) m->tries[i].version = 0;
    m->decision =
        (struct reconcile_decision){.update = UPDATE_IDLE, .begun = true, .wake_ms = INT64_MAX};
    agent_open_journal(w, agent);
    for (int i = 0; i < m->node_count; i++)
        ask(w, agent, i, SIM_EXAMINED, dice_between(&w->dice, 5, EXAMINE_MS));
    agent_report(w, agent, &m->said);
    agent_link_event(w, agent, LINK_TICK);
}

void agent_die(struct world *w, uint32_t agent, bool again) {
    struct machine *m = &w->machines[agent];
    if (!m->agent_up) return;
    m->agent_up = false;
    m->life++;
    if (again)
        world_after(w, dice_between(&w->dice, 50, RESTART_MS),
                    &(struct planned){.kind = SIM_START, .agent = agent});
}

static void become_down(struct reconcile_node *n) {
    n->phase = NODE_DOWN;
    n->running[0] = '\0';
    n->proven = n->killed = n->hung = false;
    n->health = HEALTH_NONE;
    n->stop_answer = STOP_UNASKED;
    n->misses = 0;
}

static void back_off(struct world *w, struct reconcile_node *n, int64_t up_ms) {
    n->failures = backoff_failed(n->failures, up_ms);
    n->start_after_ms = w->now_ms + backoff_pause_ms(&backoff_node, n->failures, random_number(w));
}

static void reap(struct world *w, struct sim_node *node) {
    struct reconcile_node *n = &node->facts;
    bool wanted = n->phase == NODE_STOPPING && !n->hung;
    if (wanted && n->tries > 0) n->tries--; /* it says nothing */
    become_down(n);
    if (wanted) {
        n->failures = 0;
        n->start_after_ms = w->now_ms;
    } else {
        back_off(w, n, w->now_ms - node->started_ms);
    }
}

static void become_running(struct world *w, struct sim_node *node) {
    struct reconcile_node *n = &node->facts;
    n->phase = NODE_RUNNING;
    n->started_ms = w->now_ms;
    snprintf(n->running, sizeof n->running, "%s", version_name(node->version));
}

void agent_process_changed(struct world *w, uint32_t agent, int node) {
    const struct machine *m = &w->machines[agent];
    struct sim_node *n = machine_node(w, m, node);
    bool watched = n->facts.phase == NODE_RUNNING || n->facts.phase == NODE_STOPPING;
    if (!m->agent_up || !watched) return;
    if (n->process == PROCESS_GONE) {
        reap(w, n);
        agent_wake(w, agent);
    } else {
        ask(w, agent, node, SIM_PROBED, dice_between(&w->dice, 1, PROBE_MS));
    }
}

static void take_examination(struct world *w, uint32_t agent, int node) {
    struct sim_node *n = machine_node(w, &w->machines[agent], node);
    if (n->facts.phase != NODE_UNKNOWN) return;
    if (n->process == PROCESS_GONE) {
        become_down(&n->facts);
        n->facts.start_after_ms = w->now_ms;
    } else {
        become_running(w, n);
        ask(w, agent, node, SIM_PROBED, dice_between(&w->dice, 1, PROBE_MS));
    }
}

static void take_miss(struct world *w, uint32_t agent, int node, struct reconcile_node *n) {
    bool young = !n->proven && w->now_ms < n->started_ms + RECONCILE_HEALTHY_MS;
    if (n->misses == 0) n->silent_since_ms = w->now_ms;
    n->misses = MISSES;
    if (!young) n->health = HEALTH_BAD;
    ask(w, agent, node, SIM_PROBED, REPROBE_MS);
}

static void take_probe(struct world *w, uint32_t agent, int node) {
    const struct machine *m = &w->machines[agent];
    struct sim_node *s = machine_node(w, m, node);
    struct reconcile_node *n = &s->facts;
    if (n->phase != NODE_RUNNING) return;
    if (s->process == PROCESS_STARTING || s->process == PROCESS_HUNG) {
        take_miss(w, agent, node, n);
        return;
    }
    n->misses = 0;
    n->health = s->process == PROCESS_ILL ? HEALTH_BAD : HEALTH_GOOD;
    if (n->health == HEALTH_GOOD && m->disk_state != DISK_GOOD) n->health = HEALTH_MACHINE;
    n->proven |= n->health != HEALTH_BAD;
}

static void take_consent(struct world *w, uint32_t agent, int node) {
    const struct machine *m = &w->machines[agent];
    struct sim_node *s = machine_node(w, m, node);
    if (!s->asked || s->facts.phase != NODE_RUNNING) return;
    s->asked = false;
    bool busy = !w->calm && w->scenario.vetoes && dice_chance(&w->dice, BUSY_PPM);
    s->facts.stop_answer = m->vetoes || busy ? STOP_VETOED : STOP_GRANTED;
    s->facts.answered_ms = w->now_ms;
}

static void start_node(struct world *w, uint32_t agent, int node) {
    struct sim_node *n = machine_node(w, &w->machines[agent], node);
    int version = version_number(n->facts.assigned);
    if (!agent_writes(w, agent)) {
        n->facts.machine_failed = true;
        if (n->facts.tries > 0) n->facts.tries--; /* through no fault of the version */
        back_off(w, &n->facts, 0);
        return;
    }
    n->facts.machine_failed = false;
    machine_start(w, agent, node, version);
    become_running(w, n);
}

static void terminate_node(struct world *w, uint32_t agent, int node) {
    struct sim_node *n = machine_node(w, &w->machines[agent], node);
    n->facts.phase = NODE_STOPPING;
    n->facts.stopping_ms = w->now_ms;
    n->facts.stop_answer = STOP_UNASKED;
    n->asked = false;
    machine_stop(w, agent, node, false);
}

static bool take_step(struct world *w, uint32_t agent, int node, enum step step) {
    struct sim_node *n = machine_node(w, &w->machines[agent], node);
    switch (step) {
    case STEP_START:
        start_node(w, agent, node);
        return true;
    case STEP_ASK:
        n->facts.stop_answer = STOP_ASKED;
        n->asked = true;
        ask(w, agent, node, SIM_CONSENT, dice_between(&w->dice, 1, CONSENT_MS));
        return true;
    case STEP_TERMINATE:
        terminate_node(w, agent, node);
        return true;
    case STEP_KILL:
        n->facts.killed = true;
        machine_stop(w, agent, node, true);
        return true;
    case STEP_NONE:
    default:
        return false;
    }
}

/* True when the facts are not what they were. */
static bool act(struct world *w, uint32_t agent, const enum step *steps) {
    struct machine *m = &w->machines[agent];
    const struct reconcile_decision *d = &m->decision;
    int proven = version_number(d->commit);
    if (d->turn == TURN_COMMIT) rules_committed(w, agent, proven);
    if (proven != 0) agent_commit(w, agent, proven);
    if (m->agent_up && d->turn != TURN_NONE) agent_take_turn(w, agent);
    if (proven != 0 || d->turn != TURN_NONE) return true;
    bool changed = false;
    agent_note_steps(w, agent, steps);
    for (int i = 0; i < m->node_count && m->agent_up; i++)
        changed |= take_step(w, agent, i, steps[i]);
    return changed;
}

static void describe_version(const struct machine *m, int version, struct reconcile_version *out) {
    snprintf(out->sha256, sizeof out->sha256, "%s", version_name(version));
    out->staged = version != 0 && (m->disk.store & (1U << version)) != 0;
    const struct sim_try *t = agent_try(m, version);
    out->fetch_failed = t != NULL && t->failures > 0;
    if (t != NULL) out->fetch_after_ms = t->after_ms;
}

/* Processes that can answer do so all the time. */
static void hear(struct world *w, const struct machine *m, struct reconcile_node *nodes) {
    for (int i = 0; i < m->node_count; i++) {
        enum process_state process = machine_node(w, m, i)->process;
        bool silent = process == PROCESS_STARTING || process == PROCESS_HUNG;
        if (nodes[i].phase == NODE_RUNNING && !silent) nodes[i].heard_ms = w->now_ms;
    }
}

static void describe_world(const struct world *w, const struct machine *m,
                           struct reconcile_input *in) {
    *in = (struct reconcile_input){
        .generation = m->wanted.generation,
        .draining = m->wanted.draining,
        .connected = m->connected,
        .may_download = true,
        .hung_after_ms = HUNG_AFTER_MS,
        .grant = {.given = m->wanted.rollout != 0,
                  .lease_until_ms = m->lease_until_ms,
                  .policy = agent_policy(&m->wanted)},
        .target_failed = agent_gave_up(m),
        .transition = m->journal.transition,
        .unwritable = w->now_ms < m->begin_after_ms,
    };
    describe_version(m, m->wanted.version, &in->target);
    describe_version(m, m->current, &in->current);
    describe_version(m, m->previous, &in->previous);
    describe_version(m, m->wanted.prefetch, &in->prefetch);
    snprintf(in->fetching, sizeof in->fetching, "%s", version_name(m->fetching));
}

static void decide(struct world *w, uint32_t agent) {
    struct machine *m = &w->machines[agent];
    struct reconcile_node nodes[SIM_NODES_MAX];
    enum step steps[SIM_NODES_MAX];
    struct reconcile_input in;
    for (int round = 0; round < AGENT_ROUNDS && m->agent_up; round++) {
        for (int i = 0; i < m->node_count; i++) nodes[i] = machine_node(w, m, i)->facts;
        describe_world(w, m, &in);
        hear(w, m, nodes);
        reconcile(&in, nodes, steps, (size_t)m->node_count, w->now_ms, &m->decision);
        for (int i = 0; i < m->node_count; i++) machine_node(w, m, i)->facts = nodes[i];
        if (!act(w, agent, steps)) return;
    }
    m->decision.wake_ms = w->now_ms;
}

/* What is in the store and in nobody's way goes, as agent/versions.c. */
static void collect(struct world *w, uint32_t agent) {
    struct machine *m = &w->machines[agent];
    if (m->decision.update != UPDATE_IDLE || m->fetching != 0) return;
    unsigned keep = 1U << m->wanted.version | 1U << m->wanted.prefetch | 1U << m->disk.current |
                    1U << m->disk.previous | 1U << m->current | 1U << m->previous;
    for (int i = 0; i < m->node_count; i++) keep |= 1U << machine_node(w, m, i)->version;
    m->disk.store &= (uint16_t)keep;
}

void agent_run(struct world *w, uint32_t agent) {
    struct machine *m = &w->machines[agent];
    struct sim_report report;
    int64_t due_ms = INT64_MAX;
    if (!m->agent_up) return;
    agent_watch(w, agent, &due_ms);
    if (m->agent_up) decide(w, agent);
    if (!m->agent_up) return;
    agent_fetch(w, agent, version_number(m->decision.fetch));
    collect(w, agent);
    int64_t wake_ms = m->decision.wake_ms < due_ms ? m->decision.wake_ms : due_ms;
    bool waits = m->agent_wake_ms > w->now_ms && m->agent_wake_ms <= wake_ms;
    if (wake_ms != INT64_MAX && !waits) {
        m->agent_wake_ms = wake_ms > w->now_ms ? wake_ms : w->now_ms + 1;
        world_after(w, m->agent_wake_ms - w->now_ms,
                    &(struct planned){.kind = SIM_AGENT, .agent = agent, .life = m->life});
    }
    agent_report(w, agent, &report);
    bool news = agent_report_differs(&report, &m->said);
    m->said = report;
    if (news) agent_link_event(w, agent, LINK_CHANGED);
    rules_look_at(w, agent);
}

void agent_event(struct world *w, const struct planned *e) {
    struct machine *m = &w->machines[e->agent];
    if (e->kind == SIM_START) {
        agent_start(w, e->agent);
        return;
    }
    if (!m->agent_up || e->life != m->life) return;
    if (e->kind == SIM_LINK) {
        agent_link_look(w, e->agent);
        return;
    }
    if (e->kind == SIM_EXAMINED) take_examination(w, e->agent, e->node);
    if (e->kind == SIM_PROBED) take_probe(w, e->agent, e->node);
    if (e->kind == SIM_CONSENT) take_consent(w, e->agent, e->node);
    if (e->kind == SIM_FETCHED) agent_fetched(w, e->agent, e->detail);
    agent_wake(w, e->agent);
}
