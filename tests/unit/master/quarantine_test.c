/* Quarantine: in, out, and what it forbids meanwhile. */
#include "master/quarantine.h"

#include "master/audit.h"
#include "tests/unit/master/master_fixture.h"

static bool add(struct db_connection *c, void *argument, struct err *e) {
    return quarantine_add(c, argument, e);
}

static void put(struct fixture *f, const struct binary *b, const char *reason) {
    struct err error;
    struct quarantined q = {.rollout = 4, .at_ms = 1000};
    snprintf(q.sha256, sizeof q.sha256, "%s", b->sha256);
    snprintf(q.artifact, sizeof q.artifact, "%s", b->id.name);
    snprintf(q.version, sizeof q.version, "%s", b->id.version);
    snprintf(q.reason, sizeof q.reason, "%s", reason);
    assert_ok(db_write(f->db, add, &q, &error));
}

static void channel_leads_there_again_once_it_is_lifted(void **state) {
    struct fixture *f = *state;
    struct err error;
    struct binary first, second;
    struct channel channel;
    struct quarantined found;
    fixture_publish(f, "1.0.0", &first);
    fixture_publish(f, "1.1.0", &second);
    put(f, &second, "failed on a-1");
    assert_false(channels_set(f->db, "stable", "storage-server", "1.1.0", "t", &channel, &error));
    assert_int_equal(error.code, ERR_CONFLICT);
    assert_non_null(strstr(error.text, "failed in rollout r-4"));
    assert_null(strstr(error.text, "a-1")); /* who may not see the machine reads this, too */
    assert_non_null(strstr(error.hint, second.sha256));
    assert_ok(channels_set(f->db, "beta", "storage-server", "1.0.0", "t", &channel, &error));
    assert_ok(quarantine_find(f->db, second.sha256, &found, &error));
    assert_int_equal(found.rollout, 4);
    assert_ok(quarantine_lift(f->db, second.sha256, "token:op", &error));
    assert_ok(channels_set(f->db, "stable", "storage-server", "1.1.0", "t", &channel, &error));
    assert_false(quarantine_lift(f->db, second.sha256, "token:op", &error));
    assert_int_equal(error.code, ERR_NOT_FOUND);
    assert_ok(audit_check(f->db, &error));
}

static void agents_of_a_channel_that_leads_there_keep_what_they_run(void **state) {
    struct fixture *f = *state;
    struct err error;
    struct binary binary;
    struct desired_choice why;
    fixture_publish(f, "1.0.0", &binary);
    fixture_agent(f, "a-1");
    put(f, &binary, "failed");
    assert_ok(agents_refresh(f->agents, &error));
    assert_ok(agents_why(f->agents, "a-1", "storage-server", &why, &error));
    assert_string_equal(why.sha256, "");
    assert_non_null(strstr(why.reason, "quarantined"));
}

static void second_failure_keeps_the_first_reason(void **state) {
    struct fixture *f = *state;
    struct err error;
    struct binary binary;
    struct quarantined found;
    fixture_publish(f, "1.0.0", &binary);
    put(f, &binary, "first");
    put(f, &binary, "second");
    assert_ok(quarantine_find(f->db, binary.sha256, &found, &error));
    assert_string_equal(found.reason, "first");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(channel_leads_there_again_once_it_is_lifted, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(agents_of_a_channel_that_leads_there_keep_what_they_run,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(second_failure_keeps_the_first_reason, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests_name("master/quarantine", tests, NULL, NULL);
}
