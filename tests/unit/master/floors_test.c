/* Floors: what is below is not chosen, and none is set over the head of somebody below it. */
#include "master/floors.h"

#include "tests/unit/master/rollouts_fixture.h"

static void nothing_below_is_chosen_any_more(void **state) {
    struct grid *g = *state;
    struct err error;
    struct channel channel;
    struct floor floor;
    int64_t number = grid_begin(g, "1.1.0", "");
    (void)grid_until(g, number, ROLLOUT_COMPLETED);
    assert_ok(agents_flush(g->f->agents, &error));
    assert_ok(channels_set(g->f->db, "stable", "storage-server", "1.1.0", "t", &channel, &error));
    assert_ok(
        floors_set(g->f->db, g->f->repo, "storage-server", "1.1.0", "token:op", &floor, &error));
    assert_string_equal(floor.version, "1.1.0");
    assert_false(
        channels_set(g->f->db, "stable", "storage-server", "1.0.0", "t", &channel, &error));
    assert_int_equal(error.code, ERR_CONFLICT);
    assert_non_null(strstr(error.text, "floor 1.1.0"));
    const struct agent_change pin = {.pin = "1.0.0"};
    assert_false(agents_change(g->f->agents, "a-1", &pin, "t", &error));
    assert_int_equal(error.code, ERR_CONFLICT);
    assert_false(grid_start(g, "1.0.0", "", &number, &error));
    assert_int_equal(error.code, ERR_CONFLICT);
    assert_ok(floors_remove(g->f->db, g->f->repo, "storage-server", "token:op", &error));
    assert_ok(channels_set(g->f->db, "stable", "storage-server", "1.0.0", "t", &channel, &error));
    assert_false(floors_remove(g->f->db, g->f->repo, "storage-server", "token:op", &error));
    assert_int_equal(error.code, ERR_NOT_FOUND);
}

static void floor_is_refused_while_somebody_is_or_may_come_below(void **state) {
    struct grid *g = *state;
    struct err error;
    struct channel channel;
    struct floor floor;
    assert_false(floors_set(g->f->db, g->f->repo, "storage-server", "one", "t", &floor, &error));
    assert_int_equal(error.code, ERR_INVALID);
    char name[300] = {0};
    memset(name, 'x', sizeof name - 1);
    assert_false(floors_set(g->f->db, g->f->repo, name, "1.1.0", "t", &floor, &error));
    assert_int_equal(error.code, ERR_INVALID);
    assert_false(floors_set(g->f->db, g->f->repo, "storage-server", "1.1.0", "t", &floor, &error));
    assert_non_null(strstr(error.text, "channel stable"));
    assert_ok(channels_set(g->f->db, "stable", "storage-server", "1.2.0", "t", &channel, &error));
    assert_false(floors_set(g->f->db, g->f->repo, "storage-server", "1.1.0", "t", &floor, &error));
    assert_non_null(strstr(error.text, "agent a-1 should run"));
    int64_t first = grid_begin(g, "1.1.0", "\"selector\":\"rack=a\"");
    (void)grid_until(g, first, ROLLOUT_COMPLETED);
    int64_t second = grid_begin(g, "1.1.0", "\"selector\":\"rack=b\",\"auto_promote_s\":\"never\"");
    (void)grid_until(g, second, ROLLOUT_AWAIT_PROMOTE);
    assert_ok(agents_flush(g->f->agents, &error));
    assert_false(floors_set(g->f->db, g->f->repo, "storage-server", "1.1.0", "t", &floor, &error));
    assert_non_null(strstr(error.text, "agent b-1 may return to storage-server 1.0.0"));
    assert_ok(rollouts_order(g->rollouts, second, ROLLOUT_PROMOTE, "t", &error));
    (void)grid_until(g, second, ROLLOUT_COMPLETED);
    assert_ok(floors_set(g->f->db, g->f->repo, "storage-server", "1.1.0", "t", &floor, &error));
}

static void rollout_that_is_over_is_not_rolled_back_below_it(void **state) {
    struct grid *g = *state;
    struct err error;
    struct channel channel;
    struct floor floor;
    int64_t number = grid_begin(g, "1.1.0", "");
    (void)grid_until(g, number, ROLLOUT_COMPLETED);
    assert_ok(agents_flush(g->f->agents, &error));
    assert_ok(channels_set(g->f->db, "stable", "storage-server", "1.1.0", "t", &channel, &error));
    assert_ok(floors_set(g->f->db, g->f->repo, "storage-server", "1.1.0", "t", &floor, &error));
    assert_false(rollouts_order(g->rollouts, number, ROLLOUT_ROLLBACK, "t", &error));
    assert_int_equal(error.code, ERR_CONFLICT);
    assert_non_null(strstr(error.text, "1.0.0 is below the floor 1.1.0"));
    assert_int_equal(grid_seen(g, number).state, ROLLOUT_COMPLETED);
    assert_ok(floors_remove(g->f->db, g->f->repo, "storage-server", "t", &error));
    assert_ok(rollouts_order(g->rollouts, number, ROLLOUT_ROLLBACK, "t", &error));
    (void)grid_until(g, number, ROLLOUT_REVERTED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_below_is_chosen_any_more, grid_setup,
                                        grid_teardown),
        cmocka_unit_test_setup_teardown(floor_is_refused_while_somebody_is_or_may_come_below,
                                        grid_setup, grid_teardown),
        cmocka_unit_test_setup_teardown(rollout_that_is_over_is_not_rolled_back_below_it,
                                        grid_setup, grid_teardown),
    };
    return cmocka_run_group_tests_name("master/floors", tests, NULL, NULL);
}
