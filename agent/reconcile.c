#include "agent/reconcile_internal.h"

#include <assert.h>
#include <stdio.h>

bool reconcile_staged(const struct view *v, const char *digest) {
    const struct reconcile_version *const known[] = {&v->in->target, &v->in->current,
                                                     &v->in->previous};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (!none(digest) && same(known[i]->sha256, digest) && known[i]->staged) return true;
    return false;
}

/* A switch begins only with the operator's leave and the master's company, or the rollout's. */
static enum hold may_begin(const struct reconcile_input *in, int64_t now_ms) {
    if (in->draining) return HOLD_DRAINING;
    if (in->held) return HOLD_HELD;
    if (in->grant.given) return now_ms < in->grant.lease_until_ms ? HOLD_NONE : HOLD_LEAVE;
    return in->connected ? HOLD_NONE : HOLD_MASTER_AWAY;
}

/* While nodes are on their way somewhere, another version is a goal only with leave to begin; and
 * from a version that failed they come back first, unless there is no coming back. */
static bool goes_to_target(const struct reconcile_input *in, int64_t now_ms) {
    const struct transition *t = &in->transition;
    if (none(in->target.sha256) || !in->target.staged || in->target_failed) return false;
    bool on_trial = t->state == TRANSITION_SWITCHING || t->state == TRANSITION_PROBATION;
    if (t->state == TRANSITION_NONE) return true;
    if (on_trial && same(t->to, in->target.sha256)) return true;
    if (t->state == TRANSITION_RETURNING && t->failed) return false;
    return !in->unwritable && may_begin(in, now_ms) == HOLD_NONE;
}

static void set_digest(char target[SHA256_HEX_SIZE], const char *digest) {
    snprintf(target, SHA256_HEX_SIZE, "%s", digest);
}

/* What failed with the former assignment says nothing about this one. */
static void assign(struct view *v, struct reconcile_node *n, const char *digest, bool excused) {
    assert(n >= v->nodes && n < v->nodes + v->count);
    set_digest(n->assigned, digest);
    n->excused = excused;
    n->failures = n->tries = 0;
    n->machine_failed = false;
    n->start_after_ms = v->now_ms;
    n->stop_answer = STOP_UNASKED;
}

/* What a node without a process should start: its assignment while that is still one of the two
 * versions in play, and never bytes that are not in the store. */
static const char *choose_start(const struct view *v, const struct reconcile_node *n) {
    const char *current = v->in->current.sha256;
    const char *choice = n->assigned;
    bool ahead = v->trial && !v->begun && !none(current);
    if (none(choice) || !((on_goal(v, n) && !ahead) || same(choice, current)))
        choice = none(current) ? v->goal->sha256 : current;
    if (reconcile_staged(v, choice)) return choice;
    const char *const others[] = {current, v->in->previous.sha256, v->goal->sha256};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (reconcile_staged(v, others[i])) return others[i];
    return choice;
}

enum hold reconcile_first_install(const struct view *v) {
    if (!none(v->in->current.sha256) || !v->trial) return HOLD_NONE;
    if (v->in->draining) return HOLD_DRAINING;
    if (v->in->held) return HOLD_HELD;
    for (size_t i = 0; i < v->count; i++)
        if (on_goal(v, &v->nodes[i])) return HOLD_NONE;
    return v->in->grant.given ? may_begin(v->in, v->now_ms) : HOLD_NONE;
}

/* A first version is judged by what happens in this generation only. */
static void begin_generation(struct view *v, struct reconcile_node *n) {
    if (n->generation == v->in->generation) return;
    n->generation = v->in->generation;
    if (v->trial && !v->begun && on_goal(v, n)) n->failures = 0;
}

/* What a node did before it was held, or not wanted, is no evidence later. One that is examined
 * while a transition is under way is where it was. */
static bool out_of_play(const struct view *v, const struct reconcile_node *n) {
    if (n->phase == NODE_UNKNOWN) return v->in->transition.state == TRANSITION_NONE;
    return n->phase == NODE_HELD || (n->phase == NODE_DOWN && !n->wanted);
}

static void note_health(struct view *v, struct reconcile_node *n) {
    enum condition c = reconcile_condition(v, n);
    bool bad = c == BROKEN && n->phase == NODE_RUNNING && n->proven;
    if (c == GOOD) n->excused = false;
    if (c != GOOD)
        n->good_since_ms = 0;
    else if (n->good_since_ms == 0)
        n->good_since_ms = v->now_ms;
    if (!bad)
        n->bad_since_ms = 0;
    else if (n->bad_since_ms == 0)
        n->bad_since_ms = v->now_ms;
}

/* Gives every node an assignment that it can have right now, without moving any that works. */
static void settle_assignments(struct view *v) {
    enum hold first = reconcile_first_install(v);
    for (size_t i = 0; i < v->count; i++) {
        struct reconcile_node *n = &v->nodes[i];
        begin_generation(v, n);
        if (v->in->transition.state == TRANSITION_NONE) n->tries = 0;
        if (out_of_play(v, n)) n->assigned[0] = '\0';
        if (n->phase == NODE_RUNNING && none(n->assigned)) assign(v, n, n->running, false);
        if (n->phase == NODE_RUNNING && same(n->running, v->goal->sha256) && !on_goal(v, n))
            assign(v, n, v->goal->sha256, false);
        note_health(v, n);
        if (n->phase != NODE_DOWN || !n->wanted || first != HOLD_NONE) continue;
        const char *choice = choose_start(v, n);
        bool excused = n->excused || none(v->in->current.sha256);
        if (!same(choice, n->assigned)) assign(v, n, choice, excused);
    }
}

/* Once begun it is finished on local health alone. Going back to current is always allowed. */
static enum hold may_move(struct view *v) {
    if (!v->trial || v->begun) return HOLD_NONE;
    if (v->in->grant.given) wake_by(v, v->in->grant.lease_until_ms);
    enum hold why = may_begin(v->in, v->now_ms);
    return why == HOLD_NONE && v->in->unwritable ? HOLD_UNWRITABLE : why;
}

/* Before the first node moves to a new version, it is written down that they do. */
static bool must_begin(struct view *v) {
    if (!v->trial || v->begun || none(v->in->current.sha256)) return false;
    v->out->turn = TURN_BEGIN;
    return true;
}

static bool some_node_is_there(const struct view *v) {
    for (size_t i = 0; i < v->count; i++)
        if (reconcile_condition(v, &v->nodes[i]) != ASIDE && on_goal(v, &v->nodes[i])) return true;
    return false;
}

/* Nodes that do not work get the goal at once: there is nothing to lose. Those that were broken on
 * the current version are excused; one that a trial broke is not. */
static void move_broken(struct view *v) {
    for (size_t i = 0; i < v->count; i++) {
        struct reconcile_node *n = &v->nodes[i];
        if (reconcile_condition(v, n) != BROKEN || on_goal(v, n)) continue;
        if (must_begin(v)) return;
        bool lacks_bytes = n->phase == NODE_DOWN && n->failures == 0;
        bool by_itself = !lacks_bytes && same(n->assigned, v->in->current.sha256);
        assign(v, n, v->goal->sha256, by_itself || n->excused);
    }
}

/* Whether another working node may be taken down: nothing is on its way, and whatever the agent has
 * touched works. */
static bool settled(struct view *v) {
    for (size_t i = 0; i < v->count; i++) {
        const struct reconcile_node *n = &v->nodes[i];
        enum condition c = reconcile_condition(v, n);
        bool touched_and_broken = c == BROKEN && on_goal(v, n) && !n->excused;
        if (n->phase == NODE_UNKNOWN) hold(v, HOLD_EXAMINING, i);
        if (c == SETTLING || touched_and_broken) hold(v, HOLD_NODE, i);
        if (n->phase == NODE_UNKNOWN || c == SETTLING || touched_and_broken) return false;
    }
    return true;
}

static bool may_be_unavailable(const struct view *v) {
    const struct transition *t = &v->in->transition;
    bool under_way = t->state != TRANSITION_NONE;
    return (under_way ? t->policy : v->in->grant.policy).allow_unavailable &&
           (under_way || v->trial);
}

/* Asks the node whether it can be spared. True once it has agreed. */
static bool spared(struct view *v, size_t i) {
    struct reconcile_node *n = &v->nodes[i];
    int64_t again_ms = n->answered_ms + RECONCILE_ASK_AGAIN_MS;
    if (n->stop_answer == STOP_GRANTED || may_be_unavailable(v)) return true;
    hold(v, n->stop_answer == STOP_VETOED ? HOLD_VETO : HOLD_ASKED, i);
    if (n->stop_answer == STOP_VETOED && v->now_ms < again_ms)
        wake_by(v, again_ms);
    else if (n->stop_answer != STOP_ASKED)
        v->steps[i] = STEP_ASK;
    return false;
}

static bool terminate(struct view *v, size_t i) {
    assert(i < v->count && v->nodes[i].phase == NODE_RUNNING);
    v->steps[i] = STEP_TERMINATE;
    v->nodes[i].stop_answer = STOP_UNASKED;
    return true;
}

/* A permission that was not used at once is worth nothing later. */
static void forget_permissions(struct view *v) {
    for (size_t i = 0; i < v->count; i++)
        if (v->nodes[i].stop_answer == STOP_GRANTED) v->nodes[i].stop_answer = STOP_UNASKED;
}

/* A working node is not given up for a version on trial while the bytes to go back to are missing,
 * unless that version has proven itself on another node or the bytes cannot be had any more. */
static bool return_is_possible(struct view *v) {
    const struct reconcile_version *current = &v->in->current;
    if (!v->trial || current->staged || current->fetch_failed) return true;
    for (size_t i = 0; i < v->count; i++)
        if (reconcile_condition(v, &v->nodes[i]) == GOOD && on_goal(v, &v->nodes[i])) return true;
    return false;
}

/* Takes one working node out of service if there is reason to and nothing speaks against it: first
 * those that are to run another version, then those nobody wants any more. */
static bool take_one_down(struct view *v, bool moving) {
    for (size_t i = 0; i < v->count && moving; i++) {
        struct reconcile_node *n = &v->nodes[i];
        if (reconcile_condition(v, n) != GOOD || on_goal(v, n)) continue;
        if (!return_is_possible(v)) hold(v, HOLD_NO_RETURN, i);
        if (!return_is_possible(v) || !spared(v, i) || must_begin(v)) return false;
        assign(v, n, v->goal->sha256, false);
        return terminate(v, i);
    }
    for (size_t i = 0; i < v->count; i++) {
        if (v->nodes[i].wanted || v->nodes[i].phase != NODE_RUNNING) continue;
        return spared(v, i) && terminate(v, i);
    }
    return false;
}

/* Restarts that an operator ordered, one at a time. */
static void restart_one(struct view *v) {
    for (size_t i = 0; i < v->count; i++) {
        struct reconcile_node *n = &v->nodes[i];
        bool steady = n->wanted && n->phase == NODE_RUNNING && same(n->running, n->assigned);
        if (!steady || !n->restart_ordered || !reconcile_staged(v, n->assigned)) continue;
        for (size_t j = 0; j < v->count; j++)
            if (j != i && reconcile_condition(v, &v->nodes[j]) == SETTLING) return;
        terminate(v, i);
        return;
    }
}

static bool may_go(const struct view *v) {
    return !none(v->goal->sha256) && v->goal->staged;
}

static void move(struct view *v) {
    enum hold why = may_move(v);
    bool moving = may_go(v) && why == HOLD_NONE;
    if (moving && some_node_is_there(v) && must_begin(v)) return;
    if (moving) move_broken(v);
    bool taken = v->out->turn == TURN_NONE && settled(v) && take_one_down(v, moving);
    if (v->out->turn != TURN_NONE) return;
    if (!taken) {
        forget_permissions(v);
        restart_one(v);
    }
    if (why != HOLD_NONE) hold(v, why, 0);
}

/* A first version is installed without a transition: no leave is asked for once a node has it. */
static bool has_begun(const struct view *v) {
    bool first = none(v->in->current.sha256);
    if (v->in->transition.state != TRANSITION_NONE) return true;
    for (size_t i = 0; i < v->count && first; i++)
        if (!none(v->nodes[i].assigned)) return true;
    return false;
}

/* Nodes are on their way to a version that is not the goal any more. */
static bool leave_the_way(struct view *v) {
    const struct transition *t = &v->in->transition;
    const char *current = v->in->current.sha256;
    bool on_trial = t->state == TRANSITION_SWITCHING || t->state == TRANSITION_PROBATION;
    if (t->state == TRANSITION_NONE || v->begun) return false;
    if (none(current) || same(t->to, current))
        v->out->turn = TURN_END;
    else if (v->trial)
        v->out->turn = TURN_BEGIN;
    else if (on_trial)
        v->out->turn = TURN_BACK;
    return v->out->turn != TURN_NONE;
}

static struct view look_at(const struct reconcile_input *in, int64_t now_ms) {
    const struct transition *t = &in->transition;
    bool on_trial = t->state == TRANSITION_SWITCHING || t->state == TRANSITION_PROBATION;
    struct view v = {.in = in, .now_ms = now_ms};
    v.goal = goes_to_target(in, now_ms) ? &in->target : &in->current;
    v.trial = !none(v.goal->sha256) && !same(v.goal->sha256, in->current.sha256);
    v.begun = v.trial && on_trial && same(t->to, v.goal->sha256);
    return v;
}

static void choose_steps(struct view *v) {
    for (size_t i = 0; i < v->count; i++)
        if (v->steps[i] == STEP_NONE) v->steps[i] = reconcile_step(v, &v->nodes[i]);
}

/* True when something has to be written down before anything is done. */
static bool turn(struct view *v) {
    if (leave_the_way(v)) return true;
    settle_assignments(v);
    struct tally tally = reconcile_count(v);
    if (reconcile_judge(v, &tally)) return true;
    move(v);
    return v->out->turn != TURN_NONE;
}

void reconcile(const struct reconcile_input *in, struct reconcile_node *nodes, enum step *steps,
               size_t count, int64_t now_ms, struct reconcile_decision *out) {
    assert(count > 0);
    *out = (struct reconcile_decision){.wake_ms = INT64_MAX};
    struct view v = look_at(in, now_ms);
    v.nodes = nodes;
    v.steps = steps;
    v.count = count;
    v.out = out;
    for (size_t i = 0; i < count; i++) steps[i] = STEP_NONE;
    out->begun = true;
    if (turn(&v)) {
        assert(transition_allows(in->transition.state, out->turn) || out->turn == TURN_NONE);
        out->wake_ms = now_ms;
        return;
    }
    assert(out->turn == TURN_NONE && out->commit[0] == '\0');
    choose_steps(&v);
    out->begun = has_begun(&v);
    reconcile_choose_fetch(&v);
    struct tally tally = reconcile_count(&v);
    out->update = reconcile_describe(&v, &tally);
    assert(out->wake_ms > now_ms && out->hold_node < count);
}
