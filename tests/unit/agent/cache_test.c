#include "agent/cache.h"

#include "agent/versions.h"
#include "tests/unit/agent/agent_fixture.h"

/* Puts a new version into the store, as the fetcher does. */
static void add(const char *name, struct version *out) {
    char part[STATE_PATH_SIZE];
    char build[400];
    make_version(name, 5000, out);
    snprintf(build, sizeof build, "build-%s", name);
    state_path(&place.state, part, "tmp/%s.part", out->sha256);
    assert_int_equal(rename(in_place(build), part), 0);
    OWN_FD int fd = open(part, O_RDWR | O_CLOEXEC);
    assert_ok(cache_add(&place.state, out, fd, part, &place.e));
}

static bool exists(const char *format, const char *sha256) {
    char path[STATE_PATH_SIZE];
    char name[128];
    snprintf(name, sizeof name, format, sha256);
    return access(state_path(&place.state, path, "%s", name), F_OK) == 0;
}

static void what_is_added_is_found_and_cannot_be_written_to(void **unused) {
    (void)unused;
    struct version a;
    struct version found;
    struct stat status;
    add("1.0.0", &a);
    assert_ok(cache_find(&place.state, a.sha256, &found, &place.e));
    assert_string_equal(found.file, a.file);
    assert_string_equal(found.signature, a.signature);
    assert_int_equal(found.size_bytes, a.size_bytes);
    assert_true(cache_holds(&place.state, &found));
    OWN_FD int fd = cache_open(&place.state, a.sha256, &place.e);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0500);
    version_clear(&found);
    version_clear(&a);
}

static void discarded_bytes_are_missed_but_not_forgotten(void **unused) {
    (void)unused;
    struct version a;
    struct version found;
    add("1.0.0", &a);
    assert_ok(cache_discard(&place.state, a.sha256, &place.e));
    assert_false(cache_holds(&place.state, &a));
    assert_int_equal(cache_open(&place.state, a.sha256, &place.e), -1);
    assert_ok(cache_find(&place.state, a.sha256, &found, &place.e));
    version_clear(&found);
    version_clear(&a);
}

static void a_cut_file_is_not_held(void **unused) {
    (void)unused;
    struct version a;
    char path[STATE_PATH_SIZE];
    add("1.0.0", &a);
    chmod(state_path(&place.state, path, "store/%s", a.sha256), 0700);
    assert_int_equal(truncate(path, 100), 0);
    assert_false(cache_holds(&place.state, &a));
    version_clear(&a);
}

static void links_move_one_step_at_a_time(void **unused) {
    (void)unused;
    struct version a, b, c;
    char current[SHA256_HEX_SIZE], previous[SHA256_HEX_SIZE];
    add("1.0.0", &a);
    add("1.1.0", &b);
    add("1.2.0", &c);
    cache_links(&place.state, current, previous);
    assert_string_equal(current, "");
    assert_ok(cache_switch(&place.state, a.sha256, &place.e));
    cache_links(&place.state, current, previous);
    assert_string_equal(current, a.sha256);
    assert_string_equal(previous, "");
    assert_ok(cache_switch(&place.state, b.sha256, &place.e));
    assert_ok(cache_switch(&place.state, c.sha256, &place.e));
    assert_ok(cache_switch(&place.state, c.sha256, &place.e));
    cache_links(&place.state, current, previous);
    assert_string_equal(current, c.sha256);
    assert_string_equal(previous, b.sha256);
    version_clear(&a);
    version_clear(&b);
    version_clear(&c);
}

static void links_to_elsewhere_are_no_versions(void **unused) {
    (void)unused;
    char path[STATE_PATH_SIZE];
    char current[SHA256_HEX_SIZE], previous[SHA256_HEX_SIZE];
    assert_int_equal(symlink("/etc/passwd", state_path(&place.state, path, "current")), 0);
    assert_int_equal(symlink("store/../../x", state_path(&place.state, path, "previous")), 0);
    cache_links(&place.state, current, previous);
    assert_string_equal(current, "");
    assert_string_equal(previous, "");
}

static void collecting_keeps_what_is_named(void **unused) {
    (void)unused;
    struct version a, b, c;
    add("1.0.0", &a);
    add("1.1.0", &b);
    add("1.2.0", &c);
    char path[STATE_PATH_SIZE];
    write_file(state_path(&place.state, path, "tmp/%s.part", c.sha256), "x", 1);
    write_file(state_path(&place.state, path, "tmp/%s.part", a.sha256), "x", 1);
    const char *keep[] = {"", b.sha256, c.sha256};
    assert_int_equal(cache_collect(&place.state, keep, 3), 1);
    assert_false(exists("store/%s", a.sha256));
    assert_false(exists("store/%s.json", a.sha256));
    assert_false(exists("tmp/%s.part", a.sha256));
    assert_true(exists("store/%s", b.sha256));
    assert_true(exists("store/%s.json", c.sha256));
    assert_true(exists("tmp/%s.part", c.sha256));
    version_clear(&a);
    version_clear(&b);
    version_clear(&c);
}

static void unsigned_bytes_count_only_while_they_are_the_local_file(void **unused) {
    (void)unused;
    struct version a;
    struct versions v = {.state = &place.state};
    add("1.0.0", &a);
    assert_true(versions_staged(&v, &a));
    free(a.signature);
    a.signature = NULL;
    char part[STATE_PATH_SIZE];
    write_file(state_path(&place.state, part, "tmp/again"), "0123", 4);
    a.size_bytes = 4;
    OWN_FD int fd = open(part, O_RDWR | O_CLOEXEC);
    assert_ok(cache_add(&place.state, &a, fd, part, &place.e));
    assert_false(versions_staged(&v, &a));
    memcpy(v.local, a.sha256, sizeof v.local);
    assert_true(versions_staged(&v, &a));
    version_clear(&a);
}

static void a_commit_outlives_the_agent(void **unused) {
    (void)unused;
    struct version a;
    struct versions v;
    struct reconcile_input in = {0};
    add("1.0.0", &a);
    versions_load(&v, &place.state);
    versions_commit(&v, a.sha256, 0);
    versions_fini(&v);
    versions_load(&v, &place.state);
    assert_string_equal(v.current.version, "1.0.0");
    versions_describe(&v, &in);
    assert_true(in.current.staged);
    versions_fini(&v);
    version_clear(&a);
}

static void a_damaged_note_gives_way_to_what_the_master_says(void **unused) {
    (void)unused;
    struct version right;
    struct version damaged = {0};
    struct version found = {0};
    char path[STATE_PATH_SIZE];
    OWN_TEXT struct text json = TEXT_EMPTY;
    add("1.0.0", &right);
    version_copy(&damaged, &right);
    damaged.size_bytes++;
    damaged.signature[0] ^= 1;
    json_encode(&version_schema, &damaged, &json);
    state_path(&place.state, path, "store/%s.json", right.sha256);
    assert_ok(file_write_durable(path, json.data, json.length, 0600, &place.e));
    struct versions v = {.state = &place.state};
    version_copy(&v.target, &right);
    assert_ok(versions_find(&v, right.sha256, &found, &place.e));
    assert_string_equal(found.signature, right.signature);
    assert_int_equal(found.size_bytes, right.size_bytes);
    version_clear(&found);
    version_clear(&damaged);
    version_clear(&right);
    versions_fini(&v);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup_place, teardown_place)
    const struct CMUnitTest tests[] = {
        TEST(what_is_added_is_found_and_cannot_be_written_to),
        TEST(discarded_bytes_are_missed_but_not_forgotten),
        TEST(a_cut_file_is_not_held),
        TEST(links_move_one_step_at_a_time),
        TEST(links_to_elsewhere_are_no_versions),
        TEST(collecting_keeps_what_is_named),
        TEST(unsigned_bytes_count_only_while_they_are_the_local_file),
        TEST(a_commit_outlives_the_agent),
        TEST(a_damaged_note_gives_way_to_what_the_master_says),
    };
    return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
