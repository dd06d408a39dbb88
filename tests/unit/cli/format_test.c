#include "cli/format.h"

#include "lib/clock.h"
#include "tests/unit/cli/cmocka_headers.h"

#include <stdlib.h>
#include <time.h>

static void bytes_have_one_decimal_and_a_unit(void **state) {
    (void)state;
    static const struct {
        int64_t bytes;
        const char *shown;
    } cases[] = {
        {-1,            "-"       },
        {0,             "0 B"     },
        {999,           "999 B"   },
        {1000,          "1.0 kB"  },
        {1049,          "1.0 kB"  },
        {999949,        "999.9 kB"},
        {999950,        "1.0 MB"  },
        {19345678,      "19.3 MB" },
        {2000000000000, "2.0 TB"  },
        {INT64_MAX,     "9.2 EB"  },
    };
    char out[FORMAT_SIZE];
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(format_bytes(cases[i].bytes, out), cases[i].shown);
}

static void durations_show_two_units_at_most(void **state) {
    (void)state;
    static const struct {
        int64_t ms;
        const char *shown;
    } cases[] = {
        {-1,        "-"                 },
        {0,         "0 s"               },
        {59999,     "59 s"              },
        {60000,     "1 min"             },
        {3599999,   "59 min"            },
        {3600000,   "1 h"               },
        {7500000,   "2 h 5 min"         },
        {86400000,  "1 d"               },
        {273600000, "3 d 4 h"           },
        {INT64_MAX, "106751991167 d 7 h"},
    };
    char out[FORMAT_SIZE];
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(format_duration(cases[i].ms, out), cases[i].shown);
}

static void ages_look_back_and_forward(void **state) {
    (void)state;
    char out[FORMAT_SIZE];
    int64_t now = clock_parse_rfc3339("2026-01-31T12:00:00Z");
    assert_string_equal(format_age("2026-01-31T11:59:59.500Z", now, out), "now");
    assert_string_equal(format_age("2026-01-31T11:59:48Z", now, out), "12 s ago");
    assert_string_equal(format_age("2026-01-31T14:00:00Z", now, out), "in 2 h");
    assert_string_equal(format_age("2026-01-31T12:00:00.200Z", now, out), "in 1 s");
    assert_string_equal(format_age("", now, out), "never");
    assert_string_equal(format_age("yesterday", now, out), "?");
}

static void times_are_local(void **state) {
    (void)state;
    char out[FORMAT_SIZE];
    setenv("TZ", "ZZZ-02:00", 1);
    tzset();
    assert_string_equal(format_time("2026-01-31T23:30:00Z", out), "2026-02-01 01:30:00");
    assert_string_equal(format_time("", out), "-");
    assert_string_equal(format_time("soon", out), "soon");
    unsetenv("TZ");
    tzset();
}

static void counts_agree_in_number(void **state) {
    (void)state;
    char out[FORMAT_SIZE];
    assert_string_equal(format_count(1, "agent", out), "1 agent");
    assert_string_equal(format_count(0, "agent", out), "0 agents");
    assert_string_equal(format_count(3, "file", out), "3 files");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_have_one_decimal_and_a_unit),
        cmocka_unit_test(durations_show_two_units_at_most),
        cmocka_unit_test(ages_look_back_and_forward),
        cmocka_unit_test(times_are_local),
        cmocka_unit_test(counts_agree_in_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
