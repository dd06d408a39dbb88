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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_child_of_a_killed_agent_is_waited_for, setup_place,
                                        teardown_place),
        cmocka_unit_test_setup_teardown(a_running_agent_is_not, setup_place, teardown_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
