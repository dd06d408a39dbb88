/* What a plan predicts: batches, who is left aside, what a bad version reaches. */
#include "master/rollout_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/master/rollout_fixture.h"

static const char *const racks[] = {"a", "b", "c"};

static void plan_of(const struct fleet *f, size_t domains, struct rollout_plan *out) {
    rollout_plan_make(out, &f->rollout, racks, domains);
}

static void expect_batch(const struct rollout_plan *plan, size_t i, int64_t number,
                         enum rollout_plan_kind kind, int32_t domain, size_t count) {
    assert_true(i < plan->batch_count);
    assert_int_equal(plan->batches[i].number, number);
    assert_string_equal(rollout_plan_kind_name(plan->batches[i].kind),
                        rollout_plan_kind_name(kind));
    assert_int_equal(plan->batches[i].domain, domain);
    assert_int_equal(plan->batches[i].count, count);
}

static void canary_comes_first_then_domain_after_domain(void **state) {
    (void)state;
    struct fleet f;
    struct rollout_plan plan;
    fleet_init(&f, 9, 3, usual_policy());
    f.rollout.policy.max_parallel = (struct rollout_amount){2, false};
    plan_of(&f, 3, &plan);
    assert_int_equal(plan.batch_count, 6);
    expect_batch(&plan, 0, 1, PLAN_CANARY, 0, 1);
    expect_batch(&plan, 1, 2, PLAN_ROLLING, 0, 2);
    expect_batch(&plan, 2, 3, PLAN_ROLLING, 1, 2);
    expect_batch(&plan, 3, 4, PLAN_ROLLING, 1, 1);
    expect_batch(&plan, 5, 6, PLAN_ROLLING, 2, 1);
    assert_int_equal(plan.ends, ROLLOUT_COMPLETED);
    assert_int_equal(plan.at_once, 2);
    assert_int_equal(plan.before_first_check, 1);
    assert_int_equal(plan.before_revert, 2);
    assert_non_null(strstr(plan.words, "9 agents selected"));
    assert_non_null(strstr(plan.words, "At most 2 are down at a time, of one failure domain"));
    assert_non_null(strstr(plan.words, ": a, b, c."));
    rollout_plan_clear(&plan);
    fleet_fini(&f);
}

static void nothing_of_the_draft_is_changed(void **state) {
    (void)state;
    struct fleet f;
    struct rollout_plan plan;
    fleet_init(&f, 4, 1, usual_policy());
    f.rollout.members[2].facts.staged = false;
    struct rollout_member before[4];
    memcpy(before, f.rollout.members, sizeof before);
    plan_of(&f, 1, &plan);
    assert_memory_equal(f.rollout.members, before, sizeof before);
    assert_int_equal(f.rollout.state, ROLLOUT_DRAFT);
    assert_int_equal(plan.batch_count, 4); /* bytes that are not there yet will be */
    rollout_plan_clear(&plan);
    fleet_fini(&f);
}

static void machines_left_aside_are_named_with_the_cause(void **state) {
    (void)state;
    struct fleet f;
    struct rollout_plan plan;
    fleet_init(&f, 6, 1, usual_policy());
    f.rollout.members[1].facts.pinned = true;
    f.rollout.members[2].facts.online = false;
    f.rollout.members[3].facts.draining = true;
    f.rollout.members[4].facts.has_build = false;
    plan_of(&f, 1, &plan);
    assert_int_equal(plan.selected, 4);
    assert_int_equal(plan.excluded_count, 2);
    assert_int_equal(plan.excluded[0].member, 1);
    assert_int_equal(plan.excluded[0].cause, CAUSE_PINNED);
    assert_int_equal(plan.excluded[1].cause, CAUSE_NO_BUILD);
    assert_int_equal(plan.deferred_count, 2);
    assert_int_equal(plan.deferred[0].cause, CAUSE_AWAY);
    assert_int_equal(plan.deferred[1].cause, CAUSE_DRAINING);
    assert_int_equal(plan.batch_count, 2);
    assert_non_null(strstr(plan.words, "2 cannot move now"));
    rollout_plan_clear(&plan);
    fleet_fini(&f);
}

static void machines_that_do_not_work_move_beside_a_batch(void **state) {
    (void)state;
    struct fleet f;
    struct rollout_plan plan;
    fleet_init(&f, 5, 1, usual_policy());
    f.rollout.members[3].facts.works = false;
    f.rollout.members[4].facts.works = false;
    plan_of(&f, 1, &plan);
    expect_batch(&plan, 0, 1, PLAN_CANARY, 0, 1);
    expect_batch(&plan, 1, 2, PLAN_BROKEN, 0, 2);
    expect_batch(&plan, 2, 2, PLAN_ROLLING, 0, 1);
    expect_batch(&plan, 3, 3, PLAN_ROLLING, 0, 1);
    assert_int_equal(plan.at_once, 3);
    rollout_plan_clear(&plan);
    fleet_fini(&f);
}

static void failures_that_are_borne_widen_what_a_bad_version_reaches(void **state) {
    (void)state;
    struct fleet f;
    struct rollout_plan plan;
    fleet_init(&f, 20, 1, usual_policy());
    f.rollout.policy.canary.value = 0;
    f.rollout.policy.max_parallel = (struct rollout_amount){20, true};
    f.rollout.policy.max_failures = 5;
    plan_of(&f, 1, &plan);
    assert_int_equal(plan.max_parallel, 4);
    assert_int_equal(plan.before_first_check, 4);
    assert_int_equal(plan.before_revert, 8);
    assert_non_null(strstr(plan.words, "more than 5 have failed"));
    rollout_plan_clear(&plan);
    fleet_fini(&f);
}

static void fleet_that_cannot_be_reached_is_told(void **state) {
    (void)state;
    struct fleet f;
    struct rollout_plan plan;
    fleet_init(&f, 3, 1, usual_policy());
    for (size_t i = 0; i < 3; i++) f.rollout.members[i].facts.online = false;
    plan_of(&f, 1, &plan);
    assert_int_equal(plan.batch_count, 0);
    assert_int_not_equal(plan.ends, ROLLOUT_COMPLETED);
    assert_non_null(strstr(plan.words, "waits in prefetch (away)"));
    rollout_plan_clear(&plan);
    fleet_fini(&f);
}

static void promotion_by_a_person_is_not_waited_for(void **state) {
    (void)state;
    struct fleet f;
    struct rollout_plan plan;
    fleet_init(&f, 4, 1, usual_policy());
    f.rollout.policy.auto_promote_ms = ROLLOUT_NEVER;
    plan_of(&f, 1, &plan);
    assert_int_equal(plan.batch_count, 4);
    assert_non_null(strstr(plan.words, "until somebody promotes it"));
    rollout_plan_clear(&plan);
    fleet_fini(&f);
}

static void long_plans_are_cut_and_the_rest_is_counted(void **state) {
    (void)state;
    struct fleet f;
    struct rollout_plan plan;
    fleet_init(&f, 1200, 1, usual_policy());
    plan_of(&f, 1, &plan);
    assert_int_equal(plan.batch_count, ROLLOUT_PLAN_BATCHES_MAX);
    assert_int_equal(plan.rest, 1200 - ROLLOUT_PLAN_BATCHES_MAX);
    assert_int_equal(plan.ends, ROLLOUT_COMPLETED);
    assert_non_null(strstr(plan.words, "200 more follow"));
    rollout_plan_clear(&plan);
    fleet_fini(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canary_comes_first_then_domain_after_domain),
        cmocka_unit_test(nothing_of_the_draft_is_changed),
        cmocka_unit_test(machines_left_aside_are_named_with_the_cause),
        cmocka_unit_test(machines_that_do_not_work_move_beside_a_batch),
        cmocka_unit_test(failures_that_are_borne_widen_what_a_bad_version_reaches),
        cmocka_unit_test(fleet_that_cannot_be_reached_is_told),
        cmocka_unit_test(promotion_by_a_person_is_not_waited_for),
        cmocka_unit_test(long_plans_are_cut_and_the_rest_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
