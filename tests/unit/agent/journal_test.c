#include "agent/journal.h"

#include "tests/unit/agent/agent_fixture.h"

#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static struct journal journal;

static int setup(void **unused) {
    setup_place(unused);
    assert_ok(journal_load(&journal, &place.state, 2, &place.e));
    return 0;
}

static int teardown(void **unused) {
    journal_fini(&journal);
    return teardown_place(unused);
}

static void begin(const char *sha256, const char *rollout, int64_t attempt) {
    const struct transition_policy policy = {.min_healthy_ms = 100,
                                             .probation_ms = 2000,
                                             .healthy_deadline_ms = 3000,
                                             .allow_unavailable = true};
    snprintf(journal.from, sizeof journal.from, "1.0.0");
    snprintf(journal.to, sizeof journal.to, "1.1.0");
    snprintf(journal.to_sha256, sizeof journal.to_sha256, "%s", sha256);
    snprintf(journal.rollout, sizeof journal.rollout, "%s", rollout);
    journal.attempt = attempt;
    journal.generation = 9;
    transition_take(&journal.transition, TURN_BEGIN, sha256, &policy);
    journal.dirty = true;
}

static void read_again(void) {
    journal_fini(&journal);
    assert_ok(journal_load(&journal, &place.state, 2, &place.e));
}

static void fail_now(const char *words) {
    struct err why = {0};
    err_set(&why, ERR_TIMEOUT, "%s", words);
    journal_blame(&journal, "version", &why, "exit 9\nno such index\n");
    journal_add_failure(&journal);
    transition_take(&journal.transition, TURN_FAIL, NULL, NULL);
}

static void a_journal_that_is_not_there_is_empty(void **unused) {
    (void)unused;
    assert_int_equal(journal.transition.state, TRANSITION_NONE);
    assert_false(journal.dirty);
    assert_null(journal_failed(&journal, B, "", 0, 0));
}

static void what_was_begun_is_known_after_a_crash(void **unused) {
    (void)unused;
    begin(B, "r-3", 2);
    journal.nodes[1] = (struct journal_node){.moved = true, .excused = true, .tries = 2};
    transition_take(&journal.transition, TURN_WATCH, NULL, NULL);
    journal.transition.watched_ms = 700;
    assert_ok(journal_save(&journal, &place.e));
    read_again();
    const struct transition *t = &journal.transition;
    assert_int_equal(t->state, TRANSITION_PROBATION);
    assert_string_equal(t->to, B);
    assert_int_equal(t->watched_ms, 700);
    assert_int_equal(t->policy.min_healthy_ms, 100);
    assert_int_equal(t->policy.probation_ms, 2000);
    assert_int_equal(t->policy.healthy_deadline_ms, 3000);
    assert_true(t->policy.allow_unavailable);
    assert_string_equal(journal.rollout, "r-3");
    assert_int_equal(journal.attempt, 2);
    assert_false(journal.nodes[0].moved);
    assert_true(journal.nodes[1].moved && journal.nodes[1].excused);
    assert_int_equal(journal.nodes[1].tries, 2);
}

static void the_diagnosis_survives_the_return(void **unused) {
    (void)unused;
    begin(B, "r-3", 2);
    fail_now("it never came up");
    assert_ok(journal_save(&journal, &place.e));
    read_again();
    assert_int_equal(journal.transition.state, TRANSITION_RETURNING);
    assert_true(journal.transition.failed);
    transition_take(&journal.transition, TURN_STICK, NULL, NULL);
    assert_true(journal.transition.failed);
    transition_take(&journal.transition, TURN_END, NULL, NULL);
    journal.dirty = true;
    assert_ok(journal_save(&journal, &place.e));
    read_again();
    assert_int_equal(journal.transition.state, TRANSITION_NONE);
    assert_string_equal(journal.diagnosis, "exit 9\nno such index\n");
    assert_string_equal(journal.cause, "version");
    assert_string_equal(journal.reason, "it never came up");
    assert_string_equal(journal_failed(&journal, B, "r-3", 2, 1)->code, "timeout");
}

static void an_attempt_is_never_repeated_but_a_new_order_counts(void **unused) {
    (void)unused;
    begin(B, "r-3", 2);
    fail_now("first");
    assert_non_null(journal_failed(&journal, B, "r-3", 2, 1));
    assert_non_null(journal_failed(&journal, B, "r-3", 1, 99)); /* a stale one */
    assert_null(journal_failed(&journal, B, "r-3", 3, 9));
    assert_null(journal_failed(&journal, B, "r-4", 1, 9));
    assert_null(journal_failed(&journal, B, "", 0, 9));
    assert_null(journal_failed(&journal, C, "r-3", 2, 9));
    transition_take(&journal.transition, TURN_END, NULL, NULL);
    begin(C, "", 0);
    fail_now("second");
    assert_non_null(journal_failed(&journal, C, "", 0, 9));
    assert_null(journal_failed(&journal, C, "", 0, 10));
    assert_string_equal(journal_failed(&journal, B, "r-3", 2, 1)->reason, "first");
}

static void only_the_newest_failures_are_kept(void **unused) {
    (void)unused;
    for (int i = 0; i < JOURNAL_FAILURES + 1; i++) {
        begin(B, "r-1", i + 1);
        fail_now("again");
        transition_take(&journal.transition, TURN_END, NULL, NULL);
    }
    assert_ok(journal_save(&journal, &place.e));
    read_again();
    assert_int_equal(journal.failures[0].attempt, JOURNAL_FAILURES + 1);
    assert_int_equal(journal.failures[JOURNAL_FAILURES - 1].attempt, 2);
}

/* Every cut and every changed byte is noticed; nothing of it is believed. */
static void a_damaged_journal_is_noticed(void **unused) {
    (void)unused;
    char path[STATE_PATH_SIZE];
    OWN_TEXT struct text whole = TEXT_EMPTY;
    begin(B, "r-3", 2);
    fail_now("it never came up");
    assert_ok(journal_save(&journal, &place.e));
    state_path(&place.state, path, "journal");
    assert_ok(file_read(path, 100000, &whole, &place.e));
    for (size_t i = 0; i < whole.length; i += 7) {
        whole.data[i] ^= 0x20;
        write_file(path, whole.data, i % 2 == 0 ? whole.length : i);
        journal_fini(&journal);
        assert_false(journal_load(&journal, &place.state, 2, &place.e));
        assert_err(ERR_CORRUPT, "journal");
        assert_int_equal(journal.transition.state, TRANSITION_NONE);
        assert_null(journal_failed(&journal, B, "r-3", 2, 1));
        assert_true(journal.dirty);
        whole.data[i] ^= 0x20;
    }
    write_file(path, whole.data, whole.length);
    read_again();
    assert_int_equal(journal.transition.state, TRANSITION_RETURNING);
}

static void a_journal_that_cannot_be_written_stays_due(void **unused) {
    (void)unused;
    char path[STATE_PATH_SIZE];
    assert_int_equal(mkdir(state_path(&place.state, path, "journal"), 0700), 0);
    begin(B, "", 0);
    assert_false(journal_save(&journal, &place.e));
    assert_true(journal.dirty);
    assert_int_equal(rmdir(path), 0);
    assert_ok(journal_save(&journal, &place.e));
    assert_false(journal.dirty);
}

static void to_begin_anew_leaves_what_is_known_alone(void **unused) {
    (void)unused;
    begin(B, "r-3", 2);
    fail_now("it never came up");
    journal.nodes[1] = (struct journal_node){.moved = true, .tries = 2};
    struct journal anew = journal_anew(&journal);
    assert_false(anew.nodes[1].moved);
    assert_string_equal(anew.reason, "");
    assert_null(anew.diagnosis);
    assert_non_null(journal_failed(&anew, B, "r-3", 2, 1));
    snprintf(anew.to_sha256, sizeof anew.to_sha256, C);
    journal_fini(&anew);
    assert_ok(journal_save(&journal, &place.e));
    read_again();
    assert_string_equal(journal.transition.to, B);
    assert_true(journal.nodes[1].moved);
    assert_string_equal(journal.diagnosis, "exit 9\nno such index\n");
}

static void turns_that_a_state_does_not_know_are_none(void **unused) {
    (void)unused;
    static const char *const allowed[TRANSITION_STATE_COUNT] = {
        [TRANSITION_NONE] = "b",          [TRANSITION_SWITCHING] = "bwcfke",
        [TRANSITION_PROBATION] = "bcfke", [TRANSITION_RETURNING] = "bse",
        [TRANSITION_STUCK] = "be",
    };
    static const char letters[TURN_COUNT] = "-bwcfkse";
    for (int state = 0; state < TRANSITION_STATE_COUNT; state++)
        for (int turn = 0; turn < TURN_COUNT; turn++) {
            bool right = strchr(allowed[state], letters[turn]) != NULL;
            assert_int_equal(transition_allows((enum transition_state)state, (enum turn)turn),
                             right);
        }
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_journal_that_is_not_there_is_empty),
        TEST(what_was_begun_is_known_after_a_crash),
        TEST(the_diagnosis_survives_the_return),
        TEST(an_attempt_is_never_repeated_but_a_new_order_counts),
        TEST(only_the_newest_failures_are_kept),
        TEST(a_damaged_journal_is_noticed),
        TEST(a_journal_that_cannot_be_written_stays_due),
        TEST(to_begin_anew_leaves_what_is_known_alone),
        TEST(turns_that_a_state_does_not_know_are_none),
    };
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
