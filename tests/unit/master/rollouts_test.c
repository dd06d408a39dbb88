/* Rollouts over a real database: begun, stepped, ordered, written whole or not at all, and found
 * again by the next master. */
#include "tests/unit/master/rollouts_fixture.h"

#include "master/audit.h"
#include "master/quarantine.h"
#include "master/rollouts_internal.h"

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

static void pause_takes_back_the_leave_at_once_and_resume_gives_it_again(void **state) {
    struct grid *g = *state;
    struct err error;
    struct wire_desired d;
    int64_t edition = 0;
    g->machines[0].stays = true;
    int64_t number = grid_begin(g, "1.1.0", "");
    (void)grid_until(g, number, ROLLOUT_CANARY);
    grid_round(g);
    grid_round(g);
    assert_ok(agents_desired(g->f->agents, "a-1", &d, &edition, &error));
    assert_string_equal(d.version, "1.1.0");
    assert_string_equal(d.grant.rollout, "r-1");
    assert_int_equal(d.grant.attempt, 1);
    assert_int_equal(d.grant.lease_ms, ROLLOUT_LEASE_MS);
    assert_true(d.signature != NULL && d.file[0] != '\0');
    int64_t generation = d.generation, before = edition;
    json_clear(&wire_desired_schema, &d);
    assert_false(agents_news(g->f->agents, "a-1", generation));
    g->f->told[0] = '\0';
    assert_ok(rollouts_order(g->rollouts, number, ROLLOUT_PAUSE, "token:op", &error));
    assert_string_equal(g->f->told, "a-1 ");
    assert_true(agents_news(g->f->agents, "a-1", generation)); /* whose heartbeat was not there */
    assert_ok(agents_desired(g->f->agents, "a-1", &d, &edition, &error));
    assert_int_equal(d.grant.lease_ms, 0);
    assert_int_equal(d.generation, generation);
    assert_true(edition > before);
    json_clear(&wire_desired_schema, &d);
    assert_false(agents_news(g->f->agents, "a-1", generation));
    assert_ok(rollouts_order(g->rollouts, number, ROLLOUT_RESUME, "token:op", &error));
    assert_int_equal(grid_agent(g, "a-1").grant.lease_ms, ROLLOUT_LEASE_MS);
    g->machines[0].stays = false;
    (void)grid_until(g, number, ROLLOUT_COMPLETED);
}

static void leave_that_is_given_back_frees_its_slot_with_the_next_step(void **state) {
    struct grid *g = *state;
    struct err error;
    for (size_t i = 0; i < g->machine_count; i++) g->machines[i].stays = true;
    int64_t number = grid_begin(g, "1.1.0", "\"canary\":0");
    (void)grid_until(g, number, ROLLOUT_ROLLING);
    for (int i = 0; i < 2; i++) grid_round(g);
    assert_int_equal(grid_seen(g, number).members[0], MEMBER_GRANTED);
    assert_ok(rollouts_order(g->rollouts, number, ROLLOUT_PAUSE, "token:op", &error));
    for (int i = 0; i < 3; i++) grid_round(g);
    assert_int_equal(grid_seen(g, number).members[0], MEMBER_GRANTED); /* it tells no edition */
    g->machines[0].tells = true;
    machine_lives(g, &g->machines[0]);
    rollouts_tick(g->rollouts, g->now_ms, g->now_wall_ms);
    assert_int_equal(grid_seen(g, number).members[0], MEMBER_WAITING);
    assert_string_equal(grid_agent(g, "a-1").desired_version, "1.0.0");
    for (size_t i = 0; i < g->machine_count; i++) g->machines[i].stays = false;
    assert_ok(rollouts_order(g->rollouts, number, ROLLOUT_RESUME, "token:op", &error));
    (void)grid_until(g, number, ROLLOUT_COMPLETED);
}

static void report_from_before_a_restart_gives_no_leave_back(void **state) {
    struct grid *g = *state;
    struct err error;
    g->machines[0].stays = g->machines[0].tells = true;
    int64_t number = grid_begin(g, "1.1.0", "");
    (void)grid_until(g, number, ROLLOUT_CANARY);
    for (int i = 0; i < 2; i++) grid_round(g);
    int64_t edition = grid_agent(g, "a-1").grant.edition;
    assert_ok(rollouts_order(g->rollouts, number, ROLLOUT_PAUSE, "token:op", &error));
    machine_lives(g, &g->machines[0]);
    assert_ok(agents_flush(g->f->agents, &error));
    assert_int_equal(grid_agent(g, "a-1").report.update.edition, edition + 1);
    grid_restart(g);
    assert_int_equal(grid_agent(g, "a-1").grant.lease_ms, 0);
    assert_int_not_equal(grid_agent(g, "a-1").grant.edition, edition + 1);
    rollouts_tick(g->rollouts, g->now_ms, g->now_wall_ms);
    assert_int_equal(grid_seen(g, number).members[0], MEMBER_GRANTED);
    machine_lives(g, &g->machines[0]);
    rollouts_tick(g->rollouts, g->now_ms, g->now_wall_ms);
    assert_int_equal(grid_seen(g, number).members[0], MEMBER_WAITING);
}

static bool take_domain(const struct rollout_view *v, void *argument) {
    const struct rollout_member *m = &v->rollout->members[2];
    snprintf(argument, LABEL_PART_SIZE, "%s", v->domains[m->domain]);
    return true;
}

/* Of b-1. */
static void assert_domain(struct grid *g, int64_t number, const char *domain) {
    struct err error;
    char its[LABEL_PART_SIZE];
    assert_ok(rollouts_visit_one(g->rollouts, number, take_domain, its, &error));
    assert_string_equal(its, domain);
}

static void machine_that_moves_to_another_rack_is_of_that_one_until_it_is_granted(void **state) {
    struct grid *g = *state;
    struct machine *moved = &g->machines[2];
    g->machines[0].stays = moved->stays = true;
    int64_t number = grid_begin(g, "1.1.0", "\"canary\":0,\"max_parallel\":3");
    (void)grid_until(g, number, ROLLOUT_ROLLING);
    for (int i = 0; i < 2; i++) grid_round(g);
    assert_domain(g, number, "b");
    assert_int_equal(grid_seen(g, number).members[0], MEMBER_GRANTED);
    assert_int_equal(grid_seen(g, number).members[2], MEMBER_WAITING);
    snprintf(moved->labels, sizeof moved->labels, "rack=a");
    for (int i = 0; i < 2; i++) grid_round(g);
    assert_domain(g, number, "a");
    assert_int_equal(grid_seen(g, number).domain_count, 1);
    assert_int_equal(grid_seen(g, number).members[2], MEMBER_GRANTED); /* beside a-1 */
    snprintf(moved->labels, sizeof moved->labels, "rack=c");
    for (int i = 0; i < 2; i++) grid_round(g);
    assert_domain(g, number, "a"); /* who moves is counted where it began */
    grid_restart(g);
    assert_domain(g, number, "a");
    g->machines[0].stays = moved->stays = false;
    (void)grid_until(g, number, ROLLOUT_COMPLETED);
}

static void whoever_holds_a_grant_is_told_again_after_a_new_session(void **state) {
    struct grid *g = *state;
    struct err error;
    g->machines[0].stays = true;
    int64_t number = grid_begin(g, "1.1.0", "");
    (void)grid_until(g, number, ROLLOUT_CANARY);
    for (int i = 0; i < 2; i++) grid_round(g);
    int64_t generation = grid_agent(g, "a-1").generation, edition = 0;
    struct wire_desired d;
    assert_ok(rollouts_order(g->rollouts, number, ROLLOUT_PAUSE, "token:op", &error));
    assert_ok(agents_desired(g->f->agents, "a-1", &d, &edition, &error)); /* and lost on its way */
    json_clear(&wire_desired_schema, &d);
    assert_ok(agents_greet(g->f->agents, "a-1", generation, &error));
    assert_true(agents_news(g->f->agents, "a-1", generation));
}

static bool read_choice(struct db_connection *c, void *refresh, struct err *e) {
    return agents_refresh_row(c, refresh, "a-1", false, e);
}

static void refresh_that_read_before_a_pause_does_not_bring_the_leave_back(void **state) {
    struct grid *g = *state;
    struct err error;
    g->machines[0].stays = true;
    int64_t number = grid_begin(g, "1.1.0", "");
    (void)grid_until(g, number, ROLLOUT_CANARY);
    for (int i = 0; i < 2; i++) grid_round(g);
    struct agents_refresh *late = agents_refresh_begin(g->f->agents);
    assert_ok(db_write(g->f->db, read_choice, late, &error));
    assert_ok(rollouts_order(g->rollouts, number, ROLLOUT_PAUSE, "token:op", &error));
    int64_t edition = grid_agent(g, "a-1").grant.edition;
    g->f->told[0] = '\0';
    agents_refresh_done(late);
    agents_refresh_free(late);
    assert_int_equal(grid_agent(g, "a-1").grant.lease_ms, 0);
    assert_int_equal(grid_agent(g, "a-1").grant.edition, edition); /* not even for a moment */
    assert_string_equal(g->f->told, "");
}

static void window_that_closes_takes_back_the_leave_whatever_else_changes(void **state) {
    static const int64_t hour_ms = 3600000;
    struct grid *g = *state;
    struct err error;
    g->machines[0].stays = true;
    g->now_wall_ms = hour_ms;
    int64_t number = grid_begin(
        g, "1.1.0", "\"windows\":[{\"days\":\"daily\",\"from\":\"00:30\",\"to\":\"02:00\"}]");
    (void)grid_until(g, number, ROLLOUT_CANARY);
    for (int i = 0; i < 2; i++) grid_round(g);
    assert_int_equal(grid_agent(g, "a-1").grant.lease_ms, ROLLOUT_LEASE_MS);
    g->now_wall_ms = 3 * hour_ms;
    grid_round(g);
    assert_int_equal(grid_seen(g, number).hold, CAUSE_WINDOW);
    assert_int_equal(grid_agent(g, "a-1").grant.lease_ms, 0);
    assert_ok(agents_refresh(g->f->agents, &error));
    assert_int_equal(grid_agent(g, "a-1").grant.lease_ms, 0);
    g->machines[0].stays = false;
    grid_round(g);
    assert_string_equal(g->machines[0].version, "1.0.0");
    g->now_wall_ms = 25 * hour_ms;
    (void)grid_until(g, number, ROLLOUT_COMPLETED);
}

static void waiting_members_are_told_to_fetch_and_stay(void **state) {
    struct grid *g = *state;
    struct err error;
    struct wire_desired d;
    int64_t edition = 0;
    grid_begin(g, "1.1.0", "");
    rollouts_tick(g->rollouts, g->now_ms, g->now_wall_ms);
    assert_ok(agents_desired(g->f->agents, "b-1", &d, &edition, &error));
    assert_string_equal(d.version, "1.0.0");
    assert_string_equal(d.prefetch.version, "1.1.0");
    assert_string_equal(d.prefetch.file, "storage-server-1.1.0-linux-any");
    assert_true(d.prefetch.size_bytes > 0 && d.prefetch.signature != NULL);
    assert_string_equal(d.grant.rollout, "");
    assert_true(agents_may_fetch(g->f->agents, "b-1", d.prefetch.sha256));
    json_clear(&wire_desired_schema, &d);
}

static void bytes_to_fetch_that_are_not_there_any_more_keep_no_answer_back(void **state) {
    struct grid *g = *state;
    struct err error;
    struct wire_desired d;
    int64_t edition = 0;
    struct artifact_name id;
    grid_begin(g, "1.1.0", "");
    rollouts_tick(g->rollouts, g->now_ms, g->now_wall_ms);
    assert_ok(artifact_name_make("storage-server", "1.1.0", "linux", "any", &id, &error));
    assert_ok(catalog_delete(g->f->catalog, &id, "test", &error));
    grid_restart(g);
    assert_ok(agents_desired(g->f->agents, "b-1", &d, &edition, &error));
    assert_string_equal(d.version, "1.0.0");
    assert_true(d.signature != NULL);
    assert_string_equal(d.prefetch.version, "");
    assert_string_equal(d.prefetch.sha256, "");
    json_clear(&wire_desired_schema, &d);
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

static void next_master_goes_on_after_a_quiet_time(void **state) {
    struct grid *g = *state;
    int64_t number = grid_begin(g, "1.1.0", "\"auto_promote_s\":\"never\"");
    (void)grid_until(g, number, ROLLOUT_AWAIT_PROMOTE);
    struct seen before = grid_seen(g, number);
    g->quiet_ms = 1000;
    grid_restart(g);
    struct seen s = grid_seen(g, number);
    assert_int_equal(s.state, ROLLOUT_AWAIT_PROMOTE);
    assert_int_equal(s.revision, before.revision);
    assert_int_equal(s.members[0], MEMBER_COMMITTED);
    assert_string_equal(s.agents[0].from_version, "1.0.0");
    assert_string_equal(grid_agent(g, "a-1").desired_version, "1.1.0");
    assert_string_equal(grid_agent(g, "b-1").desired_version, "1.0.0");
    struct err error;
    assert_ok(rollouts_order(g->rollouts, number, ROLLOUT_PROMOTE, "token:op", &error));
    for (int i = 0; i < 5; i++) grid_round(g);
    s = grid_seen(g, number);
    assert_int_equal(s.hold, CAUSE_RECOVERING);
    assert_int_equal(s.members[1], MEMBER_WAITING);
    g->now_ms += 1001;
    (void)grid_until(g, number, ROLLOUT_COMPLETED);
    assert_string_equal(g->machines[2].version, "1.1.0");
}

static void grant_survives_the_master_with_its_attempt(void **state) {
    struct grid *g = *state;
    g->machines[0].stays = true;
    int64_t number = grid_begin(g, "1.1.0", "");
    (void)grid_until(g, number, ROLLOUT_CANARY);
    grid_round(g);
    grid_round(g);
    grid_restart(g);
    struct agent_view v = grid_agent(g, "a-1");
    assert_string_equal(v.desired_version, "1.1.0");
    assert_string_equal(v.grant.rollout, "r-1");
    assert_int_equal(v.grant.attempt, 1);
    g->machines[0].stays = false;
    (void)grid_until(g, number, ROLLOUT_COMPLETED);
}

struct tampering {
    int64_t number, revision;
};

/* As if somebody else had written the rollout: the next step has to fail. */
static bool tamper(struct db_connection *c, void *argument, struct err *e) {
    const struct tampering *t = argument;
    struct live_rollout *l = NULL;
    if (!live_rollout_read(c, t->number, &l, e)) return false;
    int64_t before = l->row.state.revision;
    l->row.state.revision = t->revision;
    bool written = live_rollout_write(c, l, before, e);
    live_rollout_free(l);
    return written;
}

static void step_that_cannot_be_written_changes_nothing_and_is_tried_again(void **state) {
    struct grid *g = *state;
    struct err error;
    int64_t number = grid_begin(g, "1.1.0", "");
    grid_round(g);
    struct seen before = grid_seen(g, number);
    assert_int_equal(before.state, ROLLOUT_PREFETCH);
    struct tampering t = {number, 1000};
    assert_ok(db_write(g->f->db, tamper, &t, &error));
    int64_t generation = grid_agent(g, "a-1").generation;
    int events = grid_events(g, NULL);
    log_setup("test", LOG_ERROR + 1, LOG_FORMAT_TEXT);
    for (int i = 0; i < 4; i++) grid_round(g);
    assert_false(rollouts_order(g->rollouts, number, ROLLOUT_PAUSE, "token:op", &error));
    log_setup("test", LOG_ERROR, LOG_FORMAT_TEXT);
    struct seen s = grid_seen(g, number);
    assert_int_equal(s.state, ROLLOUT_PREFETCH);
    assert_int_equal(s.revision, before.revision);
    assert_int_equal(grid_agent(g, "a-1").generation, generation);
    assert_int_equal(grid_events(g, NULL), events);
    t.revision = before.revision;
    assert_ok(db_write(g->f->db, tamper, &t, &error));
    (void)grid_until(g, number, ROLLOUT_COMPLETED);
}

static void machine_that_joins_meanwhile_gets_its_turn(void **state) {
    struct grid *g = *state;
    struct err error;
    int64_t number = grid_begin(g, "1.1.0", "\"auto_promote_s\":\"never\"");
    (void)grid_until(g, number, ROLLOUT_AWAIT_PROMOTE);
    grid_add_machine(g, "a-0", "rack=0");
    assert_string_equal(g->machines[3].version, "1.0.0");
    grid_round(g);
    struct seen s = grid_seen(g, number);
    assert_int_equal(s.member_count, 4);
    assert_string_equal(s.agents[0].id, "a-0");
    assert_int_equal(s.members[0], MEMBER_WAITING);
    assert_ok(rollouts_order(g->rollouts, number, ROLLOUT_PROMOTE, "token:op", &error));
    (void)grid_until(g, number, ROLLOUT_COMPLETED);
    assert_string_equal(g->machines[3].version, "1.1.0");
}

static void machine_that_joins_after_it_goes_where_its_likes_went(void **state) {
    struct grid *g = *state;
    int64_t number = grid_begin(g, "1.1.0", "");
    (void)grid_until(g, number, ROLLOUT_COMPLETED);
    grid_add_machine(g, "c-1", "rack=c");
    assert_string_equal(g->machines[3].version, "1.1.0");
    struct agent_view v = grid_agent(g, "c-1");
    assert_int_equal(v.desired_rule, DESIRED_COMPLETED);
    assert_non_null(strstr(v.desired_reason, "machines like this one"));
}

/* It is over and yet live: what was granted may still go on. */
static void machine_that_joins_after_it_was_stopped_follows_its_channel(void **state) {
    struct grid *g = *state;
    struct err error;
    g->machines[0].stays = true;
    int64_t number = grid_begin(g, "1.1.0", "");
    (void)grid_until(g, number, ROLLOUT_CANARY);
    for (int i = 0; i < 2; i++) grid_round(g);
    assert_ok(rollouts_order(g->rollouts, number, ROLLOUT_STOP, "token:op", &error));
    assert_int_equal(grid_seen(g, number).members[0], MEMBER_GRANTED);
    grid_add_machine(g, "c-1", "rack=c");
    assert_string_equal(grid_agent(g, "c-1").desired_version, "1.0.0");
    assert_int_equal(grid_agent(g, "c-1").desired_rule, DESIRED_CHANNEL);
}

static void machine_that_comes_to_match_a_rollout_that_is_over_goes_there(void **state) {
    struct grid *g = *state;
    struct err error;
    int64_t number = grid_begin(g, "1.1.0", "\"selector\":\"rack=a\"");
    (void)grid_until(g, number, ROLLOUT_COMPLETED);
    assert_string_equal(grid_agent(g, "b-1").desired_version, "1.0.0");
    snprintf(g->machines[2].labels, sizeof g->machines[2].labels, "rack=a");
    grid_round(g);
    assert_ok(agents_flush(g->f->agents, &error));
    assert_string_equal(grid_agent(g, "b-1").desired_version, "1.1.0");
}

static void machine_without_a_build_comes_along_once_one_is_published(void **state) {
    struct grid *g = *state;
    struct err error;
    struct binary binary;
    g->machines[2].arch = "aarch64";
    grid_publish_for(g, "1.3.0", "x86_64", &binary);
    for (int i = 0; i < 2; i++) grid_round(g);
    assert_ok(agents_flush(g->f->agents, &error));
    int64_t number = grid_begin(g, "1.3.0", "\"auto_promote_s\":\"never\"");
    (void)grid_until(g, number, ROLLOUT_AWAIT_PROMOTE);
    assert_int_equal(grid_seen(g, number).members[2], MEMBER_EXCLUDED);
    grid_publish_for(g, "1.3.0", "aarch64", &binary);
    assert_ok(agents_refresh(g->f->agents, &error));
    for (int i = 0; i < 2; i++) grid_round(g);
    assert_int_equal(grid_seen(g, number).members[2], MEMBER_WAITING);
    assert_ok(rollouts_order(g->rollouts, number, ROLLOUT_PROMOTE, "token:op", &error));
    (void)grid_until(g, number, ROLLOUT_COMPLETED);
    assert_string_equal(g->machines[2].sha256, binary.sha256);
}

static void machine_that_is_away_comes_later_and_blocks_nobody(void **state) {
    struct grid *g = *state;
    g->machines[2].silent = true;
    g->now_ms += WIRE_LOST_MS;
    for (size_t i = 0; i < 2; i++) machine_lives(g, &g->machines[i]);
    agents_tick(g->f->agents, g->now_ms);
    int64_t number = grid_begin(g, "1.1.0", "");
    struct seen s = grid_until(g, number, ROLLOUT_COMPLETED);
    assert_int_equal(s.members[2], MEMBER_DEFERRED);
    assert_string_equal(grid_agent(g, "b-1").desired_version, "1.0.0");
    grid_restart(g);
    g->machines[2].silent = false;
    for (int i = 0; i < 20 && grid_seen(g, number).members[2] != MEMBER_COMMITTED; i++) {
        g->now_ms += 1000;
        grid_round(g);
    }
    assert_int_equal(grid_seen(g, number).members[2], MEMBER_COMMITTED);
    assert_string_equal(g->machines[2].version, "1.1.0");
}

static void newer_rollout_takes_the_stragglers_of_one_that_is_over(void **state) {
    struct grid *g = *state;
    g->machines[2].silent = true;
    g->now_ms += WIRE_LOST_MS;
    for (size_t i = 0; i < 2; i++) machine_lives(g, &g->machines[i]);
    agents_tick(g->f->agents, g->now_ms);
    int64_t first = grid_begin(g, "1.1.0", "");
    (void)grid_until(g, first, ROLLOUT_COMPLETED);
    int64_t second = grid_begin(g, "1.2.0", "\"auto_promote_s\":\"never\"");
    (void)grid_until(g, second, ROLLOUT_AWAIT_PROMOTE);
    g->machines[2].silent = false;
    for (int i = 0; i < 3; i++) {
        g->now_ms += 1000;
        grid_round(g);
    }
    assert_int_equal(grid_seen(g, first).members[2], MEMBER_EXCLUDED);
    assert_string_equal(g->machines[2].version, "1.0.0");
    assert_int_equal(grid_seen(g, first).attempts[2], 0);
}

static void beginning_alone_disturbs_nobody(void **state) {
    struct grid *g = *state;
    int64_t generation = grid_agent(g, "b-1").generation;
    g->f->told[0] = '\0';
    grid_begin(g, "1.1.0", "");
    assert_string_equal(g->f->told, "");
    assert_int_equal(grid_agent(g, "b-1").generation, generation);
    assert_int_equal(grid_agent(g, "b-1").desired_rule, DESIRED_ROLLOUT);
    rollouts_tick(g->rollouts, g->now_ms, g->now_wall_ms);
    assert_string_equal(g->f->told, "a-1 a-2 b-1 ");
}

static void newer_channel_beats_a_rollout_that_is_over_and_frees_its_stragglers(void **state) {
    struct grid *g = *state;
    struct err error;
    struct channel channel;
    g->machines[2].silent = true;
    g->now_ms += WIRE_LOST_MS;
    for (size_t i = 0; i < 2; i++) machine_lives(g, &g->machines[i]);
    agents_tick(g->f->agents, g->now_ms);
    int64_t number = grid_begin(g, "1.1.0", "");
    (void)grid_until(g, number, ROLLOUT_COMPLETED);
    assert_ok(channels_set(g->f->db, "stable", "storage-server", "1.2.0", "t", &channel, &error));
    assert_ok(agents_refresh(g->f->agents, &error));
    g->machines[2].silent = false;
    for (int i = 0; i < 3; i++) {
        g->now_ms += 1000;
        grid_round(g);
    }
    for (size_t i = 0; i < 3; i++) assert_string_equal(g->machines[i].version, "1.2.0");
    assert_int_equal(grid_seen(g, number).members[2], MEMBER_EXCLUDED);
    assert_int_equal(grid_agent(g, "a-1").desired_rule, DESIRED_CHANNEL);
}

static bool point_in_the_future(struct db_connection *c, void *argument, struct err *e) {
    (void)argument;
    return db_exec(c, Q_CHANNEL_SET, e, "sssi", "stable", "storage-server", "1.0.0",
                   clock_wall_ms() + 3600000);
}

static void clock_that_was_put_back_undoes_nothing(void **state) {
    struct grid *g = *state;
    struct err error;
    struct channel channel;
    assert_ok(db_write(g->f->db, point_in_the_future, NULL, &error));
    int64_t number = grid_begin(g, "1.1.0", "");
    (void)grid_until(g, number, ROLLOUT_COMPLETED);
    assert_ok(agents_refresh(g->f->agents, &error));
    assert_string_equal(grid_agent(g, "a-1").desired_version, "1.1.0");
    assert_ok(channels_set(g->f->db, "stable", "storage-server", "1.2.0", "t", &channel, &error));
    assert_true(channel.updated_at_ms > grid_seen(g, number).finished_at_ms);
    assert_ok(agents_refresh(g->f->agents, &error));
    assert_string_equal(grid_agent(g, "a-1").desired_version, "1.2.0");
}

static void channel_set_again_to_its_version_is_a_decision_too(void **state) {
    struct grid *g = *state;
    struct err error;
    struct channel channel;
    (void)grid_until(g, grid_begin(g, "1.1.0", ""), ROLLOUT_COMPLETED);
    assert_ok(channels_set(g->f->db, "stable", "storage-server", "1.0.0", "t", &channel, &error));
    assert_ok(agents_refresh(g->f->agents, &error));
    for (size_t i = 0; i < 3; i++) grid_round(g);
    for (size_t i = 0; i < 3; i++) assert_string_equal(g->machines[i].version, "1.0.0");
}

static void channel_that_moves_meanwhile_leaves_members_alone(void **state) {
    struct grid *g = *state;
    struct err error;
    struct channel channel;
    int64_t number = grid_begin(g, "1.1.0", "\"auto_promote_s\":\"never\"");
    (void)grid_until(g, number, ROLLOUT_AWAIT_PROMOTE);
    assert_ok(channels_set(g->f->db, "stable", "storage-server", "1.2.0", "t", &channel, &error));
    assert_ok(agents_refresh(g->f->agents, &error));
    assert_string_equal(grid_agent(g, "a-1").desired_version, "1.1.0");
    assert_string_equal(grid_agent(g, "b-1").desired_version, "1.0.0");
    assert_ok(rollouts_order(g->rollouts, number, ROLLOUT_STOP, "token:op", &error));
    assert_string_equal(grid_agent(g, "a-1").desired_version, "1.1.0");
    assert_string_equal(grid_agent(g, "b-1").desired_version, "1.2.0");
}

static void pinned_and_removed_machines_are_left_out(void **state) {
    struct grid *g = *state;
    struct err error;
    struct desired_choice why;
    const struct agent_change pin = {.pin = "1.2.0"}, unpin = {.pin = ""};
    assert_ok(agents_change(g->f->agents, "a-2", &pin, "token:op", &error));
    assert_int_equal(grid_events(g, "agent.pinned"), 1);
    int64_t number = grid_begin(g, "1.1.0", "\"auto_promote_s\":\"never\"");
    (void)grid_until(g, number, ROLLOUT_AWAIT_PROMOTE);
    assert_ok(agents_remove(g->f->agents, "b-1", true, "token:op", &error));
    g->machine_count--;
    assert_ok(rollouts_order(g->rollouts, number, ROLLOUT_PROMOTE, "token:op", &error));
    struct seen s = grid_until(g, number, ROLLOUT_COMPLETED);
    assert_int_equal(s.members[1], MEMBER_EXCLUDED);
    assert_int_equal(s.members[2], MEMBER_EXCLUDED);
    assert_string_equal(g->machines[1].version, "1.2.0");
    assert_ok(agents_why(g->f->agents, "a-2", "storage-server", &why, &error));
    assert_int_equal(why.rule, DESIRED_PIN);
    assert_int_equal(why.lost[0].rule, DESIRED_COMPLETED);
    assert_int_equal(why.lost_count, 2);
    assert_ok(agents_change(g->f->agents, "a-2", &unpin, "token:op", &error));
    assert_string_equal(grid_agent(g, "a-2").desired_version, "1.1.0");
}

static void machine_that_was_revoked_and_approved_is_moved_with_the_others(void **state) {
    struct grid *g = *state;
    struct err error;
    int64_t number = grid_begin(g, "1.1.0", "\"auto_promote_s\":\"never\"");
    (void)grid_until(g, number, ROLLOUT_AWAIT_PROMOTE);
    assert_ok(agents_revoke(g->f->agents, "b-1", "token:op", &error));
    rollouts_tick(g->rollouts, g->now_ms, g->now_wall_ms);
    assert_int_equal(grid_seen(g, number).members[2], MEMBER_EXCLUDED);
    assert_ok(agents_approve(g->f->agents, "b-1", "token:op", &error));
    assert_ok(rollouts_order(g->rollouts, number, ROLLOUT_PROMOTE, "token:op", &error));
    assert_int_equal(grid_until(g, number, ROLLOUT_COMPLETED).members[2], MEMBER_COMMITTED);
    assert_string_equal(grid_agent(g, "b-1").desired_version, "1.1.0");
}

static void who_still_waits_to_return_stays_when_the_return_is_superseded(void **state) {
    struct grid *g = *state;
    struct err error;
    int64_t first = grid_begin(g, "1.1.0", "\"max_parallel\":1");
    (void)grid_until(g, first, ROLLOUT_COMPLETED);
    assert_ok(rollouts_order(g->rollouts, first, ROLLOUT_ROLLBACK, "token:op", &error));
    assert_string_equal(grid_agent(g, "a-1").desired_version, "1.1.0");
    int64_t second =
        grid_begin(g, "1.2.0", "\"supersede\":true,\"auto_promote_s\":\"never\",\"canary\":1");
    assert_int_equal(grid_seen(g, first).state, ROLLOUT_SUPERSEDED);
    (void)grid_until(g, second, ROLLOUT_AWAIT_PROMOTE);
    for (size_t i = 1; i < 3; i++) assert_string_equal(g->machines[i].version, "1.1.0");
    assert_ok(rollouts_order(g->rollouts, second, ROLLOUT_ROLLBACK, "token:op", &error));
    (void)grid_until(g, second, ROLLOUT_REVERTED);
    for (int i = 0; i < 5; i++) grid_round(g);
    for (size_t i = 0; i < 3; i++) assert_string_equal(g->machines[i].version, "1.1.0");
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

static void remove_machine(struct grid *g, size_t index) {
    struct err error;
    g->machines[index].silent = true;
    assert_ok(agents_remove(g->f->agents, g->machines[index].id, true, "token:op", &error));
}

/* A new machine by the old name, that has run nothing. */
static void enroll_again(struct grid *g, size_t index) {
    struct machine *m = &g->machines[index];
    m->silent = false;
    m->version[0] = m->sha256[0] = '\0';
    fixture_agent(g->f, m->id);
    machine_lives(g, m);
}

static void machines_that_were_removed_and_come_back_take_part_again(void **state) {
    struct grid *g = *state;
    struct err error;
    int64_t number = grid_begin(g, "1.1.0", "\"auto_promote_s\":\"never\"");
    struct seen s = grid_until(g, number, ROLLOUT_AWAIT_PROMOTE);
    assert_int_equal(s.members[0], MEMBER_COMMITTED);
    remove_machine(g, 0);
    remove_machine(g, 2);
    grid_round(g);
    s = grid_seen(g, number);
    assert_int_equal(s.members[0], MEMBER_EXCLUDED);
    assert_int_equal(s.members[2], MEMBER_EXCLUDED);
    enroll_again(g, 0);
    enroll_again(g, 2);
    for (int i = 0; i < 3; i++) grid_round(g);
    s = grid_seen(g, number);
    assert_int_equal(s.member_count, 3);
    assert_int_equal(s.members[0], MEMBER_WAITING);
    assert_int_equal(s.members[2], MEMBER_WAITING);
    assert_string_equal(s.agents[0].from_version, "1.0.0");
    assert_string_equal(g->machines[0].version, "1.0.0");
    assert_ok(rollouts_order(g->rollouts, number, ROLLOUT_PROMOTE, "token:op", &error));
    s = grid_until(g, number, ROLLOUT_COMPLETED);
    for (size_t i = 0; i < 3; i++) assert_string_equal(g->machines[i].version, "1.1.0");
    assert_int_equal(s.attempts[0], 2); /* its state directory may know of the first */
    grid_restart(g);
    assert_int_equal(grid_seen(g, number).members[0], MEMBER_COMMITTED);
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
        T(pause_takes_back_the_leave_at_once_and_resume_gives_it_again),
        T(leave_that_is_given_back_frees_its_slot_with_the_next_step),
        T(machine_that_moves_to_another_rack_is_of_that_one_until_it_is_granted),
        T(report_from_before_a_restart_gives_no_leave_back),
        T(whoever_holds_a_grant_is_told_again_after_a_new_session),
        T(refresh_that_read_before_a_pause_does_not_bring_the_leave_back),
        T(window_that_closes_takes_back_the_leave_whatever_else_changes),
        T(waiting_members_are_told_to_fetch_and_stay),
        T(order_that_the_state_does_not_allow_names_those_it_does),
        T(nobody_selected_and_unknown_versions_are_refused),
        T(agents_without_a_launcher_have_no_rollout_of_their_own),
        T(next_master_goes_on_after_a_quiet_time),
        T(grant_survives_the_master_with_its_attempt),
        T(step_that_cannot_be_written_changes_nothing_and_is_tried_again),
        T(machine_that_joins_meanwhile_gets_its_turn),
        T(machine_that_joins_after_it_goes_where_its_likes_went),
        T(machine_that_joins_after_it_was_stopped_follows_its_channel),
        T(machine_that_comes_to_match_a_rollout_that_is_over_goes_there),
        T(machine_without_a_build_comes_along_once_one_is_published),
        T(machine_that_is_away_comes_later_and_blocks_nobody),
        T(newer_rollout_takes_the_stragglers_of_one_that_is_over),
        T(beginning_alone_disturbs_nobody),
        T(newer_channel_beats_a_rollout_that_is_over_and_frees_its_stragglers),
        T(clock_that_was_put_back_undoes_nothing),
        T(channel_set_again_to_its_version_is_a_decision_too),
        T(channel_that_moves_meanwhile_leaves_members_alone),
        T(pinned_and_removed_machines_are_left_out),
        T(machine_that_was_revoked_and_approved_is_moved_with_the_others),
        T(who_still_waits_to_return_stays_when_the_return_is_superseded),
        T(long_last_words_are_cut),
        T(bytes_to_fetch_that_are_not_there_any_more_keep_no_answer_back),
        T(machines_that_were_removed_and_come_back_take_part_again),
        T(same_key_gives_the_same_rollout),
        T(bytes_that_a_rollout_needs_stay),
        T(plan_writes_nothing_and_tells_what_would_refuse_it),
        T(list_shows_the_newest_first_and_those_that_are_over),
        T(outline_counts_the_members_of_one_that_is_over),
        T(orders_leave_an_unbroken_audit_trail),
    };
    return cmocka_run_group_tests_name("master/rollouts", tests, NULL, NULL);
}
