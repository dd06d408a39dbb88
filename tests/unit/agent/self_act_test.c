#include "agent/self_internal.h"

#include "tests/unit/agent/agent_fixture.h"

#define A "1.0.0-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "1.1.0-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static int setup(void **state) {
    setup_place(state);
    assert_ok(file_make_directory(in_place("state/agent"), 0700, &place.e));
    return 0;
}

/* A disk that takes no journal proves nothing against the new build, however often it is asked. */
static void a_switch_that_cannot_be_written_down_is_none(void **state) {
    (void)state;
    struct self s = {
        .options.state = &place.state,
        .running = A,
        .journal = {.stage = SELF_SWITCHING, .from = A, .to = B, .switches = 1},
        .decision.action = SELF_FINISH
    };
    assert_int_equal(mkdir(in_place("state/agent/journal"), 0700), 0);
    for (int64_t now_ms = 1; now_ms < 5; now_ms++) self_act(&s, NULL, now_ms);
    assert_int_not_equal(s.trouble.code, ERR_NONE);
    assert_int_equal(s.journal.switches, 1);
    assert_int_equal(s.journal.stage, SELF_SWITCHING);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_switch_that_cannot_be_written_down_is_none, setup,
                                        teardown_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
