/* The part of agent/reconcile.h that says what is fetched, and what the agent does in a word. */
#include "agent/reconcile_internal.h"

#include <stdio.h>

/* What is missing, most urgent first. What is only to be there later does not wait for an operator
 * who wants no switch. */
void reconcile_choose_fetch(struct view *v) {
    const struct reconcile_input *in = v->in;
    const struct {
        const struct reconcile_version *version;
        bool wanted;
    } rows[] = {
        {&in->target,   !in->draining && !in->target_failed},
        {&in->current,  !in->draining                      },
        {&in->prefetch, true                               },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && in->may_download; i++) {
        const struct reconcile_version *w = rows[i].version;
        if (none(w->sha256) || w->staged || !rows[i].wanted) continue;
        bool pausing = w->fetch_failed && !same(in->fetching, w->sha256);
        if (pausing && w->fetch_refused) continue;
        if (pausing) wake_by(v, w->fetch_after_ms);
        if (pausing && v->now_ms < w->fetch_after_ms) continue;
        snprintf(v->out->fetch, sizeof v->out->fetch, "%s", w->sha256);
        return;
    }
}

static enum update_phase waiting(struct view *v, enum hold why) {
    hold(v, why, 0);
    return UPDATE_WAITING;
}

static enum update_phase describe_missing(struct view *v) {
    const struct reconcile_input *in = v->in;
    if (!in->may_download) return waiting(v, HOLD_DOWNLOAD_OFF);
    if (in->draining) return waiting(v, HOLD_DRAINING);
    if (in->held) return waiting(v, HOLD_HELD);
    bool failed = in->target.fetch_failed && !same(in->fetching, in->target.sha256);
    return failed ? UPDATE_UNFETCHED : UPDATE_FETCHING;
}

/* Nothing is under way: is something about to be? */
static enum update_phase describe_rest(struct view *v, const struct tally *t) {
    enum hold first = reconcile_first_install(v);
    bool nothing_works = t->taking_part > 0 && t->failed == t->taking_part;
    if (first != HOLD_NONE) return waiting(v, first);
    if (v->trial && t->taking_part == 0) hold(v, HOLD_NODES_HELD, 0);
    if (v->trial && none(v->in->current.sha256))
        return nothing_works ? UPDATE_FAILED : UPDATE_SWITCHING;
    if (v->trial) return UPDATE_WAITING;
    if (t->on_goal < t->taking_part) return UPDATE_SWITCHING;
    hold(v, HOLD_NONE, 0);
    return UPDATE_IDLE;
}

static enum update_phase describe_none(struct view *v, const struct tally *t) {
    const struct reconcile_input *in = v->in;
    if (in->target_failed) return UPDATE_FAILED;
    if (!none(in->target.sha256) && !in->target.staged) return describe_missing(v);
    if (none(v->goal->sha256)) return waiting(v, HOLD_NOTHING_DESIRED);
    return describe_rest(v, t);
}

enum update_phase reconcile_describe(struct view *v, const struct tally *t) {
    switch (v->in->transition.state) {
    case TRANSITION_SWITCHING:
        return UPDATE_SWITCHING;
    case TRANSITION_PROBATION:
        return UPDATE_PROBATION;
    case TRANSITION_RETURNING:
        return UPDATE_RETURNING;
    case TRANSITION_STUCK:
        return UPDATE_STUCK;
    case TRANSITION_NONE:
    case TRANSITION_STATE_COUNT:
    default:
        return describe_none(v, t);
    }
}
