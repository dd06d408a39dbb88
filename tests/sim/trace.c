#include "tests/sim/trace.h"

#include "tests/sim/machine.h"
#include "tests/sim/rollouts.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const kinds[] = {
    [SIM_TO_MASTER] = "to master", [SIM_TO_AGENT] = "to agent",   [SIM_LINK] = "link looks",
    [SIM_AGENT] = "agent wakes",   [SIM_START] = "agent starts",  [SIM_EXAMINED] = "examined",
    [SIM_PROBED] = "probed",       [SIM_CONSENT] = "consent",     [SIM_PROCESS] = "process",
    [SIM_FETCHED] = "fetched",     [SIM_POWER] = "power",         [SIM_PARK_END] = "park ends",
    [SIM_TICK] = "tick",           [SIM_MASTER_UP] = "master up", [SIM_FAULT] = "fault",
    [SIM_MEND] = "mend",           [SIM_OPERATE] = "operate",     [SIM_LOOK] = "look",
};

static bool of_one_agent(int kind) {
    return kind != SIM_TICK && kind != SIM_MASTER_UP && kind != SIM_FAULT && kind != SIM_OPERATE &&
           kind != SIM_LOOK;
}

static void print_agent(struct world *w, uint32_t agent) {
    static const char *const processes[] = {"gone", "starting", "good", "ill", "hung"};
    const struct machine *m = &w->machines[agent];
    printf("    agent %u: domain %d, %s%s%s, store %x, phase %d hold %d, current %s, wants %s "
           "(rollout %d attempt %d lease %" PRId64 " ms), %s",
           agent, m->domain, m->powered ? "powered" : "off", m->agent_up ? ", up" : ", agent down",
           m->cut_in || m->cut_out ? ", cut off" : "", m->disk.store, (int)m->decision.update,
           (int)m->decision.hold, version_name(m->disk.current), version_name(m->wanted.version),
           m->wanted.rollout, m->wanted.attempt,
           m->lease_until_ms == INT64_MAX ? -1 : m->lease_until_ms - w->now_ms,
           transition_state_name(m->journal.transition.state));
    for (int i = 0; i < m->node_count; i++) {
        const struct sim_node *n = machine_node(w, m, i);
        printf(", node %d %s %s", i, version_name(n->version), processes[n->process]);
    }
    printf("\n");
}

static void print_row(struct world *w, uint32_t agent) {
    const struct row *row = &w->master.rows[agent];
    const struct sim_rollout *r = rollout_find(w, row->active);
    printf("    master: status %d, desired %s generation %" PRId64 ", leave %d, reported %s"
           " working %d/%d progress %d cause %d attempt %d",
           row->status, version_name(row->desired.version), row->desired.generation, row->leave,
           version_name(row->report.version), row->report.working, row->report.nodes,
           row->report.update.state, row->report.update.cause, row->report.update.attempt);
    if (r != NULL)
        printf(", member %s of rollout %d (%s) attempt %d",
               rollout_member_state_name(r->live.members[row->member_index].state), r->number,
               rollout_state_name(r->live.state), r->live.members[row->member_index].attempt);
    printf("\n");
}

void trace_dump(struct world *w, uint32_t agent) {
    print_agent(w, agent);
    print_row(w, agent);
}

void trace_event(struct world *w, const struct planned *e) {
    if (w->scenario.trace < 0 || !of_one_agent(e->kind) || e->agent != w->scenario.trace) return;
    printf("%10.3f %s node %d detail %d\n", (double)w->now_ms / 1000, kinds[e->kind], e->node,
           e->detail);
    trace_dump(w, e->agent);
}

void trace_rollout(struct world *w, const struct sim_rollout *r, const char *verb) {
    if (w->scenario.trace < 0) return;
    struct rollout_tally t;
    rollout_count(&r->live, &t);
    printf("%10.3f rollout %d to %s %s %s cause %s hold %s: %" PRId64 " waiting, %" PRId64
           " granted, %" PRId64 " committed, %" PRId64 " failed, %" PRId64 " deferred, %" PRId64
           " in flight, %" PRId64 " unavailable, %" PRId64 " slots\n",
           (double)w->now_ms / 1000, r->number, version_name(r->target), verb,
           rollout_state_name(r->live.state), rollout_cause_name(r->live.cause),
           rollout_cause_name(r->live.hold), t.states[MEMBER_WAITING], t.states[MEMBER_GRANTED],
           t.states[MEMBER_COMMITTED], t.states[MEMBER_FAILED], t.states[MEMBER_DEFERRED],
           t.in_flight, t.unavailable, t.slots);
}

void trace_rollouts(struct world *w) {
    if (w->now_ms % 60000 != 0) return;
    for (int i = 0; i < SIM_ROLLOUTS_MAX; i++) {
        const struct sim_rollout *r = &w->master.rollouts[i];
        if (r->number != 0 && rollout_is_live(&r->live)) trace_rollout(w, r, "is still");
    }
}
