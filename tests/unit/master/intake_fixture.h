/* What tests of the drop box share: one with an intake over it, files that are dropped there, and
 * what came of them. */
#pragma once

#include "master/intake.h"

#include "tests/unit/master/binaries_fixture.h"

#define NAME "storage-server-1.0.0-linux-x86_64"

struct box {
    struct fixture *fixture;
    struct intake *intake;
    char directory[PATH_MAX];
    int64_t now_ms;
};
static struct box box;

/* That name in the drop box; valid until it is asked for four more. */
static inline const char *in_box(const char *name) {
    static char paths[4][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 4];
    if (snprintf(path, PATH_MAX, "%s/%s", box.directory, name) >= PATH_MAX)
        fail_msg("%s: too long", name);
    return path;
}

static inline void open_intake(void) {
    struct err error = {0};
    assert_ok(intake_open(&box.intake, box.directory, box.fixture->catalog, box.fixture->agents,
                          box.fixture->events, 60000, &error));
}

static inline int setup(void **state) {
    struct err error = {0};
    if (fixture_setup(state) != 0) return -1;
    box = (struct box){.fixture = *state, .now_ms = 100000};
    assert_ok(
        file_join(box.directory, sizeof box.directory, box.fixture->state, "binaries", &error));
    open_intake();
    return 0;
}

static inline int teardown(void **state) {
    intake_close(box.intake);
    return fixture_teardown(state);
}

/* Dropping. */

/* Writes and closes: a hint follows once the directory is watched. */
static inline void drop_bytes(const char *name, const void *bytes, size_t length) {
    OWN_FD int fd = open(in_box(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), (ssize_t)length);
}

static inline void drop(const char *name, const char *words) {
    OWN_TEXT struct text content = TEXT_EMPTY;
    content_script(words, &content);
    drop_bytes(name, content.data, content.length);
}

static inline void set_age_s(const char *name, int64_t age_s) {
    time_t at = (time_t)(clock_wall_ms() / 1000 - age_s);
    const struct timespec times[] = {{.tv_sec = at}, {.tv_sec = at}};
    assert_int_equal(utimensat(AT_FDCWD, in_box(name), times, AT_SYMLINK_NOFOLLOW), 0);
}

/* Touches the file until its file system, whose clock is a coarse one, says that it was later. */
static inline void touch_after(const char *name, int64_t wall_ms) {
    struct stat status = {0};
    while (status.st_ctim.tv_sec * 1000 + status.st_ctim.tv_nsec / 1000000 <= wall_ms) {
        set_age_s(name, 10);
        assert_int_equal(stat(in_box(name), &status), 0);
    }
}

static inline bool scan(int64_t later_ms) {
    box.now_ms += later_ms;
    return intake_scan(box.intake, box.now_ms);
}

/* Looks until everything that lies there is settled. */
static inline void scan_settled(void) {
    (void)scan(0);
    (void)scan(2000);
}

/* What came of it. */

static inline bool served(const char *file_name) {
    struct binary b;
    struct err e = {0};
    return find(box.fixture, file_name, &b, &e);
}

static inline void serves(const char *file_name, const char *words) {
    struct err error = {0};
    struct binary b;
    char path[PATH_MAX];
    OWN_TEXT struct text expected = TEXT_EMPTY;
    OWN_TEXT struct text content = TEXT_EMPTY;
    assert_ok(find(box.fixture, file_name, &b, &error));
    catalog_object_path(box.fixture->catalog, b.sha256, path);
    content_script(words, &expected);
    assert_ok(file_read(path, 100000, &content, &error));
    assert_string_equal(content.data, expected.data);
}

static inline size_t rejected_count(void) {
    OWN_MEMORY struct rejected *list = NULL;
    size_t count = 0;
    intake_rejected(box.intake, &list, &count);
    return count;
}

static inline void rejects(const char *file, enum err_code code, const char *words) {
    OWN_MEMORY struct rejected *list = NULL;
    size_t count = 0;
    intake_rejected(box.intake, &list, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].file, file) != 0) continue;
        if (strstr(list[i].reason, words) == NULL)
            fail_msg("%s: \"%s\" lacks \"%s\"", file, list[i].reason, words);
        assert_string_equal(list[i].code, err_code_name(code));
        assert_true(list[i].seen_at_ms > 0);
        return;
    }
    fail_msg("%s was not rejected, %zu others were", file, count);
}
