#include "cli/rollout_words.h"

#include "lib/clock.h"
#include "tests/unit/cli/cmocka_headers.h"

#include <string.h>

static const struct output_style plain = {.utf8 = true};
static struct answer_rollout rollout;

static int make_rollout(void **state) {
    (void)state;
    rollout = (struct answer_rollout){
        .id = "r-3",
        .name = "storage-server",
        .version = "1.1.0",
        .state = "rolling",
        .policy = {.canary = "\"10%\"",
                   .max_parallel = "2",
                   .max_failures = "0",
                   .auto_promote_s = "0"},
        .progress = {.selected = 8, .committed = 4},
        .current_domain = "b",
        .created_at = "2026-01-31T12:00:00Z",
        .principal = "ada",
    };
    return 0;
}

static void assert_next(const char *state, const char *cause, const char *expected) {
    OWN_TEXT struct text out = TEXT_EMPTY;
    rollout.state = (char *)state;
    rollout.cause = (char *)cause;
    rollout_words_next(&rollout, &out);
    if (strstr(text_value(&out), expected) == NULL || (expected[0] == '\0' && out.length > 0))
        fail_msg("%s (%s): \"%s\" lacks \"%s\"", state, cause, text_value(&out), expected);
}

static void every_standstill_has_a_next_step(void **state) {
    (void)state;
    assert_next("paused", "operator", "gridctl rollout resume r-3");
    assert_next("paused", "version", "gridctl rollout rollback r-3");
    assert_next("paused", "untrusted", "gridctl rollout rollback r-3");
    assert_next("paused", "withdrawn", "gridctl rollout rollback r-3, or stop it");
    assert_next("paused", "machine", "mend that, then gridctl rollout resume r-3");
    assert_next("reverted", "operator", "gridctl agent list");
    assert_next("reverted", "version", "gridctl quarantine list");
    assert_next("revert_stuck", "machine", "gridctl rollout rollback r-3");
    assert_next("stopped", "operator", "gridctl rollout rollback r-3");
    assert_next("rolling", "", "");
    assert_next("await_promote", "", "");
    rollout.policy.auto_promote_s = "\"never\"";
    assert_next("await_promote", "", "gridctl rollout promote r-3");
}

static void only_a_person_ends_a_standstill(void **state) {
    (void)state;
    assert_false(rollout_words_stands(&rollout));
    rollout.state = "await_promote";
    assert_false(rollout_words_stands(&rollout));
    rollout.policy.auto_promote_s = "\"never\"";
    assert_true(rollout_words_stands(&rollout));
    rollout.state = "paused";
    assert_true(rollout_words_stands(&rollout));
}

static void progress_names_what_there_is(void **state) {
    (void)state;
    OWN_TEXT struct text forth = TEXT_EMPTY, back = TEXT_EMPTY;
    rollout.progress = (struct answer_progress){
        .selected = 8, .committed = 4, .granted = 1, .failed = 1, .deferred = 2, .excluded = 1};
    rollout_words_progress(&rollout, &forth);
    assert_string_equal(forth.data,
                        "4 of 8 committed, 1 in flight, 1 failed, 2 deferred, 1 excluded");
    rollout.progress = (struct answer_progress){
        .selected = 8, .leaving = 2, .returning = 1, .returned = 3, .return_failed = 1};
    rollout_words_progress(&rollout, &back);
    assert_string_equal(back.data, "3 of 7 returned, 1 in flight, 1 cannot go back");
}

static void shows_everything_as_fields(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY;
    rollout_words_show(&rollout, clock_parse_rfc3339("2026-01-31T12:05:00Z"), &plain, &out);
    assert_string_equal(out.data, "Rollout   r-3\n"
                                  "Version   storage-server 1.1.0\n"
                                  "State     rolling\n"
                                  "Progress  4 of 8 committed\n"
                                  "Domain    b\n"
                                  "Selector  every agent\n"
                                  "Policy    canary 10%, at once 2, failures borne 0\n"
                                  "Started   5 min ago by ada\n");
}

static void shows_how_long_it_watches_and_when_it_may_begin(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY;
    /* The rollout keeps them. */
    static struct answer_window windows[] = {
        {.days = "mon-fri", .from = "22:00", .to = "04:00",    .tz = "Europe/Berlin"},
        {.days = "sat,sun",                 .from = "00:00",                .to = "23:59"},
    };
    rollout.policy.probation_s = "120";
    rollout.policy.min_healthy_s = "90";
    rollout.policy.windows = windows;
    rollout.policy.windows_count = COUNT(windows);
    rollout_words_show(&rollout, 0, &plain, &out);
    assert_non_null(strstr(out.data, "\nProbation  2 min, healthy for the last 90 s\n"));
    assert_non_null(strstr(out.data, "\nWindows    mon-fri 22:00-04:00 Europe/Berlin; "
                                     "sat,sun 00:00-23:59 UTC\n"));
    rollout.policy.probation_s = "0.3";
    rollout.policy.min_healthy_s = NULL;
    rollout_words_show(&rollout, 0, &plain, &out);
    assert_non_null(strstr(out.data, "\nProbation  0.3 s\n"));
}

static void an_end_that_is_not_good_has_its_reason(void **state) {
    (void)state;
    OWN_TEXT struct text good = TEXT_EMPTY, bad = TEXT_EMPTY;
    rollout.state = "completed";
    rollout.reason = "all of them";
    rollout_words_end(&rollout, &plain, &good);
    assert_string_equal(good.data, "r-3 completed: storage-server 1.1.0, 4 of 8 committed\n");
    rollout.state = "reverted";
    rollout.reason = "a-1 exited with status 127";
    rollout_words_end(&rollout, &plain, &bad);
    assert_string_equal(bad.data, "r-3 reverted: storage-server 1.1.0, 4 of 8 committed\n"
                                  "because a-1 exited with status 127\n");
}

static void agents_in_trouble_come_with_their_diagnosis(void **state) {
    (void)state;
    OWN_TEXT struct text some = TEXT_EMPTY, all = TEXT_EMPTY;
    const struct answer_rollout_agent agents[] = {
        {.agent_id = "a-1", .state = "committed", .domain = "a"},
        { .agent_id = "a-2",
         .state = "failed",
         .domain = "a",
         .from = "1.0.0",
         .to = "1.1.0",
         .reason = "exited",
         .diagnosis = "exit 127\nerror while \033[2Jloading"},
    };
    rollout_words_agents(agents, COUNT(agents), false, &plain, &some);
    assert_string_equal(some.data, "AGENT  STATE   PHASE  DOMAIN  FROM   TO     REASON\n"
                                   "a-2    failed  -      a       1.0.0  1.1.0  exited\n"
                                   "\na-2:\n  exit 127\n  error while \xef\xbf\xbd[2Jloading\n");
    rollout_words_agents(agents, COUNT(agents), true, &plain, &all);
    assert_non_null(strstr(all.data, "a-1    committed"));
    assert_non_null(strstr(all.data, "CANARY"));
}

static void agents_in_no_trouble_need_no_table(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY;
    const struct answer_rollout_agent waiting = {.agent_id = "a-1", .state = "waiting"};
    rollout_words_agents(&waiting, 1, false, &plain, &out);
    assert_int_equal(out.length, 0);
}

static void a_plan_names_batches_risk_and_exceptions(void **state) {
    (void)state;
    OWN_TEXT struct text some = TEXT_EMPTY, all = TEXT_EMPTY;
    struct answer_batch batches[] = {
        {.number = 1, .kind = "canary",  .domain = "a", .agents = "a-1"                       },
        {.number = 2, .kind = "rolling", .domain = "b", .agents = "b1\nb2\nb3\nb4\nb5\nb6\nb7"},
    };
    struct answer_named pinned = {.agent_id = "a-9", .reason = "pinned to 1.0.0"};
    struct answer_named veto = {.agent_id = "b1", .reasons = "the only copy"};
    const struct answer_plan plan = {
        .version = "1.1.0",
        .name = "storage-server",
        .selected = 8,
        .batches = batches,
        .batches_count = COUNT(batches),
        .excluded = &pinned,
        .excluded_count = 1,
        .veto = &veto,
        .veto_count = 1,
        .blast_radius = {1, 2, 3},
        .words = "in a word"
    };
    rollout_words_plan(&plan, false, &plain, &some);
    assert_string_equal(some.data, "storage-server 1.1.0 for 8 agents in 2 batches\n"
                                   "BATCH  KIND     DOMAIN  AGENTS\n"
                                   "    1  canary   a       a-1\n"
                                   "    2  rolling  b       b1 b2 b3 b4 b5 b6 and 1 more\n"
                                   "At risk   1 at once, 2 before the first check, 3 before it "
                                   "goes back\n"
                                   "Veto      b1: the only copy\n"
                                   "Excluded  a-9: pinned to 1.0.0\n");
    rollout_words_plan(&plan, true, &plain, &all);
    assert_non_null(strstr(all.data, "b6 b7\n"));
    assert_non_null(strstr(all.data, "in a word\n"));
}

static void a_long_plan_says_how_much_it_leaves_out(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY;
    static struct answer_batch batches[20];
    static struct answer_named pinned[7];
    for (size_t i = 0; i < COUNT(pinned); i++) pinned[i].agent_id = "p";
    const struct answer_plan plan = {.batches = batches,
                                     .batches_count = COUNT(batches),
                                     .excluded = pinned,
                                     .excluded_count = COUNT(pinned)};
    rollout_words_plan(&plan, false, &plain, &out);
    assert_non_null(strstr(out.data, "... 12 more batches"));
    assert_non_null(strstr(out.data, "Excluded  2 more\n"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_standstill_has_a_next_step, make_rollout),
        cmocka_unit_test_setup(only_a_person_ends_a_standstill, make_rollout),
        cmocka_unit_test_setup(progress_names_what_there_is, make_rollout),
        cmocka_unit_test_setup(shows_everything_as_fields, make_rollout),
        cmocka_unit_test_setup(shows_how_long_it_watches_and_when_it_may_begin, make_rollout),
        cmocka_unit_test_setup(an_end_that_is_not_good_has_its_reason, make_rollout),
        cmocka_unit_test(agents_in_trouble_come_with_their_diagnosis),
        cmocka_unit_test(agents_in_no_trouble_need_no_table),
        cmocka_unit_test(a_plan_names_batches_risk_and_exceptions),
        cmocka_unit_test(a_long_plan_says_how_much_it_leaves_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
