/* The rollout engine going forward: gates, order, slots, budget, and what it says of itself. */
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
    assert_int_equal(f.rollout.domain, -1);
    assert_false(rollout_is_live(&f.rollout));
    fleet_fini(&f);
}

static void bytes_are_everywhere_before_anybody_moves(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 3, 1, usual_policy());
    fleet_member(&f, 2)->facts.staged = false;
    fleet_run_for(&f, 5000);
    assert_int_equal(f.rollout.state, ROLLOUT_PREFETCH);
    struct rollout_orders orders = rollout_orders(&f.rollout, fleet_member(&f, 2));
    assert_int_equal(orders.told, TOLD_ORIGIN);
    assert_true(orders.prefetch && !orders.leave);
    fleet_member(&f, 2)->facts.staged = true;
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    fleet_fini(&f);
}

static void others_wait_until_the_canaries_proved_it(void **state) {
    (void)state;
    struct fleet f;
    struct rollout_policy policy = usual_policy();
    policy.canary = (struct rollout_amount){25, true};
    policy.max_parallel = (struct rollout_amount){8, false};
    fleet_init(&f, 8, 1, policy);
    fleet_run_until(&f, ROLLOUT_CANARY);
    fleet_run_for(&f, 500);
    assert_int_equal(fleet_count(&f, MEMBER_GRANTED), 2);
    fleet_run_until(&f, ROLLOUT_AWAIT_PROMOTE);
    assert_int_equal(fleet_count(&f, MEMBER_COMMITTED), 2);
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_int_equal(f.most_in_flight, 6);
    fleet_fini(&f);
}

static void promotion_waits_for_its_time_or_a_person(void **state) {
    (void)state;
    struct fleet f;
    struct rollout_policy policy = usual_policy();
    policy.auto_promote_ms = 10000;
    fleet_init(&f, 3, 1, policy);
    fleet_run_until(&f, ROLLOUT_AWAIT_PROMOTE);
    int64_t begin = f.now_ms;
    fleet_run_until(&f, ROLLOUT_ROLLING);
    assert_true(f.now_ms - begin >= 10000 && f.now_ms - begin <= 10000 + 2 * TICK_MS);
    fleet_fini(&f);
    policy.auto_promote_ms = ROLLOUT_NEVER;
    fleet_init(&f, 3, 1, policy);
    assert_false(fleet_event(&f, ROLLOUT_PROMOTE));
    fleet_run_until(&f, ROLLOUT_AWAIT_PROMOTE);
    fleet_run_for(&f, 600000);
    assert_int_equal(f.rollout.state, ROLLOUT_AWAIT_PROMOTE);
    assert_true(fleet_event(&f, ROLLOUT_PROMOTE));
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    fleet_fini(&f);
}

static void canary_that_falls_ill_after_its_probation_is_not_promoted(void **state) {
    (void)state;
    struct fleet f;
    struct rollout_policy policy = usual_policy();
    policy.auto_promote_ms = 5000;
    fleet_init(&f, 3, 1, policy);
    fleet_run_until(&f, ROLLOUT_AWAIT_PROMOTE);
    fleet_member(&f, 0)->facts.works = false;
    fleet_run_for(&f, 20000);
    assert_int_equal(f.rollout.state, ROLLOUT_AWAIT_PROMOTE);
    assert_int_equal(f.rollout.hold, CAUSE_VERSION);
    fleet_run_until(&f, ROLLOUT_PAUSED);
    assert_int_equal(f.rollout.cause, CAUSE_VERSION);
    fleet_fini(&f);
}

static void without_canaries_all_begin_with_the_first_batch(void **state) {
    (void)state;
    struct fleet f;
    struct rollout_policy policy = usual_policy();
    policy.canary.value = 0;
    fleet_init(&f, 2, 1, policy);
    fleet_run_until(&f, ROLLOUT_ROLLING);
    assert_int_equal(f.rollout.turns, 0);
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    fleet_fini(&f);
}

static void domains_never_move_together(void **state) {
    (void)state;
    struct fleet f;
    struct rollout_policy policy = usual_policy();
    policy.max_parallel = (struct rollout_amount){5, false};
    fleet_init(&f, 12, 3, policy);
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_false(f.domains_mixed);
    assert_int_equal(f.most_in_flight, 4);
    fleet_fini(&f);
}

static void slots_shrink_by_what_is_unavailable_otherwise(void **state) {
    (void)state;
    struct fleet f;
    struct rollout_policy policy = usual_policy();
    policy.max_parallel = (struct rollout_amount){3, false};
    policy.max_failures = 9;
    fleet_init(&f, 12, 1, policy);
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_member(&f, 0)->facts.works = false; /* committed: went bad later */
    fleet_run_for(&f, 500);
    struct rollout_tally tally;
    rollout_count(&f.rollout, &tally);
    assert_int_equal(tally.unavailable, 1);
    assert_int_equal(tally.in_flight, 2);
    assert_int_equal(tally.slots, 0);
    fleet_fini(&f);
}

static void machine_that_was_lost_after_its_turn_counts_as_unavailable(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_member(&f, 0)->facts.online = false;
    fleet_run_for(&f, 2500); /* for a moment only: it may be back at once */
    assert_int_equal(fleet_state(&f, 1), MEMBER_COMMITTED);
    fleet_member(&f, 0)->facts.lost = true;
    fleet_run_for(&f, 10000);
    assert_int_equal(f.rollout.hold, CAUSE_BUDGET);
    assert_int_equal(fleet_state(&f, 3), MEMBER_WAITING);
    fleet_fini(&f);
}

static void machine_that_breaks_meanwhile_gets_the_turn_that_it_blocks(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 2, usual_policy());
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_member(&f, 3)->facts.works = false; /* the other domain's */
    fleet_tick(&f);
    assert_int_equal(fleet_state(&f, 3), MEMBER_GRANTED);
    assert_int_equal(fleet_state(&f, 1), MEMBER_WAITING);
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_false(f.domains_mixed);
    fleet_fini(&f);
}

static void machine_that_the_version_mended_counts_again(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 6, 1, usual_policy());
    fleet_member(&f, 1)->facts.works = false;
    fleet_run_until(&f, ROLLOUT_ROLLING);
    while (fleet_state(&f, 1) != MEMBER_COMMITTED) fleet_tick(&f);
    fleet_member(&f, 1)->facts.works = false;
    fleet_run_for(&f, 10000);
    assert_int_equal(f.rollout.hold, CAUSE_BUDGET);
    fleet_fini(&f);
}

static void canary_is_a_machine_that_works(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    fleet_member(&f, 0)->facts.works = false;
    fleet_run_until(&f, ROLLOUT_AWAIT_PROMOTE);
    assert_false(fleet_member(&f, 0)->canary);
    assert_true(fleet_member(&f, 1)->canary);
    fleet_fini(&f);
}

static void nobody_joins_agents_that_move_in_two_domains(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 12, 2, usual_policy());
    f.rollout.policy.max_parallel.value = 4;
    f.agents[1].nature = VETOES;
    f.agents[9].nature = HANGS;
    fleet_run_until(&f, ROLLOUT_ROLLING);
    while (fleet_state(&f, 6) != MEMBER_GRANTED) fleet_tick(&f);
    assert_int_equal(fleet_state(&f, 1), MEMBER_DEFERRED);
    f.agents[1].nature = GOOD; /* its answer crossed ours: it begins after all */
    agent_begin(&f.agents[1], &fleet_member(&f, 1)->facts, fleet_member(&f, 1)->attempt,
                f.now_ms + 3000);
    fleet_run_for(&f, 4000); /* the others are done, and there are slots again */
    assert_int_equal(fleet_state(&f, 1), MEMBER_GRANTED);
    assert_int_equal(fleet_state(&f, 9), MEMBER_GRANTED);
    assert_int_equal(fleet_count(&f, MEMBER_GRANTED), 2);
    fleet_run_for(&f, 1500);
    assert_int_equal(fleet_state(&f, 1), MEMBER_COMMITTED);
    assert_int_equal(fleet_count(&f, MEMBER_GRANTED), 3); /* 10 and 11 join 9 */
    fleet_fini(&f);
}

static void grant_in_the_last_moment_is_progress(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_member(&f, 0)->facts.works = false;
    while (f.now_ms + TICK_MS - f.rollout.progress_ms < f.rollout.policy.progress_deadline_ms)
        fleet_tick(&f);
    assert_int_equal(f.rollout.hold, CAUSE_BUDGET);
    fleet_member(&f, 0)->facts.works = true;
    fleet_tick(&f);
    assert_int_equal(fleet_count(&f, MEMBER_GRANTED), 1);
    assert_int_equal(f.rollout.state, ROLLOUT_ROLLING);
    fleet_fini(&f);
}

/* Each by its own hand: the rest of the state is sound. */
static void broken_states_are_named(void **state) {
    (void)state;
    struct rollout_member granted = {
        .state = MEMBER_GRANTED, .attempt = 1, .turn = 1, .deadline_ms = 1, .canary = true};
    struct rollout_member m[2] = {granted, {.state = MEMBER_WAITING}};
    struct rollout sound = {.policy = usual_policy(),
                            .state = ROLLOUT_CANARY,
                            .turns = 1,
                            .domain = 0,
                            .members = m,
                            .member_count = 2};
    assert_null(rollout_broken_invariant(&sound));
    struct {
        struct rollout rollout;
        struct rollout_member first;
        const char *says;
    } cases[] = {
        {sound, granted, "no state"                 },
        {sound, granted, "where it goes on"         },
        {sound, granted, "without a cause"          },
        {sound, granted, "before the bytes"         },
        {sound, granted, "domain is none"           },
        {sound, granted, "does not have"            },
        {sound, granted, "put aside without a cause"},
        {sound, granted, "no attempt or turn"       },
        {sound, granted, "no deadline"              },
        {sound, granted, "never given"              },
        {sound, granted, "no canary"                },
        {sound, granted, "more failed"              },
        {sound, granted, "nobody is stuck"          },
        {sound, granted, "stuck without a cause"    },
    };
    cases[0].first.state = MEMBER_STATE_COUNT;
    cases[1].rollout.state = ROLLOUT_PAUSED;
    cases[1].rollout.resume = ROLLOUT_REVERTING;
    cases[2].rollout.state = ROLLOUT_REVERTING;
    cases[3].rollout.state = ROLLOUT_PREFETCH;
    cases[4].rollout.domain = -2;
    cases[5].first.state = MEMBER_RETURNING;
    cases[6].first.state = MEMBER_FAILED;
    cases[7].first.attempt = 0;
    cases[8].first.deadline_ms = 0;
    cases[9].first.turn = 2;
    cases[10].first.canary = false;
    cases[11].first.state = MEMBER_FAILED;
    cases[11].first.cause = CAUSE_VERSION;
    cases[12].rollout.state = ROLLOUT_REVERT_STUCK;
    cases[12].rollout.cause = CAUSE_VERSION;
    cases[12].first.state = MEMBER_RETURNED;
    cases[13].rollout.state = ROLLOUT_REVERT_STUCK;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        m[0] = cases[i].first;
        const char *broken = rollout_broken_invariant(&cases[i].rollout);
        if (broken == NULL || strstr(broken, cases[i].says) == NULL)
            fail_msg("not \"%s\" but \"%s\"", cases[i].says, broken != NULL ? broken : "sound");
    }
}

static void exhausted_budget_is_a_hold_and_then_a_pause(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_member(&f, 0)->facts.works = false;
    fleet_run_for(&f, 5000);
    assert_int_equal(f.rollout.state, ROLLOUT_ROLLING);
    assert_int_equal(f.rollout.hold, CAUSE_BUDGET);
    assert_int_equal(fleet_count(&f, MEMBER_GRANTED), 0);
    fleet_run_until(&f, ROLLOUT_PAUSED);
    assert_int_equal(f.rollout.cause, CAUSE_BUDGET);
    fleet_member(&f, 0)->facts.works = true;
    assert_true(fleet_event(&f, ROLLOUT_RESUME));
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    fleet_fini(&f);
}

static void rollout_of_nobody_is_completed(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 2, 1, usual_policy());
    fleet_member(&f, 0)->facts.pinned = true;
    fleet_member(&f, 1)->facts.pinned = true;
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    fleet_fini(&f);
}

static void machine_that_joins_and_cannot_fetch_pauses_nothing(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 3, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_join(&f, 0);
    fleet_member(&f, 3)->facts.staged = false;
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_int_equal(fleet_member(&f, 3)->cause, CAUSE_DOWNLOAD);
    fleet_fini(&f);
}

static void revision_rises_with_what_is_durable_only(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 3, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_run_for(&f, 500);
    int64_t revision = f.rollout.revision;
    fleet_run_for(&f, 1000); /* in its probation */
    assert_int_equal(f.rollout.revision, revision);
    for (size_t i = 0; i < 3; i++) assert_false(fleet_member(&f, i)->changed);
    fleet_run_for(&f, 2000);
    assert_true(f.rollout.revision > revision);
    fleet_fini(&f);
}

static void grants_have_time_for_every_node_of_the_machine(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 1, 1, usual_policy());
    fleet_member(&f, 0)->facts.nodes = 3;
    f.agents[0].nature = HANGS;
    fleet_run_until(&f, ROLLOUT_CANARY);
    fleet_run_for(&f, 200);
    assert_int_equal(fleet_state(&f, 0), MEMBER_GRANTED);
    int64_t until = fleet_member(&f, 0)->deadline_ms;
    assert_in_range(until - f.now_ms, 30000 + 4 * 5000 + 2000 + 15000 - 200, 67000);
    fleet_fini(&f);
}

static void names_read_back(void **state) {
    (void)state;
    for (unsigned i = 0; i < ROLLOUT_STATE_COUNT; i++) {
        enum rollout_state read;
        assert_true(rollout_state_parse(rollout_state_name(i), &read));
        assert_int_equal(read, i);
    }
    for (unsigned i = 0; i < MEMBER_STATE_COUNT; i++) {
        enum rollout_member_state read;
        assert_true(rollout_member_state_parse(rollout_member_state_name(i), &read));
        assert_int_equal(read, i);
    }
    for (unsigned i = 0; i < CAUSE_COUNT; i++) {
        enum rollout_cause read;
        assert_true(rollout_cause_parse(rollout_cause_name(i), &read));
        assert_int_equal(read, i);
    }
    enum rollout_state none;
    assert_false(rollout_state_parse("rolled", &none));
}

static void percentages_are_rounded_up_to_at_least_one(void **state) {
    (void)state;
    assert_int_equal(rollout_amount_of((struct rollout_amount){5, true}, 8), 1);
    assert_int_equal(rollout_amount_of((struct rollout_amount){5, true}, 21), 2);
    assert_int_equal(rollout_amount_of((struct rollout_amount){5, true}, 0), 1);
    assert_int_equal(rollout_amount_of((struct rollout_amount){0, true}, 100), 0);
    assert_int_equal(rollout_amount_of((struct rollout_amount){100, true}, 100000), 100000);
    assert_int_equal(rollout_amount_of((struct rollout_amount){3, false}, 2), 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_version_reaches_everybody),
        cmocka_unit_test(bytes_are_everywhere_before_anybody_moves),
        cmocka_unit_test(others_wait_until_the_canaries_proved_it),
        cmocka_unit_test(promotion_waits_for_its_time_or_a_person),
        cmocka_unit_test(canary_that_falls_ill_after_its_probation_is_not_promoted),
        cmocka_unit_test(without_canaries_all_begin_with_the_first_batch),
        cmocka_unit_test(domains_never_move_together),
        cmocka_unit_test(slots_shrink_by_what_is_unavailable_otherwise),
        cmocka_unit_test(exhausted_budget_is_a_hold_and_then_a_pause),
        cmocka_unit_test(rollout_of_nobody_is_completed),
        cmocka_unit_test(revision_rises_with_what_is_durable_only),
        cmocka_unit_test(grants_have_time_for_every_node_of_the_machine),
        cmocka_unit_test(machine_that_was_lost_after_its_turn_counts_as_unavailable),
        cmocka_unit_test(machine_that_breaks_meanwhile_gets_the_turn_that_it_blocks),
        cmocka_unit_test(machine_that_the_version_mended_counts_again),
        cmocka_unit_test(canary_is_a_machine_that_works),
        cmocka_unit_test(nobody_joins_agents_that_move_in_two_domains),
        cmocka_unit_test(machine_that_joins_and_cannot_fetch_pauses_nothing),
        cmocka_unit_test(grant_in_the_last_moment_is_progress),
        cmocka_unit_test(broken_states_are_named),
        cmocka_unit_test(names_read_back),
        cmocka_unit_test(percentages_are_rounded_up_to_at_least_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
