/* Whose turn it is. Agents that move at the same time share one domain, so that replicas elsewhere
 * stay up; those that do not work go first and take no slot. */
#include "master/rollout_internal.h"

#include <assert.h>

static void grant(struct rollout *r, struct rollout_member *m, enum rollout_member_state state,
                  int64_t now_ms) {
    assert(state == MEMBER_GRANTED || state == MEMBER_RETURNING);
    assert(m->domain >= 0);
    rollout_move(m, state, m->state == MEMBER_LEAVING ? m->cause : CAUSE_NONE);
    m->attempt++;
    m->was_broken = rollout_is_broken(m);
    m->deadline_ms = now_ms + rollout_grant_ms(r, m);
    r->domain = m->domain;
    r->progress_ms = now_ms;
}

static void grant_forward(struct rollout *r, struct rollout_member *m, int64_t now_ms) {
    grant(r, m, MEMBER_GRANTED, now_ms);
    m->turn = ++r->turns;
}

/* The domain of those who move already, else the lowest with somebody broken, else the lowest with
 * anybody, those that missed their turn last; -1: nobody can be granted. */
static int32_t next_domain(const struct rollout_survey *s) {
    if (s->flying > 0) return s->domain;
    if (s->broken >= 0) return s->broken;
    return s->first[RANK_WAITING] >= 0 ? s->first[RANK_WAITING] : s->first[RANK_DEFERRED];
}

void rollout_admit(struct rollout *r, const struct rollout_survey *s, int64_t now_ms) {
    int32_t domain = next_domain(s);
    uint8_t turn_of = s->first[RANK_WAITING] >= 0 ? MEMBER_WAITING : MEMBER_DEFERRED;
    int64_t slots = s->tally.slots;
    int32_t turns = r->turns;
    for (size_t i = 0; i < r->member_count && domain >= 0; i++) {
        struct rollout_member *m = &r->members[i];
        if (m->domain != domain || !rollout_is_fit(m, now_ms)) continue;
        if (r->state == ROLLOUT_CANARY && !m->canary) continue;
        bool broken = rollout_is_broken(m);
        if (!broken && (m->state != turn_of || slots <= 0)) continue;
        if (!broken) slots--;
        grant_forward(r, m, now_ms);
    }
    if (domain >= 0 && r->turns == turns && s->flying == 0) r->hold = CAUSE_BUDGET;
}

/* Turns are unique, so that those above newest - slots are not more than slots. Where turns are
 * missing between them, the next step goes on. */
static int32_t oldest_turn(const struct rollout *r, int32_t domain, int64_t slots) {
    int32_t newest = 0;
    for (size_t i = 0; i < r->member_count; i++) {
        const struct rollout_member *m = &r->members[i];
        bool may = m->domain == domain && rollout_may_return(r, m) && !rollout_is_broken(m);
        if (may && m->turn > newest) newest = m->turn;
    }
    return slots < newest ? (int32_t)(newest - slots + 1) : 1;
}

void rollout_admit_returns(struct rollout *r, const struct rollout_survey *s, int64_t now_ms) {
    int32_t domain = s->newest_broken > 0 ? s->newest_broken_domain : s->newest_domain;
    if (s->flying > 0) domain = s->domain;
    if (domain < 0 || (s->tally.slots == 0 && s->newest_broken == 0)) return;
    int32_t oldest = oldest_turn(r, domain, s->tally.slots);
    assert(oldest >= 1);
    for (size_t i = 0; i < r->member_count; i++) {
        struct rollout_member *m = &r->members[i];
        if (m->domain != domain || !rollout_may_return(r, m)) continue;
        bool newest = s->tally.slots > 0 && m->turn >= oldest;
        if (rollout_is_broken(m) || newest) grant(r, m, MEMBER_RETURNING, now_ms);
    }
}

/* Working machines, of one domain if it has enough; one that does not work only when none does. */
static int64_t choose(struct rollout *r, int64_t wanted, int64_t now_ms, int32_t domain,
                      bool broken) {
    int64_t chosen = 0;
    for (size_t i = 0; i < r->member_count && chosen < wanted; i++) {
        struct rollout_member *m = &r->members[i];
        if (m->canary || !rollout_is_fit(m, now_ms) || rollout_is_broken(m) != broken) continue;
        if (domain >= 0 && m->domain != domain) continue;
        m->canary = true;
        m->changed = true;
        chosen++;
    }
    return chosen;
}

static int32_t lowest_domain(const struct rollout *r, int64_t now_ms) {
    int32_t lowest = -1;
    for (size_t i = 0; i < r->member_count; i++) {
        const struct rollout_member *m = &r->members[i];
        if (m->canary || !rollout_is_fit(m, now_ms) || rollout_is_broken(m)) continue;
        if (lowest < 0 || m->domain < lowest) lowest = m->domain;
    }
    return lowest;
}

int64_t rollout_choose_canaries(struct rollout *r, int64_t wanted, int64_t now_ms) {
    assert(wanted > 0);
    int64_t chosen = choose(r, wanted, now_ms, lowest_domain(r, now_ms), false);
    chosen += choose(r, wanted - chosen, now_ms, -1, false);
    assert(chosen <= wanted);
    return chosen > 0 ? chosen : choose(r, 1, now_ms, -1, true);
}
