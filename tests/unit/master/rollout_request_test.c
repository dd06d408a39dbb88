/* The body of POST /api/rollouts: what is taken, completed and refused. */
#include "master/rollout_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void decode(const char *json, struct rollout_request *out) {
    struct err e = {0};
    if (!rollout_request_decode(json, strlen(json), out, &e)) fail_msg("%s: %s", json, e.text);
}

static void only_the_version_is_needed(void **state) {
    (void)state;
    struct rollout_request r;
    decode("{\"version\":\"1.1.0\"}", &r);
    assert_string_equal(r.name, "storage-server");
    assert_string_equal(r.selector, "");
    assert_string_equal(r.canary, "1");
    assert_string_equal(r.max_parallel, "5%");
    assert_int_equal(r.policy.canary.value, 1);
    assert_true(r.policy.max_parallel.percent);
    assert_int_equal(r.policy.max_failures, -1);
    assert_int_equal(r.policy.min_healthy_ms, 30000);
    assert_int_equal(r.policy.probation_ms, 120000);
    assert_int_equal(r.policy.auto_promote_ms, 0);
    assert_int_equal(r.policy.healthy_deadline_ms, 300000);
    assert_int_equal(r.policy.progress_deadline_ms, 600000);
    assert_true(r.policy.auto_revert);
    assert_false(r.policy.allow_unavailable || r.supersede || r.override_quarantine);
    assert_int_equal(r.windows_count, 0);
    rollout_request_clear(&r);
}

/* The database came from a machine that had more zones: its rollouts are read all the same. */
static void zone_that_is_gone_keeps_the_windows_closed(void **state) {
    (void)state;
    static const char json[] =
        "{\"version\":\"1.1.0\",\"windows\":[{\"days\":\"daily\",\"from\":\"00:00\","
        "\"to\":\"00:00\",\"tz\":\"No/Where\"}]}";
    struct rollout_request r;
    struct err e = {0};
    bool open = true;
    int64_t next_ms = 0;
    assert_false(rollout_request_decode(json, sizeof json - 1, &r, &e));
    assert_int_equal(e.code, ERR_INVALID);
    assert_true(rollout_request_decode_stored(json, sizeof json - 1, &r, &e));
    assert_int_equal(r.windows_count, 1);
    assert_false(rollout_window_open(&r, 0, &open, &next_ms, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    rollout_request_clear(&r);
}

static void amounts_are_numbers_or_texts(void **state) {
    (void)state;
    static const struct {
        const char *json;
        int32_t value;
        bool percent;
        const char *words;
    } cases[] = {
        {"2",        2,   false, "2"   },
        {"\"2\"",    2,   false, "2"   },
        {"\"10%\"",  10,  true,  "10%" },
        {"\"100%\"", 100, true,  "100%"},
        {"\"007\"",  7,   false, "7"   },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        OWN_TEXT struct text json = TEXT_EMPTY;
        text_add_format(&json, "{\"version\":\"1.1.0\",\"max_parallel\":%s}", cases[i].json);
        struct rollout_request r;
        decode(json.data, &r);
        assert_int_equal(r.policy.max_parallel.value, cases[i].value);
        assert_int_equal(r.policy.max_parallel.percent, cases[i].percent);
        assert_string_equal(r.max_parallel, cases[i].words);
        rollout_request_clear(&r);
    }
}

static void durations_have_fractions_and_never_is_a_promotion(void **state) {
    (void)state;
    struct rollout_request r;
    decode("{\"version\":\"1.1.0\",\"probation_s\":0.25,\"healthy_deadline_s\":0.05,"
           "\"auto_promote_s\":\"never\",\"progress_deadline_s\":1.5e2}",
           &r);
    assert_int_equal(r.policy.probation_ms, 250);
    assert_int_equal(r.policy.min_healthy_ms, 250); /* never longer than the probation */
    assert_int_equal(r.policy.healthy_deadline_ms, 50);
    assert_int_equal(r.policy.auto_promote_ms, ROLLOUT_NEVER);
    assert_int_equal(r.policy.progress_deadline_ms, 150000);
    rollout_request_clear(&r);
}

static void null_means_absent(void **state) {
    (void)state;
    struct rollout_request r;
    decode("{\"version\":\"1.1.0\",\"canary\":null,\"max_failures\":null,\"auto_revert\":null}",
           &r);
    assert_int_equal(r.policy.canary.value, 1);
    assert_int_equal(r.policy.max_failures, -1);
    assert_true(r.policy.auto_revert);
    rollout_request_clear(&r);
}

static void what_is_written_reads_back_the_same(void **state) {
    (void)state;
    static const char *const bodies[] = {
        "{\"version\":\"1.1.0\"}",
        "{\"version\":\"1.1.0\",\"name\":\"grid-agent\",\"selector\":\"disk=ssd\",\"canary\":\"20%"
        "\","
        "\"max_parallel\":3,\"max_failures\":0,\"min_healthy_s\":0.5,\"probation_s\":1.25,"
        "\"auto_promote_s\":\"never\",\"healthy_deadline_s\":7,\"progress_deadline_s\":86400,"
        "\"auto_revert\":false,\"allow_unavailable\":true,\"supersede\":true,"
        "\"override_quarantine\":true,\"topology\":\"rack\",\"windows\":[{\"days\":\"mon-fri\","
        "\"from\":\"22:00\",\"to\":\"04:00\",\"tz\":\"UTC\"}]}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        OWN_TEXT struct text once = TEXT_EMPTY, twice = TEXT_EMPTY;
        struct rollout_request first, second;
        decode(bodies[i], &first);
        rollout_request_encode(&first, &once);
        decode(once.data, &second);
        rollout_request_encode(&second, &twice);
        assert_string_equal(once.data, twice.data);
        assert_memory_equal(&first.policy, &second.policy, sizeof first.policy);
        rollout_request_clear(&first);
        rollout_request_clear(&second);
    }
}

static void what_is_wrong_is_named_with_the_next_step(void **state) {
    (void)state;
    static const struct {
        const char *rest, *says, *hints;
    } cases[] = {
        {"\"canary\":-1",                                                                            "canary: -1",                "10%"                    },
        {"\"canary\":1.5",                                                                           "canary: 1.5",               "10%"                    },
        {"\"canary\":\"101%\"",                                                                      "canary: \"101%\"",          "10%"                    },
        {"\"canary\":[1]",                                                                           "canary: [1]",               "10%"                    },
        {"\"max_parallel\":0",                                                                       "max_parallel: 0",           "10%"                    },
        {"\"max_parallel\":\"0%\"",                                                                  "max_parallel: \"0%\"",      "10%"                    },
        {"\"max_parallel\":\"5 %\"",                                                                 "max_parallel: \"5 %\"",     "10%"                    },
        {"\"max_parallel\":99999999",                                                                "max_parallel: 99999999",    "10%"                    },
        {"\"max_failures\":-1",                                                                      "max_failures: -1",          "leave it out"           },
        {"\"max_failures\":\"5%\"",                                                                  "max_failures: \"5%\"",      "leave it out"           },
        {"\"probation_s\":0.01",                                                                     "probation_s: 0.01",         "0.5"                    },
        {"\"probation_s\":\"90s\"",                                                                  "probation_s: \"90s\"",      "0.5"                    },
        {"\"probation_s\":1e300",                                                                    "probation_s: ",             "0.5"                    },
        {"\"probation_s\":\"never\"",                                                                "probation_s: \"never\"",    "0.5"                    },
        {"\"auto_promote_s\":\"soon\"",                                                              "nor \"never\"",             "0.5"                    },
        {"\"min_healthy_s\":200",                                                                    "longer than the probation", "probation_s"            },
        {"\"auto_revert\":1",                                                                        "auto_revert: neither",      ""                       },
        {"\"topology\":\"a b\"",                                                                     "topology: ",                "rack"                   },
        {"\"selector\":\"=x\"",                                                                      "selector: ",                ""                       },
        {"\"name\":\"No Name\"",                                                                     "name: ",                    ""                       },
        {"\"canaries\":2",                                                                           "unknown key \"canaries\"",  "did you mean \"canary\""},
        {"\"colour\":2",                                                                             "allowed are version, name", "rollouts.md"            },
        {"\"windows\":[{\"days\":\"fun\",\"from\":\"22:00\",\"to\":\"04:00\"}]",
         "windows[0]: days: \"fun\"",                                                                                             "mon-fri"                },
        {"\"windows\":[{\"days\":\"mon\",\"from\":\"24:00\",\"to\":\"04:00\"}]",
         "windows[0]: from: \"24:00\"",                                                                                           "22:00"                  },
        {"\"windows\":[{\"days\":\"mon\",\"from\":\"2:00\",\"to\":\"04:00\"}]",
         "windows[0]: from: \"2:00\"",                                                                                            "22:00"                  },
        {"\"windows\":[{\"days\":\"mon\",\"from\":\"22:00\",\"to\":\"\"}]",                          "windows[0]: to: \"\"",
         "22:00"                                                                                                                                           },
        {"\"windows\":[{\"days\":\"mon\",\"from\":\"22:00\",\"to\":\"04:00\",\"tz\":\"No/Where\"}]",
         "\"No/Where\" is not known",                                                                                             "tzdata"                 },
        {"\"windows\":[{\"days\":\"mon\",\"from\":\"22:00\",\"to\":\"04:00\",\"tz\":\"../../x\"}]",
         "is not the name of a time zone",                                                                                        "Europe/Berlin"          },
        {"\"windows\":[{\"days\":\"mon\",\"from\":\"22:00\",\"to\":\"04:00\",\"zone\":\"UTC\"}]",
         "windows[0]: unknown key \"zone\"",                                                                                      ""                       },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        OWN_TEXT struct text json = TEXT_EMPTY;
        text_add_format(&json, "{\"version\":\"1.1.0\",%s}", cases[i].rest);
        struct rollout_request r;
        struct err e = {0};
        assert_false(rollout_request_decode(json.data, json.length, &r, &e));
        assert_int_equal(e.code, ERR_INVALID);
        if (strstr(e.text, cases[i].says) == NULL) fail_msg("%s: %s", json.data, e.text);
        if (strstr(e.hint, cases[i].hints) == NULL) fail_msg("%s: %s", json.data, e.hint);
    }
}

static void version_is_one_that_can_be_published(void **state) {
    (void)state;
    static const char *const versions[] = {"\"v1.1.0\"", "\"latest\"", "\"1.1\"", "\"\"", "null"};
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        OWN_TEXT struct text json = TEXT_EMPTY;
        text_add_format(&json, "{\"version\":%s}", versions[i]);
        struct rollout_request r;
        struct err e = {0};
        assert_false(rollout_request_decode(json.data, json.length, &r, &e));
        assert_int_equal(e.code, ERR_INVALID);
        assert_non_null(strstr(e.text, "version"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_version_is_needed),
        cmocka_unit_test(zone_that_is_gone_keeps_the_windows_closed),
        cmocka_unit_test(amounts_are_numbers_or_texts),
        cmocka_unit_test(durations_have_fractions_and_never_is_a_promotion),
        cmocka_unit_test(null_means_absent),
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(what_is_wrong_is_named_with_the_next_step),
        cmocka_unit_test(version_is_one_that_can_be_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
