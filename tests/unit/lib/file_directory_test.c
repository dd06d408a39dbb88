#include "lib/file.h"

#include "tests/unit/lib/temporary.h"

#include <pthread.h>
#include <sys/stat.h>

static void put(const char *path) {
    struct err e;
    if (!file_write_durable(path, "x", 1, 0500, &e)) fail_msg("%s", e.text);
}

static bool exists(const char *path) {
    struct stat status;
    return lstat(path, &status) == 0;
}

static mode_t mode_of(const char *path) {
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 07777;
}

static void make_makes_parents_with_the_mode(void **state) {
    (void)state;
    struct err e;
    mode_t before = umask(077);
    bool made = file_make_directory(TEMPORARY("a//b/c/"), 0750, &e);
    umask(before);
    assert_true(made);
    assert_int_equal(mode_of(TEMPORARY("a")), 0750);
    assert_int_equal(mode_of(TEMPORARY("a/b")), 0750);
    assert_int_equal(mode_of(TEMPORARY("a/b/c")), 0750);
}

static void make_leaves_what_is_there(void **state) {
    (void)state;
    struct err e;
    assert_int_equal(mkdir(TEMPORARY("a"), 0700), 0);
    assert_true(file_make_directory(TEMPORARY("a"), 0755, &e));
    assert_true(file_make_directory(TEMPORARY("a/b"), 0755, &e));
    assert_true(file_make_directory(TEMPORARY("a/b"), 0700, &e));
    assert_int_equal(mode_of(TEMPORARY("a")), 0700);
    assert_int_equal(mode_of(TEMPORARY("a/b")), 0755);
    assert_int_equal(symlink("a", TEMPORARY("link")), 0);
    assert_true(file_make_directory(TEMPORARY("link/c"), 0700, &e));
    assert_true(exists(TEMPORARY("a/c")));
    assert_true(file_make_directory("/", 0700, &e));
    assert_true(file_make_directory("/proc", 0700, &e));
}

static void make_takes_relative_paths(void **state) {
    (void)state;
    struct err e;
    OWN_MEMORY char *before = getcwd(NULL, 0);
    assert_int_equal(chdir(temporary_directory), 0);
    assert_true(file_make_directory("a/b", 0700, &e));
    assert_true(file_make_directory("./c", 0700, &e));
    assert_int_equal(chdir(before), 0);
    assert_true(exists(TEMPORARY("a/b")) && exists(TEMPORARY("c")));
}

static void make_names_what_is_in_the_way(void **state) {
    (void)state;
    struct err e;
    put(TEMPORARY("f"));
    assert_false(file_make_directory(TEMPORARY("f"), 0700, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_false(file_make_directory(TEMPORARY("f/below"), 0700, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_non_null(strstr(e.text, "/f exists and is not a directory"));
    assert_int_equal(symlink("nowhere", TEMPORARY("dangling")), 0);
    assert_false(file_make_directory(TEMPORARY("dangling"), 0700, &e));
    assert_false(file_make_directory("", 0700, &e));
    assert_int_equal(e.code, ERR_INVALID);
    assert_false(file_make_directory("/proc/no/such", 0700, &e));
}

static void *make_deep(void *path) {
    struct err e;
    return file_make_directory(path, 0700, &e) ? NULL : path;
}

static void threads_make_the_same_directory(void **state) {
    (void)state;
    for (int round = 0; round < 20; round++) {
        char path[200];
        snprintf(path, sizeof path, "%s/%d/a/b/c/d", temporary_directory, round);
        pthread_t threads[3];
        for (int i = 0; i < 3; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, make_deep, path), 0);
        for (int i = 0; i < 3; i++) {
            void *failed = NULL;
            pthread_join(threads[i], &failed);
            assert_null(failed);
        }
        assert_true(exists(path));
    }
}

static void clear_removes_all_but_what_links_name(void **state) {
    (void)state;
    struct err e;
    assert_true(file_make_directory(TEMPORARY("outside"), 0700, &e));
    put(TEMPORARY("outside/kept"));
    assert_true(file_make_directory(TEMPORARY("d/sub/deeper"), 0700, &e));
    assert_true(file_make_directory(TEMPORARY("d/empty"), 0700, &e));
    put(TEMPORARY("d/file"));
    put(TEMPORARY("d/.hidden"));
    put(TEMPORARY("d/sub/deeper/file"));
    assert_int_equal(symlink("../outside", TEMPORARY("d/link")), 0);
    assert_int_equal(symlink("../../outside/kept", TEMPORARY("d/sub/link")), 0);
    assert_int_equal(mkfifo(TEMPORARY("d/fifo"), 0600), 0);
    assert_true(file_clear_directory(TEMPORARY("d"), &e));
    assert_int_equal(rmdir(TEMPORARY("d")), 0);
    assert_true(exists(TEMPORARY("outside/kept")));
}

static void clear_removes_many(void **state) {
    (void)state;
    struct err e;
    assert_int_equal(mkdir(TEMPORARY("d"), 0700), 0);
    for (int i = 0; i < 2000; i++) {
        char path[200];
        snprintf(path, sizeof path, "%s/d/%d", temporary_directory, i);
        FILE *file = fopen(path, "we");
        assert_non_null(file);
        fclose(file);
    }
    assert_true(file_clear_directory(TEMPORARY("d"), &e));
    assert_int_equal(rmdir(TEMPORARY("d")), 0);
}

/* mkdir in a loop must not exhaust the stack or the descriptors of whoever clears it. */
static void clear_refuses_to_go_deeper_than_it_can(void **state) {
    (void)state;
    struct err e;
    OWN_TEXT struct text path = TEXT_EMPTY;
    text_add_format(&path, "%s/d", temporary_directory);
    for (int i = 0; i < 100; i++) text_add(&path, "/x");
    assert_true(file_make_directory(path.data, 0700, &e));
    assert_false(file_clear_directory(TEMPORARY("d"), &e));
    assert_int_equal(e.code, ERR_INVALID);
    for (int i = 0; i < 101; i++) {
        assert_int_equal(rmdir(path.data), 0);
        *strrchr(path.data, '/') = '\0';
    }
}

static void drop_takes_only_what_a_killed_writer_left(void **state) {
    (void)state;
    static const char *const kept[] = {"name", "name.tmp-short", "name.tmp-toolong", "tmp-abc123"};
    put(TEMPORARY("name.tmp-abc123"));
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) put(TEMPORARY(kept[i]));
    assert_int_equal(mkdir(TEMPORARY("d.tmp-abc123"), 0700), 0);
    file_drop_unfinished(temporary_directory);
    assert_false(exists(TEMPORARY("name.tmp-abc123")));
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        assert_true(exists(TEMPORARY(kept[i])));
    assert_true(exists(TEMPORARY("d.tmp-abc123")));
    file_drop_unfinished(TEMPORARY("missing"));
}

static void clear_and_sync_need_a_directory(void **state) {
    (void)state;
    struct err e;
    put(TEMPORARY("f"));
    assert_false(file_clear_directory(TEMPORARY("missing"), &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_false(file_clear_directory(TEMPORARY("f"), &e));
    assert_true(exists(TEMPORARY("f")));
    assert_true(file_sync_directory(temporary_directory, &e));
    assert_false(file_sync_directory(TEMPORARY("missing"), &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_false(file_sync_directory(TEMPORARY("f"), &e));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_TEMPORARY(make_makes_parents_with_the_mode),
        IN_TEMPORARY(make_leaves_what_is_there),
        IN_TEMPORARY(make_takes_relative_paths),
        IN_TEMPORARY(make_names_what_is_in_the_way),
        IN_TEMPORARY(threads_make_the_same_directory),
        IN_TEMPORARY(clear_removes_all_but_what_links_name),
        IN_TEMPORARY(clear_removes_many),
        IN_TEMPORARY(clear_refuses_to_go_deeper_than_it_can),
        IN_TEMPORARY(drop_takes_only_what_a_killed_writer_left),
        IN_TEMPORARY(clear_and_sync_need_a_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
