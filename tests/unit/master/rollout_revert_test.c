/* The rollout engine going back: by itself, by order, and when machines cannot. */
#include "master/rollout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/master/rollout_fixture.h"

static void canary_that_exits_turns_the_rollout_back(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 8, 1, usual_policy());
    f.agents[0].nature = EXITS;
    fleet_run_until(&f, ROLLOUT_REVERTED);
    assert_int_equal(f.rollout.cause, CAUSE_VERSION);
    assert_int_equal(fleet_state(&f, 0), MEMBER_RETURNED);
    assert_int_equal(fleet_member(&f, 0)->cause, CAUSE_VERSION);
    assert_int_equal(fleet_member(&f, 0)->attempt, 1); /* it went back by itself */
    assert_int_equal(fleet_count(&f, MEMBER_WAITING), 7);
    assert_int_equal(f.rollout.turns, 1);
    fleet_fini(&f);
}

static void canary_fails_whatever_number_of_failures_is_borne(void **state) {
    (void)state;
    struct fleet f;
    struct rollout_policy policy = usual_policy();
    policy.max_failures = 5;
    fleet_init(&f, 8, 1, policy);
    f.agents[0].nature = EXITS;
    fleet_run_until(&f, ROLLOUT_REVERTED);
    fleet_fini(&f);
}

static void failures_that_are_borne_do_not_stop_it(void **state) {
    (void)state;
    struct fleet f;
    struct rollout_policy policy = usual_policy();
    policy.max_failures = 2;
    fleet_init(&f, 8, 1, policy);
    f.agents[2].nature = EXITS;
    f.agents[5].nature = EXITS;
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_int_equal(fleet_count(&f, MEMBER_FAILED), 2);
    fleet_fini(&f);
    fleet_init(&f, 8, 1, policy);
    for (size_t i = 2; i < 5; i++) f.agents[i].nature = EXITS;
    fleet_run_until(&f, ROLLOUT_REVERTED);
    assert_int_equal(fleet_count(&f, MEMBER_RETURNED), 5);
    fleet_fini(&f);
}

static void machine_that_vanishes_after_its_grant_is_a_failure(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    f.agents[1].nature = VANISHES;
    fleet_run_until(&f, ROLLOUT_REVERTING);
    assert_int_equal(f.rollout.cause, CAUSE_SILENT);
    fleet_run_until(&f, ROLLOUT_REVERT_STUCK);
    assert_int_equal(fleet_state(&f, 0), MEMBER_RETURNED);
    assert_int_equal(fleet_state(&f, 1), MEMBER_RETURN_FAILED);
    assert_int_equal(fleet_member(&f, 1)->cause, CAUSE_AWAY);
    assert_true(rollout_is_live(&f.rollout));
    f.agents[1].nature = GOOD;
    fleet_member(&f, 1)->facts.online = true;
    fleet_member(&f, 1)->facts.lost = false;
    fleet_run_until(&f, ROLLOUT_REVERTED);
    fleet_fini(&f);
}

static void machine_that_was_never_heard_of_after_its_grant_is_a_failure_too(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    f.agents[1].nature = DEAF;
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_run_for(&f, 1000);
    fleet_member(&f, 1)->facts.online = false;
    fleet_run_until(&f, ROLLOUT_REVERTING);
    assert_int_equal(f.rollout.cause, CAUSE_SILENT);
    fleet_fini(&f);
}

static void silent_machine_that_says_it_went_back_is_let_stay(void **state) {
    (void)state;
    struct fleet f;
    struct rollout_policy policy = usual_policy();
    policy.max_failures = 1;
    fleet_init(&f, 4, 1, policy);
    f.agents[1].nature = VANISHES;
    fleet_run_until(&f, ROLLOUT_ROLLING);
    while (fleet_state(&f, 1) != MEMBER_FAILED) fleet_tick(&f);
    fleet_member(&f, 1)->facts.online = true;
    agent_end(&fleet_member(&f, 1)->facts, PROGRESS_WENT_BACK, CAUSE_VERSION);
    fleet_tick(&f);
    assert_int_equal(fleet_member(&f, 1)->cause, CAUSE_VERSION);
    assert_int_equal(rollout_orders(&f.rollout, fleet_member(&f, 1)).told, TOLD_ORIGIN);
    fleet_fini(&f);
}

static void machine_that_goes_away_on_its_return_comes_back_later(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 3, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_true(fleet_event(&f, ROLLOUT_ROLLBACK));
    f.agents[2].nature = DEAF;
    fleet_tick(&f);
    assert_int_equal(fleet_state(&f, 2), MEMBER_RETURNING);
    fleet_member(&f, 2)->facts.online = false;
    fleet_run_until(&f, ROLLOUT_REVERT_STUCK);
    assert_int_equal(fleet_member(&f, 2)->cause, CAUSE_AWAY);
    f.agents[2].nature = GOOD;
    fleet_member(&f, 2)->facts.online = true;
    fleet_run_until(&f, ROLLOUT_REVERTED);
    fleet_fini(&f);
}

static void version_that_hangs_ends_by_the_deadline(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    f.agents[0].nature = HANGS;
    fleet_run_until(&f, ROLLOUT_REVERTING);
    assert_int_equal(f.rollout.cause, CAUSE_SILENT);
    fleet_run_until(&f, ROLLOUT_REVERTED);
    fleet_fini(&f);
}

static void newest_return_first_within_budget_and_one_domain(void **state) {
    (void)state;
    struct fleet f;
    struct rollout_policy policy = usual_policy();
    policy.max_parallel = (struct rollout_amount){2, false};
    fleet_init(&f, 12, 3, policy);
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_true(fleet_event(&f, ROLLOUT_ROLLBACK));
    assert_int_equal(f.rollout.cause, CAUSE_OPERATOR);
    assert_int_equal(fleet_count(&f, MEMBER_LEAVING), 12);
    f.most_in_flight = 0;
    fleet_tick(&f);
    for (size_t i = 0; i < 12; i++)
        assert_int_equal(fleet_state(&f, i),
                         fleet_member(&f, i)->turn > 10 ? MEMBER_RETURNING : MEMBER_LEAVING);
    fleet_run_until(&f, ROLLOUT_REVERTED);
    assert_int_equal(fleet_count(&f, MEMBER_RETURNED), 12);
    assert_int_equal(f.most_in_flight, 2);
    assert_false(f.domains_mixed);
    fleet_fini(&f);
}

static void those_that_do_not_work_return_first(void **state) {
    (void)state;
    struct fleet f;
    struct rollout_policy policy = usual_policy();
    policy.max_failures = 9;
    fleet_init(&f, 6, 2, policy);
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    fleet_member(&f, 1)->facts.works = false;
    assert_true(fleet_event(&f, ROLLOUT_ROLLBACK));
    fleet_tick(&f);
    assert_int_equal(fleet_state(&f, 1), MEMBER_RETURNING);
    assert_int_equal(fleet_member(&f, 5)->state, MEMBER_LEAVING); /* the other domain's newest */
    fleet_run_until(&f, ROLLOUT_REVERTED);
    assert_false(f.domains_mixed);
    fleet_fini(&f);
}

static void dead_machines_do_not_keep_the_others_from_returning(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 6, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    for (size_t i = 0; i < 2; i++) {
        fleet_member(&f, i)->facts.online = false;
        fleet_member(&f, i)->facts.lost = true;
    }
    assert_true(fleet_event(&f, ROLLOUT_ROLLBACK));
    f.most_in_flight = 0;
    fleet_run_until(&f, ROLLOUT_REVERT_STUCK);
    assert_int_equal(fleet_count(&f, MEMBER_RETURNED), 4);
    assert_int_equal(f.most_in_flight, 1);
    fleet_fini(&f);
}

static void return_that_fails_is_stuck_and_a_rollback_tries_again(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 3, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    f.agents[1].nature = CANNOT_RETURN;
    assert_true(fleet_event(&f, ROLLOUT_ROLLBACK));
    fleet_run_until(&f, ROLLOUT_REVERT_STUCK);
    assert_int_equal(fleet_state(&f, 1), MEMBER_RETURN_FAILED);
    assert_int_equal(fleet_count(&f, MEMBER_RETURNED), 2);
    int32_t attempt = fleet_member(&f, 1)->attempt;
    fleet_run_for(&f, 300000); /* its own fault: not tried by itself */
    assert_int_equal(fleet_member(&f, 1)->attempt, attempt);
    f.agents[1].nature = GOOD;
    assert_true(fleet_event(&f, ROLLOUT_ROLLBACK));
    fleet_run_until(&f, ROLLOUT_REVERTED);
    assert_int_equal(fleet_member(&f, 1)->attempt, attempt + 1);
    fleet_fini(&f);
}

static void late_report_of_a_return_is_taken(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 2, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    f.agents[1].nature = CANNOT_RETURN;
    assert_true(fleet_event(&f, ROLLOUT_ROLLBACK));
    fleet_run_until(&f, ROLLOUT_REVERT_STUCK);
    fleet_member(&f, 1)->facts.on_target = false;
    agent_end(&fleet_member(&f, 1)->facts, PROGRESS_COMMITTED, CAUSE_NONE);
    fleet_run_until(&f, ROLLOUT_REVERTED);
    fleet_fini(&f);
}

static void late_report_of_a_return_is_taken_while_the_master_listens_first(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 2, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    f.agents[1].nature = CANNOT_RETURN;
    assert_true(fleet_event(&f, ROLLOUT_ROLLBACK));
    fleet_run_until(&f, ROLLOUT_REVERT_STUCK);
    rollout_recover(&f.rollout, f.now_ms, 20000);
    fleet_member(&f, 1)->facts.on_target = false;
    agent_end(&fleet_member(&f, 1)->facts, PROGRESS_COMMITTED, CAUSE_NONE);
    fleet_run_for(&f, 5000);
    fleet_run_until(&f, ROLLOUT_REVERTED);
    fleet_fini(&f);
}

static void return_goes_by_the_orders_of_the_table(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    fleet_member(&f, 3)->facts.online = false;
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_true(fleet_event(&f, ROLLOUT_ROLLBACK));
    fleet_tick(&f);
    static const struct {
        size_t member;
        struct rollout_orders orders;
    } expected[] = {
        {0, {TOLD_TARGET, false, false}}, /* LEAVING: stays until its turn */
        {2, {TOLD_ORIGIN, false, true} }, /* RETURNING */
        {3, {TOLD_ORIGIN, false, false}}, /* never moved */
    };
    for (size_t i = 0; i < 3; i++) {
        struct rollout_orders orders =
            rollout_orders(&f.rollout, fleet_member(&f, expected[i].member));
        assert_int_equal(orders.told, expected[i].orders.told);
        assert_int_equal(orders.prefetch, expected[i].orders.prefetch);
        assert_int_equal(orders.leave, expected[i].orders.leave);
    }
    fleet_run_until(&f, ROLLOUT_REVERTED);
    assert_int_equal(rollout_orders(&f.rollout, fleet_member(&f, 0)).told, TOLD_OTHERS);
    fleet_fini(&f);
}

static void return_needs_no_window_and_no_canary(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    f.window_open = false;
    assert_true(fleet_event(&f, ROLLOUT_ROLLBACK));
    fleet_run_until(&f, ROLLOUT_REVERTED);
    assert_int_equal(fleet_count(&f, MEMBER_RETURNED), 4);
    fleet_fini(&f);
}

static void rollback_in_the_middle_brings_back_who_is_on_the_way(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 6, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_run_for(&f, 1000);
    assert_int_equal(fleet_count(&f, MEMBER_GRANTED), 1);
    assert_true(fleet_event(&f, ROLLOUT_ROLLBACK));
    assert_int_equal(fleet_count(&f, MEMBER_LEAVING), 2);
    assert_false(fleet_event(&f, ROLLOUT_STOP));
    assert_false(fleet_event(&f, ROLLOUT_PAUSE));
    assert_false(fleet_event(&f, ROLLOUT_ROLLBACK));
    fleet_run_until(&f, ROLLOUT_REVERTED);
    assert_int_equal(fleet_count(&f, MEMBER_RETURNED), 2);
    assert_false(fleet_event(&f, ROLLOUT_ROLLBACK));
    fleet_fini(&f);
}

static void without_auto_revert_it_pauses_and_a_resume_tries_again(void **state) {
    (void)state;
    struct fleet f;
    struct rollout_policy policy = usual_policy();
    policy.auto_revert = false;
    fleet_init(&f, 4, 1, policy);
    f.agents[0].nature = EXITS;
    fleet_run_until(&f, ROLLOUT_PAUSED);
    assert_int_equal(f.rollout.cause, CAUSE_VERSION);
    assert_int_equal(fleet_state(&f, 0), MEMBER_FAILED);
    fleet_run_for(&f, 10000);
    assert_int_equal(f.rollout.state, ROLLOUT_PAUSED);
    f.agents[0].nature = GOOD;
    assert_true(fleet_event(&f, ROLLOUT_RESUME));
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_int_equal(fleet_member(&f, 0)->attempt, 2);
    fleet_fini(&f);
}

static void late_success_of_a_silent_machine_is_taken(void **state) {
    (void)state;
    struct fleet f;
    struct rollout_policy policy = usual_policy();
    policy.max_failures = 1;
    fleet_init(&f, 4, 1, policy);
    f.agents[1].nature = VANISHES;
    fleet_run_until(&f, ROLLOUT_ROLLING);
    while (fleet_state(&f, 1) != MEMBER_FAILED) fleet_tick(&f);
    struct rollout_orders orders = rollout_orders(&f.rollout, fleet_member(&f, 1));
    assert_true(orders.told == TOLD_TARGET && !orders.leave);
    assert_int_equal(f.rollout.state, ROLLOUT_ROLLING);
    struct rollout_facts *facts = &fleet_member(&f, 1)->facts;
    facts->online = facts->on_target = true;
    facts->lost = false;
    agent_end(facts, PROGRESS_COMMITTED, CAUSE_NONE);
    fleet_tick(&f);
    assert_int_equal(fleet_state(&f, 1), MEMBER_COMMITTED);
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    fleet_fini(&f);
}

static void pinned_and_removed_machines_do_not_hold_the_return_up(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_true(fleet_event(&f, ROLLOUT_ROLLBACK));
    fleet_member(&f, 0)->facts.pinned = true;
    fleet_member(&f, 1)->facts.removed = true;
    fleet_run_until(&f, ROLLOUT_REVERTED);
    assert_int_equal(fleet_count(&f, MEMBER_EXCLUDED), 2);
    assert_int_equal(fleet_count(&f, MEMBER_RETURNED), 2);
    fleet_fini(&f);
}

static void members_of_a_stopped_rollout_can_be_rolled_back(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 6, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_ROLLING);
    assert_true(fleet_event(&f, ROLLOUT_STOP));
    assert_true(fleet_event(&f, ROLLOUT_ROLLBACK));
    fleet_run_until(&f, ROLLOUT_REVERTED);
    assert_int_equal(fleet_count(&f, MEMBER_RETURNED), 1);
    fleet_fini(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canary_that_exits_turns_the_rollout_back),
        cmocka_unit_test(canary_fails_whatever_number_of_failures_is_borne),
        cmocka_unit_test(failures_that_are_borne_do_not_stop_it),
        cmocka_unit_test(machine_that_vanishes_after_its_grant_is_a_failure),
        cmocka_unit_test(machine_that_was_never_heard_of_after_its_grant_is_a_failure_too),
        cmocka_unit_test(silent_machine_that_says_it_went_back_is_let_stay),
        cmocka_unit_test(machine_that_goes_away_on_its_return_comes_back_later),
        cmocka_unit_test(version_that_hangs_ends_by_the_deadline),
        cmocka_unit_test(newest_return_first_within_budget_and_one_domain),
        cmocka_unit_test(those_that_do_not_work_return_first),
        cmocka_unit_test(dead_machines_do_not_keep_the_others_from_returning),
        cmocka_unit_test(return_that_fails_is_stuck_and_a_rollback_tries_again),
        cmocka_unit_test(late_report_of_a_return_is_taken),
        cmocka_unit_test(late_report_of_a_return_is_taken_while_the_master_listens_first),
        cmocka_unit_test(return_goes_by_the_orders_of_the_table),
        cmocka_unit_test(return_needs_no_window_and_no_canary),
        cmocka_unit_test(rollback_in_the_middle_brings_back_who_is_on_the_way),
        cmocka_unit_test(without_auto_revert_it_pauses_and_a_resume_tries_again),
        cmocka_unit_test(late_success_of_a_silent_machine_is_taken),
        cmocka_unit_test(pinned_and_removed_machines_do_not_hold_the_return_up),
        cmocka_unit_test(members_of_a_stopped_rollout_can_be_rolled_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
