/* One member: where its facts lead it. Grants are rollout_grant.c's. */
#include "master/rollout_internal.h"

int64_t rollout_grant_ms(const struct rollout *r, const struct rollout_member *m) {
    int64_t nodes = m->facts.nodes > 1 ? m->facts.nodes : 1;
    /* Each node may take its healthy_deadline to start, and the probation may be longer by one. */
    return ROLLOUT_LEASE_MS + (nodes + 1) * r->policy.healthy_deadline_ms + r->policy.probation_ms +
           MARGIN_MS;
}

static bool has_begun(const struct rollout_member *m) {
    return m->facts.progress == PROGRESS_SWITCHING || m->facts.progress == PROGRESS_PROBATION;
}

/* Runs what it ran before, as its report says. */
static bool is_back(const struct rollout_member *m) {
    return m->facts.progress == PROGRESS_WENT_BACK && !m->facts.on_target;
}

/* The newest decision of somebody else that takes it away from this rollout; CAUSE_NONE: none. */
static enum rollout_cause excluding(const struct rollout_member *m) {
    static const uint32_t done =
        BIT(MEMBER_COMMITTED) | BIT(MEMBER_FAILED) | BIT(MEMBER_RETURNED) | BIT(MEMBER_EXCLUDED);
    static const uint32_t before_grant =
        BIT(MEMBER_WAITING) | BIT(MEMBER_DEFERRED) | BIT(MEMBER_HELD);
    if (m->state == MEMBER_EXCLUDED) return CAUSE_NONE;
    if (m->facts.removed) return CAUSE_REMOVED;
    if (done & BIT(m->state)) return CAUSE_NONE;
    if (m->facts.pinned) return CAUSE_PINNED;
    if (m->facts.taken) return CAUSE_SUPERSEDED;
    return (before_grant & BIT(m->state)) && !m->facts.has_build ? CAUSE_NO_BUILD : CAUSE_NONE;
}

static void defer(struct rollout_member *m, enum rollout_cause cause, int64_t not_before_ms) {
    rollout_move(m, MEMBER_DEFERRED, cause);
    m->deadline_ms = not_before_ms;
}

static int64_t retry_ms(const struct rollout_member *m) {
    int32_t doublings = m->attempt < RETRY_DOUBLINGS ? m->attempt : RETRY_DOUBLINGS;
    return RETRY_MS << (doublings > 0 ? doublings - 1 : 0);
}

/* Its grant was not used, and cannot be any more. */
static void take_back(const struct rollout *r, struct rollout_member *m, enum rollout_cause cause,
                      int64_t now_ms) {
    if (r->state == ROLLOUT_STOPPED)
        rollout_move(m, MEMBER_WAITING, CAUSE_NONE);
    else
        defer(m, cause, now_ms + retry_ms(m));
}

static void commit(struct rollout *r, struct rollout_member *m, int64_t now_ms) {
    rollout_move(m, MEMBER_COMMITTED, CAUSE_NONE);
    m->was_broken = false;
    r->progress_ms = now_ms;
}

/* It tried or would not try; whose fault is it? */
static void blame(struct rollout *r, struct rollout_member *m, int64_t now_ms) {
    switch (m->facts.cause) {
    case CAUSE_VETO:
    case CAUSE_DRAINING:
    case CAUSE_AWAY:
        take_back(r, m, m->facts.cause, now_ms);
        return;
    case CAUSE_MACHINE:
    case CAUSE_DOWNLOAD:
        if (m->was_broken || !rollout_is_forward(r->state))
            take_back(r, m, m->facts.cause, now_ms);
        else
            rollout_move(m, MEMBER_HELD, m->facts.cause);
        return;
    case CAUSE_UNTRUSTED:
        if (rollout_is_forward(r->state))
            rollout_move(m, MEMBER_HELD, r->withdrawn ? CAUSE_WITHDRAWN : CAUSE_UNTRUSTED);
        else
            take_back(r, m, CAUSE_UNTRUSTED, now_ms);
        return;
    default:
        rollout_move(m, MEMBER_FAILED, CAUSE_VERSION);
    }
}

/* A grant with a cause is one whose leave was taken back: until its deadline the agent may still
 * begin by the lease that it holds. */
static void revoke(struct rollout_member *m, enum rollout_cause cause, int64_t now_ms) {
    m->cause = (uint8_t)cause;
    m->deadline_ms = now_ms + REVOKE_MS;
    m->changed = true;
}

static enum rollout_cause why_not_begun(const struct rollout_member *m) {
    if (m->facts.progress == PROGRESS_HELD && m->facts.cause != CAUSE_NONE) return m->facts.cause;
    return m->facts.draining ? CAUSE_DRAINING : CAUSE_AWAY;
}

static void settle_idle_grant(struct rollout *r, struct rollout_member *m, int64_t now_ms) {
    int64_t granted_ms = m->deadline_ms - rollout_grant_ms(r, m);
    bool patient = now_ms - granted_ms < r->policy.healthy_deadline_ms;
    bool refuses = m->facts.progress == PROGRESS_HELD &&
                   (m->facts.cause == CAUSE_VETO || m->facts.cause == CAUSE_DRAINING);
    if (m->cause == CAUSE_NONE && m->facts.online && refuses && !patient) {
        revoke(m, m->facts.cause, now_ms);
        return;
    }
    if (now_ms < m->deadline_ms) return;
    if (!m->facts.online)
        rollout_move(m, MEMBER_FAILED, CAUSE_SILENT);
    else if (m->cause == CAUSE_NONE)
        revoke(m, why_not_begun(m), now_ms);
    else
        take_back(r, m, m->cause, now_ms);
}

/* Its slot is free at once. A pause or a window speaks against nobody: its turn comes again. */
static void settle_yielded_grant(const struct rollout *r, struct rollout_member *m,
                                 int64_t now_ms) {
    if (m->cause != CAUSE_NONE)
        take_back(r, m, m->cause, now_ms);
    else if (r->state == ROLLOUT_COMPLETED)
        defer(m, CAUSE_WINDOW, 0);
    else
        rollout_move(m, MEMBER_WAITING, CAUSE_NONE);
}

static void settle_begun_grant(struct rollout *r, struct rollout_member *m, int64_t now_ms) {
    if (m->cause != CAUSE_NONE) {
        m->cause = CAUSE_NONE;
        m->deadline_ms = now_ms + rollout_grant_ms(r, m);
        m->changed = true;
    }
    if (now_ms >= m->deadline_ms) rollout_move(m, MEMBER_FAILED, CAUSE_SILENT);
}

static void settle_granted(struct rollout *r, struct rollout_member *m, int64_t now_ms) {
    bool cannot = m->facts.progress == PROGRESS_HELD &&
                  (m->facts.cause == CAUSE_MACHINE || m->facts.cause == CAUSE_DOWNLOAD ||
                   m->facts.cause == CAUSE_UNTRUSTED);
    if (m->facts.progress == PROGRESS_WENT_BACK || m->facts.progress == PROGRESS_STUCK || cannot)
        blame(r, m, now_ms);
    else if (has_begun(m))
        settle_begun_grant(r, m, now_ms);
    else if (m->facts.yielded)
        settle_yielded_grant(r, m, now_ms);
    else
        settle_idle_grant(r, m, now_ms);
}

/* Put aside, and yet it began: its answer crossed ours. */
static bool settle_late_beginning(struct rollout *r, struct rollout_member *m, int64_t now_ms) {
    if (m->attempt == 0 || !has_begun(m)) return false;
    if (r->state == ROLLOUT_REVERTING) {
        rollout_move(m, MEMBER_LEAVING, CAUSE_NONE);
    } else if (rollout_is_forward(r->state) || r->state == ROLLOUT_COMPLETED) {
        rollout_move(m, MEMBER_GRANTED, CAUSE_NONE);
        m->deadline_ms = now_ms + rollout_grant_ms(r, m);
    }
    return true;
}

static enum rollout_cause why_unfit(const struct rollout_member *m, int64_t now_ms) {
    if (!m->facts.online) return CAUSE_AWAY;
    bool fetched = m->facts.staged || m->facts.on_target;
    if (!fetched && now_ms >= m->deadline_ms && m->facts.fetch_cause != CAUSE_NONE)
        return m->facts.fetch_cause;
    return m->facts.draining ? CAUSE_DRAINING : CAUSE_NONE;
}

/* In DRAFT and PAUSED nobody's turn comes, so nobody misses it. */
static void settle_waiting(struct rollout *r, struct rollout_member *m, int64_t now_ms,
                           struct rollout_survey *news) {
    if (settle_late_beginning(r, m, now_ms)) return;
    bool turns =
        rollout_is_forward(r->state) && r->state != ROLLOUT_DRAFT && r->state != ROLLOUT_PAUSED;
    enum rollout_cause cause = turns ? why_unfit(m, now_ms) : CAUSE_NONE;
    if (cause == CAUSE_NONE) return;
    defer(m, cause, 0);
    if (cause == CAUSE_UNTRUSTED) news->untrusted = true;
}

static void settle_deferred(struct rollout *r, struct rollout_member *m, int64_t now_ms,
                            struct rollout_survey *news) {
    if (settle_late_beginning(r, m, now_ms)) return;
    bool distrusted = !m->facts.staged && m->facts.fetch_cause == CAUSE_UNTRUSTED;
    if (!distrusted || m->cause == CAUSE_UNTRUSTED || !rollout_is_forward(r->state)) return;
    m->cause = CAUSE_UNTRUSTED;
    m->changed = true;
    news->untrusted = true;
}

static void settle_failed(struct rollout_member *m) {
    bool speaks = m->cause == CAUSE_SILENT && is_back(m);
    if (!speaks) return;
    m->cause = CAUSE_VERSION;
    m->changed = true;
}

static void settle_excluded(const struct rollout *r, struct rollout_member *m) {
    bool free_again = m->cause == CAUSE_REMOVED || (m->cause == CAUSE_PINNED && !m->facts.pinned) ||
                      (m->cause == CAUSE_NO_BUILD && m->facts.has_build);
    if (free_again && !m->facts.removed && rollout_is_forward(r->state))
        rollout_move(m, MEMBER_WAITING, CAUSE_NONE);
}

static void settle_returning(struct rollout_member *m, int64_t now_ms) {
    bool gave_up = m->facts.progress == PROGRESS_WENT_BACK || m->facts.progress == PROGRESS_STUCK;
    enum rollout_cause cause = m->facts.cause != CAUSE_NONE ? m->facts.cause : CAUSE_VERSION;
    if (gave_up) rollout_move(m, MEMBER_RETURN_FAILED, cause);
    if (gave_up || now_ms < m->deadline_ms) return;
    if (!m->facts.online)
        cause = CAUSE_AWAY;
    else if (m->facts.progress != PROGRESS_HELD || m->facts.cause == CAUSE_NONE)
        cause = CAUSE_SILENT;
    rollout_move(m, MEMBER_RETURN_FAILED, cause);
}

/* Good news is taken at any time. */
static bool settle_success(struct rollout *r, struct rollout_member *m, int64_t now_ms) {
    static const uint32_t commits = BIT(MEMBER_WAITING) | BIT(MEMBER_DEFERRED) |
                                    BIT(MEMBER_GRANTED) | BIT(MEMBER_FAILED) | BIT(MEMBER_HELD);
    bool proved = m->facts.progress == PROGRESS_COMMITTED && m->attempt > 0;
    bool returned = (m->state == MEMBER_RETURNING && proved) ||
                    (m->state == MEMBER_RETURN_FAILED && proved && !m->facts.on_target) ||
                    (m->state == MEMBER_LEAVING && is_back(m));
    if (returned) {
        rollout_move(m, MEMBER_RETURNED, m->cause);
        m->was_broken = false;
        r->progress_ms = now_ms;
        return true;
    }
    if (!proved || (commits & BIT(m->state)) == 0 || r->state == ROLLOUT_REVERT_STUCK) return false;
    if (r->state == ROLLOUT_REVERTING)
        rollout_move(m, MEMBER_LEAVING, CAUSE_NONE);
    else
        commit(r, m, now_ms);
    return true;
}

/* Whoever takes it away from this rollout does not end what has begun: until then it keeps its
 * slot.
 */
static bool still_moves(const struct rollout_member *m, enum rollout_cause excluded,
                        int64_t now_ms) {
    if (m->facts.at_rest || excluded == CAUSE_REMOVED) return false;
    if (m->state == MEMBER_LEAVING) return m->facts.online;
    return rollout_member_flies(m) && now_ms < m->deadline_ms;
}

void rollout_settle(struct rollout *r, struct rollout_member *m, int64_t now_ms, bool quiet,
                    struct rollout_survey *news) {
    if (settle_success(r, m, now_ms) || quiet) return;
    enum rollout_cause excluded = excluding(m);
    if (excluded != CAUSE_NONE) {
        if (!still_moves(m, excluded, now_ms)) rollout_move(m, MEMBER_EXCLUDED, excluded);
        return;
    }
    switch ((enum rollout_member_state)m->state) {
    case MEMBER_WAITING:
        settle_waiting(r, m, now_ms, news);
        break;
    case MEMBER_DEFERRED:
        settle_deferred(r, m, now_ms, news);
        break;
    case MEMBER_HELD:
        (void)settle_late_beginning(r, m, now_ms);
        break;
    case MEMBER_GRANTED:
        settle_granted(r, m, now_ms);
        break;
    case MEMBER_FAILED:
        settle_failed(m);
        break;
    case MEMBER_EXCLUDED:
        settle_excluded(r, m);
        break;
    case MEMBER_RETURNING:
        settle_returning(m, now_ms);
        break;
    case MEMBER_COMMITTED:
    case MEMBER_LEAVING:
    case MEMBER_RETURNED:
    case MEMBER_RETURN_FAILED:
    case MEMBER_STATE_COUNT:
        break;
    }
}
