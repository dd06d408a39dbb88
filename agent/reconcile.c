#include "agent/reconcile.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum condition {
    ASIDE,    /* not ours to move: unknown, held, or not wanted */
    GOOD,     /* works */
    SETTLING, /* on its way: stopping, about to start, or young and not proven */
    BROKEN,   /* does not work, and waiting alone will not mend it */
};

struct view {
    const struct reconcile_input *in;
    struct reconcile_node *nodes;
    enum step *steps;
    size_t count;
    int64_t now_ms;
    struct reconcile_decision *out;
    const struct reconcile_version *goal; /* where nodes go */
    bool trial;                           /* the goal is new; there may be a version to return to */
};

static bool same(const char *a, const char *b) {
    return strcmp(a, b) == 0;
}

static bool none(const char *digest) {
    return digest[0] == '\0';
}

static void wake_by(struct view *v, int64_t at_ms) {
    if (at_ms > v->now_ms && at_ms < v->out->wake_ms) v->out->wake_ms = at_ms;
}

static bool staged(const struct view *v, const char *digest) {
    const struct reconcile_version *const known[] = {&v->in->target, &v->in->current,
                                                     &v->in->previous};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (!none(digest) && same(known[i]->sha256, digest) && known[i]->staged) return true;
    return false;
}

static bool given_up(const struct reconcile_input *in) {
    return !none(in->target.sha256) && same(in->failed, in->target.sha256) &&
           in->failed_generation == in->generation;
}

static const struct reconcile_version *choose_goal(const struct reconcile_input *in) {
    bool usable = !none(in->target.sha256) && in->target.staged && !given_up(in);
    return usable ? &in->target : &in->current;
}

static bool on_goal(const struct view *v, const struct reconcile_node *n) {
    return same(n->assigned, v->goal->sha256);
}

static void set_digest(char target[SHA256_HEX_SIZE], const char *digest) {
    snprintf(target, SHA256_HEX_SIZE, "%s", digest);
}

/* What failed with the former assignment says nothing about this one. */
static void assign(struct view *v, struct reconcile_node *n, const char *digest, bool excused) {
    set_digest(n->assigned, digest);
    n->excused = excused;
    n->failures = 0;
    n->machine_failed = false;
    n->start_after_ms = v->now_ms;
    n->stop_answer = STOP_UNASKED;
}

static enum condition condition_running(const struct view *v, const struct reconcile_node *n) {
    if (!same(n->running, n->assigned)) return SETTLING;
    if (n->proven) return n->health == HEALTH_BAD ? BROKEN : GOOD;
    return v->now_ms < n->started_ms + RECONCILE_HEALTHY_MS ? SETTLING : BROKEN;
}

static enum condition condition(const struct view *v, const struct reconcile_node *n) {
    if (!n->wanted) return ASIDE;
    switch (n->phase) {
    case NODE_RUNNING:
        return condition_running(v, n);
    case NODE_STOPPING:
        return SETTLING;
    case NODE_DOWN:
        return n->failures == 0 && staged(v, n->assigned) ? SETTLING : BROKEN;
    case NODE_UNKNOWN:
    case NODE_HELD:
    default:
        return ASIDE;
    }
}

/* Whether a node that does not work speaks against its version. */
static bool failed_on(const struct view *v, const struct reconcile_node *n) {
    if (n->phase == NODE_STOPPING) return false;
    if (n->phase == NODE_DOWN && n->machine_failed) return false;
    if (n->failures >= RECONCILE_MOST_EXITS) return true;
    return n->phase == NODE_RUNNING && condition(v, n) == BROKEN;
}

/* What a node without a process should start: its assignment while that is still one of the two
 * versions in play, and never bytes that are not in the store. */
static const char *choose_start(const struct view *v, const struct reconcile_node *n) {
    const char *current = v->in->current.sha256;
    const char *choice = n->assigned;
    if (none(choice) || !(on_goal(v, n) || same(choice, current)))
        choice = none(current) ? v->goal->sha256 : current;
    if (staged(v, choice)) return choice;
    const char *const others[] = {current, v->in->previous.sha256, v->goal->sha256};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (staged(v, others[i])) return others[i];
    return choice;
}

static bool first_install_held(const struct view *v) {
    return none(v->in->current.sha256) && v->in->draining;
}

/* A version on trial is judged by what happens in this generation only. */
static void begin_generation(struct view *v, struct reconcile_node *n) {
    if (n->generation == v->in->generation) return;
    n->generation = v->in->generation;
    if (v->trial && on_goal(v, n)) n->failures = 0;
}

/* Gives every node an assignment that it can have right now, without moving any that works. */
static void settle_assignments(struct view *v) {
    for (size_t i = 0; i < v->count; i++) {
        struct reconcile_node *n = &v->nodes[i];
        begin_generation(v, n);
        bool out_of_play = n->phase == NODE_UNKNOWN || n->phase == NODE_HELD ||
                           (n->phase == NODE_DOWN && !n->wanted);
        if (out_of_play) n->assigned[0] = '\0'; /* what it did before is no evidence later */
        if (n->phase == NODE_RUNNING && none(n->assigned)) assign(v, n, n->running, false);
        if (n->phase == NODE_RUNNING && same(n->running, v->goal->sha256) && !on_goal(v, n))
            assign(v, n, v->goal->sha256, false);
        if (condition(v, n) == GOOD) n->excused = false;
        if (n->phase != NODE_DOWN || !n->wanted || first_install_held(v)) continue;
        const char *choice = choose_start(v, n);
        bool excused = n->excused || none(v->in->current.sha256);
        if (!same(choice, n->assigned)) assign(v, n, choice, excused);
    }
}

/* A switch begins only with the operator's leave and the master's company; once begun it is
 * finished on local health alone. Going back to current is always allowed. */
static enum hold may_move(const struct view *v) {
    if (!v->trial) return HOLD_NONE;
    if (v->in->draining) return HOLD_DRAINING;
    if (v->in->connected) return HOLD_NONE;
    for (size_t i = 0; i < v->count; i++)
        if (condition(v, &v->nodes[i]) != ASIDE && on_goal(v, &v->nodes[i])) return HOLD_NONE;
    return HOLD_MASTER_AWAY;
}

static void hold(struct view *v, enum hold why, size_t node) {
    v->out->hold = why;
    v->out->hold_node = node;
}

/* Nodes that do not work get the goal at once: there is nothing to lose. Those that were broken on
 * the current version are excused; one that a trial broke is not. */
static void move_broken(struct view *v) {
    for (size_t i = 0; i < v->count; i++) {
        struct reconcile_node *n = &v->nodes[i];
        if (condition(v, n) != BROKEN || on_goal(v, n)) continue;
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
        enum condition c = condition(v, n);
        bool touched_and_broken = c == BROKEN && on_goal(v, n) && !n->excused;
        if (n->phase == NODE_UNKNOWN) hold(v, HOLD_EXAMINING, i);
        if (c == SETTLING || touched_and_broken) hold(v, HOLD_NODE, i);
        if (n->phase == NODE_UNKNOWN || c == SETTLING || touched_and_broken) return false;
    }
    return true;
}

/* Asks the node whether it can be spared. True once it has agreed. */
static bool spared(struct view *v, size_t i) {
    struct reconcile_node *n = &v->nodes[i];
    int64_t again_ms = n->answered_ms + RECONCILE_ASK_AGAIN_MS;
    if (n->stop_answer == STOP_GRANTED) return true;
    if (n->stop_answer == STOP_VETOED) hold(v, HOLD_VETO, i);
    if (n->stop_answer == STOP_VETOED && v->now_ms < again_ms)
        wake_by(v, again_ms);
    else if (n->stop_answer != STOP_ASKED)
        v->steps[i] = STEP_ASK;
    return false;
}

static bool terminate(struct view *v, size_t i) {
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
    if (!v->trial || current->staged || same(v->in->fetch_failed, current->sha256)) return true;
    for (size_t i = 0; i < v->count; i++)
        if (condition(v, &v->nodes[i]) == GOOD && on_goal(v, &v->nodes[i])) return true;
    return false;
}

/* Takes one working node out of service if there is reason to and nothing speaks against it: first
 * those that are to run another version, then those nobody wants any more. */
static bool take_one_down(struct view *v, bool moving) {
    for (size_t i = 0; i < v->count && moving; i++) {
        struct reconcile_node *n = &v->nodes[i];
        if (condition(v, n) != GOOD || on_goal(v, n)) continue;
        if (!return_is_possible(v)) hold(v, HOLD_NO_RETURN, i);
        if (!return_is_possible(v) || !spared(v, i)) return false;
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
        if (!steady || !n->restart_ordered || !staged(v, n->assigned)) continue;
        for (size_t j = 0; j < v->count; j++)
            if (j != i && condition(v, &v->nodes[j]) == SETTLING) return;
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
    if (moving) move_broken(v);
    bool taken = settled(v) && take_one_down(v, moving);
    if (!taken) {
        forget_permissions(v);
        restart_one(v);
    }
    if (why != HOLD_NONE) hold(v, why, 0);
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
    bool restartable = n->wanted && staged(v, n->assigned);
    if (restartable && !same(n->running, n->assigned)) return STEP_TERMINATE;
    n->hung = restartable && hangs(v, n);
    if (n->hung) return STEP_TERMINATE;
    if (!n->proven) wake_by(v, n->started_ms + RECONCILE_HEALTHY_MS);
    return STEP_NONE;
}

static enum step step_stopping(struct view *v, const struct reconcile_node *n) {
    if (n->killed) return STEP_NONE;
    if (v->now_ms >= n->stopping_ms + RECONCILE_DRAIN_MS) return STEP_KILL;
    wake_by(v, n->stopping_ms + RECONCILE_DRAIN_MS);
    return STEP_NONE;
}

static enum step step_down(struct view *v, const struct reconcile_node *n) {
    if (!n->wanted || !staged(v, n->assigned)) return STEP_NONE;
    if (v->now_ms >= n->start_after_ms) return STEP_START;
    wake_by(v, n->start_after_ms);
    return STEP_NONE;
}

static enum step step_for(struct view *v, struct reconcile_node *n) {
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

static void choose_steps(struct view *v) {
    for (size_t i = 0; i < v->count; i++)
        if (v->steps[i] == STEP_NONE) v->steps[i] = step_for(v, &v->nodes[i]);
}

struct tally {
    size_t taking_part, on_goal, good, failed, failed_unexcused;
    size_t first_failed, first_failed_unexcused;
    bool undecided; /* some node on the goal has neither come up nor failed */
};

static void count_node(const struct view *v, size_t i, struct tally *t) {
    const struct reconcile_node *n = &v->nodes[i];
    enum condition c = condition(v, n);
    if (c == ASIDE) return;
    t->taking_part++;
    if (!on_goal(v, n)) return;
    t->on_goal++;
    if (c == GOOD) {
        t->good++;
    } else if (!failed_on(v, n)) {
        t->undecided = true;
    } else {
        if (t->failed++ == 0) t->first_failed = i;
        if (!n->excused && t->failed_unexcused++ == 0) t->first_failed_unexcused = i;
    }
}

static struct tally count_nodes(const struct view *v) {
    struct tally t = {0};
    for (size_t i = 0; i < v->count; i++) count_node(v, i, &t);
    return t;
}

/* While there is no version to return to, the first one that works anywhere becomes it. */
static bool adopt_current(struct view *v) {
    for (size_t i = 0; i < v->count && none(v->in->current.sha256); i++) {
        const struct reconcile_node *n = &v->nodes[i];
        if (condition(v, n) != GOOD) continue;
        set_digest(v->out->commit, n->running);
        return true;
    }
    return false;
}

/* Whether the trial of a version is over, one way or the other. */
static bool judge(struct view *v, const struct tally *t) {
    if (!v->trial || none(v->in->current.sha256) || t->taking_part == 0) return false;
    bool all_failed = t->failed == t->taking_part;
    bool all_decided = !t->undecided && t->on_goal == t->taking_part;
    v->out->failed_node = t->failed_unexcused > 0 ? t->first_failed_unexcused : t->first_failed;
    v->out->give_up = t->failed_unexcused > 0 || all_failed;
    if (!v->out->give_up && !all_decided) return false;
    if (!v->out->give_up) set_digest(v->out->commit, v->goal->sha256);
    return true;
}

static const char *missing_version(const struct reconcile_input *in) {
    if (!none(in->target.sha256) && !in->target.staged && !given_up(in)) return in->target.sha256;
    if (!none(in->current.sha256) && !in->current.staged) return in->current.sha256;
    return "";
}

static void choose_fetch(struct view *v) {
    const struct reconcile_input *in = v->in;
    const char *missing = missing_version(in);
    if (none(missing) || !in->may_download || in->draining) return;
    bool waiting = same(in->fetch_failed, missing) && !same(in->fetching, missing);
    if (waiting && in->fetch_refused) return;
    if (waiting && v->now_ms < in->fetch_after_ms)
        wake_by(v, in->fetch_after_ms);
    else
        set_digest(v->out->fetch, missing);
}

static enum update_phase waiting(struct view *v, enum hold why) {
    hold(v, why, 0);
    return UPDATE_WAITING;
}

static enum update_phase describe_missing(struct view *v) {
    const struct reconcile_input *in = v->in;
    if (!in->may_download) return waiting(v, HOLD_DOWNLOAD_OFF);
    if (in->draining) return waiting(v, HOLD_DRAINING);
    bool failed = same(in->fetch_failed, in->target.sha256);
    return failed && !same(in->fetching, in->target.sha256) ? UPDATE_UNFETCHED : UPDATE_FETCHING;
}

static enum update_phase describe_switch(struct view *v, const struct tally *t) {
    bool begins = v->out->hold == HOLD_DRAINING || v->out->hold == HOLD_MASTER_AWAY;
    if (begins) return waiting(v, v->out->hold);
    if (first_install_held(v)) return waiting(v, HOLD_DRAINING);
    if (t->taking_part == 0 && v->trial) hold(v, HOLD_NODES_HELD, 0);
    bool nothing_works = t->taking_part > 0 && t->failed == t->taking_part;
    if (v->trial && nothing_works) return UPDATE_FAILED;
    return v->trial || t->on_goal < t->taking_part ? UPDATE_SWITCHING : UPDATE_IDLE;
}

static enum update_phase describe(struct view *v, const struct tally *t) {
    const struct reconcile_input *in = v->in;
    if (given_up(in)) return UPDATE_FAILED;
    if (!none(in->target.sha256) && !in->target.staged) return describe_missing(v);
    if (none(v->goal->sha256)) return waiting(v, HOLD_NOTHING_DESIRED);
    enum update_phase phase = describe_switch(v, t);
    if (phase == UPDATE_IDLE) hold(v, HOLD_NONE, 0);
    return phase;
}

void reconcile(const struct reconcile_input *in, struct reconcile_node *nodes, enum step *steps,
               size_t count, int64_t now_ms, struct reconcile_decision *out) {
    assert(count > 0);
    *out = (struct reconcile_decision){.wake_ms = INT64_MAX};
    struct view v = {.in = in,
                     .nodes = nodes,
                     .steps = steps,
                     .count = count,
                     .now_ms = now_ms,
                     .out = out,
                     .goal = choose_goal(in)};
    v.trial = !none(v.goal->sha256) && !same(v.goal->sha256, in->current.sha256);
    for (size_t i = 0; i < count; i++) steps[i] = STEP_NONE;
    settle_assignments(&v);
    struct tally tally = count_nodes(&v);
    if (adopt_current(&v) || judge(&v, &tally)) {
        out->wake_ms = now_ms;
        out->update = out->give_up ? UPDATE_FAILED : UPDATE_IDLE;
        return;
    }
    move(&v);
    choose_steps(&v);
    choose_fetch(&v);
    tally = count_nodes(&v);
    out->update = describe(&v, &tally);
}
