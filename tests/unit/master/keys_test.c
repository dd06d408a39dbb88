#include "master/keys.h"

#include "tests/unit/lib/temporary.h"

#include <pthread.h>
#include <sys/stat.h>

#define assert_ok(call) assert_done((call), &error)
static void assert_done(bool done, const struct err *e) {
    if (!done) fail_msg("%s", e->text);
}

static void generate(struct sign_public *out) {
    struct err error = {0};
    OWN(sign_secret) struct sign_secret *secret = NULL;
    assert_ok(sign_generate(&secret, &error));
    *out = *sign_secret_public(secret);
}

static struct keys *open_keys(bool fresh) {
    struct err error = {0};
    struct keys *k = NULL;
    assert_ok(keys_open(&k, temporary_directory, fresh, &error));
    return k;
}

static void open_fails(enum err_code code, const char *words) {
    struct err error = {0};
    struct keys *k = NULL;
    assert_false(keys_open(&k, temporary_directory, false, &error));
    assert_null(k);
    assert_string_equal(err_code_name(error.code), err_code_name(code));
    if (strstr(error.text, words) == NULL) fail_msg("\"%s\" lacks \"%s\"", error.text, words);
}

static void make_state(void) {
    keys_close(open_keys(true));
}

static size_t publishers_of(struct keys *k) {
    struct publisher publishers[KEYS_PUBLISHERS_MAX];
    return keys_publishers(k, publishers);
}

static void put_public_key(const struct sign_public *key, const char *file) {
    struct err error = {0};
    assert_ok(sign_public_write(key, TEMPORARY(file), &error));
}

static void first_start_makes_keys_that_stay(void **state) {
    (void)state;
    OWN(keys) struct keys *first = open_keys(true);
    OWN(keys) struct keys *later = open_keys(false);
    assert_true(sign_public_equal(keys_release(first), keys_release(later)));
    assert_true(sign_public_equal(sign_secret_public(keys_master(first)),
                                  sign_secret_public(keys_master(later))));
    assert_false(sign_public_equal(sign_secret_public(keys_master(first)), keys_release(first)));
}

static void keys_are_for_nobody_else(void **state) {
    (void)state;
    struct stat status;
    make_state();
    assert_int_equal(stat(TEMPORARY("keys"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(stat(TEMPORARY("keys/release.key"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
}

static void a_missing_key_later_asks_for_the_backup(void **state) {
    (void)state;
    struct err error = {0};
    struct keys *k = NULL;
    make_state();
    assert_int_equal(unlink(TEMPORARY("keys/release.key")), 0);
    open_fails(ERR_CORRUPT, "release.key is missing");
    assert_false(keys_open(&k, temporary_directory, false, &error));
    assert_non_null(strstr(error.hint, "backup restore"));
    assert_int_equal(access(TEMPORARY("keys/release.key"), F_OK), -1);
}

static void an_interrupted_first_start_goes_on(void **state) {
    (void)state;
    OWN(keys) struct keys *first = open_keys(true);
    assert_int_equal(unlink(TEMPORARY("keys/release.key")), 0);
    OWN(keys) struct keys *again = open_keys(true);
    assert_true(sign_public_equal(sign_secret_public(keys_master(first)),
                                  sign_secret_public(keys_master(again))));
    assert_false(sign_public_equal(keys_release(first), keys_release(again)));
}

static void a_key_open_to_others_is_refused(void **state) {
    (void)state;
    make_state();
    assert_int_equal(chmod(TEMPORARY("keys/master.key"), 0644), 0);
    open_fails(ERR_DENIED, "open to other users");
}

static void a_publisher_stays_trusted(void **state) {
    (void)state;
    struct err error = {0};
    struct sign_public key;
    struct publisher found[KEYS_PUBLISHERS_MAX];
    OWN(keys) struct keys *k = open_keys(true);
    generate(&key);
    assert_int_equal(publishers_of(k), 0);
    assert_ok(keys_trust(k, &key, &error));
    assert_ok(keys_trust(k, &key, &error));
    assert_int_equal(publishers_of(k), 1);
    OWN(keys) struct keys *later = open_keys(false);
    assert_int_equal(keys_publishers(later, found), 1);
    assert_true(sign_public_equal(&found[0].key, &key));
    assert_true(found[0].trusted_at_ms > 0);
}

static void distrust_removes_the_file(void **state) {
    (void)state;
    struct err error = {0};
    char id[SIGN_KEY_ID_HEX_SIZE];
    struct sign_public key, other;
    make_state();
    generate(&key);
    generate(&other);
    put_public_key(&key, "trusted-keys/alice.pub"); /* named by an operator */
    put_public_key(&other, "trusted-keys/bob.pub");
    OWN(keys) struct keys *k = open_keys(false);
    assert_ok(keys_distrust(k, sign_key_id(&key, id), &error));
    assert_int_equal(access(TEMPORARY("trusted-keys/alice.pub"), F_OK), -1);
    assert_int_equal(publishers_of(k), 1);
    assert_false(keys_distrust(k, id, &error));
    assert_int_equal(error.code, ERR_NOT_FOUND);
    OWN(keys) struct keys *later = open_keys(false);
    assert_int_equal(publishers_of(later), 1);
}

static void a_damaged_publisher_stops_the_start(void **state) {
    (void)state;
    struct err error = {0};
    make_state();
    assert_ok(
        file_write_durable(TEMPORARY("trusted-keys/alice.pub"), "not a key\n", 10, 0644, &error));
    open_fails(ERR_CORRUPT, "alice.pub");
}

static void other_files_beside_publishers_do_no_harm(void **state) {
    (void)state;
    struct err error = {0};
    make_state();
    assert_ok(file_write_durable(TEMPORARY("trusted-keys/README"), "words\n", 6, 0644, &error));
    assert_ok(file_write_durable(TEMPORARY("trusted-keys/.a.pub"), "words\n", 6, 0644, &error));
    OWN(keys) struct keys *k = open_keys(false);
    assert_int_equal(publishers_of(k), 0);
}

static void the_grids_own_keys_are_no_publishers(void **state) {
    (void)state;
    struct err error = {0};
    OWN(keys) struct keys *k = open_keys(true);
    const struct sign_public *release = keys_release(k);
    assert_false(keys_trust(k, release, &error));
    assert_int_equal(error.code, ERR_CONFLICT);
    assert_false(keys_trust(k, sign_secret_public(keys_master(k)), &error));
    assert_int_equal(error.code, ERR_CONFLICT);
    put_public_key(release, "trusted-keys/release.pub");
    open_fails(ERR_CONFLICT, "the grid's own release key");
}

static void an_id_that_names_two_keys_is_refused(void **state) {
    (void)state;
    struct err error = {0};
    struct sign_public key, twin;
    OWN(keys) struct keys *k = open_keys(true);
    generate(&key);
    generate(&twin);
    memcpy(twin.id, keys_release(k)->id, sizeof twin.id);
    assert_false(keys_trust(k, &twin, &error));
    assert_int_equal(error.code, ERR_CONFLICT);
    assert_ok(keys_trust(k, &key, &error));
    memcpy(twin.id, key.id, sizeof twin.id);
    assert_false(keys_trust(k, &twin, &error));
    assert_int_equal(error.code, ERR_CONFLICT);
    put_public_key(&twin, "trusted-keys/twin.pub");
    open_fails(ERR_CONFLICT, "twin.pub");
}

static void publishers_have_a_limit(void **state) {
    (void)state;
    struct err error = {0};
    struct sign_public key;
    OWN(keys) struct keys *k = open_keys(true);
    for (int i = 0; i < KEYS_PUBLISHERS_MAX; i++) {
        generate(&key);
        assert_ok(keys_trust(k, &key, &error));
    }
    generate(&key);
    assert_false(keys_trust(k, &key, &error));
    assert_int_equal(error.code, ERR_CONFLICT);
    assert_int_equal(publishers_of(k), KEYS_PUBLISHERS_MAX);
}

struct changer {
    struct keys *keys;
    struct sign_public key;
};

static void *change_often(void *argument) {
    const struct changer *c = argument;
    char id[SIGN_KEY_ID_HEX_SIZE];
    struct err e;
    sign_key_id(&c->key, id);
    for (int i = 0; i < 20; i++) {
        if (!keys_trust(c->keys, &c->key, &e)) return argument;
        if (!keys_distrust(c->keys, id, &e) && e.code != ERR_NOT_FOUND) return argument;
    }
    return NULL;
}

static void memory_and_directory_agree_after_crossing_changes(void **state) {
    (void)state;
    pthread_t threads[4];
    OWN(keys) struct keys *k = open_keys(true);
    struct changer c = {.keys = k};
    generate(&c.key);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, change_often, &c), 0);
    for (size_t i = 0; i < 4; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    OWN(keys) struct keys *later = open_keys(false);
    assert_int_equal(publishers_of(k), publishers_of(later));
}

int main(void) {
    sign_setup();
    const struct CMUnitTest tests[] = {
        IN_TEMPORARY(first_start_makes_keys_that_stay),
        IN_TEMPORARY(keys_are_for_nobody_else),
        IN_TEMPORARY(a_missing_key_later_asks_for_the_backup),
        IN_TEMPORARY(an_interrupted_first_start_goes_on),
        IN_TEMPORARY(a_key_open_to_others_is_refused),
        IN_TEMPORARY(a_publisher_stays_trusted),
        IN_TEMPORARY(distrust_removes_the_file),
        IN_TEMPORARY(a_damaged_publisher_stops_the_start),
        IN_TEMPORARY(other_files_beside_publishers_do_no_harm),
        IN_TEMPORARY(the_grids_own_keys_are_no_publishers),
        IN_TEMPORARY(an_id_that_names_two_keys_is_refused),
        IN_TEMPORARY(publishers_have_a_limit),
        IN_TEMPORARY(memory_and_directory_agree_after_crossing_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
