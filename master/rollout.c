#include "master/rollout_internal.h"

/* What is durable of a rollout besides its members, to see whether it changed. progress_ms may move
 * with a clock that stands, and is written along with the rest. */
struct durable {
    enum rollout_state state, resume;
    enum rollout_cause cause;
    int64_t entered_ms;
    int32_t turns, domain;
};

static struct durable durable_of(const struct rollout *r) {
    return (struct durable){r->state, r->resume, r->cause, r->entered_ms, r->turns, r->domain};
}

static bool durable_equal(const struct durable *a, const struct durable *b) {
    return a->state == b->state && a->resume == b->resume && a->cause == b->cause &&
           a->entered_ms == b->entered_ms && a->turns == b->turns && a->domain == b->domain;
}

/* Nothing was to be expected meanwhile: the master listens first, the window is closed, or agents
 * move and have deadlines of their own. */
static bool clock_stands(const struct rollout *r, const struct rollout_survey *s,
                         struct rollout_time at, bool quiet) {
    return quiet || s->flying > 0 ||
           (rollout_is_forward(r->state) && !at.window_open && r->state != ROLLOUT_PREFETCH);
}

static void look(struct rollout *r, struct rollout_survey *s, int64_t now_ms, bool quiet) {
    rollout_survey_begin(s);
    for (size_t i = 0; i < r->member_count; i++) {
        struct rollout_member *m = &r->members[i];
        m->changed = false;
        rollout_settle(r, m, now_ms, quiet, s);
        rollout_survey_add(s, r, m, now_ms);
    }
    rollout_survey_end(s, r);
}

static void tick(struct rollout *r, struct rollout_time at) {
    struct rollout_survey s;
    bool quiet = at.now_ms < r->quiet_until_ms;
    r->hold = CAUSE_NONE;
    look(r, &s, at.now_ms, quiet);
    if (clock_stands(r, &s, at, quiet) && at.now_ms > r->seen_ms)
        r->progress_ms += at.now_ms - r->seen_ms;
    if (r->progress_ms > at.now_ms) r->progress_ms = at.now_ms;
    if (s.flying == 0) r->domain = -1;
    rollout_step(r, &s, at, quiet);
}

static bool any_changed(const struct rollout *r) {
    for (size_t i = 0; i < r->member_count; i++)
        if (r->members[i].changed) return true;
    return false;
}

static void forget_changes(struct rollout *r) {
    for (size_t i = 0; i < r->member_count; i++) r->members[i].changed = false;
}

bool rollout_next(struct rollout *r, enum rollout_event event, struct rollout_time at) {
    bool in_vain = event == ROLLOUT_RESUME && r->withdrawn;
    if (in_vain || !rollout_allows(event, r->state)) return false;
    struct durable before = durable_of(r);
    bool over = r->state == ROLLOUT_REVERTED || r->state == ROLLOUT_SUPERSEDED;
    if (event == ROLLOUT_TICK && !over) {
        tick(r, at);
    } else {
        forget_changes(r);
        rollout_obey(r, event, at.now_ms);
    }
    r->seen_ms = at.now_ms;
    struct durable after = durable_of(r);
    if (!durable_equal(&before, &after) || any_changed(r)) r->revision++;
    return true;
}

void rollout_recover(struct rollout *r, int64_t now_ms, int64_t quiet_ms) {
    r->quiet_until_ms = now_ms + quiet_ms;
    r->seen_ms = now_ms;
    r->hold = CAUSE_RECOVERING;
}

bool rollout_is_live(const struct rollout *r) {
    static const uint32_t unfinished[ROLLOUT_STATE_COUNT] = {
        [ROLLOUT_COMPLETED] = BIT(MEMBER_GRANTED) | BIT(MEMBER_DEFERRED),
        [ROLLOUT_STOPPED] = BIT(MEMBER_GRANTED),
        [ROLLOUT_REVERT_STUCK] = BIT(MEMBER_RETURN_FAILED) | BIT(MEMBER_RETURNING),
    };
    if (rollout_is_active(r->state)) return true;
    for (size_t i = 0; i < r->member_count; i++)
        if (unfinished[r->state] & BIT(r->members[i].state)) return true;
    return false;
}
