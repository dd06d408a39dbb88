/* What a rollout makes of one look at its members: stop by itself, go back by itself, go on. */
#include "master/rollout_internal.h"

void rollout_pause(struct rollout *r, enum rollout_cause cause, int64_t now_ms) {
    if (r->state != ROLLOUT_PAUSED) {
        rollout_enter(r, ROLLOUT_PAUSED, cause, now_ms);
        return;
    }
    bool graver = cause == CAUSE_VERSION || cause == CAUSE_SILENT || cause == CAUSE_UNTRUSTED;
    if (graver && r->cause != CAUSE_UNTRUSTED) r->cause = cause;
}

/* Whether it runs, or may come to run, the version. */
static bool has_left_origin(const struct rollout_member *m) {
    bool begun = m->facts.progress == PROGRESS_SWITCHING || m->facts.progress == PROGRESS_PROBATION;
    switch ((enum rollout_member_state)m->state) {
    case MEMBER_GRANTED:
    case MEMBER_COMMITTED:
    case MEMBER_FAILED:
    case MEMBER_HELD:
    case MEMBER_RETURN_FAILED:
        return true;
    case MEMBER_WAITING:
    case MEMBER_DEFERRED:
        return m->attempt > 0 && begun;
    default:
        return false;
    }
}

void rollout_begin_revert(struct rollout *r, enum rollout_cause cause, int64_t now_ms) {
    for (size_t i = 0; i < r->member_count; i++) {
        struct rollout_member *m = &r->members[i];
        bool culprit = m->state == MEMBER_FAILED || m->state == MEMBER_HELD;
        if (!has_left_origin(m)) continue;
        rollout_move(m, MEMBER_LEAVING, culprit ? m->cause : CAUSE_NONE);
    }
    rollout_enter(r, ROLLOUT_REVERTING, cause, now_ms);
}

static bool is_overdue(const struct rollout *r, int64_t now_ms) {
    return now_ms - r->progress_ms >= r->policy.progress_deadline_ms;
}

/* Gives up on fetches that take too long, so that they block nobody. */
static bool defer_fetching(struct rollout *r) {
    bool any = false;
    for (size_t i = 0; i < r->member_count; i++) {
        struct rollout_member *m = &r->members[i];
        if (m->state != MEMBER_WAITING || m->facts.staged || m->facts.on_target) continue;
        rollout_move(m, MEMBER_DEFERRED, CAUSE_DOWNLOAD);
        any = true;
    }
    return any;
}

static void mark_broken(struct rollout *r) {
    for (size_t i = 0; i < r->member_count; i++) {
        struct rollout_member *m = &r->members[i];
        bool broken = m->state != MEMBER_EXCLUDED && rollout_is_broken(m);
        if (m->was_broken != broken) m->changed = true;
        m->was_broken = broken;
    }
}

static void step_prefetch(struct rollout *r, struct rollout_survey *s, struct rollout_time at) {
    int64_t failed =
        s->unfetched[CAUSE_MACHINE] + s->unfetched[CAUSE_DOWNLOAD] + s->unfetched[CAUSE_UNTRUSTED];
    if (s->staged > r->staged) {
        r->staged = s->staged;
        r->progress_ms = at.now_ms;
    }
    if (s->tally.selected == 0) {
        rollout_enter(r, ROLLOUT_COMPLETED, CAUSE_NONE, at.now_ms);
    } else if (s->fetching > 0) {
        if (is_overdue(r, at.now_ms)) (void)defer_fetching(r);
    } else if (failed > s->staged) {
        bool machines = s->unfetched[CAUSE_MACHINE] > s->unfetched[CAUSE_DOWNLOAD];
        rollout_pause(r, machines ? CAUSE_MACHINE : CAUSE_DOWNLOAD, at.now_ms);
    } else if (s->staged == 0) {
        r->hold = CAUSE_AWAY;
        if (is_overdue(r, at.now_ms)) rollout_pause(r, CAUSE_PROGRESS, at.now_ms);
    } else {
        mark_broken(r);
        bool canaries = rollout_amount_of(r->policy.canary, s->tally.selected) > 0;
        rollout_enter(r, canaries ? ROLLOUT_CANARY : ROLLOUT_ROLLING, CAUSE_NONE, at.now_ms);
    }
}

static void pause_when_overdue(struct rollout *r, int64_t now_ms) {
    if (!is_overdue(r, now_ms)) return;
    if (defer_fetching(r)) return;
    rollout_pause(r, r->hold == CAUSE_BUDGET ? CAUSE_BUDGET : CAUSE_PROGRESS, now_ms);
}

/* Outside of the maintenance windows nobody begins. */
static void admit(struct rollout *r, const struct rollout_survey *s, struct rollout_time at) {
    if (at.window_open) rollout_admit(r, s, at.now_ms);
}

static bool somebody_waits(const struct rollout_survey *s) {
    return s->first[RANK_WAITING] >= 0 || s->first[RANK_DEFERRED] >= 0;
}

static void step_canary(struct rollout *r, struct rollout_survey *s, struct rollout_time at) {
    int64_t wanted = rollout_amount_of(r->policy.canary, s->tally.selected);
    int64_t missing = wanted - s->canaries;
    if (missing > 0 && rollout_choose_canaries(r, missing, at.now_ms) > 0) return;
    if (s->tally.selected == 0)
        rollout_enter(r, ROLLOUT_COMPLETED, CAUSE_NONE, at.now_ms);
    else if (somebody_waits(s))
        admit(r, s, at);
    else if (s->canaries == 0)
        r->hold = s->deferred != CAUSE_NONE ? s->deferred : CAUSE_AWAY;
    else if (s->canaries == s->canaries_committed && s->flying == 0)
        rollout_enter(r, ROLLOUT_AWAIT_PROMOTE, CAUSE_NONE, at.now_ms);
    if (r->state == ROLLOUT_CANARY) pause_when_overdue(r, at.now_ms);
}

static void step_await_promote(struct rollout *r, struct rollout_survey *s,
                               struct rollout_time at) {
    int64_t due_ms = r->entered_ms + r->policy.auto_promote_ms;
    if (r->policy.auto_promote_ms == ROLLOUT_NEVER || at.now_ms < due_ms) return;
    if (!s->canary_sick) {
        rollout_enter(r, ROLLOUT_ROLLING, CAUSE_NONE, at.now_ms);
        return;
    }
    r->hold = CAUSE_VERSION;
    if (at.now_ms - due_ms >= r->policy.progress_deadline_ms)
        rollout_pause(r, CAUSE_VERSION, at.now_ms);
}

static void step_rolling(struct rollout *r, struct rollout_survey *s, struct rollout_time at) {
    bool waits = somebody_waits(s);
    if (waits) admit(r, s, at);
    if (!waits && s->tally.states[MEMBER_WAITING] == 0 && s->flying == 0)
        rollout_enter(r, ROLLOUT_COMPLETED, CAUSE_NONE, at.now_ms);
    else
        pause_when_overdue(r, at.now_ms);
}

/* Deferred machines trickle in, as long as the version does well and is offered. */
static void step_completed(struct rollout *r, struct rollout_survey *s, struct rollout_time at) {
    if (!somebody_waits(s)) return;
    if (rollout_failed(r, s))
        r->hold = CAUSE_VERSION;
    else if (r->withdrawn)
        r->hold = CAUSE_WITHDRAWN;
    else
        admit(r, s, at);
}

static void give_up_returns(struct rollout *r) {
    for (size_t i = 0; i < r->member_count; i++)
        if (r->members[i].state == MEMBER_LEAVING)
            rollout_move(&r->members[i], MEMBER_RETURN_FAILED, CAUSE_AWAY);
}

static void step_reverting(struct rollout *r, struct rollout_survey *s, struct rollout_time at) {
    const int64_t *n = s->tally.states;
    rollout_admit_returns(r, s, at.now_ms);
    if (n[MEMBER_LEAVING] + n[MEMBER_RETURNING] == 0) {
        bool stuck = n[MEMBER_RETURN_FAILED] > 0;
        rollout_enter(r, stuck ? ROLLOUT_REVERT_STUCK : ROLLOUT_REVERTED, r->cause, at.now_ms);
    } else if (s->newest == 0 && s->flying == 0) {
        r->hold = CAUSE_AWAY;
        if (is_overdue(r, at.now_ms)) give_up_returns(r);
    }
}

/* True when the last of those that were stuck has returned. */
static bool end_stuck(struct rollout *r, const struct rollout_survey *s, int64_t now_ms) {
    const int64_t *n = s->tally.states;
    if (r->state != ROLLOUT_REVERT_STUCK || n[MEMBER_RETURN_FAILED] + n[MEMBER_RETURNING] > 0)
        return false;
    rollout_enter(r, ROLLOUT_REVERTED, r->cause, now_ms);
    return true;
}

/* True when it stopped or turned back by itself. That agents refuse what was withdrawn is no sign
 * of an attack. */
static bool guard(struct rollout *r, const struct rollout_survey *s, int64_t now_ms) {
    if (!rollout_is_forward(r->state) || r->state == ROLLOUT_DRAFT) return false;
    bool failed = rollout_failed(r, s);
    if (failed && r->policy.auto_revert)
        rollout_begin_revert(r, s->failed, now_ms);
    else if (s->untrusted && !r->withdrawn)
        rollout_pause(r, CAUSE_UNTRUSTED, now_ms);
    else if (failed)
        rollout_pause(r, s->failed, now_ms);
    else if (r->withdrawn && r->state != ROLLOUT_PAUSED)
        rollout_pause(r, CAUSE_WITHDRAWN, now_ms);
    else if (r->condemned && r->state != ROLLOUT_PAUSED)
        rollout_pause(r, CAUSE_VERSION, now_ms);
    else if (s->tally.states[MEMBER_HELD] > 0 && r->state != ROLLOUT_PAUSED)
        rollout_pause(r, s->held, now_ms);
    else
        return false;
    return true;
}

static bool needs_window(enum rollout_state state) {
    return state == ROLLOUT_CANARY || state == ROLLOUT_ROLLING || state == ROLLOUT_COMPLETED;
}

void rollout_step(struct rollout *r, struct rollout_survey *s, struct rollout_time at, bool quiet) {
    if (end_stuck(r, s, at.now_ms)) return;
    if (quiet) {
        if (rollout_is_active(r->state)) r->hold = CAUSE_RECOVERING;
        return;
    }
    if (guard(r, s, at.now_ms)) return;
    if (!at.window_open && needs_window(r->state)) r->hold = CAUSE_WINDOW;
    switch (r->state) {
    case ROLLOUT_DRAFT:
        rollout_enter(r, ROLLOUT_PREFETCH, CAUSE_NONE, at.now_ms);
        break;
    case ROLLOUT_PREFETCH:
        step_prefetch(r, s, at);
        break;
    case ROLLOUT_CANARY:
        step_canary(r, s, at);
        break;
    case ROLLOUT_AWAIT_PROMOTE:
        step_await_promote(r, s, at);
        break;
    case ROLLOUT_ROLLING:
        step_rolling(r, s, at);
        break;
    case ROLLOUT_COMPLETED:
        step_completed(r, s, at);
        break;
    case ROLLOUT_REVERTING:
        step_reverting(r, s, at);
        break;
    case ROLLOUT_REVERT_STUCK:
        rollout_admit_returns(r, s, at.now_ms);
        break;
    case ROLLOUT_PAUSED:
    case ROLLOUT_REVERTED:
    case ROLLOUT_STOPPED:
    case ROLLOUT_SUPERSEDED:
    case ROLLOUT_STATE_COUNT:
        break;
    }
}
