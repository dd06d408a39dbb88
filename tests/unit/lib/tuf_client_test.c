#include "tests/unit/lib/tuf_repository.h"

/* Spoils what the repository publishes, behind a good refresh that the client has made. */
typedef void spoil(struct repository *r);

/* Puts these bytes in place of a published file. */
static void replace(struct repository *r, const char *file, const char *bytes) {
    assert_non_null(folder_find(&r->published, file));
    folder_put(&r->published, file, bytes, strlen(bytes));
}

/* As it is, but longer. White space behind the value is no harm to JSON. */
static void lengthen(struct repository *r, const char *file, size_t bytes) {
    struct folder_file *f = folder_find(&r->published, file);
    assert_non_null(f);
    for (size_t i = 0; i < bytes; i++) text_add(&f->bytes, " ");
}

/* The role's files signed by a key that nobody named. */
static void steal(struct repository *r, enum tuf_role_kind kind) {
    struct sign_secret *right = r->keys[kind];
    r->keys[kind] = r->spare;
    publish_all(r);
    r->keys[kind] = right;
}

static void nothing(struct repository *r) {
    (void)r;
}

static void timestamp_signed_by_another_key(struct repository *r) {
    steal(r, TUF_TIMESTAMP);
}

static void timestamp_signed_by_the_root_key(struct repository *r) {
    struct sign_secret *right = r->keys[TUF_TIMESTAMP];
    r->keys[TUF_TIMESTAMP] = r->keys[TUF_ROOT];
    publish_all(r);
    r->keys[TUF_TIMESTAMP] = right;
}

static void timestamp_below_its_threshold(struct repository *r) {
    name_spare(r, TUF_TIMESTAMP);
    r->root.roles[TUF_TIMESTAMP].threshold = 2;
    r->root.heading.version++;
    publish_root(r);
    publish_all(r);
}

static void timestamp_of_before(struct repository *r) {
    r->timestamp.heading.version -= 1;
    publish_timestamp(r);
}

static void timestamp_with_a_snapshot_of_before(struct repository *r) {
    r->timestamp.snapshot.version -= 1;
    r->timestamp.heading.version++;
    publish_timestamp(r);
}

static void timestamp_of_this_version_with_other_words(struct repository *r) {
    r->timestamp.snapshot.version += 7;
    publish_timestamp(r);
}

static void timestamp_expired(struct repository *r) {
    r->timestamp.heading.expires_ms = NOW_MS;
    publish_all(r);
}

static void timestamp_too_long(struct repository *r) {
    publish_all(r);
    lengthen(r, "timestamp.json", TUF_TIMESTAMP_MAX_BYTES);
}

static void timestamp_is_no_metadata(struct repository *r) {
    replace(r, "timestamp.json", "{\"signed\":{},\"signatures\":[]}");
}

static void timestamp_is_a_snapshot(struct repository *r) {
    const struct folder_file *f = folder_find(&r->published, "snapshot.json");
    folder_put(&r->published, "timestamp.json", f->bytes.data, f->bytes.length);
}

static void timestamp_is_gone(struct repository *r) {
    folder_drop(&r->published, "timestamp.json");
}

static void timestamp_promises_an_endless_snapshot(struct repository *r) {
    r->snapshot.heading.version++;
    publish_snapshot(r);
    r->timestamp.snapshot.length = INT64_C(1) << 40;
    r->timestamp.heading.version++;
    publish_timestamp(r);
}

static void snapshot_signed_by_another_key(struct repository *r) {
    steal(r, TUF_SNAPSHOT);
}

/* Publishes the snapshot with what the timestamp says of it set anew. */
static void promise_snapshot(struct repository *r, struct tuf_promise promise) {
    r->snapshot.heading.version++;
    publish_snapshot(r);
    if (promise.version == 0) promise.version = r->snapshot.heading.version;
    r->timestamp.snapshot = promise;
    r->timestamp.heading.version++;
    publish_timestamp(r);
}

static void snapshot_with_another_hash(struct repository *r) {
    struct tuf_promise p = {.length = -1};
    memset(p.sha256, 'b', SHA256_HEX_SIZE - 1);
    promise_snapshot(r, p);
}

static void snapshot_shorter_than_promised(struct repository *r) {
    promise_snapshot(r, (struct tuf_promise){.length = 100000});
}

static void snapshot_longer_than_promised(struct repository *r) {
    promise_snapshot(r, (struct tuf_promise){.length = 10});
}

static void snapshot_too_long_without_a_promise(struct repository *r) {
    char file[64];
    promise_snapshot(r, (struct tuf_promise){.length = -1});
    snprintf(file, sizeof file, "%lld.snapshot.json", (long long)r->snapshot.heading.version);
    lengthen(r, file, TUF_SNAPSHOT_MAX_BYTES);
}

/* Under the name of the next version lies the one after it. */
static void snapshot_of_another_version(struct repository *r) {
    char file[64];
    snprintf(file, sizeof file, "%lld.snapshot.json", (long long)r->snapshot.heading.version + 1);
    r->snapshot.heading.version += 2;
    publish_snapshot(r);
    const struct folder_file *f = folder_find(&r->published, "snapshot.json");
    folder_put(&r->published, file, f->bytes.data, f->bytes.length);
    r->timestamp.snapshot =
        (struct tuf_promise){.version = r->snapshot.heading.version - 1, .length = -1};
    r->timestamp.heading.version++;
    publish_timestamp(r);
}

static void publish_snapshot_and_timestamp(struct repository *r) {
    r->snapshot.heading.version++;
    publish_snapshot(r);
    r->timestamp.heading.version++;
    publish_timestamp(r);
}

static void snapshot_without_a_role_of_before(struct repository *r) {
    r->snapshot.count = 1;
    publish_snapshot_and_timestamp(r);
}

static void snapshot_without_targets(struct repository *r) {
    publish_root(r); /* a client that knows no snapshot yet would see no rollback in it */
    folder_drop(&r->trusted, "snapshot.json");
    memcpy(r->entries[0].role, "other", sizeof "other");
    publish_snapshot_and_timestamp(r);
}

static void snapshot_with_targets_of_before(struct repository *r) {
    r->entries[0].promise.version -= 1;
    publish_snapshot_and_timestamp(r);
}

static void snapshot_with_a_delegated_role_of_before(struct repository *r) {
    r->entries[1].promise.version -= 1;
    publish_snapshot_and_timestamp(r);
}

static void snapshot_expired(struct repository *r) {
    r->snapshot.heading.expires_ms = NOW_MS - DAY_MS;
    publish_all(r);
}

static void targets_signed_by_another_key(struct repository *r) {
    steal(r, TUF_TARGETS);
}

/* Publishes targets with what the snapshot says of them set anew. */
static void promise_targets(struct repository *r, struct tuf_promise promise) {
    r->roles[0].targets.heading.version++;
    publish_role(r, &r->roles[0]);
    if (promise.version == 0) promise.version = r->roles[0].targets.heading.version;
    r->entries[0].promise = promise;
    publish_snapshot_and_timestamp(r);
}

static void targets_with_another_hash(struct repository *r) {
    struct tuf_promise p = {.length = -1};
    memset(p.sha256, 'b', SHA256_HEX_SIZE - 1);
    promise_targets(r, p);
}

static void targets_longer_than_promised(struct repository *r) {
    promise_targets(r, (struct tuf_promise){.length = 10});
}

static void targets_of_another_version(struct repository *r) {
    const struct folder_file *f = folder_find(&r->published, "targets.json");
    OWN_TEXT struct text before = TEXT_EMPTY;
    char file[64];
    text_add_bytes(&before, f->bytes.data, f->bytes.length);
    promise_targets(r, (struct tuf_promise){.length = -1});
    snprintf(file, sizeof file, "%lld.targets.json",
             (long long)r->roles[0].targets.heading.version);
    folder_put(&r->published, file, before.data, before.length);
}

static void targets_expired(struct repository *r) {
    r->roles[0].targets.heading.expires_ms = NOW_MS - 1000;
    publish_all(r);
}

/* Root 2 with a new key, signed by these. */
static void next_root(struct repository *r, const struct sign_secret *by,
                      const struct sign_secret *also) {
    struct sign_secret *right = r->keys[TUF_ROOT];
    name_key(r, TUF_ROOT, r->spare);
    r->root.heading.version++;
    r->keys[TUF_ROOT] = (struct sign_secret *)(uintptr_t)by;
    r->also = also;
    publish_root(r);
    r->keys[TUF_ROOT] = right;
    r->also = NULL;
}

static void root_not_signed_by_its_own_key(struct repository *r) {
    next_root(r, r->keys[TUF_ROOT], NULL);
}

static void root_not_signed_by_the_key_before(struct repository *r) {
    next_root(r, r->spare, NULL);
}

static void root_signed_by_neither(struct repository *r) {
    next_root(r, r->keys[TUF_TARGETS], r->keys[TUF_SNAPSHOT]);
}

static void root_calls_itself_another_version(struct repository *r, int64_t version) {
    r->root.heading.version = version;
    publish_root(r);
    const struct folder_file *f = folder_find(&r->published, "root.json");
    folder_put(&r->published, "2.root.json", f->bytes.data, f->bytes.length);
}

static void root_skips_a_version(struct repository *r) {
    root_calls_itself_another_version(r, 3);
}

static void root_repeats_a_version(struct repository *r) {
    root_calls_itself_another_version(r, 1);
}

static void root_expired(struct repository *r) {
    r->root.heading.version++;
    r->root.heading.expires_ms = NOW_MS - DAY_MS;
    publish_root(r);
}

static void root_too_long(struct repository *r) {
    r->root.heading.version++;
    publish_root(r);
    lengthen(r, "2.root.json", TUF_ROOT_MAX_BYTES);
}

static void root_is_no_metadata(struct repository *r) {
    publish_root(r);
    folder_put(&r->published, "2.root.json", "[]", 2);
}

/* Letters of changes: what may differ in the trusted files: r t s g (targets). */
struct attack_row {
    const char *name;
    spoil *spoil;
    enum tuf_attack attack;
    enum err_code code; /* ERR_NONE: the refresh is fine */
    const char *changes;
};
#define ROW(spoil, attack, code, changes)                                                          \
    { #spoil, spoil, attack, code, changes }

static const struct attack_row attacks[] = {
    ROW(nothing, TUF_NO_ATTACK, ERR_NONE, ""),
    ROW(publish_all, TUF_NO_ATTACK, ERR_NONE, "tsg"),
    ROW(timestamp_signed_by_another_key, TUF_UNSIGNED, ERR_UNTRUSTED, ""),
    ROW(timestamp_signed_by_the_root_key, TUF_UNSIGNED, ERR_UNTRUSTED, ""),
    ROW(timestamp_below_its_threshold, TUF_UNSIGNED, ERR_UNTRUSTED, "r"),
    ROW(timestamp_of_before, TUF_ROLLBACK, ERR_UNTRUSTED, ""),
    ROW(timestamp_with_a_snapshot_of_before, TUF_ROLLBACK, ERR_UNTRUSTED, ""),
    ROW(timestamp_of_this_version_with_other_words, TUF_NO_ATTACK, ERR_NONE, ""),
    ROW(timestamp_expired, TUF_FREEZE, ERR_UNTRUSTED, ""),
    ROW(timestamp_too_long, TUF_ENDLESS, ERR_UNTRUSTED, ""),
    ROW(timestamp_is_no_metadata, TUF_MALFORMED, ERR_UNTRUSTED, ""),
    ROW(timestamp_is_a_snapshot, TUF_MALFORMED, ERR_UNTRUSTED, ""),
    ROW(timestamp_is_gone, TUF_NO_ATTACK, ERR_NOT_FOUND, ""),
    ROW(timestamp_promises_an_endless_snapshot, TUF_ENDLESS, ERR_UNTRUSTED, "t"),
    ROW(snapshot_signed_by_another_key, TUF_UNSIGNED, ERR_UNTRUSTED, "t"),
    ROW(snapshot_with_another_hash, TUF_MIX_AND_MATCH, ERR_UNTRUSTED, "t"),
    ROW(snapshot_shorter_than_promised, TUF_MIX_AND_MATCH, ERR_UNTRUSTED, "t"),
    ROW(snapshot_longer_than_promised, TUF_ENDLESS, ERR_UNTRUSTED, "t"),
    ROW(snapshot_too_long_without_a_promise, TUF_ENDLESS, ERR_UNTRUSTED, "t"),
    ROW(snapshot_of_another_version, TUF_MIX_AND_MATCH, ERR_UNTRUSTED, "t"),
    ROW(snapshot_without_a_role_of_before, TUF_ROLLBACK, ERR_UNTRUSTED, "t"),
    ROW(snapshot_without_targets, TUF_MALFORMED, ERR_UNTRUSTED, "ts"),
    ROW(snapshot_with_targets_of_before, TUF_ROLLBACK, ERR_UNTRUSTED, "t"),
    ROW(snapshot_with_a_delegated_role_of_before, TUF_ROLLBACK, ERR_UNTRUSTED, "t"),
    ROW(snapshot_expired, TUF_FREEZE, ERR_UNTRUSTED, "t"),
    ROW(targets_signed_by_another_key, TUF_UNSIGNED, ERR_UNTRUSTED, "ts"),
    ROW(targets_with_another_hash, TUF_MIX_AND_MATCH, ERR_UNTRUSTED, "ts"),
    ROW(targets_longer_than_promised, TUF_ENDLESS, ERR_UNTRUSTED, "ts"),
    ROW(targets_of_another_version, TUF_MIX_AND_MATCH, ERR_UNTRUSTED, "ts"),
    ROW(targets_expired, TUF_FREEZE, ERR_UNTRUSTED, "ts"),
    ROW(root_not_signed_by_its_own_key, TUF_UNSIGNED, ERR_UNTRUSTED, ""),
    ROW(root_not_signed_by_the_key_before, TUF_UNSIGNED, ERR_UNTRUSTED, ""),
    ROW(root_signed_by_neither, TUF_UNSIGNED, ERR_UNTRUSTED, ""),
    ROW(root_skips_a_version, TUF_ROLLBACK, ERR_UNTRUSTED, ""),
    ROW(root_repeats_a_version, TUF_ROLLBACK, ERR_UNTRUSTED, ""),
    ROW(root_expired, TUF_FREEZE, ERR_UNTRUSTED, "r"),
    ROW(root_too_long, TUF_ENDLESS, ERR_UNTRUSTED, ""),
    ROW(root_is_no_metadata, TUF_MALFORMED, ERR_UNTRUSTED, ""),
};

static void expect_changes(const struct attack_row *row, const struct folder *before,
                           const struct folder *after) {
    static const struct {
        char letter;
        const char *file;
    } files[] = {
        {'r', "root.json"     },
        {'t', "timestamp.json"},
        {'s', "snapshot.json" },
        {'g', "targets.json"  }
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        bool changed = !folder_same(before, after, files[i].file);
        if (changed != (strchr(row->changes, files[i].letter) != NULL))
            fail_msg("%s: %s has %schanged", row->name, files[i].file, changed ? "" : "not ");
    }
}

static void expect_row(const struct attack_row *row) {
    struct err e = {0};
    enum tuf_attack attack = TUF_NO_ATTACK;
    struct folder before = {0};
    OWN(repository) struct repository *r = repository_begin();
    publish_all(r);
    no_error(repository_refresh(r, NOW_MS, NULL, &e), &e);
    folder_copy(&before, &r->trusted);
    row->spoil(r);
    bool good = repository_refresh(r, NOW_MS, &attack, &e);
    if (good != (row->code == ERR_NONE) || (!good && e.code != row->code))
        fail_msg("%s: %s", row->name, good ? "accepted" : e.text);
    if (attack != row->attack)
        fail_msg("%s: taken for \"%s\": %s", row->name, tuf_attack_name(attack), e.text);
    expect_changes(row, &before, &r->trusted);
    folder_clear(&before);
}

static void attack_is_refused_by_its_name_and_what_was_trusted_stays(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) expect_row(&attacks[i]);
}

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
        cmocka_unit_test(attack_is_refused_by_its_name_and_what_was_trusted_stays),
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
