/* A machine as facts, for tests of agent/reconcile.h. */
#pragma once

#include "agent/reconcile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define A "aaaaaaaa"
#define B "bbbbbbbb"
#define C "cccccccc"

enum { MOST_NODES = 4 };

struct scene {
    struct reconcile_input in;
    struct reconcile_node nodes[MOST_NODES];
    enum step steps[MOST_NODES];
    size_t count;
    int64_t now_ms;
    struct reconcile_decision out;
};

__attribute__((unused)) static void decide_once(struct scene *s) {
    reconcile(&s->in, s->nodes, s->steps, s->count, s->now_ms, &s->out);
}

__attribute__((unused)) static void take_turn(struct scene *s) {
    transition_take(&s->in.transition, s->out.turn, s->in.target.sha256, &s->in.grant.policy);
}

/* Decides until there is nothing to write down but an end of some kind. */
__attribute__((unused)) static void decide(struct scene *s) {
    decide_once(s);
    while (s->out.turn != TURN_NONE && s->out.turn != TURN_FAIL && s->out.turn != TURN_COMMIT) {
        take_turn(s);
        decide_once(s);
    }
}

__attribute__((unused)) static bool has_failed(const struct scene *s) {
    return s->out.turn == TURN_FAIL;
}

__attribute__((unused)) static void set_version(struct reconcile_version *v, const char *digest,
                                                bool staged) {
    snprintf(v->sha256, sizeof v->sha256, "%s", digest);
    v->staged = staged;
}

__attribute__((unused)) static void set_running(struct scene *s, size_t i, const char *digest,
                                                bool proven) {
    struct reconcile_node *n = &s->nodes[i];
    n->phase = NODE_RUNNING;
    n->health = proven ? HEALTH_GOOD : HEALTH_NONE;
    n->proven = proven;
    n->started_ms = s->now_ms;
    snprintf(n->running, sizeof n->running, "%s", digest);
}

__attribute__((unused)) static void set_down(struct scene *s, size_t i, unsigned failures,
                                             int64_t start_after_ms) {
    struct reconcile_node *n = &s->nodes[i];
    n->phase = NODE_DOWN;
    n->running[0] = '\0';
    n->proven = false;
    n->health = HEALTH_NONE;
    n->failures = failures;
    n->start_after_ms = start_after_ms;
}

/* A connected machine whose nodes are down and which has no version yet. */
__attribute__((unused)) static struct scene empty_scene(size_t count) {
    struct scene s = {.count = count, .now_ms = 1000000};
    s.in.generation = 1;
    s.in.connected = true;
    s.in.may_download = true;
    for (size_t i = 0; i < count; i++) {
        s.nodes[i].wanted = true;
        set_down(&s, i, 0, 0);
    }
    return s;
}

/* Nodes that work on A, which is current and desired. */
__attribute__((unused)) static struct scene steady_scene(size_t count) {
    struct scene s = empty_scene(count);
    set_version(&s.in.current, A, true);
    set_version(&s.in.target, A, true);
    for (size_t i = 0; i < count; i++) set_running(&s, i, A, true);
    decide(&s);
    return s;
}

__attribute__((unused)) static void want(struct scene *s, const char *digest, bool staged) {
    set_version(&s->in.target, digest, staged);
    s->in.generation++;
}

/* Two nodes; node 0 was moved to B and works, node 1 is on trial. */
__attribute__((unused)) static struct scene half_switched(void) {
    struct scene s = steady_scene(2);
    want(&s, B, true);
    s.nodes[0].stop_answer = STOP_GRANTED;
    decide(&s);
    set_running(&s, 0, B, true);
    s.nodes[1].stop_answer = STOP_GRANTED;
    decide(&s);
    set_running(&s, 1, B, false);
    decide(&s);
    assert_string_equal(s.nodes[1].assigned, B);
    return s;
}

__attribute__((unused)) static void remember_failure(struct scene *s) {
    s->in.target_failed = true;
    if (has_failed(s)) take_turn(s);
}
