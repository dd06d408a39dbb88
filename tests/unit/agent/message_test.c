#include "agent/message.h"

#include "lib/secret.h"
#include "lib/wire.h"
#include "tests/unit/agent/agent_fixture.h"

#define NONCE "aaaa"

static struct sign_secret *master;
static struct text frame;
static struct wire_enrolled got;

static int setup(void **unused) {
    setup_place(unused);
    assert_ok(sign_generate(&master, &place.e));
    return 0;
}

static int teardown(void **unused) {
    sign_secret_free(master);
    text_fini(&frame);
    return teardown_place(unused);
}

static void answer(const struct sign_secret *by, const char *purpose, const char *json) {
    text_clear(&frame);
    frame_signed(by, purpose, json, strlen(json), &frame);
}

static bool open_it(void) {
    const struct message_expected expected = {sign_secret_public(master), "enrolled", NONCE,
                                              &wire_enrolled_schema};
    return message_open(&expected, frame.data, frame.length, &got, &place.e);
}

#define ENROLLED(nonce)                                                                            \
    "{\"type\":\"enrolled\",\"nonce\":\"" nonce "\",\"agent_id\":\"a\",\"status\":\"up\"}"
#define REFUSED(nonce, code)                                                                       \
    "{\"type\":\"error\",\"nonce\":\"" nonce "\",\"code\":\"" code                                 \
    "\",\"text\":\"taken\",\"hint\":\"use --id\"}"

static void the_masters_answer_is_believed(void **unused) {
    (void)unused;
    answer(master, WIRE_PURPOSE_MASTER, ENROLLED(NONCE));
    assert_ok(open_it());
    assert_string_equal(got.agent_id, "a");
}

static void an_answer_to_another_question_is_not(void **unused) {
    (void)unused;
    answer(master, WIRE_PURPOSE_MASTER, ENROLLED("bbbb"));
    assert_false(open_it());
    assert_err(ERR_UNTRUSTED, "another question");
}

static void another_type_is_not(void **unused) {
    (void)unused;
    answer(master, WIRE_PURPOSE_MASTER, "{\"type\":\"hello\",\"nonce\":\"" NONCE "\"}");
    assert_false(open_it());
    assert_err(ERR_UNTRUSTED, "something else");
}

static void another_signer_or_purpose_is_not(void **unused) {
    (void)unused;
    answer(place.key, WIRE_PURPOSE_MASTER, ENROLLED(NONCE));
    assert_false(open_it());
    assert_err(ERR_UNTRUSTED, "not signed by the master's key");
    answer(master, WIRE_PURPOSE_AGENT, ENROLLED(NONCE));
    assert_false(open_it());
    assert_int_equal(place.e.code, ERR_UNTRUSTED);
}

static void unsigned_and_broken_frames_are_not(void **unused) {
    (void)unused;
    text_clear(&frame);
    frame_plain(ENROLLED(NONCE), strlen(ENROLLED(NONCE)), &frame);
    assert_false(open_it());
    assert_int_equal(place.e.code, ERR_UNTRUSTED);
    answer(master, WIRE_PURPOSE_MASTER, ENROLLED(NONCE));
    for (size_t length = 0; length < frame.length; length++) {
        const struct message_expected expected = {sign_secret_public(master), "enrolled", NONCE,
                                                  &wire_enrolled_schema};
        assert_false(message_open(&expected, frame.data, length, &got, &place.e));
    }
}

static void a_refusal_becomes_the_error_with_its_hint(void **unused) {
    (void)unused;
    answer(master, WIRE_PURPOSE_MASTER, REFUSED(NONCE, "conflict"));
    assert_false(open_it());
    assert_err(ERR_CONFLICT, "taken");
    assert_err(ERR_CONFLICT, "use --id");
}

static void a_refusal_of_another_message_or_by_another_is_none(void **unused) {
    (void)unused;
    struct frame f;
    bool hello_required = false;
    answer(master, WIRE_PURPOSE_MASTER, REFUSED("bbbb", "conflict"));
    assert_ok(frame_parse(frame.data, frame.length, &f, &place.e));
    assert_false(message_refused(sign_secret_public(master), NONCE, &f, &hello_required, &place.e));
    answer(place.key, WIRE_PURPOSE_MASTER, REFUSED(NONCE, "conflict"));
    assert_ok(frame_parse(frame.data, frame.length, &f, &place.e));
    assert_false(message_refused(sign_secret_public(master), NONCE, &f, &hello_required, &place.e));
    answer(master, WIRE_PURPOSE_MASTER, REFUSED(NONCE, "hello_required"));
    assert_ok(frame_parse(frame.data, frame.length, &f, &place.e));
    assert_true(message_refused(sign_secret_public(master), NONCE, &f, &hello_required, &place.e));
    assert_true(hello_required);
}

static void what_the_agent_signs_is_the_agents(void **unused) {
    (void)unused;
    struct frame f;
    struct wire_hello hello = {.type = "hello", .agent_id = "a"};
    text_clear(&frame);
    message_sign(place.key, &wire_hello_schema, &hello, &frame);
    assert_ok(frame_parse(frame.data, frame.length, &f, &place.e));
    assert_true(frame_signed_valid(&f, sign_secret_public(place.key), WIRE_PURPOSE_AGENT));
    assert_false(frame_signed_valid(&f, sign_secret_public(place.key), WIRE_PURPOSE_MASTER));
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_masters_answer_is_believed),
        TEST(an_answer_to_another_question_is_not),
        TEST(another_type_is_not),
        TEST(another_signer_or_purpose_is_not),
        TEST(unsigned_and_broken_frames_are_not),
        TEST(a_refusal_becomes_the_error_with_its_hint),
        TEST(a_refusal_of_another_message_or_by_another_is_none),
        TEST(what_the_agent_signs_is_the_agents),
    };
    return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
