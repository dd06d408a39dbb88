/* The registry: joining, desired versions and their generations, heartbeats, silence, and what a
 * restart keeps. */
#include "lib/labels.h"
#include "tests/unit/master/master_fixture.h"

static void heartbeat(struct fixture *f, const char *id, const char *version, int64_t now_ms) {
    struct err error;
    struct wire_heartbeat report = {.type = "heartbeat", .platform = "linux", .arch = "x86_64"};
    snprintf(report.agent_id, sizeof report.agent_id, "%s", id);
    snprintf(report.version, sizeof report.version, "%s", version);
    report.labels = text_duplicate("rack=a");
    report.nodes = memory_zeroed(1, sizeof *report.nodes);
    report.nodes_count = 1;
    snprintf(report.nodes[0].id, sizeof report.nodes[0].id, "%.60s/0", id);
    snprintf(report.nodes[0].state, sizeof report.nodes[0].state, "healthy");
    assert_ok(agents_observe(f->agents, &report, "127.0.0.1", now_ms, now_ms, &error));
}

static bool copy_view(const struct agent_view *v, void *argument) {
    struct agent_view *out = argument;
    *out = *v; /* its pointers are valid as long as nothing changes the agent */
    return true;
}

static struct agent_view view(struct fixture *f, const char *id) {
    struct err error;
    struct agent_view v = {0};
    assert_ok(agents_visit_one(f->agents, id, copy_view, &v, &error));
    return v;
}

static int64_t count_events(struct fixture *f, const char *kind) {
    struct err error;
    struct event *list = NULL;
    size_t count = 0;
    int64_t first = 0;
    assert_ok(events_list(f->events, 0, kind, NULL, 1000, &list, &count, &first, &error));
    json_clear_list(&event_schema, list, count);
    return (int64_t)count;
}

static void reopen(struct fixture *f) {
    agents_close(f->agents);
    fixture_open_agents(f);
}

static void joining_assigns_the_tokens_labels_and_the_desired_version(void **state) {
    struct fixture *f = *state;
    struct err error;
    struct binary binary;
    struct sign_public key;
    char secret[SECRET_TEXT_SIZE];
    fixture_publish(f, "1.0.0", &binary);
    fixture_key(&key);
    fixture_join_secret(f, "zone=z,rack=forced", 1, secret);
    assert_ok(fixture_enroll(f, "a-1", &key, secret, &error));
    struct agent_view v = view(f, "a-1");
    assert_string_equal(v.labels, "rack=forced,zone=z");
    assert_string_equal(v.desired_version, "1.0.0");
    assert_string_equal(v.desired_sha256, binary.sha256);
    assert_int_equal(v.status, AGENT_LOST);
}

static void taken_id_is_refused_and_costs_no_use(void **state) {
    struct fixture *f = *state;
    struct err error;
    struct sign_public key, other;
    char secret[SECRET_TEXT_SIZE];
    fixture_key(&key);
    fixture_key(&other);
    fixture_join_secret(f, "", 2, secret);
    assert_ok(fixture_enroll(f, "a-1", &key, secret, &error));
    assert_false(fixture_enroll(f, "a-1", &other, secret, &error));
    assert_int_equal(error.code, ERR_CONFLICT);
    assert_non_null(strstr(error.text, "a-1"));
    assert_non_null(strstr(error.hint, "--id"));
    assert_ok(fixture_enroll(f, "a-2", &other, secret, &error));
    assert_false(fixture_enroll(f, "a-3", &other, secret, &error));
}

static void changed_channel_raises_the_generation_and_tells_its_agents_only(void **state) {
    struct fixture *f = *state;
    struct err error;
    struct binary binary;
    struct channel channel;
    fixture_publish(f, "1.0.0", &binary);
    fixture_publish(f, "2.0.0", &binary);
    fixture_agent(f, "a-1");
    fixture_agent(f, "a-2");
    assert_ok(agents_set_channel(f->agents, "a-2", "beta", "test", &error));
    int64_t before = view(f, "a-1").generation;
    f->told[0] = '\0';
    assert_ok(channels_set(f->db, "stable", "storage-server", "2.0.0", "test", &channel, &error));
    assert_ok(agents_refresh(f->agents, &error));
    assert_string_equal(f->told, "a-1 ");
    assert_int_equal(view(f, "a-1").generation, before + 1);
    assert_string_equal(view(f, "a-1").desired_version, "2.0.0");
    assert_string_equal(view(f, "a-2").desired_version, "");
    assert_non_null(strstr(view(f, "a-2").desired_reason, "channel beta"));
}

static void refresh_without_a_change_tells_nobody(void **state) {
    struct fixture *f = *state;
    struct err error;
    struct binary binary;
    fixture_publish(f, "1.0.0", &binary);
    fixture_agent(f, "a-1");
    int64_t before = view(f, "a-1").generation;
    f->told[0] = '\0';
    assert_ok(agents_refresh(f->agents, &error));
    assert_string_equal(f->told, "");
    assert_int_equal(view(f, "a-1").generation, before);
}

static void desired_message_carries_the_signed_artifact(void **state) {
    struct fixture *f = *state;
    struct err error;
    struct binary binary;
    struct wire_desired desired;
    int64_t edition = 0;
    fixture_publish(f, "1.0.0", &binary);
    fixture_agent(f, "a-1");
    assert_ok(agents_desired(f->agents, "a-1", &desired, &edition, &error));
    assert_string_equal(desired.file, "storage-server-1.0.0-linux-any");
    assert_string_equal(desired.signature, binary.signature);
    assert_int_equal(desired.size_bytes, binary.size_bytes);
    assert_int_equal(desired.generation, view(f, "a-1").generation);
    json_clear(&wire_desired_schema, &desired);
}

static void silence_makes_suspect_then_lost_and_a_heartbeat_brings_back(void **state) {
    struct fixture *f = *state;
    struct err error;
    fixture_agent(f, "a-1");
    heartbeat(f, "a-1", "1.0.0", 1000);
    assert_int_equal(view(f, "a-1").status, AGENT_UP);
    agents_tick(f->agents, 1000 + WIRE_SUSPECT_MS - 1);
    assert_int_equal(view(f, "a-1").status, AGENT_UP);
    agents_tick(f->agents, 1000 + WIRE_SUSPECT_MS);
    assert_int_equal(view(f, "a-1").status, AGENT_SUSPECT);
    agents_tick(f->agents, 1000 + WIRE_LOST_MS);
    assert_int_equal(view(f, "a-1").status, AGENT_LOST);
    heartbeat(f, "a-1", "1.0.0", 1000 + WIRE_LOST_MS + 1);
    assert_int_equal(view(f, "a-1").status, AGENT_UP);
    assert_ok(agents_flush(f->agents, &error));
    assert_int_equal(count_events(f, "agent.suspect"), 1);
    assert_int_equal(count_events(f, "agent.lost"), 1);
    assert_int_equal(count_events(f, "agent.up"), 2);
}

static void restart_keeps_report_labels_mode_and_generation(void **state) {
    struct fixture *f = *state;
    struct err error;
    struct binary binary;
    fixture_publish(f, "1.0.0", &binary);
    fixture_agent(f, "a-1");
    heartbeat(f, "a-1", "1.0.0", 1000);
    assert_ok(agents_flush(f->agents, &error));
    assert_ok(agents_set_labels(f->agents, "a-1", "zone=x", "test", &error));
    assert_ok(agents_set_mode(f->agents, "a-1", "draining", "test", &error));
    int64_t generation = view(f, "a-1").generation;
    reopen(f);
    struct agent_view v = view(f, "a-1");
    assert_int_equal(v.generation, generation);
    assert_string_equal(v.mode, "draining");
    assert_string_equal(v.labels, "rack=a,zone=x");
    assert_string_equal(v.report.version, "1.0.0");
    assert_int_equal(v.report.nodes_count, 1);
    assert_int_equal(v.status, AGENT_UP);
}

static void master_behind_its_agent_raises_the_generation_above_it(void **state) {
    struct fixture *f = *state;
    struct err error;
    fixture_agent(f, "a-1");
    assert_ok(agents_greet(f->agents, "a-1", 1000, &error));
    assert_int_equal(view(f, "a-1").generation, 1001);
    reopen(f);
    assert_int_equal(view(f, "a-1").generation, 1001);
}

static void master_behind_its_agents_tells_it_once_per_start(void **state) {
    struct fixture *f = *state;
    struct err error;
    fixture_agent(f, "a-1");
    fixture_agent(f, "a-2");
    assert_ok(agents_greet(f->agents, "a-1", view(f, "a-1").generation, &error));
    assert_int_equal(count_events(f, "master.behind"), 0);
    assert_ok(agents_greet(f->agents, "a-1", 1000, &error));
    assert_ok(agents_greet(f->agents, "a-2", 1000, &error));
    assert_int_equal(count_events(f, "master.behind"), 1);
    reopen(f);
    assert_ok(agents_greet(f->agents, "a-1", 2000, &error));
    assert_int_equal(count_events(f, "master.behind"), 2);
}

static void label_of_the_agents_configuration_cannot_be_removed(void **state) {
    struct fixture *f = *state;
    struct err error;
    fixture_agent(f, "a-1");
    assert_false(agents_set_labels(f->agents, "a-1", "rack", "test", &error));
    assert_int_equal(error.code, ERR_CONFLICT);
    assert_ok(agents_set_labels(f->agents, "a-1", "rack=b", "test", &error));
    assert_string_equal(view(f, "a-1").labels, "rack=b");
    assert_ok(agents_set_labels(f->agents, "a-1", "rack", "test", &error));
    assert_string_equal(view(f, "a-1").labels, "rack=a");
}

static void clocks_that_are_off_are_seen(void **state) {
    struct fixture *f = *state;
    struct err error;
    fixture_agent(f, "a-1");
    struct wire_heartbeat report = {.agent_id = "a-1", .clock_ms = 5000};
    assert_ok(agents_observe(f->agents, &report, "127.0.0.1", 1, 65000, &error));
    assert_int_equal(view(f, "a-1").clock_offset_ms, -60000);
    report = (struct wire_heartbeat){.agent_id = "a-1"}; /* one that does not tell */
    assert_ok(agents_observe(f->agents, &report, "127.0.0.1", 2, 66000, &error));
    assert_int_equal(view(f, "a-1").clock_offset_ms, 0);
}

static void reports_trust(struct fixture *f, const char *id, struct repo_seen seen) {
    struct err error;
    struct wire_heartbeat report = {
        .trust = {.root = seen.root, .targets = seen.targets, .timestamp = seen.timestamp}
    };
    snprintf(report.agent_id, sizeof report.agent_id, "%s", id);
    assert_ok(agents_observe(f->agents, &report, "127.0.0.1", 1, 1, &error));
}

static void trusted_are(struct fixture *f, struct repo_seen expected) {
    static const struct repo_seen most = {.targets = 1000, .timestamp = 1000, .root = 10};
    struct repo_seen seen;
    agents_trusted(f->agents, &most, &seen);
    assert_int_equal(seen.targets, expected.targets);
    assert_int_equal(seen.timestamp, expected.timestamp);
    assert_int_equal(seen.root, expected.root);
}

static void the_newest_trusted_versions_are_known_but_no_incredible_ones(void **state) {
    struct fixture *f = *state;
    struct err error;
    fixture_agent(f, "a-1");
    trusted_are(f, (struct repo_seen){0});
    fixture_agent(f, "a-2");
    fixture_agent(f, "a-3");
    reports_trust(f, "a-1", (struct repo_seen){.targets = 700, .timestamp = 801, .root = 11});
    reports_trust(f, "a-2", (struct repo_seen){.targets = 701, .timestamp = 1001, .root = 3});
    reports_trust(f, "a-3", (struct repo_seen){.targets = 900, .timestamp = 900, .root = 4});
    assert_ok(agents_revoke(f->agents, "a-3", "test", &error));
    trusted_are(f, (struct repo_seen){.targets = 701, .timestamp = 801, .root = 3});
}

static void revoked_and_unknown_agents_are_not_observed(void **state) {
    struct fixture *f = *state;
    struct err error;
    fixture_agent(f, "a-1");
    assert_ok(agents_revoke(f->agents, "a-1", "test", &error));
    assert_string_equal(f->dismissed, "a-1 ");
    struct wire_heartbeat report = {.agent_id = "a-1"};
    assert_false(agents_observe(f->agents, &report, "127.0.0.1", 1, 1, &error));
    assert_int_equal(error.code, ERR_DENIED);
    struct wire_heartbeat stranger = {.agent_id = "a-9"};
    assert_false(agents_observe(f->agents, &stranger, "127.0.0.1", 1, 1, &error));
    assert_int_equal(error.code, ERR_NOT_FOUND);
}

static void agents_may_fetch_what_they_should_run_and_what_they_run(void **state) {
    struct fixture *f = *state;
    struct err error;
    struct binary wanted;
    const char *running = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    fixture_publish(f, "1.0.0", &wanted);
    fixture_agent(f, "a-1");
    assert_ok(agents_refresh(f->agents, &error));
    struct wire_heartbeat report = {.agent_id = "a-1"};
    snprintf(report.sha256, sizeof report.sha256, "%s", running);
    assert_ok(agents_observe(f->agents, &report, "127.0.0.1", 1, 1, &error));
    assert_string_equal(view(f, "a-1").desired_sha256, wanted.sha256);
    assert_true(agents_may_fetch(f->agents, "a-1", wanted.sha256));
    assert_true(agents_may_fetch(f->agents, "a-1", running));
    assert_false(agents_may_fetch(f->agents, "a-1", "other"));
    assert_false(agents_may_fetch(f->agents, "a-9", wanted.sha256));
    assert_ok(agents_revoke(f->agents, "a-1", "test", &error));
    assert_false(agents_may_fetch(f->agents, "a-1", wanted.sha256));
}

static void agent_that_is_up_is_removed_only_by_force(void **state) {
    struct fixture *f = *state;
    struct err error;
    fixture_agent(f, "a-1");
    heartbeat(f, "a-1", "", 1000);
    assert_false(agents_remove(f->agents, "a-1", false, "test", &error));
    assert_int_equal(error.code, ERR_CONFLICT);
    assert_ok(agents_remove(f->agents, "a-1", true, "test", &error));
    assert_false(agents_remove(f->agents, "a-1", true, "test", &error));
    assert_int_equal(error.code, ERR_NOT_FOUND);
    reopen(f);
    assert_false(agents_remove(f->agents, "a-1", true, "test", &error));
}

static void restart_order_exceeds_what_the_node_carried_out(void **state) {
    struct fixture *f = *state;
    struct err error;
    struct wire_desired desired;
    int64_t edition = 0;
    fixture_agent(f, "a-1");
    heartbeat(f, "a-1", "", 1000);
    assert_ok(agents_flush(f->agents, &error));
    assert_ok(agents_restart_node(f->agents, "a-1/0", "test", &error));
    assert_ok(agents_restart_node(f->agents, "a-1/0", "test", &error));
    assert_false(agents_restart_node(f->agents, "a-1/7", "test", &error));
    assert_int_equal(error.code, ERR_NOT_FOUND);
    assert_ok(agents_desired(f->agents, "a-1", &desired, &edition, &error));
    assert_int_equal(desired.nodes_count, 1);
    assert_int_equal(desired.nodes[0].restart_generation, 2);
    json_clear(&wire_desired_schema, &desired);
}

static bool note_id(const struct agent_view *v, void *argument) {
    struct text *out = argument;
    text_add_format(out, "%s ", v->id);
    return strcmp(v->id, "a-4") != 0;
}

static void some_are_visited_in_the_order_of_their_ids_as_given(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *ids[5], *visited;
    } rows[] = {
        {{"a-1", "a-2", "a-3"},        "a-1 a-2 a-3 "    },
        {{"a-3", "a-1", "a-2", "a-2"}, "a-3 a-1 a-2 a-2 "},
        {{"", "a-1", "a-15", "a-2"},   "a-1 a-2 "        },
        {{"a-3", "z", "a-1"},          "a-3 a-1 "        },
        {{"a-2", "a-4", "a-1"},        "a-2 a-4 "        }, /* the visitor ends it */
        {{NULL},                       ""                },
    };
    for (int i = 1; i <= 4; i++) fixture_agent(f, (char[]){'a', '-', (char)('0' + i), '\0'});
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        OWN_TEXT struct text visited = TEXT_EMPTY;
        size_t count = 0;
        while (rows[i].ids[count] != NULL) count++;
        agents_visit_these(f->agents, rows[i].ids, count, note_id, &visited);
        assert_string_equal(text_value(&visited), rows[i].visited);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(joining_assigns_the_tokens_labels_and_the_desired_version),
        TEST(taken_id_is_refused_and_costs_no_use),
        TEST(changed_channel_raises_the_generation_and_tells_its_agents_only),
        TEST(refresh_without_a_change_tells_nobody),
        TEST(desired_message_carries_the_signed_artifact),
        TEST(silence_makes_suspect_then_lost_and_a_heartbeat_brings_back),
        TEST(restart_keeps_report_labels_mode_and_generation),
        TEST(master_behind_its_agent_raises_the_generation_above_it),
        TEST(master_behind_its_agents_tells_it_once_per_start),
        TEST(label_of_the_agents_configuration_cannot_be_removed),
        TEST(clocks_that_are_off_are_seen),
        TEST(the_newest_trusted_versions_are_known_but_no_incredible_ones),
        TEST(revoked_and_unknown_agents_are_not_observed),
        TEST(agents_may_fetch_what_they_should_run_and_what_they_run),
        TEST(agent_that_is_up_is_removed_only_by_force),
        TEST(restart_order_exceeds_what_the_node_carried_out),
        TEST(some_are_visited_in_the_order_of_their_ids_as_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
