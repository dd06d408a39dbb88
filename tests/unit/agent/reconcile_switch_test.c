/* Switches to another version: who moves when, what judges it, and the way back. */
#include "tests/unit/agent/scene.h"

static void a_switch_asks_then_takes_one_node_at_a_time(void **state) {
    (void)state;
    struct scene s = steady_scene(2);
    want(&s, B, true);
    decide(&s);
    assert_int_equal(s.steps[0], STEP_ASK);
    assert_int_equal(s.steps[1], STEP_NONE);
    assert_int_equal(s.out.update, UPDATE_WAITING);
    assert_int_equal(s.out.hold, HOLD_ASKED);
    s.nodes[0].stop_answer = STOP_ASKED;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_NONE);
    s.nodes[0].stop_answer = STOP_GRANTED;
    decide_once(&s);
    assert_int_equal(s.out.turn, TURN_BEGIN); /* before anything is stopped */
    assert_int_equal(s.steps[0], STEP_NONE);
    decide(&s);
    assert_int_equal(s.steps[0], STEP_TERMINATE);
    assert_string_equal(s.nodes[0].assigned, B);
    assert_int_equal(s.out.update, UPDATE_SWITCHING);
    s.nodes[0].phase = NODE_STOPPING;
    s.nodes[0].stopping_ms = s.now_ms;
    decide(&s);
    assert_int_equal(s.steps[1], STEP_NONE);
    set_down(&s, 0, 0, 0);
    decide(&s);
    assert_int_equal(s.steps[0], STEP_START);
    set_running(&s, 0, B, false);
    decide(&s);
    assert_int_equal(s.steps[1], STEP_NONE);
    set_running(&s, 0, B, true);
    decide(&s);
    assert_int_equal(s.steps[1], STEP_ASK);
    assert_string_equal(s.out.commit, "");
    s.nodes[1].stop_answer = STOP_GRANTED;
    decide(&s);
    assert_int_equal(s.steps[1], STEP_TERMINATE);
    set_running(&s, 1, B, true);
    decide(&s);
    assert_string_equal(s.out.commit, B);
}

static void a_veto_delays_the_switch_and_is_asked_again(void **state) {
    (void)state;
    struct scene s = steady_scene(1);
    want(&s, B, true);
    decide(&s);
    s.nodes[0].stop_answer = STOP_VETOED;
    s.nodes[0].answered_ms = s.now_ms;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_NONE);
    assert_int_equal(s.out.hold, HOLD_VETO);
    assert_int_equal(s.out.wake_ms, s.now_ms + RECONCILE_ASK_AGAIN_MS);
    s.now_ms += RECONCILE_ASK_AGAIN_MS;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_ASK);
}

static void draining_begins_no_switch_and_restarts_what_crashed(void **state) {
    (void)state;
    struct scene s = steady_scene(2);
    want(&s, B, true);
    s.in.draining = true;
    set_down(&s, 1, 1, s.now_ms);
    decide(&s);
    assert_int_equal(s.steps[0], STEP_NONE);
    assert_int_equal(s.steps[1], STEP_START);
    assert_string_equal(s.nodes[1].assigned, A);
    assert_int_equal(s.out.update, UPDATE_WAITING);
    assert_int_equal(s.out.hold, HOLD_DRAINING);
}

static void a_hold_of_the_master_begins_no_switch_and_restarts_what_crashed(void **state) {
    (void)state;
    struct scene s = steady_scene(2);
    want(&s, B, true);
    s.in.held = true;
    set_down(&s, 1, 1, s.now_ms);
    decide(&s);
    assert_int_equal(s.steps[0], STEP_NONE);
    assert_int_equal(s.steps[1], STEP_START);
    assert_string_equal(s.nodes[1].assigned, A);
    assert_int_equal(s.out.update, UPDATE_WAITING);
    assert_int_equal(s.out.hold, HOLD_HELD);
}

static void the_third_exit_fails_the_version_and_everyone_returns(void **state) {
    (void)state;
    struct scene s = half_switched();
    set_down(&s, 1, 2, s.now_ms);
    decide(&s);
    assert_false(has_failed(&s));
    assert_int_equal(s.steps[1], STEP_START);
    set_down(&s, 1, 3, s.now_ms);
    decide(&s);
    assert_true(has_failed(&s));
    assert_int_equal(s.out.failed_node, 1);
    assert_int_equal(s.steps[1], STEP_NONE);
    remember_failure(&s);
    decide(&s);
    assert_int_equal(s.out.update, UPDATE_RETURNING);
    assert_string_equal(s.nodes[1].assigned, A);
    assert_int_equal(s.steps[1], STEP_START);
    assert_int_equal(s.steps[0], STEP_NONE);
    set_running(&s, 1, A, true);
    decide(&s);
    assert_int_equal(s.steps[0], STEP_ASK);
    s.nodes[0].stop_answer = STOP_GRANTED;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_TERMINATE);
    assert_string_equal(s.nodes[0].assigned, A);
    set_running(&s, 0, A, true);
    decide(&s);
    assert_int_equal(s.out.update, UPDATE_FAILED);
    assert_int_equal(s.steps[0], STEP_NONE);
}

static void a_silent_version_fails_at_the_deadline(void **state) {
    (void)state;
    struct scene s = half_switched();
    s.now_ms += RECONCILE_HEALTHY_MS - 1;
    decide(&s);
    assert_false(has_failed(&s));
    assert_int_equal(s.out.wake_ms, s.now_ms + 1);
    s.now_ms += 1;
    decide(&s);
    assert_true(has_failed(&s));
    remember_failure(&s);
    decide(&s);
    assert_int_equal(s.steps[1], STEP_TERMINATE);
    assert_string_equal(s.nodes[1].assigned, A);
}

static void a_silent_version_is_left_when_the_deadline_of_its_order_is_over(void **state) {
    (void)state;
    struct scene s = half_switched();
    s.in.transition.policy.healthy_deadline_ms = 2000;
    s.now_ms += 2000;
    decide(&s);
    assert_true(has_failed(&s));
    remember_failure(&s);
    decide(&s);
    assert_int_equal(s.steps[1], STEP_TERMINATE);
    assert_string_equal(s.nodes[1].assigned, A);
}

static void a_failed_version_is_tried_again_on_the_next_order(void **state) {
    (void)state;
    struct scene s = steady_scene(1);
    want(&s, B, true);
    remember_failure(&s);
    decide(&s);
    assert_int_equal(s.out.update, UPDATE_FAILED);
    assert_int_equal(s.steps[0], STEP_NONE);
    s.in.target_failed = false;
    decide(&s);
    assert_int_equal(s.out.update, UPDATE_WAITING);
    assert_int_equal(s.steps[0], STEP_ASK);
}

static void a_node_broken_before_gets_the_new_version_first_and_does_not_judge_it(void **state) {
    (void)state;
    struct scene s = steady_scene(2);
    set_down(&s, 0, 5, s.now_ms + 60000);
    want(&s, B, true);
    decide(&s);
    assert_string_equal(s.nodes[0].assigned, B);
    assert_int_equal(s.steps[0], STEP_START);
    assert_int_equal(s.steps[1], STEP_NONE);
    set_down(&s, 0, 3, s.now_ms + 4000);
    decide(&s);
    assert_false(has_failed(&s));
    assert_int_equal(s.steps[1], STEP_ASK);
    s.nodes[1].stop_answer = STOP_GRANTED;
    decide(&s);
    set_running(&s, 1, B, true);
    decide(&s);
    assert_string_equal(s.out.commit, B);
}

static void a_version_on_which_every_broken_node_stays_broken_has_failed(void **state) {
    (void)state;
    struct scene s = steady_scene(1);
    set_down(&s, 0, 2, s.now_ms + 60000);
    want(&s, B, true);
    decide(&s);
    assert_int_equal(s.steps[0], STEP_START);
    set_down(&s, 0, 3, s.now_ms);
    decide(&s);
    assert_true(has_failed(&s));
}

static void a_rollback_in_the_middle_of_a_switch_returns_only_who_moved(void **state) {
    (void)state;
    struct scene s = steady_scene(3);
    want(&s, B, true);
    s.nodes[0].stop_answer = STOP_GRANTED;
    decide(&s);
    set_running(&s, 0, B, true);
    want(&s, A, true);
    decide(&s);
    assert_int_equal(s.steps[0], STEP_ASK);
    s.nodes[0].stop_answer = STOP_GRANTED;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_TERMINATE);
    assert_string_equal(s.nodes[0].assigned, A);
    assert_int_equal(s.steps[1], STEP_NONE);
    assert_int_equal(s.steps[2], STEP_NONE);
}

static void a_node_adopted_on_the_new_version_goes_on_from_there(void **state) {
    (void)state;
    struct scene s = empty_scene(2);
    set_version(&s.in.current, A, true);
    want(&s, B, true);
    set_running(&s, 0, B, true);
    set_running(&s, 1, A, true);
    transition_take(&s.in.transition, TURN_BEGIN, B, &s.in.grant.policy);
    s.in.connected = false;
    decide(&s);
    assert_string_equal(s.nodes[0].assigned, B);
    assert_int_equal(s.steps[0], STEP_NONE);
    assert_int_equal(s.steps[1], STEP_ASK);
}

static void no_working_node_is_given_up_while_there_is_no_way_back(void **state) {
    (void)state;
    struct scene s = steady_scene(1);
    want(&s, B, true);
    s.in.current.staged = false;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_NONE);
    assert_int_equal(s.out.hold, HOLD_NO_RETURN);
    assert_string_equal(s.out.fetch, A);
    s.in.current.fetch_failed = true;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_ASK);
}

static void a_node_that_a_trial_broke_is_not_excused_in_the_next(void **state) {
    (void)state;
    struct scene s = half_switched();
    s.now_ms += RECONCILE_HEALTHY_MS;
    want(&s, C, true);
    decide(&s);
    assert_string_equal(s.nodes[1].assigned, C);
    assert_false(s.nodes[1].excused);
    assert_int_equal(s.steps[0], STEP_NONE);
}

static void failures_of_an_earlier_generation_judge_nobody(void **state) {
    (void)state;
    struct scene s = empty_scene(1);
    set_version(&s.in.current, A, false);
    set_version(&s.in.previous, B, true);
    set_version(&s.in.target, A, false);
    decide(&s);
    assert_string_equal(s.nodes[0].assigned, B); /* for want of A */
    set_down(&s, 0, RECONCILE_MOST_EXITS, s.now_ms);
    want(&s, B, true);
    decide(&s);
    assert_false(has_failed(&s));
    assert_int_equal(s.nodes[0].failures, 0);
    set_down(&s, 0, RECONCILE_MOST_EXITS, s.now_ms);
    decide(&s);
    assert_true(has_failed(&s));
}

static void complaints_of_the_machine_do_not_fail_a_version(void **state) {
    (void)state;
    struct scene s = half_switched();
    s.nodes[1].health = HEALTH_MACHINE;
    s.nodes[1].proven = true;
    decide(&s);
    assert_string_equal(s.out.commit, B);
}

static void starts_that_the_machine_prevents_do_not_fail_a_version(void **state) {
    (void)state;
    struct scene s = half_switched();
    set_down(&s, 1, RECONCILE_MOST_EXITS + 1, s.now_ms);
    s.nodes[1].machine_failed = true;
    decide(&s);
    assert_false(has_failed(&s));
    assert_int_equal(s.out.update, UPDATE_SWITCHING);
    assert_int_equal(s.out.hold, HOLD_NODE);
    assert_int_equal(s.steps[1], STEP_START);
    s.nodes[1].machine_failed = false;
    decide(&s);
    assert_true(has_failed(&s));
}

static void a_version_that_turns_bad_before_the_commit_has_failed(void **state) {
    (void)state;
    struct scene s = half_switched();
    s.nodes[0].health = HEALTH_BAD;
    decide(&s);
    assert_true(has_failed(&s));
    assert_int_equal(s.out.failed_node, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_switch_asks_then_takes_one_node_at_a_time),
        cmocka_unit_test(a_veto_delays_the_switch_and_is_asked_again),
        cmocka_unit_test(draining_begins_no_switch_and_restarts_what_crashed),
        cmocka_unit_test(a_hold_of_the_master_begins_no_switch_and_restarts_what_crashed),
        cmocka_unit_test(the_third_exit_fails_the_version_and_everyone_returns),
        cmocka_unit_test(a_silent_version_fails_at_the_deadline),
        cmocka_unit_test(a_silent_version_is_left_when_the_deadline_of_its_order_is_over),
        cmocka_unit_test(a_failed_version_is_tried_again_on_the_next_order),
        cmocka_unit_test(a_node_broken_before_gets_the_new_version_first_and_does_not_judge_it),
        cmocka_unit_test(a_version_on_which_every_broken_node_stays_broken_has_failed),
        cmocka_unit_test(a_rollback_in_the_middle_of_a_switch_returns_only_who_moved),
        cmocka_unit_test(a_node_adopted_on_the_new_version_goes_on_from_there),
        cmocka_unit_test(no_working_node_is_given_up_while_there_is_no_way_back),
        cmocka_unit_test(a_node_that_a_trial_broke_is_not_excused_in_the_next),
        cmocka_unit_test(failures_of_an_earlier_generation_judge_nobody),
        cmocka_unit_test(complaints_of_the_machine_do_not_fail_a_version),
        cmocka_unit_test(starts_that_the_machine_prevents_do_not_fail_a_version),
        cmocka_unit_test(a_version_that_turns_bad_before_the_commit_has_failed),
    };
    return cmocka_run_group_tests_name("reconcile_switch", tests, NULL, NULL);
}
