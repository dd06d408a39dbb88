#include "agent/link.h"

#include "agent/hello.h"
#include "agent/link_state.h"
#include "agent/message.h"
#include "lib/clock.h"
#include "lib/encode.h"
#include "lib/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define HELLO_MS 5000
#define SLACK_MS 5000    /* beyond the interval, before a heartbeat counts as lost */
#define FAREWELL_MS 3000 /* for the last report, to a master that may be slow at the moment */
#define HELLO_TICKET 0   /* others are sequences of session frames, which begin at 1 */
#define LOG_REQUESTS 4   /* heartbeats under way whose log answers are remembered */

struct link {
    struct link_options options;
    struct link_state state;
    struct session session;
    struct hello hello; /* under way, or answered */
    struct hello_series series;
    int64_t interval_ms;
    int64_t generation;
    int64_t log_requests[LOG_REQUESTS]; /* in heartbeats under way, by sequence */
    enum err_code last_error;           /* logged once until it changes or ends */
    atomic_bool changed;
    atomic_bool stopping;
};

struct link *link_new(const struct link_options *options) {
    struct link *l = memory_zeroed(1, sizeof *l);
    l->options = *options;
    l->generation = options->generation;
    l->interval_ms = WIRE_INTERVAL_MS;
    hello_series_begin(&l->series);
    return l;
}

void link_free(struct link *l) {
    if (l == NULL) return;
    secret_wipe(l, sizeof *l);
    free(l);
}

void link_stop(struct link *l) {
    atomic_store(&l->stopping, true);
    bus_client_wake(l->options.bus);
}

void link_report_changed(void *link) {
    struct link *l = link;
    atomic_store(&l->changed, true);
    bus_client_wake(l->options.bus);
}

static uint32_t random_number(void) {
    uint32_t number;
    random_bytes(&number, sizeof number);
    return number;
}

static void send_hello(struct link *l) {
    OWN_TEXT struct text frame = TEXT_EMPTY;
    hello_write(l->options.identity, l->generation, &l->series, &l->hello, &frame);
    bus_client_send(l->options.bus, HELLO_TICKET, frame.data, frame.length, HELLO_MS);
}

/* The report, an object with members, with the clock of this moment: the report itself is older. */
static void add_clock(const struct text *report, struct text *out) {
    assert(report->length > 2 && report->data[0] == '{' && report->data[1] == '"');
    text_add_format(out, "{\"clock_ms\":%" PRId64 ",%s", clock_wall_ms(), report->data + 1);
}

static void send_heartbeat(struct link *l) {
    OWN_TEXT struct text report = TEXT_EMPTY;
    OWN_TEXT struct text json = TEXT_EMPTY;
    OWN_TEXT struct text frame = TEXT_EMPTY;
    int64_t log_request = 0;
    bool there = exchange_get_report(l->options.exchange, &report, &log_request);
    assert(there); /* the supervisor has told one before the link was started */
    add_clock(&report, &json);
    session_seal(&l->session, 0, json.data, json.length, &frame);
    l->log_requests[l->session.sent % LOG_REQUESTS] = log_request;
    bus_client_send(l->options.bus, l->session.sent, frame.data, frame.length,
                    l->interval_ms + SLACK_MS);
}

/* What the master says is for people at the master; this is for those at the machine. */
static const char *hint_of(const struct err *e) {
    if (e->code != ERR_NOT_FOUND) return e->hint;
    return "it was removed; to join again start it with a new join string";
}

/* Tells once per kind of trouble, not at every attempt. */
static void tell_trouble(struct link *l, const struct err *e) {
    exchange_connected(l->options.exchange, false);
    const struct link_options *o = &l->options;
    if (e->code == ERR_NOT_FOUND && o->removed != NULL) o->removed(o->argument);
    if (e->code == l->last_error) return;
    l->last_error = e->code;
    log_warn("link.down", "master=%s port=%d code=%s error=%s hint=%s",
             l->options.identity->master_host, l->options.identity->master_port,
             err_code_name(e->code), e->text, hint_of(e));
}

static void act(struct link *l, enum link_event event, int64_t *wake_ms) {
    enum link_action action =
        link_next(&l->state, event, clock_monotonic_ms(), random_number(), wake_ms);
    if (event == LINK_LOST) bus_client_cancel(l->options.bus);
    if (action == LINK_SEND_HELLO) send_hello(l);
    if (action == LINK_SEND_HEARTBEAT) send_heartbeat(l);
}

static bool begin_session(struct link *l, const struct wire_hello_answer *m, struct err *e) {
    unsigned char id[SESSION_ID_SIZE];
    unsigned char nonce[SESSION_NONCE_SIZE];
    unsigned char peer[SESSION_KEY_SIZE];
    if (!decode_hex(m->session, id, sizeof id) ||
        !decode_hex(l->hello.nonce, nonce, sizeof nonce) ||
        !decode_hex(m->exchange_key, peer, sizeof peer))
        return err_set(e, ERR_UNTRUSTED, "the master's hello is malformed");
    if (!session_begin(&l->session, SESSION_AGENT, id, nonce, &l->hello.mine, peer, e))
        return false;
    bool sane = m->interval_ms >= 100 && m->interval_ms <= 600000;
    l->interval_ms = sane ? m->interval_ms : WIRE_INTERVAL_MS;
    return true;
}

static enum link_event take_hello_answer(struct link *l, const struct bus_arrival *a,
                                         struct err *e) {
    struct wire_hello_answer m;
    if (!hello_read(l->options.identity, &l->hello, a->bytes, a->length, &m, e) ||
        !begin_session(l, &m, e))
        return LINK_LOST;
    bool port_valid = m.http_port > 0 && m.http_port <= 65535;
    /* What is on disk may be an old order: only an answer to a heartbeat says that it still stands.
     */
    exchange_connected(l->options.exchange, false);
    exchange_http(l->options.exchange, port_valid ? (int)m.http_port : 0, m.http_pin);
    log_info("link.up", "master=%s port=%d interval_ms=%" PRId64, l->options.identity->master_host,
             l->options.identity->master_port, l->interval_ms);
    return LINK_HELLO_ANSWERED;
}

/* The desired state in a proven answer. One that is older than what was seen is ignored: it is an
 * answer all the same. Two answers of one generation may differ in the leave that they give, and
 * answers may overtake each other: the one that was sealed last counts. */
static bool take_desired(struct link *l, const struct frame *f, int64_t log_told, struct err *e) {
    struct wire_desired d;
    if (!json_decode(&wire_desired_schema, f->json, f->json_length, JSON_IGNORE_UNKNOWN, &d, e))
        return false;
    bool right = strcmp(d.type, "desired") == 0;
    bool newer = d.generation > l->generation ||
                 (d.generation == l->generation && f->sequence == l->session.received);
    if (right && newer) l->generation = d.generation;
    if (right && newer) exchange_http(l->options.exchange, 0, d.http_pin);
    if (right && newer) exchange_desired(l->options.exchange, f->json, f->json_length, log_told);
    if (right && !newer)
        log_warn("link.old_answer", "generation=%" PRId64 " seen=%" PRId64, d.generation,
                 l->generation);
    json_clear(&wire_desired_schema, &d);
    return right || err_set(e, ERR_UNTRUSTED, "the answer to a heartbeat is no desired state");
}

static void frame_nonce(const struct session *s, uint64_t sequence, char out[WIRE_NONCE_HEX_SIZE]) {
    encode_hex(s->id, sizeof s->id, out);
    snprintf(out + 2 * SESSION_ID_SIZE, WIRE_NONCE_HEX_SIZE - 2 * SESSION_ID_SIZE, "%016" PRIx64,
             sequence);
}

static bool open_answer(struct link *l, const struct bus_arrival *a, struct err *e) {
    struct frame f;
    char nonce[WIRE_NONCE_HEX_SIZE];
    bool hello_required = false;
    frame_nonce(&l->session, a->ticket, nonce);
    if (!frame_parse(a->bytes, a->length, &f, e)) return false;
    if (message_refused(&l->options.identity->master_key, nonce, &f, &hello_required, e))
        return false;
    if (f.kind != FRAME_SESSION)
        return err_set(e, ERR_UNTRUSTED, "the answer to a heartbeat is not of this session");
    if (!session_open(&l->session, &f, e)) return false;
    if (f.answers != a->ticket)
        return err_set(e, ERR_UNTRUSTED, "the answer belongs to another heartbeat");
    return take_desired(l, &f, l->log_requests[a->ticket % LOG_REQUESTS], e);
}

static enum link_event take_heartbeat_answer(struct link *l, const struct bus_arrival *a,
                                             struct err *e) {
    if (!open_answer(l, a, e)) return LINK_LOST;
    l->last_error = ERR_NONE;
    exchange_connected(l->options.exchange, true);
    return LINK_ANSWERED;
}

static enum link_event take_reply(struct link *l, const struct bus_arrival *a) {
    struct err e = {0};
    bool hello = l->state.phase == LINK_HELLO;
    enum link_event event;
    if (a->event == BUS_FAILED) {
        (void)bus_client_trouble(l->options.bus, &e);
        event = LINK_LOST;
    } else {
        event = hello ? take_hello_answer(l, a, &e) : take_heartbeat_answer(l, a, &e);
    }
    if (event == LINK_LOST) tell_trouble(l, &e);
    return event;
}

static enum link_event next_event(struct link *l, int64_t wake_ms) {
    struct bus_arrival a;
    int64_t wait_ms = wake_ms == INT64_MAX ? -1 : wake_ms - clock_monotonic_ms();
    bus_client_next(l->options.bus, wait_ms < 0 && wake_ms != INT64_MAX ? 0 : wait_ms, &a);
    enum link_event event = LINK_TICK;
    if (a.event == BUS_REPLY || a.event == BUS_FAILED) event = take_reply(l, &a);
    if (a.event == BUS_REPLY) free(a.bytes);
    return event;
}

/* Waits for the answer to a heartbeat that was parked, or to the message with this ticket. */
static bool wait_for_answer(struct link *l, uint64_t ticket, bool wanted, int64_t deadline_ms) {
    struct bus_arrival a;
    for (int64_t left; (left = deadline_ms - clock_monotonic_ms()) > 0;) {
        bus_client_next(l->options.bus, left, &a);
        if (a.event == BUS_REPLY) free(a.bytes);
        if (a.event == BUS_FAILED) return false;
        if (a.event == BUS_REPLY && (a.ticket == ticket) == wanted) return true;
    }
    return false;
}

static void send_goodbye(struct link *l) {
    struct wire_goodbye m = {.type = "goodbye"};
    OWN_TEXT struct text json = TEXT_EMPTY;
    OWN_TEXT struct text frame = TEXT_EMPTY;
    memcpy(m.agent_id, l->options.identity->agent_id, sizeof m.agent_id);
    json_encode(&wire_goodbye_schema, &m, &json);
    session_seal(&l->session, 0, json.data, json.length, &frame);
    bus_client_send(l->options.bus, l->session.sent, frame.data, frame.length, FAREWELL_MS);
}

/* The master learns at once what became of the nodes and that nobody looks after them now, instead
 * of wondering until it calls this agent lost. */
static void say_farewell(struct link *l) {
    int64_t deadline_ms = clock_monotonic_ms() + FAREWELL_MS;
    if (l->state.phase != LINK_LIVE) return;
    send_heartbeat(l);
    /* The master answers the one that was parked when it has taken the new one. */
    if (!wait_for_answer(l, l->session.sent, false, deadline_ms)) return;
    send_goodbye(l);
    (void)wait_for_answer(l, l->session.sent, true, deadline_ms);
}

void *link_run(void *link) {
    struct link *l = link;
    int64_t wake_ms = 0;
    act(l, LINK_TICK, &wake_ms);
    while (!atomic_load(&l->stopping)) {
        enum link_event event = next_event(l, wake_ms);
        act(l, event, &wake_ms);
        if (atomic_exchange(&l->changed, false)) act(l, LINK_CHANGED, &wake_ms);
    }
    say_farewell(l);
    return NULL;
}
