#include "lib/platform.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/utsname.h>

#include <cmocka.h>

static void assert_platform(const char *alias, const char *canonical) {
    const char *found = platform_canonical(alias);
    if (found == NULL || strcmp(found, canonical) != 0) fail_msg("platform %s", alias);
}

static void assert_arch(const char *alias, const char *canonical) {
    const char *found = platform_arch_canonical(alias);
    if (found == NULL || strcmp(found, canonical) != 0) fail_msg("architecture %s", alias);
}

static void canonical_names_are_their_own(void **state) {
    (void)state;
    static const char *const platforms[] = {"linux", "darwin", "windows", "any"};
    static const char *const arches[] = {"x86_64", "aarch64", "arm", "x86", "any"};
    for (size_t i = 0; i < 4; i++) {
        assert_platform(platforms[i], platforms[i]);
        assert_true(strlen(platforms[i]) < PLATFORM_SIZE);
        assert_non_null(strstr(platform_names(), platforms[i]));
    }
    for (size_t i = 0; i < 5; i++) {
        assert_arch(arches[i], arches[i]);
        assert_true(strlen(arches[i]) < PLATFORM_SIZE);
        assert_non_null(strstr(platform_arch_names(), arches[i]));
    }
}

static void aliases_lead_to_canonical_names_in_any_case(void **state) {
    (void)state;
    assert_platform("macos", "darwin");
    assert_platform("macOS", "darwin");
    assert_platform("OSX", "darwin");
    assert_platform("Linux", "linux");
    assert_platform("win", "windows");
    assert_platform("Win32", "windows");
    assert_arch("amd64", "x86_64");
    assert_arch("AMD64", "x86_64");
    assert_arch("x64", "x86_64");
    assert_arch("arm64", "aarch64");
    assert_arch("armv7l", "arm");
    assert_arch("armhf", "arm");
    assert_arch("i386", "x86");
    assert_arch("i686", "x86");
}

static void unknown_names_are_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"",        "plan9",   "linu",    "linux ",
                                        " linux",  "linuxx",  "x86_64x", "x86_6",
                                        "riscv64", "unknown", "*"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_null(platform_canonical(wrong[i]));
        assert_null(platform_arch_canonical(wrong[i]));
    }
    assert_null(platform_canonical("x86_64"));
    assert_null(platform_arch_canonical("linux"));
}

static void this_machine_is_what_the_kernel_says(void **state) {
    (void)state;
    struct utsname self;
    assert_int_equal(uname(&self), 0);
    assert_string_equal(platform_here(), "linux");
    const char *expected = platform_arch_canonical(self.machine);
    assert_string_equal(platform_arch_here(), expected != NULL ? expected : "unknown");
}

static void artifacts_fit_their_own_machine_or_any(void **state) {
    (void)state;
    assert_true(platform_fits("linux", "x86_64", "linux", "x86_64"));
    assert_true(platform_fits("any", "x86_64", "linux", "x86_64"));
    assert_true(platform_fits("linux", "any", "linux", "x86_64"));
    assert_true(platform_fits("any", "any", "linux", "unknown"));
    assert_false(platform_fits("linux", "aarch64", "linux", "x86_64"));
    assert_false(platform_fits("darwin", "x86_64", "linux", "x86_64"));
    assert_false(platform_fits("darwin", "any", "linux", "x86_64"));
    assert_false(platform_fits("linux", "x86", "linux", "x86_64"));
    assert_false(platform_fits("linux", "x86_64", "any", "any"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_names_are_their_own),
        cmocka_unit_test(aliases_lead_to_canonical_names_in_any_case),
        cmocka_unit_test(unknown_names_are_refused),
        cmocka_unit_test(this_machine_is_what_the_kernel_says),
        cmocka_unit_test(artifacts_fit_their_own_machine_or_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
