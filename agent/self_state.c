#include "agent/self_state.h"

#include <assert.h>
#include <string.h>

static bool same(const char *a, const char *b) {
    return strcmp(a, b) == 0;
}

int64_t self_deadline_ms(const struct wire_grant *grant) {
    int64_t healthy_ms = grant->healthy_deadline_ms;
    return grant->probation_ms + (healthy_ms > 0 ? healthy_ms : SELF_HEALTHY_DEADLINE_MS);
}

bool self_tried(const struct self_journal *j, const char *target, const struct wire_grant *grant) {
    return j->stage == SELF_FAILED && same(j->to, target) &&
           same(j->grant.rollout, grant->rollout) && j->grant.attempt >= grant->attempt;
}

static void wake_by(struct self_decision *out, int64_t now_ms, int64_t at_ms) {
    if (at_ms > now_ms && at_ms < out->wake_ms) out->wake_ms = at_ms;
}

static void conclude(struct self_decision *out, enum self_action action, enum self_verdict why) {
    assert(action == SELF_GO_BACK || action == SELF_FAIL);
    out->action = action;
    out->verdict = why;
}

/* Without a rollout whoever answers gives leave. */
static enum self_hold leave(const struct self_facts *f, int64_t now_ms) {
    bool of_rollout = f->grant.rollout[0] != '\0';
    if (f->held) return SELF_HOLD_HELD;
    if (!of_rollout) return f->connected ? SELF_HOLD_NONE : SELF_HOLD_MASTER;
    if (f->grant.lease_ms <= 0) return SELF_HOLD_LEAVE;
    if (now_ms < f->lease_until_ms) return SELF_HOLD_NONE;
    return f->connected ? SELF_HOLD_LEAVE : SELF_HOLD_MASTER;
}

static void consider_target(const struct self_facts *f, int64_t now_ms, struct self_decision *out) {
    bool wanted = f->target[0] != '\0' && !same(f->target, f->running);
    if (!wanted || self_tried(f->journal, f->target, &f->grant)) return;
    out->hold = leave(f, now_ms);
    if (out->hold == SELF_HOLD_NONE && !f->quiet) out->hold = SELF_HOLD_NODES;
    if (!f->staged) out->hold = SELF_HOLD_BYTES;
    if (out->hold == SELF_HOLD_NONE) out->action = SELF_BEGIN;
}

/* The build before runs, although it made way: the switch was not finished, or undone for it. */
static void resume_switch(const struct self_facts *f, struct self_decision *out) {
    if (same(f->running, f->journal->to))
        out->action = SELF_ENTER;
    else if (f->given_up)
        conclude(out, SELF_FAIL, SELF_GIVEN_UP);
    else if (!same(f->running, f->journal->from))
        conclude(out, SELF_FAIL, SELF_REPLACED);
    else if (f->journal->switches >= SELF_MOST_SWITCHES)
        conclude(out, SELF_FAIL, SELF_IN_VAIN);
    else
        out->action = SELF_FINISH;
}

static bool is_proven(const struct self_facts *f, int64_t now_ms, struct self_decision *out) {
    const struct wire_grant *g = &f->journal->grant;
    int64_t from_ms = f->reached_ms > f->taken_over_ms ? f->reached_ms : f->taken_over_ms;
    int64_t proven_ms = f->began_ms + g->probation_ms;
    if (from_ms + g->min_healthy_ms > proven_ms) proven_ms = from_ms + g->min_healthy_ms;
    wake_by(out, now_ms, proven_ms);
    return now_ms >= proven_ms;
}

static void judge(const struct self_facts *f, int64_t now_ms, struct self_decision *out) {
    int64_t deadline_ms = f->began_ms + self_deadline_ms(&f->journal->grant);
    wake_by(out, now_ms, deadline_ms);
    bool reached = f->reached_ms != 0, taken_over = f->taken_over_ms != 0;
    if (reached && taken_over && is_proven(f, now_ms, out))
        out->action = SELF_COMMIT;
    else if (now_ms >= deadline_ms && !(reached && taken_over))
        conclude(out, SELF_GO_BACK, reached ? SELF_NOT_TAKEN_OVER : SELF_SILENT);
}

static void resume_probation(const struct self_facts *f, int64_t now_ms,
                             struct self_decision *out) {
    if (same(f->running, f->journal->to))
        judge(f, now_ms, out);
    else
        conclude(out, SELF_FAIL, f->given_up ? SELF_GIVEN_UP : SELF_REPLACED);
}

/* Whether the master's silence was the new build's fault is told by how the one before fares. */
static void resume_return(const struct self_facts *f, int64_t now_ms, struct self_decision *out) {
    int64_t deadline_ms = f->began_ms + self_deadline_ms(&f->journal->grant);
    if (same(f->running, f->journal->to))
        conclude(out, SELF_GO_BACK, SELF_VERDICT_NONE);
    else if (!f->journal->unseen || (f->reached_ms != 0 && f->reached_ms < deadline_ms))
        conclude(out, SELF_FAIL, SELF_VERDICT_NONE);
    else if (now_ms >= deadline_ms)
        out->action = SELF_FORGET;
    wake_by(out, now_ms, deadline_ms);
}

/* A build may fail after it was proven; what is still desired of it must not bring it back. */
static void resume_rest(const struct self_facts *f, int64_t now_ms, struct self_decision *out) {
    const struct self_journal *j = f->journal;
    if (j->stage == SELF_COMMITTED && f->given_up && !same(f->running, j->to))
        conclude(out, SELF_FAIL, SELF_GIVEN_UP);
    else
        consider_target(f, now_ms, out);
}

void self_decide(const struct self_facts *f, int64_t now_ms, struct self_decision *out) {
    *out = (struct self_decision){.wake_ms = INT64_MAX};
    if (f->running[0] == '\0') {
        out->hold = SELF_HOLD_LAUNCHER;
        return;
    }
    switch (f->journal->stage) {
    case SELF_SWITCHING:
        resume_switch(f, out);
        break;
    case SELF_PROBATION:
        resume_probation(f, now_ms, out);
        break;
    case SELF_RETURNING:
        resume_return(f, now_ms, out);
        break;
    case SELF_NONE:
    case SELF_COMMITTED:
    case SELF_FAILED:
    default:
        resume_rest(f, now_ms, out);
        break;
    }
}
