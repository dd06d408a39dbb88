#include "agent/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const uint32_t half = 1u << 31;

static void pauses_double_up_to_the_longest(void **state) {
    (void)state;
    assert_int_equal(backoff_pause_ms(&backoff_node, 0, half), 0);
    assert_int_equal(backoff_pause_ms(&backoff_node, 1, half), 1000);
    assert_int_equal(backoff_pause_ms(&backoff_node, 2, half), 2000);
    assert_int_equal(backoff_pause_ms(&backoff_node, 6, half), 32000);
    assert_int_equal(backoff_pause_ms(&backoff_node, 7, half), 60000);
    assert_int_equal(backoff_pause_ms(&backoff_node, UINT32_MAX, half), 60000);
}

static void jitter_is_a_quarter_both_ways(void **state) {
    (void)state;
    for (unsigned failures = 1; failures < 12; failures++) {
        int64_t middle = backoff_pause_ms(&backoff_node, failures, half);
        int64_t least = backoff_pause_ms(&backoff_node, failures, 0);
        int64_t most = backoff_pause_ms(&backoff_node, failures, UINT32_MAX);
        assert_int_equal(least, middle - middle / 4);
        assert_in_range(most, middle + middle / 4 - 1, middle + middle / 4);
    }
}

static void a_long_life_clears_the_slate(void **state) {
    (void)state;
    assert_int_equal(backoff_failed(0, 10), 1);
    assert_int_equal(backoff_failed(4, BACKOFF_RESET_MS - 1), 5);
    assert_int_equal(backoff_failed(4, BACKOFF_RESET_MS), 1);
    assert_int_equal(backoff_failed(UINT32_MAX, 10), UINT32_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_double_up_to_the_longest),
        cmocka_unit_test(jitter_is_a_quarter_both_ways),
        cmocka_unit_test(a_long_life_clears_the_slate),
    };
    return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
