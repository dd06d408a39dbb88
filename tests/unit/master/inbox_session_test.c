/* Whose word counts: hellos, sessions that live, end and are forged, over a real bus. */
#include "tests/unit/master/bus_fixture.h"

#define QUESTION 1000000 /* the first ticket of the questions below */

/* Takes what comes until the question with this ticket is answered; nothing else may be answered
 * as if it had been proven. */
static void until_answered(const struct machine *m, uint64_t question) {
    for (uint64_t ticket = 0; ticket != question;) {
        OWN_REPLY struct reply r = {0};
        ticket = arrives(m, &r);
        assert_int_not_equal(r.frame.kind, FRAME_SESSION);
    }
}

/* Asks questions behind what is to be ignored and waits for their answers, so that it was looked
 * at: several threads take what one connection brings, hence more than one question. */
static void let_it_be_looked_at(const struct machine *m) {
    OWN_TEXT struct text frame = TEXT_EMPTY;
    static const char question[] = "{\"type\":\"challenge\",\"nonce\":\"00\"}";
    frame_plain(question, sizeof question - 1, &frame);
    for (uint64_t i = 0; i < 2 * INBOX_THREADS; i++) {
        bus_client_send(m->bus, QUESTION + i, frame.data, frame.length, PATIENCE_MS);
        until_answered(m, QUESTION + i);
    }
}

static void hello_of_a_stranger_or_under_a_wrong_key_is_refused(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    OWN_MACHINE struct machine thief;
    struct session_exchange x;
    struct wire_hello hello;
    struct wire_error error;
    machine_up(&m, p, "a-1");
    machine_init(&thief, p, "a-1", NULL);
    {
        OWN_REPLY struct reply r = {0};
        try_hello(&thief, &x, &hello, &r);
        refused(&thief, &r, "untrusted", hello.nonce, &error);
    }
    {
        OWN_REPLY struct reply r = {0};
        snprintf(thief.id, sizeof thief.id, "a-9");
        try_hello(&thief, &x, &hello, &r);
        refused(&thief, &r, "not_found", hello.nonce, &error);
    }
}

static void hello_for_another_master_is_refused(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    OWN_REPLY struct reply r = {0};
    struct session_exchange x;
    struct wire_hello hello;
    struct wire_error error;
    struct sign_public ours, other;
    machine_up(&m, p, "a-1");
    ours = m.master;
    fixture_key(&other);
    m.master = other;
    fill_hello(&m, &x, &hello);
    m.master = ours;
    sign(&m, WIRE_PURPOSE_AGENT, &wire_hello_schema, &hello);
    exchange(&m, &r);
    refused(&m, &r, "untrusted", hello.nonce, &error);
}

static void hello_with_a_degenerate_exchange_key_is_refused(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    struct session_exchange x;
    struct wire_hello hello;
    struct wire_error error;
    machine_up(&m, p, "a-1");
    static const char *const keys[] = {
        "0000000000000000000000000000000000000000000000000000000000000000", "abcd", ""};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        OWN_REPLY struct reply r = {0};
        fill_hello(&m, &x, &hello);
        snprintf(hello.exchange_key, sizeof hello.exchange_key, "%s", keys[i]);
        sign(&m, WIRE_PURPOSE_AGENT, &wire_hello_schema, &hello);
        exchange(&m, &r);
        refused(&m, &r, i == 0 ? "untrusted" : "invalid", hello.nonce, &error);
    }
}

static void replayed_hello_does_not_push_out_the_live_session(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    OWN_MACHINE struct machine attacker;
    struct binary binary;
    OWN_REPLY struct reply r = {0};
    struct session_exchange x;
    struct wire_hello hello;
    OWN_TEXT struct text recorded = TEXT_EMPTY;
    machine_up(&m, p, "a-1");
    try_hello(&m, &x, &hello, &r);
    begin(&m, &x, &hello, &r);
    text_add_bytes(&recorded, m.last.data, m.last.length);
    uint64_t sequence = seal_report(&m);
    post_off(&m, 2);
    until_parked(p, 1);
    machine_init(&attacker, p, "attacker", NULL);
    for (int i = 0; i < 3; i++) {
        OWN_REPLY struct reply again = {0};
        struct wire_hello_answer answer;
        text_clear(&attacker.last);
        text_add_bytes(&attacker.last, recorded.data, recorded.length);
        exchange(&attacker, &again);
        read_signed(&m, &again, &wire_hello_answer_schema, &answer); /* it is answered, in vain */
    }
    fixture_publish(p->f, "1.0.0", &binary);
    point_stable_to(p, "1.0.0");
    told(&m, 2, sequence, "1.0.0");
}

static void new_session_takes_over_with_its_first_heartbeat(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    machine_up(&m, p, "a-1");
    beat(&m, 2);
    until_parked(p, 1);
    struct session before = m.session;
    OWN_MACHINE struct machine again;
    machine_init(&again, p, "a-1", NULL);
    sign_secret_free(again.key);
    again.key = m.key;
    again.generation = m.generation;
    says_hello(&again);
    assert_int_equal(inbox_sessions(p->inbox), 2);
    assert_int_equal(inbox_parked(p->inbox),
                     1); /* the old one is alive until the new one has proven itself */
    beat(&again, 3);
    until_sessions(p, 1);
    until_parked(p, 1); /* the old request was dropped, the new one is parked */
    again.key = NULL;
    /* The old session is unknown from now on, and told so with a signature. */
    m.session = before;
    bus_client_cancel(m.bus);
    uint64_t sequence = seal_report(&m);
    char nonce[WIRE_NONCE_HEX_SIZE];
    OWN_REPLY struct reply r = {0};
    struct wire_error error;
    exchange(&m, &r);
    frame_nonce(&m, sequence, nonce);
    refused(&m, &r, "hello_required", nonce, &error);
}

static void session_that_never_proved_itself_is_forgotten(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    machine_up(&m, p, "a-1");
    struct session live = m.session;
    says_hello(&m);
    assert_int_equal(inbox_sessions(p->inbox), 2);
    pass_ms(29999);
    inbox_tick(p->inbox, test_now_ms());
    assert_int_equal(inbox_sessions(p->inbox), 2);
    pass_ms(1);
    inbox_tick(p->inbox, test_now_ms());
    assert_int_equal(inbox_sessions(p->inbox), 1);
    m.session = live;
    beat(&m, 2);
    until_parked(p, 1);
}

static void replayed_hellos_cannot_fill_the_memory(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    struct wire_error error;
    int port = bus_server_port(p->bus);
    post_close(p);
    p->options.max_unproven = 3;
    post_open(p, port);
    machine_up(&m, p, "a-1");
    struct session live = m.session;
    for (int i = 0; i < 3; i++) says_hello(&m);
    OWN_REPLY struct reply r = {0};
    struct wire_hello hello;
    struct session_exchange x;
    try_hello(&m, &x, &hello, &r);
    refused(&m, &r, "unavailable", hello.nonce, &error);
    m.session = live;
    beat(&m, 2); /* who is in stays in */
    until_parked(p, 1);
    pass_ms(30000);
    inbox_tick(p->inbox, test_now_ms());
    says_hello(&m);
}

static void replayed_heartbeat_is_taken_once(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    OWN_MACHINE struct machine attacker;
    machine_up(&m, p, "a-1");
    uint64_t sequence = seal_report(&m);
    post_off(&m, 2);
    until_parked(p, 1);
    int64_t taken = inbox_heartbeats(p->inbox);
    machine_init(&attacker, p, "attacker", NULL);
    for (uint64_t ticket = 1; ticket <= 3; ticket++)
        bus_client_send(attacker.bus, ticket, m.last.data, m.last.length, PATIENCE_MS);
    let_it_be_looked_at(&attacker);
    until_parked(p, 1);
    assert_int_equal(inbox_heartbeats(p->inbox), taken);
    inbox_tick(p->inbox, test_now_ms() + INTERVAL_MS);
    told(&m, 2, sequence, "");
}

static void frame_with_any_bit_changed_is_not_taken(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    OWN_MACHINE struct machine attacker;
    machine_up(&m, p, "a-1");
    machine_init(&attacker, p, "attacker", NULL);
    seal_report(&m); /* recorded, never delivered as it is */
    int64_t taken = inbox_heartbeats(p->inbox);
    for (size_t at = 0; at < m.last.length; at++) {
        m.last.data[at] = (char)(m.last.data[at] ^ 1);
        bus_client_send(attacker.bus, at, m.last.data, m.last.length, PATIENCE_MS);
        m.last.data[at] = (char)(m.last.data[at] ^ 1);
    }
    let_it_be_looked_at(&attacker);
    assert_int_equal(inbox_heartbeats(p->inbox), taken);
    post_off(&m, 2); /* and none of them used up its sequence */
    until_parked(p, 1);
    assert_int_equal(inbox_heartbeats(p->inbox), taken + 1);
}

static void frame_cut_short_anywhere_is_not_taken(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    OWN_MACHINE struct machine attacker;
    machine_up(&m, p, "a-1");
    machine_init(&attacker, p, "attacker", NULL);
    seal_report(&m);
    int64_t taken = inbox_heartbeats(p->inbox);
    for (size_t length = 0; length < m.last.length; length++)
        bus_client_send(attacker.bus, length, m.last.data, length, PATIENCE_MS);
    let_it_be_looked_at(&attacker);
    assert_int_equal(inbox_heartbeats(p->inbox), taken);
    post_off(&m, 2);
    until_parked(p, 1);
}

static void masters_own_answers_sent_back_are_not_taken(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    OWN_REPLY struct reply r = {0};
    struct err error = {0};
    machine_up(&m, p, "a-1");
    beat(&m, 2);
    until_parked(p, 1);
    inbox_tick(p->inbox, test_now_ms() + INTERVAL_MS);
    assert_int_equal(arrives(&m, &r), 2);
    int64_t taken = inbox_heartbeats(p->inbox);
    bus_client_send(m.bus, 3, r.bytes, r.length, PATIENCE_MS);
    let_it_be_looked_at(&m);
    assert_int_equal(inbox_heartbeats(p->inbox), taken);
    assert_ok(session_open(&m.session, &r.frame, &error));
}

static void unknown_session_is_answered_with_a_signed_demand_for_hello(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    OWN_REPLY struct reply r = {0};
    struct wire_error error;
    char nonce[WIRE_NONCE_HEX_SIZE];
    machine_up(&m, p, "a-1");
    random_bytes(m.session.id, sizeof m.session.id);
    uint64_t sequence = seal_report(&m);
    exchange(&m, &r);
    frame_nonce(&m, sequence, nonce);
    refused(&m, &r, "hello_required", nonce, &error);
}

/* What is sent before goes down with the old connection; what is sent then waits for the next. */
static void until_it_notices_the_end(const struct machine *m) {
    for (int64_t end = clock_monotonic_ms() + PATIENCE_MS; bus_client_connected(m->bus);) {
        assert_true(clock_monotonic_ms() < end);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void master_that_restarted_asks_for_hello_and_goes_on(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    struct err error = {0};
    machine_up(&m, p, "a-1");
    int port = bus_server_port(p->bus);
    post_close(p);
    until_it_notices_the_end(&m);
    assert_ok(agents_flush(p->f->agents, &error));
    agents_close(p->f->agents);
    post_open_agents(p);
    post_open(p, port);
    OWN_REPLY struct reply r = {0};
    struct wire_error refusal;
    char nonce[WIRE_NONCE_HEX_SIZE];
    uint64_t sequence = seal_report(&m);
    exchange(&m, &r);
    frame_nonce(&m, sequence, nonce);
    refused(&m, &r, "hello_required", nonce, &refusal);
    says_hello(&m);
    beat(&m, 2);
    until_parked(p, 1);
}

/* Sends a report that is refused with this code, and says that nothing of it was taken. */
static void report_is_refused(struct machine *m, struct wire_heartbeat *report, const char *code) {
    OWN_REPLY struct reply r = {0};
    struct wire_error error;
    char nonce[WIRE_NONCE_HEX_SIZE];
    uint64_t sequence = seal(m, report);
    exchange(m, &r);
    frame_nonce(m, sequence, nonce);
    refused(m, &r, code, nonce, &error);
}

static void agent_cannot_speak_for_another(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine one;
    OWN_MACHINE struct machine two;
    struct wire_heartbeat report;
    machine_up(&one, p, "a-1");
    machine_up(&two, p, "a-2");
    fill_report(&one, &report);
    snprintf(report.agent_id, sizeof report.agent_id, "a-2");
    snprintf(report.version, sizeof report.version, "6.6.6");
    report_is_refused(&one, &report, "denied");
    assert_string_equal(view(p, "a-2").report.version, "");
    fill_report(&one, &report);
    snprintf(report.type, sizeof report.type, "goodbye");
    snprintf(report.agent_id, sizeof report.agent_id, "a-2");
    report_is_refused(&one, &report, "denied");
    assert_false(view(p, "a-2").stopped);
    static const char *const nodes[] = {"a-2/0", "a-1", "a-1/", "a-1/x", "a-1/0/1", "a-10/0", "/0"};
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
        fill_report(&one, &report);
        snprintf(report.nodes[0].id, sizeof report.nodes[0].id, "%s", nodes[i]);
        report_is_refused(&one, &report, "denied");
    }
    fill_report(&one, &report);
    snprintf(report.nodes[0].state, sizeof report.nodes[0].state, "<b>");
    report_is_refused(&one, &report, "invalid");
    assert_string_equal(view(p, "a-1").report.nodes[0].id, "a-1/0");
    beat(&one, 5); /* it still may speak for itself */
    until_parked(p, 1);
}

static void message_of_another_kind_in_a_session_is_refused(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    struct wire_heartbeat report;
    machine_up(&m, p, "a-1");
    fill_report(&m, &report);
    snprintf(report.type, sizeof report.type, "desired");
    report_is_refused(&m, &report, "denied");
}

static void revoked_agent_is_cut_off_with_its_next_message(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    struct err error = {0};
    struct wire_error refusal;
    char nonce[WIRE_NONCE_HEX_SIZE];
    machine_up(&m, p, "a-1");
    uint64_t sequence = seal_report(&m);
    post_off(&m, 2);
    until_parked(p, 1);
    assert_ok(agents_revoke(p->f->agents, "a-1", "test", &error));
    {
        OWN_REPLY struct reply r = {0};
        assert_int_equal(arrives(&m, &r), 2);
        /* Either the changed generation reached it first or the end of its session. */
        if (r.frame.kind == FRAME_SIGNED) {
            frame_nonce(&m, sequence, nonce);
            refused(&m, &r, "hello_required", nonce, &refusal);
        }
    }
    {
        OWN_REPLY struct reply r = {0};
        sequence = seal_report(&m);
        exchange(&m, &r);
        frame_nonce(&m, sequence, nonce);
        refused(&m, &r, "hello_required", nonce, &refusal);
    }
    OWN_REPLY struct reply r = {0};
    struct session_exchange x;
    struct wire_hello hello;
    try_hello(&m, &x, &hello, &r);
    refused(&m, &r, "denied", hello.nonce, &refusal);
    assert_non_null(strstr(refusal.text, "revoked"));
    assert_int_equal(inbox_sessions(p->inbox), 0);
}

static void unproven_session_of_a_removed_agent_is_worth_nothing_to_its_successor(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine before;
    OWN_MACHINE struct machine after;
    OWN_REPLY struct reply r = {0};
    struct err error = {0};
    struct wire_error refusal;
    char nonce[WIRE_NONCE_HEX_SIZE];
    machine_up(&before, p, "a-1");
    says_hello(&before); /* kept in reserve */
    assert_ok(agents_remove(p->f->agents, "a-1", true, "test", &error));
    machine_up(&after, p, "a-1");
    uint64_t sequence = seal_report(&before);
    exchange(&before, &r);
    frame_nonce(&before, sequence, nonce);
    refused(&before, &r, "hello_required", nonce, &refusal);
    beat(&after, 2);
    until_parked(p, 1);
}

static void what_is_no_frame_at_all_is_dropped(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    machine_up(&m, p, "a-1");
    static const char *const garbage[] = {"GET / HTTP/1.1\r\n\r\n",
                                          "P",
                                          "P{",
                                          "P{}",
                                          "P{\"type\":\"challenge\"}",
                                          "P{\"type\":\"enroll\"}",
                                          "P{\"type\":\"challenge\",\"type\":\"challenge\"}",
                                          "K",
                                          "S",
                                          "X{}",
                                          "\xff\xfe"};
    for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++)
        bus_client_send(m.bus, 100 + i, garbage[i], strlen(garbage[i]), PATIENCE_MS);
    let_it_be_looked_at(&m);
    until_parked(p, 0);
    beat(&m, 2);
    until_parked(p, 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, post_setup, post_teardown)
    const struct CMUnitTest tests[] = {
        TEST(hello_of_a_stranger_or_under_a_wrong_key_is_refused),
        TEST(hello_for_another_master_is_refused),
        TEST(hello_with_a_degenerate_exchange_key_is_refused),
        TEST(replayed_hello_does_not_push_out_the_live_session),
        TEST(new_session_takes_over_with_its_first_heartbeat),
        TEST(session_that_never_proved_itself_is_forgotten),
        TEST(replayed_hellos_cannot_fill_the_memory),
        TEST(replayed_heartbeat_is_taken_once),
        TEST(frame_with_any_bit_changed_is_not_taken),
        TEST(frame_cut_short_anywhere_is_not_taken),
        TEST(masters_own_answers_sent_back_are_not_taken),
        TEST(unknown_session_is_answered_with_a_signed_demand_for_hello),
        TEST(master_that_restarted_asks_for_hello_and_goes_on),
        TEST(agent_cannot_speak_for_another),
        TEST(message_of_another_kind_in_a_session_is_refused),
        TEST(revoked_agent_is_cut_off_with_its_next_message),
        TEST(unproven_session_of_a_removed_agent_is_worth_nothing_to_its_successor),
        TEST(what_is_no_frame_at_all_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
