/* The inbox over a real bus: who may join, whose word counts, and who is told what when. */
#include "tests/unit/master/bus_fixture.h"

static bool copy_view(const struct agent_view *v, void *argument) {
    *(struct agent_view *)argument = *v;
    return true;
}

/* Its pointers are valid as long as nothing changes the agent. */
static struct agent_view view(const struct post *p, const char *id) {
    struct err error = {0};
    struct agent_view v = {.status = AGENT_PENDING};
    assert_ok(agents_visit_one(p->f->agents, id, copy_view, &v, &error));
    return v;
}

static bool is_known(const struct post *p, const char *id) {
    struct agent_view v;
    struct err ignored;
    return agents_visit_one(p->f->agents, id, copy_view, &v, &ignored);
}

static void point_stable_to(const struct post *p, const char *version) {
    struct err error = {0};
    struct channel channel;
    assert_ok(
        channels_set(p->f->db, "stable", "storage-server", version, "test", &channel, &error));
    assert_ok(agents_refresh(p->f->agents, &error));
}

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

static void machine_joins_with_a_token_and_its_own_key(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    char secret[SECRET_TEXT_SIZE];
    machine_init(&m, p, "a-1", NULL);
    fixture_join_secret(p->f, "zone=z", 1, secret);
    enrolls_as(&m, secret, "up");
    struct agent_view v = view(p, "a-1");
    assert_true(sign_public_equal(&v.public_key, sign_secret_public(m.key)));
    assert_string_equal(v.labels, "rack=a,zone=z");
    assert_string_equal(v.platform, "linux");
    assert_string_equal(v.address, "127.0.0.1");
}

static void challenge_names_the_keys_and_the_http_port(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    char key[SIGN_PUBLIC_TEXT_SIZE];
    machine_init(&m, p, "a-1", NULL);
    ask_challenge(&m);
    assert_string_equal(m.challenge.master_key,
                        sign_public_text(sign_secret_public(keys_master(p->f->keys)), key));
    assert_string_equal(m.challenge.release_key, sign_public_text(keys_release(p->f->keys), key));
    assert_int_equal(m.challenge.http_port, HTTP_PORT);
}

static void platform_aliases_are_taken_in_their_canonical_form(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    OWN_REPLY struct reply r = {0};
    char secret[SECRET_TEXT_SIZE];
    struct wire_enroll message;
    machine_init(&m, p, "a-1", NULL);
    fixture_join_secret(p->f, "", 1, secret);
    ask_challenge(&m);
    fill_enroll(&m, secret, &message);
    snprintf(message.arch, sizeof message.arch, "amd64");
    send_enroll(&m, &message, &r);
    assert_string_equal(view(p, "a-1").arch, "x86_64");
}

/* What an enrollment may not say, one change each. */
static void sign_with_another_key(struct wire_enroll *m) {
    struct sign_public other;
    fixture_key(&other);
    sign_public_text(&other, m->public_key);
}
static void speak_to_another_master(struct wire_enroll *m) {
    struct sign_public other;
    fixture_key(&other);
    sign_public_text(&other, m->master_key);
}
static void invent_a_challenge(struct wire_enroll *m) {
    random_hex(SESSION_NONCE_SIZE, m->challenge);
}
static void change_one_digit_of_the_challenge(struct wire_enroll *m) {
    m->challenge[20] = m->challenge[20] == 'a' ? 'b' : 'a';
}
static void change_the_time_of_the_challenge(struct wire_enroll *m) {
    m->challenge[0] = m->challenge[0] == 'f' ? 'e' : 'f';
}
static void shorten_the_challenge(struct wire_enroll *m) {
    m->challenge[10] = '\0';
}
static void change_the_nonce(struct wire_enroll *m) {
    random_hex(SESSION_NONCE_SIZE, m->nonce);
}
static void want_a_bad_id(struct wire_enroll *m) {
    snprintf(m->agent_id, sizeof m->agent_id, "../a");
}
static void want_markup_as_id(struct wire_enroll *m) {
    snprintf(m->agent_id, sizeof m->agent_id, "<script>");
}
static void come_from_nowhere(struct wire_enroll *m) {
    snprintf(m->platform, sizeof m->platform, "templeos");
}
static void bring_an_open_token(struct wire_enroll *m) {
    free(m->token);
    m->token = text_duplicate("gj_0123456789abcdef.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
}
static void bring_a_token_sealed_for_another(struct wire_enroll *m) {
    struct err error = {0};
    struct sign_public other;
    struct text token = TEXT_EMPTY;
    fixture_key(&other);
    assert_ok(sign_seal(&other, "gj_0123456789abcdef.x", &token, &error));
    free(m->token);
    m->token = text_take(&token);
}

static const struct {
    void (*change)(struct wire_enroll *m);
    const char *code;
} bad_enrollments[] = {
    {sign_with_another_key,             "untrusted"},
    {speak_to_another_master,           "untrusted"},
    {invent_a_challenge,                "untrusted"},
    {change_one_digit_of_the_challenge, "untrusted"},
    {change_the_time_of_the_challenge,  "untrusted"},
    {shorten_the_challenge,             "untrusted"},
    {change_the_nonce,                  "untrusted"},
    {want_a_bad_id,                     "invalid"  },
    {want_markup_as_id,                 "invalid"  },
    {come_from_nowhere,                 "invalid"  },
    {bring_an_open_token,               NULL       },
    {bring_a_token_sealed_for_another,  NULL       },
};

static void enrollment_that_lies_about_anything_is_refused_and_costs_no_use(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    char secret[SECRET_TEXT_SIZE];
    machine_init(&m, p, "a-1", NULL);
    fixture_join_secret(p->f, "", 1, secret);
    for (size_t i = 0; i < sizeof bad_enrollments / sizeof bad_enrollments[0]; i++) {
        OWN_REPLY struct reply r = {0};
        struct wire_enroll message;
        struct wire_error error;
        char nonce[WIRE_NONCE_HEX_SIZE];
        ask_challenge(&m);
        fill_enroll(&m, secret, &message);
        bad_enrollments[i].change(&message);
        memcpy(nonce, message.nonce, sizeof nonce);
        send_enroll(&m, &message, &r);
        read_signed(&m, &r, &wire_error_schema, &error);
        refused(&m, &r, bad_enrollments[i].code != NULL ? bad_enrollments[i].code : error.code,
                nonce, &error);
        assert_string_equal(error.type, "error");
        assert_false(is_known(p, "a-1"));
        pass_ms(60000); /* failures are limited; see below */
    }
    enrolls_as(&m, secret, "up");
}

static void enrollment_signed_for_another_purpose_is_refused(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    OWN_REPLY struct reply r = {0};
    char secret[SECRET_TEXT_SIZE];
    struct wire_enroll message;
    struct wire_error error;
    machine_init(&m, p, "a-1", NULL);
    fixture_join_secret(p->f, "", 1, secret);
    ask_challenge(&m);
    fill_enroll(&m, secret, &message);
    sign(&m, WIRE_PURPOSE_MASTER, &wire_enroll_schema, &message);
    json_clear(&wire_enroll_schema, &message);
    exchange(&m, &r);
    refused(&m, &r, "untrusted", m.challenge.nonce, &error);
}

static void challenge_is_good_for_a_minute(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    OWN_REPLY struct reply r = {0};
    char secret[SECRET_TEXT_SIZE];
    struct wire_enroll message;
    struct wire_error error;
    machine_init(&m, p, "a-1", NULL);
    fixture_join_secret(p->f, "", 1, secret);
    ask_challenge(&m);
    pass_ms(60000);
    fill_enroll(&m, secret, &message);
    send_enroll(&m, &message, &r);
    refused(&m, &r, "untrusted", m.challenge.nonce, &error);
    ask_challenge(&m);
    pass_ms(59999);
    fill_enroll(&m, secret, &message);
    reply_fini(&r);
    send_enroll(&m, &message, &r);
    struct wire_enrolled answer;
    read_signed(&m, &r, &wire_enrolled_schema, &answer);
    assert_string_equal(answer.type, "enrolled");
}

static void replayed_enrollment_takes_no_further_use_off_its_token(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    OWN_MACHINE struct machine other;
    OWN_REPLY struct reply r = {0};
    char secret[SECRET_TEXT_SIZE];
    struct wire_error error;
    machine_init(&m, p, "a-1", NULL);
    machine_init(&other, p, "a-2", NULL);
    fixture_join_secret(p->f, "", 2, secret);
    enrolls_as(&m, secret, "up");
    exchange(&m, &r); /* the same frame again */
    refused(&m, &r, "untrusted", m.challenge.nonce, &error);
    enrolls_as(&other, secret, "up");
}

static void token_is_worth_its_uses_and_not_one_more(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine first;
    OWN_MACHINE struct machine second;
    OWN_REPLY struct reply r = {0};
    char secret[SECRET_TEXT_SIZE];
    struct wire_error error;
    machine_init(&first, p, "a-1", NULL);
    machine_init(&second, p, "a-2", NULL);
    fixture_join_secret(p->f, "", 1, secret);
    enrolls_as(&first, secret, "up");
    try_enroll(&second, secret, &r);
    refused(&second, &r, "unauthenticated", second.challenge.nonce, &error);
    assert_non_null(strstr(error.hint, "join-command"));
    assert_false(is_known(p, "a-2"));
}

static void machine_whose_answer_was_lost_asks_again_with_the_spent_token(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    char secret[SECRET_TEXT_SIZE];
    machine_init(&m, p, "a-1", NULL);
    fixture_join_secret(p->f, "", 1, secret);
    enrolls_as(&m, secret, "up");
    enrolls_as(&m, secret, "up");
    says_hello(&m);
}

static void taken_id_is_named_with_the_way_out(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    OWN_MACHINE struct machine twin;
    OWN_REPLY struct reply r = {0};
    char secret[SECRET_TEXT_SIZE];
    struct wire_error error;
    machine_init(&m, p, "a-1", NULL);
    machine_init(&twin, p, "a-1", NULL);
    fixture_join_secret(p->f, "", 2, secret);
    enrolls_as(&m, secret, "up");
    try_enroll(&twin, secret, &r);
    refused(&twin, &r, "conflict", twin.challenge.nonce, &error);
    assert_non_null(strstr(error.text, "a-1"));
    assert_non_null(strstr(error.hint, "--id"));
    struct agent_view v = view(p, "a-1");
    assert_true(sign_public_equal(&v.public_key, sign_secret_public(m.key)));
}

/* The code of the answer to one try. */
static void try_secret(struct machine *m, const char *secret, char code[32]) {
    OWN_REPLY struct reply r = {0};
    struct wire_error error;
    try_enroll(m, secret, &r);
    read_signed(m, &r, &wire_error_schema, &error);
    memcpy(code, error.code, sizeof error.code);
}

static void spoil(char secret[SECRET_TEXT_SIZE]) {
    char *last = secret + strlen(secret) - 2;
    *last = *last == 'A' ? 'B' : 'A';
}

static void failures_with_a_token_are_limited_for_that_token_alone(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    OWN_MACHINE struct machine other;
    char good[SECRET_TEXT_SIZE], bad[SECRET_TEXT_SIZE], code[32];
    machine_init(&m, p, "a-1", NULL);
    machine_init(&other, p, "a-2", NULL);
    fixture_join_secret(p->f, "", 1, good);
    fixture_join_secret(p->f, "", 1, bad);
    spoil(bad);
    for (int i = 0; i < 5; i++) {
        try_secret(&m, bad, code);
        assert_string_equal(code, "unauthenticated");
    }
    try_secret(&m, bad, code);
    assert_string_equal(code, "rate_limited");
    enrolls_as(&other, good, "up");
    pass_ms(12000); /* five a minute */
    try_secret(&m, bad, code);
    assert_string_equal(code, "unauthenticated");
    try_secret(&m, bad, code);
    assert_string_equal(code, "rate_limited");
}

static void address_that_tries_one_token_after_the_other_is_shut_out_for_a_while(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    char good[SECRET_TEXT_SIZE], bad[SECRET_TEXT_SIZE], id[SECRET_ID_SIZE], hash[SECRET_HASH_SIZE];
    char code[32] = "";
    int tries = 0;
    machine_init(&m, p, "a-1", NULL);
    fixture_join_secret(p->f, "", 1, good);
    while (strcmp(code, "rate_limited") != 0 && tries < 100) {
        secret_generate("gj", id, bad, hash);
        try_secret(&m, bad, code);
        tries++;
    }
    assert_in_range(tries, 20, 60);
    try_secret(&m, good, code);
    assert_string_equal(code, "rate_limited");
    pass_ms(60000);
    enrolls_as(&m, good, "up");
}

static void machines_that_join_are_never_limited(void **state) {
    struct post *p = *state;
    char secret[SECRET_TEXT_SIZE], id[16];
    OWN_MACHINE struct machine first;
    fixture_join_secret(p->f, "", -1, secret);
    machine_init(&first, p, "a-0", NULL);
    enrolls_as(&first, secret, "up");
    for (int i = 1; i < 30; i++) {
        OWN_MACHINE struct machine m;
        snprintf(id, sizeof id, "a-%d", i);
        machine_init(&m, p, id, first.bus);
        enrolls_as(&m, secret, "up");
    }
}

static void machine_waits_for_approval_when_that_is_asked_for(void **state) {
    struct post *p = *state;
    OWN_MACHINE struct machine m;
    OWN_REPLY struct reply r = {0};
    char secret[SECRET_TEXT_SIZE];
    struct session_exchange x;
    struct wire_hello hello;
    struct wire_error refusal;
    struct err error = {0};
    int port = bus_server_port(p->bus);
    post_close(p);
    p->options.approve_agents = true;
    post_open(p, port);
    machine_init(&m, p, "a-1", NULL);
    fixture_join_secret(p->f, "", 1, secret);
    enrolls_as(&m, secret, "pending");
    try_hello(&m, &x, &hello, &r);
    refused(&m, &r, "denied", hello.nonce, &refusal);
    assert_non_null(strstr(refusal.hint, "gridctl agent approve a-1"));
    assert_ok(agents_approve(p->f->agents, "a-1", "test", &error));
    says_hello(&m);
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
        TEST(machine_joins_with_a_token_and_its_own_key),
        TEST(challenge_names_the_keys_and_the_http_port),
        TEST(platform_aliases_are_taken_in_their_canonical_form),
        TEST(enrollment_that_lies_about_anything_is_refused_and_costs_no_use),
        TEST(enrollment_signed_for_another_purpose_is_refused),
        TEST(challenge_is_good_for_a_minute),
        TEST(replayed_enrollment_takes_no_further_use_off_its_token),
        TEST(token_is_worth_its_uses_and_not_one_more),
        TEST(machine_whose_answer_was_lost_asks_again_with_the_spent_token),
        TEST(taken_id_is_named_with_the_way_out),
        TEST(failures_with_a_token_are_limited_for_that_token_alone),
        TEST(address_that_tries_one_token_after_the_other_is_shut_out_for_a_while),
        TEST(machines_that_join_are_never_limited),
        TEST(machine_waits_for_approval_when_that_is_asked_for),
        TEST(hello_of_a_stranger_or_under_a_wrong_key_is_refused),
        TEST(hello_for_another_master_is_refused),
        TEST(hello_with_a_degenerate_exchange_key_is_refused),
        TEST(replayed_hello_does_not_push_out_the_live_session),
        TEST(new_session_takes_over_with_its_first_heartbeat),
        TEST(session_that_never_proved_itself_is_forgotten),
        TEST(replayed_hellos_cannot_fill_the_memory),
        TEST(agent_that_has_seen_more_than_the_master_is_told_something_newer),
        TEST(heartbeat_is_parked_and_answered_when_the_interval_ends),
        TEST(parked_heartbeat_is_answered_at_once_when_desired_changes),
        TEST(heartbeat_that_acts_on_an_older_generation_is_answered_at_once),
        TEST(second_heartbeat_frees_the_parked_one),
        TEST(change_reaches_only_the_agent_it_concerns),
        TEST(log_is_asked_for_and_brought_by_heartbeats),
        TEST(replayed_heartbeat_is_taken_once),
        TEST(frame_with_any_bit_changed_is_not_taken),
        TEST(frame_cut_short_anywhere_is_not_taken),
        TEST(masters_own_answers_sent_back_are_not_taken),
        TEST(unknown_session_is_answered_with_a_signed_demand_for_hello),
        TEST(master_that_restarted_asks_for_hello_and_goes_on),
        TEST(stop_answers_what_is_parked),
        TEST(agent_cannot_speak_for_another),
        TEST(message_of_another_kind_in_a_session_is_refused),
        TEST(revoked_agent_is_cut_off_with_its_next_message),
        TEST(unproven_session_of_a_removed_agent_is_worth_nothing_to_its_successor),
        TEST(what_is_no_frame_at_all_is_dropped),
        TEST(thousand_parked_agents_are_told_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
