/* What one look at the members of a rollout finds: counts, whom the budget has room for, who may
 * be next. */
#include "master/rollout_internal.h"

#include <assert.h>
#include <string.h>

bool rollout_is_broken(const struct rollout_member *m) {
    return m->facts.online && !m->facts.works;
}

bool rollout_is_fit(const struct rollout_member *m, int64_t now_ms) {
    const struct rollout_facts *f = &m->facts;
    if (m->state != MEMBER_WAITING && m->state != MEMBER_DEFERRED) return false;
    if (m->state == MEMBER_DEFERRED && now_ms < m->deadline_ms) return false;
    return f->online && !f->draining && (f->staged || f->on_target);
}

bool rollout_may_return(const struct rollout *r, const struct rollout_member *m) {
    if (!m->facts.online) return false;
    if (r->state == ROLLOUT_REVERTING) return m->state == MEMBER_LEAVING;
    return r->state == ROLLOUT_REVERT_STUCK && m->state == MEMBER_RETURN_FAILED &&
           m->cause == CAUSE_AWAY;
}

/* Nobody took it down by moving it, and it does not serve: one less may be taken down. Machines
 * that were away before their turn are not waited for, and those that were broken before it must
 * not keep the others from moving. */
static bool is_unavailable(const struct rollout_member *m) {
    static const uint32_t counted_when_lost = BIT(MEMBER_COMMITTED) | BIT(MEMBER_FAILED) |
                                              BIT(MEMBER_HELD) | BIT(MEMBER_LEAVING) |
                                              BIT(MEMBER_RETURNED) | BIT(MEMBER_RETURN_FAILED);
    if (m->state == MEMBER_EXCLUDED || rollout_member_flies(m) || m->was_broken) return false;
    return rollout_is_broken(m) || (m->facts.lost && (counted_when_lost & BIT(m->state)) != 0);
}

void rollout_survey_begin(struct rollout_survey *s) {
    *s = (struct rollout_survey){
        .domain = -1, .first = {-1, -1},
             .broken = -1, .newest_domain = -1
    };
}

static void add_flying(struct rollout_survey *s, const struct rollout_member *m) {
    if (s->flying > 0 && s->domain != m->domain) s->mixed = true;
    s->domain = m->domain;
    s->flying++;
    if (!m->was_broken) s->tally.in_flight++;
}

static void lower(int32_t *lowest, int32_t domain) {
    if (*lowest < 0 || domain < *lowest) *lowest = domain;
}

static void add_fit(struct rollout_survey *s, const struct rollout *r,
                    const struct rollout_member *m) {
    if (r->state == ROLLOUT_CANARY && !m->canary) return;
    enum rollout_rank rank = m->state == MEMBER_WAITING ? RANK_WAITING : RANK_DEFERRED;
    lower(&s->first[rank], m->domain);
    if (rollout_is_broken(m)) lower(&s->broken, m->domain);
}

static void add_leaving(struct rollout_survey *s, const struct rollout_member *m) {
    if (m->turn > s->newest) {
        s->newest = m->turn;
        s->newest_domain = m->domain;
    }
    if (rollout_is_broken(m) && m->turn > s->newest_broken) {
        s->newest_broken = m->turn;
        s->newest_broken_domain = m->domain;
    }
}

static void add_canary(struct rollout_survey *s, const struct rollout_member *m) {
    static const uint32_t alive = BIT(MEMBER_WAITING) | BIT(MEMBER_GRANTED) | BIT(MEMBER_COMMITTED);
    if (alive & BIT(m->state)) s->canaries++;
    if (m->state == MEMBER_FAILED) s->canary_failed = true;
    if (m->state != MEMBER_COMMITTED) return;
    s->canaries_committed++;
    if (m->facts.lost || rollout_is_broken(m)) s->canary_sick = true;
}

static void add_failed(struct rollout_survey *s, const struct rollout_member *m) {
    if (m->was_broken && !m->canary) return;
    s->tally.failures++;
    if (s->failed != CAUSE_VERSION) s->failed = m->cause;
}

static void add_unfetched(struct rollout_survey *s, const struct rollout_member *m) {
    assert(m->cause < CAUSE_COUNT);
    if (m->state == MEMBER_DEFERRED) s->unfetched[m->cause]++;
    if (m->state == MEMBER_WAITING && m->facts.online) s->fetching++;
}

void rollout_survey_add(struct rollout_survey *s, const struct rollout *r,
                        const struct rollout_member *m, int64_t now_ms) {
    assert(m->state < MEMBER_STATE_COUNT);
    s->tally.states[m->state]++;
    if (m->state == MEMBER_EXCLUDED) return;
    bool fetched = m->facts.staged || m->facts.on_target;
    if (!fetched) add_unfetched(s, m);
    if (fetched && m->facts.online) s->staged++;
    if (m->state == MEMBER_DEFERRED && s->deferred == CAUSE_NONE) s->deferred = m->cause;
    if (m->canary) add_canary(s, m);
    if (rollout_member_flies(m))
        add_flying(s, m);
    else if (is_unavailable(m))
        s->tally.unavailable++;
    if (m->state == MEMBER_FAILED) add_failed(s, m);
    if (m->state == MEMBER_HELD && s->held != CAUSE_UNTRUSTED) s->held = m->cause;
    if (rollout_is_fit(m, now_ms)) add_fit(s, r, m);
    if (rollout_may_return(r, m)) add_leaving(s, m);
}

void rollout_survey_end(struct rollout_survey *s, const struct rollout *r) {
    struct rollout_tally *t = &s->tally;
    t->selected = (int64_t)r->member_count - t->states[MEMBER_EXCLUDED];
    assert(t->selected >= 0 && t->in_flight <= s->flying);
    assert(s->canaries_committed <= s->canaries);
    t->slots =
        rollout_amount_of(r->policy.max_parallel, t->selected) - t->in_flight - t->unavailable;
    if (t->slots < 0) t->slots = 0;
    /* The version is what makes machines unavailable when they go back from it: one at a time may
     * always leave it, lest those that it broke keep the others on it. */
    if (r->state == ROLLOUT_REVERTING && t->in_flight == 0 && t->slots == 0) t->slots = 1;
    if (s->held == CAUSE_UNTRUSTED) s->untrusted = true;
    if (s->mixed) s->domain = -1;
}

bool rollout_failed(const struct rollout *r, const struct rollout_survey *s) {
    int64_t borne = rollout_failures_borne(&r->policy, s->tally.selected);
    return s->canary_failed || s->tally.failures > borne;
}

void rollout_count(const struct rollout *r, struct rollout_tally *out) {
    struct rollout_survey s;
    rollout_survey_begin(&s);
    for (size_t i = 0; i < r->member_count; i++)
        rollout_survey_add(&s, r, &r->members[i], r->seen_ms);
    rollout_survey_end(&s, r);
    *out = s.tally;
}
