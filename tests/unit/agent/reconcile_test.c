/* What is fetched, started, restarted and stopped while no version is on trial. */
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

static void draining_starts_no_first_version(void **state) {
    (void)state;
    struct scene s = empty_scene(1);
    want(&s, A, true);
    s.in.draining = true;
    decide(&s);
    assert_int_equal(s.steps[0], STEP_NONE);
    assert_int_equal(s.out.hold, HOLD_DRAINING);
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
        cmocka_unit_test(draining_starts_no_first_version),
        cmocka_unit_test(a_stop_that_takes_too_long_is_killed_once),
        cmocka_unit_test(ordered_restarts_go_one_after_another),
        cmocka_unit_test(a_surplus_node_is_asked_and_stopped_and_not_started),
        cmocka_unit_test(a_damaged_current_falls_back_to_previous_and_is_fetched),
        cmocka_unit_test(a_damaged_store_leaves_running_nodes_alone),
        cmocka_unit_test(a_node_that_hangs_is_restarted_and_that_is_a_failure),
        cmocka_unit_test(silence_is_believed_only_of_a_node_that_was_asked),
        cmocka_unit_test(a_node_that_says_itself_that_it_fails_is_not_restarted),
        cmocka_unit_test(a_process_that_never_answered_gets_more_time),
        cmocka_unit_test(a_hung_node_waits_for_bytes_to_start_again),
    };
    return cmocka_run_group_tests_name("reconcile", tests, NULL, NULL);
}
