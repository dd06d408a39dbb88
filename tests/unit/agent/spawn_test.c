#include "agent/spawn.h"

#include "tests/unit/agent/agent_fixture.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#define SCRIPT "#!/bin/sh\n"

static struct version version;
static int source = -1;
static bool from_store;
static struct sandbox fence;

/* A signed version that is this shell script. */
static void use_script(const char *body) {
    OWN_TEXT struct text script = TEXT_EMPTY;
    text_add_format(&script, SCRIPT "%s\n", body);
    write_file(in_place("script"), script.data, script.length);
    version_clear(&version);
    sign_version(in_place("script"), "1.0.0", &version);
    if (source >= 0) close(source);
    source = open(in_place("script"), O_RDWR | O_CLOEXEC);
    assert_true(source >= 0);
}

/* A signed version that is a program of this machine. */
static void use_program(const char *path) {
    version_clear(&version);
    sign_version(path, "1.0.0", &version);
    if (source >= 0) close(source);
    source = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(source >= 0);
}

static int teardown(void **unused) {
    version_clear(&version);
    if (source >= 0) close(source);
    source = -1;
    return teardown_place(unused);
}

static bool seal(bool avoid_memfd, int *fd) {
    return spawn_seal(source, &version, avoid_memfd, fd, &from_store, &place.e);
}

static bool run(int fd, char *const *arguments, struct spawned *child) {
    char extra[] = "GRID_NODE_NONCE=abc";
    OWN_MEMORY char **environment = spawn_environment(extra);
    OWN_FD int log = open(in_place("out"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct sandbox_start sandbox;
    assert_ok(
        sandbox_prepare(&fence, in_place("data"), from_store ? fd : -1, true, &sandbox, &place.e));
    const struct spawn_request request = {.executable_fd = fd,
                                          .arguments = arguments,
                                          .environment = environment,
                                          .directory = place.directory,
                                          .output_fd = log,
                                          .sandbox = &sandbox};
    bool done = spawn_run(&request, child, &place.e);
    sandbox_start_fini(&sandbox);
    return done;
}

/* Seals, runs and waits; returns the exit status. */
static int run_to_end(bool avoid_memfd) {
    struct spawned child;
    siginfo_t info = {0};
    char name[] = "storage-server";
    char *arguments[] = {name, NULL};
    OWN_FD int fd = -1;
    assert_ok(seal(avoid_memfd, &fd));
    assert_ok(run(fd, arguments, &child));
    struct pollfd p = {.fd = child.pidfd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    assert_int_equal(waitid(P_PIDFD, (id_t)child.pidfd, &info, WEXITED), 0);
    assert_int_equal(info.si_pid, child.pid);
    close(child.pidfd);
    return info.si_status;
}

static const char *output(void) {
    static struct text content;
    text_clear(&content);
    assert_ok(file_read(in_place("out"), 100000, &content, &place.e));
    return text_value(&content);
}

static void a_program_runs_from_a_sealed_copy(void **unused) {
    (void)unused;
    use_program("/bin/true");
    assert_int_equal(run_to_end(false), 0);
    assert_false(from_store);
}

static void the_copy_cannot_be_changed(void **unused) {
    (void)unused;
    OWN_FD int fd = -1;
    use_script("exit 0");
    assert_ok(seal(false, &fd));
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_not_equal(ftruncate(fd, 0), 0);
}

static void what_changed_after_the_copy_does_not_run(void **unused) {
    (void)unused;
    struct spawned child;
    char name[] = "storage-server";
    char *arguments[] = {name, NULL};
    OWN_FD int fd = -1;
    use_script("echo genuine");
    assert_ok(seal(false, &fd));
    assert_true(pwrite(source, SCRIPT "echo altered", strlen(SCRIPT "echo altered"), 0) > 0);
    assert_ok(run(fd, arguments, &child));
    assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
    close(child.pidfd);
    assert_string_equal(output(), "genuine\n");
}

static void damaged_bytes_do_not_run(void **unused) {
    (void)unused;
    int fd = -1;
    for (int avoid = 0; avoid < 2; avoid++) {
        use_script("exit 0");
        assert_int_equal(pwrite(source, "y", 1, 12), 1);
        assert_false(seal(avoid, &fd));
        assert_err(ERR_CORRUPT, "SHA-256");
    }
}

static void the_fallback_runs_the_stores_file_and_says_so(void **unused) {
    (void)unused;
    use_program("/bin/true");
    assert_int_equal(run_to_end(true), 0);
    assert_true(from_store);
}

static void scripts_run_although_their_interpreter_opens_them_by_number(void **unused) {
    (void)unused;
    use_script("exit 7");
    assert_int_equal(run_to_end(false), 7);
}

static void a_build_that_nothing_here_can_run_says_so(void **unused) {
    (void)unused;
    struct spawned child;
    char name[] = "storage-server";
    char *arguments[] = {name, NULL};
    OWN_FD int fd = open(in_place("junk"), O_RDWR | O_CREAT | O_CLOEXEC, 0700);
    assert_int_equal(write(fd, "\177ELFjunk", 8), 8);
    OWN_FD int reading = open(in_place("junk"), O_RDONLY | O_CLOEXEC);
    close(TAKE_FD(fd));
    from_store = true;
    assert_false(run(reading, arguments, &child));
    assert_err(ERR_INVALID, "Exec format error");
}

static void the_child_has_a_clean_place_of_its_own(void **unused) {
    (void)unused;
    OWN_FD int leak =
        open("/dev/null", O_RDONLY); /* not close-on-exec: as a careless library would leave it */
    setenv("GRID_TOKEN", "secret", 1);
    setenv("GRID_LOG_LEVEL", "debug", 1);
    setenv("AWS_REGION", "here", 1);
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    signal(SIGPIPE, SIG_IGN);
    use_script(
        "echo token=$GRID_TOKEN nonce=$GRID_NODE_NONCE level=$GRID_LOG_LEVEL region=$AWS_REGION\n"
        "ls /proc/self/fd | wc -w\n"
        "grep -E '^(SigBlk|SigIgn|NoNewPrivs)' /proc/self/status | tr -s '\\t\\n' '  '\n"
        "echo\n[ $(cut -d' ' -f6 /proc/$$/stat) = $$ ] && echo 1\npwd -P\numask");
    assert_int_equal(run_to_end(false), 0);
    pthread_sigmask(SIG_UNBLOCK, &blocked, NULL);
    unsetenv("GRID_TOKEN");
    OWN_TEXT struct text expected = TEXT_EMPTY;
    OWN_MEMORY char *real = realpath(place.directory, NULL);
    /* 0, 1, 2, the script's own descriptor that its interpreter reads, and the one that lists */
    text_add_format(
        &expected,
        "token= nonce=abc level=debug region=here\n5\n"
        "SigBlk: 0000000000000000 SigIgn: 0000000000000000 NoNewPrivs: 1 \n1\n%s\n0077\n",
        real);
    assert_string_equal(output(), expected.data);
    assert_true(leak >= 0);
}

int main(void) {
    sandbox_probe(&fence, true);
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup_place, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_program_runs_from_a_sealed_copy),
        TEST(the_copy_cannot_be_changed),
        TEST(what_changed_after_the_copy_does_not_run),
        TEST(damaged_bytes_do_not_run),
        TEST(the_fallback_runs_the_stores_file_and_says_so),
        TEST(scripts_run_although_their_interpreter_opens_them_by_number),
        TEST(a_build_that_nothing_here_can_run_says_so),
        TEST(the_child_has_a_clean_place_of_its_own),
    };
    return cmocka_run_group_tests_name("spawn", tests, NULL, NULL);
}
