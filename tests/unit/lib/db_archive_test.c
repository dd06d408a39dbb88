#include "lib/db_archive.h"
#include "lib/file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define BIG_BYTES (600 * 1024 + 17) /* three pieces, the last one short */

struct fixture {
    char directory[64];
    char archive[96];
    char big[BIG_BYTES];
};

static const char *in(const struct fixture *f, const char *name) {
    static char paths[4][128];
    static int turn;
    char *path = paths[turn++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", f->directory, name);
    return path;
}

static void put(const struct fixture *f, const char *name, const void *bytes, size_t length,
                mode_t mode) {
    struct err e;
    assert_true(file_write_durable(in(f, name), bytes, length, mode, &e));
}

static int setup(void **state) {
    struct fixture *f = memory_zeroed(1, sizeof *f);
    (void)snprintf(f->directory, sizeof f->directory, "/tmp/grid-archive-test.XXXXXX");
    if (mkdtemp(f->directory) == NULL) return -1;
    (void)snprintf(f->archive, sizeof f->archive, "%s/backup.sqlar", f->directory);
    for (size_t i = 0; i < sizeof f->big; i++) f->big[i] = (char)(i * 31 + i / 251);
    put(f, "small", "words", 5, 0600);
    put(f, "big", f->big, sizeof f->big, 0400);
    put(f, "empty", "", 0, 0644);
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

static void make(const struct fixture *f) {
    OWN(db_archive) struct db_archive *a = NULL;
    struct err e;
    assert_true(db_archive_create(&a, f->archive, &e));
    assert_true(db_archive_add(a, "small", in(f, "small"), &e));
    assert_true(db_archive_add(a, "objects/big", in(f, "big"), &e));
    assert_true(db_archive_add(a, "it's empty", in(f, "empty"), &e));
    assert_true(db_archive_finish(a, &e));
}

static bool note_entry(const char *name, mode_t mode, int64_t size_bytes, void *argument,
                       struct err *e) {
    (void)e;
    text_add_format(argument, "%s %o %lld\n", name, (unsigned)mode, (long long)size_bytes);
    return true;
}

static void expect_file(const char *path, const void *bytes, size_t length, mode_t mode) {
    OWN_TEXT struct text content = TEXT_EMPTY;
    struct stat file;
    struct err e;
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 07777, mode);
    assert_true(file_read(path, BIG_BYTES, &content, &e));
    assert_int_equal(content.length, length);
    assert_memory_equal(text_value(&content), bytes, length);
}

static void files_come_back_with_content_and_mode(void **state) {
    const struct fixture *f = *state;
    OWN(db_archive) struct db_archive *a = NULL;
    OWN_TEXT struct text names = TEXT_EMPTY;
    struct err e;
    make(f);
    assert_true(db_archive_open(&a, f->archive, &e));
    assert_true(db_archive_list(a, note_entry, &names, &e));
    assert_string_equal(text_value(&names),
                        "it's empty 644 0\nobjects/big 400 614417\nsmall 600 5\n");
    assert_true(db_archive_extract(a, "objects/big", in(f, "big.back"), &e));
    expect_file(in(f, "big.back"), f->big, sizeof f->big, 0400);
    assert_true(db_archive_extract(a, "it's empty", in(f, "empty.back"), &e));
    expect_file(in(f, "empty.back"), "", 0, 0644);
}

static void archive_is_private(void **state) {
    const struct fixture *f = *state;
    struct stat file;
    make(f);
    assert_int_equal(stat(f->archive, &file), 0);
    assert_int_equal(file.st_mode & 07777, 0600);
}

static void extraction_never_replaces_a_file(void **state) {
    const struct fixture *f = *state;
    OWN(db_archive) struct db_archive *a = NULL;
    struct err e;
    make(f);
    put(f, "there", "mine", 4, 0600);
    assert_true(db_archive_open(&a, f->archive, &e));
    assert_false(db_archive_extract(a, "small", in(f, "there"), &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    expect_file(in(f, "there"), "mine", 4, 0600);
}

static void missing_entry_is_named(void **state) {
    const struct fixture *f = *state;
    OWN(db_archive) struct db_archive *a = NULL;
    struct err e;
    make(f);
    assert_true(db_archive_open(&a, f->archive, &e));
    assert_false(db_archive_extract(a, "medium", in(f, "back"), &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "medium"));
}

static void existing_archive_is_kept(void **state) {
    const struct fixture *f = *state;
    struct db_archive *a = NULL;
    struct err e;
    make(f);
    assert_false(db_archive_create(&a, f->archive, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_int_equal(access(f->archive, F_OK), 0);
}

static void refused_files_do_not_spoil_the_archive(void **state) {
    const struct fixture *f = *state;
    OWN(db_archive) struct db_archive *a = NULL;
    OWN_TEXT struct text names = TEXT_EMPTY;
    struct err e;
    assert_true(db_archive_create(&a, f->archive, &e));
    assert_true(db_archive_add(a, "small", in(f, "small"), &e));
    assert_false(db_archive_add(a, "small", in(f, "big"), &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_false(db_archive_add(a, "directory", f->directory, &e));
    assert_int_equal(e.code, ERR_INVALID);
    assert_false(db_archive_add(a, "nothing", in(f, "nothing"), &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_true(db_archive_finish(a, &e));
    assert_true(db_archive_list(a, note_entry, &names, &e));
    assert_string_equal(text_value(&names), "small 600 5\n");
}

/* Files of sysfs claim a page and hold less. */
static void file_that_became_shorter_is_left_out(void **state) {
    const struct fixture *f = *state;
    OWN(db_archive) struct db_archive *a = NULL;
    OWN_TEXT struct text names = TEXT_EMPTY;
    struct err e;
    if (access("/sys/devices/system/cpu/online", R_OK) != 0) skip();
    assert_true(db_archive_create(&a, f->archive, &e));
    assert_false(db_archive_add(a, "online", "/sys/devices/system/cpu/online", &e));
    assert_int_equal(e.code, ERR_IO);
    assert_true(db_archive_add(a, "small", in(f, "small"), &e));
    assert_true(db_archive_finish(a, &e));
    assert_true(db_archive_list(a, note_entry, &names, &e));
    assert_string_equal(text_value(&names), "small 600 5\n");
}

static void file_beyond_the_limit_is_named(void **state) {
    const struct fixture *f = *state;
    OWN(db_archive) struct db_archive *a = NULL;
    struct err e;
    put(f, "huge", "", 0, 0600);
    assert_int_equal(truncate(in(f, "huge"), 900000001), 0); /* sparse */
    assert_true(db_archive_create(&a, f->archive, &e));
    assert_false(db_archive_add(a, "huge", in(f, "huge"), &e));
    assert_int_equal(e.code, ERR_TOO_LARGE);
    assert_non_null(strstr(e.text, in(f, "huge")));
}

static void unfinished_archive_disappears(void **state) {
    const struct fixture *f = *state;
    struct db_archive *a = NULL;
    struct err e;
    assert_true(db_archive_create(&a, f->archive, &e));
    assert_true(db_archive_add(a, "big", in(f, "big"), &e));
    db_archive_close(a);
    assert_int_equal(access(f->archive, F_OK), -1);
}

static void expect_refused(const char *path, enum err_code code) {
    struct db_archive *a = NULL;
    struct err e;
    assert_false(db_archive_open(&a, path, &e));
    assert_int_equal(e.code, code);
    assert_non_null(strstr(e.text, path));
}

static void what_is_no_archive_is_refused(void **state) {
    const struct fixture *f = *state;
    expect_refused(in(f, "big"), ERR_INVALID);
    expect_refused(in(f, "empty"), ERR_INVALID);
    expect_refused(in(f, "nothing"), ERR_NOT_FOUND);
}

static void damaged_archive_is_refused(void **state) {
    const struct fixture *f = *state;
    make(f);
    OWN_FD int fd = open(f->archive, O_WRONLY);
    assert_int_equal(pwrite(fd, "this was a page of table sqlar", 30, 4096), 30);
    expect_refused(f->archive, ERR_CORRUPT);
}

static void run(const struct fixture *f, const char *command, struct text *out) {
    OWN_TEXT struct text line = TEXT_EMPTY;
    char piece[256];
    text_add_format(&line, "cd %s && %s 2>&1", f->directory, command);
    FILE *pipe =
        popen(text_value(&line), "r"); /* NOLINT(cert-env33-c): a fixed command of this test */
    assert_non_null(pipe);
    while (fgets(piece, sizeof piece, pipe) != NULL) text_add(out, piece);
    assert_int_equal(pclose(pipe), 0);
}

static bool has_sqlite3(void) {
    return access("/usr/bin/sqlite3", X_OK) == 0;
}

static void stock_tool_lists_and_extracts(void **state) {
    const struct fixture *f = *state;
    OWN_TEXT struct text out = TEXT_EMPTY;
    if (!has_sqlite3()) skip();
    make(f);
    run(f, "sqlite3 backup.sqlar -A -t", &out);
    assert_string_equal(text_value(&out), "it's empty\nobjects/big\nsmall\n");
    run(f,
        "mkdir out && sqlite3 backup.sqlar -A -x -C out && cmp big out/objects/big && cmp small "
        "out/small"
        " && cmp empty \"out/it's empty\" && stat -c %a out/objects/big",
        &out);
    assert_non_null(strstr(text_value(&out), "400\n"));
}

static void expect_list_refused(const struct fixture *f, const char *complaint) {
    OWN(db_archive) struct db_archive *a = NULL;
    OWN_TEXT struct text names = TEXT_EMPTY;
    struct err e;
    assert_true(db_archive_open(&a, f->archive, &e));
    assert_false(db_archive_list(a, note_entry, &names, &e));
    assert_int_equal(e.code, ERR_INVALID);
    assert_non_null(strstr(e.text, complaint));
    assert_false(db_archive_extract(a, "it", in(f, "back"), &e));
    assert_int_equal(e.code, ERR_INVALID);
}

static void links_of_the_stock_tool_are_refused(void **state) {
    const struct fixture *f = *state;
    OWN_TEXT struct text out = TEXT_EMPTY;
    if (!has_sqlite3()) skip();
    run(f, "ln -s /etc/passwd it && sqlite3 backup.sqlar -A -c it", &out);
    expect_list_refused(f, "it is not a regular file");
}

static void compressed_files_of_the_stock_tool_are_refused(void **state) {
    const struct fixture *f = *state;
    OWN_TEXT struct text out = TEXT_EMPTY;
    if (!has_sqlite3()) skip();
    run(f, "head -c 100000 /dev/zero > it && sqlite3 backup.sqlar -A -c it", &out);
    expect_list_refused(f, "it is compressed");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(files_come_back_with_content_and_mode),
        TEST(archive_is_private),
        TEST(extraction_never_replaces_a_file),
        TEST(missing_entry_is_named),
        TEST(existing_archive_is_kept),
        TEST(refused_files_do_not_spoil_the_archive),
        TEST(file_that_became_shorter_is_left_out),
        TEST(file_beyond_the_limit_is_named),
        TEST(unfinished_archive_disappears),
        TEST(what_is_no_archive_is_refused),
        TEST(damaged_archive_is_refused),
        TEST(stock_tool_lists_and_extracts),
        TEST(links_of_the_stock_tool_are_refused),
        TEST(compressed_files_of_the_stock_tool_are_refused),
    };
    return cmocka_run_group_tests_name("db_archive", tests, NULL, NULL);
}
