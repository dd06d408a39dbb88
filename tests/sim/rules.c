#include "tests/sim/rules.h"

#include "lib/text.h"
#include "tests/sim/machine.h"
#include "tests/sim/rollouts.h"
#include "tests/sim/trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    MOST_ON_THE_WAY_MS = 3500, /* of a message that was overtaken */
    ANSWER_SLACK_MS = 6000,
    MOST_UNASKED_MS = 5000,
    MOST_MESSAGES = 40, /* under way, per agent, on average */
};

void rules_break(struct world *w, uint32_t agent, const char *format, ...) {
    va_list arguments;
    if (w->broken) return;
    w->broken = true;
    printf("seed %" PRId64 ", %.3f s, event %" PRId64 ": ", w->scenario.seed,
           (double)w->now_ms / 1000, w->events);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    if (agent != RULES_NOBODY) trace_dump(w, agent);
    printf("again with: ");
    scenario_print_command(&w->scenario);
}

static struct rollout_member *member_of(struct world *w, int number, uint32_t agent) {
    const struct row *row = &w->master.rows[agent];
    struct sim_rollout *r = rollout_find(w, number);
    if (r == NULL || row->active != number) return NULL;
    return &r->live.members[row->member_index];
}

void rules_started(struct world *w, uint32_t agent, int version) {
    if ((w->machines[agent].disk.store & (1U << version)) == 0)
        rules_break(w, agent, "agent %u starts %s without verified bytes (I2)", agent,
                    version_name(version));
}

/* No machine moves without leave: the master gives it now, or did so as long ago as a message and
 * its lease may take. */
void rules_moving(struct world *w, uint32_t agent, int version) {
    struct machine *m = &w->machines[agent];
    const struct row *row = &w->master.rows[agent];
    int64_t lease_ms =
        m->wanted.rollout != 0 ? ROLLOUT_LEASE_MS : w->scenario.interval_ms + ANSWER_SLACK_MS;
    int64_t bound_ms = lease_ms + w->scenario.delay_ms + MOST_ON_THE_WAY_MS;
    bool now = row->leave && row->desired.version == version;
    int64_t ended_ms = row->leave_ended_ms[version];
    const struct sim_rollout *r = rollout_find(w, m->wanted.rollout);
    m->moving_rollout = m->wanted.rollout;
    m->moving = machine_works(w, agent);
    m->moving_ms = w->now_ms;
    if (r != NULL && r->live.state == ROLLOUT_PAUSED && w->now_ms > r->entered_ms + bound_ms)
        rules_break(w, agent, "agent %u begins for rollout %d, which is paused for long", agent,
                    r->number);
    bool given_back = r != NULL && row->active == r->number && version == r->target &&
                      m->wanted.attempt <= r->yielded[row->member_index];
    if (given_back)
        rules_break(w, agent, "agent %u begins for rollout %d what gave its slot to another (I8)",
                    agent, r->number);
    if (now || (ended_ms > 0 && w->now_ms <= ended_ms + bound_ms)) return;
    rules_break(w, agent, "agent %u moves to %s without leave: it ended %" PRId64 " ms ago (I6)",
                agent, version_name(version), ended_ms > 0 ? w->now_ms - ended_ms : -1);
}

/* Every node runs it and works, or did when its health was last asked for; but for those that were
 * broken before. */
void rules_committed(struct world *w, uint32_t agent, int version) {
    const struct machine *m = &w->machines[agent];
    int64_t watched_ms = m->journal.transition.policy.probation_ms;
    if (w->now_ms < m->moving_ms + watched_ms)
        rules_break(w, agent, "agent %u calls %s proven before its probation is over", agent,
                    version_name(version));
    for (int i = 0; i < m->node_count; i++) {
        const struct sim_node *n = machine_node(w, m, i);
        bool well = n->process == PROCESS_GOOD || n->good_ms >= w->now_ms - MOST_UNASKED_MS;
        if (!n->facts.excused && (n->version != version || !well))
            rules_break(w, agent, "agent %u calls %s proven, but its node %d does not work on it",
                        agent, version_name(version), i);
    }
}

static bool given_up_on(const struct world *w, const struct rollout_member *m, uint32_t agent) {
    bool away = w->master.rows[agent].status != 0;
    return m == NULL || (m->state == MEMBER_LEAVING && away) || m->was_broken ||
           m->state == MEMBER_FAILED || m->state == MEMBER_HELD ||
           m->state == MEMBER_RETURN_FAILED || m->state == MEMBER_DEFERRED ||
           (m->state == MEMBER_EXCLUDED && (m->cause == CAUSE_REMOVED || away));
}

/* Those down by the rollout's doing, which it still answers for. */
static void check_budget(struct world *w, const struct sim_rollout *r, uint32_t agent) {
    int64_t down = 0;
    int32_t domain = -1;
    uint32_t other = agent;
    int64_t budget = rollout_amount_of(r->live.policy.max_parallel, (int64_t)r->live.member_count);
    for (size_t i = 0; i < r->down_count; i++) {
        if (given_up_on(w, member_of(w, r->number, r->down[i]), r->down[i])) continue;
        int32_t here = w->machines[r->down[i]].domain;
        down++;
        if (domain >= 0 && here != domain) {
            rules_break(w, agent, "rollout %d has machines down in domains %d and %d at once (I7)",
                        r->number, domain, here);
            trace_dump(w, other);
            return;
        }
        domain = here;
        other = r->down[i];
    }
    if (down > budget)
        rules_break(w, agent,
                    "rollout %d has %" PRId64 " machines down, its budget is %" PRId64 " (I7)",
                    r->number, down, budget);
}

static void add_down(struct world *w, struct sim_rollout *r, uint32_t agent) {
    r->down = memory_resize(r->down, r->down_count + 1, sizeof *r->down);
    w->machines[agent].down_index = (uint32_t)r->down_count;
    r->down[r->down_count++] = agent;
    bool alone = r->down_count == 1;
    if (!alone) check_budget(w, r, agent);
}

static void remove_down(struct world *w, struct sim_rollout *r, uint32_t agent) {
    uint32_t index = w->machines[agent].down_index;
    uint32_t last = r->down[--r->down_count];
    r->down[index] = last;
    w->machines[last].down_index = index;
}

static void count_down(struct world *w, uint32_t agent) {
    struct machine *m = &w->machines[agent];
    bool down = m->moving && m->moving_rollout != 0 && !machine_works(w, agent);
    if (down && m->down_for == 0) {
        m->down_for = m->moving_rollout;
        add_down(w, rollout_find(w, m->down_for), agent);
    } else if (m->down_for != 0 && (!down || m->down_for != m->moving_rollout)) {
        remove_down(w, rollout_find(w, m->down_for), agent);
        m->down_for = 0;
    }
}

void rules_look_at(struct world *w, uint32_t agent) {
    struct machine *m = &w->machines[agent];
    const struct disk *d = &m->disk;
    if (d->current != 0 && (d->store & (1U << d->current)) == 0)
        rules_break(w, agent, "agent %u has no verified bytes of %s, its current version (I3)",
                    agent, version_name(d->current));
    if (m->agent_up && m->journal.transition.state == TRANSITION_NONE) m->moving = false;
    count_down(w, agent);
}

void rules_desired(struct world *w, uint32_t agent) {
    const struct row *row = &w->master.rows[agent];
    const struct sim_desired *d = &row->desired;
    bool banned = row->leave && d->version != 0 && (w->master.quarantine & (1U << d->version)) != 0;
    const struct sim_rollout *r = rollout_find(w, d->rollout);
    bool back = r != NULL && d->version == r->from[row->member_index];
    bool earlier = r != NULL && r->began_ms <= w->master.banned_ms[d->version];
    if (banned && row->pin != d->version && !(r != NULL && r->override) && !back && !earlier &&
        d->version != row->kept)
        rules_break(w, agent, "agent %u is told to run %s, which is quarantined", agent,
                    version_name(d->version));
}

void rules_began(struct world *w, struct sim_rollout *r) {
    trace_rollout(w, r, "begins");
}

static void check_invariant(struct world *w, const struct sim_rollout *r) {
    const char *broken = rollout_broken_invariant(&r->live);
    if (broken != NULL)
        rules_break(w, RULES_NOBODY, "rollout %d (%s): %s", r->number,
                    rollout_state_name(r->live.state), broken);
}

void rules_stepped(struct world *w, struct sim_rollout *r, enum rollout_state before) {
    if (before != r->live.state) trace_rollout(w, r, "is");
    check_invariant(w, r);
    rules_judge_step(w, r, before);
}

/* An order that was acknowledged is what the rows say (I1). */
void rules_ordered(struct world *w, struct sim_rollout *r, enum rollout_event order) {
    (void)order;
    if (r->durable.state != r->live.state || r->durable.revision != r->live.revision)
        rules_break(w, RULES_NOBODY,
                    "rollout %d: an order was acknowledged and is not durable (I1)", r->number);
}

static bool same_member(const struct rollout_member *m, const struct member_row *row) {
    return m->domain == row->domain && m->state == row->state && m->cause == row->cause &&
           m->canary == row->canary && m->was_broken == row->was_broken &&
           m->attempt == row->attempt && m->turn == row->turn && m->deadline_ms == row->deadline_ms;
}

void rules_reload(struct world *w, const struct sim_rollout *r) {
    const struct rollout *a = &r->live;
    const struct rollout *b = &r->durable;
    bool same = a->state == b->state && a->resume == b->resume && a->cause == b->cause &&
                a->entered_ms == b->entered_ms && a->turns == b->turns && a->domain == b->domain &&
                a->revision == b->revision;
    if (!same)
        rules_break(w, RULES_NOBODY, "rollout %d changed without raising its revision (I1)",
                    r->number);
    for (size_t i = 0; i < a->member_count; i++)
        if (!same_member(&a->members[i], &r->rows[i]))
            rules_break(w, r->agents[i],
                        "rollout %d: member %zu (agent %u) changed without saying so (I1)",
                        r->number, i, r->agents[i]);
}

/* Nothing grows without bound (I4). */
void rules_look(struct world *w) {
    size_t limit = MOST_MESSAGES * w->count + 1000;
    if (w->queue.length > limit)
        rules_break(w, RULES_NOBODY, "%zu events wait, of %zu agents (I4)", w->queue.length,
                    w->count);
    for (int i = 0; i < SIM_ROLLOUTS_MAX; i++)
        if (w->master.rollouts[i].number != 0) {
            check_invariant(w, &w->master.rollouts[i]);
            rules_judge_deadlines(w, &w->master.rollouts[i]);
        }
}
