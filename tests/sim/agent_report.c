/* What the agent says of itself, as agent/report.c. */
#include "tests/sim/agent_internal.h"
#include "tests/sim/machine.h"

static void describe_hold(const struct machine *m, struct sim_update *out) {
    out->state = SAYS_WAITING;
    if (m->decision.hold == HOLD_VETO) out->cause = CAUSE_VETO;
    if (m->decision.hold == HOLD_DRAINING) out->cause = CAUSE_DRAINING;
    if (m->decision.hold == HOLD_UNWRITABLE) out->cause = CAUSE_MACHINE;
}

static void describe_unfetched(const struct machine *m, struct sim_update *out) {
    const struct sim_try *t = agent_try(m, m->wanted.version);
    out->state = SAYS_FAILED;
    if (t != NULL) out->cause = t->cause;
}

/* What keeps nodes from working that is no version's fault. */
static void describe_machine(struct world *w, const struct machine *m, struct sim_update *out) {
    for (int i = 0; i < m->node_count; i++) {
        const struct reconcile_node *n = &machine_node(w, m, i)->facts;
        bool prevented = n->phase == NODE_DOWN && n->machine_failed;
        if (prevented || (n->phase == NODE_RUNNING && n->health == HEALTH_MACHINE))
            out->cause = CAUSE_MACHINE;
    }
}

static void describe_update(struct world *w, const struct machine *m, struct sim_update *out) {
    static const enum update_state states[] = {
        [UPDATE_IDLE] = SAYS_IDLE,
        [UPDATE_WAITING] = SAYS_WAITING,
        [UPDATE_FETCHING] = SAYS_DOWNLOADING,
        [UPDATE_UNFETCHED] = SAYS_FAILED,
        [UPDATE_SWITCHING] = SAYS_SWITCHING,
        [UPDATE_PROBATION] = SAYS_PROBATION,
        [UPDATE_RETURNING] = SAYS_RETURNING,
        [UPDATE_FAILED] = SAYS_FAILED,
        [UPDATE_STUCK] = SAYS_STUCK,
    };
    enum update_phase phase = m->decision.update;
    *out = (struct sim_update){.state = (uint8_t)states[phase],
                               .rollout = m->wanted.rollout,
                               .attempt = m->wanted.attempt};
    if (!m->decision.begun && !m->dirty) out->edition = m->wanted.edition;
    if (phase == UPDATE_WAITING) describe_hold(m, out);
    if (phase == UPDATE_UNFETCHED) describe_unfetched(m, out);
    if (phase == UPDATE_FAILED) out->cause = CAUSE_VERSION;
    if (phase == UPDATE_RETURNING || phase == UPDATE_STUCK) out->cause = m->journal.cause;
    if (phase == UPDATE_SWITCHING || phase == UPDATE_PROBATION) describe_machine(w, m, out);
}

static void describe_staging(const struct machine *m, struct sim_report *out) {
    const struct sim_try *t = agent_try(m, m->wanted.prefetch);
    out->ahead = m->wanted.prefetch;
    out->staged = out->ahead != 0 && (m->disk.store & (1U << out->ahead)) != 0;
    if (!out->staged && t != NULL) out->fetch_cause = t->cause;
}

void agent_report(struct world *w, uint32_t agent, struct sim_report *out) {
    const struct machine *m = &w->machines[agent];
    *out = (struct sim_report){.generation = m->wanted.generation,
                               .version = m->current,
                               .target = m->wanted.version,
                               .nodes = (uint8_t)m->node_count};
    for (int i = 0; i < m->node_count; i++) {
        const struct reconcile_node *n = &machine_node(w, m, i)->facts;
        bool well = n->phase == NODE_RUNNING && n->proven && n->health == HEALTH_GOOD;
        out->working = (uint8_t)(out->working + well);
    }
    describe_staging(m, out);
    describe_update(w, m, &out->update);
}

bool agent_report_differs(const struct sim_report *a, const struct sim_report *b) {
    return a->generation != b->generation || a->version != b->version || a->target != b->target ||
           a->ahead != b->ahead || a->staged != b->staged || a->fetch_cause != b->fetch_cause ||
           a->working != b->working || a->update.state != b->update.state ||
           a->update.cause != b->update.cause || a->update.attempt != b->update.attempt ||
           a->update.rollout != b->update.rollout || a->update.edition != b->update.edition;
}
