/* When maintenance windows are open, over days, weeks and changes of the clocks. */
#include "master/rollout_request.h"

#include "lib/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct expected {
    const char *now;
    bool open;
    const char *next; /* "" : never */
};

static void expect(const struct rollout_window *windows, size_t count,
                   const struct expected *expected) {
    struct rollout_request r = {.windows = (struct rollout_window *)windows,
                                .windows_count = count};
    struct err e = {0};
    bool open;
    int64_t next_ms;
    char next[CLOCK_RFC3339_SIZE] = "";
    if (!rollout_window_open(&r, clock_parse_rfc3339(expected->now), &open, &next_ms, &e))
        fail_msg("%s", e.text);
    if (next_ms != INT64_MAX) clock_rfc3339(next_ms, next);
    if (open != expected->open || strncmp(next, expected->next, 19) != 0 ||
        (next[0] != '\0') != (expected->next[0] != '\0'))
        fail_msg("%s: %s until %s", expected->now, open ? "open" : "closed", next);
}
#define EXPECT(windows, cases)                                                                     \
    for (size_t i_ = 0; i_ < sizeof(cases) / sizeof(cases)[0]; i_++)                               \
    expect(windows, sizeof(windows) / sizeof(windows)[0], &(cases)[i_])

static void without_windows_it_is_always_open(void **state) {
    (void)state;
    static const struct expected now = {"2026-11-21T12:00:00Z", true, ""};
    expect(NULL, 0, &now);
}

static void window_over_midnight_belongs_to_the_day_it_begins_on(void **state) {
    (void)state;
    static const struct rollout_window windows[] = {
        {"mon-fri", "22:00", "04:00", "UTC"}
    };
    static const struct expected cases[] = {
        {"2026-11-20T21:59:59Z", false, "2026-11-20T22:00:00"}, /* Friday */
        {"2026-11-20T22:00:00Z", true,  "2026-11-21T04:00:00"},
        {"2026-11-21T03:59:59Z", true,  "2026-11-21T04:00:00"},
        {"2026-11-21T04:00:00Z", false, "2026-11-23T22:00:00"}, /* until Monday */
        {"2026-11-22T23:00:00Z", false, "2026-11-23T22:00:00"},
    };
    EXPECT(windows, cases);
}

static void windows_that_touch_are_one(void **state) {
    (void)state;
    static const struct rollout_window windows[] = {
        {"sat",     "20:00", "00:00", ""   },
        {"sun",     "00:00", "06:00", ""   },
        {"sat,sun", "05:00", "07:00", "UTC"}
    };
    static const struct expected cases[] = {
        {"2026-11-21T21:00:00Z", true,  "2026-11-22T07:00:00"},
        {"2026-11-22T07:00:00Z", false, "2026-11-28T05:00:00"},
    };
    EXPECT(windows, cases);
}

static void window_of_all_day_every_day_never_closes(void **state) {
    (void)state;
    static const struct rollout_window windows[] = {
        {"daily", "00:00", "00:00", ""}
    };
    static const struct expected cases[] = {
        {"2026-11-21T21:00:00Z", true, ""}
    };
    EXPECT(windows, cases);
}

static void days_may_go_around_the_week(void **state) {
    (void)state;
    static const struct rollout_window windows[] = {
        {"Fri-Mon", "10:00", "11:00", ""}
    };
    static const struct expected cases[] = {
        {"2026-11-22T10:30:00Z", true,  "2026-11-22T11:00:00"}, /* Sunday */
        {"2026-11-23T11:30:00Z", false, "2026-11-27T10:00:00"},
    };
    EXPECT(windows, cases);
}

static void hours_are_those_of_the_zone_in_summer_and_winter(void **state) {
    (void)state;
    static const struct rollout_window windows[] = {
        {"daily", "22:00", "04:00", "Europe/Berlin"}
    };
    static const struct expected cases[] = {
        {"2026-07-01T20:00:00Z", true,  "2026-07-02T02:00:00"},
        {"2026-12-01T20:30:00Z", false, "2026-12-01T21:00:00"},
        {"2026-03-28T22:00:00Z", true,  "2026-03-29T02:00:00"}, /* an hour shorter */
        {"2026-10-24T22:00:00Z", true,  "2026-10-25T03:00:00"}, /* an hour longer */
        {"2040-07-01T20:00:00Z", true,  "2040-07-02T02:00:00"}, /* beyond the file's changes */
    };
    EXPECT(windows, cases);
}

static void weekday_is_that_of_the_zone(void **state) {
    (void)state;
    static const struct rollout_window windows[] = {
        {"mon", "00:00", "02:00", "Pacific/Auckland"}
    };
    static const struct expected cases[] = {
        {"2026-11-22T11:30:00Z", true,  "2026-11-22T13:00:00"}, /* Sunday in UTC */
        {"2026-11-23T11:30:00Z", false, "2026-11-29T11:00:00"},
    };
    EXPECT(windows, cases);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_windows_it_is_always_open),
        cmocka_unit_test(window_over_midnight_belongs_to_the_day_it_begins_on),
        cmocka_unit_test(windows_that_touch_are_one),
        cmocka_unit_test(window_of_all_day_every_day_never_closes),
        cmocka_unit_test(days_may_go_around_the_week),
        cmocka_unit_test(hours_are_those_of_the_zone_in_summer_and_winter),
        cmocka_unit_test(weekday_is_that_of_the_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
