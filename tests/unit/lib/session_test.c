#include "lib/session.h"

#include "lib/encode.h"
#include "lib/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define JSON "{\"type\":\"heartbeat\"}"

struct pair {
    struct session agent, master;
};

/* Both ends of one session. */
static struct pair begin_pair(void) {
    struct pair p;
    struct err e = {0};
    unsigned char id[SESSION_ID_SIZE], nonce[SESSION_NONCE_SIZE];
    struct session_exchange agent, master, agent_again;
    random_bytes(id, sizeof id);
    random_bytes(nonce, sizeof nonce);
    session_exchange_new(&agent);
    session_exchange_new(&master);
    agent_again = agent;
    assert_true(session_begin(&p.agent, SESSION_AGENT, id, nonce, &agent, master.public_key, &e));
    assert_true(
        session_begin(&p.master, SESSION_MASTER, id, nonce, &master, agent_again.public_key, &e));
    return p;
}

static bool take(struct session *s, const void *bytes, size_t length, struct err *e) {
    struct frame f;
    *e = (struct err){0};
    return frame_parse(bytes, length, &f, e) && session_open(s, &f, e);
}

static bool take_text(struct session *s, const struct text *t, struct err *e) {
    return take(s, t->data, t->length, e);
}

static void sealed_frames_open_at_the_other_end(void **state) {
    (void)state;
    struct err e = {0};
    struct frame f;
    struct pair p = begin_pair();
    OWN_TEXT struct text there = TEXT_EMPTY;
    OWN_TEXT struct text back = TEXT_EMPTY;
    session_seal(&p.agent, 0, JSON, strlen(JSON), &there);
    assert_true(frame_parse(there.data, there.length, &f, &e));
    assert_int_equal(f.kind, FRAME_SESSION);
    assert_memory_equal(f.session, p.master.id, SESSION_ID_SIZE);
    assert_int_equal(f.sequence, 1);
    assert_int_equal(f.answers, 0);
    assert_int_equal(f.json_length, strlen(JSON));
    assert_memory_equal(f.json, JSON, f.json_length);
    assert_true(session_open(&p.master, &f, &e));
    session_seal(&p.master, f.sequence, "{}", 2, &back);
    assert_true(frame_parse(back.data, back.length, &f, &e));
    assert_int_equal(f.answers, 1);
    assert_true(session_open(&p.agent, &f, &e));
}

/* The bytes as the header of lib/session.h lays them out. */
static void the_layout_is_the_documented_one(void **state) {
    (void)state;
    static const unsigned char numbers[] = {7,    6,    5,    4,    3,    2,    1,    0,
                                            0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11};
    struct pair p = begin_pair();
    OWN_TEXT struct text frame = TEXT_EMPTY;
    p.agent.sent = 0x0001020304050606;
    session_seal(&p.agent, 0x1112131415161718, "{}", 2, &frame);
    assert_int_equal(frame.length, 1 + 16 + 8 + 8 + 32 + 2);
    assert_int_equal(frame.data[0], 'S');
    assert_memory_equal(frame.data + 1, p.agent.id, 16);
    assert_memory_equal(frame.data + 17, numbers, sizeof numbers);
    assert_memory_equal(frame.data + 65, "{}", 2);
}

static void every_altered_byte_is_refused(void **state) {
    (void)state;
    struct err e;
    struct pair p = begin_pair();
    OWN_TEXT struct text frame = TEXT_EMPTY;
    session_seal(&p.agent, 5, JSON, strlen(JSON), &frame);
    for (size_t i = 0; i < frame.length; i++) {
        for (int bit = 0; bit < 8; bit++) {
            frame.data[i] = (char)(frame.data[i] ^ 1 << bit);
            assert_false(take_text(&p.master, &frame, &e));
            assert_true(e.code == ERR_UNTRUSTED || (i == 0 && e.code == ERR_INVALID));
            frame.data[i] = (char)(frame.data[i] ^ 1 << bit);
        }
    }
    assert_int_equal(p.master.received, 0); /* what is refused leaves no trace */
    assert_true(take_text(&p.master, &frame, &e));
}

static void every_truncation_is_refused(void **state) {
    (void)state;
    struct err e;
    struct pair p = begin_pair();
    OWN_TEXT struct text frame = TEXT_EMPTY;
    session_seal(&p.agent, 0, JSON, strlen(JSON), &frame);
    for (size_t length = 0; length < frame.length; length++) {
        OWN_MEMORY char *cut = memory_zeroed(length, 1); /* its end is guarded */
        memcpy(cut, frame.data, length);
        assert_false(take(&p.master, cut, length, &e));
    }
    text_add(&frame, " ");
    assert_false(take_text(&p.master, &frame, &e));
}

static void a_frame_is_taken_once(void **state) {
    (void)state;
    struct err e;
    struct pair p = begin_pair();
    OWN_TEXT struct text frame = TEXT_EMPTY;
    session_seal(&p.agent, 0, JSON, strlen(JSON), &frame);
    assert_true(take_text(&p.master, &frame, &e));
    assert_false(take_text(&p.master, &frame, &e));
    assert_int_equal(e.code, ERR_UNTRUSTED);
    assert_non_null(strstr(e.text, "taken before"));
}

/* Frames 1..COUNT, each as a text of its own. */
#define COUNT 200
static void seal_many(struct session *s, struct text frames[COUNT + 1]) {
    for (size_t i = 1; i <= COUNT; i++) {
        frames[i] = TEXT_EMPTY;
        session_seal(s, 0, JSON, strlen(JSON), &frames[i]);
    }
}

static void free_many(struct text frames[COUNT + 1]) {
    for (size_t i = 1; i <= COUNT; i++) text_fini(&frames[i]);
}

static void frames_may_change_places_within_the_window(void **state) {
    (void)state;
    struct err e;
    struct pair p = begin_pair();
    struct text frames[COUNT + 1];
    seal_many(&p.agent, frames);
    assert_true(take_text(&p.master, &frames[64], &e));
    for (size_t i = 63; i > 0; i--) assert_true(take_text(&p.master, &frames[i], &e));
    for (size_t i = 1; i <= 64; i++) assert_false(take_text(&p.master, &frames[i], &e));
    assert_true(take_text(&p.master, &frames[66], &e));
    assert_true(take_text(&p.master, &frames[65], &e));
    assert_false(take_text(&p.master, &frames[65], &e));
    assert_false(take_text(&p.master, &frames[66], &e));
    free_many(frames);
}

static void frames_beyond_the_window_are_refused(void **state) {
    (void)state;
    struct err e;
    struct pair p = begin_pair();
    struct text frames[COUNT + 1];
    seal_many(&p.agent, frames);
    assert_true(take_text(&p.master, &frames[100], &e));
    assert_false(take_text(&p.master, &frames[36], &e)); /* 64 behind */
    assert_int_equal(e.code, ERR_UNTRUSTED);
    assert_non_null(strstr(e.text, "too old"));
    assert_true(take_text(&p.master, &frames[37], &e));  /* 63 behind */
    assert_true(take_text(&p.master, &frames[200], &e)); /* far ahead: everything behind is old */
    assert_false(take_text(&p.master, &frames[100], &e));
    assert_false(take_text(&p.master, &frames[101], &e));
    assert_true(take_text(&p.master, &frames[137], &e));
    assert_false(take_text(&p.master, &frames[137], &e));
    assert_false(take_text(&p.master, &frames[200], &e));
    free_many(frames);
}

/* Every jump from one sequence to another, against the plain rule. */
static void the_window_follows_the_plain_rule(void **state) {
    (void)state;
    struct text frames[COUNT + 1];
    struct pair p = begin_pair();
    seal_many(&p.agent, frames);
    for (int round = 0; round < 20; round++) {
        struct session fresh = p.master;
        bool taken[COUNT + 1] = {0};
        size_t highest = 0;
        for (int step = 0; step < 400; step++) {
            struct err e;
            size_t i = 1 + random_below(COUNT);
            bool expected = !taken[i] && i + 64 > highest;
            assert_int_equal(take_text(&fresh, &frames[i], &e), expected);
            taken[i] = taken[i] || expected;
            highest = i > highest ? i : highest;
        }
    }
    free_many(frames);
}

static void the_last_sequence_of_all_is_taken(void **state) {
    (void)state;
    struct err e;
    struct pair p = begin_pair();
    OWN_TEXT struct text frame = TEXT_EMPTY;
    p.agent.sent = UINT64_MAX - 1;
    session_seal(&p.agent, 0, JSON, strlen(JSON), &frame);
    assert_true(take_text(&p.master, &frame, &e));
    assert_false(take_text(&p.master, &frame, &e));
}

/* A peer that holds the keys and counts wrongly: its sequence wraps round to 0. */
static void sequence_zero_is_refused(void **state) {
    (void)state;
    struct err e = {0};
    struct frame f;
    struct pair p = begin_pair();
    OWN_TEXT struct text frame = TEXT_EMPTY;
    session_seal(&p.agent, 0, JSON, strlen(JSON), &frame);
    assert_true(frame_parse(frame.data, frame.length, &f, &e));
    f.sequence = 0;
    assert_false(session_open(&p.master, &f, &e));
    assert_int_equal(e.code, ERR_UNTRUSTED);
}

static void a_frame_does_not_open_where_it_was_made(void **state) {
    (void)state;
    struct err e;
    struct pair p = begin_pair();
    OWN_TEXT struct text frame = TEXT_EMPTY;
    assert_memory_not_equal(p.agent.send_key, p.agent.receive_key, SESSION_KEY_SIZE);
    session_seal(&p.agent, 0, JSON, strlen(JSON), &frame);
    assert_false(take_text(&p.agent, &frame, &e));
    assert_int_equal(e.code, ERR_UNTRUSTED);
    assert_non_null(strstr(e.text, "altered"));
}

static void a_frame_of_another_session_is_refused(void **state) {
    (void)state;
    struct err e;
    struct pair p = begin_pair(), other = begin_pair();
    OWN_TEXT struct text frame = TEXT_EMPTY;
    session_seal(&p.agent, 0, JSON, strlen(JSON), &frame);
    assert_false(take_text(&other.master, &frame, &e));
    assert_int_equal(e.code, ERR_UNTRUSTED);
    assert_non_null(strstr(e.text, "this session"));
    memcpy(frame.data + 1, other.master.id, SESSION_ID_SIZE); /* and its id does not help */
    assert_false(take_text(&other.master, &frame, &e));
    assert_non_null(strstr(e.text, "altered"));
}

/* What both sides signed goes into the keys: another id is no matter, another nonce is. */
static void keys_depend_on_nonce_and_on_both_exchange_keys(void **state) {
    (void)state;
    struct err e = {0};
    unsigned char id[SESSION_ID_SIZE] = {1}, nonce[SESSION_NONCE_SIZE] = {2}, other_nonce[32] = {3};
    struct session_exchange agent, master, mallory;
    session_exchange_new(&agent);
    session_exchange_new(&master);
    session_exchange_new(&mallory);
    struct session_exchange copies[3] = {agent, agent, agent};
    struct session a, b, c;
    assert_true(session_begin(&a, SESSION_AGENT, id, nonce, &copies[0], master.public_key, &e));
    assert_true(
        session_begin(&b, SESSION_AGENT, id, other_nonce, &copies[1], master.public_key, &e));
    assert_true(session_begin(&c, SESSION_AGENT, id, nonce, &copies[2], mallory.public_key, &e));
    assert_memory_not_equal(a.send_key, b.send_key, SESSION_KEY_SIZE);
    assert_memory_not_equal(a.receive_key, b.receive_key, SESSION_KEY_SIZE);
    assert_memory_not_equal(a.send_key, c.send_key, SESSION_KEY_SIZE);
    assert_memory_not_equal(a.receive_key, c.receive_key, SESSION_KEY_SIZE);
}

static void the_exchange_secret_is_wiped(void **state) {
    (void)state;
    struct err e = {0};
    struct session s;
    unsigned char id[SESSION_ID_SIZE] = {0}, nonce[SESSION_NONCE_SIZE] = {0}, none[32] = {0};
    struct session_exchange mine, theirs;
    session_exchange_new(&mine);
    session_exchange_new(&theirs);
    assert_memory_not_equal(mine.secret_key, none, sizeof none);
    assert_true(session_begin(&s, SESSION_MASTER, id, nonce, &mine, theirs.public_key, &e));
    assert_memory_equal(mine.secret_key, none, sizeof none);
}

static void degenerate_exchange_keys_are_refused(void **state) {
    (void)state;
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    unsigned char id[SESSION_ID_SIZE] = {0}, nonce[SESSION_NONCE_SIZE] = {0}, none[32] = {0};
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        struct err e = {0};
        struct session s;
        struct session_exchange mine;
        unsigned char point[SESSION_KEY_SIZE];
        session_exchange_new(&mine);
        assert_true(decode_hex(points[i], point, sizeof point));
        assert_false(session_begin(&s, SESSION_AGENT, id, nonce, &mine, point, &e));
        assert_int_equal(e.code, ERR_UNTRUSTED);
        assert_memory_equal(mine.secret_key, none, sizeof none);
    }
}

/* Computed with X25519 of Python's cryptography and BLAKE2b of its hashlib. */
static void keys_agree_with_another_implementation(void **state) {
    (void)state;
    struct err e = {0};
    struct session s;
    struct session_exchange agent;
    unsigned char id[SESSION_ID_SIZE], nonce[SESSION_NONCE_SIZE], master[SESSION_KEY_SIZE];
    OWN_TEXT struct text frame = TEXT_EMPTY;
    char hex[2 * 70 + 1];
    memset(id, 7, sizeof id);
    memset(nonce, 9, sizeof nonce);
    assert_true(decode_hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
                           agent.secret_key, 32));
    assert_true(decode_hex("8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f",
                           agent.public_key, 32));
    assert_true(
        decode_hex("7d9c24316539825c1896e57f28197746793ce60cbee3ad47da9d07b85fa55e2a", master, 32));
    assert_true(session_begin(&s, SESSION_AGENT, id, nonce, &agent, master, &e));
    assert_string_equal(encode_hex(s.send_key, 32, hex),
                        "d4059133faa680d31e780d5462df1a8953c97653e5cde23dc8f69f1fa471009c");
    assert_string_equal(encode_hex(s.receive_key, 32, hex),
                        "a1cbe08a95422a78cdcbef37315e37be33a54aede3780ad1b1cb9a1e22f93a9c");
    session_seal(&s, 2, "{}", 2, &frame);
    assert_string_equal(encode_hex(frame.data, frame.length, hex),
                        "5307070707070707070707070707070707010000000000000002000000000000008ee7e500"
                        "c2750c2c933045db72f60a3cb62148e8296156cd55637c356f918a177b7d");
}

static void signed_frames_are_bound_to_signer_and_purpose(void **state) {
    (void)state;
    struct err e = {0};
    struct frame f;
    OWN(sign_secret) struct sign_secret *key = NULL;
    OWN(sign_secret) struct sign_secret *other = NULL;
    OWN_TEXT struct text frame = TEXT_EMPTY;
    assert_true(sign_generate(&key, &e));
    assert_true(sign_generate(&other, &e));
    const struct sign_public *by = sign_secret_public(key);
    frame_signed(key, "purpose", JSON, strlen(JSON), &frame);
    assert_true(frame_parse(frame.data, frame.length, &f, &e));
    assert_int_equal(f.kind, FRAME_SIGNED);
    assert_memory_equal(f.json, JSON, f.json_length);
    assert_true(frame_signed_valid(&f, by, "purpose"));
    assert_false(frame_signed_valid(&f, by, "another purpose"));
    assert_false(frame_signed_valid(&f, sign_secret_public(other), "purpose"));
    for (size_t i = 0; i < frame.length; i++) {
        frame.data[i] ^= 1;
        assert_false(frame_parse(frame.data, frame.length, &f, &e) &&
                     frame_signed_valid(&f, by, "purpose"));
        frame.data[i] ^= 1;
    }
}

static void plain_frames_prove_nothing(void **state) {
    (void)state;
    struct err e = {0};
    struct frame f;
    struct pair p = begin_pair();
    OWN(sign_secret) struct sign_secret *key = NULL;
    OWN_TEXT struct text frame = TEXT_EMPTY;
    assert_true(sign_generate(&key, &e));
    frame_plain(JSON, strlen(JSON), &frame);
    assert_int_equal(frame.data[0], 'P');
    assert_true(frame_parse(frame.data, frame.length, &f, &e));
    assert_int_equal(f.kind, FRAME_PLAIN);
    assert_memory_equal(f.json, JSON, f.json_length);
    assert_null(f.authenticator);
    assert_false(frame_signed_valid(&f, sign_secret_public(key), "purpose"));
    assert_false(session_open(&p.master, &f, &e));
    assert_int_equal(e.code, ERR_UNTRUSTED);
}

static void malformed_frames_are_refused(void **state) {
    (void)state;
    char zeros[66] = {0};
    static const char first[] = {'P', 'K', 'S', 'X', 'p', '{', '\0', '\xff'};
    struct frame f;
    struct err e = {0};
    assert_false(frame_parse("", 0, &f, &e));
    assert_int_equal(e.code, ERR_INVALID);
    for (size_t i = 0; i < sizeof first; i++) {
        size_t header = i == 0 ? 1 : 65; /* of K and S alike; unknown kinds fail at any length */
        zeros[0] = first[i];
        assert_false(frame_parse(zeros, header, &f, &e));
        assert_int_equal(e.code, ERR_INVALID);
        assert_int_equal(frame_parse(zeros, header + 1, &f, &e), i < 3);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealed_frames_open_at_the_other_end),
        cmocka_unit_test(the_layout_is_the_documented_one),
        cmocka_unit_test(every_altered_byte_is_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(a_frame_is_taken_once),
        cmocka_unit_test(frames_may_change_places_within_the_window),
        cmocka_unit_test(frames_beyond_the_window_are_refused),
        cmocka_unit_test(the_window_follows_the_plain_rule),
        cmocka_unit_test(the_last_sequence_of_all_is_taken),
        cmocka_unit_test(sequence_zero_is_refused),
        cmocka_unit_test(a_frame_does_not_open_where_it_was_made),
        cmocka_unit_test(a_frame_of_another_session_is_refused),
        cmocka_unit_test(keys_depend_on_nonce_and_on_both_exchange_keys),
        cmocka_unit_test(the_exchange_secret_is_wiped),
        cmocka_unit_test(degenerate_exchange_keys_are_refused),
        cmocka_unit_test(keys_agree_with_another_implementation),
        cmocka_unit_test(signed_frames_are_bound_to_signer_and_purpose),
        cmocka_unit_test(plain_frames_prove_nothing),
        cmocka_unit_test(malformed_frames_are_refused),
    };
    sign_setup();
    return cmocka_run_group_tests_name("lib/session", tests, NULL, NULL);
}
