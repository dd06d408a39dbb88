#include "agent/transition.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define SHORTEST_PROBE_MS 100

static const char *const names[TRANSITION_STATE_COUNT] = {
    [TRANSITION_NONE] = "none",           [TRANSITION_SWITCHING] = "switching",
    [TRANSITION_PROBATION] = "probation", [TRANSITION_RETURNING] = "returning",
    [TRANSITION_STUCK] = "stuck",
};

const char *transition_state_name(enum transition_state state) {
    assert((unsigned)state < TRANSITION_STATE_COUNT);
    return names[state];
}

bool transition_state_parse(const char *name, enum transition_state *out) {
    for (int i = 0; i < TRANSITION_STATE_COUNT; i++) {
        if (strcmp(names[i], name) != 0) continue;
        *out = (enum transition_state)i;
        return true;
    }
    return false;
}

enum { NO = -1 };

/* Where each turn leads; NO: it is not possible there. */
static const int next[TRANSITION_STATE_COUNT][TURN_COUNT] = {
#define ROW(watch, commit, fail, back, stick, end)                                                 \
    {                                                                                              \
        [TURN_NONE] = NO, [TURN_BEGIN] = TRANSITION_SWITCHING, [TURN_WATCH] = (watch),             \
        [TURN_COMMIT] = (commit), [TURN_FAIL] = (fail), [TURN_BACK] = (back),                      \
        [TURN_STICK] = (stick), [TURN_END] = (end)                                                 \
    }
#define N TRANSITION_NONE
#define P TRANSITION_PROBATION
#define R TRANSITION_RETURNING
#define S TRANSITION_STUCK
    /*                              watch commit fail back stick end */
    [TRANSITION_NONE] = ROW(NO, NO, NO, NO, NO, NO),
    [TRANSITION_SWITCHING] = ROW(P, N, R, R, NO, N),
    [TRANSITION_PROBATION] = ROW(NO, N, R, R, NO, N),
    [TRANSITION_RETURNING] = ROW(NO, NO, NO, NO, S, N),
    [TRANSITION_STUCK] = ROW(NO, NO, NO, NO, NO, N),
#undef ROW
#undef N
#undef P
#undef R
#undef S
};

bool transition_allows(enum transition_state state, enum turn turn) {
    assert((unsigned)state < TRANSITION_STATE_COUNT && (unsigned)turn < TURN_COUNT);
    return next[state][turn] != NO;
}

void transition_take(struct transition *t, enum turn turn, const char *to,
                     const struct transition_policy *policy) {
    assert(transition_allows(t->state, turn));
    t->state = (enum transition_state)next[t->state][turn];
    if (turn == TURN_BEGIN) {
        assert(strlen(to) < sizeof t->to);
        snprintf(t->to, sizeof t->to, "%s", to);
        t->policy = *policy;
    }
    if (turn == TURN_BEGIN || turn == TURN_WATCH) t->watched_ms = 0;
    t->failed = turn == TURN_FAIL || (t->failed && t->state == TRANSITION_STUCK);
    if (t->state == TRANSITION_NONE) *t = (struct transition){0};
    assert(!t->failed || t->state == TRANSITION_RETURNING || t->state == TRANSITION_STUCK);
}

int64_t transition_probe_ms(const struct transition *t, int64_t usual_ms) {
    bool on_trial = t->state == TRANSITION_SWITCHING || t->state == TRANSITION_PROBATION;
    int64_t probe_ms = t->policy.min_healthy_ms / 4;
    if (probe_ms < SHORTEST_PROBE_MS) probe_ms = SHORTEST_PROBE_MS;
    return on_trial && probe_ms < usual_ms ? probe_ms : usual_ms;
}
