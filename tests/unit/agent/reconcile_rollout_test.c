/* Leave, probation and the way back. */
#include "tests/unit/agent/scene.h"

static const struct transition_policy watched = {
    .min_healthy_ms = 2000, .probation_ms = 10000, .healthy_deadline_ms = 5000};

/* B is granted by a rollout. */
static struct scene granted(size_t count, int64_t lease_ms) {
    struct scene s = steady_scene(count);
    want(&s, B, true);
    s.in.grant = (struct reconcile_grant){
        .given = true, .lease_until_ms = s.now_ms + lease_ms, .policy = watched};
    return s;
}

static void pass(struct scene *s, int64_t ms) {
    s->now_ms += ms;
    if (s->in.transition.state == TRANSITION_PROBATION && reconcile_watches(s->nodes, s->count))
        s->in.transition.watched_ms += ms;
    for (size_t i = 0; i < s->count; i++)
        if (s->nodes[i].phase == NODE_RUNNING && s->nodes[i].misses == 0)
            s->nodes[i].heard_ms = s->now_ms;
    decide(s);
}

static void agree(struct scene *s, size_t i) {
    s->nodes[i].stop_answer = STOP_GRANTED;
    decide(s);
    assert_int_equal(s->steps[i], STEP_TERMINATE);
}

static void bring_up(struct scene *s, size_t i, const char *digest) {
    s->nodes[i].tries = 1;
    s->nodes[i].misses = 0;
    set_running(s, i, digest, true);
    decide(s);
}

/* Two nodes that both run B, and are being watched. */
static struct scene on_probation(void) {
    struct scene s = granted(2, 30000);
    decide(&s);
    agree(&s, 0);
    bring_up(&s, 0, B);
    agree(&s, 1);
    bring_up(&s, 1, B);
    assert_int_equal(s.in.transition.state, TRANSITION_PROBATION);
    assert_int_equal(s.out.update, UPDATE_PROBATION);
    return s;
}

static void what_has_begun_is_told_from_what_still_needs_leave(void **state) {
    (void)state;
    struct scene s = granted(1, 0);
    decide(&s);
    assert_false(s.out.begun);
    s.in.grant.lease_until_ms = s.now_ms + 30000;
    decide(&s);
    assert_false(s.out.begun); /* the node is asked */
    agree(&s, 0);
    assert_true(s.out.begun);
    s = on_probation();
    assert_true(s.out.begun);
}

static void first_version_has_begun_as_soon_as_a_node_is_to_run_it(void **state) {
    (void)state;
    struct scene s = empty_scene(1);
    want(&s, B, true);
    s.in.grant = (struct reconcile_grant){.given = true, .lease_until_ms = s.now_ms};
    decide(&s);
    assert_false(s.out.begun);
    s.in.grant.lease_until_ms = s.now_ms + 1;
    decide(&s);
    assert_true(s.out.begun);
}

static void a_switch_begins_only_while_the_lease_holds(void **state) {
    (void)state;
    struct scene s = granted(1, 0);
    decide(&s);
    assert_int_equal(s.out.update, UPDATE_WAITING);
    assert_int_equal(s.out.hold, HOLD_LEAVE);
    assert_int_equal(s.steps[0], STEP_NONE);
    s.in.grant.lease_until_ms = s.now_ms + 1000;
    s.in.connected = false; /* the lease counts, not the company */
    decide(&s);
    assert_int_equal(s.steps[0], STEP_ASK);
    assert_int_equal(s.out.wake_ms, s.now_ms + 1000);
    s.now_ms += 1000;
    s.nodes[0].stop_answer = STOP_GRANTED;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_NONE);
    assert_int_equal(s.in.transition.state, TRANSITION_NONE);
}

/* A question that is not answered yet is no miss either. */
static void a_probation_ends_with_a_word_from_after_its_end(void **state) {
    (void)state;
    struct scene s = on_probation();
    pass(&s, 9999);
    s.now_ms++;
    s.in.transition.watched_ms++;
    decide(&s);
    assert_int_equal(s.out.turn, TURN_NONE);
    s.nodes[0].heard_ms = s.now_ms;
    decide(&s);
    assert_int_equal(s.out.turn, TURN_NONE);
    s.nodes[1].heard_ms = s.now_ms;
    decide(&s);
    assert_int_equal(s.out.turn, TURN_COMMIT);
}

static void who_hangs_at_the_end_of_a_probation_fails_it(void **state) {
    (void)state;
    struct scene s = on_probation();
    pass(&s, 9999);
    for (int64_t left_ms = 1 + 5000 + 2000; left_ms > 0; left_ms--) {
        assert_int_equal(s.out.turn, TURN_NONE);
        s.now_ms++;
        s.in.transition.watched_ms++;
        s.nodes[0].heard_ms = s.now_ms;
        decide(&s);
    }
    assert_true(has_failed(&s));
    assert_int_equal(s.out.failed_node, 1);
}

static void a_short_proof_is_watched_closely(void **state) {
    (void)state;
    struct transition t = {.state = TRANSITION_PROBATION, .policy = {.min_healthy_ms = 2000}};
    assert_int_equal(transition_probe_ms(&t, 2000), 500);
    t.policy.min_healthy_ms = 0;
    assert_int_equal(transition_probe_ms(&t, 2000), 100);
    t.policy.min_healthy_ms = 30000;
    assert_int_equal(transition_probe_ms(&t, 2000), 2000);
    t = (struct transition){.state = TRANSITION_NONE};
    assert_int_equal(transition_probe_ms(&t, 2000), 2000);
}

static void what_has_begun_is_finished_without_leave(void **state) {
    (void)state;
    struct scene s = granted(2, 1000);
    decide(&s);
    agree(&s, 0);
    s.in.grant.lease_until_ms = s.now_ms;
    s.in.connected = false;
    s.in.draining = true;
    bring_up(&s, 0, B);
    assert_int_equal(s.steps[1], STEP_ASK);
    agree(&s, 1);
    assert_string_equal(s.nodes[1].assigned, B);
}

static void nothing_begins_that_cannot_be_written_down(void **state) {
    (void)state;
    struct scene s = granted(1, 1000);
    s.in.unwritable = true;
    s.nodes[0].stop_answer = STOP_GRANTED;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_NONE);
    assert_int_equal(s.out.hold, HOLD_UNWRITABLE);
}

static void nodes_are_not_asked_where_they_may_be_unavailable(void **state) {
    (void)state;
    struct scene s = granted(1, 1000);
    s.in.grant.policy.allow_unavailable = true;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_TERMINATE);
}

static void a_first_version_needs_leave_too(void **state) {
    (void)state;
    struct scene s = empty_scene(1);
    want(&s, A, true);
    s.in.grant.given = true;
    decide(&s);
    assert_int_equal(s.out.hold, HOLD_LEAVE);
    assert_int_equal(s.steps[0], STEP_NONE);
    s.in.grant.lease_until_ms = s.now_ms + 1;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_START);
    set_down(&s, 0, 1, s.now_ms);
    s.in.grant.lease_until_ms = 0;
    decide(&s); /* begun */
    assert_int_equal(s.steps[0], STEP_START);
}

static void a_version_is_proven_at_the_end_of_its_probation(void **state) {
    (void)state;
    struct scene s = on_probation();
    assert_int_equal(s.out.wake_ms - s.now_ms, 2000);
    pass(&s, 9999);
    assert_string_equal(s.out.commit, "");
    pass(&s, 1);
    assert_string_equal(s.out.commit, B);
    assert_int_equal(s.out.turn, TURN_COMMIT);
}

static void a_probation_is_extended_until_the_last_stretch_is_long_enough(void **state) {
    (void)state;
    struct scene s = on_probation();
    pass(&s, 9000);
    s.nodes[1].health = HEALTH_BAD;
    decide(&s);
    pass(&s, 500);
    s.nodes[1].health = HEALTH_GOOD;
    decide(&s);
    pass(&s, 1999); /* 1.5 s beyond the end */
    assert_int_equal(s.out.turn, TURN_NONE);
    pass(&s, 1);
    assert_int_equal(s.out.turn, TURN_COMMIT);
}

static void a_node_that_stays_ill_fails_the_version_at_its_deadline(void **state) {
    (void)state;
    struct scene s = on_probation();
    pass(&s, 1000);
    s.nodes[1].health = HEALTH_BAD;
    decide(&s);
    assert_int_equal(s.out.turn, TURN_NONE);
    assert_int_equal(s.out.wake_ms, s.now_ms + 5000);
    pass(&s, 4999);
    assert_int_equal(s.out.turn, TURN_NONE);
    pass(&s, 1);
    assert_int_equal(s.out.turn, TURN_FAIL);
    assert_int_equal(s.out.failed_node, 1);
}

static void a_node_that_is_well_now_and_then_does_not_pass(void **state) {
    (void)state;
    struct scene s = on_probation();
    for (int i = 0; s.out.turn == TURN_NONE; i++) {
        assert_true(i < 40);
        s.nodes[0].health = i % 2 == 0 ? HEALTH_BAD : HEALTH_GOOD;
        decide(&s);
        pass(&s, 1000);
    }
    assert_int_equal(s.out.turn, TURN_FAIL);
    assert_true(s.in.transition.watched_ms <= 10000 + 5000 + 2000);
}

static void the_third_end_of_a_process_fails_the_version_however_long_it_ran(void **state) {
    (void)state;
    struct scene s = on_probation();
    for (unsigned tries = 1; tries <= RECONCILE_MOST_EXITS; tries++) {
        assert_int_equal(s.out.turn, TURN_NONE);
        s.nodes[0].tries = tries;
        set_down(&s, 0, 1, s.now_ms); /* each after more than a minute: failures in a row stay 1 */
        decide(&s);
    }
    assert_int_equal(s.out.turn, TURN_FAIL);
    assert_int_equal(s.out.failed_node, 0);
}

static void a_node_that_hangs_fails_the_version_at_once(void **state) {
    (void)state;
    struct scene s = on_probation();
    s.in.hung_after_ms = 3000;
    s.nodes[0].health = HEALTH_BAD;
    s.nodes[0].misses = RECONCILE_HUNG_MISSES;
    s.nodes[0].silent_since_ms = s.now_ms - 3000;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_TERMINATE);
    s.nodes[0].phase = NODE_STOPPING;
    decide(&s);
    assert_int_equal(s.out.turn, TURN_FAIL);
}

static void a_full_disk_fails_no_version(void **state) {
    (void)state;
    struct scene s = on_probation();
    set_down(&s, 0, 5, s.now_ms + 100000);
    s.nodes[0].machine_failed = true;
    pass(&s, 600000);
    assert_int_equal(s.out.turn, TURN_NONE);
    s.nodes[0].tries = 2;
    set_running(&s, 0, B, false); /* failures in a row are still those of the machine */
    decide(&s);
    assert_int_equal(s.out.turn, TURN_NONE);
    bring_up(&s, 0, B);
    s.nodes[0].health = HEALTH_MACHINE;
    pass(&s, 10000);
    assert_int_equal(s.out.turn, TURN_COMMIT);
}

static void nobody_is_judged_before_every_node_was_examined(void **state) {
    (void)state;
    struct scene s = on_probation();
    s.nodes[1].phase = NODE_UNKNOWN; /* the agent began anew */
    s.now_ms += 20000;
    decide(&s);
    assert_int_equal(s.out.turn, TURN_NONE);
    assert_string_equal(s.nodes[1].assigned, B);
    s.in.transition.watched_ms = 10000;
    decide(&s);
    assert_int_equal(s.out.turn, TURN_NONE);
    s.in.transition.watched_ms = 5000;
    set_down(&s, 1, 0, 0); /* the machine did */
    decide(&s);
    assert_int_equal(s.steps[1], STEP_START);
    assert_string_equal(s.nodes[1].assigned, B);
}

static void when_the_second_node_fails_both_go_back_one_after_another(void **state) {
    (void)state;
    struct scene s = on_probation();
    s.nodes[1].tries = 3;
    set_down(&s, 1, 3, s.now_ms);
    decide(&s);
    remember_failure(&s);
    decide(&s);
    assert_int_equal(s.out.update, UPDATE_RETURNING);
    assert_int_equal(s.steps[0], STEP_NONE);
    assert_int_equal(s.steps[1], STEP_START);
    assert_string_equal(s.nodes[1].assigned, A);
    bring_up(&s, 1, A);
    agree(&s, 0);
    assert_string_equal(s.nodes[0].assigned, A);
    bring_up(&s, 0, A);
    assert_int_equal(s.in.transition.state, TRANSITION_NONE);
    assert_int_equal(s.out.update, UPDATE_FAILED);
}

static struct scene on_the_way_back(void) {
    struct scene s = on_probation();
    s.nodes[1].tries = 3;
    set_down(&s, 1, 3, s.now_ms);
    decide(&s);
    remember_failure(&s);
    decide(&s);
    return s;
}

static void who_cannot_go_back_is_stuck_and_tries_for_ever(void **state) {
    (void)state;
    struct scene s = on_the_way_back();
    set_down(&s, 1, 3, s.now_ms);
    decide(&s);
    assert_int_equal(s.in.transition.state, TRANSITION_STUCK);
    assert_int_equal(s.out.update, UPDATE_STUCK);
    assert_int_equal(s.steps[1], STEP_START);
    assert_int_equal(s.steps[0], STEP_NONE); /* it still works, if on B */
    bring_up(&s, 1, A);
    agree(&s, 0);
    bring_up(&s, 0, A);
    assert_int_equal(s.out.update, UPDATE_FAILED);
}

static void another_version_begins_when_everyone_is_back(void **state) {
    (void)state;
    struct scene s = on_the_way_back();
    want(&s, C, true);
    s.in.target_failed = false;
    decide(&s);
    assert_int_equal(s.in.transition.state, TRANSITION_RETURNING);
    assert_string_equal(s.nodes[1].assigned, A);
    set_down(&s, 1, 3, s.now_ms);
    decide(&s); /* stuck: what may help may begin */
    assert_int_equal(s.in.transition.state, TRANSITION_SWITCHING);
    assert_string_equal(s.in.transition.to, C);
    assert_string_equal(s.nodes[1].assigned, C);
}

static void another_version_is_begun_at_once_with_leave_and_else_waits_at_home(void **state) {
    (void)state;
    struct scene s = on_probation();
    want(&s, C, true);
    s.in.grant.lease_until_ms = s.now_ms;
    decide(&s);
    assert_int_equal(s.in.transition.state, TRANSITION_RETURNING);
    assert_false(s.in.transition.failed);
    s.in.grant.lease_until_ms = s.now_ms + 1;
    decide(&s);
    assert_int_equal(s.in.transition.state, TRANSITION_SWITCHING);
    assert_string_equal(s.in.transition.to, C);
}

static void a_version_ordered_back_in_its_probation_goes_without_leave(void **state) {
    (void)state;
    struct scene s = on_probation();
    want(&s, A, true);
    s.in.grant.lease_until_ms = s.now_ms;
    decide(&s);
    assert_int_equal(s.out.update, UPDATE_RETURNING);
    agree(&s, 0);
    bring_up(&s, 0, A);
    agree(&s, 1);
    bring_up(&s, 1, A);
    assert_int_equal(s.out.update, UPDATE_IDLE);
}

static void a_node_that_is_still_starting_is_not_waited_for_on_the_way_back(void **state) {
    (void)state;
    struct scene s = granted(1, 30000);
    decide(&s);
    agree(&s, 0);
    s.nodes[0].tries = 1;
    set_running(&s, 0, B, false);
    want(&s, A, true);
    decide(&s);
    assert_string_equal(s.nodes[0].assigned, A);
    assert_int_equal(s.steps[0], STEP_TERMINATE);
}

static void bytes_that_are_gone_are_taken_back_and_fetched(void **state) {
    (void)state;
    struct scene s = on_probation();
    s.in.target.staged = false;
    decide(&s);
    assert_int_equal(s.in.transition.state, TRANSITION_RETURNING);
    assert_false(s.in.transition.failed);
    assert_string_equal(s.out.fetch, B);
}

static void what_is_to_come_is_fetched_last_and_never_run(void **state) {
    (void)state;
    struct scene s = steady_scene(1);
    set_version(&s.in.prefetch, C, false);
    want(&s, B, false);
    decide(&s);
    assert_string_equal(s.out.fetch, B);
    s.in.target.fetch_failed = s.in.target.fetch_refused = true;
    decide(&s);
    assert_string_equal(s.out.fetch, C);
    s.in.target.fetch_failed = s.in.target.fetch_refused = false;
    s.in.draining = true;
    decide(&s);
    assert_string_equal(s.out.fetch, C);
    s.in.prefetch.staged = true;
    s.in.draining = false;
    want(&s, A, true);
    decide(&s);
    assert_string_equal(s.out.fetch, "");
    assert_int_equal(s.out.update, UPDATE_IDLE);
    assert_int_equal(s.steps[0], STEP_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_begun_is_told_from_what_still_needs_leave),
        cmocka_unit_test(first_version_has_begun_as_soon_as_a_node_is_to_run_it),
        cmocka_unit_test(a_switch_begins_only_while_the_lease_holds),
        cmocka_unit_test(what_has_begun_is_finished_without_leave),
        cmocka_unit_test(a_probation_ends_with_a_word_from_after_its_end),
        cmocka_unit_test(who_hangs_at_the_end_of_a_probation_fails_it),
        cmocka_unit_test(a_short_proof_is_watched_closely),
        cmocka_unit_test(nothing_begins_that_cannot_be_written_down),
        cmocka_unit_test(nodes_are_not_asked_where_they_may_be_unavailable),
        cmocka_unit_test(a_first_version_needs_leave_too),
        cmocka_unit_test(a_version_is_proven_at_the_end_of_its_probation),
        cmocka_unit_test(a_probation_is_extended_until_the_last_stretch_is_long_enough),
        cmocka_unit_test(a_node_that_stays_ill_fails_the_version_at_its_deadline),
        cmocka_unit_test(a_node_that_is_well_now_and_then_does_not_pass),
        cmocka_unit_test(the_third_end_of_a_process_fails_the_version_however_long_it_ran),
        cmocka_unit_test(a_node_that_hangs_fails_the_version_at_once),
        cmocka_unit_test(a_full_disk_fails_no_version),
        cmocka_unit_test(nobody_is_judged_before_every_node_was_examined),
        cmocka_unit_test(when_the_second_node_fails_both_go_back_one_after_another),
        cmocka_unit_test(who_cannot_go_back_is_stuck_and_tries_for_ever),
        cmocka_unit_test(another_version_begins_when_everyone_is_back),
        cmocka_unit_test(another_version_is_begun_at_once_with_leave_and_else_waits_at_home),
        cmocka_unit_test(a_version_ordered_back_in_its_probation_goes_without_leave),
        cmocka_unit_test(a_node_that_is_still_starting_is_not_waited_for_on_the_way_back),
        cmocka_unit_test(bytes_that_are_gone_are_taken_back_and_fetched),
        cmocka_unit_test(what_is_to_come_is_fetched_last_and_never_run),
    };
    return cmocka_run_group_tests_name("reconcile_rollout", tests, NULL, NULL);
}
