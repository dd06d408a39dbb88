#include "agent/sandbox.h"

#include "lib/landlock.h"
#include "tests/unit/agent/agent_fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define USERS "root:x:0:0::/root:/bin/sh\n" SANDBOX_USER ":x:64321:64322::/:/bin/false\n"
enum { USER = 64321, GROUP = 64322 };

static struct sandbox fence;

static int setup(void **unused) {
    setup_place(unused);
    assert_int_equal(mkdir(in_place("data"), 0700), 0);
    write_file(in_place("secret"), "x", 1);
    sandbox_probe(&fence, true);
    return 0;
}

/* What a child that is fenced in answers: its exit status. */
static int ask_child(const struct sandbox_start *start, int (*question)(void)) {
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) _exit(sandbox_enter(start) == 0 ? question() : 255);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int ask_fenced(int (*question)(void)) {
    struct sandbox_start start;
    assert_ok(sandbox_prepare(&fence, in_place("data"), -1, true, &start, &place.e));
    int answer = ask_child(&start, question);
    sandbox_start_fini(&start);
    return answer;
}

static int errno_of(bool done) {
    return done ? 0 : errno;
}

static int write_data(void) {
    return errno_of(open(in_place("data/chunk"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0 &&
                    mkdir(in_place("data/part"), 0700) == 0 &&
                    rename(in_place("data/chunk"), in_place("data/part/chunk")) == 0);
}

static int write_beside(void) {
    return errno_of(open(in_place("other"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0);
}

static int read_beside(void) {
    return errno_of(open(in_place("secret"), O_RDONLY | O_CLOEXEC) >= 0);
}

static int read_system(void) {
    return errno_of(open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0);
}

static int leave_namespace(void) {
    return errno_of(unshare(CLONE_NEWUSER) == 0);
}

static int signal_parent(void) {
    return errno_of(kill(getppid(), 0) == 0);
}

static int dump_core(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0 ? 0 : 1;
}

static int gain_privileges(void) {
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

static void a_node_reaches_its_own_data_and_the_system_alone(void **unused) {
    (void)unused;
    if (!fence.active[SANDBOX_FILES]) skip();
    assert_int_equal(ask_fenced(write_data), 0);
    assert_int_equal(ask_fenced(write_beside), EACCES);
    assert_int_equal(ask_fenced(read_beside), EACCES);
    assert_int_equal(ask_fenced(read_system), 0);
}

static void a_node_signals_nobody_else(void **unused) {
    (void)unused;
    if (!fence.active[SANDBOX_FILES] || landlock_version() < 6) skip();
    assert_int_equal(ask_fenced(signal_parent), EPERM);
}

static void a_node_makes_no_calls_that_no_service_needs(void **unused) {
    (void)unused;
    if (!fence.active[SANDBOX_SYSTEM_CALLS]) skip();
    assert_int_equal(ask_fenced(leave_namespace), EPERM);
}

static void a_node_leaves_no_core_and_gains_nothing(void **unused) {
    (void)unused;
    assert_int_equal(ask_fenced(dump_core), 0);
    assert_int_equal(ask_fenced(gain_privileges), 1);
}

static void switched_off_only_what_costs_nothing_stays(void **unused) {
    (void)unused;
    sandbox_probe(&fence, false);
    OWN_MEMORY char *lines = sandbox_text(&fence, NULL, 0);
    assert_string_equal(lines, "limits=no: switched off by --sandbox=off\n"
                               "descriptors=yes\nno-new-privileges=yes\n"
                               "separate-user=no: switched off by --sandbox=off\n"
                               "landlock=no: switched off by --sandbox=off\n"
                               "seccomp=no: switched off by --sandbox=off");
    assert_int_equal(ask_fenced(write_beside), 0);
    assert_int_equal(ask_fenced(gain_privileges), 1);
}

/* Whatever the next start would have. */
static void what_runs_counts(void **unused) {
    (void)unused;
    sandbox_probe(&fence, false);
    fence.active[SANDBOX_SYSTEM_CALLS] = true;
    const struct sandbox_run runs[] = {
        {"a-1/0", "limits\ndescriptors\nno-new-privileges\nlandlock\nseccomp"},
        {"a-1/1", "limits\ndescriptors\nno-new-privileges"                   },
        {"a-1/2", NULL                                                       },
    };
    OWN_MEMORY char *one = sandbox_text(&fence, runs, 1);
    assert_string_equal(one, "limits=yes\ndescriptors=yes\nno-new-privileges=yes\n"
                             "separate-user=no: switched off by --sandbox=off\n"
                             "landlock=yes\nseccomp=yes");
    OWN_MEMORY char *two = sandbox_text(&fence, runs, 2);
    assert_non_null(strstr(two, "no-new-privileges=yes\n"));
    assert_non_null(strstr(two, "landlock=no: switched off by --sandbox=off\n"));
    assert_non_null(strstr(two, "seccomp=no: node a-1/1 was started without it"));
    OWN_MEMORY char *three = sandbox_text(&fence, runs, 3);
    assert_non_null(strstr(three, "no-new-privileges=no: node a-1/2 was started without it\n"));
}

/* The machine's users are others here, for this process alone. */
static void have_user(const char *users) {
    write_file(in_place("passwd"), users, strlen(users));
    assert_int_equal(unshare(CLONE_NEWNS), 0);
    assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    assert_int_equal(mount(in_place("passwd"), "/etc/passwd", NULL, MS_BIND, NULL), 0);
}

static int who(void) {
    return getuid() == USER && geteuid() == USER && getgid() == GROUP && setuid(0) != 0 ? 0 : 1;
}

static int open_own(void) {
    return errno_of(open("./chunk", O_RDWR | O_CLOEXEC) >= 0);
}

static void a_node_of_root_runs_as_a_user_of_its_own(void **unused) {
    (void)unused;
    if (geteuid() != 0) skip();
    have_user(USERS);
    sandbox_probe(&fence, true);
    assert_true(fence.active[SANDBOX_USER_LAYER]);
    write_file(in_place("data/chunk"), "x", 1);
    assert_int_equal(chdir(in_place("data")), 0);
    struct sandbox_start start;
    assert_ok(sandbox_prepare(&fence, in_place("data"), -1, false, &start, &place.e));
    assert_int_equal(ask_child(&start, who), 0);
    assert_int_equal(ask_child(&start, open_own), 0);
    sandbox_start_fini(&start);
    assert_int_equal(umount("/etc/passwd"), 0);
}

static void a_user_with_the_rights_of_root_is_none(void **unused) {
    (void)unused;
    if (geteuid() != 0) skip();
    have_user("root:x:0:0::/:/bin/sh\n" SANDBOX_USER ":x:0:0::/:/bin/sh\n");
    sandbox_probe(&fence, true);
    assert_false(fence.active[SANDBOX_USER_LAYER]);
    assert_non_null(strstr(fence.why[SANDBOX_USER_LAYER], SANDBOX_USER));
    assert_int_equal(umount("/etc/passwd"), 0);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown_place)
    const struct CMUnitTest tests[] = {
        TEST(a_node_reaches_its_own_data_and_the_system_alone),
        TEST(a_node_signals_nobody_else),
        TEST(a_node_makes_no_calls_that_no_service_needs),
        TEST(a_node_leaves_no_core_and_gains_nothing),
        TEST(switched_off_only_what_costs_nothing_stays),
        TEST(what_runs_counts),
        TEST(a_node_of_root_runs_as_a_user_of_its_own),
        TEST(a_user_with_the_rights_of_root_is_none),
    };
    return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
