#include "lib/clock.h"

#include "tests/unit/lib/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    int64_t ms;
    const char *text;
} moments[] = {
    {0,               "1970-01-01T00:00:00.000Z"},
    {1,               "1970-01-01T00:00:00.001Z"},
    {999,             "1970-01-01T00:00:00.999Z"},
    {951782400000,    "2000-02-29T00:00:00.000Z"},
    {951868800000,    "2000-03-01T00:00:00.000Z"},
    {1769860800123,   "2026-01-31T12:00:00.123Z"},
    {4107542399999,   "2100-02-28T23:59:59.999Z"},
    {4107542400000,   "2100-03-01T00:00:00.000Z"},
    {253402300799999, "9999-12-31T23:59:59.999Z"},
};

static void moments_print_and_parse(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        char out[CLOCK_RFC3339_SIZE];
        assert_ptr_equal(clock_rfc3339(moments[i].ms, out), out);
        assert_string_equal(out, moments[i].text);
        assert_int_equal(clock_parse_rfc3339(moments[i].text), moments[i].ms);
    }
}

static void moments_before_1970_and_out_of_range_print_something_valid(void **state) {
    (void)state;
    char out[CLOCK_RFC3339_SIZE];
    assert_string_equal(clock_rfc3339(-1, out), "1969-12-31T23:59:59.999Z");
    assert_string_equal(clock_rfc3339(-1000, out), "1969-12-31T23:59:59.000Z");
    assert_string_equal(clock_rfc3339(INT64_MIN, out), "0000-01-01T00:00:00.000Z");
    assert_string_equal(clock_rfc3339(INT64_MAX, out), "9999-12-31T23:59:59.999Z");
}

static void any_moment_survives_print_and_parse(void **state) {
    (void)state;
    for (int i = 0; i < 20000; i++) {
        int64_t ms = (int64_t)random_below(253402300800000);
        char out[CLOCK_RFC3339_SIZE];
        if (clock_parse_rfc3339(clock_rfc3339(ms, out)) != ms) fail_msg("%s", out);
    }
}

static void every_form_of_rfc3339_is_read(void **state) {
    (void)state;
    assert_int_equal(clock_parse_rfc3339("2026-01-31T12:00:00Z"), 1769860800000);
    assert_int_equal(clock_parse_rfc3339("2026-01-31t12:00:00z"), 1769860800000);
    assert_int_equal(clock_parse_rfc3339("2026-01-31T12:00:00.1Z"), 1769860800100);
    assert_int_equal(clock_parse_rfc3339("2026-01-31T12:00:00.123456789Z"), 1769860800123);
    assert_int_equal(clock_parse_rfc3339("2026-01-31T13:30:00+01:30"), 1769860800000);
    assert_int_equal(clock_parse_rfc3339("2026-01-31T04:00:00.5-08:00"), 1769860800500);
    assert_int_equal(clock_parse_rfc3339("2026-02-01T00:00:00+12:00"), 1769860800000);
    assert_int_equal(clock_parse_rfc3339("2016-12-31T23:59:60Z"), 1483228800000);
}

static void anything_else_is_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "",
        "2026",
        "2026-01-31",
        "2026-01-31 12:00:00Z",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00Z",
        "2026-1-31T12:00:00Z",
        "2026-00-31T12:00:00Z",
        "2026-13-31T12:00:00Z",
        "2026-01-00T12:00:00Z",
        "2026-01-32T12:00:00Z",
        "2026-02-29T12:00:00Z",
        "2100-02-29T12:00:00Z",
        "2026-04-31T12:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:60:00Z",
        "2026-01-31T12:00:61Z",
        "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00,5Z",
        "2026-01-31T12:00:00Zz",
        "2026-01-31T12:00:00 Z",
        "2026-01-31T12:00:00+1:00",
        "2026-01-31T12:00:00+0100",
        "2026-01-31T12:00:00+24:00",
        "2026-01-31T12:00:00+01:60",
        " 2026-01-31T12:00:00Z",
        "-026-01-31T12:00:00Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (clock_parse_rfc3339(wrong[i]) != -1) fail_msg("taken: %s", wrong[i]);
}

static void durations_have_units(void **state) {
    (void)state;
    assert_int_equal(clock_parse_duration_ms("0"), 0);
    assert_int_equal(clock_parse_duration_ms("3600"), 3600000);
    assert_int_equal(clock_parse_duration_ms("250ms"), 250);
    assert_int_equal(clock_parse_duration_ms("90s"), 90000);
    assert_int_equal(clock_parse_duration_ms("5m"), 300000);
    assert_int_equal(clock_parse_duration_ms("2h"), 7200000);
    assert_int_equal(clock_parse_duration_ms("1d"), 86400000);
    assert_int_equal(clock_parse_duration_ms("007s"), 7000);
}

static void durations_that_are_none_are_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"",   "s",   "-1s", "+1s", " 1s", "1s ",  "1 s",  "1.5s",
                                        "1S", "1ss", "1w",  "1mm", "1hm", "1h5m", "0x10", "ms"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (clock_parse_duration_ms(wrong[i]) != -1) fail_msg("taken: %s", wrong[i]);
}

static void durations_end_at_the_largest_number(void **state) {
    (void)state;
    assert_int_equal(clock_parse_duration_ms("9223372036854775807ms"), INT64_MAX);
    assert_int_equal(clock_parse_duration_ms("9223372036854775808ms"), -1);
    assert_int_equal(clock_parse_duration_ms("9223372036854775s"), 9223372036854775000);
    assert_int_equal(clock_parse_duration_ms("9223372036854776s"), -1);
    assert_int_equal(clock_parse_duration_ms("106751991168d"), -1);
    assert_int_equal(clock_parse_duration_ms("99999999999999999999999999999d"), -1);
}

static void clocks_run_forward(void **state) {
    (void)state;
    int64_t before = clock_monotonic_ms();
    assert_true(before >= 0);
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_monotonic_ms();
        assert_true(now >= before);
        before = now;
    }
    assert_true(clock_wall_ms() > 1700000000000);
}

static void boot_id_is_that_of_the_kernel(void **state) {
    (void)state;
    char expected[64] = "";
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%63s", expected), 1);
    fclose(file);
    assert_int_equal(strlen(expected), 36);
    assert_string_equal(clock_boot_id(), expected);
    assert_ptr_equal(clock_boot_id(), clock_boot_id());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_print_and_parse),
        cmocka_unit_test(moments_before_1970_and_out_of_range_print_something_valid),
        cmocka_unit_test(any_moment_survives_print_and_parse),
        cmocka_unit_test(every_form_of_rfc3339_is_read),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(durations_have_units),
        cmocka_unit_test(durations_that_are_none_are_refused),
        cmocka_unit_test(durations_end_at_the_largest_number),
        cmocka_unit_test(clocks_run_forward),
        cmocka_unit_test(boot_id_is_that_of_the_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
