#include "agent/builds.h"

#include "lib/hash.h"
#include "tests/unit/lib/temporary.h"

#include <fcntl.h>
#include <sys/stat.h>

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void a_build_is_named_by_version_and_digest(void **state) {
    (void)state;
    static const char *const good[] = {"1.0.0-" DIGEST, "2.10.3-rc.1-" DIGEST, "1.0.0+x-" DIGEST};
    static const char *const bad[] = {
        "",
        "1.0.0",
        "1.0.0-" DIGEST "0",
        "1.0-" DIGEST,
        DIGEST,
        "-" DIGEST,
        "../x-" DIGEST,
        "1.0.0_" DIGEST,
        "1.0.0-" DIGEST "/..",
        "/" DIGEST,
        "1.0.0-0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(builds_name_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_false(builds_name_valid(bad[i]));
}

/* A build of these bytes, proper but for its mode; gives its name. */
static const char *make_build(const char *version, const char *bytes, char name[BUILDS_NAME_SIZE]) {
    char path[PATH_MAX], digest[SHA256_HEX_SIZE];
    struct err e = {0};
    struct sha256 *h = sha256_begin();
    sha256_add(h, bytes, strlen(bytes));
    sha256_hex(h, digest);
    sha256_free(h);
    snprintf(name, BUILDS_NAME_SIZE, "%s-%s", version, digest);
    snprintf(path, sizeof path, "%s/%s", temporary_directory, name);
    assert_true(file_make_directory(path, 0700, &e));
    snprintf(path, sizeof path, "%s/%s/grid-agent", temporary_directory, name);
    assert_true(file_write_durable(path, bytes, strlen(bytes), 0500, &e));
    return name;
}

static void only_the_bytes_of_its_name_are_a_build(void **state) {
    (void)state;
    char name[BUILDS_NAME_SIZE], program[PATH_MAX];
    struct err e = {0};
    make_build("1.0.0", "the agent", name);
    assert_true(builds_prove(temporary_directory, name, program, &e));
    assert_true(file_write_durable(program, "the Agent", 9, 0500, &e));
    assert_false(builds_prove(temporary_directory, name, program, &e));
    assert_int_equal(e.code, ERR_CORRUPT);
    assert_int_equal(unlink(program), 0);
    assert_false(builds_prove(temporary_directory, name, program, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void a_build_is_no_link_to_elsewhere(void **state) {
    (void)state;
    char name[BUILDS_NAME_SIZE], program[PATH_MAX];
    struct err e = {0};
    make_build("1.0.0", "the agent", name);
    assert_true(builds_prove(temporary_directory, name, program, &e));
    assert_int_equal(rename(program, TEMPORARY("elsewhere")), 0);
    assert_int_equal(symlink(TEMPORARY("elsewhere"), program), 0);
    assert_false(builds_prove(temporary_directory, name, program, &e));
}

static void links_name_builds_beside_them(void **state) {
    (void)state;
    static const char *const bad[] = {"/etc", "..", "1.0.0", ("a/1.0.0-" DIGEST)};
    char found[BUILDS_NAME_SIZE];
    struct err e = {0};
    assert_false(builds_linked(temporary_directory, "current", found, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(symlink(bad[i], TEMPORARY("current")), 0);
        assert_false(builds_linked(temporary_directory, "current", found, &e));
        assert_int_equal(e.code, ERR_CORRUPT);
        assert_int_equal(unlink(TEMPORARY("current")), 0);
    }
    assert_int_equal(symlink("1.0.0-" DIGEST, TEMPORARY("current")), 0);
    assert_true(builds_linked(temporary_directory, "current", found, &e));
    assert_string_equal(found, "1.0.0-" DIGEST);
}

/* Whatever a crash left of an earlier attempt, the same call completes it. */
static void going_back_makes_previous_current_and_may_be_repeated(void **state) {
    (void)state;
    char found[BUILDS_NAME_SIZE];
    struct err e = {0};
    assert_int_equal(symlink("1.1.0-" DIGEST, TEMPORARY("current")), 0);
    assert_int_equal(symlink("1.0.0-" DIGEST, TEMPORARY("previous")), 0);
    assert_int_equal(symlink("half done", TEMPORARY("link.new")), 0);
    for (int i = 0; i < 2; i++) {
        assert_true(builds_go_back(temporary_directory, "1.0.0-" DIGEST, &e));
        assert_true(builds_linked(temporary_directory, "current", found, &e));
        assert_string_equal(found, "1.0.0-" DIGEST);
        assert_false(builds_linked(temporary_directory, "previous", found, &e));
        assert_int_equal(access(TEMPORARY("link.new"), F_OK), -1);
    }
}

static void the_build_in_use_becomes_the_previous_one(void **state) {
    (void)state;
    char first[BUILDS_NAME_SIZE], second[BUILDS_NAME_SIZE], found[BUILDS_NAME_SIZE];
    struct err e = {0};
    make_build("1.0.0", "the agent", first);
    make_build("1.1.0", "a newer agent", second);
    assert_true(builds_use(temporary_directory, first, &e));
    assert_false(builds_linked(temporary_directory, "previous", found, &e));
    for (int i = 0; i < 2; i++) {
        assert_true(builds_use(temporary_directory, second, &e));
        assert_true(builds_linked(temporary_directory, "current", found, &e));
        assert_string_equal(found, second);
        assert_true(builds_linked(temporary_directory, "previous", found, &e));
        assert_string_equal(found, first);
    }
}

static void a_build_that_is_not_proven_is_not_used(void **state) {
    (void)state;
    char name[BUILDS_NAME_SIZE], program[PATH_MAX], found[BUILDS_NAME_SIZE];
    struct err e = {0};
    make_build("1.0.0", "the agent", name);
    assert_true(builds_prove(temporary_directory, name, program, &e));
    assert_true(file_write_durable(program, "another", 7, 0500, &e));
    assert_false(builds_use(temporary_directory, name, &e));
    assert_int_equal(e.code, ERR_CORRUPT);
    assert_false(builds_use(temporary_directory, "../agent", &e));
    assert_int_equal(e.code, ERR_INVALID);
    assert_false(builds_linked(temporary_directory, "current", found, &e));
}

static bool is_there(const char *name) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", temporary_directory, name);
    return access(path, F_OK) == 0;
}

static void a_build_is_added_whole_and_a_damaged_one_replaced(void **state) {
    (void)state;
    char name[BUILDS_NAME_SIZE], program[PATH_MAX], part[PATH_MAX];
    struct err e = {0};
    make_build("1.0.0", "the agent", name);
    for (int round = 0; round < 2; round++) {
        snprintf(program, sizeof program, "%s/%s/grid-agent", temporary_directory, name);
        assert_true(file_write_durable(program, "damaged", 7, 0500, &e));
        if (round == 1) assert_int_equal(unlink(program), 0);
        snprintf(part, sizeof part, "%s/some.part", temporary_directory);
        assert_true(file_write_durable(part, "the agent", 9, 0600, &e));
        OWN_FD int fd = open(part, O_RDWR | O_CLOEXEC);
        if (round == 1) {
            snprintf(program, sizeof program, "%s/%s", temporary_directory, name);
            assert_int_equal(rmdir(program), 0);
        }
        assert_true(builds_add(temporary_directory, name, fd, part, &e));
        assert_true(builds_prove(temporary_directory, name, program, &e));
        assert_false(is_there("some.part"));
        assert_int_equal(access(program, W_OK) == 0 && geteuid() != 0, 0);
    }
}

static void only_what_is_kept_is_left(void **state) {
    (void)state;
    char kept[BUILDS_NAME_SIZE], gone[BUILDS_NAME_SIZE], part[BUILDS_NAME_SIZE];
    struct err e = {0};
    make_build("1.0.0", "kept", kept);
    make_build("1.1.0", "gone", gone);
    snprintf(part, sizeof part, "%s.part", kept + strlen("1.0.0-"));
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", temporary_directory, part);
    assert_true(file_write_durable(path, "x", 1, 0600, &e));
    snprintf(path, sizeof path, "%s/%s.part", temporary_directory, DIGEST);
    assert_true(file_write_durable(path, "x", 1, 0600, &e));
    snprintf(path, sizeof path, "%s/starts", temporary_directory);
    assert_true(file_write_durable(path, "x", 1, 0600, &e));
    const char *const keep[] = {"", kept};
    builds_collect(temporary_directory, keep, 2);
    assert_true(is_there(kept) && is_there(part) && is_there("starts"));
    assert_false(is_there(gone) || is_there(DIGEST ".part"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_build_is_named_by_version_and_digest),
        IN_TEMPORARY(only_the_bytes_of_its_name_are_a_build),
        IN_TEMPORARY(a_build_is_no_link_to_elsewhere),
        IN_TEMPORARY(links_name_builds_beside_them),
        IN_TEMPORARY(the_build_in_use_becomes_the_previous_one),
        IN_TEMPORARY(a_build_that_is_not_proven_is_not_used),
        IN_TEMPORARY(going_back_makes_previous_current_and_may_be_repeated),
        IN_TEMPORARY(a_build_is_added_whole_and_a_damaged_one_replaced),
        IN_TEMPORARY(only_what_is_kept_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
