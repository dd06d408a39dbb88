/* The end of a run: what must have become of everything once faults have stopped (I5). */
#include "tests/sim/rules.h"

#include "tests/sim/agent.h"
#include "tests/sim/machine.h"
#include "tests/sim/rollouts.h"

#include <stdio.h>
#include <string.h>

/* People have done what they could. */
static bool waits_for_a_person(const struct sim_rollout *rollout) {
    const struct rollout *r = &rollout->live;
    if (rollout->looked_after < SIM_LOOKS) return false;
    if (r->state == ROLLOUT_PAUSED) return r->cause != CAUSE_NONE;
    return r->state == ROLLOUT_AWAIT_PROMOTE && r->policy.auto_promote_ms == ROLLOUT_NEVER;
}

/* A version that falls ill again and again may use up the budget for as long as it likes. */
static bool is_starved(const struct world *w, const struct sim_rollout *r) {
    return w->now_ms >= w->faults_end_ms + w->scenario.settle_ms &&
           w->builds[r->target].flaw != FLAW_NONE;
}

static bool rollouts_rest(struct world *w, char *why, size_t size) {
    for (int i = 0; i < SIM_ROLLOUTS_MAX; i++) {
        const struct sim_rollout *r = &w->master.rollouts[i];
        if (r->number == 0 || !rollout_is_active(r->live.state) || waits_for_a_person(r) ||
            is_starved(w, r))
            continue;
        snprintf(why, size, "rollout %d is still %s (hold %s, cause %s)", r->number,
                 rollout_state_name(r->live.state), rollout_cause_name(r->live.hold),
                 rollout_cause_name(r->live.cause));
        return false;
    }
    return true;
}

static bool reachable(const struct world *w, uint32_t agent) {
    const struct machine *m = &w->machines[agent];
    const struct row *row = &w->master.rows[agent];
    return row->member && !row->removed && m->powered && m->agent_up && !m->cut_in && !m->cut_out &&
           m->disk_state == DISK_GOOD && !m->vetoes && !row->draining;
}

/* Without a rollout a version is given up until somebody points there again; a current one that
 * fell ill is a matter of people. */
static bool excused(const struct world *w, uint32_t agent, const struct sim_desired *d) {
    const struct machine *m = &w->machines[agent];
    if (d->rollout != 0) return false;
    return agent_gave_up(m) ||
           (w->builds[d->version].flaw != FLAW_NONE && m->current == d->version);
}

static bool agent_rests(struct world *w, uint32_t agent, char *why, size_t size) {
    const struct machine *m = &w->machines[agent];
    const struct sim_desired *d = &w->master.rows[agent].desired;
    const struct sim_rollout *r = rollout_find(w, d->rollout);
    const char *name = version_name(d->version);
    if (d->version == 0 || !reachable(w, agent) || excused(w, agent, d)) return true;
    if (r != NULL && is_starved(w, r)) return true;
    if (m->wanted.generation != d->generation || m->wanted.edition != d->edition) {
        snprintf(why, size, "agent %u has not heard of its newest orders", agent);
        return false;
    }
    bool leave = d->rollout == 0 || d->lease_ms > 0;
    if (m->journal.transition.state != TRANSITION_NONE &&
        m->journal.transition.state != TRANSITION_STUCK) {
        snprintf(why, size, "agent %u is still %s", agent,
                 transition_state_name(m->journal.transition.state));
        return false;
    }
    if (!leave || machine_runs(w, agent, d->version)) return true;
    snprintf(why, size, "agent %u does not run %s, which it should (rollout %d)", agent, name,
             d->rollout);
    return false;
}

/* No machine is left behind on what was taken back. */
static bool reverted(struct world *w, char *why, size_t size) {
    for (int i = 0; i < SIM_ROLLOUTS_MAX; i++) {
        const struct sim_rollout *r = &w->master.rollouts[i];
        if (r->number == 0 || r->live.state != ROLLOUT_REVERTED) continue;
        for (size_t j = 0; j < r->live.member_count; j++) {
            uint32_t agent = r->agents[j];
            const struct row *row = &w->master.rows[agent];
            bool mine = row->active == r->number && row->pin == 0 && reachable(w, agent);
            bool on_it = row->desired.version == r->target || machine_runs(w, agent, r->target);
            if (!mine || !on_it || r->from[j] == r->target) continue;
            if (w->master.channel == r->target || row->kept == r->target) continue;
            snprintf(why, size, "rollout %d was reverted and agent %u still runs %s", r->number,
                     agent, version_name(r->target));
            return false;
        }
    }
    return true;
}

bool rules_at_rest(struct world *w, uint32_t *agent, char *why, size_t size) {
    *agent = RULES_NOBODY;
    if (!w->master.up) {
        snprintf(why, size, "the master is away");
        return false;
    }
    if (!rollouts_rest(w, why, size)) return false;
    for (uint32_t i = 0; i < w->count; i++) {
        if (agent_rests(w, i, why, size)) continue;
        *agent = i;
        return false;
    }
    return reverted(w, why, size);
}
