/* A real bus server, the inbox on it, and machines that speak the real protocol to it. The inbox's
 * clock is the test's: it stands still until the test moves it. */
#pragma once

#include "lib/bus.h"
#include "lib/encode.h"
#include "lib/labels.h"
#include "lib/platform.h"
#include "master/inbox.h"
#include "tests/unit/master/master_fixture.h"

#include <stdatomic.h>
#include <time.h>

#define PATIENCE_MS 20000
#define INTERVAL_MS 5000
#define INBOX_THREADS 2
#define HTTP_PORT 7001

struct post {
    struct fixture *f;
    struct bus_server *bus;
    struct inbox *inbox;
    pthread_t threads[INBOX_THREADS];
    struct inbox_options options;
};

static atomic_llong test_clock_ms;

static inline int64_t test_now_ms(void) {
    return atomic_load(&test_clock_ms);
}

static inline void pass_ms(int64_t ms) {
    atomic_fetch_add(&test_clock_ms, ms);
}

static inline void post_changed(void *context, const char *const *agent_ids, size_t count) {
    const struct post *p = context;
    if (p->inbox != NULL) inbox_desired_changed(p->inbox, agent_ids, count);
}

static inline void post_dismissed(void *context, const char *agent_id) {
    const struct post *p = context;
    if (p->inbox != NULL) inbox_forget(p->inbox, agent_id);
}

static inline void post_open_agents(struct post *p) {
    struct err error = {0};
    const struct agents_options options = {.db = p->f->db,
                                           .catalog = p->f->catalog,
                                           .events = p->f->events,
                                           .suspect_ms = WIRE_SUSPECT_MS,
                                           .lost_ms = WIRE_LOST_MS,
                                           .desired_changed = post_changed,
                                           .dismissed = post_dismissed,
                                           .context = p};
    assert_ok(agents_open(&p->f->agents, &options, &error));
}

/* The master's half of the bus, as main.c starts it. */
static inline void post_open(struct post *p, int port) {
    struct err error = {0};
    const struct bus_server_options bus = {
        .address = "127.0.0.1", .port = port, .max_parked = 2000};
    assert_ok(bus_server_open(&p->bus, &bus, &error));
    p->options.bus = p->bus;
    p->options.keys = p->f->keys;
    p->options.agents = p->f->agents;
    p->options.interval_ms = INTERVAL_MS;
    p->options.now_ms = test_now_ms;
    p->inbox = inbox_new(&p->options);
    inbox_set_http_port(p->inbox, HTTP_PORT);
    for (int i = 0; i < INBOX_THREADS; i++)
        assert_int_equal(pthread_create(&p->threads[i], NULL, inbox_run, p->inbox), 0);
}

static inline void post_close(struct post *p) {
    bus_server_stop(p->bus);
    for (int i = 0; i < INBOX_THREADS; i++) pthread_join(p->threads[i], NULL);
    inbox_drain(p->inbox);
    struct inbox *inbox = TAKE(p->inbox);
    inbox_free(inbox);
    bus_server_close(p->bus);
}

static inline int post_setup(void **state) {
    struct post *p = memory_zeroed(1, sizeof *p);
    void *fixture = NULL;
    fixture_setup(&fixture);
    p->f = fixture;
    agents_close(p->f->agents);
    atomic_store(&test_clock_ms, 1000000);
    post_open_agents(p);
    post_open(p, 0);
    *state = p;
    return 0;
}

static inline int post_teardown(void **state) {
    struct post *p = *state;
    void *fixture = p->f;
    post_close(p);
    fixture_teardown(&fixture);
    free(p);
    return 0;
}

static inline size_t count_parked(const struct post *p) {
    return inbox_parked(p->inbox);
}

static inline size_t count_sessions(const struct post *p) {
    return inbox_sessions(p->inbox);
}

/* What is waited for comes at last, or the test fails. */
static inline void until(size_t (*count)(const struct post *p), const struct post *p, size_t wanted,
                         const char *what) {
    for (int64_t end = clock_monotonic_ms() + PATIENCE_MS; clock_monotonic_ms() < end;) {
        if (count(p) == wanted) return;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    fail_msg("%zu %s, not %zu", count(p), what, wanted);
}

static inline void until_parked(const struct post *p, size_t wanted) {
    until(count_parked, p, wanted, "parked requests");
}

static inline void until_sessions(const struct post *p, size_t wanted) {
    until(count_sessions, p, wanted, "sessions");
}

struct machine {
    char id[WIRE_AGENT_ID_SIZE];
    struct sign_secret *key;
    struct sign_public master; /* whom it believes */
    struct bus_client *bus;
    bool borrowed; /* the connection is another machine's */
    struct session session;
    struct wire_challenge challenge;
    int64_t generation;
    struct text last; /* the frame that was sent last */
};
#define OWN_MACHINE __attribute__((cleanup(machine_fini)))

static inline void machine_fini(struct machine *m) {
    if (!m->borrowed) bus_client_close(m->bus);
    sign_secret_free(m->key);
    text_fini(&m->last);
}

static inline void machine_init(struct machine *m, const struct post *p, const char *id,
                                struct bus_client *bus) {
    struct err error = {0};
    *m = (struct machine){.bus = bus, .borrowed = bus != NULL};
    snprintf(m->id, sizeof m->id, "%s", id);
    m->master = *sign_secret_public(keys_master(p->f->keys));
    assert_ok(sign_generate(&m->key, &error));
    if (bus == NULL)
        assert_ok(bus_client_open(&m->bus, "127.0.0.1", bus_server_port(p->bus), NULL, &error));
}

/* An answer, and the frame that it is. */
struct reply {
    void *bytes;
    size_t length;
    struct frame frame;
};
#define OWN_REPLY __attribute__((cleanup(reply_fini)))

static inline void reply_fini(struct reply *r) {
    free(r->bytes);
}

/* Sends the frame in m->last and waits for what comes back. */
static inline void exchange(struct machine *m, struct reply *out) {
    struct err error = {0};
    assert_ok(bus_call(m->bus, m->last.data, m->last.length, PATIENCE_MS, &out->bytes, &out->length,
                       &error));
    assert_ok(frame_parse(out->bytes, out->length, &out->frame, &error));
}

static inline void sign(struct machine *m, const char *purpose, const struct json_schema *schema,
                        const void *message) {
    OWN_TEXT struct text json = TEXT_EMPTY;
    json_encode(schema, message, &json);
    text_clear(&m->last);
    frame_signed(m->key, purpose, json.data, json.length, &m->last);
}

/* A signed answer of the master that m believes. */
static inline void read_signed(const struct machine *m, const struct reply *r,
                               const struct json_schema *schema, void *out) {
    struct err error = {0};
    assert_true(frame_signed_valid(&r->frame, &m->master, WIRE_PURPOSE_MASTER));
    assert_ok(
        json_decode(schema, r->frame.json, r->frame.json_length, JSON_IGNORE_UNKNOWN, out, &error));
}

/* The answer is a signed refusal with this code, for the message with this nonce. */
static inline void refused(const struct machine *m, const struct reply *r, const char *code,
                           const char *nonce, struct wire_error *out) {
    read_signed(m, r, &wire_error_schema, out);
    assert_string_equal(out->type, "error");
    if (strcmp(out->code, code) != 0) fail_msg("%s, not %s: %s", out->code, code, out->text);
    assert_string_equal(out->nonce, nonce);
}

static inline void ask_challenge(struct machine *m) {
    OWN_REPLY struct reply r = {0};
    OWN_TEXT struct text json = TEXT_EMPTY;
    struct wire_challenge_request question = {.type = "challenge"};
    random_hex(SESSION_NONCE_SIZE, question.nonce);
    json_encode(&wire_challenge_request_schema, &question, &json);
    text_clear(&m->last);
    frame_plain(json.data, json.length, &m->last);
    exchange(m, &r);
    read_signed(m, &r, &wire_challenge_schema, &m->challenge);
    assert_string_equal(m->challenge.nonce, question.nonce);
}

/* What an enrollment says; a test changes it before it is sent. */
static inline void fill_enroll(const struct machine *m, const char *secret,
                               struct wire_enroll *out) {
    struct err error = {0};
    struct text token = TEXT_EMPTY;
    *out = (struct wire_enroll){.type = "enroll",
                                .platform = "linux",
                                .arch = "x86_64",
                                .agent_version = "1.0.0",
                                .labels = text_duplicate("rack=a")};
    memcpy(out->nonce, m->challenge.nonce, sizeof out->nonce);
    memcpy(out->challenge, m->challenge.challenge, sizeof out->challenge);
    memcpy(out->agent_id, m->id, sizeof out->agent_id);
    sign_public_text(sign_secret_public(m->key), out->public_key);
    sign_public_text(&m->master, out->master_key);
    assert_ok(sign_seal(&m->master, secret, &token, &error));
    out->token = text_take(&token);
}

static inline void send_enroll(struct machine *m, struct wire_enroll *message, struct reply *out) {
    sign(m, WIRE_PURPOSE_AGENT, &wire_enroll_schema, message);
    json_clear(&wire_enroll_schema, message);
    exchange(m, out);
}

static inline void try_enroll(struct machine *m, const char *secret, struct reply *out) {
    struct wire_enroll message;
    ask_challenge(m);
    fill_enroll(m, secret, &message);
    send_enroll(m, &message, out);
}

static inline void enrolls_as(struct machine *m, const char *secret, const char *status) {
    OWN_REPLY struct reply r = {0};
    struct wire_enrolled answer;
    try_enroll(m, secret, &r);
    read_signed(m, &r, &wire_enrolled_schema, &answer);
    assert_string_equal(answer.type, "enrolled");
    assert_string_equal(answer.nonce, m->challenge.nonce);
    assert_string_equal(answer.agent_id, m->id);
    assert_string_equal(answer.status, status);
}

/* The hello's nonce comes back; x keeps the exchange's secret until the session begins. */
static inline void fill_hello(const struct machine *m, struct session_exchange *x,
                              struct wire_hello *out) {
    *out = (struct wire_hello){.type = "hello", .generation = m->generation};
    session_exchange_new(x);
    random_hex(SESSION_NONCE_SIZE, out->nonce);
    memcpy(out->agent_id, m->id, sizeof out->agent_id);
    sign_public_text(&m->master, out->master_key);
    encode_hex(x->public_key, sizeof x->public_key, out->exchange_key);
}

static inline void try_hello(struct machine *m, struct session_exchange *x,
                             struct wire_hello *message, struct reply *out) {
    fill_hello(m, x, message);
    sign(m, WIRE_PURPOSE_AGENT, &wire_hello_schema, message);
    exchange(m, out);
}

static inline void begin(struct machine *m, struct session_exchange *x,
                         const struct wire_hello *message, const struct reply *r) {
    struct err error = {0};
    struct wire_hello_answer answer;
    unsigned char id[SESSION_ID_SIZE], nonce[SESSION_NONCE_SIZE], peer[SESSION_KEY_SIZE];
    read_signed(m, r, &wire_hello_answer_schema, &answer);
    assert_string_equal(answer.type, "hello");
    assert_string_equal(answer.nonce, message->nonce);
    assert_string_equal(answer.agent_id, m->id);
    assert_int_equal(answer.interval_ms, INTERVAL_MS);
    assert_int_equal(answer.http_port, HTTP_PORT);
    assert_true(decode_hex(answer.session, id, sizeof id));
    assert_true(decode_hex(answer.exchange_key, peer, sizeof peer));
    assert_true(decode_hex(message->nonce, nonce, sizeof nonce));
    assert_ok(session_begin(&m->session, SESSION_AGENT, id, nonce, x, peer, &error));
}

static inline void says_hello(struct machine *m) {
    OWN_REPLY struct reply r = {0};
    struct session_exchange x;
    struct wire_hello message;
    try_hello(m, &x, &message, &r);
    begin(m, &x, &message, &r);
}

/* One node; the caller changes what it likes and clears. */
static inline void fill_report(const struct machine *m, struct wire_heartbeat *out) {
    *out = (struct wire_heartbeat){.type = "heartbeat",
                                   .generation = m->generation,
                                   .platform = "linux",
                                   .arch = "x86_64",
                                   .agent_version = "1.0.0",
                                   .labels = text_duplicate("rack=a"),
                                   .nodes = memory_zeroed(1, sizeof(struct wire_node)),
                                   .nodes_count = 1};
    memcpy(out->agent_id, m->id, sizeof out->agent_id);
    snprintf(out->nodes[0].id, sizeof out->nodes[0].id, "%s/0", m->id);
    snprintf(out->nodes[0].state, sizeof out->nodes[0].state, "starting");
}

/* Seals the report into m->last; the sequence of it is returned. */
static inline uint64_t seal(struct machine *m, struct wire_heartbeat *report) {
    OWN_TEXT struct text json = TEXT_EMPTY;
    json_encode(&wire_heartbeat_schema, report, &json);
    json_clear(&wire_heartbeat_schema, report);
    text_clear(&m->last);
    session_seal(&m->session, 0, json.data, json.length, &m->last);
    return m->session.sent;
}

static inline uint64_t seal_report(struct machine *m) {
    struct wire_heartbeat report;
    fill_report(m, &report);
    return seal(m, &report);
}

/* Sends m->last without waiting for its answer. */
static inline void post_off(struct machine *m, uint64_t ticket) {
    bus_client_send(m->bus, ticket, m->last.data, m->last.length, PATIENCE_MS);
}

static inline void beat(struct machine *m, uint64_t ticket) {
    seal_report(m);
    post_off(m, ticket);
}

/* The next answer on m's connection; its ticket is returned. */
static inline uint64_t arrives(const struct machine *m, struct reply *out) {
    struct bus_arrival arrival;
    struct err error = {0};
    bus_client_next(m->bus, PATIENCE_MS, &arrival);
    assert_int_equal(arrival.event, BUS_REPLY);
    *out = (struct reply){.bytes = arrival.bytes, .length = arrival.length};
    assert_ok(frame_parse(out->bytes, out->length, &out->frame, &error));
    return arrival.ticket;
}

/* A sealed desired state that answers this sequence. json_clear(&wire_desired_schema, out). */
static inline void read_desired(struct machine *m, const struct reply *r, uint64_t answers,
                                struct wire_desired *out) {
    struct err error = {0};
    assert_ok(session_open(&m->session, &r->frame, &error));
    assert_int_equal(r->frame.answers, answers);
    assert_ok(json_decode(&wire_desired_schema, r->frame.json, r->frame.json_length,
                          JSON_IGNORE_UNKNOWN, out, &error));
    assert_string_equal(out->type, "desired");
    m->generation = out->generation;
}

/* Takes the answer to the heartbeat with this ticket and sequence; its version is compared. */
static inline void told(struct machine *m, uint64_t ticket, uint64_t sequence,
                        const char *version) {
    OWN_REPLY struct reply r = {0};
    struct wire_desired desired;
    assert_int_equal(arrives(m, &r), ticket);
    read_desired(m, &r, sequence, &desired);
    assert_string_equal(desired.version, version);
    json_clear(&wire_desired_schema, &desired);
}

/* Enrolled, greeted, told what it should be: its next heartbeat will be parked. */
static inline void machine_up(struct machine *m, const struct post *p, const char *id) {
    char secret[SECRET_TEXT_SIZE];
    OWN_REPLY struct reply r = {0};
    struct wire_desired desired;
    machine_init(m, p, id, NULL);
    fixture_join_secret(p->f, "", 1, secret);
    enrolls_as(m, secret, "up");
    says_hello(m);
    m->generation = -1; /* it acts on nothing yet, so it is told at once */
    uint64_t sequence = seal_report(m);
    post_off(m, 1);
    assert_int_equal(arrives(m, &r), 1);
    read_desired(m, &r, sequence, &desired);
    json_clear(&wire_desired_schema, &desired);
}

/* The nonce by which a refusal names a session frame. */
static inline void frame_nonce(const struct machine *m, uint64_t sequence,
                               char out[WIRE_NONCE_HEX_SIZE]) {
    encode_hex(m->session.id, SESSION_ID_SIZE, out);
    snprintf(out + SESSION_ID_HEX_SIZE - 1, WIRE_NONCE_HEX_SIZE - SESSION_ID_HEX_SIZE + 1,
             "%016llx", (unsigned long long)sequence);
}

static inline bool copy_view(const struct agent_view *v, void *argument) {
    *(struct agent_view *)argument = *v;
    return true;
}

/* Its pointers are valid as long as nothing changes the agent. */
static inline struct agent_view view(const struct post *p, const char *id) {
    struct err error = {0};
    struct agent_view v = {.status = AGENT_PENDING};
    assert_ok(agents_visit_one(p->f->agents, id, copy_view, &v, &error));
    return v;
}

static inline void point_stable_to(const struct post *p, const char *version) {
    struct err error = {0};
    struct channel channel;
    assert_ok(
        channels_set(p->f->db, "stable", "storage-server", version, "test", &channel, &error));
    assert_ok(agents_refresh(p->f->agents, &error));
}
