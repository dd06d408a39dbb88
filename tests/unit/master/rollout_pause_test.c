/* The rollout engine standing still: pauses by itself and by order, windows, a master that has
 * just started, stops and newer rollouts. */
#include "master/rollout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/master/rollout_fixture.h"

static void full_disk_pauses_and_never_reverts(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    f.agents[1].nature = DISK_FULL;
    fleet_run_until(&f, ROLLOUT_PAUSED);
    assert_int_equal(f.rollout.cause, CAUSE_MACHINE);
    assert_int_equal(f.rollout.resume, ROLLOUT_ROLLING);
    assert_int_equal(fleet_state(&f, 1), MEMBER_HELD);
    fleet_run_for(&f, 600000);
    assert_int_equal(f.rollout.state, ROLLOUT_PAUSED);
    f.agents[1].nature = GOOD;
    assert_true(fleet_event(&f, ROLLOUT_RESUME));
    assert_int_equal(fleet_state(&f, 1), MEMBER_WAITING);
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_int_equal(fleet_member(&f, 1)->attempt, 2);
    fleet_fini(&f);
}

static void bad_signature_halts_everything_at_once(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_join(&f, 0);
    fleet_member(&f, 4)->facts.staged = false;
    fleet_member(&f, 4)->facts.fetch_cause = CAUSE_UNTRUSTED;
    fleet_tick(&f);
    assert_int_equal(f.rollout.state, ROLLOUT_PAUSED);
    assert_int_equal(f.rollout.cause, CAUSE_UNTRUSTED);
    assert_false(rollout_orders(&f.rollout, fleet_member(&f, 4)).prefetch);
    assert_true(fleet_event(&f, ROLLOUT_RESUME));
    assert_true(rollout_orders(&f.rollout, fleet_member(&f, 4)).prefetch);
    fleet_run_for(&f, 1000); /* the old failure is no news: it fetches again */
    assert_int_equal(f.rollout.state, ROLLOUT_ROLLING);
    fleet_run_until(&f, ROLLOUT_PAUSED); /* but it fails still */
    assert_int_equal(f.rollout.cause, CAUSE_UNTRUSTED);
    fleet_fini(&f);
}

static void version_that_failed_elsewhere_pauses_until_somebody_says_go_on(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_ROLLING);
    f.rollout.condemned = true;
    fleet_tick(&f);
    assert_int_equal(f.rollout.state, ROLLOUT_PAUSED);
    assert_int_equal(f.rollout.cause, CAUSE_VERSION);
    f.rollout.condemned = false;
    assert_true(fleet_event(&f, ROLLOUT_RESUME));
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    fleet_fini(&f);
}

static void version_that_is_withdrawn_pauses_until_it_is_offered_again(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_ROLLING);
    f.rollout.withdrawn = true;
    fleet_member(&f, 3)->facts.staged = false;
    fleet_member(&f, 3)->facts.fetch_cause = CAUSE_UNTRUSTED;
    fleet_run_for(&f, 60000); /* that agents refuse it is no attack */
    assert_int_equal(f.rollout.state, ROLLOUT_PAUSED);
    assert_int_equal(f.rollout.cause, CAUSE_WITHDRAWN);
    assert_false(rollout_orders(&f.rollout, fleet_member(&f, 2)).prefetch);
    assert_false(fleet_event(&f, ROLLOUT_RESUME));
    assert_int_equal(f.rollout.state, ROLLOUT_PAUSED);
    f.rollout.withdrawn = false;
    fleet_member(&f, 3)->facts.staged = true;
    assert_true(fleet_event(&f, ROLLOUT_RESUME));
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    fleet_fini(&f);
}

static void who_refused_what_was_withdrawn_accuses_nobody_later(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    f.agents[0].nature = DISTRUSTS;
    fleet_run_until(&f, ROLLOUT_CANARY);
    for (int i = 0; i < 10 && fleet_state(&f, 0) != MEMBER_GRANTED; i++) fleet_tick(&f);
    f.rollout.withdrawn = true;
    fleet_run_for(&f, 60000);
    assert_int_equal(fleet_state(&f, 0), MEMBER_HELD);
    f.rollout.withdrawn = false;
    f.agents[0].nature = GOOD;
    fleet_run_for(&f, 5000);
    assert_int_equal(f.rollout.state, ROLLOUT_PAUSED);
    assert_int_equal(f.rollout.cause, CAUSE_WITHDRAWN);
    assert_true(fleet_event(&f, ROLLOUT_RESUME));
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    fleet_fini(&f);
}

static void distrust_after_the_grant_halts_too(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    f.agents[0].nature = DISTRUSTS;
    fleet_run_until(&f, ROLLOUT_PAUSED);
    assert_int_equal(f.rollout.cause, CAUSE_UNTRUSTED);
    assert_int_equal(fleet_state(&f, 0), MEMBER_HELD);
    fleet_fini(&f);
}

static void fetches_that_fail_for_most_pause_and_for_few_do_not(void **state) {
    (void)state;
    struct fleet f;
    for (size_t failing = 2; failing <= 3; failing++) {
        fleet_init(&f, 5, 1, usual_policy());
        for (size_t i = 0; i < failing; i++) {
            fleet_member(&f, i)->facts.staged = false;
            fleet_member(&f, i)->facts.fetch_cause = CAUSE_DOWNLOAD;
        }
        fleet_run_until(&f, failing == 2 ? ROLLOUT_COMPLETED : ROLLOUT_PAUSED);
        assert_int_equal(f.rollout.cause, failing == 2 ? CAUSE_NONE : CAUSE_DOWNLOAD);
        if (failing == 2)
            assert_int_equal(fleet_count(&f, MEMBER_DEFERRED), 2);
        else
            assert_int_equal(f.rollout.turns, 0);
        fleet_fini(&f);
    }
}

static void fleet_that_is_away_waits_and_then_pauses(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 3, 1, usual_policy());
    for (size_t i = 0; i < 3; i++) fleet_member(&f, i)->facts.online = false;
    fleet_run_for(&f, 30000);
    assert_int_equal(f.rollout.state, ROLLOUT_PREFETCH);
    assert_int_equal(f.rollout.hold, CAUSE_AWAY);
    fleet_run_until(&f, ROLLOUT_PAUSED);
    assert_int_equal(f.rollout.cause, CAUSE_PROGRESS);
    for (size_t i = 0; i < 3; i++) fleet_member(&f, i)->facts.online = true;
    assert_true(fleet_event(&f, ROLLOUT_RESUME));
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    fleet_fini(&f);
}

static void slow_fetches_are_waited_for_as_long_as_they_come_in(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 6, 1, usual_policy());
    for (size_t i = 0; i < 6; i++) fleet_member(&f, i)->facts.staged = false;
    for (size_t i = 0; i < 6; i++) {
        fleet_run_for(&f, 50000);
        assert_int_equal(f.rollout.state, ROLLOUT_PREFETCH);
        fleet_member(&f, i)->facts.staged = true;
    }
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_int_equal(fleet_count(&f, MEMBER_COMMITTED), 6);
    fleet_fini(&f);
}

static void canary_that_vetoes_gives_way_to_another(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 3, 1, usual_policy());
    f.agents[0].nature = VETOES;
    fleet_run_until(&f, ROLLOUT_AWAIT_PROMOTE);
    assert_int_equal(fleet_state(&f, 0), MEMBER_DEFERRED);
    assert_int_equal(fleet_state(&f, 1), MEMBER_COMMITTED);
    fleet_fini(&f);
}

static void pause_lets_finish_what_has_begun_and_begins_nothing(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_run_for(&f, 1000);
    assert_true(fleet_event(&f, ROLLOUT_PAUSE));
    assert_false(fleet_event(&f, ROLLOUT_PAUSE));
    assert_false(fleet_event(&f, ROLLOUT_PROMOTE));
    assert_int_equal(f.rollout.cause, CAUSE_OPERATOR);
    struct rollout_orders orders = rollout_orders(&f.rollout, fleet_member(&f, 1));
    assert_true(orders.told == TOLD_TARGET && !orders.leave);
    fleet_run_for(&f, 600000);
    assert_int_equal(fleet_count(&f, MEMBER_COMMITTED), 2);
    assert_int_equal(fleet_count(&f, MEMBER_WAITING), 2);
    assert_true(fleet_event(&f, ROLLOUT_RESUME));
    assert_int_equal(f.rollout.state, ROLLOUT_ROLLING);
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    fleet_fini(&f);
}

static void version_that_fails_while_paused_reverts_still(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    f.agents[1].nature = EXITS;
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_run_for(&f, 1000);
    assert_true(fleet_event(&f, ROLLOUT_PAUSE));
    fleet_run_until(&f, ROLLOUT_REVERTED);
    assert_int_equal(fleet_count(&f, MEMBER_RETURNED), 2);
    fleet_fini(&f);
}

static void graver_cause_is_told_of_a_rollout_that_is_paused_already(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    f.agents[1].nature = DISTRUSTS;
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_run_for(&f, 1000);
    assert_true(fleet_event(&f, ROLLOUT_PAUSE));
    fleet_run_for(&f, 5000);
    assert_int_equal(f.rollout.cause, CAUSE_UNTRUSTED);
    assert_int_equal(fleet_state(&f, 1), MEMBER_HELD);
    assert_int_equal(f.rollout.resume, ROLLOUT_ROLLING);
    fleet_fini(&f);
}

static void canary_whose_bytes_are_gone_has_proved_nothing(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 3, 1, usual_policy());
    f.window_open = false;
    fleet_run_until(&f, ROLLOUT_CANARY);
    fleet_run_for(&f, 500);
    assert_true(fleet_member(&f, 0)->canary);
    fleet_member(&f, 0)->facts.staged = false;
    f.window_open = true;
    fleet_run_for(&f, 20000);
    assert_int_equal(f.rollout.state, ROLLOUT_CANARY);
    fleet_member(&f, 0)->facts.staged = true;
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    fleet_fini(&f);
}

static void every_state_before_the_end_can_be_paused_and_goes_on_there(void **state) {
    (void)state;
    static const enum rollout_state states[] = {ROLLOUT_PREFETCH, ROLLOUT_CANARY,
                                                ROLLOUT_AWAIT_PROMOTE, ROLLOUT_ROLLING};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        struct fleet f;
        fleet_init(&f, 3, 1, usual_policy());
        fleet_run_until(&f, states[i]);
        assert_true(fleet_event(&f, ROLLOUT_PAUSE));
        fleet_run_for(&f, 100000);
        assert_int_equal(f.rollout.state, ROLLOUT_PAUSED);
        assert_true(fleet_event(&f, ROLLOUT_RESUME));
        assert_int_equal(f.rollout.state, states[i]);
        fleet_run_until(&f, ROLLOUT_COMPLETED);
        fleet_fini(&f);
    }
}

static void nobody_begins_outside_of_the_windows(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    f.window_open = false;
    fleet_run_for(&f, 3600000);
    assert_int_equal(f.rollout.state, ROLLOUT_CANARY); /* bytes were fetched meanwhile */
    assert_int_equal(f.rollout.hold, CAUSE_WINDOW);
    assert_int_equal(f.rollout.turns, 0);
    f.window_open = true;
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_run_for(&f, 1000);
    f.window_open = false;
    fleet_run_for(&f, 3600000);
    assert_int_equal(f.rollout.state, ROLLOUT_ROLLING);
    assert_int_equal(fleet_count(&f, MEMBER_COMMITTED), 2); /* what had begun was finished */
    f.window_open = true;
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    fleet_fini(&f);
}

static void leave_that_was_not_used_ends_with_the_window(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 3, 1, usual_policy());
    f.agents[1].nature = DEAF;
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_run_for(&f, 1000);
    assert_true(rollout_orders(&f.rollout, fleet_member(&f, 1)).leave);
    f.window_open = false;
    fleet_tick(&f);
    assert_int_equal(fleet_state(&f, 1), MEMBER_GRANTED);
    assert_false(rollout_orders(&f.rollout, fleet_member(&f, 1)).leave);
    fleet_fini(&f);
}

/* The rollout is rolling, and member 1 has leave that it does not use. */
static struct fleet granted_and_idle(size_t members) {
    struct fleet f;
    fleet_init(&f, members, 1, usual_policy());
    f.agents[1].nature = DEAF;
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_run_for(&f, 1000);
    assert_int_equal(fleet_state(&f, 1), MEMBER_GRANTED);
    return f;
}

static void leave_that_is_given_back_frees_its_slot_at_once(void **state) {
    (void)state;
    struct fleet f = granted_and_idle(3);
    assert_true(fleet_event(&f, ROLLOUT_PAUSE));
    fleet_tick(&f);
    assert_int_equal(fleet_state(&f, 1), MEMBER_GRANTED); /* for all we know it has a lease */
    fleet_member(&f, 1)->facts.yielded = true;
    fleet_tick(&f);
    assert_int_equal(fleet_state(&f, 1), MEMBER_WAITING);
    assert_int_equal(f.rollout.state, ROLLOUT_PAUSED);
    fleet_member(&f, 1)->facts.yielded = false;
    f.agents[1].nature = GOOD;
    assert_true(fleet_event(&f, ROLLOUT_RESUME));
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_int_equal(fleet_count(&f, MEMBER_COMMITTED), 3);
    assert_int_equal(f.most_in_flight, 1);
    fleet_fini(&f);
}

static void what_has_begun_does_not_give_its_leave_back(void **state) {
    (void)state;
    struct fleet f = granted_and_idle(3);
    assert_true(fleet_event(&f, ROLLOUT_PAUSE));
    agent_begin(&f.agents[1], &fleet_member(&f, 1)->facts, 1, f.now_ms);
    fleet_member(&f, 1)->facts.yielded = true;
    (void)fleet_event(&f, ROLLOUT_TICK);
    assert_int_equal(fleet_state(&f, 1), MEMBER_GRANTED);
    fleet_fini(&f);
}

static void window_that_closes_makes_who_gave_back_its_leave_wait_again(void **state) {
    (void)state;
    struct fleet f = granted_and_idle(3);
    f.window_open = false;
    fleet_tick(&f);
    fleet_member(&f, 1)->facts.yielded = true;
    fleet_tick(&f);
    assert_int_equal(fleet_state(&f, 1), MEMBER_WAITING);
    assert_int_equal(fleet_count(&f, MEMBER_GRANTED), 0);
    fleet_fini(&f);
}

static void straggler_of_a_completed_rollout_gives_its_leave_back_to_the_window(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 3, 1, usual_policy());
    fleet_member(&f, 1)->facts.online = false;
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    f.agents[1].nature = DEAF;
    fleet_member(&f, 1)->facts.online = true;
    fleet_tick(&f);
    assert_int_equal(fleet_state(&f, 1), MEMBER_GRANTED);
    f.window_open = false;
    fleet_tick(&f);
    fleet_member(&f, 1)->facts.yielded = true;
    fleet_tick(&f);
    assert_int_equal(fleet_state(&f, 1), MEMBER_DEFERRED);
    assert_int_equal(fleet_member(&f, 1)->cause, CAUSE_WINDOW);
    fleet_member(&f, 1)->facts.yielded = false;
    f.window_open = true;
    f.agents[1].nature = GOOD;
    fleet_run_for(&f, 10000);
    assert_int_equal(fleet_state(&f, 1), MEMBER_COMMITTED);
    fleet_fini(&f);
}

static void veto_holds_nobody_longer_than_it_takes_to_give_the_leave_back(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 3, 1, usual_policy());
    f.agents[1].nature = VETOES;
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_run_for(&f, 6000);
    assert_int_equal(fleet_member(&f, 1)->cause, CAUSE_VETO); /* it was waited for in vain */
    fleet_member(&f, 1)->facts.yielded = true;
    fleet_tick(&f);
    assert_int_equal(fleet_state(&f, 1), MEMBER_DEFERRED);
    assert_int_equal(fleet_member(&f, 1)->cause, CAUSE_VETO);
    fleet_run_for(&f, 5000);
    assert_int_equal(fleet_state(&f, 2), MEMBER_COMMITTED);
    fleet_fini(&f);
}

static void stopped_rollout_is_over_once_unused_leave_was_given_back(void **state) {
    (void)state;
    struct fleet f = granted_and_idle(3);
    assert_true(fleet_event(&f, ROLLOUT_STOP));
    assert_true(rollout_is_live(&f.rollout));
    fleet_member(&f, 1)->facts.yielded = true;
    fleet_tick(&f);
    assert_int_equal(fleet_state(&f, 1), MEMBER_WAITING);
    assert_false(rollout_is_live(&f.rollout));
    fleet_fini(&f);
}

static void clock_of_progress_stands_while_the_window_is_closed(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_member(&f, 0)->facts.works = false; /* nobody can move */
    fleet_run_for(&f, 40000);
    f.window_open = false;
    fleet_run_for(&f, 3600000);
    assert_int_equal(f.rollout.state, ROLLOUT_ROLLING);
    f.window_open = true;
    fleet_run_for(&f, 10000);
    assert_int_equal(f.rollout.state, ROLLOUT_ROLLING);
    fleet_run_for(&f, 15000);
    assert_int_equal(f.rollout.state, ROLLOUT_PAUSED);
    fleet_fini(&f);
}

static void master_that_starts_admits_and_fails_nobody_for_a_while(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    f.agents[1].nature = EXITS;
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_run_for(&f, 1000);
    rollout_recover(&f.rollout, f.now_ms, 20000);
    for (size_t i = 0; i < 4; i++)
        fleet_member(&f, i)->facts.online = false; /* nobody was heard of yet */
    fleet_run_for(&f, 10000);
    assert_int_equal(f.rollout.hold, CAUSE_RECOVERING);
    assert_int_equal(fleet_state(&f, 2), MEMBER_WAITING);
    for (size_t i = 0; i < 4; i++) fleet_member(&f, i)->facts.online = true;
    fleet_run_for(&f, 9000);
    assert_int_equal(fleet_state(&f, 1), MEMBER_GRANTED); /* it has failed already */
    fleet_run_for(&f, 2000);
    assert_int_equal(f.rollout.state, ROLLOUT_REVERTING);
    fleet_fini(&f);
}

static void time_of_listening_does_not_count_as_standstill(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_member(&f, 0)->facts.works = false; /* nobody can move */
    fleet_run_for(&f, 40000);
    rollout_recover(&f.rollout, f.now_ms, 100000);
    fleet_run_for(&f, 110000);
    assert_int_equal(f.rollout.state, ROLLOUT_ROLLING);
    fleet_run_for(&f, 15000);
    assert_int_equal(f.rollout.state, ROLLOUT_PAUSED);
    fleet_fini(&f);
}

static void good_news_is_taken_while_the_master_listens_first(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_run_for(&f, 1000);
    rollout_recover(&f.rollout, f.now_ms, 20000);
    fleet_run_for(&f, 5000);
    assert_int_equal(fleet_state(&f, 1), MEMBER_COMMITTED);
    assert_int_equal(fleet_count(&f, MEMBER_GRANTED), 0);
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    fleet_fini(&f);
}

static void stop_keeps_the_mix_and_ends_what_was_not_begun(void **state) {
    (void)state;
    struct fleet f;
    struct rollout_policy policy = usual_policy();
    policy.max_parallel.value = 3;
    fleet_init(&f, 8, 1, policy);
    f.agents[2].nature = DEAF;
    f.agents[3].nature = EXITS;
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_run_for(&f, 1000);
    assert_int_equal(fleet_count(&f, MEMBER_GRANTED), 3);
    assert_true(fleet_event(&f, ROLLOUT_STOP));
    assert_false(rollout_is_active(f.rollout.state));
    assert_true(rollout_is_live(&f.rollout));
    assert_false(rollout_orders(&f.rollout, fleet_member(&f, 2)).leave);
    assert_int_equal(rollout_orders(&f.rollout, fleet_member(&f, 6)).told, TOLD_OTHERS);
    fleet_run_for(&f, 31000);
    assert_int_equal(fleet_state(&f, 2), MEMBER_GRANTED); /* it holds a lease, for all we know */
    fleet_run_for(&f, 30000);
    assert_int_equal(f.rollout.state, ROLLOUT_STOPPED);
    assert_int_equal(fleet_state(&f, 0), MEMBER_COMMITTED);
    assert_int_equal(fleet_state(&f, 1), MEMBER_COMMITTED);
    assert_int_equal(fleet_state(&f, 2), MEMBER_WAITING);
    assert_int_equal(fleet_state(&f, 3), MEMBER_FAILED);
    assert_int_equal(fleet_count(&f, MEMBER_WAITING), 5);
    assert_false(rollout_is_live(&f.rollout));
    fleet_fini(&f);
}

static void newer_rollout_takes_over_from_where_everybody_is(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_ROLLING);
    fleet_run_for(&f, 1000);
    assert_true(fleet_event(&f, ROLLOUT_SUPERSEDE));
    assert_int_equal(fleet_count(&f, MEMBER_COMMITTED), 1);
    assert_int_equal(fleet_count(&f, MEMBER_WAITING), 3);
    assert_int_equal(rollout_orders(&f.rollout, fleet_member(&f, 0)).told, TOLD_OTHERS);
    assert_false(fleet_event(&f, ROLLOUT_ROLLBACK));
    assert_false(rollout_is_live(&f.rollout));
    fleet_run_for(&f, 10000);
    assert_int_equal(f.rollout.state, ROLLOUT_SUPERSEDED);
    fleet_fini(&f);
}

static void newer_rollout_takes_over_from_a_return_too(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 4, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    assert_false(fleet_event(&f, ROLLOUT_SUPERSEDE));
    assert_true(fleet_event(&f, ROLLOUT_ROLLBACK));
    fleet_run_for(&f, 5000);
    assert_true(fleet_event(&f, ROLLOUT_SUPERSEDE));
    assert_true(fleet_count(&f, MEMBER_COMMITTED) > 0);
    assert_true(fleet_count(&f, MEMBER_RETURNED) > 0);
    fleet_fini(&f);
}

static void refused_orders_change_nothing(void **state) {
    (void)state;
    struct fleet f;
    fleet_init(&f, 2, 1, usual_policy());
    fleet_run_until(&f, ROLLOUT_COMPLETED);
    struct rollout before = f.rollout;
    static const enum rollout_event refused[] = {ROLLOUT_PAUSE, ROLLOUT_RESUME, ROLLOUT_PROMOTE,
                                                 ROLLOUT_STOP, ROLLOUT_SUPERSEDE};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_false(fleet_event(&f, refused[i]));
    assert_memory_equal(&before, &f.rollout, sizeof before);
    fleet_fini(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_disk_pauses_and_never_reverts),
        cmocka_unit_test(bad_signature_halts_everything_at_once),
        cmocka_unit_test(version_that_is_withdrawn_pauses_until_it_is_offered_again),
        cmocka_unit_test(who_refused_what_was_withdrawn_accuses_nobody_later),
        cmocka_unit_test(distrust_after_the_grant_halts_too),
        cmocka_unit_test(version_that_failed_elsewhere_pauses_until_somebody_says_go_on),
        cmocka_unit_test(fetches_that_fail_for_most_pause_and_for_few_do_not),
        cmocka_unit_test(fleet_that_is_away_waits_and_then_pauses),
        cmocka_unit_test(slow_fetches_are_waited_for_as_long_as_they_come_in),
        cmocka_unit_test(canary_that_vetoes_gives_way_to_another),
        cmocka_unit_test(pause_lets_finish_what_has_begun_and_begins_nothing),
        cmocka_unit_test(version_that_fails_while_paused_reverts_still),
        cmocka_unit_test(every_state_before_the_end_can_be_paused_and_goes_on_there),
        cmocka_unit_test(nobody_begins_outside_of_the_windows),
        cmocka_unit_test(leave_that_was_not_used_ends_with_the_window),
        cmocka_unit_test(leave_that_is_given_back_frees_its_slot_at_once),
        cmocka_unit_test(what_has_begun_does_not_give_its_leave_back),
        cmocka_unit_test(window_that_closes_makes_who_gave_back_its_leave_wait_again),
        cmocka_unit_test(straggler_of_a_completed_rollout_gives_its_leave_back_to_the_window),
        cmocka_unit_test(veto_holds_nobody_longer_than_it_takes_to_give_the_leave_back),
        cmocka_unit_test(stopped_rollout_is_over_once_unused_leave_was_given_back),
        cmocka_unit_test(clock_of_progress_stands_while_the_window_is_closed),
        cmocka_unit_test(master_that_starts_admits_and_fails_nobody_for_a_while),
        cmocka_unit_test(time_of_listening_does_not_count_as_standstill),
        cmocka_unit_test(graver_cause_is_told_of_a_rollout_that_is_paused_already),
        cmocka_unit_test(canary_whose_bytes_are_gone_has_proved_nothing),
        cmocka_unit_test(good_news_is_taken_while_the_master_listens_first),
        cmocka_unit_test(stop_keeps_the_mix_and_ends_what_was_not_begun),
        cmocka_unit_test(newer_rollout_takes_over_from_where_everybody_is),
        cmocka_unit_test(newer_rollout_takes_over_from_a_return_too),
        cmocka_unit_test(refused_orders_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
