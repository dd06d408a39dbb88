/* What a person, or a newer rollout, says. */
#include "master/rollout_internal.h"

#include <assert.h>

/* Members that were put aside get another chance, and machines the time to fetch again before an
 * old failure counts. Too many failures are tried again as well: to go on past them would be
 * stopped by the same rule at once. */
static void resume(struct rollout *r, int64_t now_ms) {
    struct rollout_survey s;
    rollout_survey_begin(&s);
    for (size_t i = 0; i < r->member_count; i++) rollout_survey_add(&s, r, &r->members[i], now_ms);
    rollout_survey_end(&s, r);
    uint32_t again = BIT(MEMBER_DEFERRED) | BIT(MEMBER_HELD);
    if (rollout_failed(r, &s)) again |= BIT(MEMBER_FAILED);
    int64_t grace_ms = r->policy.progress_deadline_ms / 4;
    if (grace_ms > ROLLOUT_LEASE_MS) grace_ms = ROLLOUT_LEASE_MS;
    for (size_t i = 0; i < r->member_count; i++) {
        struct rollout_member *m = &r->members[i];
        if ((again & BIT(m->state)) == 0) continue;
        rollout_move(m, MEMBER_WAITING, CAUSE_NONE);
        m->deadline_ms = now_ms + grace_ms;
    }
    rollout_enter(r, r->resume, CAUSE_NONE, now_ms);
}

/* What has begun is finished and kept as it ends; a grant that was not used yet gets until its
 * lease has run out for sure. */
static void stop(struct rollout *r, int64_t now_ms) {
    for (size_t i = 0; i < r->member_count; i++) {
        struct rollout_member *m = &r->members[i];
        if (m->state == MEMBER_HELD) rollout_move(m, MEMBER_WAITING, CAUSE_NONE);
        bool unused = m->state == MEMBER_GRANTED && m->cause == CAUSE_NONE &&
                      m->facts.progress != PROGRESS_SWITCHING &&
                      m->facts.progress != PROGRESS_PROBATION;
        if (!unused) continue;
        m->cause = CAUSE_OPERATOR;
        m->deadline_ms = now_ms + REVOKE_MS;
        m->changed = true;
    }
    rollout_enter(r, ROLLOUT_STOPPED, CAUSE_OPERATOR, now_ms);
}

/* The newer rollout leads its agents from where they are. */
static void supersede(struct rollout *r, int64_t now_ms) {
    for (size_t i = 0; i < r->member_count; i++) {
        struct rollout_member *m = &r->members[i];
        bool going = m->state == MEMBER_GRANTED || m->state == MEMBER_HELD;
        bool returning = m->state == MEMBER_LEAVING || m->state == MEMBER_RETURNING;
        if (!going && !returning) continue;
        bool there = m->facts.on_target && m->facts.progress != PROGRESS_SWITCHING;
        if (there)
            rollout_move(m, MEMBER_COMMITTED, CAUSE_NONE);
        else if (going)
            rollout_move(m, MEMBER_WAITING, CAUSE_NONE);
        else
            rollout_move(m, MEMBER_RETURNED, CAUSE_SUPERSEDED);
    }
    rollout_enter(r, ROLLOUT_SUPERSEDED, CAUSE_SUPERSEDED, now_ms);
}

void rollout_obey(struct rollout *r, enum rollout_event order, int64_t now_ms) {
    assert(rollout_allows(order, r->state));
    switch (order) {
    case ROLLOUT_PAUSE:
        rollout_pause(r, CAUSE_OPERATOR, now_ms);
        break;
    case ROLLOUT_RESUME:
        resume(r, now_ms);
        break;
    case ROLLOUT_PROMOTE:
        rollout_enter(r, ROLLOUT_ROLLING, CAUSE_NONE, now_ms);
        break;
    case ROLLOUT_STOP:
        stop(r, now_ms);
        break;
    case ROLLOUT_ROLLBACK:
        rollout_begin_revert(r, CAUSE_OPERATOR, now_ms);
        break;
    case ROLLOUT_SUPERSEDE:
        supersede(r, now_ms);
        break;
    case ROLLOUT_TICK:
        break;
    }
}
