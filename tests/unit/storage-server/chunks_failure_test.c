/* Chunks on a disk that fails. The functions of libc that flush, write and read are defined here,
 * so that they can be made to. */
#include "tests/unit/storage-server/chunks_fixture.h"

#include "storage-server/conditions.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static atomic_int flush_error; /* errno of every fdatasync while it is not 0 */
static atomic_int directory_error;
static atomic_int write_error;
static atomic_int read_error;

int fdatasync(int fd) {
    if (flush_error == 0) return (int)syscall(SYS_fdatasync, fd);
    errno = flush_error;
    return -1;
}

int fsync(int fd) {
    if (directory_error == 0) return (int)syscall(SYS_fsync, fd);
    errno = directory_error;
    return -1;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    if (write_error == 0) return syscall(SYS_pwrite64, fd, bytes, length, offset);
    errno = write_error;
    return -1;
}

ssize_t pread(int fd, void *bytes, size_t length, off_t offset) {
    if (read_error == 0) return syscall(SYS_pread64, fd, bytes, length, offset);
    errno = read_error;
    return -1;
}

static void expect_refused(struct fixture *f, enum err_code code) {
    bool created = false;
    struct err e;
    assert_false(put(f, "refused", "words", 5, &created, &e));
    assert_int_equal(e.code, code);
    assert_int_equal(files_in(f, "tmp"), 0);
}

static void failed_flush_ends_writing_for_good(void **state) {
    struct fixture *f = *state;
    struct err e;
    must_put(f, "a", "words", 5);
    flush_error = EIO;
    expect_refused(f, ERR_IO);
    flush_error = 0;
    assert_int_equal(chunks_conditions(f->chunks), CONDITION_WRITE_ERROR);
    expect_gone(f, "refused");
    chunks_probe(f->chunks); /* no probe brings it back: a second flush would lie */
    expect_refused(f, ERR_UNAVAILABLE);
    assert_false(chunks_remove(f->chunks, "a", &e));
    assert_int_equal(e.code, ERR_UNAVAILABLE);
    expect(f, "a", "words", 5);
    reopen(f, 0);
    must_put(f, "b", "words", 5);
}

/* Even "no space" from a flush: some file systems find out that late, and what they dropped is
 * unknown. */
static void failed_flush_for_want_of_space_ends_writing_too(void **state) {
    struct fixture *f = *state;
    flush_error = ENOSPC;
    expect_refused(f, ERR_IO);
    assert_int_equal(chunks_conditions(f->chunks), CONDITION_WRITE_ERROR);
}

static void failed_flush_of_the_directory_ends_writing(void **state) {
    struct fixture *f = *state;
    directory_error = EIO;
    expect_refused(f, ERR_IO);
    assert_int_equal(chunks_conditions(f->chunks), CONDITION_WRITE_ERROR);
}

static void failed_write_ends_writing(void **state) {
    struct fixture *f = *state;
    write_error = EIO;
    expect_refused(f, ERR_IO);
    assert_int_equal(chunks_conditions(f->chunks), CONDITION_WRITE_ERROR);
}

static void full_disk_ends_writing_until_there_is_space(void **state) {
    struct fixture *f = *state;
    struct err e;
    must_put(f, "a", "words", 5);
    write_error = ENOSPC;
    expect_refused(f, ERR_NO_SPACE);
    chunks_probe(f->chunks);
    assert_int_equal(chunks_conditions(f->chunks), CONDITION_DISK_FULL);
    write_error = 0;
    expect_refused(f, ERR_NO_SPACE); /* until a probe has seen space again */
    expect(f, "a", "words", 5);
    assert_true(chunks_remove(f->chunks, "a", &e)); /* deleting is how space comes back */
    chunks_probe(f->chunks);
    assert_int_equal(chunks_conditions(f->chunks), 0);
    assert_int_equal(files_in(f, "tmp"), 0);
    must_put(f, "b", "words", 5);
}

static void expect_missing(struct fixture *f) {
    bool created = false;
    struct err e;
    assert_false(put(f, "refused", "words", 5, &created, &e));
    assert_int_equal(e.code, ERR_UNAVAILABLE);
    assert_null(strchr(e.text, '/'));
    assert_int_equal(chunks_conditions(f->chunks), CONDITION_DATA_MISSING);
}

/* Whoever writes into it meanwhile learns it at once, without a probe. */
static void moved_directory_ends_writing_until_it_is_back(void **state) {
    struct fixture *f = *state;
    char aside[80];
    struct err e;
    must_put(f, "a", "words", 5);
    (void)snprintf(aside, sizeof aside, "%s-aside", f->directory);
    assert_int_equal(rename(f->directory, aside), 0);
    expect_missing(f);
    expect(f, "a", "words", 5);
    assert_false(chunks_remove(f->chunks, "a", &e));
    assert_int_equal(e.code, ERR_UNAVAILABLE);
    assert_int_equal(mkdir(f->directory, 0700), 0); /* another one in its place is not it */
    chunks_probe(f->chunks);
    expect_missing(f);
    assert_int_equal(rmdir(f->directory), 0);
    assert_int_equal(rename(aside, f->directory), 0);
    chunks_probe(f->chunks);
    assert_int_equal(chunks_conditions(f->chunks), 0);
    must_put(f, "b", "words", 5);
}

static void deleted_contents_end_writing_until_the_next_start(void **state) {
    struct fixture *f = *state;
    struct chunk_reader *r = NULL;
    struct err e;
    must_put(f, "a", "words", 5);
    assert_true(file_clear_directory(f->directory, &e));
    expect_missing(f);
    assert_false(chunk_reader_open(&r, f->chunks, "a", CHUNK_FOR_CLIENT, &e));
    assert_int_equal(e.code, ERR_UNAVAILABLE); /* not "there is none" */
    chunks_probe(f->chunks);
    expect_missing(f);
    reopen(f, 0);
    must_put(f, "a", "words", 5);
}

static void reserve_is_kept(void **state) {
    struct fixture *f = *state;
    int64_t capacity_bytes = 0;
    int64_t free_bytes = -1;
    struct err e;
    reopen(f, INT64_MAX / 2);
    assert_true(chunks_space(f->chunks, &capacity_bytes, &free_bytes, &e));
    assert_true(capacity_bytes > 0);
    assert_int_equal(free_bytes, 0);
    expect_refused(f, ERR_NO_SPACE);
    assert_int_equal(chunks_conditions(f->chunks), CONDITION_DISK_FULL);
    reopen(f, INT64_MAX / 2);
    chunks_probe(f->chunks); /* nobody had to be refused for this to show */
    assert_int_equal(chunks_conditions(f->chunks), CONDITION_DISK_FULL);
}

static void failed_read_is_not_taken_for_damage(void **state) {
    struct fixture *f = *state;
    char out[8];
    size_t got = 0;
    struct err e;
    must_put(f, "a", "words", 5);
    read_error = EIO;
    assert_false(get(f, "a", out, sizeof out, &got, &e));
    read_error = 0;
    assert_int_equal(e.code, ERR_IO);
    assert_int_equal(chunks_conditions(f->chunks), CONDITION_READ_ERROR);
    expect(f, "a", "words", 5);
}

static int heal(void **state) {
    flush_error = directory_error = write_error = read_error = 0;
    return teardown(state);
}

#define FAILING(test) cmocka_unit_test_setup_teardown(test, setup, heal)

int main(void) {
    const struct CMUnitTest tests[] = {
        FAILING(failed_flush_ends_writing_for_good),
        FAILING(failed_flush_for_want_of_space_ends_writing_too),
        FAILING(failed_flush_of_the_directory_ends_writing),
        FAILING(failed_write_ends_writing),
        FAILING(full_disk_ends_writing_until_there_is_space),
        FAILING(moved_directory_ends_writing_until_it_is_back),
        FAILING(deleted_contents_end_writing_until_the_next_start),
        FAILING(reserve_is_kept),
        FAILING(failed_read_is_not_taken_for_damage),
    };
    return cmocka_run_group_tests_name("chunks_failure", tests, NULL, end);
}
