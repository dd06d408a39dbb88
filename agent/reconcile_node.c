/* The part of agent/reconcile.h about one node. */
#include "agent/reconcile_internal.h"

int64_t reconcile_deadline_ms(const struct view *v, const struct reconcile_node *n) {
    const struct transition *t = &v->in->transition;
    bool by_policy = t->state != TRANSITION_NONE && t->policy.healthy_deadline_ms > 0;
    return by_policy && on_goal(v, n) ? t->policy.healthy_deadline_ms : RECONCILE_HEALTHY_MS;
}

/* It has not come up yet with a version that nobody wants any more: nothing is lost with it. */
static bool starts_in_vain(const struct view *v, const struct reconcile_node *n) {
    return v->in->transition.state != TRANSITION_NONE && !on_goal(v, n) &&
           !same(n->assigned, v->in->current.sha256);
}

static enum condition condition_running(const struct view *v, const struct reconcile_node *n) {
    if (!same(n->running, n->assigned)) return SETTLING;
    if (n->proven) return n->health == HEALTH_BAD ? BROKEN : GOOD;
    if (starts_in_vain(v, n)) return BROKEN;
    return v->now_ms < n->started_ms + reconcile_deadline_ms(v, n) ? SETTLING : BROKEN;
}

enum condition reconcile_condition(const struct view *v, const struct reconcile_node *n) {
    if (!n->wanted) return ASIDE;
    switch (n->phase) {
    case NODE_RUNNING:
        return condition_running(v, n);
    case NODE_STOPPING:
        return SETTLING;
    case NODE_DOWN:
        return n->failures == 0 && reconcile_staged(v, n->assigned) ? SETTLING : BROKEN;
    case NODE_UNKNOWN:
    case NODE_HELD:
    default:
        return ASIDE;
    }
}

/* Ends of its processes that nobody ordered: on trial as the starts tell, else as they were seen in
 * a row. */
static unsigned exits(const struct view *v, const struct reconcile_node *n) {
    unsigned lives = n->phase == NODE_DOWN ? 0 : 1;
    if (!v->begun || n->tries == 0) return n->failures;
    return n->tries > lives ? n->tries - lives : 0;
}

/* One that worked on the new version may recover where there is a probation to do so in. */
static bool failed_running(struct view *v, const struct reconcile_node *n) {
    const struct transition_policy *p = &v->in->transition.policy;
    bool patient = v->begun && (p->probation_ms > 0 || p->min_healthy_ms > 0);
    if (reconcile_condition(v, n) != BROKEN) return false;
    if (!patient || !n->proven) return true;
    int64_t until_ms = n->bad_since_ms + reconcile_deadline_ms(v, n);
    wake_by(v, until_ms);
    return v->now_ms >= until_ms;
}

bool reconcile_failed(struct view *v, const struct reconcile_node *n) {
    if (v->begun && n->hung) return true;
    if (n->phase == NODE_STOPPING) return false;
    if (n->phase == NODE_DOWN && n->machine_failed) return false;
    if (exits(v, n) >= RECONCILE_MOST_EXITS) return true;
    return n->phase == NODE_RUNNING && failed_running(v, n);
}

/* Silence alone proves nothing: an agent that was stopped itself has not asked. What a node says of
 * itself is no silence, however bad it is. */
static bool hangs(struct view *v, const struct reconcile_node *n) {
    int64_t limit_ms = v->in->hung_after_ms;
    if (limit_ms <= 0 || n->misses == 0) return false;
    if (!n->proven && limit_ms < RECONCILE_STUCK_MS) limit_ms = RECONCILE_STUCK_MS;
    wake_by(v, n->silent_since_ms + limit_ms);
    return n->misses >= RECONCILE_HUNG_MISSES && v->now_ms >= n->silent_since_ms + limit_ms;
}

static enum step step_running(struct view *v, struct reconcile_node *n) {
    bool restartable = n->wanted && reconcile_staged(v, n->assigned);
    if (restartable && !same(n->running, n->assigned)) return STEP_TERMINATE;
    n->hung = restartable && hangs(v, n);
    if (n->hung) return STEP_TERMINATE;
    if (!n->proven) wake_by(v, n->started_ms + reconcile_deadline_ms(v, n));
    return STEP_NONE;
}

static enum step step_stopping(struct view *v, const struct reconcile_node *n) {
    if (n->killed) return STEP_NONE;
    if (v->now_ms >= n->stopping_ms + RECONCILE_DRAIN_MS) return STEP_KILL;
    wake_by(v, n->stopping_ms + RECONCILE_DRAIN_MS);
    return STEP_NONE;
}

static enum step step_down(struct view *v, const struct reconcile_node *n) {
    if (!n->wanted || !reconcile_staged(v, n->assigned)) return STEP_NONE;
    if (v->now_ms >= n->start_after_ms) return STEP_START;
    wake_by(v, n->start_after_ms);
    return STEP_NONE;
}

enum step reconcile_step(struct view *v, struct reconcile_node *n) {
    switch (n->phase) {
    case NODE_RUNNING:
        return step_running(v, n);
    case NODE_STOPPING:
        return step_stopping(v, n);
    case NODE_DOWN:
        return step_down(v, n);
    case NODE_UNKNOWN:
    case NODE_HELD:
    default:
        return STEP_NONE;
    }
}
