/* Agents, nodes and reasons as people and programs get to see them. */
#include "master/view_agent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define AT_MS 1769860800123 /* 2026-01-31T12:00:00.123Z */

static struct wire_node node;
static struct agent_view agent;

static int begin(void **state) {
    (void)state;
    node = (struct wire_node){.id = "a-1/0",
                              .state = "healthy",
                              .version = "1.0.0",
                              .sha256 = "abc",
                              .pid = 42,
                              .port = 7100,
                              .started_at_ms = AT_MS,
                              .restarts = 2,
                              .capacity_bytes = 1000,
                              .free_bytes = 400};
    agent = (struct agent_view){
        .id = "a-1",
        .admission = ADMISSION_ADMITTED,
        .status = AGENT_UP,
        .mode = "active",
        .channel = "stable",
        .pin = "1.0.0",
        .grant = {.rollout = "r-3"},
        .generation = 7,
        .desired_version = "1.0.0",
        .desired_reason = "channel stable points to 1.0.0",
        .desired_rule = DESIRED_CHANNEL,
        .reported_labels = "rack=a",
        .assigned_labels = "zone=z",
        .labels = "rack=a,zone=z",
        .platform = "linux",
        .arch = "x86_64",
        .address = "192.0.2.1",
        .enrolled_at_ms = AT_MS,
        .last_seen_at_ms = AT_MS,
        .report = { .agent_id = "a-1",
                  .version = "1.0.0",
                  .agent_version = "0.1.0",
                  .update = {.state = "idle"},
                  .self = {.update = {.state = "idle"}},
                  .free_bytes = 5000,
                  .nodes = &node,
                  .nodes_count = 1}
    };
    return 0;
}

static void shows(const char *words) {
    struct err e;
    OWN_TEXT struct text json = TEXT_EMPTY;
    view_agent(&agent, &json);
    if (!json_check(json.data, json.length, &e)) fail_msg("%s: %s", e.text, json.data);
    if (strstr(json.data, words) == NULL) fail_msg("%s lacks %s", json.data, words);
}

static void hides(const char *words) {
    OWN_TEXT struct text json = TEXT_EMPTY;
    view_agent(&agent, &json);
    if (strstr(json.data, words) != NULL) fail_msg("%s has %s", json.data, words);
}

static void agent_is_shown_whole(void **state) {
    (void)state;
    static char layers[] = "limits=yes\nlandlock=no: too old";
    OWN_TEXT struct text json = TEXT_EMPTY;
    agent.report.sandbox = layers;
    view_agent(&agent, &json);
    assert_string_equal(
        json.data,
        "{\"id\":\"a-1\",\"status\":\"up\",\"mode\":\"active\",\"version\":\"1.0.0\","
        "\"desired_version\":\"1.0.0\",\"desired_reason\":\"channel stable points to 1.0.0\","
        "\"update\":{\"state\":\"idle\",\"from\":\"\",\"to\":\"\",\"attempt\":0,\"done_bytes\":0,"
        "\"total_bytes\":0,\"code\":\"\",\"cause\":\"\",\"reason\":\"\",\"rollout\":\"\","
        "\"rollout_attempt\":0,\"diagnosis\":\"\"},"
        "\"staging\":{\"state\":\"\",\"sha256\":\"\",\"done_bytes\":0,\"total_bytes\":0,\"code\":"
        "\"\","
        "\"cause\":\"\",\"reason\":\"\"},"
        "\"reason\":\"\",\"platform\":\"linux\",\"arch\":\"x86_64\","
        "\"labels\":{\"rack\":\"a\",\"zone\":\"z\"},\"assigned_labels\":{\"zone\":\"z\"},"
        "\"channel\":\"stable\",\"pin\":\"1.0.0\",\"conflict\":\"\",\"rollout\":\"r-3\","
        "\"address\":\"192.0.2.1\","
        "\"agent_version\":\"0.1.0\","
        "\"agent_update\":{\"state\":\"idle\",\"from\":\"\",\"to\":\"\",\"attempt\":0,"
        "\"done_bytes\":0,\"total_bytes\":0,\"code\":\"\",\"cause\":\"\",\"reason\":\"\","
        "\"rollout\":\"\",\"rollout_attempt\":0,\"diagnosis\":\"\"},"
        "\"trust\":{\"root\":0,\"targets\":0,\"timestamp\":0,\"attack\":\"\",\"reason\":\"\"},"
        "\"binary_path\":\"\",\"sandbox\":[\"limits=yes\",\"landlock=no: too "
        "old\"],\"generation\":7,\"free_bytes\":5000,\"clock_offset_ms\":0,"
        "\"enrolled_at\":\"2026-01-31T12:00:00.123Z\",\"last_seen_at\":\"2026-01-31T12:00:00."
        "123Z\","
        "\"nodes\":[{\"id\":\"a-1/0\",\"agent_id\":\"a-1\",\"host\":\"192.0.2.1\","
        "\"state\":\"healthy\",\"version\":\"1.0.0\",\"sha256\":\"abc\",\"pid\":42,\"port\":7100,"
        "\"started_at\":\"2026-01-31T12:00:00.123Z\",\"restarts\":2,\"capacity_bytes\":1000,"
        "\"free_bytes\":400,\"reasons\":[]}]}");
}

static void agent_that_was_never_seen_has_no_time(void **state) {
    (void)state;
    agent.last_seen_at_ms = 0;
    agent.status = AGENT_LOST;
    agent.report = (struct wire_heartbeat){.agent_id = ""};
    hides("last_seen_at");
    shows("\"reason\":\"has not reported yet\"");
    shows("\"nodes\":[]");
}

static void reason_says_what_is_not_as_it_should_be(void **state) {
    (void)state;
    agent.status = AGENT_SUSPECT;
    shows("\"reason\":\"has not reported for a while\"");
    agent.status = AGENT_REVOKED;
    shows("\"reason\":\"was revoked\"");
    agent.status = AGENT_PENDING;
    shows("gridctl agent approve a-1");
    agent.status = AGENT_UP;
    agent.report.update.reason = "no space";
    shows("\"reason\":\"no space\"");
    agent.report.update.reason = NULL;
    agent.desired_version[0] = '\0';
    agent.desired_reason = "push one";
    shows("\"reason\":\"push one\"");
    agent.report.binary_path = "/opt/own";
    shows("\"reason\":\"\"");
}

static void update_says_for_which_rollout_and_how_a_version_failed(void **state) {
    (void)state;
    agent.report.update = (struct wire_update){.state = "failed",
                                               .cause = "version",
                                               .rollout = "r-3",
                                               .rollout_attempt = 2,
                                               .diagnosis = "exit 3\nlast words"};
    shows("\"cause\":\"version\",\"reason\":\"\",\"rollout\":\"r-3\",\"rollout_attempt\":2,"
          "\"diagnosis\":\"exit 3\\nlast words\"}");
    agent.report.staging = (struct wire_staging){.state = "downloading", .done_bytes = 5};
    shows("\"staging\":{\"state\":\"downloading\",\"sha256\":\"\",\"done_bytes\":5,");
}

static void markup_and_broken_text_of_a_machine_stay_text(void **state) {
    (void)state;
    node.reasons = "<b>\"x\"\\\nsecond";
    snprintf(agent.report.version, sizeof agent.report.version, "\xff\x01");
    shows("[\"<b>\\\"x\\\"\\\\\",\"second\"]");
}

static void node_drains_with_its_agent_while_it_is_healthy(void **state) {
    (void)state;
    snprintf(agent.mode, sizeof agent.mode, "draining");
    assert_string_equal(view_node_state(&agent, &node), "draining");
    snprintf(node.state, sizeof node.state, "backoff");
    assert_string_equal(view_node_state(&agent, &node), "backoff");
}

static void last_exit_is_shown_once_there_was_one(void **state) {
    (void)state;
    hides("last_exit");
    node.last_exit = (struct wire_exit){.kind = "signal", .value = 9, .at_ms = AT_MS};
    shows("\"last_exit\":{\"kind\":\"signal\",\"value\":9,\"at\":\"2026-01-31T12:00:00.123Z\"}");
    node.last_exit.log_tail = "bye\n";
    shows("\"log_tail\":\"bye\\n\"");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, begin)
    const struct CMUnitTest tests[] = {
        TEST(agent_is_shown_whole),
        TEST(agent_that_was_never_seen_has_no_time),
        TEST(reason_says_what_is_not_as_it_should_be),
        TEST(update_says_for_which_rollout_and_how_a_version_failed),
        TEST(markup_and_broken_text_of_a_machine_stay_text),
        TEST(node_drains_with_its_agent_while_it_is_healthy),
        TEST(last_exit_is_shown_once_there_was_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
