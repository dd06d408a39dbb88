/* The part of agent/reconcile.h that says when something is over: a first version, a trial, a
 * return. */
#include "agent/reconcile_internal.h"

#include <assert.h>
#include <stdio.h>

static void count_on_goal(struct view *v, size_t i, enum condition c, struct tally *t) {
    const struct reconcile_node *n = &v->nodes[i];
    bool failed = c != GOOD && reconcile_failed(v, n);
    t->on_goal++;
    if (c != GOOD && !failed) t->undecided = true;
    if (failed && t->failed++ == 0) t->first_failed = i;
    if (n->excused) return;
    if (failed && t->failed_unexcused++ == 0) t->first_failed_unexcused = i;
    if (c != GOOD && t->ailing++ == 0) t->first_ailing = i;
    if (n->heard_ms < t->heard_ms) {
        t->heard_ms = n->heard_ms;
        t->first_unheard = i;
    }
    if (c == GOOD && n->good_since_ms > t->good_since_ms) t->good_since_ms = n->good_since_ms;
}

struct tally reconcile_count(struct view *v) {
    struct tally t = {.heard_ms = INT64_MAX};
    for (size_t i = 0; i < v->count; i++) {
        const struct reconcile_node *n = &v->nodes[i];
        enum condition c = reconcile_condition(v, n);
        if (n->wanted && n->phase == NODE_UNKNOWN) t.unknown++;
        if (c == ASIDE) continue;
        t.taking_part++;
        if (on_goal(v, n)) count_on_goal(v, i, c, &t);
    }
    assert(t.failed_unexcused <= t.failed && t.failed <= t.on_goal);
    assert(t.on_goal <= t.taking_part && t.taking_part <= v->count);
    return t;
}

/* While there is no version to return to, the first one that works anywhere becomes it. */
static bool adopt_current(struct view *v) {
    for (size_t i = 0; i < v->count && none(v->in->current.sha256); i++) {
        const struct reconcile_node *n = &v->nodes[i];
        if (reconcile_condition(v, n) != GOOD) continue;
        snprintf(v->out->commit, sizeof v->out->commit, "%s", n->running);
        return true;
    }
    return false;
}

static bool all_there(const struct tally *t) {
    return t->taking_part > 0 && t->on_goal == t->taking_part && t->unknown == 0;
}

static bool take(struct view *v, enum turn turn, size_t failed_node) {
    assert(v->out->turn == TURN_NONE && failed_node < v->count);
    assert(turn != TURN_COMMIT || !none(v->goal->sha256));
    v->out->turn = turn;
    v->out->failed_node = failed_node;
    if (turn == TURN_COMMIT) snprintf(v->out->commit, sizeof v->out->commit, "%s", v->goal->sha256);
    return true;
}

bool reconcile_watches(const struct reconcile_node *nodes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct reconcile_node *n = &nodes[i];
        bool prevented = n->phase == NODE_DOWN && n->machine_failed;
        if (n->wanted && (n->phase == NODE_UNKNOWN || prevented)) return false;
    }
    return true;
}

/* Every node works now and did for long enough, or the time for that is over. That it works is its
 * own word from after the end: one that has just begun to hang looks as good as before. A node
 * whose silence was broken again and again does not get more of it than one that never worked. */
static bool judge_probation(struct view *v, const struct tally *t) {
    assert(v->begun && v->in->transition.state == TRANSITION_PROBATION);
    const struct transition *now = &v->in->transition;
    const struct transition_policy *p = &now->policy;
    int64_t deadline_ms =
        p->healthy_deadline_ms > 0 ? p->healthy_deadline_ms : RECONCILE_HEALTHY_MS;
    int64_t over_ms = p->probation_ms + deadline_ms;
    int64_t end_ms = v->now_ms - (now->watched_ms - p->probation_ms);
    int64_t stretch_end_ms = t->good_since_ms + p->min_healthy_ms;
    bool heard = t->heard_ms >= (end_ms > stretch_end_ms ? end_ms : stretch_end_ms);
    bool working = t->ailing == 0 && all_there(t);
    int64_t healthy_ms = working ? v->now_ms - t->good_since_ms : 0;
    if (!reconcile_watches(v->nodes, v->count)) return false;
    wake_by(v, v->now_ms + p->probation_ms - now->watched_ms);
    wake_by(v, v->now_ms + over_ms - now->watched_ms);
    wake_by(v, v->now_ms + over_ms + p->min_healthy_ms - now->watched_ms);
    if (working) wake_by(v, t->good_since_ms + p->min_healthy_ms);
    if (now->watched_ms < p->probation_ms) return false;
    if (working && heard && healthy_ms >= p->min_healthy_ms) return take(v, TURN_COMMIT, 0);
    if (now->watched_ms < over_ms + (working ? p->min_healthy_ms : 0)) return false;
    return t->taking_part > 0 && take(v, TURN_FAIL, working ? t->first_unheard : t->first_ailing);
}

static bool judge_trial(struct view *v, const struct tally *t) {
    assert(v->trial && v->begun);
    const struct transition *now = &v->in->transition;
    bool all_failed = t->taking_part > 0 && t->failed == t->taking_part && t->unknown == 0;
    bool watched = now->policy.probation_ms > 0 || now->policy.min_healthy_ms > 0;
    if (t->failed_unexcused > 0) return take(v, TURN_FAIL, t->first_failed_unexcused);
    if (all_failed) return take(v, TURN_FAIL, t->first_failed);
    if (now->state == TRANSITION_PROBATION) return judge_probation(v, t);
    if (!all_there(t) || t->undecided) return false;
    return take(v, watched ? TURN_WATCH : TURN_COMMIT, 0);
}

/* A machine whose nodes are all somebody else's has nothing to bring back. */
static bool judge_return(struct view *v, const struct tally *t) {
    assert(!v->trial && v->in->transition.state >= TRANSITION_RETURNING);
    const struct reconcile_version *current = &v->in->current;
    bool stuck = v->in->transition.state == TRANSITION_STUCK;
    bool back = t->on_goal == t->taking_part && t->unknown == 0;
    bool without_bytes = !current->staged && current->fetch_failed && t->ailing > 0;
    if (back && t->ailing == 0 && !t->undecided) return take(v, TURN_END, 0);
    if (stuck || (t->failed_unexcused == 0 && !without_bytes)) return false;
    return take(v, TURN_STICK,
                t->failed_unexcused > 0 ? t->first_failed_unexcused : t->first_ailing);
}

bool reconcile_judge(struct view *v, const struct tally *t) {
    if (adopt_current(v)) return true;
    if (v->begun) return judge_trial(v, t);
    return !v->trial && v->in->transition.state != TRANSITION_NONE && judge_return(v, t);
}
