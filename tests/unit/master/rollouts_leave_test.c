/* Who may move and when: the leave that a rollout gives, takes back, and keeps over a restart. */
#include "tests/unit/master/rollouts_fixture.h"

#include "master/rollouts_internal.h"

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

static void refresh_that_read_before_a_stop_does_not_bring_its_orders_back(void **state) {
    struct grid *g = *state;
    struct err error;
    int64_t number = grid_begin(g, "1.1.0", "\"auto_promote_s\":\"never\"");
    (void)grid_until(g, number, ROLLOUT_AWAIT_PROMOTE);
    struct agents_refresh *late = agents_refresh_begin(g->f->agents);
    assert_ok(db_write(g->f->db, read_choice, late, &error));
    int64_t generation = grid_agent(g, "a-1").generation;
    assert_ok(rollouts_order(g->rollouts, number, ROLLOUT_STOP, "token:op", &error));
    OWN_MEMORY char *reason = text_duplicate(grid_agent(g, "a-1").desired_reason);
    agents_refresh_done(late);
    agents_refresh_free(late);
    struct agent_view v = grid_agent(g, "a-1");
    assert_int_equal(v.generation, generation);
    assert_int_equal(v.desired_rule, DESIRED_COMPLETED);
    assert_string_equal(v.desired_reason, reason);
    assert_string_equal(v.grant.rollout, "");
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

#define T(name) cmocka_unit_test_setup_teardown(name, grid_setup, grid_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(pause_takes_back_the_leave_at_once_and_resume_gives_it_again),
        T(leave_that_is_given_back_frees_its_slot_with_the_next_step),
        T(machine_that_moves_to_another_rack_is_of_that_one_until_it_is_granted),
        T(report_from_before_a_restart_gives_no_leave_back),
        T(whoever_holds_a_grant_is_told_again_after_a_new_session),
        T(refresh_that_read_before_a_pause_does_not_bring_the_leave_back),
        T(refresh_that_read_before_a_stop_does_not_bring_its_orders_back),
        T(window_that_closes_takes_back_the_leave_whatever_else_changes),
        T(waiting_members_are_told_to_fetch_and_stay),
        T(next_master_goes_on_after_a_quiet_time),
        T(grant_survives_the_master_with_its_attempt),
        T(step_that_cannot_be_written_changes_nothing_and_is_tried_again),
        T(bytes_to_fetch_that_are_not_there_any_more_keep_no_answer_back),
    };
    return cmocka_run_group_tests_name("master/rollouts_leave", tests, NULL, NULL);
}
