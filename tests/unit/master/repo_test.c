#include "master/repo.h"

#include "tests/unit/master/binaries_fixture.h"

#define NAME "storage-server-1.0.0-linux-x86_64"
#define OTHER "storage-server-1.1.0-linux-x86_64"

static int64_t version_of(struct fixture *f, enum tuf_role_kind role) {
    struct repo_status status;
    repo_status(f->repo, &status);
    return status.headings[role].version;
}

/* The targets that are served. */
static void serve_targets(struct fixture *f, struct tuf_targets *out) {
    struct err error = {0};
    char file[64];
    OWN(repo_bytes) const struct repo_bytes *bytes = NULL;
    snprintf(file, sizeof file, "%lld.targets.json", (long long)version_of(f, TUF_TARGETS));
    assert_ok(repo_file(f->repo, file, &bytes, &error));
    assert_ok(tuf_targets_parse(bytes->data, bytes->length, out, &error));
}

static bool serves_target(struct fixture *f, const char *file_name) {
    struct tuf_targets targets;
    serve_targets(f, &targets);
    bool found = tuf_targets_find(&targets, file_name) != NULL;
    tuf_targets_clear(&targets);
    return found;
}

static void reopen_repo(struct fixture *f) {
    struct err error = {0};
    const struct repo_options options = {.db = f->db, .keys = f->keys, .state_directory = f->state};
    catalog_close(f->catalog);
    f->catalog = NULL;
    repo_close(f->repo);
    f->repo = NULL;
    assert_ok(repo_open(&f->repo, &options, &error));
    reopen_catalog(f, CATALOG_SIGNATURES_AUTO);
}

struct attempt {
    struct fixture *f;
    struct binary binary;
    bool fails;
};

static bool add(struct db_connection *c, void *argument, struct err *e) {
    const struct attempt *a = argument;
    return repo_add(a->f->repo, c, (const struct binary *[]){&a->binary}, 1, e) &&
           (!a->fails || err_set(e, ERR_INTERNAL, "something else went wrong"));
}

static void describe(struct fixture *f, const char *file_name, bool fails, struct attempt *out) {
    struct err error = {0};
    *out = (struct attempt){.f = f, .fails = fails, .binary = {.size_bytes = 7}};
    assert_ok(artifact_name_parse(file_name, &out->binary.id, &error));
    memset(out->binary.sha256, 'a', sizeof out->binary.sha256 - 1);
}

static void what_is_undone_was_never_signed(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    struct attempt undone, done;
    int64_t before = version_of(f, TUF_TARGETS);
    describe(f, NAME, true, &undone);
    describe(f, OTHER, false, &done);
    assert_false(db_write(f->db, add, &undone, &error));
    assert_int_equal(version_of(f, TUF_TARGETS), before);
    assert_false(serves_target(f, NAME));
    assert_ok(db_write(f->db, add, &done, &error));
    assert_true(version_of(f, TUF_TARGETS) > before);
    assert_false(serves_target(f, NAME));
    assert_true(serves_target(f, OTHER));
    reopen_repo(f);
    assert_false(serves_target(f, NAME));
    assert_true(serves_target(f, OTHER));
}

static void what_is_said_already_is_not_signed_again(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    struct attempt a;
    describe(f, NAME, false, &a);
    assert_ok(db_write(f->db, add, &a, &error));
    int64_t version = version_of(f, TUF_TARGETS);
    assert_ok(db_write(f->db, add, &a, &error));
    assert_int_equal(version_of(f, TUF_TARGETS), version);
}

static void metadata_are_signed_anew_when_due_and_not_before(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    static const int64_t hour_ms = INT64_C(3600) * 1000;
    const struct {
        int64_t later_ms;
        bool newer[TUF_ROLE_COUNT];
    } rows[] = {
        {hour_ms - 60000,        {false, false, false, false}},
        {hour_ms + 60000,        {false, true, false, false} },
        {24 * 3 * hour_ms,       {false, true, false, false} },
        {24 * 4 * hour_ms,       {false, true, true, false}  },
        {24 * 183 * hour_ms,     {false, true, true, true}   },
        {24 * 2 * 183 * hour_ms, {true, true, true, true}    },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t before[TUF_ROLE_COUNT];
        for (int role = 0; role < TUF_ROLE_COUNT; role++)
            before[role] = version_of(f, (enum tuf_role_kind)role);
        assert_ok(repo_tick(f->repo, clock_wall_ms() + rows[i].later_ms, &error));
        for (int role = 0; role < TUF_ROLE_COUNT; role++)
            if ((version_of(f, (enum tuf_role_kind)role) > before[role]) != rows[i].newer[role])
                fail_msg("row %zu: %s", i, tuf_role_name((enum tuf_role_kind)role));
    }
}

static void a_rotation_that_was_cut_off_is_finished_or_forgotten(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    char keys[PATH_MAX], key[PATH_MAX], next[PATH_MAX];
    OWN(sign_secret) struct sign_secret *stray = NULL;
    assert_ok(file_join(keys, sizeof keys, f->state, "keys", &error));
    assert_ok(file_join(key, sizeof key, keys, "snapshot.key", &error));
    assert_ok(file_join(next, sizeof next, keys, "snapshot.next.key", &error));
    assert_ok(sign_generate(&stray, &error)); /* made, and then no root named it */
    assert_ok(sign_secret_write(stray, next, &error));
    reopen_repo(f);
    assert_false(exists(keys, "snapshot.next.key"));
    assert_ok(repo_rotate(f->repo, 1U << TUF_SNAPSHOT, "test", &error));
    assert_int_equal(rename(key, next), 0); /* named by the root, and not renamed yet */
    assert_ok(sign_secret_write(stray, key, &error));
    reopen_repo(f);
    assert_false(exists(keys, "snapshot.next.key"));
    admits(f, NAME, "one");
    assert_true(serves_target(f, NAME));
}

static void the_first_root_is_proven_by_the_release_key_under_its_name(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    OWN(repo_bytes) const struct repo_bytes *root = NULL, *bridge = NULL;
    OWN_FD int fd = memfd_create("root", MFD_CLOEXEC);
    int64_t version = 0;
    char sha256[SHA256_HEX_SIZE], actual[SHA256_HEX_SIZE];
    int64_t size = 0;
    assert_ok(repo_file(f->repo, "1.root.json", &root, &error));
    assert_ok(repo_file(f->repo, "1.root.json.minisig", &bridge, &error));
    assert_int_equal(write(fd, root->data, root->length), (ssize_t)root->length);
    assert_ok(
        sign_verify_file(keys_release(f->keys), 1, bridge->data, fd, "1.root.json", NULL, &error));
    assert_false(
        sign_verify_file(keys_release(f->keys), 1, bridge->data, fd, "2.root.json", NULL, &error));
    repo_root_digest(f->repo, &version, sha256);
    assert_ok(sha256_file(fd, actual, &size, &error));
    assert_int_equal(version, 1);
    assert_string_equal(sha256, actual);
}

static void files_that_are_not_there_are_not_found(void **state) {
    struct fixture *f = *state;
    static const char *const names[] = {"",           "2.root.json",  "1.root.json/",
                                        "../grid.db", "targets.json", "timestamp.json "};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct repo_bytes *bytes = NULL;
        struct err error = {0};
        assert_false(repo_file(f->repo, names[i], &bytes, &error));
        assert_int_equal(error.code, ERR_NOT_FOUND);
    }
}

static void readers_keep_what_they_hold(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    OWN(repo_bytes) const struct repo_bytes *held = NULL;
    char file[64];
    snprintf(file, sizeof file, "%lld.targets.json", (long long)version_of(f, TUF_TARGETS));
    assert_ok(repo_file(f->repo, file, &held, &error));
    OWN_MEMORY char *copy = text_duplicate(held->data);
    for (int i = 0; i < 12; i++) {
        char name[64];
        snprintf(name, sizeof name, "storage-server-1.0.%d-linux-x86_64", i);
        admits(f, name, name);
        assert_true(serves_target(f, name));
    }
    assert_string_equal(held->data, copy);
}

/* What a master's machine is told that was set back to an earlier state. */
static void what_agents_have_seen_is_signed_above(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    int64_t far = version_of(f, TUF_TARGETS) + 5000; /* ahead of the clock, too */
    admits(f, NAME, "one");
    assert_ok(repo_outrun(f->repo, &(struct repo_seen){far, far + 3, 0}, &error));
    assert_true(version_of(f, TUF_TARGETS) > far);
    assert_true(version_of(f, TUF_SNAPSHOT) > far + 3);
    assert_true(version_of(f, TUF_TIMESTAMP) > far + 3);
    assert_true(serves_target(f, NAME));
    assert_int_equal(events_of(f, "trust.behind"), 1);
    int64_t targets = version_of(f, TUF_TARGETS);
    int64_t timestamp = version_of(f, TUF_TIMESTAMP);
    assert_ok(repo_outrun(f->repo, &(struct repo_seen){far, far + 3, 0}, &error));
    assert_int_equal(version_of(f, TUF_TARGETS), targets);
    assert_int_equal(version_of(f, TUF_TIMESTAMP), timestamp);
    assert_ok(repo_outrun(f->repo, &(struct repo_seen){targets, timestamp + 7, 0}, &error));
    assert_int_equal(version_of(f, TUF_TARGETS), targets); /* they are none the newer */
    assert_true(version_of(f, TUF_SNAPSHOT) > timestamp + 7);
    assert_true(version_of(f, TUF_TIMESTAMP) > timestamp + 7);
    assert_int_equal(events_of(f, "trust.behind"), 2);
}

static void a_root_that_agents_know_and_the_master_lost_is_told_once(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    int64_t root = version_of(f, TUF_ROOT), targets = version_of(f, TUF_TARGETS);
    assert_ok(repo_outrun(f->repo, &(struct repo_seen){.root = root}, &error));
    assert_int_equal(events_of(f, "trust.behind"), 0);
    for (int i = 0; i < 2; i++)
        assert_ok(repo_outrun(f->repo, &(struct repo_seen){.root = root + 1}, &error));
    assert_int_equal(events_of(f, "trust.behind"), 1);
    assert_ok(repo_outrun(f->repo, &(struct repo_seen){.root = root + 2}, &error));
    assert_int_equal(events_of(f, "trust.behind"), 2);
    assert_int_equal(version_of(f, TUF_ROOT), root); /* it cannot be signed in their place */
    assert_int_equal(version_of(f, TUF_TARGETS), targets);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        TEST(what_is_undone_was_never_signed),
        TEST(what_is_said_already_is_not_signed_again),
        TEST(metadata_are_signed_anew_when_due_and_not_before),
        TEST(a_rotation_that_was_cut_off_is_finished_or_forgotten),
        TEST(the_first_root_is_proven_by_the_release_key_under_its_name),
        TEST(files_that_are_not_there_are_not_found),
        TEST(what_agents_have_seen_is_signed_above),
        TEST(a_root_that_agents_know_and_the_master_lost_is_told_once),
        TEST(readers_keep_what_they_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
