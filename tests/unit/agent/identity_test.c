#include "agent/identity.h"

#include "tests/unit/agent/agent_fixture.h"

static struct identity make_identity(void) {
    struct identity who = {.agent_id = "agent-1", .master_host = "::1", .master_port = 7123};
    assert_ok(identity_key(&place.state, &who.key, &place.e));
    who.master_key = *sign_secret_public(place.key);
    who.release_key = *sign_secret_public(who.key);
    return who;
}

static void a_second_agent_is_told_who_holds_the_directory(void **unused) {
    (void)unused;
    struct state second;
    char pid[32];
    assert_false(state_open(&second, place.state.root, &place.e));
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    assert_err(ERR_CONFLICT, pid);
    assert_err(ERR_CONFLICT, "--state");
    state_close(&place.state);
    assert_ok(state_open(&second, place.state.root, &place.e));
    state_close(&second);
}

static void the_state_directory_is_private(void **unused) {
    (void)unused;
    struct stat status;
    assert_int_equal(stat(place.state.root, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
}

static void an_identity_comes_back_as_it_was_saved(void **unused) {
    (void)unused;
    struct identity who = make_identity();
    struct identity again;
    assert_false(identity_enrolled(&place.state));
    assert_ok(identity_save(&place.state, &who, &place.e));
    assert_true(identity_enrolled(&place.state));
    assert_ok(identity_load(&place.state, &again, &place.e));
    assert_string_equal(again.agent_id, "agent-1");
    assert_string_equal(again.master_host, "::1");
    assert_int_equal(again.master_port, 7123);
    assert_true(sign_public_equal(&again.master_key, &who.master_key));
    assert_true(sign_public_equal(&again.release_key, &who.release_key));
    assert_true(sign_public_equal(sign_secret_public(again.key), sign_secret_public(who.key)));
    identity_fini(&who);
    identity_fini(&again);
}

static void trust_comes_back_as_the_join_string_told_it(void **unused) {
    (void)unused;
    struct identity who = make_identity();
    struct identity again;
    char path[STATE_PATH_SIZE];
    who.root_version = 12;
    memset(who.root_sha256, 'a', sizeof who.root_sha256 - 1);
    who.ca_pem = text_duplicate("-----BEGIN CERTIFICATE-----\n");
    assert_ok(identity_save(&place.state, &who, &place.e));
    assert_ok(identity_load(&place.state, &again, &place.e));
    assert_int_equal(again.root_version, 12);
    assert_string_equal(again.root_sha256, who.root_sha256);
    assert_string_equal(again.ca_pem, who.ca_pem);
    identity_fini(&again);
    state_path(&place.state, path, "identity/root");
    assert_ok(file_write_durable(path, "12.b\n", 5, 0600, &place.e));
    assert_false(identity_load(&place.state, &again, &place.e));
    assert_err(ERR_CORRUPT, "identity/root");
    identity_fini(&who);
}

static void without_trust_an_identity_has_none(void **unused) {
    (void)unused;
    struct identity who = make_identity();
    struct identity again;
    assert_ok(identity_save(&place.state, &who, &place.e));
    assert_ok(identity_load(&place.state, &again, &place.e));
    assert_int_equal(again.root_version, 0);
    assert_null(again.ca_pem);
    identity_fini(&again);
    identity_fini(&who);
}

static void assert_kept(const struct identity *who, bool the_same) {
    struct identity kept = {0};
    assert_ok(identity_settle(&place.state, &place.e));
    assert_ok(identity_load(&place.state, &kept, &place.e));
    assert_int_equal(sign_public_equal(sign_secret_public(kept.key), sign_secret_public(who->key)),
                     the_same);
    assert_string_equal(kept.token_id, the_same ? who->token_id : "");
    identity_fini(&kept);
}

static void an_identity_put_aside_comes_back(void **unused) {
    (void)unused;
    struct identity who = make_identity();
    struct identity next = {0};
    snprintf(who.token_id, sizeof who.token_id, "0123456789abcdef");
    assert_ok(identity_save(&place.state, &who, &place.e));
    assert_ok(identity_settle(&place.state, &place.e));
    assert_ok(identity_put_aside(&place.state, &place.e));
    assert_false(identity_enrolled(&place.state));
    assert_ok(identity_key(&place.state, &next.key, &place.e)); /* as far as it came */
    assert_kept(&who, true);
    identity_fini(&next);
    identity_fini(&who);
}

static void an_identity_put_aside_stays_there_when_another_took_its_place(void **unused) {
    (void)unused;
    struct identity who = make_identity();
    assert_ok(identity_save(&place.state, &who, &place.e));
    assert_ok(identity_put_aside(&place.state, &place.e));
    struct identity next = make_identity();
    assert_ok(identity_save(&place.state, &next, &place.e));
    assert_kept(&who, false);
    assert_kept(&next, true);
    identity_fini(&next);
    identity_fini(&who);
}

static void the_key_is_made_once(void **unused) {
    (void)unused;
    struct sign_secret *first = NULL;
    struct sign_secret *second = NULL;
    char path[STATE_PATH_SIZE];
    struct stat status;
    assert_ok(identity_key(&place.state, &first, &place.e));
    assert_ok(identity_key(&place.state, &second, &place.e));
    assert_true(sign_public_equal(sign_secret_public(first), sign_secret_public(second)));
    assert_int_equal(stat(state_path(&place.state, path, "identity/agent.key"), &status), 0);
    assert_int_equal(status.st_mode & 077, 0);
    sign_secret_free(first);
    sign_secret_free(second);
}

static void damage_names_the_file_and_the_way_out(void **unused) {
    (void)unused;
    static const char *const parts[] = {"agent.key", "master.pub", "release.pub", "address", "id"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char path[STATE_PATH_SIZE];
        struct identity who = make_identity();
        struct identity again;
        assert_ok(identity_save(&place.state, &who, &place.e));
        write_file(state_path(&place.state, path, "identity/%s", parts[i]), "", 0);
        assert_false(identity_load(&place.state, &again, &place.e));
        assert_int_equal(place.e.code, ERR_CORRUPT);
        assert_non_null(strstr(place.e.hint, "enroll again"));
        unlink(path);
        identity_fini(&who);
    }
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup_place, teardown_place)
    const struct CMUnitTest tests[] = {
        TEST(a_second_agent_is_told_who_holds_the_directory),
        TEST(the_state_directory_is_private),
        TEST(an_identity_comes_back_as_it_was_saved),
        TEST(trust_comes_back_as_the_join_string_told_it),
        TEST(without_trust_an_identity_has_none),
        TEST(an_identity_put_aside_comes_back),
        TEST(an_identity_put_aside_stays_there_when_another_took_its_place),
        TEST(the_key_is_made_once),
        TEST(damage_names_the_file_and_the_way_out),
    };
    return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
