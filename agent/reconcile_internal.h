/* Between the parts of agent/reconcile.h. */
#pragma once

#include "agent/reconcile.h"

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
    bool begun;                           /* ... and the transition is on its way there */
};

static inline bool same(const char *a, const char *b) {
    return strcmp(a, b) == 0;
}

static inline bool none(const char *digest) {
    return digest[0] == '\0';
}

static inline bool on_goal(const struct view *v, const struct reconcile_node *n) {
    return same(n->assigned, v->goal->sha256);
}

static inline void wake_by(struct view *v, int64_t at_ms) {
    if (at_ms > v->now_ms && at_ms < v->out->wake_ms) v->out->wake_ms = at_ms;
}

static inline void hold(struct view *v, enum hold why, size_t node) {
    v->out->hold = why;
    v->out->hold_node = node;
}

/* Whether the bytes of a version in play are there. */
bool reconcile_staged(const struct view *v, const char *digest);

/* Without a version to return to nothing begins while the operator drains, or without leave. */
enum hold reconcile_first_install(const struct view *v);

/* A node's state, whether it speaks against its version, and what to do with its process. */
enum condition reconcile_condition(const struct view *v, const struct reconcile_node *n);
bool reconcile_failed(struct view *v, const struct reconcile_node *n);
int64_t reconcile_deadline_ms(const struct view *v, const struct reconcile_node *n);
enum step reconcile_step(struct view *v, struct reconcile_node *n);

struct tally {
    size_t taking_part, on_goal, failed, failed_unexcused, unknown;
    size_t first_failed, first_failed_unexcused;
    size_t ailing, first_ailing; /* on the goal, not excused, and not working now */
    int64_t heard_ms;            /* every node that is not excused has answered since */
    size_t first_unheard;        /* ... but this one not later */
    int64_t good_since_ms;       /* every node that is not excused works since */
    bool undecided;              /* some node on the goal has neither come up nor failed */
};
struct tally reconcile_count(struct view *v);

/* Whether something is over, one way or the other: commit or turn are set then. */
bool reconcile_judge(struct view *v, const struct tally *t);

void reconcile_choose_fetch(struct view *v);
enum update_phase reconcile_describe(struct view *v, const struct tally *t);
