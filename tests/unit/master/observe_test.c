/* What a heartbeat changes against the one before it. */
#include "master/observe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct wire_node node_now, node_before;
static struct wire_heartbeat now, before;
static struct observed_changes changes;

static struct wire_heartbeat healthy_report(struct wire_node *node) {
    *node = (struct wire_node){
        .id = "a-1/0", .state = "healthy", .version = "1.0.0", .pid = 7, .port = 7100};
    struct wire_heartbeat report = {.type = "heartbeat",
                                    .agent_id = "a-1",
                                    .version = "1.0.0",
                                    .nodes = node,
                                    .nodes_count = 1};
    snprintf(report.update.state, sizeof report.update.state, "idle");
    return report;
}

static int reset(void **state) {
    (void)state;
    before = healthy_report(&node_before);
    now = healthy_report(&node_now);
    return 0;
}

static bool has_event(const char *kind) {
    for (size_t i = 0; i < changes.count; i++)
        if (strcmp(changes.events[i].kind, kind) == 0) return true;
    return false;
}

static void same_report_is_not_worth_writing(void **state) {
    (void)state;
    observe_changes(&before, &now, &changes);
    assert_false(changes.worth_writing);
    assert_int_equal(changes.count, 0);
}

static void progress_and_free_space_are_not_worth_writing(void **state) {
    (void)state;
    now.free_bytes = 5;
    now.update.done_bytes = 99;
    node_now.free_bytes = 6;
    observe_changes(&before, &now, &changes);
    assert_false(changes.worth_writing);
}

static void an_attack_on_metadata_is_an_event_and_so_is_its_end(void **state) {
    (void)state;
    char freeze[] = "freeze", reason[] = "expired";
    now.trust = (struct wire_trust){.root = 1, .attack = freeze, .reason = reason};
    observe_changes(&before, &now, &changes);
    assert_true(has_event("agent.distrusts"));
    assert_non_null(strstr(changes.events[0].text, "(freeze): expired"));
    observe_changes(&now, &now, &changes);
    assert_int_equal(changes.count, 0);
    observe_changes(&now, &before, &changes);
    assert_true(has_event("agent.trusts"));
}

static void first_report_tells_version_and_health(void **state) {
    (void)state;
    before = (struct wire_heartbeat){0};
    observe_changes(&before, &now, &changes);
    assert_true(changes.worth_writing);
    assert_true(has_event("agent.updated"));
    assert_true(has_event("node.healthy"));
}

static void exit_is_told_with_its_status(void **state) {
    (void)state;
    node_now.restarts = 1;
    node_now.last_exit = (struct wire_exit){.kind = "signal", .value = 9, .at_ms = 1};
    observe_changes(&before, &now, &changes);
    assert_true(has_event("node.exited"));
    assert_non_null(strstr(changes.events[0].text, "signal 9"));
}

static void refused_update_is_told_once(void **state) {
    (void)state;
    snprintf(now.update.state, sizeof now.update.state, "failed");
    snprintf(now.update.to, sizeof now.update.to, "2.0.0");
    snprintf(now.update.code, sizeof now.update.code, "untrusted");
    now.update.reason = "the SHA-256 differs";
    observe_changes(&before, &now, &changes);
    assert_true(has_event("agent.update_failed"));
    before.update = now.update;
    observe_changes(&before, &now, &changes);
    assert_int_equal(changes.count, 0);
}

static void unhealthy_node_is_told_with_its_reason(void **state) {
    (void)state;
    char reasons[] = "disk_full";
    snprintf(node_now.state, sizeof node_now.state, "unhealthy");
    node_now.reasons = reasons;
    observe_changes(&before, &now, &changes);
    assert_true(has_event("node.unhealthy"));
    assert_non_null(strstr(changes.events[0].text, "disk_full"));
}

static void new_process_is_worth_writing(void **state) {
    (void)state;
    node_now.pid = 8;
    observe_changes(&before, &now, &changes);
    assert_true(changes.worth_writing);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(same_report_is_not_worth_writing, reset),
        cmocka_unit_test_setup(progress_and_free_space_are_not_worth_writing, reset),
        cmocka_unit_test_setup(an_attack_on_metadata_is_an_event_and_so_is_its_end, reset),
        cmocka_unit_test_setup(first_report_tells_version_and_health, reset),
        cmocka_unit_test_setup(exit_is_told_with_its_status, reset),
        cmocka_unit_test_setup(refused_update_is_told_once, reset),
        cmocka_unit_test_setup(unhealthy_node_is_told_with_its_reason, reset),
        cmocka_unit_test_setup(new_process_is_worth_writing, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
