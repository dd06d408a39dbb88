#include "agent/self_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define A "1.0.0-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "1.1.0-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "1.2.0-cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static struct self_journal journal;
static struct self_facts facts;
static struct self_decision decision;

/* A runs, B is desired by a rollout that gave leave until 31000, and everything is ready. */
static int setup(void **unused) {
    (void)unused;
    journal = (struct self_journal){0};
    facts = (struct self_facts){
        .journal = &journal,
        .running = A,
        .target = B,
        .staged = true,
        .quiet = true,
        .connected = true,
        .began_ms = 1000,
        .reached_ms = 1100,
        .taken_over_ms = 1200,
        .lease_until_ms = 31000,
        .grant = {.rollout = "r-1",
                  .attempt = 1,
                  .lease_ms = 30000,
                  .min_healthy_ms = 2000,
                  .probation_ms = 5000,
                  .healthy_deadline_ms = 10000},
    };
    return 0;
}

/* The journal of the switch from A to B that these facts gave leave for. */
static void write_journal(enum self_stage stage) {
    journal = (struct self_journal){.stage = stage, .grant = facts.grant, .switches = 1};
    snprintf(journal.from, sizeof journal.from, "%s", A);
    snprintf(journal.to, sizeof journal.to, "%s", B);
}

static enum self_action decide_at(int64_t now_ms) {
    self_decide(&facts, now_ms, &decision);
    return decision.action;
}

static void assert_hold(enum self_hold hold) {
    assert_int_equal(decide_at(2000), SELF_STAY);
    assert_int_equal(decision.hold, hold);
}

static void a_switch_begins_with_bytes_leave_and_settled_nodes(void **unused) {
    (void)unused;
    assert_int_equal(decide_at(2000), SELF_BEGIN);
    facts.held = true;
    assert_hold(SELF_HOLD_HELD);
    facts.held = false;
    facts.quiet = false;
    assert_hold(SELF_HOLD_NODES);
    facts.staged = false;
    assert_hold(SELF_HOLD_BYTES);
    facts.running = "";
    assert_hold(SELF_HOLD_LAUNCHER);
    facts.running = B;
    assert_hold(SELF_HOLD_NONE);
    facts.target = "";
    assert_hold(SELF_HOLD_NONE);
}

static void leave_ends_with_its_lease(void **unused) {
    (void)unused;
    assert_int_equal(decide_at(30999), SELF_BEGIN);
    assert_int_equal(decide_at(31000), SELF_STAY);
    assert_int_equal(decision.hold, SELF_HOLD_LEAVE);
    facts.connected = false;
    assert_int_equal(decide_at(30999), SELF_BEGIN); /* it holds while the master is away */
    assert_int_equal(decide_at(31000), SELF_STAY);
    assert_int_equal(decision.hold, SELF_HOLD_MASTER);
    facts.connected = true;
    facts.grant.lease_ms = 0;
    assert_hold(SELF_HOLD_LEAVE);
}

static void without_a_rollout_the_master_must_answer(void **unused) {
    (void)unused;
    facts.grant = (struct wire_grant){0};
    facts.lease_until_ms = 0;
    assert_int_equal(decide_at(2000), SELF_BEGIN);
    facts.connected = false;
    assert_hold(SELF_HOLD_MASTER);
}

static void what_failed_is_tried_again_under_another_leave_only(void **unused) {
    (void)unused;
    write_journal(SELF_FAILED);
    assert_int_equal(decide_at(2000), SELF_STAY);
    facts.grant.attempt = 2;
    assert_int_equal(decide_at(2000), SELF_BEGIN);
    facts.grant.attempt = 1;
    snprintf(facts.grant.rollout, sizeof facts.grant.rollout, "r-2");
    assert_int_equal(decide_at(2000), SELF_BEGIN);
    facts.grant = journal.grant;
    facts.target = C;
    assert_int_equal(decide_at(2000), SELF_BEGIN);
}

static void a_switch_that_a_crash_cut_short_is_finished_whatever_the_master_says(void **unused) {
    (void)unused;
    write_journal(SELF_SWITCHING);
    facts.grant.lease_ms = 0;
    facts.connected = false;
    facts.target = "";
    assert_int_equal(decide_at(2000), SELF_FINISH);
    journal.switches = SELF_MOST_SWITCHES;
    assert_int_equal(decide_at(2000), SELF_FAIL);
    assert_int_equal(decision.verdict, SELF_IN_VAIN);
}

static void the_build_before_learns_that_the_launcher_gave_up(void **unused) {
    (void)unused;
    facts.given_up = true;
    write_journal(SELF_SWITCHING);
    assert_int_equal(decide_at(2000), SELF_FAIL);
    assert_int_equal(decision.verdict, SELF_GIVEN_UP);
    write_journal(SELF_PROBATION);
    assert_int_equal(decide_at(2000), SELF_FAIL);
    assert_int_equal(decision.verdict, SELF_GIVEN_UP);
}

static void a_proven_build_that_the_launcher_gives_up_later_is_not_tried_again(void **unused) {
    (void)unused;
    write_journal(SELF_COMMITTED);
    facts.given_up = true;
    assert_int_equal(decide_at(2000), SELF_FAIL);
    assert_int_equal(decision.verdict, SELF_GIVEN_UP);
    facts.given_up = false; /* ordered back */
    assert_int_equal(decide_at(2000), SELF_BEGIN);
    facts.given_up = true;
    facts.running = B;
    assert_int_equal(decide_at(2000), SELF_STAY);
}

static void a_build_put_there_by_hand_ends_the_update(void **unused) {
    (void)unused;
    facts.running = C;
    write_journal(SELF_SWITCHING);
    assert_int_equal(decide_at(2000), SELF_FAIL);
    assert_int_equal(decision.verdict, SELF_REPLACED);
    write_journal(SELF_PROBATION);
    assert_int_equal(decide_at(2000), SELF_FAIL);
    assert_int_equal(decision.verdict, SELF_REPLACED);
}

static void a_new_build_is_proven_by_the_master_the_nodes_and_time(void **unused) {
    (void)unused;
    write_journal(SELF_SWITCHING);
    facts.running = B;
    assert_int_equal(decide_at(2000), SELF_ENTER);
    write_journal(SELF_PROBATION);
    assert_int_equal(decide_at(5999), SELF_STAY);
    assert_int_equal(decision.wake_ms, 6000);
    assert_int_equal(decide_at(6000), SELF_COMMIT);
    facts.taken_over_ms = 5000; /* min_healthy counts from there */
    assert_int_equal(decide_at(6999), SELF_STAY);
    assert_int_equal(decide_at(7000), SELF_COMMIT);
    facts.taken_over_ms = 1200;
    facts.reached_ms = 5500;
    assert_int_equal(decide_at(7499), SELF_STAY);
    assert_int_equal(decide_at(7500), SELF_COMMIT);
}

static void it_goes_back_when_the_master_or_the_nodes_do_not_know_it(void **unused) {
    (void)unused;
    write_journal(SELF_PROBATION);
    facts.running = B;
    facts.reached_ms = 0;
    assert_int_equal(decide_at(15999), SELF_STAY);
    assert_int_equal(decision.wake_ms, 16000);
    assert_int_equal(decide_at(16000), SELF_GO_BACK);
    assert_int_equal(decision.verdict, SELF_SILENT);
    facts.reached_ms = 1100;
    facts.taken_over_ms = 0;
    assert_int_equal(decide_at(15999), SELF_STAY);
    assert_int_equal(decide_at(16000), SELF_GO_BACK);
    assert_int_equal(decision.verdict, SELF_NOT_TAKEN_OVER);
}

static void without_a_rollout_there_is_a_deadline_too(void **unused) {
    (void)unused;
    facts.grant = (struct wire_grant){0};
    write_journal(SELF_PROBATION);
    facts.running = B;
    assert_int_equal(decide_at(1201), SELF_COMMIT);
    facts.reached_ms = 0;
    assert_int_equal(decide_at(1000 + SELF_HEALTHY_DEADLINE_MS - 1), SELF_STAY);
    assert_int_equal(decide_at(1000 + SELF_HEALTHY_DEADLINE_MS), SELF_GO_BACK);
}

static void a_return_that_a_crash_cut_short_is_finished(void **unused) {
    (void)unused;
    write_journal(SELF_RETURNING);
    facts.running = B;
    assert_int_equal(decide_at(2000), SELF_GO_BACK);
    assert_int_equal(decision.verdict, SELF_VERDICT_NONE); /* the journal has it */
    facts.running = A;
    assert_int_equal(decide_at(2000), SELF_FAIL);
    assert_int_equal(decision.verdict, SELF_VERDICT_NONE);
}

static void silence_is_the_builds_fault_when_the_one_before_is_answered(void **unused) {
    (void)unused;
    write_journal(SELF_RETURNING);
    journal.unseen = true;
    facts.reached_ms = 0;
    assert_int_equal(decide_at(15999), SELF_STAY);
    assert_int_equal(decide_at(16000), SELF_FORGET); /* the master is away for both */
    facts.reached_ms = 15000;
    assert_int_equal(decide_at(15001), SELF_FAIL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_switch_begins_with_bytes_leave_and_settled_nodes, setup),
        cmocka_unit_test_setup(leave_ends_with_its_lease, setup),
        cmocka_unit_test_setup(without_a_rollout_the_master_must_answer, setup),
        cmocka_unit_test_setup(what_failed_is_tried_again_under_another_leave_only, setup),
        cmocka_unit_test_setup(a_switch_that_a_crash_cut_short_is_finished_whatever_the_master_says,
                               setup),
        cmocka_unit_test_setup(the_build_before_learns_that_the_launcher_gave_up, setup),
        cmocka_unit_test_setup(a_proven_build_that_the_launcher_gives_up_later_is_not_tried_again,
                               setup),
        cmocka_unit_test_setup(a_build_put_there_by_hand_ends_the_update, setup),
        cmocka_unit_test_setup(a_new_build_is_proven_by_the_master_the_nodes_and_time, setup),
        cmocka_unit_test_setup(it_goes_back_when_the_master_or_the_nodes_do_not_know_it, setup),
        cmocka_unit_test_setup(without_a_rollout_there_is_a_deadline_too, setup),
        cmocka_unit_test_setup(a_return_that_a_crash_cut_short_is_finished, setup),
        cmocka_unit_test_setup(silence_is_the_builds_fault_when_the_one_before_is_answered, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
