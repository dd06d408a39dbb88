/* The inbox over a real bus: what heartbeats bring, how long they wait, who is told what when. */
#include "tests/unit/master/bus_fixture.h"

static void agent_that_has_seen_more_than_the_master_is_told_something_newer(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    OWN_REPLY struct reply r = {0};
    struct wire_desired desired;
    machine_up(&m, p, "a-1");
    m.generation = 5000;
    says_hello(&m);
    uint64_t sequence = seal_report(&m);
    post_off(&m, 2);
    assert_int_equal(arrives(&m, &r), 2);
    read_desired(&m, &r, sequence, &desired);
    assert_int_equal(desired.generation, 5001);
    json_clear(&wire_desired_schema, &desired);
}

static void heartbeat_is_parked_and_answered_when_the_interval_ends(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    machine_up(&m, p, "a-1");
    uint64_t sequence = seal_report(&m);
    post_off(&m, 2);
    until_parked(p, 1);
    pass_ms(INTERVAL_MS - 1);
    inbox_tick(p->inbox, test_now_ms());
    assert_int_equal(inbox_parked(p->inbox), 1);
    pass_ms(1);
    inbox_tick(p->inbox, test_now_ms());
    told(&m, 2, sequence, "");
    assert_int_equal(view(p, "a-1").status, AGENT_UP);
    assert_int_equal(inbox_heartbeats(p->inbox), 2);
}

static void parked_heartbeat_is_answered_at_once_when_desired_changes(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    OWN_REPLY struct reply r = {0};
    struct binary binary;
    struct wire_desired desired;
    machine_up(&m, p, "a-1");
    uint64_t sequence = seal_report(&m);
    post_off(&m, 2);
    until_parked(p, 1);
    fixture_publish(p->f, "1.0.0", &binary);
    point_stable_to(p, "1.0.0");
    assert_int_equal(arrives(&m, &r), 2);
    read_desired(&m, &r, sequence, &desired);
    assert_string_equal(desired.sha256, binary.sha256);
    assert_string_equal(desired.file, "storage-server-1.0.0-linux-any");
    assert_string_equal(desired.signature, binary.signature);
    assert_string_equal(desired.mode, "active");
    json_clear(&wire_desired_schema, &desired);
    beat(&m, 3); /* nothing newer: it is parked again */
    until_parked(p, 1);
}

static void heartbeat_that_acts_on_an_older_generation_is_answered_at_once(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    struct err error = {0};
    machine_up(&m, p, "a-1");
    assert_ok(agents_set_mode(p->f->agents, "a-1", "draining", "test", &error));
    uint64_t sequence = seal_report(&m);
    post_off(&m, 2);
    OWN_REPLY struct reply r = {0};
    struct wire_desired desired;
    assert_int_equal(arrives(&m, &r), 2);
    read_desired(&m, &r, sequence, &desired);
    assert_string_equal(desired.mode, "draining");
    json_clear(&wire_desired_schema, &desired);
}

static void second_heartbeat_frees_the_parked_one(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    struct wire_heartbeat report;
    machine_up(&m, p, "a-1");
    uint64_t first = seal_report(&m);
    post_off(&m, 2);
    until_parked(p, 1);
    fill_report(&m, &report);
    snprintf(report.nodes[0].state, sizeof report.nodes[0].state, "healthy");
    uint64_t second = seal(&m, &report);
    post_off(&m, 3);
    told(&m, 2, first, "");
    until_parked(p, 1);
    assert_string_equal(view(p, "a-1").report.nodes[0].state, "healthy");
    inbox_tick(p->inbox, test_now_ms() + INTERVAL_MS);
    told(&m, 3, second, "");
}

static void change_reaches_only_the_agent_it_concerns(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine one;
    OWN_MACHINE struct machine two;
    struct err error = {0};
    machine_up(&one, p, "a-1");
    machine_up(&two, p, "a-2");
    uint64_t first = seal_report(&one);
    post_off(&one, 2);
    uint64_t second = seal_report(&two);
    post_off(&two, 2);
    until_parked(p, 2);
    assert_ok(agents_set_labels(p->f->agents, "a-2", "zone=x", "test", &error));
    told(&two, 2, second, "");
    assert_int_equal(inbox_parked(p->inbox), 1);
    inbox_tick(p->inbox, test_now_ms() + INTERVAL_MS);
    told(&one, 2, first, "");
}

struct fetching {
    struct post *p;
    struct text log;
    struct err error;
    bool fetched;
};

static void *fetch_log(void *argument) {
    struct fetching *f = argument;
    f->fetched =
        agents_fetch_log(f->p->f->agents, "a-1", "a-1/0", 1000, PATIENCE_MS, &f->log, &f->error);
    return NULL;
}

static void log_is_asked_for_and_brought_by_heartbeats(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    OWN_REPLY struct reply r = {0};
    struct fetching f = {.p = p, .log = TEXT_EMPTY};
    struct wire_desired desired;
    struct wire_heartbeat report;
    pthread_t thread;
    machine_up(&m, p, "a-1");
    uint64_t sequence = seal_report(&m);
    post_off(&m, 2);
    until_parked(p, 1);
    assert_int_equal(pthread_create(&thread, NULL, fetch_log, &f), 0);
    assert_int_equal(arrives(&m, &r), 2);
    read_desired(&m, &r, sequence, &desired);
    assert_string_equal(desired.log.node_id, "a-1/0");
    assert_int_equal(desired.log.max_bytes, 1000);
    fill_report(&m, &report);
    report.log.request_id = desired.log.request_id;
    report.log.words = text_duplicate("line one\nline two\n");
    seal(&m, &report);
    post_off(&m, 3);
    pthread_join(thread, NULL);
    json_clear(&wire_desired_schema, &desired);
    assert_true_or_say(f.fetched, &f.error);
    assert_string_equal(text_value(&f.log), "line one\nline two\n");
    text_fini(&f.log);
    until_parked(p, 1); /* the heartbeat that brought it waits like any other */
}

static void stop_answers_what_is_parked(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    machine_up(&m, p, "a-1");
    uint64_t sequence = seal_report(&m);
    post_off(&m, 2);
    until_parked(p, 1);
    inbox_drain(p->inbox);
    told(&m, 2, sequence, "");
}

#define MANY 1000

static void thousand_parked_agents_are_told_at_once(void **state) {
    struct post *p = *state;
    struct machine *all = memory_zeroed(MANY, sizeof *all);
    uint64_t *sequences = memory_zeroed(MANY, sizeof *sequences);
    struct binary binary;
    char secret[SECRET_TEXT_SIZE], id[16];
    struct err error = {0};
    OWN(bus_client) struct bus_client *bus = NULL;
    fixture_publish(p->f, "1.0.0", &binary);
    fixture_publish(p->f, "2.0.0", &binary);
    fixture_join_secret(p->f, "", -1, secret);
    assert_ok(bus_client_open(&bus, "127.0.0.1", bus_server_port(p->bus), NULL, &error));
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof id, "a-%d", i);
        machine_init(&all[i], p, id, bus);
        assert_ok(fixture_enroll(p->f, id, sign_secret_public(all[i].key), secret, &error));
        says_hello(&all[i]);
        all[i].generation = view(p, id).generation;
    }
    for (int i = 0; i < MANY;
         i++) { /* a heartbeat waits for so long only, and a thousand hellos take their time */
        sequences[i] = seal_report(&all[i]);
        post_off(&all[i], (uint64_t)i);
    }
    until_parked(p, MANY);
    assert_int_equal(inbox_sessions(p->inbox), MANY);
    point_stable_to(p, "2.0.0");
    for (int i = 0; i < MANY; i++) {
        OWN_REPLY struct reply r = {0};
        struct wire_desired desired;
        uint64_t ticket = arrives(&all[0], &r);
        assert_true(ticket < MANY && sequences[ticket] != 0);
        read_desired(&all[ticket], &r, sequences[ticket], &desired);
        assert_string_equal(desired.version, "2.0.0");
        json_clear(&wire_desired_schema, &desired);
        sequences[ticket] = 0; /* each once */
    }
    for (int i = 0; i < MANY; i++) machine_fini(&all[i]);
    free(all);
    free(sequences);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, post_setup, post_teardown)
    const struct CMUnitTest tests[] = {
        TEST(agent_that_has_seen_more_than_the_master_is_told_something_newer),
        TEST(heartbeat_is_parked_and_answered_when_the_interval_ends),
        TEST(parked_heartbeat_is_answered_at_once_when_desired_changes),
        TEST(heartbeat_that_acts_on_an_older_generation_is_answered_at_once),
        TEST(second_heartbeat_frees_the_parked_one),
        TEST(change_reaches_only_the_agent_it_concerns),
        TEST(log_is_asked_for_and_brought_by_heartbeats),
        TEST(stop_answers_what_is_parked),
        TEST(thousand_parked_agents_are_told_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
