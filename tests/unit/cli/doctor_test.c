#include "cli/doctor.h"

#include "lib/clock.h"
#include "tests/unit/cli/cmocka_headers.h"

#include <string.h>

static const struct finding *finding_of(const struct doctor *d, const char *check,
                                        const char *state) {
    for (size_t i = 0; i < d->count; i++)
        if (strcmp(d->findings[i].check, check) == 0 && strcmp(d->findings[i].state, state) == 0)
            return &d->findings[i];
    return NULL;
}

static int64_t now_ms(void) {
    return clock_parse_rfc3339("2026-01-31T12:00:00Z");
}

static struct answer_channel channel = {.name = "stable", .version = "1.0.0"};

static struct answer_summary healthy(void) {
    return (struct answer_summary){
        .version = "0.1.0",
        .started_at = "2026-01-31T11:00:00Z",
        .uptime_s = 3600,
        .agents = {.up = 3},
        .nodes = {.healthy = 3},
        .binaries = 1,
        .channels = &channel,
        .channels_count = 1,
        .capacity_bytes = 1000,
        .free_bytes = 900,
    };
}

static void a_healthy_grid_has_only_good_findings(void **state) {
    (void)state;
    struct doctor d = {0};
    struct answer_summary s = healthy();
    doctor_examine(&d, &s, "0.1.0", now_ms());
    assert_true(d.count > 4);
    for (size_t i = 0; i < d.count; i++) assert_string_equal(d.findings[i].state, "ok");
    assert_string_equal(finding_of(&d, "channel", "ok")->found, "stable 1.0.0");
    assert_false(doctor_failed(&d));
}

static void an_empty_grid_is_no_failure_but_says_what_to_do(void **state) {
    (void)state;
    struct doctor d = {0};
    struct answer_summary s = {.version = "0.1.0", .started_at = "2026-01-31T12:00:00Z"};
    doctor_examine(&d, &s, "0.1.0", now_ms());
    assert_false(doctor_failed(&d));
    assert_string_equal(finding_of(&d, "binaries", "warn")->next, "gridctl binary push FILE");
    assert_string_equal(finding_of(&d, "agents", "warn")->next, "gridctl agent join-command");
    assert_non_null(finding_of(&d, "channel", "warn"));
}

static void lost_agents_and_failing_nodes_are_failures(void **state) {
    (void)state;
    struct doctor d = {0};
    struct answer_summary s = healthy();
    s.agents.lost = 1;
    s.nodes.backoff = 2;
    doctor_examine(&d, &s, "0.1.0", now_ms());
    assert_true(doctor_failed(&d));
    assert_string_equal(finding_of(&d, "agents", "fail")->found, "1 lost");
    assert_non_null(finding_of(&d, "nodes", "fail"));
}

static void notices_versions_clocks_drops_and_space(void **state) {
    (void)state;
    struct doctor d = {0};
    struct answer_summary s = healthy();
    s.rejected = 2;
    s.free_bytes = 10;
    s.uptime_s = 3500;
    doctor_examine(&d, &s, "0.2.0", now_ms());
    assert_false(doctor_failed(&d));
    assert_string_equal(finding_of(&d, "version", "warn")->found,
                        "master is 0.1.0, gridctl is 0.2.0");
    assert_string_equal(finding_of(&d, "clock", "warn")->found,
                        "the master's clock is 1 min behind this machine's");
    assert_string_equal(finding_of(&d, "drop box", "warn")->found, "2 files refused");
    assert_non_null(finding_of(&d, "space", "warn"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_healthy_grid_has_only_good_findings),
        cmocka_unit_test(an_empty_grid_is_no_failure_but_says_what_to_do),
        cmocka_unit_test(lost_agents_and_failing_nodes_are_failures),
        cmocka_unit_test(notices_versions_clocks_drops_and_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
