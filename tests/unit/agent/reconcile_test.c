#include "tests/unit/agent/scene.h"

static void nothing_is_desired_and_nothing_is_there(void **state) {
    (void)state;
    struct scene s = empty_scene(2);
    decide(&s);
    assert_int_equal(s.out.update, UPDATE_WAITING);
    assert_int_equal(s.out.hold, HOLD_NOTHING_DESIRED);
    assert_int_equal(s.steps[0], STEP_NONE);
    assert_string_equal(s.out.fetch, "");
}

static void a_missing_version_is_fetched(void **state) {
    (void)state;
    struct scene s = empty_scene(1);
    want(&s, A, false);
    decide(&s);
    assert_string_equal(s.out.fetch, A);
    assert_int_equal(s.out.update, UPDATE_FETCHING);
    assert_int_equal(s.steps[0], STEP_NONE);
}

static void a_failed_download_waits_for_its_pause_and_says_so(void **state) {
    (void)state;
    struct scene s = steady_scene(1);
    want(&s, B, false);
    s.in.target.fetch_failed = true;
    s.in.target.fetch_after_ms = s.now_ms + 500;
    decide(&s);
    assert_string_equal(s.out.fetch, "");
    assert_int_equal(s.out.update, UPDATE_UNFETCHED);
    assert_int_equal(s.out.wake_ms, s.now_ms + 500);
    s.now_ms += 500;
    decide(&s);
    assert_string_equal(s.out.fetch, B);
}

static void a_refused_version_is_not_fetched_again(void **state) {
    (void)state;
    struct scene s = steady_scene(1);
    want(&s, B, false);
    s.in.target.fetch_failed = true;
    s.in.target.fetch_refused = true;
    s.now_ms += 1000000;
    decide(&s);
    assert_string_equal(s.out.fetch, "");
    assert_int_equal(s.out.update, UPDATE_UNFETCHED);
    assert_int_equal(s.steps[0], STEP_NONE);
}

static void another_desired_version_makes_the_download_vain(void **state) {
    (void)state;
    struct scene s = steady_scene(1);
    strcpy(s.in.fetching, B);
    decide(&s);
    assert_string_equal(s.out.fetch, "");
    want(&s, C, false);
    decide(&s);
    assert_string_equal(s.out.fetch, C);
}

static void downloads_can_be_switched_off(void **state) {
    (void)state;
    struct scene s = steady_scene(1);
    want(&s, B, false);
    s.in.may_download = false;
    decide(&s);
    assert_string_equal(s.out.fetch, "");
    assert_int_equal(s.out.update, UPDATE_WAITING);
    assert_int_equal(s.out.hold, HOLD_DOWNLOAD_OFF);
}

static void
the_first_version_starts_everywhere_and_is_current_once_it_works_anywhere(void **state) {
    (void)state;
    struct scene s = empty_scene(3);
    want(&s, A, true);
    decide(&s);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(s.steps[i], STEP_START);
        assert_string_equal(s.nodes[i].assigned, A);
        set_running(&s, i, A, false);
    }
    assert_int_equal(s.out.update, UPDATE_SWITCHING);
    decide(&s);
    assert_string_equal(s.out.commit, "");
    set_running(&s, 1, A, true);
    decide(&s);
    assert_string_equal(s.out.commit, A);
}

static void a_first_version_that_fails_is_reported_and_tried_on(void **state) {
    (void)state;
    struct scene s = empty_scene(1);
    want(&s, A, true);
    decide(&s);
    set_down(&s, 0, RECONCILE_MOST_EXITS, s.now_ms);
    decide(&s);
    assert_int_equal(s.out.update, UPDATE_FAILED);
    assert_false(has_failed(&s));
    assert_int_equal(s.steps[0], STEP_START);
}

static void current_starts_without_a_master(void **state) {
    (void)state;
    struct scene s = empty_scene(2);
    s.in.connected = false;
    set_version(&s.in.current, A, true);
    decide(&s);
    assert_int_equal(s.steps[0], STEP_START);
    assert_int_equal(s.steps[1], STEP_START);
    assert_string_equal(s.nodes[1].assigned, A);
}

static void without_a_master_no_switch_begins_but_current_starts(void **state) {
    (void)state;
    struct scene s = empty_scene(1);
    s.in.connected = false;
    set_version(&s.in.current, A, true);
    want(&s, B, true);
    decide(&s);
    assert_string_equal(s.nodes[0].assigned, A);
    assert_int_equal(s.steps[0], STEP_START);
    assert_int_equal(s.out.update, UPDATE_WAITING);
    assert_int_equal(s.out.hold, HOLD_MASTER_AWAY);
}

static void a_node_backs_off_before_it_starts_again(void **state) {
    (void)state;
    struct scene s = steady_scene(1);
    set_down(&s, 0, 1, s.now_ms + 1000);
    decide(&s);
    assert_int_equal(s.steps[0], STEP_NONE);
    assert_int_equal(s.out.wake_ms, s.now_ms + 1000);
    assert_int_equal(s.out.update, UPDATE_IDLE);
    s.now_ms += 1000;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_START);
}

static void unknown_and_held_nodes_are_left_alone(void **state) {
    (void)state;
    struct scene s = steady_scene(2);
    s.nodes[0].phase = NODE_UNKNOWN;
    s.nodes[1].phase = NODE_HELD;
    want(&s, B, true);
    decide(&s);
    assert_int_equal(s.steps[0], STEP_NONE);
    assert_int_equal(s.steps[1], STEP_NONE);
    assert_string_equal(s.out.commit, "");
}

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

static void draining_starts_no_first_version(void **state) {
    (void)state;
    struct scene s = empty_scene(1);
    want(&s, A, true);
    s.in.draining = true;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_NONE);
    assert_int_equal(s.out.hold, HOLD_DRAINING);
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

static void a_stop_that_takes_too_long_is_killed_once(void **state) {
    (void)state;
    struct scene s = steady_scene(1);
    s.nodes[0].phase = NODE_STOPPING;
    s.nodes[0].stopping_ms = s.now_ms;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_NONE);
    assert_int_equal(s.out.wake_ms, s.now_ms + RECONCILE_DRAIN_MS);
    s.now_ms += RECONCILE_DRAIN_MS;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_KILL);
    s.nodes[0].killed = true;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_NONE);
}

static void ordered_restarts_go_one_after_another(void **state) {
    (void)state;
    struct scene s = steady_scene(2);
    s.nodes[0].restart_ordered = s.nodes[1].restart_ordered = true;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_TERMINATE);
    assert_int_equal(s.steps[1], STEP_NONE);
    set_down(&s, 0, 0, s.now_ms);
    decide(&s);
    assert_int_equal(s.steps[0], STEP_START);
    assert_int_equal(s.steps[1], STEP_NONE);
    s.nodes[0].restart_ordered = false;
    set_running(&s, 0, A, false);
    decide(&s);
    assert_int_equal(s.steps[1], STEP_NONE);
    set_running(&s, 0, A, true);
    decide(&s);
    assert_int_equal(s.steps[1], STEP_TERMINATE);
}

static void a_surplus_node_is_asked_and_stopped_and_not_started(void **state) {
    (void)state;
    struct scene s = steady_scene(2);
    s.nodes[1].wanted = false;
    decide(&s);
    assert_int_equal(s.steps[1], STEP_ASK);
    s.nodes[1].stop_answer = STOP_GRANTED;
    decide(&s);
    assert_int_equal(s.steps[1], STEP_TERMINATE);
    set_down(&s, 1, 0, 0);
    decide(&s);
    assert_int_equal(s.steps[1], STEP_NONE);
}

static void a_damaged_current_falls_back_to_previous_and_is_fetched(void **state) {
    (void)state;
    struct scene s = empty_scene(1);
    set_version(&s.in.current, B, false);
    set_version(&s.in.previous, A, true);
    set_version(&s.in.target, B, false);
    decide(&s);
    assert_int_equal(s.steps[0], STEP_START);
    assert_string_equal(s.nodes[0].assigned, A);
    assert_string_equal(s.out.fetch, B);
    set_running(&s, 0, A, true);
    decide(&s);
    assert_int_equal(s.steps[0], STEP_NONE);
    s.in.current.staged = s.in.target.staged = true;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_ASK);
}

static void a_damaged_store_leaves_running_nodes_alone(void **state) {
    (void)state;
    struct scene s = steady_scene(2);
    s.in.current.staged = s.in.target.staged = false;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_NONE);
    assert_int_equal(s.steps[1], STEP_NONE);
    assert_string_equal(s.out.fetch, A);
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

static void be_silent(struct scene *s, size_t i, unsigned misses, int64_t for_ms) {
    s->in.hung_after_ms = 30000;
    s->nodes[i].health = HEALTH_BAD;
    s->nodes[i].misses = misses;
    s->nodes[i].silent_since_ms = s->now_ms - for_ms;
}

static void a_node_that_hangs_is_restarted_and_that_is_a_failure(void **state) {
    (void)state;
    struct scene s = steady_scene(2);
    be_silent(&s, 0, RECONCILE_HUNG_MISSES, 29000);
    decide(&s);
    assert_int_equal(s.steps[0], STEP_NONE);
    assert_int_equal(s.out.wake_ms, s.now_ms + 1000);
    s.now_ms += 1000;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_TERMINATE);
    assert_true(s.nodes[0].hung);
    assert_int_equal(s.steps[1], STEP_NONE);
    s.nodes[0].phase = NODE_STOPPING;
    s.nodes[0].stopping_ms = s.now_ms;
    s.now_ms += RECONCILE_DRAIN_MS;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_KILL);
}

static void silence_is_believed_only_of_a_node_that_was_asked(void **state) {
    (void)state;
    struct scene s = steady_scene(1);
    be_silent(&s, 0, RECONCILE_HUNG_MISSES - 1, 600000);
    decide(&s);
    assert_int_equal(s.steps[0], STEP_NONE);
    be_silent(&s, 0, RECONCILE_HUNG_MISSES, 600000);
    s.in.hung_after_ms = 0;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_NONE);
}

static void a_node_that_says_itself_that_it_fails_is_not_restarted(void **state) {
    (void)state;
    for (enum node_health health = HEALTH_GOOD; health <= HEALTH_BAD; health++) {
        struct scene s = steady_scene(1);
        be_silent(&s, 0, 0, 600000);
        s.nodes[0].health = health;
        decide(&s);
        assert_int_equal(s.steps[0], STEP_NONE);
        assert_false(s.nodes[0].hung);
    }
}

static void a_process_that_never_answered_gets_more_time(void **state) {
    (void)state;
    struct scene s = steady_scene(1);
    be_silent(&s, 0, 100, RECONCILE_STUCK_MS - 1);
    s.nodes[0].proven = false;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_NONE);
    s.now_ms++;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_TERMINATE);
}

static void a_hung_node_waits_for_bytes_to_start_again(void **state) {
    (void)state;
    struct scene s = steady_scene(1);
    be_silent(&s, 0, 100, 600000);
    s.in.current.staged = s.in.target.staged = false;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_NONE);
    assert_string_equal(s.out.fetch, A);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_desired_and_nothing_is_there),
        cmocka_unit_test(a_missing_version_is_fetched),
        cmocka_unit_test(a_failed_download_waits_for_its_pause_and_says_so),
        cmocka_unit_test(a_refused_version_is_not_fetched_again),
        cmocka_unit_test(another_desired_version_makes_the_download_vain),
        cmocka_unit_test(downloads_can_be_switched_off),
        cmocka_unit_test(the_first_version_starts_everywhere_and_is_current_once_it_works_anywhere),
        cmocka_unit_test(a_first_version_that_fails_is_reported_and_tried_on),
        cmocka_unit_test(current_starts_without_a_master),
        cmocka_unit_test(without_a_master_no_switch_begins_but_current_starts),
        cmocka_unit_test(a_node_backs_off_before_it_starts_again),
        cmocka_unit_test(unknown_and_held_nodes_are_left_alone),
        cmocka_unit_test(a_switch_asks_then_takes_one_node_at_a_time),
        cmocka_unit_test(a_veto_delays_the_switch_and_is_asked_again),
        cmocka_unit_test(draining_begins_no_switch_and_restarts_what_crashed),
        cmocka_unit_test(a_hold_of_the_master_begins_no_switch_and_restarts_what_crashed),
        cmocka_unit_test(draining_starts_no_first_version),
        cmocka_unit_test(the_third_exit_fails_the_version_and_everyone_returns),
        cmocka_unit_test(a_silent_version_fails_at_the_deadline),
        cmocka_unit_test(a_silent_version_is_left_when_the_deadline_of_its_order_is_over),
        cmocka_unit_test(a_failed_version_is_tried_again_on_the_next_order),
        cmocka_unit_test(a_node_broken_before_gets_the_new_version_first_and_does_not_judge_it),
        cmocka_unit_test(a_version_on_which_every_broken_node_stays_broken_has_failed),
        cmocka_unit_test(a_rollback_in_the_middle_of_a_switch_returns_only_who_moved),
        cmocka_unit_test(a_node_adopted_on_the_new_version_goes_on_from_there),
        cmocka_unit_test(a_stop_that_takes_too_long_is_killed_once),
        cmocka_unit_test(ordered_restarts_go_one_after_another),
        cmocka_unit_test(a_surplus_node_is_asked_and_stopped_and_not_started),
        cmocka_unit_test(a_damaged_current_falls_back_to_previous_and_is_fetched),
        cmocka_unit_test(a_damaged_store_leaves_running_nodes_alone),
        cmocka_unit_test(no_working_node_is_given_up_while_there_is_no_way_back),
        cmocka_unit_test(a_node_that_a_trial_broke_is_not_excused_in_the_next),
        cmocka_unit_test(failures_of_an_earlier_generation_judge_nobody),
        cmocka_unit_test(complaints_of_the_machine_do_not_fail_a_version),
        cmocka_unit_test(starts_that_the_machine_prevents_do_not_fail_a_version),
        cmocka_unit_test(a_version_that_turns_bad_before_the_commit_has_failed),
        cmocka_unit_test(a_node_that_hangs_is_restarted_and_that_is_a_failure),
        cmocka_unit_test(silence_is_believed_only_of_a_node_that_was_asked),
        cmocka_unit_test(a_node_that_says_itself_that_it_fails_is_not_restarted),
        cmocka_unit_test(a_process_that_never_answered_gets_more_time),
        cmocka_unit_test(a_hung_node_waits_for_bytes_to_start_again),
    };
    return cmocka_run_group_tests_name("reconcile", tests, NULL, NULL);
}
