/* The tables: states of a rollout, of a member, which order is taken where, what agents are told.
 * What has no row is refused. Diagrams: master/rollout.h. */
#include "master/rollout_internal.h"

#include <assert.h>
#include <string.h>

#define NOT_BEGUN (BIT(MEMBER_WAITING) | BIT(MEMBER_DEFERRED) | BIT(MEMBER_EXCLUDED))
#define ON_ITS_WAY (BIT(MEMBER_GRANTED) | BIT(MEMBER_COMMITTED) | BIT(MEMBER_FAILED))
#define GOING_BACK (BIT(MEMBER_RETURNING) | BIT(MEMBER_RETURNED) | BIT(MEMBER_RETURN_FAILED))
#define ANYWHERE_BACK (BIT(ROLLOUT_REVERTING) | BIT(ROLLOUT_STOPPED) | BIT(ROLLOUT_SUPERSEDED))

static const struct state_row {
    const char *name;
    uint32_t next;    /* states that may follow */
    uint32_t members; /* states that its members may be in */
    bool active;
} states[ROLLOUT_STATE_COUNT] = {
    [ROLLOUT_DRAFT] = {"draft",         BIT(ROLLOUT_PREFETCH) | BIT(ROLLOUT_PAUSED) | ANYWHERE_BACK,
                       NOT_BEGUN,                                                                                                       true },
    [ROLLOUT_PREFETCH] = {"prefetch",
                       BIT(ROLLOUT_CANARY) | BIT(ROLLOUT_ROLLING) | BIT(ROLLOUT_COMPLETED) |
                              BIT(ROLLOUT_PAUSED) | ANYWHERE_BACK,
                       NOT_BEGUN,                                                                                                       true },
    [ROLLOUT_CANARY] = {"canary",
                       BIT(ROLLOUT_AWAIT_PROMOTE) | BIT(ROLLOUT_COMPLETED) | BIT(ROLLOUT_PAUSED) |
                            ANYWHERE_BACK,                                                            NOT_BEGUN | ON_ITS_WAY,           true },
    [ROLLOUT_AWAIT_PROMOTE] = {"await_promote",
                       BIT(ROLLOUT_ROLLING) | BIT(ROLLOUT_COMPLETED) | BIT(ROLLOUT_PAUSED) |
                                   ANYWHERE_BACK,                                                     NOT_BEGUN | ON_ITS_WAY,           true },
    [ROLLOUT_ROLLING] = {"rolling",       BIT(ROLLOUT_COMPLETED) | BIT(ROLLOUT_PAUSED) | ANYWHERE_BACK,
                       NOT_BEGUN | ON_ITS_WAY,                                                                                          true },
    [ROLLOUT_PAUSED] = {"paused",
                       BIT(ROLLOUT_DRAFT) | BIT(ROLLOUT_PREFETCH) | BIT(ROLLOUT_CANARY) |
                            BIT(ROLLOUT_AWAIT_PROMOTE) | BIT(ROLLOUT_ROLLING) | ANYWHERE_BACK,
                       NOT_BEGUN | ON_ITS_WAY | BIT(MEMBER_HELD),                                                                       true },
    [ROLLOUT_REVERTING] = {"reverting",
                       BIT(ROLLOUT_REVERTED) | BIT(ROLLOUT_REVERT_STUCK) |
                               BIT(ROLLOUT_SUPERSEDED),
                       NOT_BEGUN | BIT(MEMBER_LEAVING) | GOING_BACK,                                                                    true },
    [ROLLOUT_COMPLETED] = {"completed",     BIT(ROLLOUT_REVERTING),
                       BIT(MEMBER_DEFERRED) | BIT(MEMBER_EXCLUDED) | ON_ITS_WAY,                                                        false},
    [ROLLOUT_REVERTED] = {"reverted",      0,                                                            NOT_BEGUN | BIT(MEMBER_RETURNED), false},
    [ROLLOUT_REVERT_STUCK] = {"revert_stuck",  BIT(ROLLOUT_REVERTING) | BIT(ROLLOUT_REVERTED),
                       NOT_BEGUN | GOING_BACK,                                                                                          false},
    [ROLLOUT_STOPPED] = {"stopped",       BIT(ROLLOUT_REVERTING),                                       NOT_BEGUN | ON_ITS_WAY,           false},
    [ROLLOUT_SUPERSEDED] = {"superseded",    0,
                       NOT_BEGUN | BIT(MEMBER_COMMITTED) | BIT(MEMBER_FAILED) |
                                BIT(MEMBER_RETURNED) | BIT(MEMBER_RETURN_FAILED),
                       false                                                                                                                 },
};

static const struct member_row {
    const char *name;
    uint32_t next;
    bool explained; /* it has a cause */
} member_states[MEMBER_STATE_COUNT] = {
    [MEMBER_WAITING] = {"waiting",
                        BIT(MEMBER_DEFERRED) | BIT(MEMBER_EXCLUDED) | BIT(MEMBER_GRANTED) |
                            BIT(MEMBER_COMMITTED) | BIT(MEMBER_LEAVING),
                        false                                                             },
    [MEMBER_DEFERRED] = {"deferred",
                        BIT(MEMBER_WAITING) | BIT(MEMBER_EXCLUDED) | BIT(MEMBER_GRANTED) |
                             BIT(MEMBER_COMMITTED) | BIT(MEMBER_LEAVING),
                        true                                                              },
    [MEMBER_EXCLUDED] = {"excluded",      BIT(MEMBER_WAITING),                        true },
    [MEMBER_GRANTED] = {"granted",
                        BIT(MEMBER_COMMITTED) | BIT(MEMBER_FAILED) | BIT(MEMBER_HELD) |
                            BIT(MEMBER_DEFERRED) | BIT(MEMBER_WAITING) | BIT(MEMBER_LEAVING) |
                            BIT(MEMBER_EXCLUDED),
                        false                                                             },
    [MEMBER_COMMITTED] = {"committed",     BIT(MEMBER_LEAVING) | BIT(MEMBER_EXCLUDED), false},
    [MEMBER_FAILED] = {"failed",
                        BIT(MEMBER_WAITING) | BIT(MEMBER_COMMITTED) | BIT(MEMBER_LEAVING) |
                           BIT(MEMBER_EXCLUDED),
                        true                                                              },
    [MEMBER_HELD] = {"held",
                        BIT(MEMBER_WAITING) | BIT(MEMBER_GRANTED) | BIT(MEMBER_COMMITTED) |
                         BIT(MEMBER_LEAVING) | BIT(MEMBER_EXCLUDED),
                        true                                                              },
    [MEMBER_LEAVING] = {"leaving",
                        BIT(MEMBER_RETURNING) | BIT(MEMBER_RETURNED) | BIT(MEMBER_RETURN_FAILED) |
                            BIT(MEMBER_COMMITTED) | BIT(MEMBER_EXCLUDED),
                        false                                                             },
    [MEMBER_RETURNING] = {"returning",
                        BIT(MEMBER_RETURNED) | BIT(MEMBER_RETURN_FAILED) | BIT(MEMBER_COMMITTED) |
                              BIT(MEMBER_EXCLUDED),
                        false                                                             },
    [MEMBER_RETURNED] = {"returned",      BIT(MEMBER_EXCLUDED),                       false},
    [MEMBER_RETURN_FAILED] = {"return_failed",
                        BIT(MEMBER_LEAVING) | BIT(MEMBER_RETURNING) | BIT(MEMBER_RETURNED) |
                                  BIT(MEMBER_EXCLUDED),
                        true                                                              },
};

/* States in which an order is taken. */
#define MOVING_ON                                                                                  \
    (BIT(ROLLOUT_DRAFT) | BIT(ROLLOUT_PREFETCH) | BIT(ROLLOUT_CANARY) |                            \
     BIT(ROLLOUT_AWAIT_PROMOTE) | BIT(ROLLOUT_ROLLING))
static const uint32_t orders[] = {
    [ROLLOUT_TICK] = BIT(ROLLOUT_STATE_COUNT) - 1,
    [ROLLOUT_PAUSE] = MOVING_ON,
    [ROLLOUT_RESUME] = BIT(ROLLOUT_PAUSED),
    [ROLLOUT_PROMOTE] = BIT(ROLLOUT_AWAIT_PROMOTE),
    [ROLLOUT_STOP] = MOVING_ON | BIT(ROLLOUT_PAUSED),
    [ROLLOUT_ROLLBACK] = MOVING_ON | BIT(ROLLOUT_PAUSED) | BIT(ROLLOUT_COMPLETED) |
                         BIT(ROLLOUT_STOPPED) | BIT(ROLLOUT_REVERT_STUCK),
    [ROLLOUT_SUPERSEDE] = MOVING_ON | BIT(ROLLOUT_PAUSED) | BIT(ROLLOUT_REVERTING),
};

bool rollout_allows(enum rollout_event order, enum rollout_state state) {
    assert((size_t)order < sizeof orders / sizeof orders[0] &&
           (unsigned)state < ROLLOUT_STATE_COUNT);
    return (orders[order] & BIT(state)) != 0;
}

const char *rollout_state_name(enum rollout_state state) {
    assert((unsigned)state < ROLLOUT_STATE_COUNT);
    return states[state].name;
}

const char *rollout_member_state_name(enum rollout_member_state state) {
    assert((unsigned)state < MEMBER_STATE_COUNT);
    return member_states[state].name;
}

bool rollout_state_parse(const char *name, enum rollout_state *out) {
    for (unsigned i = 0; i < ROLLOUT_STATE_COUNT; i++) {
        *out = i;
        if (strcmp(states[i].name, name) == 0) return true;
    }
    return false;
}

bool rollout_member_state_parse(const char *name, enum rollout_member_state *out) {
    for (unsigned i = 0; i < MEMBER_STATE_COUNT; i++) {
        *out = i;
        if (strcmp(member_states[i].name, name) == 0) return true;
    }
    return false;
}

bool rollout_member_flies(const struct rollout_member *m) {
    return m->state == MEMBER_GRANTED || m->state == MEMBER_RETURNING;
}

bool rollout_is_active(enum rollout_state state) {
    assert((unsigned)state < ROLLOUT_STATE_COUNT);
    return states[state].active;
}

bool rollout_is_forward(enum rollout_state state) {
    assert((unsigned)state < ROLLOUT_STATE_COUNT);
    return states[state].active && state != ROLLOUT_REVERTING;
}

void rollout_enter(struct rollout *r, enum rollout_state state, enum rollout_cause cause,
                   int64_t now_ms) {
    assert((unsigned)r->state < ROLLOUT_STATE_COUNT && (unsigned)state < ROLLOUT_STATE_COUNT);
    assert((unsigned)cause < CAUSE_COUNT);
    assert(states[r->state].next & BIT(state));
    r->resume = state == ROLLOUT_PAUSED ? r->state : ROLLOUT_DRAFT;
    r->state = state;
    r->cause = cause;
    r->hold = CAUSE_NONE;
    r->entered_ms = now_ms;
    r->progress_ms = now_ms;
}

void rollout_move(struct rollout_member *m, enum rollout_member_state state,
                  enum rollout_cause cause) {
    assert(m->state < MEMBER_STATE_COUNT && (unsigned)state < MEMBER_STATE_COUNT);
    assert((unsigned)cause < CAUSE_COUNT);
    assert(member_states[m->state].next & BIT(state));
    assert(!member_states[state].explained || cause != CAUSE_NONE);
    m->state = (uint8_t)state;
    m->cause = (uint8_t)cause;
    m->changed = true;
    m->deadline_ms = 0;
}

static const char *broken_member(const struct rollout *r, const struct rollout_member *m) {
    bool flies = rollout_member_flies(m);
    if (m->state >= MEMBER_STATE_COUNT) return "a member has no state";
    if ((states[r->state].members & BIT(m->state)) == 0)
        return "a member is in a state that the rollout's state does not have";
    if (member_states[m->state].explained && m->cause == CAUSE_NONE)
        return "a member was put aside without a cause";
    if (flies && (m->attempt < 1 || m->turn < 1)) return "a grant has no attempt or turn";
    if (flies && m->deadline_ms <= 0) return "a grant has no deadline";
    if (m->turn < 0 || m->turn > r->turns) return "a member's turn was never given";
    if (r->state == ROLLOUT_CANARY && m->state == MEMBER_GRANTED && !m->canary)
        return "an agent that is no canary was granted before the canaries proved it";
    return NULL;
}

static const char *broken_state(const struct rollout *r) {
    if (r->state >= ROLLOUT_STATE_COUNT) return "the rollout has no state";
    if (r->state == ROLLOUT_PAUSED && !rollout_allows(ROLLOUT_PAUSE, r->resume))
        return "a paused rollout does not know where it goes on";
    if ((r->state == ROLLOUT_PAUSED || r->state == ROLLOUT_REVERTING) && r->cause == CAUSE_NONE)
        return "a rollout is paused or goes back without a cause";
    if (r->state <= ROLLOUT_PREFETCH && r->turns > 0) return "a grant came before the bytes";
    if (r->domain < -1) return "the domain is none";
    if (r->state == ROLLOUT_REVERT_STUCK && r->cause == CAUSE_NONE)
        return "a rollout is stuck without a cause";
    return NULL;
}

const char *rollout_broken_invariant(const struct rollout *r) {
    const char *broken = broken_state(r);
    if (broken != NULL) return broken;
    struct rollout_survey s;
    rollout_survey_begin(&s);
    int64_t unfinished = 0;
    for (size_t i = 0; i < r->member_count; i++) {
        broken = broken_member(r, &r->members[i]);
        if (broken != NULL) return broken;
        rollout_survey_add(&s, r, &r->members[i], r->seen_ms);
        unfinished +=
            r->members[i].state == MEMBER_RETURN_FAILED || r->members[i].state == MEMBER_RETURNING;
    }
    rollout_survey_end(&s, r);
    bool goes_on = r->state == ROLLOUT_CANARY || r->state == ROLLOUT_AWAIT_PROMOTE ||
                   r->state == ROLLOUT_ROLLING;
    if (goes_on && rollout_failed(r, &s)) return "more failed than are borne, and it goes on";
    if (r->state == ROLLOUT_REVERT_STUCK && unfinished == 0) return "nobody is stuck";
    return NULL;
}
