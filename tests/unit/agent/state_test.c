#include "tests/unit/agent/agent_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

enum { STEPS = 100, STEP_US = 1000 };

/* What an agent leaves when it is killed between fork and exec: a child that has its lock. */
static pid_t leave_child(void) {
    pid_t pid = fork();
    if (pid == 0) {
        for (;;) pause();
    }
    return pid;
}

static void *end_child(void *argument) {
    const pid_t *pid = argument;
    for (int i = 0; i < STEPS; i++) usleep(STEP_US);
    kill(*pid, SIGKILL);
    waitpid(*pid, NULL, 0);
    return NULL;
}

static void a_child_of_a_killed_agent_is_waited_for(void **unused) {
    (void)unused;
    char root[STATE_ROOT_SIZE];
    pthread_t thread;
    snprintf(root, sizeof root, "%s", place.state.root);
    pid_t pid = leave_child();
    assert_true(pid > 0);
    state_close(&place.state);
    assert_int_equal(pthread_create(&thread, NULL, end_child, &pid), 0);
    bool opened = state_open(&place.state, root, &place.e);
    pthread_join(thread, NULL);
    if (!opened) fail_msg("%s", place.e.text);
}

static void a_running_agent_is_not(void **unused) {
    (void)unused;
    struct state second = {.lock_fd = -1};
    assert_false(state_open(&second, place.state.root, &place.e));
    assert_err(ERR_CONFLICT, "grid-agent");
    assert_err(ERR_CONFLICT, "--state");
}

static bool touch(const char *name) {
    char path[STATE_PATH_SIZE];
    return file_write_durable(state_path(&place.state, path, "%s", name), "", 0, 0600, &place.e);
}

static bool there(const char *name) {
    char path[STATE_PATH_SIZE];
    return access(state_path(&place.state, path, "%s", name), F_OK) == 0;
}

static void half_written_files_of_a_killed_agent_go(void **unused) {
    (void)unused;
    static const char *const half[] = {"desired.json.tmp-abc123", "identity/id.tmp-XYZ987",
                                       "nodes/0/record.json.tmp-qwerty"};
    static const char *const whole[] = {"desired.json", "nodes/0/record.json",
                                        "nodes/0/data.tmp-longer-than-random"};
    char root[STATE_ROOT_SIZE];
    char node[STATE_PATH_SIZE];
    assert_ok(file_make_directory(state_path(&place.state, node, "nodes/0"), 0700, &place.e));
    for (size_t i = 0; i < 3; i++) assert_ok(touch(half[i]) && touch(whole[i]));
    snprintf(root, sizeof root, "%s", place.state.root);
    state_close(&place.state);
    assert_ok(state_open(&place.state, root, &place.e));
    for (size_t i = 0; i < 3; i++) assert_false(there(half[i]));
    for (size_t i = 0; i < 3; i++) assert_true(there(whole[i]));
}

static void a_directory_that_was_deleted_is_noticed_and_made_anew(void **unused) {
    (void)unused;
    char path[STATE_PATH_SIZE], aside[STATE_PATH_SIZE];
    assert_false(state_lost(&place.state));
    snprintf(aside, sizeof aside, "%s.gone", place.state.root);
    assert_int_equal(rename(place.state.root, aside), 0);
    assert_true(state_lost(&place.state));
    assert_ok(state_restore(&place.state, &place.e));
    assert_false(state_lost(&place.state));
    assert_int_equal(access(state_path(&place.state, path, "store"), F_OK), 0);
    int other = -1;
    assert_false(file_lock(state_path(&place.state, path, "lock"), "grid-agent", &other, &place.e));
    assert_err(ERR_CONFLICT, "lock");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_child_of_a_killed_agent_is_waited_for, setup_place,
                                        teardown_place),
        cmocka_unit_test_setup_teardown(half_written_files_of_a_killed_agent_go, setup_place,
                                        teardown_place),
        cmocka_unit_test_setup_teardown(a_directory_that_was_deleted_is_noticed_and_made_anew,
                                        setup_place, teardown_place),
        cmocka_unit_test_setup_teardown(a_running_agent_is_not, setup_place, teardown_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
