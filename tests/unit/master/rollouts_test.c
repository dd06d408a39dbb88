/* Rollouts over a real database: begun, stepped, ordered, written whole or not at all, and found
 * again by the next master. */
#include "tests/unit/master/rollouts_fixture.h"

#include "master/audit.h"
#include "master/quarantine.h"

static void good_rollout_moves_everybody_and_stays_decided(void **state) {
    struct grid *g = *state;
    int64_t number = grid_begin(g, "1.1.0", "");
    struct seen s = grid_until(g, number, ROLLOUT_COMPLETED);
    assert_int_equal(s.member_count, 3);
    assert_int_equal(s.domain_count, 2);
    assert_true(s.finished_at_ms > 0);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(s.members[i], MEMBER_COMMITTED);
        assert_string_equal(s.agents[i].from_version, "1.0.0");
        assert_string_equal(g->machines[i].version, "1.1.0");
    }
    struct agent_view v = grid_agent(g, "a-1");
    assert_int_equal(v.desired_rule, DESIRED_COMPLETED);
    assert_non_null(strstr(v.desired_reason, "r-1"));
    assert_int_equal(grid_events(g, "rollout.started"), 1);
    assert_int_equal(grid_events(g, "rollout.agent.granted"), 3);
    assert_int_equal(grid_events(g, "rollout.agent.committed"), 3);
    assert_int_equal(grid_events(g, "rollout.completed"), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(good_rollout_moves_everybody_and_stays_decided, grid_setup,
                                        grid_teardown),
    };
    return cmocka_run_group_tests_name("master/rollouts", tests, NULL, NULL);
}
