/* Each attack on a client that has refreshed before: what it is called, what of the trusted files
 * may change. */
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attack_is_refused_by_its_name_and_what_was_trusted_stays),
    };
    sign_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
