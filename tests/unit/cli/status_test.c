#include "cli/status.h"

#include "tests/unit/cli/cmocka_headers.h"

#include <string.h>

static const struct output_style utf8 = {.utf8 = true};

static void a_healthy_grid_fits_in_a_few_lines(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct answer_share share = {.version = "1.0.0", .agents = 3};
    struct answer_summary s = {
        .version = "0.1.0",
        .uptime_s = 200,
        .agents = {.up = 3},
        .nodes = {.healthy = 3},
        .versions = &share,
        .versions_count = 1,
        .binaries = 1,
    };
    status_text(&s, "http://127.0.0.1:7001", &utf8, &out);
    assert_string_equal(out.data, "local  http://127.0.0.1:7001  master 0.1.0  up 3 min\n"
                                  "Agents  3   3 up\n"
                                  "Nodes   3   3 healthy\n"
                                  "Version 1.0.0 ██████████ 100%\n");
}

static void a_grid_in_change_shows_its_parts(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct answer_share shares[] = {
        {.version = "1.0.0",      .agents = 1},
        {.version = "1.1.0-rc.1", .agents = 2},
    };
    struct answer_channel channel = {.name = "stable", .version = "1.0.0"};
    struct answer_summary s = {
        .version = "0.1.0",
        .agents = {.up = 2,    .suspect = 1, .lost = 1},
        .nodes = {.starting = 4},
        .versions = shares,
        .versions_count = 2,
        .channels = &channel,
        .channels_count = 1,
        .rejected = 1,
        .failed_updates = 2,
        .capacity_bytes = 2000,
        .free_bytes = 1000,
    };
    status_text(&s, "http://grid.example:7001", &utf8, &out);
    assert_string_equal(out.data, "remote  http://grid.example:7001  master 0.1.0  up 0 s\n"
                                  "Agents  4   2 up, 1 suspect, 1 lost\n"
                                  "Nodes   4   4 starting\n"
                                  "Version 1.0.0      ███░░░░░░░  33%\n"
                                  "        1.1.0-rc.1 ██████░░░░  67%\n"
                                  "Channel stable 1.0.0\n"
                                  "Space   1.0 kB free of 2.0 kB\n"
                                  "Failed  2 agents did not take the version they should run\n"
                                  "Refused 1 file in the drop box\n");
}

static void an_empty_grid_says_zero(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct answer_summary s = {0};
    status_text(&s, "http://127.0.0.1:7001", &utf8, &out);
    assert_non_null(strstr(out.data, "Agents  0\nNodes   0\n"));
}

static void the_next_step_fits_the_grid(void **state) {
    (void)state;
    struct answer_summary s = {0};
    assert_string_equal(status_next(&s), "gridctl binary push FILE");
    s.rejected = 1;
    assert_string_equal(status_next(&s), "gridctl binary list --rejected");
    s.rejected = 0;
    s.binaries = 1;
    assert_string_equal(status_next(&s), "gridctl agent join-command");
    s.agents.up = 1;
    s.failed_updates = 1;
    assert_string_equal(status_next(&s), "gridctl event tail --kind agent.update_failed");
    s.failed_updates = 0;
    assert_string_equal(status_next(&s), "gridctl agent list");
    s.nodes.backoff = 1;
    assert_string_equal(status_next(&s), "gridctl node list --filter state=backoff");
    s.agents.lost = 1;
    assert_string_equal(status_next(&s), "gridctl agent list --filter status=lost");
    s.agents.pending = 1;
    assert_string_equal(status_next(&s), "gridctl agent list --filter status=pending");
}

static void rollouts_have_a_line_each_and_a_say_in_what_is_next(void **state) {
    (void)state;
    OWN_TEXT struct text lines = TEXT_EMPTY, calm = TEXT_EMPTY, still = TEXT_EMPTY,
                         bad = TEXT_EMPTY;
    struct answer_summary s = {.binaries = 1, .agents = {.up = 3}};
    struct answer_rollout rollouts[] = {
        {.id = "r-4",
         .version = "1.2.0",
         .state = "rolling",
         .progress = {.selected = 3, .committed = 1}                                      },
        {.id = "r-3", .version = "1.1.0", .state = "prefetch", .progress = {.selected = 2}},
    };
    status_rollouts(rollouts, 2, &utf8, &lines);
    assert_string_equal(lines.data, "Rollout r-4  1.2.0  rolling  1 of 3 committed\n"
                                    "Rollout r-3  1.1.0  prefetch  0 of 2 committed\n");
    status_add_next(&s, rollouts, 2, &calm);
    assert_string_equal(calm.data, "Next: gridctl rollout status r-4 --wait\n");
    s.agents.lost = 1;
    status_add_next(&s, rollouts, 2, &bad);
    assert_string_equal(bad.data, "Next: gridctl agent list --filter status=lost\n");
    rollouts[1].state = "paused";
    status_add_next(&s, rollouts, 2, &still);
    assert_string_equal(still.data, "Next: gridctl rollout status r-3\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_healthy_grid_fits_in_a_few_lines),
        cmocka_unit_test(a_grid_in_change_shows_its_parts),
        cmocka_unit_test(an_empty_grid_says_zero),
        cmocka_unit_test(the_next_step_fits_the_grid),
        cmocka_unit_test(rollouts_have_a_line_each_and_a_say_in_what_is_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
