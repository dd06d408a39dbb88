/* Time zones against the C library's, and files that are none. */
#include "lib/timezone.h"

#include "lib/file.h"
#include "lib/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/timezone_rule.h"

#define YEAR_S INT64_C(31556952)

static struct timezone_rules *load(const char *name) {
    struct timezone_rules *zone;
    struct err e = {0};
    if (!timezone_load(&zone, name, &e)) fail_msg("%s", e.text);
    return zone;
}

static int64_t offset_of_libc(int64_t utc_s) {
    struct tm local;
    time_t at = utc_s;
    localtime_r(&at, &local);
    return local.tm_gmtoff;
}

/* Every 5 days and 3 hours of 180 years, and around each change that this finds. */
static void offsets_are_those_of_the_c_library(void **state) {
    (void)state;
    static const char *const names[] = {"Europe/Berlin", "America/New_York",  "Australia/Lord_Howe",
                                        "Asia/Kolkata",  "America/Sao_Paulo", "Africa/Casablanca",
                                        "Pacific/Apia",  "Europe/Dublin",     "America/Godthab",
                                        "Asia/Gaza",     "Etc/GMT+12",        "Asia/Tehran"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        OWN(timezone) struct timezone_rules *zone = load(names[i]);
        setenv("TZ", names[i], 1);
        tzset();
        int64_t before_s = -70 * YEAR_S;
        for (int64_t at = before_s; at < 110 * YEAR_S; at += 442800) {
            if (timezone_offset_at(zone, at) != offset_of_libc(at))
                fail_msg("%s at %lld: %lld, not %lld", names[i], (long long)at,
                         (long long)timezone_offset_at(zone, at), (long long)offset_of_libc(at));
            int64_t low = before_s, high = at; /* the second of the change between */
            while (offset_of_libc(low) != offset_of_libc(at) && high - low > 1) {
                int64_t middle = low + (high - low) / 2;
                if (offset_of_libc(middle) == offset_of_libc(low))
                    low = middle;
                else
                    high = middle;
            }
            assert_int_equal(timezone_offset_at(zone, low), offset_of_libc(low));
            assert_int_equal(timezone_offset_at(zone, high), offset_of_libc(high));
            before_s = at;
        }
    }
    unsetenv("TZ");
    tzset();
}

static void utc_needs_no_file(void **state) {
    (void)state;
    OWN(timezone) struct timezone_rules *none = load(""), *utc = load("UTC");
    assert_int_equal(timezone_offset_at(none, 1800000000), 0);
    assert_int_equal(timezone_utc_of(utc, 1800000000), 1800000000);
}

/* 2026-03-29 02:30 is left out in Berlin, 2026-10-25 02:30 comes twice. */
static void local_times_left_out_and_twice_have_one_meaning(void **state) {
    (void)state;
    OWN(timezone) struct timezone_rules *zone = load("Europe/Berlin");
    static const struct {
        int64_t local_s, utc_s;
    } cases[] = {
        {1774747800, 1774744200}, /* 01:30 winter time */
        {1774751400, 1774747800}, /* 02:30: the clocks show 03:30 */
        {1774755000, 1774747800}, /* 03:30 summer time */
        {1792895400, 1792888200}, /* 02:30: the first of the two */
        {1792899000, 1792895400}, /* 03:30 winter time */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(timezone_utc_of(zone, cases[i].local_s), cases[i].utc_s);
}

static void what_cannot_be_a_zone_is_refused(void **state) {
    (void)state;
    static const char *const names[] = {"../../etc/passwd",
                                        "/etc/passwd",
                                        "Europe/",
                                        "Europe//Berlin",
                                        "Europe/../UTC",
                                        ".hidden",
                                        "a b",
                                        "Europe/Berlin\n",
                                        "+1",
                                        "Europe/.tmp"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct timezone_rules *zone;
        struct err e = {0};
        assert_false(timezone_load(&zone, names[i], &e));
        assert_int_equal(e.code, ERR_INVALID);
        assert_non_null(strstr(e.hint, "Europe/Berlin"));
    }
}

static void zones_that_are_not_there_say_what_to_install(void **state) {
    (void)state;
    static const char *const names[] = {"Europe/Atlantis", "Europe"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct timezone_rules *zone;
        struct err e = {0};
        assert_false(timezone_load(&zone, names[i], &e));
        assert_int_equal(e.code, ERR_NOT_FOUND);
        assert_non_null(strstr(e.hint, "tzdata"));
    }
    struct timezone_rules *zone;
    struct err e = {0};
    assert_false(timezone_load(&zone, "tzdata.zi", &e));
}

/* Every cut and every flipped byte of a real file is taken or refused, never read beyond. */
static void damaged_files_are_refused_or_harmless(void **state) {
    (void)state;
    OWN_TEXT struct text bytes = TEXT_EMPTY;
    struct err e = {0};
    assert_true(file_read(TIMEZONE_DIRECTORY "/Europe/Berlin", 1 << 20, &bytes, &e));
    for (size_t length = 0; length < bytes.length; length++) {
        struct timezone_rules *zone;
        OWN_MEMORY char *cut = memory_zeroed(1, length + 1);
        memcpy(cut, bytes.data, length);
        assert_false(timezone_decode(&zone, cut, length, &e));
        assert_int_equal(e.code, ERR_CORRUPT);
    }
    for (size_t i = 0; i < bytes.length; i++) {
        OWN(timezone) struct timezone_rules *zone = NULL;
        bytes.data[i] = (char)~bytes.data[i];
        if (timezone_decode(&zone, bytes.data, bytes.length, &e))
            (void)timezone_offset_at(zone, 1800000000);
        bytes.data[i] = (char)~bytes.data[i];
    }
}

static void rules_are_those_of_posix_with_the_extensions(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t utc_s, offset_s;
    } good[] = {
        {"UTC0",                            4102444800, 0    },
        {"<+0330>-3:30",                    4102444800, 12600},
        {"CET-1CEST,M3.5.0,M10.5.0/3",      4118000000, 7200 }, /* 2100-06-30 */
        {"CET-1CEST,M3.5.0,M10.5.0/3",      4102444800, 3600 },
        {"AEST-10AEDT,M10.1.0,M4.1.0/3",    4102444800, 39600}, /* the south: summer in January */
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 4118000000, -3600},
        {"XXX3YYY1,J60/0,300/0",            4118000000, -3600},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct timezone_rule rule;
        assert_true(timezone_rule_parse(good[i].text, &rule));
        assert_int_equal(timezone_rule_offset(&rule, good[i].utc_s), good[i].offset_s);
    }
    static const char *const bad[] = {"",
                                      "CET",
                                      "CE-1",
                                      "CET-1CEST",
                                      "CET-1CEST,",
                                      "CET-1CEST,M3.5.0",
                                      "CET-168",
                                      "CET-1CEST,M13.5.0,M10.5.0",
                                      "CET-1CEST,M3.6.0,M10.5.0",
                                      "CET-1CEST,M3.5.7,M10.5.0",
                                      "CET-1x",
                                      "<CET-1",
                                      "CET-1CEST,J0,J9",
                                      "CET-1CEST,M3.5.0,M10.5.0/3x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct timezone_rule rule;
        if (timezone_rule_parse(bad[i], &rule)) fail_msg("taken: %s", bad[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_are_those_of_the_c_library),
        cmocka_unit_test(utc_needs_no_file),
        cmocka_unit_test(local_times_left_out_and_twice_have_one_meaning),
        cmocka_unit_test(what_cannot_be_a_zone_is_refused),
        cmocka_unit_test(zones_that_are_not_there_say_what_to_install),
        cmocka_unit_test(damaged_files_are_refused_or_harmless),
        cmocka_unit_test(rules_are_those_of_posix_with_the_extensions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
