#include "tests/sim/rollouts.h"

#include "lib/text.h"
#include "tests/sim/facts.h"
#include "tests/sim/master.h"
#include "tests/sim/operators.h"
#include "tests/sim/rules.h"

#include <assert.h>
#include <string.h>

struct sim_rollout *rollout_find(struct world *w, int number) {
    return number > 0 ? &w->master.rollouts[number - 1] : NULL;
}

void rollout_clear(struct sim_rollout *r) {
    free(r->live.members);
    free(r->scratch);
    free(r->rows);
    free(r->agents);
    free(r->from);
    free(r->yielded);
    free(r->down);
    *r = (struct sim_rollout){0};
}

static int64_t clock_of(const struct world *w, const struct sim_rollout *r) {
    return r->clock_ms + w->now_ms - r->clock_at_ms;
}

static bool selects(const struct world *w, const struct sim_rollout *r, uint32_t agent) {
    const struct machine *m = &w->machines[agent];
    return (r->domains >> m->domain & 1) != 0 &&
           (int32_t)(agent % (uint32_t)r->modulo) == r->remainder;
}

static void write_member(struct sim_rollout *r, size_t i) {
    const struct rollout_member *m = &r->live.members[i];
    r->rows[i] = (struct member_row){.domain = m->domain,
                                     .state = m->state,
                                     .cause = m->cause,
                                     .canary = m->canary,
                                     .was_broken = m->was_broken,
                                     .attempt = m->attempt,
                                     .turn = m->turn,
                                     .deadline_ms = m->deadline_ms};
}

static void write_rollout(struct world *w, struct sim_rollout *r) {
    r->durable = r->live;
    r->durable.members = NULL;
    r->durable.hold = CAUSE_NONE;
    r->durable.quiet_until_ms = r->durable.seen_ms = r->durable.staged = 0;
    r->durable_clock_ms = clock_of(w, r);
}

static void read_rows(struct sim_rollout *r) {
    struct rollout_member *members = r->live.members;
    r->live = r->durable;
    r->live.members = members;
    for (size_t i = 0; i < r->live.member_count; i++) {
        const struct member_row *row = &r->rows[i];
        members[i] = (struct rollout_member){.domain = row->domain,
                                             .state = row->state,
                                             .cause = row->cause,
                                             .canary = row->canary,
                                             .was_broken = row->was_broken,
                                             .attempt = row->attempt,
                                             .turn = row->turn,
                                             .deadline_ms = row->deadline_ms};
    }
}

/* A revert that nobody ordered: what failed is not to be chosen again. */
static void quarantine(struct world *w, const struct sim_rollout *r) {
    unsigned bit = 1U << r->target;
    bool by_version = r->live.cause == CAUSE_VERSION || r->live.cause == CAUSE_SILENT;
    bool begins = r->live.state == ROLLOUT_REVERTING && by_version;
    if (!begins || (w->master.quarantine & bit) != 0) return;
    w->master.quarantine |= (uint16_t)bit;
    w->master.banned_ms[r->target] = w->now_ms;
}

/* What it leaves behind decides from now on. */
static void end(struct world *w, struct sim_rollout *r) {
    r->ended_wall_ms = master_wall_ms(w);
    for (size_t i = 0; i < r->live.member_count; i++) {
        struct row *row = &w->master.rows[r->agents[i]];
        if (r->live.members[i].state != MEMBER_COMMITTED || row->active != r->number) continue;
        row->kept = r->target;
        row->kept_wall_ms = r->ended_wall_ms;
    }
}

static void keep_one(struct world *w, struct sim_rollout *r, size_t i) {
    struct row *row = &w->master.rows[r->agents[i]];
    if (row->active != r->number || r->live.members[i].state != MEMBER_COMMITTED) return;
    row->kept = r->target;
    row->kept_wall_ms = r->ended_wall_ms;
}

/* One transaction: rollout, changed members, what their agents should run. */
static void persist(struct world *w, struct sim_rollout *r, enum rollout_state before) {
    bool over = !rollout_is_active(r->live.state);
    bool all = before != r->live.state;
    if (all && over) end(w, r);
    if (all) quarantine(w, r);
    write_rollout(w, r);
    for (size_t i = 0; i < r->live.member_count; i++) {
        struct rollout_member *m = &r->live.members[i];
        if (m->changed) rules_judge_member(r, i);
        if (m->changed) write_member(r, i);
        if (m->changed && over) keep_one(w, r, i);
        if (m->changed || all) master_choose(w, r->agents[i]);
    }
    if (all && w->master.quarantine != 0) master_choose_all(w);
    rules_stepped(w, r, before);
}

/* Windows go by the master's wall clock, which may jump. */
static struct rollout_time time_of(const struct world *w, const struct sim_rollout *r) {
    int64_t phase_ms = r->window_ms > 0 ? master_wall_ms(w) % (2 * r->window_ms) : 0;
    return (struct rollout_time){clock_of(w, r), phase_ms <= r->window_ms};
}

/* Leave that was not used yet ends with the window, and is told although nothing durable changed.
 */
static void tell_window(struct world *w, struct sim_rollout *r, enum rollout_cause before) {
    if ((before == CAUSE_WINDOW) == (r->live.hold == CAUSE_WINDOW)) return;
    for (size_t i = 0; i < r->live.member_count; i++) master_choose(w, r->agents[i]);
}

/* As the master's shell sees it: another one goes back from the same version. */
static bool is_condemned(const struct world *w, const struct sim_rollout *r) {
    for (int i = 0; i < SIM_ROLLOUTS_MAX && !r->override; i++) {
        const struct sim_rollout *o = &w->master.rollouts[i];
        bool bad = o->number != 0 && o->live.state == ROLLOUT_REVERTING &&
                   (o->live.cause == CAUSE_VERSION || o->live.cause == CAUSE_SILENT);
        if (o != r && bad && o->target == r->target) return true;
    }
    return false;
}

/* A step whose transaction fails has never happened. */
static bool step(struct world *w, struct sim_rollout *r, enum rollout_event event) {
    struct rollout before = r->live;
    size_t size = r->live.member_count * sizeof *r->scratch;
    facts_fill(w, r);
    r->live.condemned = event == ROLLOUT_TICK && is_condemned(w, r);
    if (!w->master.can_write) memcpy(r->scratch, r->live.members, size);
    bool taken = rollout_next(&r->live, event, time_of(w, r));
    if (!w->master.can_write) {
        memcpy(r->live.members, r->scratch, size);
        r->live = before;
        return false;
    }
    if (taken && r->live.revision != before.revision) persist(w, r, before.state);
    if (r->live.turns > before.turns) operators_granted(w, r->number);
    tell_window(w, r, before.hold);
    return taken;
}

void rollouts_tick_all(struct world *w) {
    for (int i = 0; i < SIM_ROLLOUTS_MAX; i++) {
        struct sim_rollout *r = &w->master.rollouts[i];
        if (r->number != 0 && rollout_is_live(&r->live)) (void)step(w, r, ROLLOUT_TICK);
    }
}

bool rollouts_may(struct world *w, int number, enum rollout_event order) {
    const struct sim_rollout *r = rollout_find(w, number);
    if (r->number == 0) return false;
    if (order != ROLLOUT_ROLLBACK || rollout_is_active(r->live.state)) return true;
    for (size_t i = 0; i < r->live.member_count; i++)
        if (w->master.rows[r->agents[i]].active != number) return false;
    return true;
}

bool rollouts_order(struct world *w, int number, enum rollout_event order) {
    struct sim_rollout *r = rollout_find(w, number);
    if (!w->master.up || r->number == 0 || !step(w, r, order)) return false;
    rules_ordered(w, r, order);
    return true;
}

void rollouts_load(struct world *w, int64_t quiet_ms) {
    for (int i = 0; i < SIM_ROLLOUTS_MAX; i++) {
        struct sim_rollout *r = &w->master.rollouts[i];
        if (r->number == 0) continue;
        rules_reload(w, r);
        read_rows(r);
        r->clock_ms = r->durable_clock_ms;
        r->clock_at_ms = w->now_ms;
        rollout_recover(&r->live, r->clock_ms, quiet_ms);
        r->looked_event = -1;
    }
}

static bool overlaps(struct world *w, const struct sim_rollout *r, uint32_t agent) {
    const struct sim_rollout *other = rollout_find(w, w->master.rows[agent].active);
    return other != NULL && other != r && rollout_is_active(other->live.state);
}

/* False when machines of it are another's and must stay so. */
static bool make_room(struct world *w, const struct sim_rollout *r, bool supersede) {
    bool others[SIM_ROLLOUTS_MAX + 1] = {false};
    for (uint32_t i = 0; i < w->count; i++)
        if (selects(w, r, i) && overlaps(w, r, i)) others[w->master.rows[i].active] = true;
    for (int n = 1; n <= SIM_ROLLOUTS_MAX; n++)
        if (others[n] && (!supersede || !rollouts_order(w, n, ROLLOUT_SUPERSEDE))) return false;
    return true;
}

static void add_member(struct world *w, struct sim_rollout *r, uint32_t agent) {
    struct row *row = &w->master.rows[agent];
    size_t index = r->live.member_count++;
    r->agents[index] = agent;
    r->from[index] = row->desired.version != 0 ? row->desired.version : row->report.version;
    r->live.members[index].domain = w->machines[agent].domain;
    row->active = r->number;
    row->member_index = (uint32_t)index;
    row->news_event = w->events;
    write_member(r, index);
}

static void add_members(struct world *w, struct sim_rollout *r) {
    for (uint32_t i = 0; i < w->count; i++) {
        const struct row *row = &w->master.rows[i];
        if (row->member && !row->removed && selects(w, r, i)) add_member(w, r, i);
    }
}

int rollouts_start(struct world *w, const struct sim_request *request) {
    struct master *m = &w->master;
    int number = 1;
    while (number <= SIM_ROLLOUTS_MAX && m->rollouts[number - 1].number != 0) number++;
    bool banned = (m->quarantine & (1U << request->target)) != 0 && !request->override;
    if (number > SIM_ROLLOUTS_MAX || !m->up || !m->can_write || banned) return 0;
    struct sim_rollout *r = &m->rollouts[number - 1];
    *r = (struct sim_rollout){.number = (uint8_t)number,
                              .began_ms = w->now_ms,
                              .target = request->target,
                              .override = request->override,
                              .domains = request->domains,
                              .modulo = request->modulo,
                              .remainder = request->remainder,
                              .window_ms = request->window_ms,
                              .clock_at_ms = w->now_ms};
    if (!make_room(w, r, request->supersede)) {
        r->number = 0;
        return 0;
    }
    r->live = (struct rollout){.policy = request->policy, .domain = -1};
    r->live.members = memory_zeroed(w->count, sizeof *r->live.members);
    r->scratch = memory_zeroed(w->count, sizeof *r->scratch);
    r->rows = memory_zeroed(w->count, sizeof *r->rows);
    r->agents = memory_zeroed(w->count, sizeof *r->agents);
    r->from = memory_zeroed(w->count, sizeof *r->from);
    r->yielded = memory_zeroed(w->count, sizeof *r->yielded);
    add_members(w, r);
    write_rollout(w, r);
    for (size_t i = 0; i < r->live.member_count; i++) master_choose(w, r->agents[i]);
    rules_began(w, r);
    return number;
}

static bool takes_late_joiners(const struct sim_rollout *r) {
    return r->number != 0 && rollout_is_active(r->live.state) && r->live.state != ROLLOUT_REVERTING;
}

/* A machine that joins is moved by the rollout that would have selected it, if that still goes on;
 * else the last completed one counts. */
void rollouts_greet(struct world *w, uint32_t agent) {
    struct row *row = &w->master.rows[agent];
    for (int i = 0; i < SIM_ROLLOUTS_MAX; i++) {
        struct sim_rollout *r = &w->master.rollouts[i];
        bool selected = r->number != 0 && selects(w, r, agent);
        if (selected && takes_late_joiners(r)) {
            add_member(w, r, agent);
            r->live.revision++;
            write_rollout(w, r);
        }
        bool counts = selected && r->live.state == ROLLOUT_COMPLETED;
        if (!counts || r->ended_wall_ms < row->kept_wall_ms) continue;
        row->kept = r->target;
        row->kept_wall_ms = r->ended_wall_ms;
    }
}
