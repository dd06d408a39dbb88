#include "tests/unit/lib/tuf_repository.h"

static void first_refresh_takes_all_and_the_next_only_asks_for_news(void **state) {
    (void)state;
    struct err e;
    OWN(repository) struct repository *r = repository_begin();
    no_error(repository_refresh(r, NOW_MS, NULL, &e), &e);
    assert_string_equal(r->asked.data,
                        " 2.root.json timestamp.json 1.snapshot.json 1.targets.json");
    assert_true(folder_same(&r->published, &r->trusted, "root.json"));
    assert_true(folder_same(&r->published, &r->trusted, "timestamp.json"));
    assert_true(folder_same(&r->published, &r->trusted, "snapshot.json"));
    assert_true(folder_same(&r->published, &r->trusted, "targets.json"));
    no_error(repository_refresh(r, NOW_MS, NULL, &e), &e);
    assert_string_equal(r->asked.data, " 2.root.json timestamp.json");
}

static void files_have_no_versions_without_consistent_snapshots(void **state) {
    (void)state;
    struct err e;
    const struct tuf_target *t;
    OWN_TEXT struct text file = TEXT_EMPTY;
    OWN(repository) struct repository *r = repository_begin();
    r->root.consistent_snapshot = false;
    r->root.heading.version++;
    publish_root(r);
    publish_all(r);
    no_error(repository_refresh(r, NOW_MS, NULL, &e), &e);
    assert_string_equal(r->asked.data,
                        " 2.root.json 3.root.json timestamp.json snapshot.json targets.json");
    OWN(tuf_client) struct tuf_client *c = repository_client(r);
    no_error(tuf_client_target(c, "team/tool", NOW_MS, &t, &e), &e);
    tuf_client_target_file(c, t, &file);
    assert_string_equal(file.data, "team/tool");
}

static void target_file_is_named_after_its_hash_with_consistent_snapshots(void **state) {
    (void)state;
    struct err e;
    const struct tuf_target *t;
    char expected[128];
    OWN_TEXT struct text file = TEXT_EMPTY;
    OWN(repository) struct repository *r = repository_begin();
    no_error(repository_refresh(r, NOW_MS, NULL, &e), &e);
    OWN(tuf_client) struct tuf_client *c = repository_client(r);
    no_error(tuf_client_target(c, "team/tool", NOW_MS, &t, &e), &e);
    tuf_client_target_file(c, t, &file);
    snprintf(expected, sizeof expected, "team/%s.tool", t->promise.sha256);
    assert_string_equal(file.data, expected);
}

static void roots_are_followed_one_by_one_though_those_between_have_expired(void **state) {
    (void)state;
    struct err e;
    OWN(repository) struct repository *r = repository_begin();
    int64_t good_ms = r->root.heading.expires_ms;
    r->root.heading.expires_ms = NOW_MS - 100 * DAY_MS;
    rotate(r, TUF_ROOT);
    rotate(r, TUF_ROOT);
    r->root.heading.expires_ms = good_ms;
    rotate(r, TUF_ROOT);
    no_error(repository_refresh(r, NOW_MS, NULL, &e), &e);
    assert_true(folder_same(&r->published, &r->trusted, "root.json"));
    OWN(tuf_client) struct tuf_client *c = repository_client(r);
    assert_int_equal(tuf_client_root(c)->heading.version, 4);
}

static void root_steps_are_bounded_and_go_on_the_next_time(void **state) {
    (void)state;
    struct err e;
    OWN(repository) struct repository *r = repository_begin();
    for (int64_t version = 2; version <= TUF_ROOT_STEPS_MAX + 3; version++) {
        r->root.heading.version = version;
        publish_root(r);
    }
    no_error(repository_refresh(r, NOW_MS, NULL, &e), &e);
    assert_false(folder_same(&r->published, &r->trusted, "root.json"));
    no_error(repository_refresh(r, NOW_MS, NULL, &e), &e);
    assert_true(folder_same(&r->published, &r->trusted, "root.json"));
}

/* Versions far ahead by a thief of keys; then new keys, and versions as they ought to be. */
static void versions_may_go_back_when_their_keys_were_replaced(void **state) {
    (void)state;
    struct err e;
    OWN(repository) struct repository *r = repository_begin();
    r->timestamp.heading.version = r->snapshot.heading.version = 1000000;
    r->roles[0].targets.heading.version = 1000000;
    publish_all(r);
    no_error(repository_refresh(r, NOW_MS, NULL, &e), &e);
    rotate(r, TUF_TIMESTAMP);
    rotate(r, TUF_SNAPSHOT);
    r->timestamp.heading.version = r->snapshot.heading.version = 1;
    r->roles[0].targets.heading.version = 1;
    publish_all(r);
    no_error(repository_refresh(r, NOW_MS, NULL, &e), &e);
    assert_true(folder_same(&r->published, &r->trusted, "timestamp.json"));
    assert_true(folder_same(&r->published, &r->trusted, "snapshot.json"));
    assert_true(folder_same(&r->published, &r->trusted, "targets.json"));
}

static void versions_may_not_go_back_when_a_key_was_added(void **state) {
    (void)state;
    struct err e;
    enum tuf_attack attack;
    OWN(repository) struct repository *r = repository_begin();
    r->timestamp.heading.version = 10;
    publish_all(r);
    no_error(repository_refresh(r, NOW_MS, NULL, &e), &e);
    name_spare(r, TUF_TIMESTAMP);
    r->root.heading.version++;
    publish_root(r);
    r->timestamp.heading.version = 5;
    publish_all(r);
    assert_false(repository_refresh(r, NOW_MS, &attack, &e));
    assert_int_equal(attack, TUF_ROLLBACK);
}

/* A client that runs on while thresholds rise: what two sign now is not what one signed before,
 * though no hash tells. */
static void file_of_the_same_version_is_taken_anew_when_more_must_sign(void **state) {
    (void)state;
    struct err e;
    OWN(repository) struct repository *r = repository_begin();
    for (size_t i = 0; i < r->role_count; i++)
        r->entries[i].promise = (struct tuf_promise){.version = 1, .length = -1};
    publish_snapshot(r);
    r->timestamp.snapshot = (struct tuf_promise){.version = 1, .length = -1};
    publish_timestamp(r);
    OWN(tuf_client) struct tuf_client *c = repository_client(r);
    no_error(tuf_client_refresh(c, NOW_MS, &e), &e);
    for (enum tuf_role_kind kind = TUF_TIMESTAMP; kind < TUF_ROLE_COUNT; kind++) {
        name_spare(r, kind);
        r->root.roles[kind].threshold = 2;
    }
    r->root.heading.version++;
    publish_root(r);
    assert_false(tuf_client_refresh(c, NOW_MS, &e));
    assert_int_equal(tuf_client_attack(c), TUF_UNSIGNED);
    assert_null(tuf_client_targets(c));
    r->also = r->spare;
    publish_role(r, &r->roles[0]);
    r->entries[0].promise = (struct tuf_promise){.version = 1, .length = -1};
    publish_snapshot(r);
    r->timestamp.snapshot = (struct tuf_promise){.version = 1, .length = -1};
    publish_timestamp(r);
    no_error(tuf_client_refresh(c, NOW_MS, &e), &e);
    assert_non_null(tuf_client_targets(c));
    assert_true(folder_same(&r->published, &r->trusted, "timestamp.json"));
    assert_true(folder_same(&r->published, &r->trusted, "snapshot.json"));
    assert_true(folder_same(&r->published, &r->trusted, "targets.json"));
}

/* Nothing new lies there but, at last, a timestamp, then a snapshot. */
static void trusted_files_that_have_expired_are_a_freeze_until_newer_ones_come(void **state) {
    (void)state;
    struct err e;
    enum tuf_attack attack;
    OWN(repository) struct repository *r = repository_begin();
    no_error(repository_refresh(r, NOW_MS, NULL, &e), &e);
    int64_t later_ms = NOW_MS + 29 * DAY_MS, latest_ms = later_ms + 9 * DAY_MS;
    r->root.heading.expires_ms = latest_ms;
    r->root.heading.version++;
    publish_root(r);
    struct tuf_heading *const headings[] = {&r->timestamp.heading, &r->snapshot.heading,
                                            &r->roles[0].targets.heading};
    r->roles[0].targets.heading.expires_ms = later_ms;
    publish_all(r);
    no_error(repository_refresh(r, NOW_MS, NULL, &e), &e);
    for (size_t i = 0; i < sizeof headings / sizeof headings[0]; i++) {
        assert_false(repository_refresh(r, later_ms, &attack, &e));
        assert_int_equal(attack, TUF_FREEZE);
        headings[i]->expires_ms = latest_ms;
        if (i == 2) publish_all(r);
        if (i == 1) publish_snapshot_and_timestamp(r);
        r->timestamp.heading.version++;
        publish_timestamp(r);
    }
    no_error(repository_refresh(r, later_ms, NULL, &e), &e);
}

static void damaged_trusted_files_count_as_absent(void **state) {
    (void)state;
    static const char *const files[] = {"timestamp.json", "snapshot.json", "targets.json"};
    struct err e;
    OWN(repository) struct repository *r = repository_begin();
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        no_error(repository_refresh(r, NOW_MS, NULL, &e), &e);
        folder_put(&r->trusted, files[i], "{", 1);
        no_error(repository_refresh(r, NOW_MS, NULL, &e), &e);
        assert_true(folder_same(&r->published, &r->trusted, files[i]));
        char *version = strstr(folder_find(&r->trusted, files[i])->bytes.data, "\"version\":1}}");
        assert_non_null(version);
        version[strlen("\"version\":")] = '9';
        no_error(repository_refresh(r, NOW_MS, NULL, &e), &e);
        assert_true(folder_same(&r->published, &r->trusted, files[i]));
    }
}

static void damaged_trusted_root_is_corrupt_and_a_missing_one_not_found(void **state) {
    (void)state;
    struct err e;
    struct tuf_client *c = NULL;
    OWN(repository) struct repository *r = repository_begin();
    const struct tuf_client_options options = {
        .argument = r, .load = repository_load, .save = repository_save, .fetch = repository_fetch};
    struct folder_file *root = folder_find(&r->trusted, "root.json");
    char *version = strstr(root->bytes.data, "\"version\":1");
    assert_non_null(version);
    version[strlen("\"version\":")] = '2';
    assert_false(tuf_client_open(&c, &options, &e));
    assert_int_equal(e.code, ERR_CORRUPT);
    folder_drop(&r->trusted, "root.json");
    assert_false(tuf_client_open(&c, &options, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
}

/* After each number of saves the disk is gone, and the program begins anew with what is there. */
static void refresh_goes_on_wherever_it_was_cut_off(void **state) {
    (void)state;
    struct err e;
    int saves = 0;
    for (bool done = false; !done; saves++) {
        OWN(repository) struct repository *r = repository_begin();
        no_error(repository_refresh(r, NOW_MS, NULL, &e), &e);
        r->timestamp.heading.version = r->snapshot.heading.version = 0;
        rotate(r, TUF_ROOT);
        rotate(r, TUF_SNAPSHOT);
        rotate(r, TUF_TARGETS);
        r->roles[0].delegations[0].signers = r->root.roles[TUF_TARGETS];
        publish_all(r);
        r->saves_left = saves;
        done = repository_refresh(r, NOW_MS, NULL, &e);
        if (!done) assert_int_equal(e.code, ERR_IO);
        r->saves_left = -1;
        no_error(repository_refresh(r, NOW_MS, NULL, &e), &e);
        assert_true(folder_same(&r->published, &r->trusted, "root.json"));
        assert_true(folder_same(&r->published, &r->trusted, "timestamp.json"));
        assert_true(folder_same(&r->published, &r->trusted, "snapshot.json"));
        assert_true(folder_same(&r->published, &r->trusted, "targets.json"));
    }
    assert_int_equal(saves, 9); /* three roots, two removed, timestamp, snapshot, targets, none */
}

static void nothing_changes_without_a_network(void **state) {
    (void)state;
    struct err e;
    enum tuf_attack attack;
    const struct tuf_target *t;
    OWN(repository) struct repository *r = repository_begin();
    no_error(repository_refresh(r, NOW_MS, NULL, &e), &e);
    OWN(tuf_client) struct tuf_client *c = repository_client(r);
    no_error(tuf_client_target(c, "team/tool", NOW_MS, &t, &e), &e);
    r->offline = true;
    r->saves_left = 0;
    assert_false(repository_refresh(r, NOW_MS, &attack, &e));
    assert_int_equal(e.code, ERR_UNREACHABLE);
    assert_int_equal(attack, TUF_NO_ATTACK);
    OWN(tuf_client) struct tuf_client *again = repository_client(r);
    no_error(tuf_client_target(again, "app", NOW_MS, &t, &e), &e);
    assert_string_equal(t->path, "app");
    no_error(tuf_client_target(again, "team/tool", NOW_MS, &t, &e), &e);
    assert_string_equal(t->path, "team/tool");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_refresh_takes_all_and_the_next_only_asks_for_news),
        cmocka_unit_test(files_have_no_versions_without_consistent_snapshots),
        cmocka_unit_test(target_file_is_named_after_its_hash_with_consistent_snapshots),
        cmocka_unit_test(roots_are_followed_one_by_one_though_those_between_have_expired),
        cmocka_unit_test(root_steps_are_bounded_and_go_on_the_next_time),
        cmocka_unit_test(versions_may_go_back_when_their_keys_were_replaced),
        cmocka_unit_test(versions_may_not_go_back_when_a_key_was_added),
        cmocka_unit_test(file_of_the_same_version_is_taken_anew_when_more_must_sign),
        cmocka_unit_test(trusted_files_that_have_expired_are_a_freeze_until_newer_ones_come),
        cmocka_unit_test(damaged_trusted_files_count_as_absent),
        cmocka_unit_test(damaged_trusted_root_is_corrupt_and_a_missing_one_not_found),
        cmocka_unit_test(refresh_goes_on_wherever_it_was_cut_off),
        cmocka_unit_test(nothing_changes_without_a_network),
    };
    sign_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
