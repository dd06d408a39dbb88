#include "cli/retry.h"

#include "lib/sign.h"
#include "tests/unit/cli/cmocka_headers.h"

static void waits_longer_each_time_and_gives_up(void **state) {
    (void)state;
    struct retry r = RETRY_BEGIN;
    static const int64_t middle[] = {1000, 2000, 4000, 8000, 16000};
    for (size_t i = 0; i < COUNT(middle); i++) {
        int64_t ms = retry_next(&r, -1);
        assert_in_range(ms, middle[i] * 3 / 4, middle[i] * 5 / 4);
    }
    assert_int_equal(retry_next(&r, -1), -1);
}

static void waits_as_long_as_it_is_asked_to(void **state) {
    (void)state;
    struct retry r = RETRY_BEGIN;
    assert_true(retry_next(&r, 40) >= 40000);
    assert_int_equal(retry_next(&r, 100000), -1);
}

static void tries_again_only_what_may_pass(void **state) {
    (void)state;
    assert_true(retry_worthwhile(ERR_UNREACHABLE, 0));
    assert_true(retry_worthwhile(ERR_TIMEOUT, 0));
    assert_true(retry_worthwhile(ERR_RATE_LIMITED, 429));
    assert_true(retry_worthwhile(ERR_UNAVAILABLE, 503));
    assert_true(retry_worthwhile(ERR_UNREACHABLE, 100)); /* cut after "100 Continue" */
    assert_false(retry_worthwhile(ERR_NO_SPACE, 507));
    assert_false(retry_worthwhile(ERR_UNTRUSTED, 422));
    assert_false(retry_worthwhile(ERR_CONFLICT, 409));
    assert_false(retry_worthwhile(ERR_DENIED, 0));
}

static int setup(void **state) {
    (void)state;
    sign_setup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_longer_each_time_and_gives_up),
        cmocka_unit_test(waits_as_long_as_it_is_asked_to),
        cmocka_unit_test(tries_again_only_what_may_pass),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
