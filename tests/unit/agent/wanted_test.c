#include "agent/wanted.h"

#include "tests/unit/agent/agent_fixture.h"

#define DIGEST "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define FILE_NAME "storage-server-1.0.0-linux-x86_64"
#define DESIRED(generation, mode)                                                                  \
    "{\"type\":\"desired\",\"generation\":" #generation ",\"mode\":\"" mode                        \
    "\",\"name\":\"storage-server\",\"version\":\"1.0.0\",\"sha256\":\"" DIGEST                    \
    "\",\"size_bytes\":10,\"file\":\"" FILE_NAME                                                   \
    "\",\"signature\":\"sig\",\"nodes\":[{\"id\":\"a/0\","                                         \
    "\"restart_generation\":7}]}"
#define GRANTED                                                                                    \
    "{\"type\":\"desired\",\"generation\":4,\"mode\":\"active\",\"version\":\"1.0.0\",\"sha256\":" \
    "\"" DIGEST "\",\"size_bytes\":10,\"file\":\"" FILE_NAME                                       \
    "\",\"grant\":{\"rollout\":\"r-1\",\"attempt\":1,\"lease_ms\":30000}}"

static struct wanted wanted;

static int setup(void **unused) {
    setup_place(unused);
    wanted_load(&wanted, &place.state);
    return 0;
}

static int teardown(void **unused) {
    wanted_fini(&wanted);
    return teardown_place(unused);
}

static void nothing_is_desired_at_first(void **unused) {
    (void)unused;
    struct version v = {0};
    wanted_version(&wanted, &v);
    assert_string_equal(v.sha256, "");
    assert_int_equal(wanted.desired.generation, 0);
    assert_false(wanted_draining(&wanted));
}

static void what_is_taken_outlives_the_agent(void **unused) {
    (void)unused;
    struct version v = {0};
    assert_true(wanted_take(&wanted, &place.state, DESIRED(3, "draining"), 0));
    wanted_fini(&wanted);
    wanted_load(&wanted, &place.state);
    assert_int_equal(wanted.desired.generation, 3);
    assert_true(wanted_draining(&wanted));
    assert_int_equal(wanted_restart(&wanted, "a/0"), 7);
    assert_int_equal(wanted_restart(&wanted, "a/1"), 0);
    wanted_version(&wanted, &v);
    assert_string_equal(v.sha256, DIGEST);
    assert_string_equal(v.file, FILE_NAME);
    assert_string_equal(v.signature, "sig");
    assert_int_equal(v.size_bytes, 10);
    version_clear(&v);
}

static void the_same_and_older_states_change_nothing(void **unused) {
    (void)unused;
    assert_true(wanted_take(&wanted, &place.state, DESIRED(3, "active"), 0));
    assert_false(wanted_take(&wanted, &place.state, DESIRED(3, "active"), 0));
    assert_false(wanted_take(&wanted, &place.state, DESIRED(2, "draining"), 0));
    assert_false(wanted_draining(&wanted));
    assert_true(wanted_take(&wanted, &place.state, DESIRED(3, "draining"), 0));
    assert_true(wanted_take(&wanted, &place.state, DESIRED(4, "active"), 0));
}

static void the_credential_of_each_answer_is_kept_in_memory_only(void **unused) {
    (void)unused;
    char path[STATE_PATH_SIZE], with_token[sizeof DESIRED(3, "active") + 64];
    OWN_TEXT struct text kept = TEXT_EMPTY;
    snprintf(with_token, sizeof with_token, "{\"download_token\":\"gd_first\",%s",
             &DESIRED(3, "active")[1]);
    assert_true(wanted_take(&wanted, &place.state, with_token, 0));
    assert_string_equal(wanted.download_token, "gd_first");
    assert_ok(file_read(state_path(&place.state, path, "desired.json"), 4096, &kept, &place.e));
    assert_null(strstr(kept.data, "gd_"));
    memcpy(strstr(with_token, "first"), "other", 5);
    assert_false(wanted_take(&wanted, &place.state, with_token, 0));
    assert_string_equal(wanted.download_token, "gd_other");
    assert_false(wanted_take(&wanted, &place.state, DESIRED(3, "active"), 0));
    assert_string_equal(wanted.download_token, "");
}

static void nonsense_is_refused_and_the_old_state_stays(void **unused) {
    (void)unused;
    static const char *const nonsense[] = {
        "",
        "{}",
        "[]",
        "{\"type\":\"desired\",\"generation\":9,\"mode\":\"active\",\"version\":\"1.0.0\","
        "\"sha256\":\"x\",\"size_bytes\":1,\"file\":"
        "\"" FILE_NAME "\"}",
        "{\"type\":\"desired\",\"generation\":9,\"mode\":\"active\",\"version\":\"1.0.0\","
        "\"sha256\":\"" DIGEST "\",\"size_bytes\":1,\"file\":\"../../etc/passwd\"}",
        "{\"type\":\"desired\",\"generation\":9,\"mode\":\"active\",\"version\":\"1.0.0\","
        "\"sha256\":\"" DIGEST "\",\"size_bytes\":0,\"file\":\"" FILE_NAME "\"}",
    };
    assert_true(wanted_take(&wanted, &place.state, DESIRED(3, "active"), 0));
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        assert_false(wanted_take(&wanted, &place.state, nonsense[i], 0));
        assert_int_equal(wanted.desired.generation, 3);
    }
}

static void a_damaged_file_is_as_none(void **unused) {
    (void)unused;
    char path[STATE_PATH_SIZE];
    write_file(state_path(&place.state, path, "desired.json"), "{\"type\":", 8);
    wanted_fini(&wanted);
    wanted_load(&wanted, &place.state);
    assert_int_equal(wanted.desired.generation, 0);
}

static struct reconcile_grant grant_of(int64_t asleep_ms) {
    struct reconcile_grant grant;
    wanted_grant(&wanted, asleep_ms, &grant);
    return grant;
}

static void a_lease_counts_from_its_latest_answer(void **unused) {
    (void)unused;
    assert_true(wanted_take(&wanted, &place.state, GRANTED, 1000));
    assert_true(grant_of(0).given);
    assert_int_equal(grant_of(0).lease_until_ms, 31000);
    assert_false(wanted_take(&wanted, &place.state, GRANTED, 5000));
    assert_int_equal(grant_of(0).lease_until_ms, 35000);
}

/* It was given to an agent that had just asked: what is on disk says nothing of that. */
static void no_lease_outlives_the_agent(void **unused) {
    (void)unused;
    assert_true(wanted_take(&wanted, &place.state, GRANTED, 1000));
    wanted_fini(&wanted);
    wanted_load(&wanted, &place.state);
    assert_true(grant_of(0).given);
    assert_int_equal(grant_of(0).lease_until_ms, INT64_MIN);
    assert_false(wanted_take(&wanted, &place.state, GRANTED, 2000));
    assert_int_equal(grant_of(0).lease_until_ms, 32000);
}

static void a_lease_runs_out_while_the_machine_sleeps(void **unused) {
    (void)unused;
    assert_true(wanted_take(&wanted, &place.state, GRANTED, 1000));
    assert_int_equal(grant_of(3600000).lease_until_ms, 31000 - 3600000);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_lease_counts_from_its_latest_answer),
        TEST(no_lease_outlives_the_agent),
        TEST(a_lease_runs_out_while_the_machine_sleeps),
        TEST(nothing_is_desired_at_first),
        TEST(what_is_taken_outlives_the_agent),
        TEST(the_same_and_older_states_change_nothing),
        TEST(the_credential_of_each_answer_is_kept_in_memory_only),
        TEST(nonsense_is_refused_and_the_old_state_stays),
        TEST(a_damaged_file_is_as_none),
    };
    return cmocka_run_group_tests_name("wanted", tests, NULL, NULL);
}
