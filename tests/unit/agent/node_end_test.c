/* How nodes end, fail, fall silent and are stopped, and what is noted of it. */
#include "agent/backoff.h"
#include "tests/unit/agent/node_fixture.h"

static void an_exit_is_noted_with_its_log_and_backs_off(void **unused) {
    (void)unused;
    setenv("FAKE_NODE", "crash", 1);
    int64_t asked_ms = clock_monotonic_ms();
    assert_ok(start());
    wait_until(ended());
    assert_int_equal(facts.phase, NODE_DOWN);
    assert_int_equal(facts.failures, 1);
    assert_true(facts.start_after_ms >= asked_ms + backoff_node.first_ms * 3 / 4);
    assert_string_equal(node.record.last_exit.kind, "exit");
    assert_int_equal(node.record.last_exit.value, 3);
    assert_non_null(strstr(node.record.last_exit.log_tail, "crashing as told"));
    assert_int_equal(node.record.restarts, 1);
    assert_string_equal(state_name(), "backoff");
}

static void the_words_of_a_former_process_are_not_those_of_the_next(void **unused) {
    (void)unused;
    setenv("FAKE_NODE", "crash", 1);
    assert_ok(start());
    wait_until(ended());
    setenv("FAKE_NODE", "mute", 1);
    assert_ok(start());
    wait_until(ended());
    assert_int_equal(node.record.last_exit.value, 3);
    assert_string_equal(node.record.last_exit.log_tail, "");
}

static void a_hung_node_ends_as_a_failure(void **unused) {
    (void)unused;
    assert_ok(start());
    wait_until(healthy());
    kill(node.pid, SIGSTOP);
    facts.hung = true;
    node_terminate(&node, clock_monotonic_ms());
    assert_string_equal(state_name(), "unhealthy");
    wait_until(ended());
    assert_int_equal(facts.failures, 1);
    assert_int_equal(node.record.restarts, 1);
    assert_false(facts.hung);
    assert_string_equal(state_name(), "backoff");
    assert_non_null(strstr(reasons(), "timeout: it answered nothing"));
    assert_ok(start());
    wait_until(healthy());
    assert_string_equal(reasons(), "");
}

static void a_jump_of_the_clock_is_no_time_up(void **unused) {
    (void)unused;
    setenv("FAKE_NODE", "crash", 1);
    for (unsigned failures = 1; failures <= 3; failures++) {
        assert_ok(start());
        node.started_at_ms -= 3 * 24 * 3600 * 1000;
        wait_until(ended());
        assert_int_equal(facts.failures, failures);
    }
}

static pid_t left_child(void) {
    char path[STATE_PATH_SIZE];
    OWN_TEXT struct text pid = TEXT_EMPTY;
    state_path(&place.state, path, "nodes/0/data/child");
    assert_ok(file_read(path, 32, &pid, &place.e));
    return (pid_t)strtol(text_value(&pid), NULL, 10);
}

static void what_a_node_leaves_ends_with_it(void **unused) {
    (void)unused;
    setenv("FAKE_NODE", "orphan", 1);
    assert_ok(start());
    wait_until(ended());
    stray = left_child();
    assert_true(stray > 0);
    wait_until(adopt_start_time(stray) < 0);
    stray = 0;
}

static void a_signal_is_noted(void **unused) {
    (void)unused;
    assert_ok(start());
    wait_until(healthy());
    kill(node.pid, SIGKILL);
    wait_until(ended());
    assert_string_equal(node.record.last_exit.kind, "signal");
    assert_int_equal(node.record.last_exit.value, SIGKILL);
}

static void a_start_that_found_its_port_taken_hides_no_cause(void **unused) {
    (void)unused;
    assert_ok(start());
    wait_until(healthy());
    int64_t port = node.record.port;
    kill(node.pid, SIGKILL);
    wait_until(ended());
    unsigned failures = facts.failures;
    setenv("FAKE_NODE", "conflict", 1);
    assert_ok(start());
    wait_until(ended());
    assert_string_equal(node.record.last_exit.kind, "signal");
    assert_int_equal(node.record.last_exit.value, SIGKILL);
    assert_int_equal(node.record.restarts, 1);
    assert_int_equal(facts.failures, failures);
    unsetenv("FAKE_NODE");
    assert_ok(start());
    wait_until(healthy());
    assert_int_equal(node.record.port, port);
}

static void a_conflict_that_does_not_end_counts_as_a_failure(void **unused) {
    (void)unused;
    setenv("FAKE_NODE", "conflict", 1);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(facts.failures, 0);
        assert_ok(start());
        wait_until(ended());
    }
    assert_int_equal(facts.failures, 1);
    assert_int_equal(node.record.last_exit.value, err_exit_code(ERR_CONFLICT));
}

static void the_end_of_an_adopted_node_is_seen_but_its_status_is_unknown(void **unused) {
    (void)unused;
    int ends[2];
    pid_t pid = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t parent = fork(); /* starts the node and dies, so that it is nobody's child here */
    if (parent == 0) {
        bool started = start();
        if (started && write(ends[1], &node.pid, sizeof node.pid) > 0) _exit(0);
        _exit(1);
    }
    waitpid(parent, NULL, 0);
    assert_int_equal(read(ends[0], &pid, sizeof pid), sizeof pid);
    close(ends[0]);
    close(ends[1]);
    stray = pid;
    wait_until(adopt_is_held(node.data));
    forget_everything();
    wait_until(healthy());
    assert_int_equal(node.pid, pid);
    kill(pid, SIGKILL);
    wait_until(ended());
    assert_string_equal(node.record.last_exit.kind, "unknown");
    assert_int_equal(facts.failures, 1);
    assert_int_equal(node.record.restarts, 1);
    stray = 0;
}

static void an_ordered_stop_is_no_failure(void **unused) {
    (void)unused;
    assert_ok(start());
    wait_until(healthy());
    facts.failures = 2;
    node_terminate(&node, clock_monotonic_ms());
    assert_int_equal(facts.phase, NODE_STOPPING);
    wait_until(ended());
    assert_int_equal(facts.phase, NODE_DOWN);
    assert_int_equal(facts.failures, 0);
    assert_int_equal(node.record.restarts, 0);
}

static void a_stubborn_node_is_killed(void **unused) {
    (void)unused;
    setenv("FAKE_NODE", "stubborn", 1);
    assert_ok(start());
    wait_until(healthy());
    node_terminate(&node, clock_monotonic_ms());
    assert_false(ended());
    node_kill(&node);
    wait_until(ended());
    assert_string_equal(node.record.last_exit.kind, "signal");
}

static void a_failing_node_is_unhealthy_and_says_why(void **unused) {
    (void)unused;
    setenv("FAKE_NODE", "failing", 1);
    assert_ok(start());
    wait_until((ask(), facts.health == HEALTH_BAD && facts.misses == 0));
    assert_false(facts.proven);
    assert_string_equal(state_name(), "unhealthy");
    assert_string_equal(reasons(), "index_lost");
}

static bool is_stopped(pid_t pid) {
    char path[64];
    OWN_TEXT struct text stat = TEXT_EMPTY;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    assert_ok(file_read(path, 4096, &stat, &place.e));
    return strstr(stat.data, ") T ") != NULL;
}

static void silence_of_a_young_node_is_no_complaint(void **unused) {
    (void)unused;
    setenv("FAKE_NODE", "silent", 1);
    assert_ok(start());
    for (unsigned miss = 0; miss < 2 * NODE_MISSES; miss++) ask();
    assert_int_equal(facts.health, HEALTH_NONE);
    assert_string_equal(state_name(), "starting");
    facts.started_ms -= RECONCILE_HEALTHY_MS;
    ask();
    assert_string_equal(state_name(), "unhealthy");
}

static void three_misses_make_a_node_unhealthy(void **unused) {
    (void)unused;
    assert_ok(start());
    wait_until(healthy());
    kill(node.pid, SIGSTOP);
    wait_until(is_stopped(node.pid));
    for (unsigned miss = 1; miss <= NODE_MISSES; miss++) {
        assert_int_equal(facts.health, HEALTH_GOOD);
        ask();
        assert_int_equal(facts.misses, miss);
    }
    assert_int_equal(facts.health, HEALTH_BAD);
    assert_string_equal(state_name(), "unhealthy");
    kill(node.pid, SIGCONT);
    wait_until(healthy());
    assert_string_equal(state_name(), "healthy");
}

static void a_veto_is_kept_with_its_reasons(void **unused) {
    (void)unused;
    setenv("FAKE_NODE", "veto", 1);
    assert_ok(start());
    wait_until(healthy());
    node.ask_stop = true;
    facts.stop_answer = STOP_ASKED;
    ask();
    assert_int_equal(facts.stop_answer, STOP_VETOED);
    assert_string_equal(node.veto, "last copy");
}

static void a_new_restart_order_does_not_wait_for_the_backoff(void **unused) {
    (void)unused;
    facts.phase = NODE_DOWN;
    facts.start_after_ms = INT64_MAX;
    node.record.restart_generation = 4;
    node_order(&node, 4, 1000);
    assert_false(facts.restart_ordered);
    assert_int_equal(facts.start_after_ms, INT64_MAX);
    node_order(&node, 5, 1000);
    assert_true(facts.restart_ordered);
    assert_int_equal(facts.start_after_ms, 1000);
    facts.start_after_ms =
        INT64_MAX; /* that start failed: the order alone does not make it hurry */
    node_order(&node, 5, 2000);
    assert_int_equal(facts.start_after_ms, INT64_MAX);
}

int main(int argc, char **argv) {
    int status = 0;
    if (fake_node_main(argc, argv, &status)) return status;
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_exit_is_noted_with_its_log_and_backs_off),
        TEST(the_words_of_a_former_process_are_not_those_of_the_next),
        TEST(a_hung_node_ends_as_a_failure),
        TEST(a_jump_of_the_clock_is_no_time_up),
        TEST(what_a_node_leaves_ends_with_it),
        TEST(a_signal_is_noted),
        TEST(a_start_that_found_its_port_taken_hides_no_cause),
        TEST(a_conflict_that_does_not_end_counts_as_a_failure),
        TEST(the_end_of_an_adopted_node_is_seen_but_its_status_is_unknown),
        TEST(an_ordered_stop_is_no_failure),
        TEST(a_stubborn_node_is_killed),
        TEST(a_failing_node_is_unhealthy_and_says_why),
        TEST(silence_of_a_young_node_is_no_complaint),
        TEST(three_misses_make_a_node_unhealthy),
        TEST(a_veto_is_kept_with_its_reasons),
        TEST(a_new_restart_order_does_not_wait_for_the_backoff),
    };
    return cmocka_run_group_tests_name("node_end", tests, NULL, NULL);
}
