#include "tests/unit/master/binaries_fixture.h"

#include "master/floors.h"
#include "master/quarantine.h"

#define V1 "storage-server-1.0.0-linux-x86_64"
#define V2 "storage-server-2.0.0-linux-x86_64"

static bool set(struct fixture *f, const char *name, const char *version, struct channel *out,
                struct err *e) {
    return channels_set(f->db, name, "storage-server", version, "token:test", out, e);
}

static void yank(struct fixture *f, const char *file_name) {
    struct err error = {0};
    struct artifact_name id;
    assert_ok(artifact_name_parse(file_name, &id, &error));
    assert_ok(catalog_yank(f->catalog, &id, "test", &error));
}

static void names_are_checked(void **state) {
    (void)state;
    static const char *const good[] = {"stable", "a", "0", "beta-2",
                                       "a23456789b123456789c123456789d12"};
    static const char *const bad[] = {
        "", "-a", "Stable", "a b", "a.b", "ä", "a\n", "../x", "a23456789b123456789c123456789d123"};
    struct err error = {0};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_ok(channel_name_check(good[i], &error));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (channel_name_check(bad[i], &error)) fail_msg("%s was taken", bad[i]);
        assert_int_equal(error.code, ERR_INVALID);
    }
}

static void a_channel_points_to_what_is_registered(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    struct channel c;
    assert_false(set(f, "beta", "1.0.0", &c, &error));
    assert_int_equal(error.code, ERR_NOT_FOUND);
    admits(f, V1, "one");
    assert_ok(set(f, "beta", "1.0.0", &c, &error));
    assert_string_equal(c.name, "beta");
    assert_string_equal(c.artifact, "storage-server");
    assert_string_equal(c.version, "1.0.0");
    assert_true(c.updated_at_ms > 0);
}

static void channels_are_listed_by_name(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    struct channel c;
    OWN_MEMORY struct channel *list = NULL;
    size_t count = 0;
    admits(f, V1, "one"); /* adopted by stable */
    assert_ok(set(f, "beta", "1.0.0", &c, &error));
    assert_ok(channels_list(f->db, &list, &count, &error));
    assert_int_equal(count, 2);
    assert_string_equal(list[0].name, "beta");
    assert_string_equal(list[1].name, "stable");
}

static void setting_what_is_set_is_a_new_decision(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    struct channel first, second;
    admits(f, V1, "one");
    assert_ok(set(f, "beta", "1.0.0", &first, &error));
    size_t before = events_of(f, "channel.set");
    assert_ok(set(f, "beta", "1.0.0", &second, &error));
    assert_int_equal(events_of(f, "channel.set"), before + 1);
    assert_true(second.updated_at_ms > first.updated_at_ms);
}

static void a_yanked_version_is_refused(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    struct channel c;
    admits(f, V1, "one");
    yank(f, V1);
    assert_false(set(f, "beta", "1.0.0", &c, &error));
    assert_int_equal(error.code, ERR_CONFLICT);
}

static void a_version_with_a_build_left_is_taken(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    struct channel c;
    admits(f, V1, "one");
    admits(f, "storage-server-1.0.0-linux-aarch64", "one");
    yank(f, V1);
    assert_ok(set(f, "beta", "1.0.0", &c, &error));
}

static void the_first_release_is_adopted_and_no_later_one(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    OWN_MEMORY struct channel *list = NULL;
    size_t count = 0;
    admits(f, "storage-server-3.0.0-rc.1-linux-x86_64", "three");
    assert_int_equal(events_of(f, "channel.set"), 0);
    admits(f, V1, "one");
    admits(f, V2, "two");
    assert_ok(channels_list(f->db, &list, &count, &error));
    assert_int_equal(count, 1);
    assert_string_equal(list[0].name, "stable");
    assert_string_equal(list[0].version, "1.0.0");
    assert_int_equal(events_of(f, "channel.set"), 1);
}

static bool put(struct db_connection *c, void *quarantined, struct err *e) {
    return quarantine_add(c, quarantined, e);
}

/* Bytes of a script with these words, which failed as this version. */
static void quarantine_script(struct fixture *f, const char *words, const char *version) {
    struct err error = {0};
    struct quarantined q = {.artifact = "storage-server", .reason = "it exits", .at_ms = 1};
    OWN_TEXT struct text script = TEXT_EMPTY;
    OWN(sha256) struct sha256 *hash = sha256_begin();
    content_script(words, &script);
    sha256_add(hash, script.data, script.length);
    sha256_hex(hash, q.sha256);
    snprintf(q.version, sizeof q.version, "%s", version);
    assert_ok(db_write(f->db, put, &q, &error));
}

static void what_is_quarantined_or_below_the_floor_is_not_adopted(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    OWN_MEMORY struct channel *list = NULL;
    struct floor floor;
    size_t count = 0;
    assert_ok(floors_set(f->db, f->repo, "storage-server", "1.5.0", "token:test", &floor, &error));
    admits(f, V1, "one"); /* below */
    quarantine_script(f, "two", "2.0.0");
    admits(f, V2, "two");
    admits(f, "storage-server-2.0.0-linux-aarch64", "other bytes of it");
    admits(f, "storage-server-2.0.1-linux-x86_64", "two");
    assert_int_equal(events_of(f, "binary.published"), 4);
    assert_int_equal(events_of(f, "channel.set"), 0);
    admits(f, "storage-server-2.1.0-linux-x86_64", "good");
    assert_ok(channels_list(f->db, &list, &count, &error));
    assert_int_equal(count, 1);
    assert_string_equal(list[0].version, "2.1.0");
}

#define T(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_checked),
        T(a_channel_points_to_what_is_registered),
        T(channels_are_listed_by_name),
        T(setting_what_is_set_is_a_new_decision),
        T(a_yanked_version_is_refused),
        T(a_version_with_a_build_left_is_taken),
        T(the_first_release_is_adopted_and_no_later_one),
        T(what_is_quarantined_or_below_the_floor_is_not_adopted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
