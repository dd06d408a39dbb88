/* The rollout engine going forward: gates, order, budget, holds, pauses and ends. */
#include "master/rollout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/master/rollout_fixture.h"

static void good_version_reaches_everybody(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 8, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_int_equal(fleet_count(&f, MEMBER_COMMITTED), 8);
    assert_int_equal(f.most_in_flight, 1);
    assert_false(rollout_is_live(&f.rollout));
    fleet_fini(&f);
}

static void canary_that_exits_turns_the_rollout_back(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 8, 1, usual_policy());
    f.agents[0].nature = EXITS;
    fleet_run_until(&f, ROLLOUT_REVERTED);
    assert_int_equal(f.rollout.cause, CAUSE_VERSION);
    assert_int_equal(fleet_count(&f, MEMBER_WAITING), 7);
    fleet_fini(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_version_reaches_everybody),
        cmocka_unit_test(canary_that_exits_turns_the_rollout_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
