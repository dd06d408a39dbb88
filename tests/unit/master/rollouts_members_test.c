/* Machines that join, stay away, are pinned, leave and come back, and channels that move, while
 * rollouts run and after them. */
#include "tests/unit/master/rollouts_fixture.h"

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
    grid_lose_third(g);
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
    grid_lose_third(g);
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
    grid_lose_third(g);
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

#define T(name) cmocka_unit_test_setup_teardown(name, grid_setup, grid_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
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
        T(machines_that_were_removed_and_come_back_take_part_again),
    };
    return cmocka_run_group_tests_name("master/rollouts_members", tests, NULL, NULL);
}
