/* Rollouts whose version is withdrawn while they run. */
#include "tests/unit/master/rollouts_fixture.h"

static void yank(struct grid *g, const char *version) {
    struct err error;
    struct artifact_name id = {.name = "storage-server", .platform = "linux", .arch = "any"};
    snprintf(id.version, sizeof id.version, "%s", version);
    assert_ok(catalog_yank(g->f->catalog, &id, "test", &error));
    assert_ok(agents_refresh(g->f->agents, &error));
}

static void version_that_is_withdrawn_is_granted_no_more_and_the_reason_is_said(void **state) {
    struct grid *g = *state;
    struct err error;
    g->machines[0].stays = true;
    int64_t number = grid_begin(g, "1.1.0", "");
    (void)grid_until(g, number, ROLLOUT_CANARY);
    for (int i = 0; i < 20 && grid_agent(g, "a-1").grant.lease_ms == 0; i++) grid_round(g);
    assert_int_equal(grid_agent(g, "a-1").grant.lease_ms, ROLLOUT_LEASE_MS);
    yank(g, "1.1.0");
    grid_round(g);
    struct seen s = grid_seen(g, number);
    assert_int_equal(s.state, ROLLOUT_PAUSED);
    assert_int_equal(s.cause, CAUSE_WITHDRAWN);
    assert_non_null(strstr(s.reason, "yanked"));
    assert_int_equal(grid_agent(g, "a-1").grant.lease_ms, 0);
    assert_string_equal(grid_agent(g, "b-1").staged_version, "");
    assert_false(rollouts_order(g->rollouts, number, ROLLOUT_RESUME, "token:op", &error));
    assert_int_equal(error.code, ERR_CONFLICT);
    assert_non_null(strstr(error.text, "1.1.0"));
    assert_non_null(strstr(error.hint, "gridctl rollout rollback r-1"));
    assert_int_equal(grid_events(g, "rollout.agent.granted"), 1);
    assert_ok(rollouts_order(g->rollouts, number, ROLLOUT_ROLLBACK, "token:op", &error));
    (void)grid_until(g, number, ROLLOUT_REVERTED);
}

static void next_master_knows_that_the_version_is_withdrawn(void **state) {
    struct grid *g = *state;
    struct err error;
    g->machines[0].stays = true;
    int64_t number = grid_begin(g, "1.1.0", "");
    (void)grid_until(g, number, ROLLOUT_CANARY);
    yank(g, "1.1.0");
    grid_restart(g);
    (void)grid_until(g, number, ROLLOUT_PAUSED);
    grid_restart(g);
    grid_round(g);
    assert_false(rollouts_order(g->rollouts, number, ROLLOUT_RESUME, "token:op", &error));
    assert_int_equal(grid_seen(g, number).cause, CAUSE_WITHDRAWN);
}

static void build_that_no_member_needs_may_be_withdrawn(void **state) {
    struct grid *g = *state;
    struct binary binary;
    struct err error;
    grid_publish_for(g, "1.1.0", "aarch64", &binary);
    int64_t number = grid_begin(g, "1.1.0", "");
    (void)grid_until(g, number, ROLLOUT_CANARY);
    assert_ok(catalog_yank(g->f->catalog, &binary.id, "test", &error));
    assert_ok(agents_refresh(g->f->agents, &error));
    (void)grid_until(g, number, ROLLOUT_COMPLETED);
}

static void straggler_of_a_version_that_was_withdrawn_is_granted_no_more(void **state) {
    struct grid *g = *state;
    grid_lose_third(g);
    int64_t number = grid_begin(g, "1.1.0", "");
    (void)grid_until(g, number, ROLLOUT_COMPLETED);
    yank(g, "1.1.0");
    g->machines[2].silent = false;
    for (int i = 0; i < 5; i++) {
        g->now_ms += 1000;
        grid_round(g);
    }
    assert_int_equal(grid_seen(g, number).hold, CAUSE_WITHDRAWN);
    assert_int_equal(grid_seen(g, number).members[2], MEMBER_DEFERRED);
}

static void straggler_of_another_build_follows_when_that_of_the_others_is_withdrawn(void **state) {
    struct grid *g = *state;
    struct binary binary;
    struct err error;
    grid_publish_for(g, "1.1.0", "aarch64", &binary);
    g->machines[2].arch = "aarch64";
    machine_lives(g, &g->machines[2]);
    assert_ok(agents_flush(g->f->agents, &error));
    grid_lose_third(g);
    int64_t number = grid_begin(g, "1.1.0", "");
    (void)grid_until(g, number, ROLLOUT_COMPLETED);
    yank(g, "1.1.0");
    assert_false(rollouts_order(g->rollouts, number, ROLLOUT_RESUME, "token:op", &error));
    assert_null(strstr(error.text, "yanked"));
    g->machines[2].silent = false;
    for (int i = 0; i < 200 && grid_seen(g, number).members[2] != MEMBER_COMMITTED; i++) {
        g->now_ms += 1000;
        grid_round(g);
    }
    assert_int_equal(grid_seen(g, number).members[2], MEMBER_COMMITTED);
    assert_string_equal(g->machines[2].sha256, binary.sha256);
}

#define T(name) cmocka_unit_test_setup_teardown(name, grid_setup, grid_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(version_that_is_withdrawn_is_granted_no_more_and_the_reason_is_said),
        T(next_master_knows_that_the_version_is_withdrawn),
        T(build_that_no_member_needs_may_be_withdrawn),
        T(straggler_of_a_version_that_was_withdrawn_is_granted_no_more),
        T(straggler_of_another_build_follows_when_that_of_the_others_is_withdrawn),
    };
    return cmocka_run_group_tests_name("master/rollouts_withdrawn", tests, NULL, NULL);
}
