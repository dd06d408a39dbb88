/* What agents are told. */
#include "master/rollout_internal.h"

#include <assert.h>

#define STAY                                                                                       \
    { TOLD_ORIGIN, false, false }
#define STAY_AND_FETCH                                                                             \
    { TOLD_ORIGIN, true, false }
#define FINISH                                                                                     \
    { TOLD_TARGET, false, false }
#define GO                                                                                         \
    { TOLD_TARGET, false, true }
#define GO_BACK                                                                                    \
    { TOLD_ORIGIN, false, true }

/* Empty rows: other rules decide. */
static const struct rollout_orders forward[MEMBER_STATE_COUNT] = {
    [MEMBER_WAITING] = STAY_AND_FETCH,
    [MEMBER_DEFERRED] = STAY_AND_FETCH,
    [MEMBER_GRANTED] = GO,
    [MEMBER_COMMITTED] = FINISH,
    [MEMBER_FAILED] = STAY,
    [MEMBER_HELD] = STAY,
};
static const struct rollout_orders reverting[MEMBER_STATE_COUNT] = {
    [MEMBER_WAITING] = STAY,      [MEMBER_DEFERRED] = STAY, [MEMBER_LEAVING] = FINISH,
    [MEMBER_RETURNING] = GO_BACK, [MEMBER_RETURNED] = STAY, [MEMBER_RETURN_FAILED] = STAY,
};
static const struct rollout_orders stuck[MEMBER_STATE_COUNT] = {
    [MEMBER_RETURNING] = GO_BACK,
    [MEMBER_RETURN_FAILED] = STAY,
};
static const struct rollout_orders completed[MEMBER_STATE_COUNT] = {
    [MEMBER_DEFERRED] = STAY_AND_FETCH,
    [MEMBER_GRANTED] = GO,
};
static const struct rollout_orders stopped[MEMBER_STATE_COUNT] = {[MEMBER_GRANTED] = FINISH};

static const struct rollout_orders *const tables[ROLLOUT_STATE_COUNT] = {
    [ROLLOUT_DRAFT] = forward,       [ROLLOUT_PREFETCH] = forward,
    [ROLLOUT_CANARY] = forward,      [ROLLOUT_AWAIT_PROMOTE] = forward,
    [ROLLOUT_ROLLING] = forward,     [ROLLOUT_PAUSED] = forward,
    [ROLLOUT_REVERTING] = reverting, [ROLLOUT_COMPLETED] = completed,
    [ROLLOUT_REVERT_STUCK] = stuck,  [ROLLOUT_STOPPED] = stopped,
};

struct rollout_orders rollout_orders(const struct rollout *r, const struct rollout_member *m) {
    assert((unsigned)r->state < ROLLOUT_STATE_COUNT && m->state < MEMBER_STATE_COUNT);
    struct rollout_orders o = {TOLD_OTHERS, false, false};
    if (tables[r->state] != NULL) o = tables[r->state][m->state];
    bool refused =
        r->state == ROLLOUT_PAUSED && (r->cause == CAUSE_UNTRUSTED || r->cause == CAUSE_WITHDRAWN);
    if (r->state == ROLLOUT_DRAFT || refused) o.prefetch = false;
    if (m->state != MEMBER_GRANTED) {
        /* It may still be on its way: what has begun is to be finished, whichever way it ends. */
        if (m->state == MEMBER_FAILED && m->cause == CAUSE_SILENT && o.told == TOLD_ORIGIN)
            o.told = TOLD_TARGET;
        return o;
    }
    bool revoked = m->cause != CAUSE_NONE;
    if (r->state == ROLLOUT_PAUSED || r->hold == CAUSE_WINDOW || revoked) o.leave = false;
    return o;
}
