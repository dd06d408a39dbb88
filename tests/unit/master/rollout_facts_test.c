/* What the engine is told about a machine, out of its last report. */
#include "master/rollout_facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct scene {
    struct agent_view agent;
    struct wire_node nodes[2];
    struct rollout_member member;
    struct rollout_part part;
    struct rollout_facts facts;
};

#define SAY(field, words) snprintf((field), sizeof(field), "%s", (words))

/* A healthy machine that runs 1.0.0 ("aa") and is to go to 1.1.0 ("bb") by r-3, attempt 2. */
static void begin(struct scene *s) {
    *s = (struct scene){
        .agent = {.admission = ADMISSION_ADMITTED, .status = AGENT_UP},
        .member = {.state = MEMBER_GRANTED,         .attempt = 2      }
    };
    s->part = (struct rollout_part){.rollout = "r-3",
                                    .version = "1.1.0",
                                    .to_sha256 = "bb",
                                    .from_version = "1.0.0",
                                    .from_sha256 = "aa",
                                    .member = &s->member};
    SAY(s->agent.mode, "active");
    SAY(s->agent.report.agent_id, "a-1");
    SAY(s->agent.report.version, "1.0.0");
    SAY(s->agent.report.sha256, "aa");
    SAY(s->agent.report.update.rollout, "r-3");
    s->agent.report.update.rollout_attempt = 2;
    s->agent.report.nodes = s->nodes;
    s->agent.report.nodes_count = 2;
    SAY(s->nodes[0].state, "healthy");
    SAY(s->nodes[1].state, "healthy");
}

static const struct rollout_facts *look(struct scene *s) {
    rollout_facts_of(&s->agent, &s->part, &s->facts);
    return &s->facts;
}

static void run_target(struct scene *s) {
    SAY(s->agent.report.version, "1.1.0");
    SAY(s->agent.report.sha256, "bb");
}

static void each_state_of_an_update_is_a_progress(void **state) {
    (void)state;
    static const struct {
        const char *state, *cause;
        bool on_target;
        enum rollout_progress progress;
        enum rollout_cause means;
    } cases[] = {
        {"downloading", "",          false, PROGRESS_HELD,      CAUSE_NONE     },
        {"verifying",   "",          false, PROGRESS_HELD,      CAUSE_NONE     },
        {"waiting",     "veto",      false, PROGRESS_HELD,      CAUSE_VETO     },
        {"waiting",     "draining",  false, PROGRESS_HELD,      CAUSE_DRAINING },
        {"waiting",     "machine",   false, PROGRESS_HELD,      CAUSE_MACHINE  },
        {"switching",   "",          false, PROGRESS_SWITCHING, CAUSE_NONE     },
        {"probation",   "",          true,  PROGRESS_PROBATION, CAUSE_NONE     },
        {"returning",   "version",   false, PROGRESS_SWITCHING, CAUSE_VERSION  },
        {"failed",      "version",   false, PROGRESS_WENT_BACK, CAUSE_VERSION  },
        {"failed",      "",          false, PROGRESS_WENT_BACK, CAUSE_VERSION  },
        {"failed",      "untrusted", false, PROGRESS_WENT_BACK, CAUSE_UNTRUSTED},
        {"stuck",       "machine",   false, PROGRESS_STUCK,     CAUSE_MACHINE  },
        {"idle",        "",          true,  PROGRESS_COMMITTED, CAUSE_NONE     },
        {"idle",        "",          false, PROGRESS_HELD,      CAUSE_NONE     },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        begin(&s);
        if (cases[i].on_target) run_target(&s);
        SAY(s.agent.report.update.state, cases[i].state);
        SAY(s.agent.report.update.cause, cases[i].cause);
        assert_int_equal(look(&s)->progress, cases[i].progress);
        assert_int_equal(s.facts.cause, cases[i].means);
        assert_int_equal(s.facts.on_target, cases[i].on_target);
    }
}

static void reports_about_other_grants_say_nothing(void **state) {
    (void)state;
    struct scene s;
    begin(&s);
    run_target(&s);
    SAY(s.agent.report.update.state, "idle");
    assert_int_equal(look(&s)->progress, PROGRESS_COMMITTED);
    s.agent.report.update.rollout_attempt = 1;
    assert_int_equal(look(&s)->progress, PROGRESS_NONE);
    s.agent.report.update.rollout_attempt = 2;
    SAY(s.agent.report.update.rollout, "r-33");
    assert_int_equal(look(&s)->progress, PROGRESS_NONE);
}

static void same_version_with_other_bytes_proves_nothing(void **state) {
    (void)state;
    struct scene s;
    begin(&s);
    run_target(&s);
    SAY(s.agent.report.sha256, "cc");
    SAY(s.agent.report.update.state, "idle");
    assert_int_equal(look(&s)->progress, PROGRESS_HELD);
    assert_false(s.facts.on_target);
}

static void way_back_is_proved_by_what_it_ran_before(void **state) {
    (void)state;
    struct scene s;
    begin(&s);
    s.member.state = MEMBER_RETURNING;
    SAY(s.agent.report.update.state, "idle");
    assert_int_equal(look(&s)->progress, PROGRESS_COMMITTED);
    run_target(&s);
    assert_int_equal(look(&s)->progress, PROGRESS_HELD);
    s.part.from_version = "";
    SAY(s.agent.report.update.state, "waiting");
    assert_int_equal(look(&s)->progress, PROGRESS_COMMITTED);
}

static void who_failed_and_rests_where_it_was_has_gone_back(void **state) {
    (void)state;
    struct scene s;
    begin(&s);
    s.member.state = MEMBER_FAILED;
    s.member.cause = CAUSE_SILENT;
    SAY(s.agent.report.update.state, "idle");
    assert_int_equal(look(&s)->progress, PROGRESS_WENT_BACK);
    assert_int_equal(s.facts.cause, CAUSE_SILENT);
    run_target(&s);
    assert_int_equal(look(&s)->progress, PROGRESS_COMMITTED);
}

static void machine_works_when_every_node_does(void **state) {
    (void)state;
    static const struct {
        const char *second;
        bool works;
    } cases[] = {
        {"healthy",   true },
        {"draining",  true },
        {"starting",  false},
        {"unhealthy", false},
        {"backoff",   false},
        {"stopped",   false}
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        begin(&s);
        SAY(s.nodes[1].state, cases[i].second);
        assert_int_equal(look(&s)->works, cases[i].works);
        assert_int_equal(s.facts.nodes, 2);
    }
}

static void machine_that_should_run_nothing_is_in_order(void **state) {
    (void)state;
    struct scene s;
    begin(&s);
    s.part.from_version = s.part.from_sha256 = "";
    SAY(s.agent.report.version, "");
    SAY(s.nodes[0].state, "stopped");
    SAY(s.nodes[1].state, "stopped");
    assert_true(look(&s)->works);
    s.agent.report.nodes_count = 0;
    assert_true(look(&s)->works);
    s.part.from_version = "1.0.0";
    assert_false(look(&s)->works);
}

static void bytes_count_as_staged_only_when_they_are_those(void **state) {
    (void)state;
    struct scene s;
    begin(&s);
    SAY(s.agent.report.staging.state, "staged");
    SAY(s.agent.report.staging.sha256, "aa");
    assert_false(look(&s)->staged);
    SAY(s.agent.report.staging.sha256, "bb");
    assert_true(look(&s)->staged);
    SAY(s.agent.report.staging.state, "failed");
    SAY(s.agent.report.staging.cause, "machine");
    assert_int_equal(look(&s)->fetch_cause, CAUSE_MACHINE);
    assert_false(s.facts.staged);
    SAY(s.agent.report.staging.cause, "");
    assert_int_equal(look(&s)->fetch_cause, CAUSE_DOWNLOAD);
    run_target(&s);
    assert_true(look(&s)->staged);
    assert_int_equal(s.facts.fetch_cause, CAUSE_NONE);
}

static void circumstances_come_from_the_registry(void **state) {
    (void)state;
    struct scene s;
    begin(&s);
    assert_true(look(&s)->online && s.facts.has_build);
    assert_false(s.facts.lost || s.facts.draining || s.facts.pinned || s.facts.removed);
    s.agent.status = AGENT_SUSPECT;
    assert_false(look(&s)->online || s.facts.lost);
    s.agent.status = AGENT_LOST;
    assert_true(look(&s)->lost);
    SAY(s.agent.mode, "draining");
    SAY(s.agent.pin, "1.0.0");
    s.agent.admission = ADMISSION_REVOKED;
    assert_true(look(&s)->draining && s.facts.pinned && s.facts.removed);
    s.agent.report.binary_path = "/opt/own";
    assert_false(look(&s)->has_build);
}

/* Told with edition 9 that there is no leave for attempt 2 of r-3, and echoing it. */
static void take_leave_back(struct scene *s) {
    begin(s);
    SAY(s->agent.grant.rollout, "r-3");
    s->agent.grant.attempt = 2;
    s->agent.grant.edition = s->agent.report.update.edition = 9;
    SAY(s->agent.report.update.state, "waiting");
}

static void leave_is_given_back_by_who_knows_that_it_was_taken_and_has_not_begun(void **state) {
    (void)state;
    struct scene s;
    take_leave_back(&s);
    assert_true(look(&s)->yielded);
    s.agent.grant.lease_ms = 30000; /* it has leave */
    assert_false(look(&s)->yielded);
    take_leave_back(&s);
    s.agent.report.update.edition = 8; /* and speaks of what it was told before */
    assert_false(look(&s)->yielded);
    s.agent.report.update.edition = 10; /* by an earlier run of the master */
    assert_false(look(&s)->yielded);
    take_leave_back(&s);
    s.agent.grant.edition = s.agent.report.update.edition = 0; /* an agent that tells none */
    assert_false(look(&s)->yielded);
    take_leave_back(&s);
    s.agent.report.update.rollout_attempt = 1;
    assert_false(look(&s)->yielded);
    take_leave_back(&s);
    s.agent.grant.attempt = 3; /* memory is ahead of the member */
    assert_false(look(&s)->yielded);
    take_leave_back(&s);
    SAY(s.agent.grant.rollout, "r-4");
    assert_false(look(&s)->yielded);
}

static void own_program_gives_back_its_own_leave(void **state) {
    (void)state;
    struct scene s;
    take_leave_back(&s);
    s.part.self = true;
    assert_false(look(&s)->yielded);
    s.agent.self.grant = s.agent.grant;
    SAY(s.agent.report.self.update.rollout, "r-3");
    s.agent.report.self.update.rollout_attempt = 2;
    s.agent.report.self.update.edition = 9;
    assert_true(look(&s)->yielded);
}

static void machine_is_at_rest_when_it_knows_its_orders_and_nothing_is_under_way(void **state) {
    (void)state;
    static const struct {
        const char *state;
        bool rests;
    } cases[] = {
        {"idle",      true },
        {"waiting",   true },
        {"failed",    true },
        {"switching", false},
        {"probation", false},
        {"returning", false},
        {"stuck",     false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        begin(&s);
        s.agent.generation = s.agent.report.generation = 5;
        SAY(s.agent.report.update.state, cases[i].state);
        assert_int_equal(look(&s)->at_rest, cases[i].rests);
        s.agent.generation = 6; /* an order that it has not heard of */
        assert_false(look(&s)->at_rest);
    }
}

static void own_program_is_judged_by_its_own_reports(void **state) {
    (void)state;
    struct scene s;
    begin(&s);
    s.part.self = true;
    SAY(s.agent.pin, "1.0.0");
    SAY(s.nodes[0].state, "unhealthy");
    assert_false(look(&s)->has_build);
    SAY(s.agent.report.self.version, "1.1.0");
    SAY(s.agent.report.self.sha256, "bb");
    SAY(s.agent.report.self.update.state, "idle");
    SAY(s.agent.report.self.update.rollout, "r-3");
    s.agent.report.self.update.rollout_attempt = 2;
    assert_true(look(&s)->has_build && s.facts.works && s.facts.on_target);
    assert_false(s.facts.pinned);
    assert_int_equal(s.facts.progress, PROGRESS_COMMITTED);
    assert_int_equal(s.facts.nodes, 1);
}

static void words_are_those_about_the_grant_else_about_the_fetch(void **state) {
    (void)state;
    struct scene s;
    char log[] = "exit code 3";
    begin(&s);
    s.agent.report.update.reason = "node 1 ended";
    s.agent.report.update.diagnosis = log;
    assert_string_equal(rollout_facts_reason(&s.agent, &s.part), "node 1 ended");
    assert_string_equal(rollout_facts_diagnosis(&s.agent, &s.part), "exit code 3");
    s.member.attempt = 3;
    SAY(s.agent.report.staging.state, "failed");
    SAY(s.agent.report.staging.sha256, "bb");
    s.agent.report.staging.reason = "no space left";
    assert_string_equal(rollout_facts_reason(&s.agent, &s.part), "no space left");
    assert_string_equal(rollout_facts_diagnosis(&s.agent, &s.part), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_of_an_update_is_a_progress),
        cmocka_unit_test(reports_about_other_grants_say_nothing),
        cmocka_unit_test(same_version_with_other_bytes_proves_nothing),
        cmocka_unit_test(way_back_is_proved_by_what_it_ran_before),
        cmocka_unit_test(who_failed_and_rests_where_it_was_has_gone_back),
        cmocka_unit_test(machine_works_when_every_node_does),
        cmocka_unit_test(machine_that_should_run_nothing_is_in_order),
        cmocka_unit_test(bytes_count_as_staged_only_when_they_are_those),
        cmocka_unit_test(circumstances_come_from_the_registry),
        cmocka_unit_test(leave_is_given_back_by_who_knows_that_it_was_taken_and_has_not_begun),
        cmocka_unit_test(own_program_gives_back_its_own_leave),
        cmocka_unit_test(machine_is_at_rest_when_it_knows_its_orders_and_nothing_is_under_way),
        cmocka_unit_test(own_program_is_judged_by_its_own_reports),
        cmocka_unit_test(words_are_those_about_the_grant_else_about_the_fetch),
    };
    return cmocka_run_group_tests_name("master/rollout_facts", tests, NULL, NULL);
}
