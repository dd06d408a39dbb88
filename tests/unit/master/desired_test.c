/* Which version an agent should run, and the words that explain it. */
#include "master/desired.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct channel channels[] = {
    {.name = "stable", .artifact = "storage-server", .version = "1.0.0",      .updated_at_ms = 1000},
    {.name = "beta",   .artifact = "storage-server", .version = "2.0.0-rc.1", .updated_at_ms = 1000},
    {.name = "stable", .artifact = "grid-agent",     .version = "9.9.9",      .updated_at_ms = 1000},
};
static const struct binary binaries[] = {
    {.id = {"storage-server", "1.0.0", "linux", "x86_64"},      .sha256 = "aa"},
    {.id = {"storage-server", "1.0.0", "linux", "aarch64"},     .sha256 = "bb"},
    {.id = {"storage-server", "1.0.0", "any", "any"},           .sha256 = "cc"},
    {.id = {"storage-server", "2.0.0-rc.1", "linux", "x86_64"}, .sha256 = "dd"},
    {.id = {"storage-server", "3.0.0", "linux", "x86_64"},      .sha256 = "ee"},
};
static const struct desired_rollout no_rollout;

static struct desired_inputs inputs(const char *channel, const char *arch) {
    return (struct desired_inputs){.artifact = "storage-server",
                                   .pin = "",
                                   .rollout = &no_rollout,
                                   .channel = channel,
                                   .platform = "linux",
                                   .arch = arch,
                                   .channels = channels,
                                   .channel_count = 3,
                                   .binaries = binaries,
                                   .binary_count = 5};
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

static void what_targets_leave_out_is_not_desired_and_said_so(void **state) {
    (void)state;
    struct binary left_out[] = {binaries[0]};
    left_out[0].left_out = true;
    struct desired_inputs in = inputs("stable", "x86_64");
    in.binaries = left_out;
    in.binary_count = 1;
    struct desired_choice choice;
    desired_choose(&in, &choice);
    assert_null(choice.binary);
    assert_non_null(strstr(choice.reason, "targets leave out"));
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

/* r-7 from 1.0.0 to 3.0.0. */
static struct desired_rollout rollout(enum rollout_told told, int64_t finished_at_ms) {
    return (struct desired_rollout){.number = 7,
                                    .told = told,
                                    .version = "3.0.0",
                                    .to_sha256 = "ee",
                                    .from_version = "1.0.0",
                                    .from_sha256 = "aa",
                                    .finished_at_ms = finished_at_ms};
}

static struct desired_choice choose(const char *pin, const struct desired_rollout *r) {
    struct desired_inputs in = inputs("beta", "x86_64");
    struct desired_choice choice;
    in.pin = pin;
    in.rollout = r;
    desired_choose(&in, &choice);
    return choice;
}

static void stronger_rule_wins_and_names_what_lost(void **state) {
    (void)state;
    static const struct {
        const char *pin;
        enum rollout_told told;
        int number;
        int64_t finished_at_ms;
        enum desired_rule rule;
        const char *sha256;
        unsigned lost;
        enum desired_rule first_lost;
    } cases[] = {
        {"1.0.0", TOLD_TARGET, 7, 0,    DESIRED_PIN,       "aa", 2, DESIRED_ROLLOUT  },
        {"1.0.0", TOLD_OTHERS, 0, 0,    DESIRED_PIN,       "aa", 1, DESIRED_CHANNEL  },
        {"",      TOLD_TARGET, 7, 0,    DESIRED_ROLLOUT,   "ee", 1, DESIRED_CHANNEL  },
        {"",      TOLD_ORIGIN, 7, 0,    DESIRED_ROLLOUT,   "aa", 1, DESIRED_CHANNEL  },
        {"",      TOLD_OTHERS, 7, 1001, DESIRED_COMPLETED, "ee", 1, DESIRED_CHANNEL  },
        {"",      TOLD_OTHERS, 7, 1000, DESIRED_COMPLETED, "ee", 1, DESIRED_CHANNEL  },
        {"",      TOLD_OTHERS, 7, 999,  DESIRED_CHANNEL,   "dd", 1, DESIRED_COMPLETED},
        {"",      TOLD_ORIGIN, 7, 1001, DESIRED_ROLLOUT,   "aa", 1, DESIRED_CHANNEL  },
        {"",      TOLD_ORIGIN, 7, 999,  DESIRED_CHANNEL,   "dd", 1, DESIRED_ROLLOUT  },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct desired_rollout r = rollout(cases[i].told, cases[i].finished_at_ms);
        if (cases[i].number == 0) r = no_rollout;
        struct desired_choice choice = choose(cases[i].pin, &r);
        assert_int_equal(choice.rule, cases[i].rule);
        assert_string_equal(choice.sha256, cases[i].sha256);
        assert_int_equal(choice.lost_count, cases[i].lost);
        assert_int_equal(choice.lost[0].rule, cases[i].first_lost);
        assert_true(choice.lost[0].reason[0] != '\0' && choice.lost[0].version[0] != '\0');
    }
}

static void frozen_member_ignores_a_channel_that_moves(void **state) {
    (void)state;
    struct desired_rollout r = rollout(TOLD_ORIGIN, 0);
    struct channel moved = {.name = "beta",
                            .artifact = "storage-server",
                            .version = "2.0.0-rc.1",
                            .updated_at_ms = INT64_MAX};
    struct desired_inputs in = inputs("beta", "x86_64");
    struct desired_choice choice;
    in.rollout = &r;
    in.channels = &moved;
    in.channel_count = 1;
    desired_choose(&in, &choice);
    assert_string_equal(choice.sha256, "aa");
    assert_non_null(strstr(choice.reason, "r-7"));
}

static void yanked_bytes_are_still_the_way_back(void **state) {
    (void)state;
    struct binary yanked[] = {binaries[0]};
    struct desired_rollout r = rollout(TOLD_ORIGIN, 0);
    struct desired_inputs in = inputs("beta", "x86_64");
    struct desired_choice choice;
    yanked[0].yanked = true;
    in.rollout = &r;
    in.binaries = yanked;
    in.binary_count = 1;
    desired_choose(&in, &choice);
    assert_ptr_equal(choice.binary, &yanked[0]);
}

static void unknown_bytes_of_before_are_named_all_the_same(void **state) {
    (void)state;
    struct desired_rollout r = rollout(TOLD_ORIGIN, 0);
    snprintf(r.from_sha256, sizeof r.from_sha256, "ff");
    struct desired_choice choice = choose("", &r);
    assert_null(choice.binary);
    assert_string_equal(choice.version, "1.0.0");
    assert_string_equal(choice.sha256, "ff");
}

static void quarantine_stops_channels_but_no_pin(void **state) {
    (void)state;
    static const struct quarantined list[] = {
        {.sha256 = "aa", .artifact = "storage-server", .version = "1.0.0"}
    };
    struct desired_inputs in = inputs("stable", "x86_64");
    struct desired_choice choice;
    in.quarantined = list;
    in.quarantined_count = 1;
    desired_choose(&in, &choice);
    assert_null(choice.binary);
    assert_string_equal(choice.sha256, "");
    assert_non_null(strstr(choice.reason, "quarantined"));
    in.pin = "1.0.0";
    desired_choose(&in, &choice);
    assert_string_equal(choice.sha256, "aa");
}

static void without_a_channel_the_program_stays_as_it_is(void **state) {
    (void)state;
    struct desired_inputs in = inputs("", "x86_64");
    struct desired_choice choice;
    in.artifact = "grid-agent";
    desired_choose(&in, &choice);
    assert_int_equal(choice.rule, DESIRED_NONE);
    assert_non_null(strstr(choice.reason, "stays as it is"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channel_points_to_the_build_for_the_machine),
        cmocka_unit_test(missing_build_names_the_file_to_publish),
        cmocka_unit_test(yanked_version_is_not_desired_and_said_to_be_yanked),
        cmocka_unit_test(what_targets_leave_out_is_not_desired_and_said_so),
        cmocka_unit_test(unset_channel_says_how_to_set_it),
        cmocka_unit_test(empty_grid_says_how_to_publish),
        cmocka_unit_test(stronger_rule_wins_and_names_what_lost),
        cmocka_unit_test(frozen_member_ignores_a_channel_that_moves),
        cmocka_unit_test(yanked_bytes_are_still_the_way_back),
        cmocka_unit_test(unknown_bytes_of_before_are_named_all_the_same),
        cmocka_unit_test(quarantine_stops_channels_but_no_pin),
        cmocka_unit_test(without_a_channel_the_program_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
