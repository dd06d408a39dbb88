/* Which version an agent should run, and the words that explain it. */
#include "master/desired.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct channel channels[] = {
    {.name = "stable", .artifact = "storage-server", .version = "1.0.0"     },
    {.name = "beta",   .artifact = "storage-server", .version = "2.0.0-rc.1"},
    {.name = "stable", .artifact = "grid-agent",     .version = "9.9.9"     },
};
static const struct binary binaries[] = {
    {.id = {"storage-server", "1.0.0", "linux", "x86_64"},      .sha256 = "aa"},
    {.id = {"storage-server", "1.0.0", "linux", "aarch64"},     .sha256 = "bb"},
    {.id = {"storage-server", "1.0.0", "any", "any"},           .sha256 = "cc"},
    {.id = {"storage-server", "2.0.0-rc.1", "linux", "x86_64"}, .sha256 = "dd"},
};

static struct desired_inputs inputs(const char *channel, const char *arch) {
    return (struct desired_inputs){.artifact = "storage-server",
                                   .channel = channel,
                                   .platform = "linux",
                                   .arch = arch,
                                   .channels = channels,
                                   .channel_count = 3,
                                   .binaries = binaries,
                                   .binary_count = 4};
}

static void channel_points_to_the_build_for_the_machine(void **state) {
    (void)state;
    static const struct {
        const char *channel, *arch, *sha256;
    } cases[] = {
        {"stable", "x86_64",  "aa"},
        {"stable", "aarch64", "bb"},
        {"stable", "arm",     "cc"},
        {"beta",   "x86_64",  "dd"}
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct desired_inputs in = inputs(cases[i].channel, cases[i].arch);
        struct desired_choice choice;
        desired_choose(&in, &choice);
        assert_int_equal(choice.rule, DESIRED_CHANNEL);
        assert_non_null(choice.binary);
        assert_string_equal(choice.binary->sha256, cases[i].sha256);
    }
}

static void missing_build_names_the_file_to_publish(void **state) {
    (void)state;
    struct desired_inputs in = inputs("beta", "aarch64");
    struct desired_choice choice;
    desired_choose(&in, &choice);
    assert_null(choice.binary);
    assert_non_null(strstr(choice.reason, "publish storage-server-2.0.0-rc.1-linux-aarch64"));
}

static void yanked_version_is_not_desired_and_said_to_be_yanked(void **state) {
    (void)state;
    struct binary yanked[] = {binaries[0]};
    yanked[0].yanked = true;
    struct desired_inputs in = inputs("stable", "x86_64");
    in.binaries = yanked;
    in.binary_count = 1;
    struct desired_choice choice;
    desired_choose(&in, &choice);
    assert_null(choice.binary);
    assert_non_null(strstr(choice.reason, "was yanked"));
}

static void unset_channel_says_how_to_set_it(void **state) {
    (void)state;
    struct desired_inputs in = inputs("night", "x86_64");
    struct desired_choice choice;
    desired_choose(&in, &choice);
    assert_int_equal(choice.rule, DESIRED_NONE);
    assert_null(choice.binary);
    assert_non_null(strstr(choice.reason, "gridctl channel set night VERSION"));
}

static void empty_grid_says_how_to_publish(void **state) {
    (void)state;
    struct desired_inputs in = inputs("stable", "x86_64");
    in.channel_count = in.binary_count = 0;
    struct desired_choice choice;
    desired_choose(&in, &choice);
    assert_null(choice.binary);
    assert_non_null(strstr(choice.reason, "gridctl binary push FILE"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channel_points_to_the_build_for_the_machine),
        cmocka_unit_test(missing_build_names_the_file_to_publish),
        cmocka_unit_test(yanked_version_is_not_desired_and_said_to_be_yanked),
        cmocka_unit_test(unset_channel_says_how_to_set_it),
        cmocka_unit_test(empty_grid_says_how_to_publish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
