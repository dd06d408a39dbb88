#include "lib/semver.h"

#include "tests/unit/lib/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The lists that semver.org keeps beside its suggested regular expression. */
static const char *const valid[] = {
    "0.0.4",
    "1.2.3",
    "10.20.30",
    "1.1.2-prerelease+meta",
    "1.1.2+meta",
    "1.1.2+meta-valid",
    "1.0.0-alpha",
    "1.0.0-beta",
    "1.0.0-alpha.beta",
    "1.0.0-alpha.beta.1",
    "1.0.0-alpha.1",
    "1.0.0-alpha0.valid",
    "1.0.0-alpha.0valid",
    "1.0.0-alpha-a.b-c-somethinglong+build.1-aef.1-its-okay",
    "1.0.0-rc.1+build.1",
    "2.0.0-rc.1+build.123",
    "1.2.3-beta",
    "10.2.3-DEV-SNAPSHOT",
    "1.2.3-SNAPSHOT-123",
    "1.0.0",
    "2.0.0",
    "1.1.7",
    "2.0.0+build.1848",
    "2.0.1-alpha.1227",
    "1.0.0-alpha+beta",
    "1.2.3----RC-SNAPSHOT.12.9.1--.12+788",
    "1.2.3----R-S.12.9.1--.12+meta",
    "1.2.3----RC-SNAPSHOT.12.9.1--.12",
    "1.0.0+0.build.1-rc.10000aaa-kk-0.1",
    "99999999999999999999999.999999999999999999.99999999999999999",
    "1.0.0-0A.is.legal",
    "1.0.0-0",
    "1.0.0--",
    "1.0.0+-",
    "1.0.0+007",
    "0.0.0",
};
static const char *const invalid[] = {
    "1",
    "1.2",
    "1.2.3-0123",
    "1.2.3-0123.0123",
    "1.1.2+.123",
    "+invalid",
    "-invalid",
    "-invalid+invalid",
    "-invalid.01",
    "alpha",
    "alpha.beta",
    "alpha.beta.1",
    "alpha.1",
    "alpha+beta",
    "alpha_beta",
    "alpha.",
    "alpha..",
    "beta",
    "1.0.0-alpha_beta",
    "-alpha.",
    "1.0.0-alpha..",
    "1.0.0-alpha..1",
    "1.0.0-alpha...1",
    "1.0.0-alpha....1",
    "1.0.0-alpha.....1",
    "1.0.0-alpha......1",
    "1.0.0-alpha.......1",
    "01.1.1",
    "1.01.1",
    "1.1.01",
    "1.2.3.DEV",
    "1.2-SNAPSHOT",
    "1.2.31.2.3----RC-SNAPSHOT.12.09.1--..12+788",
    "1.2-RC-SNAPSHOT",
    "-1.0.3-gamma+b7718",
    "+justmeta",
    "9.8.7+meta+meta",
    "9.8.7-whatever+meta+meta",
    ("99999999999999999999999.999999999999999999.99999999999999999"
     "----RC-SNAPSHOT.12.09.1--------------------------------..12"),
    "",
    ".",
    "..",
    "1..3",
    ".1.2",
    "1.2.",
    "1.2.3.",
    "v1.2.3",
    "V1.2.3",
    "1.2.3-",
    "1.2.3+",
    "1.2.3-+b",
    "1.2.3-a+",
    "1.2.3-a.",
    "1.2.3-.a",
    "1.2.3-00",
    "1.2.3 ",
    " 1.2.3",
    "1.2.3\n",
    "1.2.3-\xc3\xa9",
    "1.2.x",
    "-1.2.3",
    "+1.2.3",
    "1.2.3/4",
    "1.2.3-a/b",
    "a.b.c",
    "1.2.3.4",
    "1.2.3.4-a",
    "1.2.-3",
};

static void versions_of_the_specification_are_valid(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(valid); i++)
        if (!semver_valid(valid[i])) fail_msg("refused: %s", valid[i]);
}

static void everything_else_is_invalid(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(invalid); i++)
        if (semver_valid(invalid[i])) fail_msg("taken: %s", invalid[i]);
}

static void versions_have_a_longest_text(void **state) {
    (void)state;
    char version[SEMVER_SIZE + 1];
    snprintf(version, sizeof version, "1.0.0-%0*d", SEMVER_SIZE - 1 - 6, 0);
    memset(version + 6, 'a', strlen(version) - 6);
    assert_int_equal(strlen(version), SEMVER_SIZE - 1);
    assert_true(semver_valid(version));
    strcat(version, "a");
    assert_false(semver_valid(version));
}

static void prereleases_are_told_from_releases(void **state) {
    (void)state;
    assert_true(semver_is_prerelease("1.0.0-alpha"));
    assert_true(semver_is_prerelease("1.0.0-0+build"));
    assert_false(semver_is_prerelease("1.0.0"));
    assert_false(semver_is_prerelease("1.0.0+build-1"));
}

/* Each is below all that follow; section 11 of the specification, and its edges. */
static const char *const ascending[] = {
    "0.0.0-0",
    "0.0.0",
    "0.0.1",
    "0.1.0",
    "1.0.0-0",
    "1.0.0-1",
    "1.0.0-9",
    "1.0.0-10",
    "1.0.0-99",
    "1.0.0-18446744073709551615",
    "1.0.0-18446744073709551616",
    "1.0.0--",
    "1.0.0-0a",
    "1.0.0-A",
    "1.0.0-Z",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.1.0",
    "1.0.0-alpha.beta",
    "1.0.0-alphabet",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.9.0",
    "1.10.0",
    "1.11.0",
    "2.0.0",
    "2.1.0",
    "2.1.1",
    "9.0.0",
    "10.0.0-a",
    "10.0.0",
    "99999999999999999999.0.0",
    "100000000000000000000.0.0",
};

static int sign(int number) {
    return (number > 0) - (number < 0);
}

static void precedence_is_that_of_the_specification(void **state) {
    (void)state;
    for (size_t a = 0; a < COUNT(ascending); a++) {
        assert_true(semver_valid(ascending[a]));
        for (size_t b = 0; b < COUNT(ascending); b++) {
            int expected = (a > b) - (a < b);
            if (sign(semver_compare(ascending[a], ascending[b])) != expected ||
                sign(semver_order(ascending[a], ascending[b])) != expected)
                fail_msg("%s against %s", ascending[a], ascending[b]);
        }
    }
}

static void build_metadata_counts_for_order_alone(void **state) {
    (void)state;
    assert_int_equal(semver_compare("1.0.0+a", "1.0.0+b"), 0);
    assert_int_equal(semver_compare("1.0.0", "1.0.0+b"), 0);
    assert_int_equal(semver_compare("1.0.0-rc+a", "1.0.0-rc"), 0);
    assert_true(semver_order("1.0.0", "1.0.0+b") < 0);
    assert_true(semver_order("1.0.0+a", "1.0.0+b") < 0);
    assert_true(semver_order("1.0.0+b", "1.0.0+a") > 0);
    assert_int_equal(semver_order("1.0.0+a", "1.0.0+a"), 0);
    assert_true(semver_order("1.0.0+z", "1.0.1") < 0);
    assert_true(semver_compare("1.0.0-rc+z", "1.0.0+a") < 0);
}

/* Few different parts, so that equal ones meet often. */
static void make_version(char out[SEMVER_SIZE]) {
    static const char *const parts[] = {"0", "1", "2", "10", "a", "b", "a0", "-", "A"};
    int used = snprintf(out, SEMVER_SIZE, "%d.%d.%d", (int)random_below(2), (int)random_below(2),
                        (int)random_below(2));
    char mark = '-';
    for (uint64_t count = random_below(4); count > 0; count--, mark = '.')
        used += snprintf(out + used, SEMVER_SIZE - (size_t)used, "%c%s", mark,
                         parts[random_below(COUNT(parts))]);
    if (random_below(3) == 0)
        snprintf(out + used, SEMVER_SIZE - (size_t)used, "+%s", parts[random_below(COUNT(parts))]);
}

static void order_is_total(void **state) {
    (void)state;
    for (int round = 0; round < 20000; round++) {
        char a[SEMVER_SIZE];
        char b[SEMVER_SIZE];
        char c[SEMVER_SIZE];
        make_version(a);
        make_version(b);
        make_version(c);
        assert_true(semver_valid(a) && semver_valid(b) && semver_valid(c));
        assert_int_equal(sign(semver_order(a, b)), -sign(semver_order(b, a)));
        assert_int_equal(sign(semver_compare(a, b)), -sign(semver_compare(b, a)));
        assert_int_equal(semver_order(a, b) == 0, strcmp(a, b) == 0);
        if (semver_order(a, b) <= 0 && semver_order(b, c) <= 0 && semver_order(a, c) > 0)
            fail_msg("%s %s %s", a, b, c);
        if (semver_compare(a, b) == 0 && sign(semver_compare(a, c)) != sign(semver_compare(b, c)))
            fail_msg("%s = %s, but not against %s", a, b, c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_of_the_specification_are_valid),
        cmocka_unit_test(everything_else_is_invalid),
        cmocka_unit_test(versions_have_a_longest_text),
        cmocka_unit_test(prereleases_are_told_from_releases),
        cmocka_unit_test(precedence_is_that_of_the_specification),
        cmocka_unit_test(build_metadata_counts_for_order_alone),
        cmocka_unit_test(order_is_total),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
