/* Who may join over a real bus, with which words, and how often one may try. */
#include "tests/unit/master/bus_fixture.h"

static bool is_known(const struct post *p, const char *id) {
    struct agent_view v;
    struct err ignored;
    return agents_visit_one(p->f->agents, id, copy_view, &v, &ignored);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
