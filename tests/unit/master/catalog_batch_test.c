/* Many admissions that become visible together, each with an end of its own. */
#include "tests/unit/master/binaries_fixture.h"

#define ONE "storage-server-1.0.0-linux-x86_64"
#define TWO "storage-server-2.0.0-linux-x86_64"
#define THREE "storage-server-3.0.0-linux-x86_64"

/* What was told of a subject, which is a place in this list. */
struct fate {
    int told;
    enum admitted how;
    struct err why;
};

static void note(void *argument, void *subject, enum admitted how, const struct err *why) {
    struct fate *fate = subject;
    (void)argument;
    fate->told++;
    fate->how = how;
    if (why != NULL) fate->why = *why;
}

static void add(struct fixture *f, struct catalog_batch *b, const char *file_name,
                const char *words, struct fate *fate) {
    OWN_TEXT struct text content = TEXT_EMPTY;
    struct err error = {0};
    struct staged staged;
    struct artifact_name id;
    content_script(words, &content);
    assert_ok(artifact_name_parse(file_name, &id, &error));
    stage_bytes(f, content.data, content.length, &staged);
    const struct admission a = {.id = &id, .staged = &staged, .principal = "test"};
    catalog_batch_add(b, &a, fate);
    catalog_unstage(&staged);
}

static void was_admitted(const struct fate *fate, enum admitted how) {
    assert_int_equal(fate->told, 1);
    assert_string_equal(fate->why.text, "");
    assert_int_equal(fate->how, how);
}

static void serves(struct fixture *f, const char *file_name) {
    struct binary b;
    struct err error = {0};
    char path[PATH_MAX];
    assert_ok(find(f, file_name, &b, &error));
    catalog_object_path(f->catalog, b.sha256, path);
    assert_int_equal(access(path, R_OK), 0);
}

static int64_t targets_version(struct fixture *f) {
    struct repo_status status;
    repo_status(f->repo, &status);
    return status.headings[TUF_TARGETS].version;
}

/* Versions are seconds, or one more than the last: alone, so many would end far in the future. */
#define MANY 100
static void many_share_few_versions_of_the_targets(void **state) {
    struct fixture *f = *state;
    struct fate fates[MANY] = {0};
    char file_name[ARTIFACT_FILE_SIZE];
    int64_t before = targets_version(f);
    struct catalog_batch *b = catalog_batch_open(f->catalog, note, NULL);
    for (int i = 0; i < MANY; i++) {
        snprintf(file_name, sizeof file_name, "storage-server-1.0.%d-linux-x86_64", i);
        add(f, b, file_name, file_name, &fates[i]);
    }
    catalog_batch_close(b);
    for (int i = 0; i < MANY; i++) {
        was_admitted(&fates[i], ADMITTED_NEW);
        snprintf(file_name, sizeof file_name, "storage-server-1.0.%d-linux-x86_64", i);
        serves(f, file_name);
    }
    assert_true(targets_version(f) < before + MANY);
}

static void nothing_is_visible_before_the_commit(void **state) {
    struct fixture *f = *state;
    struct fate fate = {0};
    struct binary b;
    struct err e = {0};
    struct catalog_batch *batch = catalog_batch_open(f->catalog, note, NULL);
    add(f, batch, ONE, "one", &fate);
    assert_int_equal(fate.told, 0);
    assert_false(find(f, ONE, &b, &e));
    catalog_batch_commit(batch);
    serves(f, ONE);
    was_admitted(&fate, ADMITTED_NEW);
    catalog_batch_close(batch);
}

static void the_same_bytes_under_two_names_share_a_batch(void **state) {
    struct fixture *f = *state;
    struct fate fates[2] = {0};
    struct catalog_batch *b = catalog_batch_open(f->catalog, note, NULL);
    add(f, b, ONE, "one", &fates[0]);
    add(f, b, TWO, "one", &fates[1]);
    catalog_batch_close(b);
    was_admitted(&fates[0], ADMITTED_NEW);
    was_admitted(&fates[1], ADMITTED_NEW);
    serves(f, ONE);
    serves(f, TWO);
}

/* The name goes to other bytes between proof and commit. */
static void one_that_fails_fails_alone(void **state) {
    struct fixture *f = *state;
    struct fate fates[3] = {0};
    struct catalog_batch *b = catalog_batch_open(f->catalog, note, NULL);
    add(f, b, TWO, "two", &fates[1]);
    admits(f, TWO, "other words");
    add(f, b, ONE, "one", &fates[0]);
    add(f, b, THREE, "three", &fates[2]);
    catalog_batch_close(b);
    was_admitted(&fates[0], ADMITTED_NEW);
    was_admitted(&fates[2], ADMITTED_NEW);
    assert_int_equal(fates[1].told, 1);
    assert_int_equal(fates[1].why.code, ERR_CONFLICT);
    assert_non_null(strstr(fates[1].why.text, TWO));
    serves(f, ONE);
    serves(f, THREE);
}

static void what_lacks_an_approval_is_held_beside_what_does_not(void **state) {
    struct fixture *f = *state;
    struct fate fates[3] = {0};
    admits(f, ONE, "one");
    trust_somebody(f);
    struct catalog_batch *b = catalog_batch_open(f->catalog, note, NULL);
    add(f, b, ONE, "one", &fates[0]);
    add(f, b, TWO, "two", &fates[1]);
    add(f, b, THREE, "three", &fates[2]);
    catalog_batch_close(b);
    was_admitted(&fates[0], ADMITTED_SAME);
    was_admitted(&fates[1], ADMITTED_HELD);
    was_admitted(&fates[2], ADMITTED_HELD);
    assert_int_equal(held_files(f), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        TEST(many_share_few_versions_of_the_targets),
        TEST(nothing_is_visible_before_the_commit),
        TEST(the_same_bytes_under_two_names_share_a_batch),
        TEST(one_that_fails_fails_alone),
        TEST(what_lacks_an_approval_is_held_beside_what_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
