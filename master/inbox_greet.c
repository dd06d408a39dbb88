/* Before there is a session: challenge, enrollment, hello, and signed refusals. */
#include "master/inbox_internal.h"

#include "lib/encode.h"
#include "lib/labels.h"
#include "lib/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CHALLENGE_LIFE_MS 60000
#define ADDRESS_SHARE 0.1 /* of a failure with a token: about forty of them close an address */

static void reply_signed(struct inbox *i, struct bus_request *r, const struct json_schema *schema,
                         const void *message) {
    OWN_TEXT struct text json = TEXT_EMPTY;
    OWN_TEXT struct text frame = TEXT_EMPTY;
    json_encode(schema, message, &json);
    frame_signed(keys_master(i->options.keys), WIRE_PURPOSE_MASTER, text_value(&json), json.length,
                 &frame);
    bus_reply(r, frame.data, frame.length);
}

void inbox_refuse(struct inbox *i, struct bus_request *r, const char *code, const char *nonce,
                  const char *text) {
    struct wire_error error = {.type = "error"};
    snprintf(error.code, sizeof error.code, "%s", code);
    snprintf(error.nonce, sizeof error.nonce, "%s", nonce);
    snprintf(error.text, sizeof error.text, "%s", text);
    reply_signed(i, r, &wire_error_schema, &error);
}

static void refuse_err(struct inbox *i, struct bus_request *r, const char *nonce,
                       const struct err *e) {
    struct wire_error error = {.type = "error"};
    snprintf(error.code, sizeof error.code, "%s", err_code_name(e->code));
    snprintf(error.nonce, sizeof error.nonce, "%s", nonce);
    memcpy(error.text, e->text, sizeof error.text);
    memcpy(error.hint, e->hint, sizeof error.hint);
    reply_signed(i, r, &wire_error_schema, &error);
}

void inbox_frame_nonce(const unsigned char session[SESSION_ID_SIZE], uint64_t sequence,
                       char out[WIRE_NONCE_HEX_SIZE]) {
    encode_hex(session, SESSION_ID_SIZE, out);
    snprintf(out + 2 * SESSION_ID_SIZE, WIRE_NONCE_HEX_SIZE - 2 * SESSION_ID_SIZE, "%016" PRIx64,
             sequence);
}

void inbox_refuse_frame(struct inbox *i, struct bus_request *r, const struct frame *f,
                        const struct err *e) {
    char nonce[WIRE_NONCE_HEX_SIZE];
    inbox_frame_nonce(f->session, f->sequence, nonce);
    refuse_err(i, r, nonce, e);
}

void inbox_require_hello(struct inbox *i, struct bus_request *r, const struct frame *f) {
    char nonce[WIRE_NONCE_HEX_SIZE];
    inbox_frame_nonce(f->session, f->sequence, nonce);
    inbox_refuse(i, r, "hello_required", nonce, "unknown session");
}

/* 8 bytes of time, 24 of a keyed hash over time and nonce. */
static void make_challenge(const struct inbox *i, int64_t at_ms, const char *nonce,
                           char out[WIRE_NONCE_HEX_SIZE]) {
    unsigned char bytes[SESSION_NONCE_SIZE], input[8 + WIRE_NONCE_HEX_SIZE] = {0};
    for (int byte = 0; byte < 8; byte++)
        bytes[byte] = input[byte] = (unsigned char)((uint64_t)at_ms >> (8 * byte));
    snprintf((char *)input + 8, sizeof input - 8, "%s", nonce);
    secret_mac(i->challenge_key, input, sizeof input, bytes + 8, sizeof bytes - 8);
    encode_hex(bytes, sizeof bytes, out);
}

static bool challenge_valid(const struct inbox *i, const char *challenge, const char *nonce,
                            int64_t now_ms) {
    unsigned char bytes[SESSION_NONCE_SIZE];
    char expected[WIRE_NONCE_HEX_SIZE];
    if (!decode_hex(challenge, bytes, sizeof bytes)) return false;
    uint64_t at_ms = 0;
    for (int byte = 7; byte >= 0; byte--) at_ms = at_ms << 8 | bytes[byte];
    make_challenge(i, (int64_t)at_ms, nonce, expected);
    return secret_equal(expected, challenge) && now_ms - (int64_t)at_ms < CHALLENGE_LIFE_MS;
}

void inbox_free_spent(struct inbox *i) {
    for (struct spent_challenge *s = i->spent, *older; s != NULL; s = older) {
        older = s->older;
        free(s);
    }
    i->spent = NULL;
}

/* Under the lock: whether it was spent before. Drops those that would be refused for their age. */
static bool is_spent(struct inbox *i, const char *challenge, int64_t now_ms) {
    struct spent_challenge **at = &i->spent;
    while (*at != NULL && now_ms - (*at)->at_ms < CHALLENGE_LIFE_MS) {
        if (strcmp((*at)->challenge, challenge) == 0) return true;
        at = &(*at)->older;
    }
    for (struct spent_challenge *old = *at, *older; old != NULL; old = older) {
        older = old->older;
        free(old);
    }
    *at = NULL;
    return false;
}

/* A replayed enrollment must not take another use off its token. */
static bool spend_challenge(struct inbox *i, const char *challenge) {
    int64_t now_ms = i->options.now_ms();
    pthread_mutex_lock(&i->lock);
    bool fresh = !is_spent(i, challenge, now_ms);
    if (fresh) {
        struct spent_challenge *s = memory_zeroed(1, sizeof *s);
        snprintf(s->challenge, sizeof s->challenge, "%s", challenge);
        s->at_ms = now_ms;
        s->older = i->spent;
        i->spent = s;
    }
    pthread_mutex_unlock(&i->lock);
    return fresh;
}

static void take_challenge_request(struct inbox *i, struct bus_request *r, const struct frame *f) {
    struct wire_challenge_request question;
    struct wire_challenge answer = {.type = "challenge", .http_port = i->http_port};
    struct err e;
    if (!json_decode(&wire_challenge_request_schema, f->json, f->json_length, JSON_IGNORE_UNKNOWN,
                     &question, &e) ||
        strcmp(question.type, "challenge") != 0) {
        bus_discard(r);
        return;
    }
    memcpy(answer.nonce, question.nonce, sizeof answer.nonce);
    make_challenge(i, i->options.now_ms(), question.nonce, answer.challenge);
    sign_public_text(sign_secret_public(keys_master(i->options.keys)), answer.master_key);
    sign_public_text(keys_release(i->options.keys), answer.release_key);
    reply_signed(i, r, &wire_challenge_schema, &answer);
}

static bool is_for_us(const struct inbox *i, const char *master_key, struct err *e) {
    char mine[SIGN_PUBLIC_TEXT_SIZE];
    sign_public_text(sign_secret_public(keys_master(i->options.keys)), mine);
    if (strcmp(mine, master_key) == 0) return true;
    err_set(e, ERR_UNTRUSTED, "the message is for another master");
    return err_hint(e, "join again with a fresh join string: gridctl agent join-command");
}

static bool check_enroll(struct inbox *i, const struct wire_enroll *m, const struct frame *f,
                         struct sign_public *key, struct err *e) {
    if (!wire_agent_id_check(m->agent_id, e) || !is_for_us(i, m->master_key, e) ||
        !sign_public_parse(m->public_key, key, e))
        return false;
    if (!frame_signed_valid(f, key, WIRE_PURPOSE_AGENT))
        return err_set(e, ERR_UNTRUSTED, "the enrollment is not signed by its own key");
    if (!challenge_valid(i, m->challenge, m->nonce, i->options.now_ms()) ||
        !spend_challenge(i, m->challenge))
        return err_set(e, ERR_UNTRUSTED, "the enrollment's challenge is not ours, used or too old");
    return true;
}

static bool run_enrollment(struct inbox *i, const struct wire_enroll *m,
                           const struct sign_public *key, const char *token, const char *address,
                           enum agent_admission *admission, struct err *e) {
    const char *platform = platform_canonical(m->platform),
               *arch = platform_arch_canonical(m->arch);
    OWN_TEXT struct text labels = TEXT_EMPTY;
    if (platform == NULL || arch == NULL)
        return err_set(e, ERR_INVALID, "platform %s-%s is not known", m->platform, m->arch);
    if (!labels_parse(m->labels != NULL ? m->labels : "", &labels, e)) return false;
    const struct agent_enrollment in = {.id = m->agent_id,
                                        .public_key = key,
                                        .token = token,
                                        .labels = text_value(&labels),
                                        .platform = platform,
                                        .arch = arch,
                                        .address = address,
                                        .approve = i->options.approve_agents};
    return agents_enroll(i->options.agents, &in, admission, e);
}

/* Failures count against the token they were tried with and a little against the address, so that
 * one machine with a stale token does not keep a hundred others behind its address from joining. */
struct failure_keys {
    const char *address;
    char token[BUS_ADDRESS_SIZE + SECRET_ID_SIZE]; /* "" until it is known */
};

static bool limit_failures(struct inbox *i, const char *key, const char *address, struct err *e) {
    int64_t wait_ms = 0;
    if (rate_limiter_allows(i->failures, key, i->options.now_ms(), &wait_ms)) return true;
    return err_set(e, ERR_RATE_LIMITED, "too many failed enrollments from %s: wait %" PRId64 " s",
                   address, wait_ms / 1000 + 1);
}

static void count_failure(struct inbox *i, const struct failure_keys *keys) {
    int64_t now_ms = i->options.now_ms();
    bool token = keys->token[0] != '\0';
    if (token) (void)rate_limiter_take(i->failures, keys->token, 1, now_ms, NULL);
    (void)rate_limiter_take(i->failures, keys->address, token ? ADDRESS_SHARE : 1, now_ms, NULL);
}

/* Opens the sealed token. Who has not even one that looks like it counts as an address. */
static bool open_token(struct inbox *i, const struct wire_enroll *m, char token[SECRET_TEXT_SIZE],
                       struct failure_keys *keys, struct err *e) {
    char id[SECRET_ID_SIZE];
    if (!sign_unseal(keys_master(i->options.keys), m->token, token, SECRET_TEXT_SIZE, e) ||
        !secret_id("gj", token, id, e))
        return false;
    snprintf(keys->token, sizeof keys->token, "%s %s", keys->address, id);
    return limit_failures(i, keys->token, keys->address, e);
}

static bool enroll(struct inbox *i, const struct bus_request *r, const struct frame *f,
                   const struct wire_enroll *m, enum agent_admission *admission, struct err *e) {
    struct sign_public key;
    char token[SECRET_TEXT_SIZE] = "";
    const char *address = bus_request_address(r);
    struct failure_keys keys = {.address = address};
    if (!limit_failures(i, address, address, e)) return false;
    bool enrolled = check_enroll(i, m, f, &key, e) && open_token(i, m, token, &keys, e) &&
                    run_enrollment(i, m, &key, token, address, admission, e);
    secret_wipe(token, sizeof token);
    if (enrolled) return true;
    log_warn("inbox.enroll_refused", "agent=%s address=%s code=%s error=%s", m->agent_id, address,
             err_code_name(e->code), e->text);
    if (e->code == ERR_UNAUTHENTICATED || e->code == ERR_UNTRUSTED) count_failure(i, &keys);
    return false;
}

static void take_enroll(struct inbox *i, struct bus_request *r, const struct frame *f) {
    struct wire_enroll m;
    enum agent_admission admission = ADMISSION_PENDING;
    struct err e = {0};
    if (!json_decode(&wire_enroll_schema, f->json, f->json_length, JSON_IGNORE_UNKNOWN, &m, &e)) {
        refuse_err(i, r, "", &e);
        return;
    }
    if (enroll(i, r, f, &m, &admission, &e)) {
        struct wire_enrolled answer = {.type = "enrolled"};
        memcpy(answer.nonce, m.nonce, sizeof answer.nonce);
        memcpy(answer.agent_id, m.agent_id, sizeof answer.agent_id);
        snprintf(answer.status, sizeof answer.status, "%s",
                 admission == ADMISSION_PENDING ? "pending" : "up");
        reply_signed(i, r, &wire_enrolled_schema, &answer);
    } else {
        refuse_err(i, r, m.nonce, &e);
    }
    json_clear(&wire_enroll_schema, &m);
}

static bool check_hello(const struct inbox *i, const struct wire_hello *m, const struct frame *f,
                        struct err *e) {
    struct sign_public key;
    enum agent_admission admission;
    if (!is_for_us(i, m->master_key, e) ||
        !agents_identity(i->options.agents, m->agent_id, &key, &admission, e))
        return false;
    if (!frame_signed_valid(f, &key, WIRE_PURPOSE_AGENT))
        return err_set(e, ERR_UNTRUSTED, "the hello is not signed by the key of agent %s",
                       m->agent_id);
    if (admission == ADMISSION_REVOKED)
        return err_set(e, ERR_DENIED, "agent %s was revoked", m->agent_id);
    if (admission == ADMISSION_ADMITTED) return true;
    err_set(e, ERR_DENIED, "agent %s waits for approval", m->agent_id);
    return err_hint(e, "an operator runs: gridctl agent approve %s", m->agent_id);
}

static bool begin_session(struct inbox *i, const struct wire_hello *m,
                          struct wire_hello_answer *answer, struct err *e) {
    unsigned char nonce[SESSION_NONCE_SIZE], peer[SESSION_KEY_SIZE], id[SESSION_ID_SIZE];
    struct session_exchange mine;
    struct session session;
    if (!decode_hex(m->nonce, nonce, sizeof nonce) ||
        !decode_hex(m->exchange_key, peer, sizeof peer))
        return err_set(e, ERR_INVALID, "hello: nonce and exchange_key are 64 hex digits");
    session_exchange_new(&mine);
    random_bytes(id, sizeof id);
    encode_hex(id, sizeof id, answer->session);
    encode_hex(mine.public_key, sizeof mine.public_key, answer->exchange_key);
    if (!session_begin(&session, SESSION_MASTER, id, nonce, &mine, peer, e) ||
        !agents_greet(i->options.agents, m->agent_id, m->generation, e))
        return false;
    bool added = inbox_add_session(i, &session, m, e);
    secret_wipe(&session, sizeof session);
    return added;
}

static void take_hello(struct inbox *i, struct bus_request *r, const struct frame *f) {
    struct wire_hello m;
    struct wire_hello_answer answer = {
        .type = "hello", .interval_ms = i->options.interval_ms, .http_port = i->http_port};
    struct err e = {0};
    inbox_tell_pin(i, answer.http_pin);
    if (!json_decode(&wire_hello_schema, f->json, f->json_length, JSON_IGNORE_UNKNOWN, &m, &e)) {
        refuse_err(i, r, "", &e);
    } else if (!check_hello(i, &m, f, &e) || !begin_session(i, &m, &answer, &e)) {
        log_warn("inbox.hello_refused", "agent=%s address=%s error=%s", m.agent_id,
                 bus_request_address(r), e.text);
        refuse_err(i, r, m.nonce, &e);
    } else {
        memcpy(answer.nonce, m.nonce, sizeof answer.nonce);
        memcpy(answer.agent_id, m.agent_id, sizeof answer.agent_id);
        reply_signed(i, r, &wire_hello_answer_schema, &answer);
    }
}

void inbox_take_greeting(struct inbox *i, struct bus_request *r, const struct frame *f) {
    struct wire_type type;
    struct err e;
    if (!json_decode(&wire_type_schema, f->json, f->json_length, JSON_IGNORE_UNKNOWN, &type, &e))
        bus_discard(r);
    else if (f->kind == FRAME_PLAIN)
        take_challenge_request(i, r, f);
    else if (strcmp(type.type, "enroll") == 0)
        take_enroll(i, r, f);
    else if (strcmp(type.type, "hello") == 0)
        take_hello(i, r, f);
    else
        bus_discard(r);
}
