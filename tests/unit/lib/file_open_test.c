#include "lib/file.h"

#include "tests/unit/lib/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

/* in/ is the directory that must not be left; outside lies beside it. */
static int begin_inside(void **state) {
    if (temporary_begin(state) != 0) return -1;
    struct err e;
    if (!file_make_directory(TEMPORARY("in/sub"), 0700, &e) ||
        !file_write_durable(TEMPORARY("in/f"), "inside", 6, 0600, &e) ||
        !file_write_durable(TEMPORARY("in/sub/f"), "deeper", 6, 0600, &e) ||
        !file_write_durable(TEMPORARY("outside"), "secret", 6, 0600, &e))
        return -1;
    return symlink("f", TEMPORARY("in/link")) == 0 &&
                   symlink("sub", TEMPORARY("in/sublink")) == 0 &&
                   symlink("../outside", TEMPORARY("in/out")) == 0 &&
                   symlink("/", TEMPORARY("in/root")) == 0 &&
                   mkfifo(TEMPORARY("in/fifo"), 0600) == 0
               ? 0
               : -1;
}

static int open_inside(const char *name, int flags, struct err *e) {
    OWN_FD int directory = open(TEMPORARY("in"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(directory >= 0);
    return file_open_beneath(directory, name, flags, 0640, e);
}

static void beneath_opens_what_lies_inside(void **state) {
    (void)state;
    static const char *const names[] = {"f", "sub/f", "./f", "sub/./f", "sub//f"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct err e;
        char bytes[7] = "";
        OWN_FD int fd = open_inside(names[i], O_RDONLY, &e);
        if (fd < 0) fail_msg("%s", e.text);
        assert_int_equal(read(fd, bytes, sizeof bytes), 6);
        assert_string_equal(bytes, names[i][0] == 's' ? "deeper" : "inside");
        assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
        assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) == 0);
    }
}

static void beneath_refuses_to_leave(void **state) {
    (void)state;
    static const char *const names[] = {
        "../outside",
        "sub/../../outside",
        "sub/../f",
        "..",
        "/etc/passwd",
        "out",
        "root",
        "root/etc/passwd",
        "link",
        "sublink/f",
        "",
        "f/..",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct err e = {0};
        OWN_FD int fd = open_inside(names[i], O_RDONLY, &e);
        if (fd >= 0) fail_msg("opened: %s", names[i]);
        if (e.code != ERR_INVALID) fail_msg("%s: %s", names[i], e.text);
    }
}

/* The FIFO has nobody at its other end: an open that waits would never return. */
static void beneath_takes_only_regular_files(void **state) {
    (void)state;
    static const char *const names[] = {"fifo", "sub", ".", "f/below"};
    static const int flags[] = {O_RDONLY, O_WRONLY, O_RDWR};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        for (size_t k = 0; k < 3; k++) {
            struct err e = {0};
            OWN_FD int fd = open_inside(names[i], flags[k], &e);
            if (fd >= 0) fail_msg("opened: %s", names[i]);
            if (e.code != ERR_INVALID) fail_msg("%s: %s", names[i], e.text);
        }
}

static void beneath_says_what_is_missing(void **state) {
    (void)state;
    struct err e;
    OWN_FD int fd = open_inside("missing", O_RDONLY, &e);
    assert_int_equal(fd, -1);
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "missing"));
    OWN_FD int deeper = open_inside("missing/f", O_RDONLY, &e);
    assert_int_equal(deeper, -1);
    assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void beneath_makes_files_with_the_mode(void **state) {
    (void)state;
    struct err e;
    mode_t before = umask(0);
    OWN_FD int fd = open_inside("sub/new", O_RDWR | O_CREAT | O_EXCL, &e);
    umask(before);
    struct stat status;
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    OWN_FD int again = open_inside("sub/new", O_RDWR | O_CREAT | O_EXCL, &e);
    assert_int_equal(again, -1);
    assert_int_equal(e.code, ERR_CONFLICT);
    OWN_FD int linked = open_inside("out", O_WRONLY | O_CREAT | O_TRUNC, &e);
    assert_int_equal(linked, -1);
    OWN_TEXT struct text content = TEXT_EMPTY;
    assert_true(file_read(TEMPORARY("outside"), 100, &content, &e));
    assert_string_equal(content.data, "secret");
}

/* From here on openat2 does not exist for this process, as on a kernel before 5.6. */
static int forbid_openat2(void **state) {
    (void)state;
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof program / sizeof program[0], program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
        return -1;
    return syscall(SYS_openat2, -1, "", NULL, 0) == -1 && errno == ENOSYS ? 0 : -1;
}

/* A child that holds the lock until it is killed; returns once it does. */
static pid_t start_holder(const char *path, const char *note) {
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int fd = -1;
        char ready = file_lock(path, note, &fd, NULL) ? 'y' : 'n';
        if (write(ends[1], &ready, 1) != 1) _exit(1);
        for (;;) pause();
    }
    char answer = '?';
    close(ends[1]);
    assert_int_equal(read(ends[0], &answer, 1), 1);
    assert_int_equal(answer, 'y');
    close(ends[0]);
    return child;
}

static void lock_names_the_process_that_holds_it(void **state) {
    (void)state;
    pid_t holder = start_holder(TEMPORARY("lock"), "agent a-1\nport 7100");
    int fd = 77;
    struct err e;
    assert_false(file_lock(TEMPORARY("lock"), "agent a-2", &fd, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    char expected[700];
    snprintf(expected, sizeof expected, "%s is held by pid %d agent a-1 port 7100",
             TEMPORARY("lock"), (int)holder);
    assert_string_equal(e.text, expected);
    assert_true(strlen(e.hint) > 0);
    assert_int_equal(fd, 77);
    kill(holder, SIGKILL);
    assert_int_equal(waitpid(holder, NULL, 0), holder);
    assert_true(file_lock(TEMPORARY("lock"), "agent a-2", &fd, &e));
    close(fd);
}

static void lock_file_is_private_and_tells_the_holder(void **state) {
    (void)state;
    struct err e;
    struct stat status;
    OWN_TEXT struct text content = TEXT_EMPTY;
    assert_true(file_write_durable(TEMPORARY("lock"), "a much longer old content\n", 26, 0644, &e));
    OWN_FD int fd = -1;
    assert_true(file_lock(TEMPORARY("lock"), "note", &fd, &e));
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_true(file_read(TEMPORARY("lock"), 1000, &content, &e));
    char expected[64];
    snprintf(expected, sizeof expected, "pid %d\nnote\n", (int)getpid());
    assert_string_equal(content.data, expected);
}

static void lock_ends_with_its_descriptor(void **state) {
    (void)state;
    struct err e;
    int fd = -1;
    int other = -1;
    assert_true(file_lock(TEMPORARY("lock"), NULL, &fd, &e));
    assert_false(file_lock(TEMPORARY("lock"), NULL, &other, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    close(fd);
    assert_true(file_lock(TEMPORARY("lock"), "", &other, &e));
    close(other);
}

static pid_t patience_holder;

static void end_holder(int number) {
    (void)number;
    kill(patience_holder, SIGKILL);
}

static void lock_waits_for_a_holder_that_is_ending(void **state) {
    (void)state;
    const struct itimerval soon = {.it_value = {.tv_usec = 50000}};
    struct err e;
    int fd = -1;
    patience_holder = start_holder(TEMPORARY("lock"), "note");
    assert_false(file_lock_patiently(TEMPORARY("lock"), NULL, 0, &fd, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    signal(SIGALRM, end_holder);
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    assert_true(file_lock_patiently(TEMPORARY("lock"), NULL, 60000, &fd, &e));
    close(fd);
    assert_int_equal(waitpid(patience_holder, NULL, 0), patience_holder);
}

static void lock_shows_no_control_characters_of_the_holder(void **state) {
    (void)state;
    struct err e;
    pid_t holder = start_holder(TEMPORARY("lock"), "\x1b[31m\xff");
    int fd;
    assert_false(file_lock(TEMPORARY("lock"), NULL, &fd, &e));
    for (const char *c = e.text; *c != '\0'; c++) assert_in_range(*c, ' ', '~');
    kill(holder, SIGKILL);
    assert_int_equal(waitpid(holder, NULL, 0), holder);
}

static void lock_needs_a_plain_path(void **state) {
    (void)state;
    struct err e;
    int fd;
    assert_false(file_lock(TEMPORARY("missing/lock"), NULL, &fd, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_int_equal(symlink("elsewhere", TEMPORARY("link")), 0);
    assert_false(file_lock(TEMPORARY("link"), NULL, &fd, &e));
    assert_int_equal(access(TEMPORARY("elsewhere"), F_OK), -1);
}

#define INSIDE(test) cmocka_unit_test_setup_teardown(test, begin_inside, temporary_end)

int main(void) {
    const struct CMUnitTest by_openat2[] = {
        INSIDE(beneath_opens_what_lies_inside),    INSIDE(beneath_refuses_to_leave),
        INSIDE(beneath_takes_only_regular_files),  INSIDE(beneath_says_what_is_missing),
        INSIDE(beneath_makes_files_with_the_mode),
    };
    const struct CMUnitTest locks[] = {
        IN_TEMPORARY(lock_names_the_process_that_holds_it),
        IN_TEMPORARY(lock_file_is_private_and_tells_the_holder),
        IN_TEMPORARY(lock_ends_with_its_descriptor),
        IN_TEMPORARY(lock_waits_for_a_holder_that_is_ending),
        IN_TEMPORARY(lock_shows_no_control_characters_of_the_holder),
        IN_TEMPORARY(lock_needs_a_plain_path),
    };
    int failed = cmocka_run_group_tests_name("openat2", by_openat2, NULL, NULL);
    failed += cmocka_run_group_tests_name("locks", locks, NULL, NULL);
    failed += cmocka_run_group_tests_name("without openat2", by_openat2, forbid_openat2, NULL);
    return failed;
}
