/* The part of tests/sim/rules.h about what the engine decides, judged from outside of it: by what
 * agents have reported and what states mean. */
#include "tests/sim/rules.h"

#include "tests/sim/trace.h"

#include <inttypes.h>

enum { OVERDUE_MS = 10000 };

static bool flies(const struct rollout_member *m) {
    return m->state == MEMBER_GRANTED || m->state == MEMBER_RETURNING;
}

/* Online, and says itself that something of it does not work. */
static bool says_broken(const struct row *row) {
    const struct sim_report *said = &row->report;
    return row->status == 0 && said->nodes > 0 && said->working < said->nodes;
}

/* Whoever takes a slot now finds that those who move and those who do not work are no more than the
 * budget (I7). */
static void check_slots(struct world *w, const struct sim_rollout *r) {
    const struct rollout *live = &r->live;
    int64_t unavailable = 0;
    int64_t moving = 0;
    bool granted = false;
    for (size_t i = 0; i < live->member_count; i++) {
        const struct rollout_member *m = &live->members[i];
        if (m->was_broken || m->state == MEMBER_EXCLUDED) continue;
        granted |= m->changed && m->state == MEMBER_GRANTED;
        if (flies(m))
            moving++;
        else if (says_broken(&w->master.rows[r->agents[i]]))
            unavailable++;
    }
    int64_t budget = rollout_amount_of(live->policy.max_parallel, (int64_t)live->member_count);
    if (granted && moving + unavailable > budget)
        rules_break(w, RULES_NOBODY,
                    "rollout %d grants although %" PRId64 " machines move and %" PRId64
                    " do not work: its budget is %" PRId64 " (I7)",
                    r->number, moving, unavailable, budget);
}

/* A failed canary, or more failures than are borne, and it goes on. */
static void check_failures(struct world *w, const struct sim_rollout *r) {
    const struct rollout *live = &r->live;
    bool goes_on = live->state == ROLLOUT_CANARY || live->state == ROLLOUT_AWAIT_PROMOTE ||
                   live->state == ROLLOUT_ROLLING;
    int64_t failures = 0;
    int64_t canaries = 0;
    for (size_t i = 0; i < live->member_count && goes_on; i++) {
        const struct rollout_member *m = &live->members[i];
        if (m->state != MEMBER_FAILED) continue;
        failures += !m->was_broken;
        canaries += m->canary;
    }
    int64_t borne = live->policy.max_failures;
    if (borne < 0) borne = (int64_t)live->member_count / 20;
    if (canaries > 0 || failures > borne)
        rules_break(w, RULES_NOBODY,
                    "rollout %d is %s after %" PRId64 " failures, %" PRId64 " of canaries",
                    r->number, rollout_state_name(live->state), failures, canaries);
}

void rules_judge_step(struct world *w, struct sim_rollout *r, enum rollout_state before) {
    if (before != r->live.state) r->entered_ms = w->now_ms;
    if (r->live.turns > r->turns_seen) check_slots(w, r);
    r->turns_seen = r->live.turns;
    check_failures(w, r);
}

void rules_judge_member(struct sim_rollout *r, size_t index) {
    const struct rollout_member *m = &r->live.members[index];
    const struct member_row *before = &r->rows[index];
    bool freed = before->state == MEMBER_GRANTED &&
                 (m->state == MEMBER_WAITING || m->state == MEMBER_DEFERRED);
    if (freed && m->facts.yielded) r->yielded[index] = before->attempt;
}

/* Deadlines fire. */
void rules_judge_deadlines(struct world *w, const struct sim_rollout *r) {
    int64_t clock_ms = r->clock_ms + w->now_ms - r->clock_at_ms;
    bool listens = !w->master.up || clock_ms < r->live.quiet_until_ms + OVERDUE_MS;
    if (listens || !w->master.can_write || w->now_ms < w->master.wrote_ms + OVERDUE_MS) return;
    for (size_t i = 0; i < r->live.member_count; i++) {
        const struct rollout_member *m = &r->live.members[i];
        if (flies(m) && clock_ms > m->deadline_ms + OVERDUE_MS)
            rules_break(w, r->agents[i], "rollout %d: the deadline of agent %u is long over",
                        r->number, r->agents[i]);
    }
}
