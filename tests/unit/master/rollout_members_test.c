/* Machines that are sick, away, pinned, unwilling or late, and what a rollout does about them. */
#include "master/rollout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/master/rollout_fixture.h"

static void sick_machine_goes_first_takes_no_slot_and_is_no_evidence(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 8, 1, usual_policy());
    fleet_member(&f, 5)->facts.works = false;
    f.agents[5].nature = EXITS;
    fleet_run_until(&f, ROLLOUT_ROLLING);
    assert_int_equal(fleet_state(&f, 5), MEMBER_WAITING);
    fleet_tick(&f);
    assert_int_equal(fleet_state(&f, 5), MEMBER_GRANTED);
    assert_int_equal(fleet_state(&f, 1), MEMBER_GRANTED);
    assert_true(fleet_member(&f, 5)->was_broken);
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_int_equal(fleet_state(&f, 5), MEMBER_FAILED);
    assert_int_equal(fleet_count(&f, MEMBER_COMMITTED), 7);
    assert_int_equal(f.most_in_flight, 1);
    fleet_fini(&f);
}

static void sick_machine_with_a_dead_disk_is_deferred_without_a_pause(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 8, 1, usual_policy());
    fleet_member(&f, 5)->facts.works = false;
    f.agents[5].nature = DISK_FULL;
    fleet_member(&f, 6)->facts.works = false;
    fleet_member(&f, 6)->facts.staged = false;
    fleet_member(&f, 6)->facts.fetch_cause = CAUSE_MACHINE;
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_int_equal(fleet_state(&f, 5), MEMBER_DEFERRED);
    assert_int_equal(fleet_member(&f, 5)->cause, CAUSE_MACHINE);
    assert_int_equal(fleet_state(&f, 6), MEMBER_DEFERRED);
    assert_int_equal(fleet_count(&f, MEMBER_COMMITTED), 6);
    fleet_fini(&f);
}

static void fleet_that_is_broken_everywhere_gets_the_fix_by_a_canary(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 6, 1, usual_policy());
    for (size_t i = 0; i < 6; i++) fleet_member(&f, i)->facts.works = false;
    fleet_run_until(&f, ROLLOUT_CANARY);
    fleet_run_for(&f, 500);
    assert_int_equal(fleet_count(&f, MEMBER_GRANTED), 1);
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_int_equal(fleet_count(&f, MEMBER_COMMITTED), 6);
    fleet_fini(&f);
}

static void machine_that_was_away_trickles_in_afterwards(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    fleet_member(&f, 2)->facts.online = false;
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_int_equal(fleet_state(&f, 2), MEMBER_DEFERRED);
    assert_int_equal(fleet_member(&f, 2)->cause, CAUSE_AWAY);
    assert_true(rollout_is_live(&f.rollout));
    assert_int_equal(rollout_orders(&f.rollout, fleet_member(&f, 2)).told, TOLD_ORIGIN);
    assert_int_equal(rollout_orders(&f.rollout, fleet_member(&f, 0)).told, TOLD_OTHERS);
    fleet_member(&f, 2)->facts.online = true;
    fleet_run_for(&f, 5000);
    assert_int_equal(fleet_state(&f, 2), MEMBER_COMMITTED);
    assert_int_equal(f.rollout.state, ROLLOUT_COMPLETED);
    assert_false(rollout_is_live(&f.rollout));
    fleet_fini(&f);
}

static void machine_that_comes_back_meanwhile_moves_after_those_in_turn(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    fleet_member(&f, 1)->facts.online = false;
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_member(&f, 1)->facts.online = true;
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_int_equal(fleet_state(&f, 1), MEMBER_COMMITTED);
    assert_int_equal(fleet_member(&f, 1)->turn, 4);
    fleet_fini(&f);
}

static void failures_while_trickling_stop_the_trickle_only(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 6, 1, usual_policy());
    for (size_t i = 3; i < 6; i++) {
        fleet_member(&f, i)->facts.online = false;
        f.agents[i].nature = EXITS;
    }
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    for (size_t i = 3; i < 6; i++) fleet_member(&f, i)->facts.online = true;
    fleet_run_for(&f, 60000);
    assert_int_equal(f.rollout.state, ROLLOUT_COMPLETED);
    assert_int_equal(fleet_count(&f, MEMBER_FAILED), 1);
    assert_int_equal(fleet_count(&f, MEMBER_DEFERRED), 2);
    assert_int_equal(f.rollout.hold, CAUSE_VERSION);
    fleet_fini(&f);
}

static void vetoed_grant_is_taken_back_after_its_lease_and_tried_again(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 3, 1, usual_policy());
    f.agents[1].nature = VETOES;
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_run_for(&f, 7000);
    assert_int_equal(fleet_state(&f, 1), MEMBER_GRANTED);
    assert_int_equal(fleet_member(&f, 1)->cause, CAUSE_VETO);
    struct rollout_orders orders = rollout_orders(&f.rollout, fleet_member(&f, 1));
    assert_true(orders.told == TOLD_TARGET && !orders.leave);
    assert_int_equal(fleet_state(&f, 2), MEMBER_WAITING);
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_int_equal(fleet_state(&f, 1), MEMBER_DEFERRED);
    assert_int_equal(fleet_member(&f, 1)->cause, CAUSE_VETO);
    assert_int_equal(fleet_state(&f, 2), MEMBER_COMMITTED);
    f.agents[1].nature = GOOD;
    fleet_run_for(&f, 120000);
    assert_int_equal(fleet_state(&f, 1), MEMBER_COMMITTED);
    fleet_fini(&f);
}

static void agent_that_begins_after_its_leave_was_taken_back_is_followed(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 3, 1, usual_policy());
    f.agents[1].nature = VETOES;
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_run_for(&f, 7000);
    f.agents[1].nature = GOOD;
    agent_begin(&f.agents[1], &fleet_member(&f, 1)->facts, fleet_member(&f, 1)->attempt, f.now_ms);
    fleet_run_for(&f, 500);
    assert_int_equal(fleet_state(&f, 1), MEMBER_GRANTED);
    assert_int_equal(fleet_member(&f, 1)->cause, CAUSE_NONE);
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_int_equal(fleet_state(&f, 1), MEMBER_COMMITTED);
    assert_int_equal(f.most_in_flight, 1);
    fleet_fini(&f);
}

static void agent_that_never_takes_notice_is_deferred_though_online(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 3, 1, usual_policy());
    f.agents[1].nature = DEAF;
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_int_equal(fleet_state(&f, 1), MEMBER_DEFERRED);
    assert_int_equal(fleet_count(&f, MEMBER_COMMITTED), 2);
    fleet_fini(&f);
}

static void draining_machine_is_passed_over(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 3, 1, usual_policy());
    fleet_member(&f, 0)->facts.draining = true;
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_int_equal(fleet_state(&f, 0), MEMBER_DEFERRED);
    assert_int_equal(fleet_member(&f, 0)->cause, CAUSE_DRAINING);
    assert_false(fleet_member(&f, 0)->canary);
    fleet_fini(&f);
}

static void pinned_removed_and_unbuilt_machines_are_left_alone(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 6, 1, usual_policy());
    fleet_member(&f, 0)->facts.pinned = true;
    fleet_member(&f, 1)->facts.has_build = false;
    fleet_member(&f, 2)->facts.removed = true;
    fleet_run_until(&f, ROLLOUT_ROLLING);
    assert_int_equal(fleet_count(&f, MEMBER_EXCLUDED), 3);
    assert_int_equal(rollout_orders(&f.rollout, fleet_member(&f, 0)).told, TOLD_OTHERS);
    fleet_member(&f, 0)->facts.pinned = false;
    fleet_member(&f, 4)->facts.pinned = true; /* in the middle of it, maybe */
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_int_equal(fleet_state(&f, 0), MEMBER_COMMITTED);
    assert_int_equal(fleet_member(&f, 1)->cause, CAUSE_NO_BUILD);
    assert_int_equal(fleet_member(&f, 2)->cause, CAUSE_REMOVED);
    assert_int_equal(fleet_member(&f, 4)->cause, CAUSE_PINNED);
    fleet_fini(&f);
}

static void pinned_in_the_middle_keeps_its_slot_until_what_has_begun_is_over(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    f.agents[1].nature = HANGS; /* under way for as long as the test wants */
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_run_for(&f, 1000);
    struct rollout_facts *facts = &fleet_member(&f, 1)->facts;
    assert_false(facts->at_rest);
    facts->pinned = true;
    facts->progress = PROGRESS_NONE; /* what it reports is about no rollout any more */
    fleet_run_for(&f, 5000);
    assert_int_equal(fleet_state(&f, 1), MEMBER_GRANTED);
    assert_int_equal(fleet_count(&f, MEMBER_WAITING), 2);
    facts->at_rest = facts->works = true;
    fleet_tick(&f);
    assert_int_equal(fleet_state(&f, 1), MEMBER_EXCLUDED);
    assert_int_equal(fleet_member(&f, 1)->cause, CAUSE_PINNED);
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    fleet_fini(&f);
}

static void pinned_machine_that_never_ends_is_waited_for_until_its_deadline(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    f.agents[1].nature = HANGS;
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_run_for(&f, 1000);
    fleet_member(&f, 1)->facts.pinned = true;
    int64_t deadline_ms = fleet_member(&f, 1)->deadline_ms;
    fleet_run_for(&f, deadline_ms - f.now_ms - TICK_MS);
    assert_int_equal(fleet_state(&f, 1), MEMBER_GRANTED);
    fleet_run_for(&f, TICK_MS);
    assert_int_equal(fleet_state(&f, 1), MEMBER_EXCLUDED);
    fleet_fini(&f);
}

static void pinned_on_its_way_back_is_waited_for_too(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_true(fleet_event(&f, ROLLOUT_ROLLBACK));
    fleet_member(&f, 2)->facts.at_rest = false; /* it has yet to hear of its pin */
    fleet_member(&f, 2)->facts.pinned = true;
    fleet_tick(&f);
    assert_int_not_equal(fleet_state(&f, 2), MEMBER_EXCLUDED);
    fleet_member(&f, 2)->facts.at_rest = true;
    fleet_tick(&f);
    assert_int_equal(fleet_state(&f, 2), MEMBER_EXCLUDED);
    fleet_run_until(&f, ROLLOUT_REVERTED);
    fleet_fini(&f);
}

static void machine_that_is_an_agent_again_gets_its_turn(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    fleet_member(&f, 3)->facts.removed = true;
    fleet_run_until(&f, ROLLOUT_ROLLING);
    assert_int_equal(fleet_member(&f, 3)->cause, CAUSE_REMOVED);
    fleet_member(&f, 3)->facts.removed = false;
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_int_equal(fleet_count(&f, MEMBER_COMMITTED), 4);
    fleet_fini(&f);
}

static void machine_that_joins_meanwhile_gets_its_turn(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 3, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_join(&f, 1);
    fleet_member(&f, 3)->facts.staged = false;
    fleet_run_for(&f, 20000);
    assert_int_equal(f.rollout.state, ROLLOUT_ROLLING);
    fleet_member(&f, 3)->facts.staged = true;
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_int_equal(fleet_state(&f, 3), MEMBER_COMMITTED);
    fleet_fini(&f);
}

static void machine_that_cannot_fetch_blocks_nobody(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 3, 1, usual_policy());
    fleet_member(&f, 2)->facts.staged = false;
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_int_equal(fleet_state(&f, 2), MEMBER_DEFERRED);
    assert_int_equal(fleet_member(&f, 2)->cause, CAUSE_DOWNLOAD);
    fleet_fini(&f);
}

static void member_that_a_newer_rollout_moves_is_let_go(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 3, 1, usual_policy());
    fleet_member(&f, 1)->facts.online = false;
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    fleet_member(&f, 0)->facts.taken = true;
    fleet_member(&f, 1)->facts.taken = true;
    fleet_tick(&f);
    assert_int_equal(fleet_state(&f, 0), MEMBER_COMMITTED);
    assert_int_equal(fleet_member(&f, 1)->cause, CAUSE_SUPERSEDED);
    assert_false(rollout_is_live(&f.rollout));
    fleet_fini(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sick_machine_goes_first_takes_no_slot_and_is_no_evidence),
        cmocka_unit_test(sick_machine_with_a_dead_disk_is_deferred_without_a_pause),
        cmocka_unit_test(fleet_that_is_broken_everywhere_gets_the_fix_by_a_canary),
        cmocka_unit_test(machine_that_was_away_trickles_in_afterwards),
        cmocka_unit_test(machine_that_comes_back_meanwhile_moves_after_those_in_turn),
        cmocka_unit_test(failures_while_trickling_stop_the_trickle_only),
        cmocka_unit_test(vetoed_grant_is_taken_back_after_its_lease_and_tried_again),
        cmocka_unit_test(agent_that_begins_after_its_leave_was_taken_back_is_followed),
        cmocka_unit_test(agent_that_never_takes_notice_is_deferred_though_online),
        cmocka_unit_test(draining_machine_is_passed_over),
        cmocka_unit_test(pinned_removed_and_unbuilt_machines_are_left_alone),
        cmocka_unit_test(pinned_in_the_middle_keeps_its_slot_until_what_has_begun_is_over),
        cmocka_unit_test(pinned_machine_that_never_ends_is_waited_for_until_its_deadline),
        cmocka_unit_test(pinned_on_its_way_back_is_waited_for_too),
        cmocka_unit_test(machine_that_is_an_agent_again_gets_its_turn),
        cmocka_unit_test(machine_that_joins_meanwhile_gets_its_turn),
        cmocka_unit_test(machine_that_cannot_fetch_blocks_nobody),
        cmocka_unit_test(member_that_a_newer_rollout_moves_is_let_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
