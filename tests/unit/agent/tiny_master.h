/* The master's side of the bus, as small as it can be, on a thread of its own: challenge, enroll,
 * hello, heartbeats. Tests set how it behaves and look at what it saw. */
#pragma once

#include "lib/bus.h"
#include "lib/clock.h"
#include "lib/encode.h"
#include "lib/session.h"
#include "lib/wire.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tiny_master {
    struct bus_server *bus;
    struct sign_secret *key, *release, *impostor;
    pthread_t thread;
    /* behaviour, set before or between */
    atomic_bool refuse_enroll, lie_about_keys, forget_sessions, be_impostor, swap_answers;
    atomic_bool park; /* hold each heartbeat until the next one or tiny_release */
    atomic_int generation;
    atomic_int log_request;
    void (*reported)(const char *json, size_t length); /* under the lock; NULL: nobody listens */
    /* what was seen */
    atomic_int hellos, heartbeats, sessions, parked_now, goodbyes;
    atomic_int_fast64_t hello_generation;
    pthread_mutex_t lock; /* guards everything below */
    char token[128];
    char enrolled_id[64];
    char labels[128];
    char last_report[4096];
    struct sign_public agent_key;
    struct session session;
    bool has_session;
    struct bus_request *parked;
    uint64_t parked_sequence;
    char *desired; /* what is answered instead of nothing; NULL: nothing is desired */
};

static void tiny_reply(struct tiny_master *m, struct bus_request *r,
                       const struct json_schema *schema, const void *message) {
    OWN_TEXT struct text json = TEXT_EMPTY;
    OWN_TEXT struct text frame = TEXT_EMPTY;
    json_encode(schema, message, &json);
    frame_signed(atomic_load(&m->be_impostor) ? m->impostor : m->key, WIRE_PURPOSE_MASTER,
                 json.data, json.length, &frame);
    bus_reply(r, frame.data, frame.length);
}

static void tiny_refuse(struct tiny_master *m, struct bus_request *r, const char *nonce,
                        const char *code, const char *text) {
    struct wire_error error = {.type = "error"};
    snprintf(error.nonce, sizeof error.nonce, "%s", nonce);
    snprintf(error.code, sizeof error.code, "%s", code);
    snprintf(error.text, sizeof error.text, "%s", text);
    snprintf(error.hint, sizeof error.hint, "try --id");
    tiny_reply(m, r, &wire_error_schema, &error);
}

static void tiny_challenge(struct tiny_master *m, struct bus_request *r, const struct frame *f) {
    struct wire_challenge_request question;
    struct wire_challenge answer = {.type = "challenge", .http_port = 7001};
    if (!json_decode(&wire_challenge_request_schema, f->json, f->json_length, JSON_IGNORE_UNKNOWN,
                     &question, NULL))
        abort();
    memcpy(answer.nonce, question.nonce, sizeof answer.nonce);
    random_hex(32, answer.challenge);
    bool lie = atomic_load(&m->lie_about_keys);
    sign_public_text(sign_secret_public(m->key), answer.master_key);
    sign_public_text(sign_secret_public(lie ? m->impostor : m->release), answer.release_key);
    tiny_reply(m, r, &wire_challenge_schema, &answer);
}

static void tiny_enroll(struct tiny_master *m, struct bus_request *r, const struct frame *f) {
    struct wire_enroll e;
    struct wire_enrolled answer = {.type = "enrolled", .status = "up"};
    if (!json_decode(&wire_enroll_schema, f->json, f->json_length, JSON_IGNORE_UNKNOWN, &e, NULL))
        abort();
    pthread_mutex_lock(&m->lock);
    bool proven = sign_public_parse(e.public_key, &m->agent_key, NULL) &&
                  frame_signed_valid(f, &m->agent_key, WIRE_PURPOSE_AGENT) &&
                  sign_unseal(m->key, e.token, m->token, sizeof m->token, NULL);
    snprintf(m->enrolled_id, sizeof m->enrolled_id, "%s", e.agent_id);
    snprintf(m->labels, sizeof m->labels, "%s", e.labels);
    pthread_mutex_unlock(&m->lock);
    memcpy(answer.nonce, e.nonce, sizeof answer.nonce);
    memcpy(answer.agent_id, e.agent_id, sizeof answer.agent_id);
    if (!proven || atomic_load(&m->refuse_enroll))
        tiny_refuse(m, r, e.nonce, "conflict", "agent id is taken");
    else
        tiny_reply(m, r, &wire_enrolled_schema, &answer);
    json_clear(&wire_enroll_schema, &e);
}

static void tiny_hello(struct tiny_master *m, struct bus_request *r, const struct frame *f) {
    struct wire_hello h;
    struct wire_hello_answer answer = {.type = "hello", .interval_ms = 5000, .http_port = 7001};
    struct session_exchange mine;
    unsigned char id[SESSION_ID_SIZE], nonce[SESSION_NONCE_SIZE], peer[SESSION_KEY_SIZE];
    if (!json_decode(&wire_hello_schema, f->json, f->json_length, JSON_IGNORE_UNKNOWN, &h, NULL))
        abort();
    atomic_fetch_add(&m->hellos, 1);
    atomic_store(&m->hello_generation, h.generation);
    session_exchange_new(&mine);
    random_bytes(id, sizeof id);
    encode_hex(id, sizeof id, answer.session);
    encode_hex(mine.public_key, sizeof mine.public_key, answer.exchange_key);
    memcpy(answer.nonce, h.nonce, sizeof answer.nonce);
    memcpy(answer.agent_id, h.agent_id, sizeof answer.agent_id);
    if (!decode_hex(h.nonce, nonce, sizeof nonce) || !decode_hex(h.exchange_key, peer, sizeof peer))
        abort();
    pthread_mutex_lock(&m->lock);
    m->has_session = session_begin(&m->session, SESSION_MASTER, id, nonce, &mine, peer, NULL);
    pthread_mutex_unlock(&m->lock);
    tiny_reply(m, r, &wire_hello_answer_schema, &answer);
}

/* Under the lock. */
static void tiny_answer(struct tiny_master *m, struct bus_request *r, uint64_t sequence) {
    OWN_TEXT struct text json = TEXT_EMPTY;
    OWN_TEXT struct text frame = TEXT_EMPTY;
    if (m->desired != NULL)
        text_add(&json, m->desired);
    else
        text_add_format(&json,
                        "{\"type\":\"desired\",\"generation\":%d,\"mode\":\"active\",\"reason\":"
                        "\"tiny\",\"log\":{\"request_id\":%d}}",
                        atomic_load(&m->generation), atomic_load(&m->log_request));
    session_seal(&m->session, atomic_load(&m->swap_answers) ? sequence + 1 : sequence, json.data,
                 json.length, &frame);
    bus_reply(r, frame.data, frame.length);
}

/* Under the lock. */
static void tiny_unpark(struct tiny_master *m) {
    if (m->parked == NULL) return;
    tiny_answer(m, TAKE(m->parked), m->parked_sequence);
    atomic_store(&m->parked_now, 0);
}

static void tiny_heartbeat(struct tiny_master *m, struct bus_request *r, const struct frame *f) {
    char nonce[WIRE_NONCE_HEX_SIZE];
    pthread_mutex_lock(&m->lock);
    bool known = m->has_session && !atomic_exchange(&m->forget_sessions, false) &&
                 memcmp(m->session.id, f->session, SESSION_ID_SIZE) == 0 &&
                 session_open(&m->session, f, NULL);
    if (!known) {
        m->has_session = false;
        if (m->parked != NULL) bus_discard(TAKE(m->parked));
        encode_hex(f->session, SESSION_ID_SIZE, nonce);
        snprintf(nonce + 32, sizeof nonce - 32, "%016" PRIx64, f->sequence);
        tiny_refuse(m, r, nonce, "hello_required", "unknown session");
    } else {
        if (m->reported != NULL) m->reported(f->json, f->json_length);
        if (strstr(f->json, "\"goodbye\"") != NULL)
            atomic_fetch_add(&m->goodbyes, 1);
        else
            snprintf(m->last_report, sizeof m->last_report, "%.*s", (int)f->json_length, f->json);
        tiny_unpark(m);
        if (atomic_load(&m->park)) {
            m->parked = r;
            m->parked_sequence = f->sequence;
            atomic_store(&m->parked_now, 1);
        } else {
            tiny_answer(m, r, f->sequence);
            usleep(1000);
        }
    }
    pthread_mutex_unlock(&m->lock);
    atomic_fetch_add(&m->heartbeats, 1);
}

static void *tiny_run(void *master) {
    struct tiny_master *m = master;
    for (struct bus_request *r; (r = bus_server_next(m->bus, -1)) != NULL;) {
        struct frame f;
        struct wire_type type;
        size_t length = 0;
        const void *bytes = bus_request_bytes(r, &length);
        if (!frame_parse(bytes, length, &f, NULL)) abort();
        if (f.kind == FRAME_SESSION) {
            tiny_heartbeat(m, r, &f);
            continue;
        }
        if (!json_decode(&wire_type_schema, f.json, f.json_length, JSON_IGNORE_UNKNOWN, &type,
                         NULL))
            abort();
        if (strcmp(type.type, "challenge") == 0) tiny_challenge(m, r, &f);
        if (strcmp(type.type, "enroll") == 0) tiny_enroll(m, r, &f);
        if (strcmp(type.type, "hello") == 0) tiny_hello(m, r, &f);
    }
    return NULL;
}

/* Answers the parked heartbeat, as when the desired state changed. */
__attribute__((unused)) static void tiny_release(struct tiny_master *m) {
    pthread_mutex_lock(&m->lock);
    tiny_unpark(m);
    pthread_mutex_unlock(&m->lock);
}

__attribute__((unused)) static bool tiny_saw(struct tiny_master *m, const char *words) {
    pthread_mutex_lock(&m->lock);
    bool seen = strstr(m->last_report, words) != NULL;
    pthread_mutex_unlock(&m->lock);
    return seen;
}

static bool tiny_listen(struct tiny_master *m, int port, struct err *e) {
    const struct bus_server_options bus = {.address = "127.0.0.1", .port = port, .max_parked = 16};
    return bus_server_open(&m->bus, &bus, e) && pthread_create(&m->thread, NULL, tiny_run, m) == 0;
}

static void tiny_silence(struct tiny_master *m) {
    bus_server_stop(m->bus);
    pthread_join(m->thread, NULL);
    if (m->parked != NULL) bus_discard(TAKE(m->parked));
    m->has_session = false;
    bus_server_close(m->bus);
}

static bool tiny_open(struct tiny_master *m, struct err *e) {
    memset(m, 0, sizeof *m);
    pthread_mutex_init(&m->lock, NULL);
    return sign_generate(&m->key, e) && sign_generate(&m->release, e) &&
           sign_generate(&m->impostor, e) && tiny_listen(m, 0, e);
}

static void tiny_close(struct tiny_master *m) {
    tiny_silence(m);
    sign_secret_free(m->key);
    sign_secret_free(m->release);
    sign_secret_free(m->impostor);
    free(m->desired);
    pthread_mutex_destroy(&m->lock);
}
