/* Rollouts over a real database: begun, judged, ordered, superseded, planned and listed. */
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

static void bad_canary_goes_back_alone_and_its_digest_is_quarantined(void **state) {
    struct grid *g = *state;
    struct err error;
    struct channel channel;
    struct quarantined *list = NULL;
    size_t count = 0;
    for (size_t i = 0; i < 3; i++) snprintf(g->machines[i].bad, SEMVER_SIZE, "1.1.0");
    int64_t number = grid_begin(g, "1.1.0", "");
    struct seen s = grid_until(g, number, ROLLOUT_REVERTED);
    assert_int_equal(s.cause, CAUSE_VERSION);
    assert_non_null(strstr(s.reason, "a-1"));
    assert_non_null(strstr(s.reason, "exit code 3"));
    assert_int_equal(s.members[0], MEMBER_RETURNED);
    assert_string_equal(s.first_reason, "node 0 ended with exit code 3");
    assert_string_equal(s.first_diagnosis, "exit code 3\nlast line");
    assert_int_equal(s.attempts[1] + s.attempts[2], 0);
    for (size_t i = 0; i < 3; i++) assert_string_equal(g->machines[i].version, "1.0.0");
    assert_int_equal(grid_events(g, "rollout.agent.failed"), 1);
    assert_int_equal(grid_events(g, "quarantine.added"), 1);
    assert_ok(quarantine_list(g->f->db, &list, &count, &error));
    assert_int_equal(count, 1);
    assert_int_equal(list[0].rollout, number);
    assert_string_equal(list[0].version, "1.1.0");
    free(list);
    assert_false(
        channels_set(g->f->db, "stable", "storage-server", "1.1.0", "t", &channel, &error));
    assert_int_equal(error.code, ERR_CONFLICT);
    assert_non_null(strstr(error.hint, "quarantine"));
    const struct agent_change pin = {.pin = "1.1.0"};
    assert_false(agents_change(g->f->agents, "a-1", &pin, "t", &error));
    assert_int_equal(error.code, ERR_CONFLICT);
    assert_false(grid_start(g, "1.1.0", "", &number, &error));
    assert_non_null(strstr(error.hint, "override_quarantine"));
    for (size_t i = 0; i < 3; i++) g->machines[i].bad[0] = '\0';
    number = grid_begin(g, "1.1.0", "\"override_quarantine\":true");
    (void)grid_until(g, number, ROLLOUT_COMPLETED);
}

static void operator_who_goes_back_quarantines_nothing(void **state) {
    struct grid *g = *state;
    struct err error;
    int64_t number = grid_begin(g, "1.1.0", "");
    (void)grid_until(g, number, ROLLOUT_COMPLETED);
    assert_ok(rollouts_order(g->rollouts, number, ROLLOUT_ROLLBACK, "token:op", &error));
    struct seen s = grid_until(g, number, ROLLOUT_REVERTED);
    assert_int_equal(s.cause, CAUSE_OPERATOR);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(s.members[i], MEMBER_RETURNED);
        assert_string_equal(g->machines[i].version, "1.0.0");
    }
    assert_int_equal(grid_events(g, "quarantine.added"), 0);
    assert_int_equal(grid_agent(g, "a-1").desired_rule, DESIRED_CHANNEL);
}

static void rollout_is_rolled_back_over_a_newer_one_only_once_that_went_back(void **state) {
    struct grid *g = *state;
    struct err error;
    int64_t first = grid_begin(g, "1.1.0", "");
    (void)grid_until(g, first, ROLLOUT_COMPLETED);
    int64_t second = grid_begin(g, "1.2.0", "\"selector\":\"rack=b\"");
    (void)grid_until(g, second, ROLLOUT_COMPLETED);
    assert_false(rollouts_order(g->rollouts, first, ROLLOUT_ROLLBACK, "token:op", &error));
    assert_int_equal(error.code, ERR_CONFLICT);
    assert_non_null(strstr(error.text, "r-2"));
    assert_ok(rollouts_order(g->rollouts, second, ROLLOUT_ROLLBACK, "token:op", &error));
    (void)grid_until(g, second, ROLLOUT_REVERTED);
    assert_string_equal(g->machines[2].version, "1.1.0");
    assert_ok(rollouts_order(g->rollouts, first, ROLLOUT_ROLLBACK, "token:op", &error));
    (void)grid_until(g, first, ROLLOUT_REVERTED);
    for (size_t i = 0; i < 3; i++) assert_string_equal(g->machines[i].version, "1.0.0");
}

static void overlap_is_refused_and_disjoint_rollouts_run_beside_each_other(void **state) {
    struct grid *g = *state;
    struct err error;
    int64_t number = 0;
    int64_t first = grid_begin(g, "1.1.0", "\"selector\":\"rack=a\"");
    assert_false(grid_start(g, "1.2.0", "", &number, &error));
    assert_int_equal(error.code, ERR_CONFLICT);
    assert_non_null(strstr(error.text, "a-1"));
    assert_non_null(strstr(error.text, "r-1"));
    assert_non_null(strstr(error.hint, "supersede"));
    int64_t second = grid_begin(g, "1.2.0", "\"selector\":\"rack=b\"");
    (void)grid_until(g, first, ROLLOUT_COMPLETED);
    (void)grid_until(g, second, ROLLOUT_COMPLETED);
    assert_string_equal(g->machines[1].version, "1.1.0");
    assert_string_equal(g->machines[2].version, "1.2.0");
}

static void what_one_rollout_finds_bad_halts_the_others_that_lead_there(void **state) {
    struct grid *g = *state;
    struct err error;
    g->machines[2].stays = true;
    int64_t held = grid_begin(g, "1.1.0", "\"selector\":\"rack=b\"");
    (void)grid_until(g, held, ROLLOUT_CANARY);
    snprintf(g->machines[0].bad, SEMVER_SIZE, "1.1.0");
    int64_t bad = grid_begin(g, "1.1.0", "\"selector\":\"rack=a\",\"canary\":1");
    struct seen s = grid_until(g, held, ROLLOUT_PAUSED);
    assert_int_equal(s.cause, CAUSE_VERSION);
    (void)grid_until(g, bad, ROLLOUT_REVERTED);
    g->machines[2].stays = false;
    assert_int_equal(grid_seen(g, held).state, ROLLOUT_PAUSED);
    assert_ok(rollouts_order(g->rollouts, held, ROLLOUT_RESUME, "token:op", &error));
    (void)grid_until(g, held, ROLLOUT_COMPLETED);
}

static void superseding_ends_the_old_one_and_keeps_where_its_moves_began(void **state) {
    struct grid *g = *state;
    g->machines[0].stays = true;
    int64_t first = grid_begin(g, "1.1.0", "");
    (void)grid_until(g, first, ROLLOUT_CANARY);
    grid_round(g);
    grid_round(g);
    assert_int_equal(grid_seen(g, first).members[0], MEMBER_GRANTED);
    assert_string_equal(grid_agent(g, "a-1").desired_version, "1.1.0");
    int64_t second = grid_begin(g, "1.2.0", "\"supersede\":true");
    struct seen s = grid_seen(g, first);
    assert_int_equal(s.state, ROLLOUT_SUPERSEDED);
    assert_int_equal(s.superseded_by, second);
    assert_string_equal(grid_seen(g, second).agents[0].from_version, "1.0.0");
    assert_string_equal(grid_agent(g, "a-1").desired_version, "1.0.0");
    g->machines[0].stays = false;
    (void)grid_until(g, second, ROLLOUT_COMPLETED);
}

static void order_that_the_state_does_not_allow_names_those_it_does(void **state) {
    struct grid *g = *state;
    struct err error;
    int64_t number = grid_begin(g, "1.1.0", "");
    assert_false(rollouts_order(g->rollouts, number, ROLLOUT_RESUME, "t", &error));
    assert_int_equal(error.code, ERR_CONFLICT);
    assert_non_null(strstr(error.text, "r-1 is in state draft"));
    assert_non_null(strstr(error.hint, "pause, stop, rollback"));
    assert_false(rollouts_order(g->rollouts, 99, ROLLOUT_PAUSE, "t", &error));
    assert_int_equal(error.code, ERR_NOT_FOUND);
}

static void nobody_selected_and_unknown_versions_are_refused(void **state) {
    struct grid *g = *state;
    struct err error;
    int64_t number = 0;
    assert_false(grid_start(g, "1.1.0", "\"selector\":\"rack=z\"", &number, &error));
    assert_int_equal(error.code, ERR_NOT_FOUND);
    assert_false(grid_start(g, "9.9.9", "", &number, &error));
    assert_int_equal(error.code, ERR_NOT_FOUND);
    assert_non_null(strstr(error.text, "9.9.9"));
}

static void agents_without_a_launcher_have_no_rollout_of_their_own(void **state) {
    struct grid *g = *state;
    struct err error = {0};
    int64_t number = 0;
    assert_false(grid_start(g, "1.1.0", "\"name\":\"grid-agent\"", &number, &error));
    assert_int_equal(error.code, ERR_CONFLICT);
    assert_non_null(strstr(error.text, "grid-launcher"));
}

static void long_last_words_are_cut(void **state) {
    struct grid *g = *state;
    static char words[100000];
    memset(words, 'x', sizeof words - 1);
    snprintf(g->machines[0].bad, SEMVER_SIZE, "1.1.0");
    g->machines[0].last_words = words;
    struct seen s = grid_until(g, grid_begin(g, "1.1.0", ""), ROLLOUT_REVERTED);
    assert_in_range(s.first_diagnosis_bytes, 2048, 8192);
}

static void same_key_gives_the_same_rollout(void **state) {
    struct grid *g = *state;
    struct err error;
    struct rollout_request request;
    static const char body[] = "{\"version\":\"1.1.0\"}";
    int64_t first = 0, second = 0;
    bool existed = true;
    assert_ok(rollout_request_decode(body, sizeof body - 1, &request, &error));
    assert_ok(rollouts_start(g->rollouts, &request, "token:a", "key", &first, &existed, &error));
    assert_false(existed);
    assert_ok(rollouts_start(g->rollouts, &request, "token:a", "key", &second, &existed, &error));
    assert_true(existed);
    assert_int_equal(first, second);
    assert_false(
        rollouts_start(g->rollouts, &request, "token:b", "key", &second, &existed, &error));
    rollout_request_clear(&request);
}

static void bytes_that_a_rollout_needs_stay(void **state) {
    struct grid *g = *state;
    struct err error;
    int64_t number = grid_begin(g, "1.1.0", "\"auto_promote_s\":\"never\"");
    (void)grid_until(g, number, ROLLOUT_AWAIT_PROMOTE);
    struct seen s = grid_seen(g, number);
    assert_false(rollouts_check_unneeded(g->rollouts, s.agents[2].to_sha256, false, &error));
    assert_int_equal(error.code, ERR_CONFLICT);
    assert_false(rollouts_check_unneeded(g->rollouts, s.agents[2].from_sha256, true, &error));
    assert_ok(rollouts_check_unneeded(g->rollouts, s.agents[2].from_sha256, false, &error));
    assert_ok(rollouts_order(g->rollouts, number, ROLLOUT_STOP, "token:op", &error));
    assert_ok(rollouts_check_unneeded(g->rollouts, s.agents[2].to_sha256, true, &error));
}

static void plan_writes_nothing_and_tells_what_would_refuse_it(void **state) {
    struct grid *g = *state;
    struct err error, conflict;
    struct rollout_request request;
    struct seen s = {.state = ROLLOUT_PAUSED};
    static const char body[] = "{\"version\":\"1.2.0\"}";
    assert_ok(rollout_request_decode(body, sizeof body - 1, &request, &error));
    assert_ok(rollouts_plan(g->rollouts, &request, grid_look, &s, &conflict, &error));
    assert_int_equal(conflict.code, ERR_NONE);
    assert_int_equal(s.state, ROLLOUT_DRAFT);
    assert_int_equal(s.member_count, 3);
    assert_int_equal(grid_events(g, "rollout.started"), 0);
    grid_begin(g, "1.1.0", "");
    assert_ok(rollouts_plan(g->rollouts, &request, grid_look, &s, &conflict, &error));
    assert_int_equal(conflict.code, ERR_CONFLICT);
    assert_non_null(strstr(conflict.text, "r-1"));
    rollout_request_clear(&request);
}

static void list_shows_the_newest_first_and_those_that_are_over(void **state) {
    struct grid *g = *state;
    struct err error;
    OWN_MEMORY struct rollout_heading *list = NULL;
    size_t count = 0;
    int64_t first = grid_begin(g, "1.1.0", "");
    (void)grid_until(g, first, ROLLOUT_COMPLETED);
    int64_t second = grid_begin(g, "1.2.0", "");
    assert_ok(rollouts_list(g->rollouts, &list, &count, &error));
    assert_int_equal(count, 2);
    assert_int_equal(list[0].number, second);
    assert_string_equal(list[0].name, "storage-server");
    assert_string_equal(list[0].version, "1.2.0");
    assert_int_equal(list[1].number, first);
    assert_int_equal(list[1].state, ROLLOUT_COMPLETED);
}

struct outline {
    struct rollout_tally tally;
    size_t members, domain_count;
    char last_domain[16];
};

static bool look_at_outline(const struct rollout_view *v, void *argument) {
    struct outline *o = argument;
    *o = (struct outline){v->tally, v->rollout->member_count, v->domain_count, ""};
    snprintf(o->last_domain, sizeof o->last_domain, "%s", v->domains[v->domain_count - 1]);
    return true;
}

static void outline_counts_the_members_of_one_that_is_over(void **state) {
    struct grid *g = *state;
    struct err error;
    struct outline o;
    g->machines[0].arch = "aarch64";
    struct binary binary;
    grid_publish_for(g, "1.3.0", "x86_64", &binary);
    for (int i = 0; i < 2; i++) grid_round(g);
    assert_ok(agents_flush(g->f->agents, &error));
    int64_t number = grid_begin(g, "1.3.0", "");
    assert_ok(rollouts_visit_outline(g->rollouts, number, look_at_outline, &o, &error));
    assert_int_equal(o.members, 3);
    (void)grid_until(g, number, ROLLOUT_COMPLETED);
    assert_ok(rollouts_visit_outline(g->rollouts, number, look_at_outline, &o, &error));
    assert_int_equal(o.members, 0);
    assert_int_equal(o.tally.selected, 2);
    assert_int_equal(o.tally.states[MEMBER_COMMITTED], 2);
    assert_int_equal(o.tally.states[MEMBER_EXCLUDED], 1);
    assert_int_equal(o.domain_count, 2);
    assert_string_equal(o.last_domain, "b");
    assert_false(rollouts_visit_outline(g->rollouts, 99, look_at_outline, &o, &error));
    assert_int_equal(error.code, ERR_NOT_FOUND);
}

static void orders_leave_an_unbroken_audit_trail(void **state) {
    struct grid *g = *state;
    struct err error;
    static const struct audit_filter of_it = {.subject = "r-1"};
    struct audit_entry *list = NULL;
    size_t count = 0;
    int64_t number = grid_begin(g, "1.1.0", "");
    assert_ok(rollouts_order(g->rollouts, number, ROLLOUT_PAUSE, "token:op", &error));
    assert_ok(audit_list(g->f->db, &of_it, INT64_MAX, 10, &list, &count, &error));
    assert_int_equal(count, 2);
    assert_string_equal(list[0].action, "rollout.pause");
    assert_string_equal(list[0].principal, "token:op");
    assert_string_equal(list[1].action, "rollout.start");
    assert_non_null(strstr(list[1].data, "1.1.0"));
    json_clear_list(&audit_entry_schema, list, count);
    assert_ok(audit_check(g->f->db, &error));
}

#define T(name) cmocka_unit_test_setup_teardown(name, grid_setup, grid_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(good_rollout_moves_everybody_and_stays_decided),
        T(bad_canary_goes_back_alone_and_its_digest_is_quarantined),
        T(operator_who_goes_back_quarantines_nothing),
        T(rollout_is_rolled_back_over_a_newer_one_only_once_that_went_back),
        T(overlap_is_refused_and_disjoint_rollouts_run_beside_each_other),
        T(what_one_rollout_finds_bad_halts_the_others_that_lead_there),
        T(superseding_ends_the_old_one_and_keeps_where_its_moves_began),
        T(order_that_the_state_does_not_allow_names_those_it_does),
        T(nobody_selected_and_unknown_versions_are_refused),
        T(agents_without_a_launcher_have_no_rollout_of_their_own),
        T(long_last_words_are_cut),
        T(same_key_gives_the_same_rollout),
        T(bytes_that_a_rollout_needs_stay),
        T(plan_writes_nothing_and_tells_what_would_refuse_it),
        T(list_shows_the_newest_first_and_those_that_are_over),
        T(outline_counts_the_members_of_one_that_is_over),
        T(orders_leave_an_unbroken_audit_trail),
    };
    return cmocka_run_group_tests_name("master/rollouts", tests, NULL, NULL);
}
