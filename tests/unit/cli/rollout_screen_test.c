#include "cli/rollout_screen.h"

#include "tests/unit/cli/cmocka_headers.h"

#include <stdio.h>
#include <string.h>

static struct answer_rollout_agent agents[5], agents_before[5];
static struct rollout_scene now, before;
static const struct output_style terminal = {.utf8 = true, .width = 80}, file = {.utf8 = true};

static int make_rolling(void **state) {
    (void)state;
    static char *const ids[] = {"a-1", "a-2", "b-1", "b-2", "b-3"};
    static char *const states[] = {"committed", "committed", "granted", "failed", "waiting"};
    for (size_t i = 0; i < COUNT(agents); i++)
        agents[i] = (struct answer_rollout_agent){.agent_id = ids[i],
                                                  .state = states[i],
                                                  .domain = i < 2 ? "a" : "b",
                                                  .canary = i == 0,
                                                  .attempt = 1};
    agents[2].phase = "probation";
    agents[3].reason = "it exited with status 127";
    now = (struct rollout_scene){
        .rollout = {.id = "r-3",
                    .name = "storage-server",
                    .version = "1.1.0",
                    .state = "rolling",
                    .current_domain = "b",
                    .progress = {.selected = 5, .committed = 2, .granted = 1, .failed = 1}},
        .agents = agents,
        .agent_count = COUNT(agents),
        .complete = true,
        .elapsed_ms = 61000,
    };
    memcpy(agents_before, agents, sizeof agents);
    before = now;
    before.agents = agents_before;
    return 0;
}

static char *screen(const struct output_style *style) {
    struct text out = TEXT_EMPTY;
    rollout_screen(&now, style, &out);
    return text_take(&out);
}

static void shows_progress_groups_machines_and_failures(void **state) {
    (void)state;
    OWN_MEMORY char *out = screen(&terminal);
    assert_string_equal(out, "r-3  storage-server 1.1.0  rolling  domain b  1 min\n"
                             "████████░░░░░░░░░░░░  2 of 5 committed, 1 in flight, 1 failed\n"
                             "  canary  ██████████  1/1\n"
                             "  a       ██████████  1/1\n"
                             "  b       ░░░░░░░░░░  0/3\n"
                             "> b-1  probation  in b\n"
                             "x b-2  failed: it exited with status 127\n");
}

static void no_line_is_wider_than_the_terminal(void **state) {
    (void)state;
    static char long_reason[300];
    memset(long_reason, 'x', sizeof long_reason - 1);
    agents[3].reason = now.rollout.reason = now.rollout.version = long_reason;
    now.rollout.state = "paused";
    for (int width = 20; width <= 80; width += 20) {
        const struct output_style style = {.utf8 = true, .width = width};
        OWN_MEMORY char *out = screen(&style);
        char *position = out;
        for (char *line; (line = strsep(&position, "\n")) != NULL;)
            assert_true(output_columns(line) < width);
    }
}

static void words_of_machines_cannot_act_on_the_terminal(void **state) {
    (void)state;
    agents[3].reason = "bad\033[2J\nline";
    OWN_MEMORY char *out = screen(&terminal);
    assert_null(strchr(out, '\033'));
    assert_non_null(strstr(out, "[2J line\n"));
}

static void says_what_a_paused_rollout_needs(void **state) {
    (void)state;
    now.rollout.state = "paused";
    now.rollout.resume_state = "rolling";
    now.rollout.cause = "machine";
    now.rollout.reason = "b-2: disk full";
    OWN_MEMORY char *out = screen(&file);
    assert_non_null(strstr(out, "paused in rolling (machine)"));
    assert_non_null(strstr(out, "because b-2: disk full\nNext: mend that, then gridctl rollout "
                                "resume r-3; or gridctl rollout rollback r-3\n"));
}

static void counts_machines_that_do_not_fit(void **state) {
    (void)state;
    static struct answer_rollout_agent many[20];
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = (struct answer_rollout_agent){.agent_id = "m", .state = "granted"};
    now.agents = many;
    now.agent_count = COUNT(many);
    now.complete = false;
    OWN_MEMORY char *out = screen(&terminal);
    assert_non_null(strstr(out, "> m  granted\n  and 14 more\n"));
    assert_null(strstr(out, "canary"));
}

static void the_busiest_screen_fits_a_small_terminal(void **state) {
    (void)state;
    static struct answer_rollout_agent many[60];
    static char domains[60][4];
    static char *const states[] = {"granted", "failed", "waiting"};
    for (size_t i = 0; i < COUNT(many); i++) {
        snprintf(domains[i], sizeof domains[i], "%zu", i);
        many[i] = (struct answer_rollout_agent){
            .agent_id = "m", .state = states[i % 3], .domain = domains[i], .canary = i == 0};
    }
    now.agents = many;
    now.agent_count = COUNT(many);
    now.rollout.state = "paused";
    now.rollout.reason = "b-2 failed";
    OWN_MEMORY char *out = screen(&terminal);
    int lines = 0;
    for (const char *at = out; *at != '\0'; at++) lines += *at == '\n';
    assert_in_range(lines, 20, 23);
}

static void colours_tell_trouble_where_colours_are_wanted(void **state) {
    (void)state;
    const struct output_style coloured = {.utf8 = true, .width = 80, .colour = true};
    OWN_MEMORY char *out = screen(&coloured);
    assert_non_null(strstr(out, "\n\033[31mx b-2  failed: it exited with status 127\033[0m\n"));
    OWN_MEMORY char *plain = screen(&terminal);
    assert_null(strchr(plain, '\033'));
}

static void what_went_back_keeps_its_trouble_in_sight(void **state) {
    (void)state;
    agents[3].state = "returned";
    agents[3].diagnosis = "exit 127";
    now.rollout.progress = (struct answer_progress){.selected = 5, .returned = 3};
    OWN_MEMORY char *out = screen(&terminal);
    assert_non_null(strstr(out, "x b-2  returned: it exited with status 127"));
    assert_null(strstr(out, "canary"));
}

static char *changes(const struct rollout_scene *old) {
    struct text out = TEXT_EMPTY;
    rollout_changes(old, &now, &file, &out);
    return out.data != NULL ? text_take(&out) : text_duplicate("");
}

static void the_first_lines_say_where_it_stands(void **state) {
    (void)state;
    OWN_MEMORY char *out = changes(NULL);
    assert_string_equal(out, "r-3  > b-1  probation  in b\n"
                             "r-3  x b-2  failed: it exited with status 127\n"
                             "r-3  rolling  domain b  2 of 5 committed, 1 in flight, 1 failed\n");
}

static void nothing_changed_is_no_line(void **state) {
    (void)state;
    OWN_MEMORY char *out = changes(&before);
    assert_string_equal(out, "");
}

static void each_change_is_a_line(void **state) {
    (void)state;
    agents[2].phase = "switching";
    OWN_MEMORY char *phase = changes(&before);
    assert_string_equal(phase, "r-3  > b-1  switching  in b\n");
    agents[2].phase = "probation";
    now.rollout.progress.committed = 3;
    OWN_MEMORY char *count = changes(&before);
    assert_string_equal(count, "r-3  rolling  domain b  3 of 5 committed, 1 in flight, 1 failed\n");
    now.rollout.progress.committed = 2;
    agents_before[3].state = "granted";
    OWN_MEMORY char *failed = changes(&before);
    assert_string_equal(failed, "r-3  x b-2  failed: it exited with status 127\n");
    agents_before[3].state = "failed";
    now.rollout.state = "paused";
    now.rollout.cause = "operator";
    now.rollout.reason = "ada said so";
    OWN_MEMORY char *paused = changes(&before);
    assert_string_equal(paused, "r-3  paused (operator)  domain b  2 of 5 committed, 1 in flight, "
                                "1 failed\nbecause ada said so\n"
                                "Next: gridctl rollout resume r-3\n");
}

static void a_hold_is_told(void **state) {
    (void)state;
    now.rollout.hold = "window";
    OWN_MEMORY char *out = changes(&before);
    assert_string_equal(out, "waits for the next of its maintenance windows\n");
    now.rollout.hold = "budget_exhausted";
    OWN_MEMORY char *crowded = changes(&before);
    assert_string_equal(crowded,
                        "waits for machines that are down for other reasons (--max-parallel)\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(shows_progress_groups_machines_and_failures, make_rolling),
        cmocka_unit_test_setup(no_line_is_wider_than_the_terminal, make_rolling),
        cmocka_unit_test_setup(words_of_machines_cannot_act_on_the_terminal, make_rolling),
        cmocka_unit_test_setup(says_what_a_paused_rollout_needs, make_rolling),
        cmocka_unit_test_setup(counts_machines_that_do_not_fit, make_rolling),
        cmocka_unit_test_setup(the_first_lines_say_where_it_stands, make_rolling),
        cmocka_unit_test_setup(nothing_changed_is_no_line, make_rolling),
        cmocka_unit_test_setup(each_change_is_a_line, make_rolling),
        cmocka_unit_test_setup(a_hold_is_told, make_rolling),
        cmocka_unit_test_setup(the_busiest_screen_fits_a_small_terminal, make_rolling),
        cmocka_unit_test_setup(colours_tell_trouble_where_colours_are_wanted, make_rolling),
        cmocka_unit_test_setup(what_went_back_keeps_its_trouble_in_sight, make_rolling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
