#include "cli/rollout_body.h"

#include "lib/json.h"
#include "tests/unit/cli/cmocka_headers.h"

#include <string.h>

static struct settings settings;

static int make_plain(void **state) {
    (void)state;
    settings = (struct settings){.artifact_version = "1.1.0", .rollout = {.auto_revert = true}};
    return 0;
}

static void assert_body(const char *expected) {
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct err e = {0};
    assert_true(rollout_body(&settings, &out, &e));
    assert_true(json_check(out.data, out.length, &e));
    assert_string_equal(out.data, expected);
}

static void assert_refused(const char *words) {
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct err e = {0};
    assert_false(rollout_body(&settings, &out, &e));
    assert_int_equal(e.code, ERR_USAGE);
    if (strstr(e.text, words) == NULL) fail_msg("\"%s\" lacks \"%s\"", e.text, words);
}

static void leaves_to_the_master_what_was_not_asked_for(void **state) {
    (void)state;
    assert_body("{\"version\":\"1.1.0\"}");
}

static void says_everything_that_was_asked_for(void **state) {
    (void)state;
    settings = (struct settings){
        .artifact_version = "1.1.0",
        .name = "grid-agent",
        .rollout = {.selector = "rack=b,!old",
                    .canary = "2",
                    .max_parallel = "10%",
                    .max_failures = "03",
                    .min_healthy = "250ms",
                    .probation = "2m",
                    .auto_promote = "1500ms",
                    .healthy_deadline = "0",
                    .progress_deadline = "1h",
                    .topology = "zone",
                    .windows = "mon-fri 22:00-04:00 Europe/Berlin\n12:00-13:00",
                    .supersede = true,
                    .override_quarantine = true,
                    .allow_unavailable = true},
    };
    assert_body(
        "{\"version\":\"1.1.0\",\"name\":\"grid-agent\",\"selector\":\"rack=b,!old\","
        "\"topology\":\"zone\",\"canary\":\"2\",\"max_parallel\":\"10%\",\"max_failures\":3,"
        "\"min_healthy_s\":0.250,\"probation_s\":120,\"healthy_deadline_s\":0,"
        "\"progress_deadline_s\":3600,\"auto_promote_s\":1.500,\"windows\":["
        "{\"days\":\"mon-fri\",\"from\":\"22:00\",\"to\":\"04:00\",\"tz\":\"Europe/Berlin\"},"
        "{\"days\":\"daily\",\"from\":\"12:00\",\"to\":\"13:00\"}],"
        "\"auto_revert\":false,\"allow_unavailable\":true,\"supersede\":true,"
        "\"override_quarantine\":true}");
}

static void waits_for_a_person_when_told_never(void **state) {
    (void)state;
    strcpy(settings.rollout.auto_promote, "never");
    assert_body("{\"version\":\"1.1.0\",\"auto_promote_s\":\"never\"}");
}

static void quotes_what_it_is_given(void **state) {
    (void)state;
    strcpy(settings.rollout.selector, "a=\"b\"");
    assert_body("{\"version\":\"1.1.0\",\"selector\":\"a=\\\"b\\\"\"}");
}

static void wants_a_version(void **state) {
    (void)state;
    settings.artifact_version[0] = '\0';
    assert_refused("--version");
}

static void refuses_amounts_that_are_none(void **state) {
    (void)state;
    static const char *const bad[] = {"x", "-1", "10%%", "%", "1 0", "1.5", "99999999999"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        make_plain(NULL);
        strcpy(settings.rollout.canary, bad[i]);
        assert_refused("--canary");
        make_plain(NULL);
        strcpy(settings.rollout.max_parallel, bad[i]);
        assert_refused("--max-parallel");
        make_plain(NULL);
        strcpy(settings.rollout.max_failures, bad[i]);
        assert_refused("--max-failures");
    }
    make_plain(NULL);
    strcpy(settings.rollout.max_failures, "5%");
    assert_refused("--max-failures");
}

static void refuses_times_that_are_none(void **state) {
    (void)state;
    strcpy(settings.rollout.probation, "soon");
    assert_refused("--probation");
    make_plain(NULL);
    strcpy(settings.rollout.probation, "never");
    assert_refused("--probation");
    make_plain(NULL);
    strcpy(settings.rollout.auto_promote, "later");
    assert_refused("or never");
}

static void refuses_windows_that_are_none(void **state) {
    (void)state;
    static char *const bad[] = {"mon-fri",        "22:00",
                                "mon 22:00",      "mon 22:00-4:00",
                                "mon 2200-04:00", "mon 22:00-04:00 Europe/Berlin x",
                                "22:00-04:00 a b"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        make_plain(NULL);
        settings.rollout.windows = bad[i];
        assert_refused("--window");
        assert_refused(bad[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(leaves_to_the_master_what_was_not_asked_for, make_plain),
        cmocka_unit_test_setup(says_everything_that_was_asked_for, make_plain),
        cmocka_unit_test_setup(waits_for_a_person_when_told_never, make_plain),
        cmocka_unit_test_setup(quotes_what_it_is_given, make_plain),
        cmocka_unit_test_setup(wants_a_version, make_plain),
        cmocka_unit_test_setup(refuses_amounts_that_are_none, make_plain),
        cmocka_unit_test_setup(refuses_times_that_are_none, make_plain),
        cmocka_unit_test_setup(refuses_windows_that_are_none, make_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
