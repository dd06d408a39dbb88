/* When a file of the drop box is taken, and that nothing changes it after. */
#include "tests/unit/master/intake_fixture.h"

#include <sys/syscall.h>

/* Something that happens once while this thread reads a file. */
static _Thread_local void (*during_read)(void);
static _Thread_local ssize_t read_bytes;

ssize_t read(int fd, void *out, size_t size) {
    ssize_t length = syscall(SYS_read, fd, out, size);
    void (*now)(void) = during_read;
    if (length > 0) read_bytes += length;
    if (now != NULL && length > 2 && memcmp(out, "#!", 2) == 0) {
        during_read = NULL;
        now();
    }
    return length;
}

static void a_file_of_before_is_taken_at_the_first_look(void **state) {
    (void)state;
    drop(NAME, "one");
    set_age_s(NAME, 3600);
    assert_false(intake_scanned_once(box.intake));
    assert_true(scan(0));
    assert_true(intake_scanned_once(box.intake));
    serves(NAME, "one");
}

static void a_fresh_file_is_looked_at_twice(void **state) {
    (void)state;
    drop(NAME, "one");
    set_age_s(NAME, -3600); /* however slow this machine is: not old */
    assert_false(scan(0));
    assert_false(scan(999));
    assert_true(scan(1));
    serves(NAME, "one");
}

static void a_hint_spares_the_second_look(void **state) {
    (void)state;
    (void)scan(0);
    drop(NAME, "one");
    assert_true(scan(1));
    serves(NAME, "one");
}

static void a_file_moved_here_is_taken_at_once(void **state) {
    (void)state;
    (void)scan(0);
    drop(".incoming", "one");
    assert_false(scan(1));
    assert_int_equal(rename(in_box(".incoming"), in_box(NAME)), 0);
    assert_true(scan(1));
    serves(NAME, "one");
}

/* A file without a hint: nobody closes it under this name, nor is it moved. */
static void link_in(const char *name, const char *words) {
    char unnamed[32];
    OWN_TEXT struct text content = TEXT_EMPTY;
    content_script(words, &content);
    int writer = open(box.directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);
    assert_true(writer >= 0);
    assert_int_equal(write(writer, content.data, content.length), (ssize_t)content.length);
    snprintf(unnamed, sizeof unnamed, "/proc/self/fd/%d", writer);
    OWN_FD int reader = open(unnamed, O_RDONLY | O_CLOEXEC);
    assert_true(reader >= 0);
    close(writer);
    snprintf(unnamed, sizeof unnamed, "/proc/self/fd/%d", reader);
    assert_int_equal(linkat(AT_FDCWD, unnamed, AT_FDCWD, in_box(name), AT_SYMLINK_FOLLOW), 0);
}

static void an_old_date_is_no_reason_to_hurry_later_on(void **state) {
    (void)state;
    (void)scan(0);
    link_in(NAME, "one");
    set_age_s(NAME, 3600);
    assert_false(scan(1));
    assert_false(scan(999));
    assert_true(scan(1));
    serves(NAME, "one");
}

static void a_growing_file_waits_for_its_writer(void **state) {
    (void)state;
    (void)scan(0);
    int fd = open(in_box(NAME), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(write(fd, "#!/bin/sh\n", 10), 10);
    assert_false(scan(10));
    assert_false(scan(5000)); /* a stalled copy */
    assert_int_equal(write(fd, "echo one\n", 9), 9);
    assert_false(scan(5000));
    assert_false(scan(5000));
    assert_int_equal(rejected_count(), 0);
    close(fd);
    assert_true(scan(10));
    serves(NAME, "one");
}

static void a_writer_that_never_closes_is_not_waited_for_for_ever(void **state) {
    (void)state;
    (void)scan(0);
    OWN_FD int fd = open(in_box(NAME), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(write(fd, "#!/bin/sh\necho one\n", 19), 19);
    assert_false(scan(10));
    assert_false(scan(30000));
    assert_true(scan(31000));
    serves(NAME, "one");
}

static void an_empty_file_may_be_filled_yet(void **state) {
    (void)state;
    (void)scan(0);
    drop_bytes(NAME, "", 0);
    assert_false(scan(10));
    assert_int_equal(rejected_count(), 0);
    drop(NAME, "one");
    assert_true(scan(10));
    assert_int_equal(rejected_count(), 0);
}

static void append(void) {
    OWN_FD int fd = open(in_box(NAME), O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "echo two\n", 9), 9);
}

static void overwrite_in_place(void) {
    OWN_FD int fd = open(in_box(NAME), O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "ONE", 3, 15), 3);
}

static void replace(void) {
    drop(".other", "two");
    assert_int_equal(rename(in_box(".other"), in_box(NAME)), 0);
}

static void remove_it(void) {
    assert_int_equal(unlink(in_box(NAME)), 0);
}

static void changed_while_copied(void (*change)(void), const char *words) {
    drop(NAME, "one");
    set_age_s(NAME, 3600);
    during_read = change;
    assert_false(scan(0));
    assert_null(during_read); /* it did happen */
    assert_false(served(NAME));
    assert_int_equal(rejected_count(), 0);
    scan_settled();
    if (words != NULL)
        serves(NAME, words);
    else
        assert_false(served(NAME));
}

static void a_copy_of_what_grew_is_thrown_away(void **state) {
    (void)state;
    changed_while_copied(append, "one\necho two");
}

static void grow_huge(void) {
    assert_int_equal(truncate(in_box(NAME), INT64_C(1) << 40), 0);
}

static void what_grew_is_not_copied_to_its_new_end(void **state) {
    (void)state;
    drop(NAME, "one");
    set_age_s(NAME, 3600);
    during_read = grow_huge;
    read_bytes = 0;
    assert_false(scan(0));
    assert_null(during_read);
    assert_in_range(read_bytes, 1, 1 << 20);
    assert_int_equal(rejected_count(), 0);
    scan_settled();
    rejects(NAME, ERR_TOO_LARGE, "at most");
}

static void a_copy_of_what_was_overwritten_is_thrown_away(void **state) {
    (void)state;
    changed_while_copied(overwrite_in_place, "ONE");
}

static void a_copy_of_what_was_replaced_is_thrown_away(void **state) {
    (void)state;
    changed_while_copied(replace, "two");
}

static void a_copy_of_what_was_removed_is_thrown_away(void **state) {
    (void)state;
    changed_while_copied(remove_it, NULL);
}

static void replacing_a_file_changes_nothing_that_is_served(void **state) {
    (void)state;
    struct binary first, second;
    struct err error = {0};
    bool created;
    const struct offer elsewhere = {.file_name = "copy-1.0.0-any-any", .words = "two"};
    (void)scan(0);
    drop(NAME, "one");
    assert_true(scan(1));
    assert_ok(find(box.fixture, NAME, &first, &error));
    assert_ok(admit(box.fixture, &elsewhere, &second, &created, &error));
    drop(NAME, "two");
    assert_false(scan(1));
    rejects(NAME, ERR_CONFLICT, first.sha256);
    rejects(NAME, ERR_CONFLICT, second.sha256);
    serves(NAME, "one");
    remove_it();
    assert_false(scan(1));
    assert_int_equal(rejected_count(), 0);
    serves(NAME, "one");
}

static void a_restart_takes_what_lies_there_as_it_is(void **state) {
    (void)state;
    drop(NAME, "one");
    set_age_s(NAME, 3600);
    assert_true(scan(0));
    intake_close(box.intake);
    open_intake();
    assert_false(scan(0));
    assert_int_equal(rejected_count(), 0);
    assert_int_equal(events_of(box.fixture, "binary.published"), 1);
}

static void a_deleted_binary_stays_deleted_until_dropped_anew(void **state) {
    (void)state;
    struct err error = {0};
    struct artifact_name id;
    drop("storage-server-2.0.0-linux-x86_64", "two"); /* stable adopts it */
    drop(NAME, "one");
    scan_settled();
    assert_ok(artifact_name_parse(NAME, &id, &error));
    assert_ok(catalog_delete(box.fixture->catalog, &id, "test", &error));
    intake_close(box.intake);
    open_intake();
    scan_settled();
    assert_false(served(NAME));
    rejects(NAME, ERR_CONFLICT, "was deleted at");
    touch_after(NAME, clock_wall_ms());
    scan_settled();
    serves(NAME, "one");
}

static void a_lost_object_comes_back_from_the_drop_box(void **state) {
    (void)state;
    struct err error = {0};
    struct binary b;
    char path[PATH_MAX];
    drop(NAME, "one");
    set_age_s(NAME, 3600);
    assert_true(scan(0));
    assert_ok(find(box.fixture, NAME, &b, &error));
    catalog_object_path(box.fixture->catalog, b.sha256, path);
    assert_int_equal(unlink(path), 0);
    intake_close(box.intake);
    open_intake();
    (void)scan(0);
    serves(NAME, "one");
}

static void stable_adopts_the_newest_release_of_a_first_drop(void **state) {
    (void)state;
    struct err error = {0};
    OWN_MEMORY struct channel *channels = NULL;
    size_t count = 0;
    static const char *const names[] = {
        "storage-server-1.9.0-linux-x86_64", "storage-server-1.10.0-linux-x86_64",
        "storage-server-2.0.0-rc.1-linux-x86_64", "storage-server-1.2.0-linux-x86_64"};
    for (size_t i = 0; i < 4; i++) {
        drop(names[i], names[i]);
        set_age_s(names[i], 3600);
    }
    assert_true(scan(0));
    assert_ok(channels_list(box.fixture->db, &channels, &count, &error));
    assert_int_equal(count, 1);
    assert_string_equal(channels[0].version, "1.10.0");
}

static void a_directory_that_goes_away_may_come_back(void **state) {
    (void)state;
    (void)scan(0);
    assert_int_equal(rmdir(box.directory), 0);
    assert_false(scan(1));
    assert_int_equal(mkdir(box.directory, 0755), 0);
    assert_false(scan(1)); /* watched again */
    drop(NAME, "one");
    assert_true(scan(1));
}

static void the_thread_takes_what_is_dropped_and_stops(void **state) {
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, intake_run, box.intake), 0);
    int64_t end_ms = clock_monotonic_ms() + 20000;
    while (!intake_scanned_once(box.intake) && clock_monotonic_ms() < end_ms) sched_yield();
    drop(NAME, "one");
    while (!served(NAME) && clock_monotonic_ms() < end_ms) sched_yield();
    intake_stop(box.intake);
    pthread_join(thread, NULL);
    serves(NAME, "one");
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_file_of_before_is_taken_at_the_first_look),
        T(a_fresh_file_is_looked_at_twice),
        T(a_hint_spares_the_second_look),
        T(a_file_moved_here_is_taken_at_once),
        T(an_old_date_is_no_reason_to_hurry_later_on),
        T(a_growing_file_waits_for_its_writer),
        T(a_writer_that_never_closes_is_not_waited_for_for_ever),
        T(an_empty_file_may_be_filled_yet),
        T(a_copy_of_what_grew_is_thrown_away),
        T(what_grew_is_not_copied_to_its_new_end),
        T(a_copy_of_what_was_overwritten_is_thrown_away),
        T(a_copy_of_what_was_replaced_is_thrown_away),
        T(a_copy_of_what_was_removed_is_thrown_away),
        T(replacing_a_file_changes_nothing_that_is_served),
        T(a_restart_takes_what_lies_there_as_it_is),
        T(a_deleted_binary_stays_deleted_until_dropped_anew),
        T(a_lost_object_comes_back_from_the_drop_box),
        T(stable_adopts_the_newest_release_of_a_first_drop),
        T(a_directory_that_goes_away_may_come_back),
        T(the_thread_takes_what_is_dropped_and_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
