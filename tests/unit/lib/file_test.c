#include "lib/file.h"

#include "tests/unit/lib/temporary.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void put(const char *path, const char *content) {
    struct err e;
    if (!file_write_durable(path, content, strlen(content), 0644, &e)) fail_msg("%s", e.text);
}

static void assert_content(const char *path, const char *expected) {
    OWN_TEXT struct text content = TEXT_EMPTY;
    struct err e;
    if (!file_read(path, 100000, &content, &e)) fail_msg("%s", e.text);
    assert_string_equal(content.data, expected);
}

static int count_entries(void) {
    DIR *directory = opendir(temporary_directory);
    assert_non_null(directory);
    int count = -2;
    while (readdir(directory) != NULL) count++;
    closedir(directory);
    return count;
}

static void read_appends_the_whole_file(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct err e;
    char big[10000];
    memset(big, 'b', sizeof big);
    assert_true(file_write_durable(TEMPORARY("big"), big, sizeof big, 0600, &e));
    put(TEMPORARY("empty"), "");
    text_add(&out, "before ");
    assert_true(file_read(TEMPORARY("big"), sizeof big, &out, &e));
    assert_int_equal(out.length, 7 + sizeof big);
    assert_memory_equal(out.data + 7, big, sizeof big);
    assert_true(file_read(TEMPORARY("empty"), 0, &out, &e));
    assert_int_equal(out.length, 7 + sizeof big);
    assert_true(file_read("/proc/self/stat", 4096, &out, &e));
    assert_true(out.length > 7 + sizeof big);
}

static void read_at_gives_less_only_at_the_end(void **state) {
    (void)state;
    char out[8];
    put(TEMPORARY("five"), "12345");
    OWN_FD int fd = open(TEMPORARY("five"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(file_read_at(fd, out, 3, 1), 3);
    assert_memory_equal(out, "234", 3);
    assert_int_equal(file_read_at(fd, out, sizeof out, 3), 2);
    assert_memory_equal(out, "45", 2);
    assert_int_equal(file_read_at(fd, out, sizeof out, 5), 0);
    assert_int_equal(file_read_at(-1, out, sizeof out, 0), -1);
    assert_false(file_write_all(fd, "x", 1)); /* opened for reading */
}

static void read_refuses_more_than_allowed_and_appends_nothing(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct err e;
    put(TEMPORARY("five"), "12345");
    text_add(&out, "x");
    assert_false(file_read(TEMPORARY("five"), 4, &out, &e));
    assert_int_equal(e.code, ERR_TOO_LARGE);
    assert_non_null(strstr(e.text, "five"));
    assert_string_equal(out.data, "x");
    assert_true(file_read(TEMPORARY("five"), 5, &out, &e));
    assert_string_equal(out.data, "x12345");
}

/* The FIFO has no writer: a read that opened it plainly would never return. */
static void read_takes_only_regular_files(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct err e;
    assert_false(file_read(TEMPORARY("missing"), 10, &out, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_false(file_read(temporary_directory, 10, &out, &e));
    assert_int_equal(e.code, ERR_IO);
    assert_int_equal(mkfifo(TEMPORARY("fifo"), 0600), 0);
    assert_false(file_read(TEMPORARY("fifo"), 10, &out, &e));
    assert_int_equal(e.code, ERR_IO);
}

static void write_makes_and_replaces(void **state) {
    (void)state;
    put(TEMPORARY("f"), "old");
    assert_content(TEMPORARY("f"), "old");
    put(TEMPORARY("f"), "");
    assert_content(TEMPORARY("f"), "");
    put(TEMPORARY("f"), "new");
    assert_content(TEMPORARY("f"), "new");
    assert_int_equal(count_entries(), 1);
}

static void write_gives_exactly_the_mode_asked_for(void **state) {
    (void)state;
    static const mode_t masks[] = {0, 022, 077};
    static const mode_t modes[] = {0600, 0644, 0400, 0755, 0500};
    for (size_t m = 0; m < 3; m++)
        for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
            struct err e;
            struct stat status;
            mode_t before = umask(masks[m]);
            bool written = file_write_durable(TEMPORARY("f"), "secret", 6, modes[i], &e);
            umask(before);
            assert_true(written);
            assert_int_equal(stat(TEMPORARY("f"), &status), 0);
            assert_int_equal(status.st_mode & 07777, modes[i]);
        }
}

static void write_replaces_a_link_and_not_what_it_names(void **state) {
    (void)state;
    put(TEMPORARY("target"), "kept");
    assert_int_equal(symlink("target", TEMPORARY("link")), 0);
    put(TEMPORARY("link"), "new");
    assert_content(TEMPORARY("target"), "kept");
    assert_content(TEMPORARY("link"), "new");
}

static void failed_write_keeps_the_old_file_and_leaves_no_temporary_one(void **state) {
    (void)state;
    struct err e;
    char big[5000] = {0};
    put(TEMPORARY("f"), "old");
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, before.rlim_max}), 0);
    bool written = file_write_durable(TEMPORARY("f"), big, sizeof big, 0600, &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_false(written);
    assert_int_equal(e.code, ERR_IO);
    assert_content(TEMPORARY("f"), "old");
    assert_int_equal(count_entries(), 1);
}

static void write_to_an_impossible_place_leaves_nothing(void **state) {
    (void)state;
    struct err e;
    assert_false(file_write_durable(TEMPORARY("no/f"), "x", 1, 0600, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_int_equal(mkdir(TEMPORARY("directory"), 0700), 0);
    put(TEMPORARY("directory/f"), "kept");
    assert_false(file_write_durable(TEMPORARY("directory"), "x", 1, 0600, &e));
    assert_content(TEMPORARY("directory/f"), "kept");
    assert_int_equal(count_entries(), 1);
}

static _Noreturn void write_by_turns(const char *path, const char *one, const char *other) {
    for (int i = 0; i < 200; i++) {
        const char *content = i % 2 == 0 ? one : other;
        if (!file_write_durable(path, content, strlen(content), 0600, NULL)) _exit(1);
    }
    _exit(0);
}

static void reader_sees_the_old_or_the_new_content_whole(void **state) {
    (void)state;
    char one[3001];
    char other[9001];
    memset(one, '1', sizeof one);
    memset(other, '2', sizeof other);
    one[sizeof one - 1] = other[sizeof other - 1] = '\0';
    put(TEMPORARY("f"), one);
    pid_t writer = fork();
    assert_true(writer >= 0);
    if (writer == 0) write_by_turns(TEMPORARY("f"), one, other);
    int status;
    while (waitpid(writer, &status, WNOHANG) == 0) {
        OWN_TEXT struct text seen = TEXT_EMPTY;
        struct err e;
        if (!file_read(TEMPORARY("f"), 100000, &seen, &e)) fail_msg("%s", e.text);
        assert_true(strcmp(seen.data, one) == 0 || strcmp(seen.data, other) == 0);
    }
    assert_int_equal(status, 0);
}

static int open_new(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

static void copy_hashes_from_the_position_to_the_end(void **state) {
    (void)state;
    put(TEMPORARY("source"), "skipabc");
    OWN_FD int source = open(TEMPORARY("source"), O_RDONLY | O_CLOEXEC);
    OWN_FD int target = open_new(TEMPORARY("target"));
    assert_int_equal(lseek(source, 4, SEEK_SET), 4);
    char hex[SHA256_HEX_SIZE];
    int64_t size = -1;
    struct err e;
    assert_true(file_copy_hashed(source, target, 3, hex, &size, &e));
    assert_int_equal(size, 3);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_content(TEMPORARY("target"), "abc");
}

/* A pipe gives the bytes in pieces; the copy must be that of the whole. */
static void copy_takes_short_reads(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t writer = fork();
    assert_true(writer >= 0);
    if (writer == 0) {
        for (int i = 0; i < 300000; i += 1000) {
            char piece[1000];
            memset(piece, 'a' + i / 1000 % 26, sizeof piece);
            if (write(ends[1], piece, sizeof piece) != (ssize_t)sizeof piece) _exit(1);
        }
        _exit(0);
    }
    close(ends[1]);
    OWN_FD int target = open_new(TEMPORARY("target"));
    char hex[SHA256_HEX_SIZE];
    char again[SHA256_HEX_SIZE];
    int64_t size;
    struct err e;
    assert_true(file_copy_hashed(ends[0], target, INT64_MAX, hex, &size, &e));
    close(ends[0]);
    assert_int_equal(size, 300000);
    assert_true(sha256_file(target, again, &size, &e));
    assert_int_equal(size, 300000);
    assert_string_equal(hex, again);
    int status;
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_int_equal(status, 0);
}

static void copy_stops_beyond_the_limit(void **state) {
    (void)state;
    put(TEMPORARY("source"), "abcd");
    OWN_FD int source = open(TEMPORARY("source"), O_RDONLY | O_CLOEXEC);
    OWN_FD int target = open_new(TEMPORARY("target"));
    char hex[SHA256_HEX_SIZE];
    struct err e;
    assert_false(file_copy_hashed(source, target, 3, hex, NULL, &e));
    assert_int_equal(e.code, ERR_TOO_LARGE);
    assert_content(TEMPORARY("target"), "");
    put(TEMPORARY("none"), "");
    OWN_FD int empty = open(TEMPORARY("none"), O_RDONLY | O_CLOEXEC);
    int64_t size = -1;
    assert_true(file_copy_hashed(empty, target, 0, hex, &size, &e));
    assert_int_equal(size, 0);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* The limit holds for the sum of many reads. */
static void copy_adds_up_against_the_limit(void **state) {
    (void)state;
    OWN_FD int source = open_new(TEMPORARY("source"));
    OWN_FD int target = open_new(TEMPORARY("target"));
    char hex[SHA256_HEX_SIZE];
    struct err e;
    int64_t size = 0;
    assert_int_equal(ftruncate(source, 500000), 0);
    assert_false(file_copy_hashed(source, target, 499999, hex, &size, &e));
    assert_int_equal(e.code, ERR_TOO_LARGE);
    assert_true(lseek(target, 0, SEEK_END) < 500000);
    assert_int_equal(lseek(source, 0, SEEK_SET), 0);
    assert_true(file_copy_hashed(source, target, 500000, hex, &size, &e));
    assert_int_equal(size, 500000);
}

static void copy_reports_a_full_disk(void **state) {
    (void)state;
    put(TEMPORARY("source"), "abcd");
    OWN_FD int source = open(TEMPORARY("source"), O_RDONLY | O_CLOEXEC);
    OWN_FD int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    char hex[SHA256_HEX_SIZE];
    struct err e;
    assert_false(file_copy_hashed(source, full, 100, hex, NULL, &e));
    assert_int_equal(e.code, ERR_NO_SPACE);
}

static void publish_renames_and_keeps_the_descriptor(void **state) {
    (void)state;
    struct err e;
    OWN_FD int fd = open_new(TEMPORARY("temporary"));
    assert_int_equal(write(fd, "new", 3), 3);
    put(TEMPORARY("f"), "old");
    assert_true(file_publish(fd, TEMPORARY("temporary"), TEMPORARY("f"), &e));
    assert_content(TEMPORARY("f"), "new");
    assert_int_equal(count_entries(), 1);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 3);
    assert_false(file_publish(fd, TEMPORARY("temporary"), TEMPORARY("g"), &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_false(file_publish(-1, TEMPORARY("f"), TEMPORARY("g"), &e));
    assert_content(TEMPORARY("f"), "new");
}

static void remove_takes_files_and_is_content_without(void **state) {
    (void)state;
    struct err e;
    put(TEMPORARY("f"), "x");
    assert_true(file_remove_durable(TEMPORARY("f"), &e));
    assert_int_equal(count_entries(), 0);
    assert_true(file_remove_durable(TEMPORARY("f"), &e));
    assert_true(file_remove_durable(TEMPORARY("no/f"), &e));
    assert_int_equal(mkdir(TEMPORARY("directory"), 0700), 0);
    assert_false(file_remove_durable(TEMPORARY("directory"), &e));
    assert_non_null(strstr(e.text, "directory"));
    assert_int_equal(count_entries(), 1);
}

static void space_is_told_in_bytes(void **state) {
    (void)state;
    int64_t free_bytes = -1;
    int64_t capacity_bytes = -1;
    struct err e;
    assert_true(file_free_bytes(temporary_directory, &free_bytes, &e));
    assert_true(file_capacity_bytes(temporary_directory, &capacity_bytes, &e));
    assert_true(free_bytes >= 0 && capacity_bytes >= free_bytes);
    assert_true(capacity_bytes > 0);
    assert_false(file_free_bytes(TEMPORARY("missing"), &free_bytes, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void join_puts_one_slash(void **state) {
    (void)state;
    static const struct {
        const char *directory;
        const char *name;
        const char *joined;
    } cases[] = {
        {"a",    "b",   "a/b"   },
        {"a/",   "b",   "a/b"   },
        {"a//",  "b",   "a/b"   },
        {"a",    "/b",  "a/b"   },
        {"/",    "b",   "/b"    },
        {"",     "b",   "b"     },
        {"/a/b", "c",   "/a/b/c"},
        {".",    "b",   "./b"   },
        {"a",    "b/c", "a/b/c" },
        {"//",   "b",   "/b"    },
    };
    struct err e;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[16];
        assert_true(file_join(out, sizeof out, cases[i].directory, cases[i].name, &e));
        assert_string_equal(out, cases[i].joined);
    }
}

static void join_refuses_what_does_not_fit(void **state) {
    (void)state;
    char out[6] = "zzzzz";
    struct err e;
    assert_true(file_join(out, sizeof out, "ab", "cd", &e));
    assert_string_equal(out, "ab/cd");
    assert_false(file_join(out, sizeof out, "ab", "cde", &e));
    assert_int_equal(e.code, ERR_INVALID);
    assert_string_equal(out, "");
    assert_true(file_join(out, sizeof out, "", "abcde", &e));
    assert_false(file_join(out, sizeof out, "", "abcdef", &e));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_TEMPORARY(read_appends_the_whole_file),
        IN_TEMPORARY(read_at_gives_less_only_at_the_end),
        IN_TEMPORARY(read_refuses_more_than_allowed_and_appends_nothing),
        IN_TEMPORARY(read_takes_only_regular_files),
        IN_TEMPORARY(write_makes_and_replaces),
        IN_TEMPORARY(write_gives_exactly_the_mode_asked_for),
        IN_TEMPORARY(write_replaces_a_link_and_not_what_it_names),
        IN_TEMPORARY(failed_write_keeps_the_old_file_and_leaves_no_temporary_one),
        IN_TEMPORARY(write_to_an_impossible_place_leaves_nothing),
        IN_TEMPORARY(reader_sees_the_old_or_the_new_content_whole),
        IN_TEMPORARY(copy_hashes_from_the_position_to_the_end),
        IN_TEMPORARY(copy_takes_short_reads),
        IN_TEMPORARY(copy_stops_beyond_the_limit),
        IN_TEMPORARY(copy_adds_up_against_the_limit),
        IN_TEMPORARY(copy_reports_a_full_disk),
        IN_TEMPORARY(publish_renames_and_keeps_the_descriptor),
        IN_TEMPORARY(remove_takes_files_and_is_content_without),
        IN_TEMPORARY(space_is_told_in_bytes),
        cmocka_unit_test(join_puts_one_slash),
        cmocka_unit_test(join_refuses_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
