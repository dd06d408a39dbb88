#include "agent/self_journal.h"

#include "tests/unit/agent/agent_fixture.h"

#define A "1.0.0-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "1.1.0-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static int setup(void **state) {
    setup_place(state);
    assert_ok(file_make_directory(in_place("state/agent"), 0700, &place.e));
    return 0;
}

static struct self_journal make_journal(void) {
    return (struct self_journal){
        .stage = SELF_RETURNING,
        .from = A,
        .to = B,
        .grant = {.rollout = "r-7",
                  .attempt = 2,
                  .lease_ms = 30000,
                  .min_healthy_ms = 1,
                  .probation_ms = 2,
                  .healthy_deadline_ms = 3},
        .switches = 2,
        .held = 1,
        .unseen = true,
        .code = "timeout",
        .cause = "version",
        .reason = "it did not \"answer\"",
        .diagnosis = text_duplicate("line one\nline two\n"),
    };
}

static void what_is_written_is_read(void **state) {
    (void)state;
    struct self_journal out, j = make_journal();
    assert_ok(self_journal_save(&j, &place.state, &place.e));
    self_journal_load(&out, &place.state);
    assert_int_equal(out.stage, SELF_RETURNING);
    assert_string_equal(out.from, A);
    assert_string_equal(out.to, B);
    assert_memory_equal(&out.grant, &j.grant, sizeof out.grant);
    assert_int_equal(out.switches, 2);
    assert_int_equal(out.held, 1);
    assert_true(out.unseen);
    assert_string_equal(out.code, "timeout");
    assert_string_equal(out.cause, "version");
    assert_string_equal(out.reason, j.reason);
    assert_string_equal(out.diagnosis, j.diagnosis);
    self_journal_clear(&out);
    self_journal_clear(&j);
}

static void a_missing_journal_is_an_empty_one(void **state) {
    (void)state;
    struct self_journal out;
    self_journal_load(&out, &place.state);
    assert_int_equal(out.stage, SELF_NONE);
    assert_string_equal(out.to, "");
}

/* Whatever byte is wrong: nothing of it is believed. */
static void a_damaged_journal_is_an_empty_one(void **state) {
    (void)state;
    struct self_journal out, j = make_journal();
    OWN_TEXT struct text whole = TEXT_EMPTY;
    assert_ok(self_journal_save(&j, &place.state, &place.e));
    assert_ok(file_read(in_place("state/agent/journal"), 65536, &whole, &place.e));
    for (size_t i = 0; i < whole.length; i += 7) {
        whole.data[i] ^= 1;
        write_file(in_place("state/agent/journal"), whole.data, whole.length);
        self_journal_load(&out, &place.state);
        assert_int_equal(out.stage, SELF_NONE);
        whole.data[i] ^= 1;
    }
    write_file(in_place("state/agent/journal"), whole.data, whole.length / 2);
    self_journal_load(&out, &place.state);
    assert_int_equal(out.stage, SELF_NONE);
    self_journal_clear(&j);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read, setup, teardown_place),
        cmocka_unit_test_setup_teardown(a_missing_journal_is_an_empty_one, setup, teardown_place),
        cmocka_unit_test_setup_teardown(a_damaged_journal_is_an_empty_one, setup, teardown_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
