#include "storage-server/lock.h"

#include "lib/file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include <cmocka.h>

struct fixture {
    char directory[64];
    char path[96];
};

/* An agent that looks whether a node runs takes the lock for a moment: it lets go while lock_take
 * pauses. */
static int looking = -1;

int nanosleep(const struct timespec *time, struct timespec *rest) {
    (void)time;
    (void)rest;
    if (looking >= 0) close(TAKE_FD(looking));
    return 0;
}

static int setup(void **state) {
    struct fixture *f = memory_zeroed(1, sizeof *f);
    (void)snprintf(f->directory, sizeof f->directory, "/tmp/grid-lock-test.XXXXXX");
    if (mkdtemp(f->directory) == NULL) return -1;
    (void)snprintf(f->path, sizeof f->path, "%s/lock", f->directory);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    struct err e;
    bool cleared = file_clear_directory(f->directory, &e) && rmdir(f->directory) == 0;
    free(f);
    return cleared ? 0 : -1;
}

static void start_time_is_field_22_whatever_the_name_holds(void **state) {
    (void)state;
    assert_int_equal(
        lock_parse_start_time("7 (a) S 1 7 7 0 -1 4 5 6 7 8 9 10 11 12 20 0 1 0 4711 99 1\n"),
        4711);
    assert_int_equal(
        lock_parse_start_time("7 (x) 1 2 (y) S 1 7 7 0 -1 4 5 6 7 8 9 10 11 12 20 0 1 0 815 99\n"),
        815);
    assert_int_equal(lock_parse_start_time("7 (a) S 1 2 3"), -1);
    assert_int_equal(lock_parse_start_time("7 a S"), -1);
    assert_int_equal(lock_parse_start_time(""), -1);
}

static void note_is_one_line_of_json(void **state) {
    struct lock_note note = {
        .pid = 42, .start_time = 7, .boot_id = "b", .port = 7100, .nonce = "n", .id = "a/0"};
    OWN_TEXT struct text line = TEXT_EMPTY;
    (void)state;
    lock_note_format(&note, &line);
    assert_string_equal(
        text_value(&line),
        "{\"pid\":42,\"start_time\":7,\"boot_id\":\"b\",\"sha256\":\"\",\"port\":7100,"
        "\"nonce\":\"n\",\"id\":\"a/0\",\"version\":\"\"}\n");
}

static void note_tells_what_is_true_of_this_process(void **state) {
    struct lock_note note;
    struct err e;
    char digest[SHA256_HEX_SIZE];
    int64_t size_bytes = 0;
    (void)state;
    OWN_FD int fd = open("/proc/self/exe", O_RDONLY);
    assert_true(sha256_file(fd, digest, &size_bytes, &e));
    assert_true(lock_note_self(&note, "a/0", "nonce", "1.2.3", &e));
    assert_int_equal(note.pid, getpid());
    assert_true(note.start_time > 0);
    assert_int_equal(strlen(note.boot_id), 36);
    assert_string_equal(note.sha256, digest);
    assert_string_equal(note.id, "a/0");
    assert_string_equal(note.nonce, "nonce");
    assert_string_equal(note.version, "1.2.3");
}

static void overlong_id_is_refused(void **state) {
    struct lock_note note;
    struct err e;
    char id[LOCK_ID_SIZE + 1];
    (void)state;
    memset(id, 'x', LOCK_ID_SIZE);
    id[LOCK_ID_SIZE] = '\0';
    assert_false(lock_note_self(&note, id, "", "", &e));
    assert_int_equal(e.code, ERR_INVALID);
}

static void second_holder_is_told_who_the_first_is(void **state) {
    const struct fixture *f = *state;
    struct lock_note note = {.pid = 4711, .port = 7100, .id = "agent-1/0", .version = "1.2.3"};
    struct err e;
    OWN_FD int first = -1;
    int second = -1;
    assert_true(lock_take(f->directory, &note, &first, &e));
    assert_false(
        lock_take(f->directory, &note, &second, &e)); /* flock counts open files, not processes */
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_non_null(strstr(e.text, f->directory));
    assert_non_null(strstr(e.text, "agent-1/0 (pid 4711, port 7100, version 1.2.3)"));
    assert_non_null(strstr(e.hint, "--data"));
    close(TAKE_FD(first));
    assert_true(lock_take(f->directory, &note, &second, &e));
    close(second);
}

static void somebody_who_only_looks_is_no_holder(void **state) {
    const struct fixture *f = *state;
    struct lock_note note = {.pid = 1};
    struct err e;
    OWN_FD int fd = -1;
    looking = open(f->path, O_RDWR | O_CREAT, 0600);
    assert_int_equal(flock(looking, LOCK_SH | LOCK_NB), 0);
    assert_true(lock_take(f->directory, &note, &fd, &e));
    assert_int_equal(looking, -1);
}

static void holder_without_a_note_is_still_a_holder(void **state) {
    const struct fixture *f = *state;
    struct lock_note note = {.pid = 1};
    struct err e;
    OWN_FD int first = -1;
    int second = -1;
    assert_true(lock_take(f->directory, &note, &first, &e));
    assert_int_equal(truncate(f->path, 3), 0);
    assert_false(lock_take(f->directory, &note, &second, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
}

static void shorter_note_leaves_nothing_of_the_longer_one(void **state) {
    const struct fixture *f = *state;
    struct lock_note note = {.pid = 4711, .port = 7100, .id = "a-long-name-of-an-agent/17"};
    OWN_TEXT struct text expected = TEXT_EMPTY;
    OWN_TEXT struct text found = TEXT_EMPTY;
    struct err e;
    OWN_FD int fd = -1;
    assert_true(lock_take(f->directory, &note, &fd, &e));
    note = (struct lock_note){.pid = 1};
    assert_true(lock_update(fd, &note, &e));
    lock_note_format(&note, &expected);
    assert_true(file_read(f->path, 4096, &found, &e));
    assert_string_equal(text_value(&found), text_value(&expected));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_time_is_field_22_whatever_the_name_holds),
        cmocka_unit_test(note_is_one_line_of_json),
        cmocka_unit_test(note_tells_what_is_true_of_this_process),
        cmocka_unit_test(overlong_id_is_refused),
        TEST(second_holder_is_told_who_the_first_is),
        TEST(somebody_who_only_looks_is_no_holder),
        TEST(holder_without_a_note_is_still_a_holder),
        TEST(shorter_note_leaves_nothing_of_the_longer_one),
    };
    return cmocka_run_group_tests_name("lock", tests, NULL, NULL);
}
