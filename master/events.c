#include "master/events.h"

#include "lib/clock.h"
#include "lib/log.h"
#include "master/audit.h"
#include "master/master.h"
#include "master/scope_check.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define KEEP_MS (INT64_C(30) * 24 * 3600 * 1000)
#define KEEP_COUNT 100000
#define PUMP_BATCH 500
#define CLOSE_POLICY 1008 /* RFC 6455 section 7.4.1 */

static const struct json_field event_fields[] = {
    J(JSON_INT, struct event, seq, 0),     J(JSON_STRING, struct event, at, 0),
    J(JSON_STRING, struct event, kind, 0), J(JSON_STRING, struct event, subject, 0),
    J(JSON_STRING, struct event, text, 0), J(JSON_STRING, struct event, principal, 0),
    J(JSON_RAW, struct event, data, 0),
};
const struct json_schema event_schema = JSON_SCHEMA(struct event, event_fields);

/* One console or script that follows the events; the pump thread alone writes to it. */
struct subscriber {
    struct events *events;
    struct http_socket_connection *connection; /* NULL until opened */
    struct agents *agents;
    char credential[64];
    char scope[SCOPE_SIZE];
    int64_t since;
    bool ahead; /* it has seen more than there is: another grid, or one restored from a backup */
    struct subscriber *next;
};

struct events {
    struct db *db;
    pthread_mutex_t lock; /* guards the fields below */
    pthread_cond_t changed;
    struct subscriber *subscribers;
    const struct subscriber *sending; /* the pump is writing to this one: it must not be freed */
    bool dirty;
    bool stopping;
};

struct events *events_new(struct db *db) {
    struct events *events = memory_zeroed(1, sizeof *events);
    events->db = db;
    pthread_mutex_init(&events->lock, NULL);
    pthread_cond_init(&events->changed, NULL);
    return events;
}

void events_free(struct events *events) {
    if (events == NULL) return;
    assert(events->subscribers == NULL);
    pthread_cond_destroy(&events->changed);
    pthread_mutex_destroy(&events->lock);
    free(events);
}

/* An event as a line of the log. */
struct log_note {
    char kind[sizeof((struct event *)0)->kind];
    char subject[sizeof((struct event *)0)->subject];
    char principal[sizeof((struct event *)0)->principal];
    char text[sizeof((struct event *)0)->text];
};

static void log_note(const void *note) {
    const struct log_note *n = note;
    log_info(n->kind, "subject=%s principal=%s text=%s", n->subject, n->principal, n->text);
}

/* The log says only what has happened: what is undone never did. */
static void keep_log_note(struct db_connection *c, const char *kind, const char *subject,
                          const char *principal, const char *words) {
    struct log_note *n = memory_zeroed(1, sizeof *n);
    snprintf(n->kind, sizeof n->kind, "%s", kind);
    snprintf(n->subject, sizeof n->subject, "%s", subject);
    snprintf(n->principal, sizeof n->principal, "%s", principal);
    snprintf(n->text, sizeof n->text, "%s", words);
    db_after_commit(c, log_note, n);
}

static bool insert_event(struct db_connection *c, const char *kind, const char *subject,
                         const char *principal, const char *data_json, const char *words,
                         struct err *e) {
    keep_log_note(c, kind, subject, principal, words);
    return db_exec(c, Q_EVENT_INSERT, e, "isssss", clock_wall_ms(), kind, subject, words, principal,
                   data_json != NULL ? data_json : "{}");
}

bool events_add(struct db_connection *c, struct err *e, const char *kind, const char *subject,
                const char *principal, const char *data_json, const char *text_format, ...) {
    char words[sizeof((struct event *)0)->text];
    va_list arguments;
    va_start(arguments, text_format);
    vsnprintf(words, sizeof words, text_format, arguments);
    va_end(arguments);
    return insert_event(c, kind, subject, principal != NULL ? principal : "", data_json, words, e);
}

static bool insert_change(struct db_connection *c, const char *kind, const char *subject,
                          const char *principal, const char *data_json, const char *words,
                          struct err *e) {
    OWN_TEXT struct text data = TEXT_EMPTY;
    text_add(&data, "{\"text\":");
    json_quote(words, &data);
    text_add(&data, "}");
    return insert_event(c, kind, subject, principal, data_json, words, e) &&
           audit_add(c, principal, audit_action_of(kind), subject,
                     data_json != NULL ? data_json : data.data, e);
}

bool events_add_change(struct db_connection *c, struct err *e, const char *kind,
                       const char *subject, const char *principal, const char *data_json,
                       const char *text_format, ...) {
    char words[sizeof((struct event *)0)->text];
    va_list arguments;
    va_start(arguments, text_format);
    vsnprintf(words, sizeof words, text_format, arguments);
    va_end(arguments);
    return insert_change(c, kind, subject, principal, data_json, words, e);
}

struct single_event {
    const char *kind, *subject, *principal, *text;
};

static bool add_single(struct db_connection *c, void *argument, struct err *e) {
    const struct single_event *s = argument;
    return insert_event(c, s->kind, s->subject, s->principal, NULL, s->text, e);
}

static bool add_single_change(struct db_connection *c, void *argument, struct err *e) {
    const struct single_event *s = argument;
    return insert_change(c, s->kind, s->subject, s->principal, NULL, s->text, e);
}

static void record(struct events *events, db_operation *add, struct single_event *s) {
    struct err e;
    if (!db_write(events->db, add, s, &e))
        log_error("event.lost", "kind=%s subject=%s error=%s", s->kind, s->subject, e.text);
    else
        events_announce(events);
}

void events_record(struct events *events, const char *kind, const char *subject,
                   const char *principal, const char *text) {
    struct single_event s = {kind, subject, principal, text};
    record(events, add_single, &s);
}

void events_record_change(struct events *events, const char *kind, const char *subject,
                          const char *principal, const char *text) {
    struct single_event s = {kind, subject, principal, text};
    record(events, add_single_change, &s);
}

void events_announce(struct events *events) {
    pthread_mutex_lock(&events->lock);
    events->dirty = true;
    pthread_cond_signal(&events->changed);
    pthread_mutex_unlock(&events->lock);
}

void events_dismiss(struct events *events, const char *credential) {
    pthread_mutex_lock(&events->lock);
    for (struct subscriber *s = events->subscribers; s != NULL; s = s->next)
        if (strcmp(s->credential, credential) == 0) http_socket_close(s->connection, CLOSE_POLICY);
    pthread_mutex_unlock(&events->lock);
}

struct credential {
    char name[sizeof((struct subscriber *)0)->credential];
};

static struct credential *list_credentials(struct events *events, size_t *count) {
    struct credential *list = NULL;
    *count = 0;
    pthread_mutex_lock(&events->lock);
    for (const struct subscriber *s = events->subscribers; s != NULL; s = s->next) {
        list = memory_resize(list, *count + 1, sizeof *list);
        memcpy(list[(*count)++].name, s->credential, sizeof s->credential);
    }
    pthread_mutex_unlock(&events->lock);
    return list;
}

void events_review(struct events *events, events_may_follow *may_follow, void *context) {
    size_t count = 0;
    OWN_MEMORY struct credential *list = list_credentials(events, &count);
    for (size_t i = 0; i < count; i++)
        if (!may_follow(context, list[i].name)) events_dismiss(events, list[i].name);
}

struct prune {
    int64_t before_ms;
};

static bool prune_events(struct db_connection *c, void *argument, struct err *e) {
    const struct prune *p = argument;
    return db_exec(c, Q_EVENT_PRUNE, e, "ii", p->before_ms, (int64_t)KEEP_COUNT);
}

bool events_prune(struct events *events, int64_t now_wall_ms, struct err *e) {
    struct prune p = {now_wall_ms - KEEP_MS};
    return db_write(events->db, prune_events, &p, e);
}

struct listing {
    int64_t since;
    const char *kind, *subject;
    int64_t limit;
    struct event *events;
    size_t count;
    int64_t first_seq, last_seq;
};

/* Text from the database was written by us, but never trust its length. */
static void copy_cut(char *target, size_t size, const char *source) {
    snprintf(target, size, "%s", source);
}

static bool take_event(struct db_row *row, void *argument, struct err *e) {
    struct listing *l = argument;
    (void)e;
    l->events = memory_resize(l->events, l->count + 1, sizeof *l->events);
    struct event *event = &l->events[l->count++];
    *event = (struct event){.seq = db_column_int(row, 0)};
    clock_rfc3339(db_column_int(row, 1), event->at);
    copy_cut(event->kind, sizeof event->kind, db_column_text(row, 2));
    copy_cut(event->subject, sizeof event->subject, db_column_text(row, 3));
    copy_cut(event->text, sizeof event->text, db_column_text(row, 4));
    copy_cut(event->principal, sizeof event->principal, db_column_text(row, 5));
    event->data = text_duplicate(db_column_text(row, 6));
    return true;
}

static bool take_bounds(struct db_row *row, void *argument, struct err *e) {
    struct listing *l = argument;
    (void)e;
    l->first_seq = db_column_int(row, 0);
    l->last_seq = db_column_int(row, 1);
    return true;
}

static bool list_events(struct db_connection *c, void *argument, struct err *e) {
    struct listing *l = argument;
    if (!db_one(c, Q_EVENT_BOUNDS, take_bounds, l, e, "")) return false;
    if (l->since < 0)
        return db_query(c, Q_EVENT_NEWEST, take_event, l, e, "ssi", l->kind, l->subject, l->limit);
    return db_query(c, Q_EVENT_SINCE, take_event, l, e, "issi", l->since, l->kind, l->subject,
                    l->limit);
}

bool events_list(struct events *events, int64_t since, const char *kind, const char *subject,
                 int64_t limit, struct event **out, size_t *count, int64_t *first_seq,
                 struct err *e) {
    struct listing l = {.since = since, .kind = kind, .subject = subject, .limit = limit};
    if (!db_read(events->db, list_events, &l, e)) {
        json_clear_list(&event_schema, l.events, l.count);
        return false;
    }
    *out = l.events;
    *count = l.count;
    *first_seq = l.first_seq;
    return true;
}

static bool read_bounds(struct db_connection *c, void *argument, struct err *e) {
    return db_one(c, Q_EVENT_BOUNDS, take_bounds, argument, e, "");
}

int64_t events_last_seq(struct events *events) {
    struct listing l = {0};
    struct err e;
    return db_read(events->db, read_bounds, &l, &e) ? l.last_seq : 0;
}

/* The subject of an event about a machine: an agent, or a node of one. */
static bool is_shown(const struct event *event, struct agents *agents, const char *scope) {
    char agent_id[WIRE_AGENT_ID_SIZE];
    size_t length = strcspn(event->subject, "/");
    snprintf(agent_id, sizeof agent_id, "%.*s", (int)(length < sizeof agent_id ? length : 0),
             event->subject);
    return scope[0] == '\0' ||
           scope_shows_event(event->kind, scope_has_agent(agents, agent_id, scope));
}

void events_keep_within(struct event *list, size_t *count, struct agents *agents,
                        const char *scope) {
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        if (is_shown(&list[i], agents, scope))
            list[kept++] = list[i];
        else
            json_clear(&event_schema, &list[i]);
    }
    *count = kept;
}

static bool send_reset(struct http_socket_connection *c, int64_t first_seq) {
    OWN_TEXT struct text words = TEXT_EMPTY;
    text_add_format(&words, "{\"kind\":\"reset\",\"seq\":%lld}", (long long)first_seq);
    return http_socket_send(c, text_value(&words), words.length);
}

static bool send_event(struct http_socket_connection *c, const struct event *event) {
    OWN_TEXT struct text words = TEXT_EMPTY;
    json_encode(&event_schema, event, &words);
    return http_socket_send(c, text_value(&words), words.length);
}

/* Sends what s has not seen; true when there may be more. Runs without the lock: s->sending keeps
 * it alive. */
static bool pump_subscriber(struct events *events, struct subscriber *s) {
    struct event *list = NULL;
    size_t count = 0;
    int64_t first = 0;
    struct err e;
    if (!events_list(events, s->since, NULL, NULL, PUMP_BATCH, &list, &count, &first, &e)) {
        log_error("event.pump", "error=%s", e.text);
        return false;
    }
    bool open = true;
    if (s->ahead || (first > s->since + 1 && s->since > 0)) open = send_reset(s->connection, first);
    s->ahead = false;
    for (size_t i = 0; i < count && open; i++) {
        if (is_shown(&list[i], s->agents, s->scope)) open = send_event(s->connection, &list[i]);
        s->since = list[i].seq;
    }
    json_clear_list(&event_schema, list, count);
    return open && count == PUMP_BATCH;
}

static void pump_all(struct events *events) {
    struct subscriber *s = events->subscribers;
    while (s != NULL && !events->stopping) {
        bool more = false;
        if (s->connection != NULL) {
            events->sending = s;
            pthread_mutex_unlock(&events->lock);
            more = pump_subscriber(events, s);
            pthread_mutex_lock(&events->lock);
            events->sending = NULL;
            pthread_cond_broadcast(&events->changed);
        }
        if (!more) s = s->next;
    }
}

void *events_pump_run(void *argument) {
    struct events *events = argument;
    pthread_mutex_lock(&events->lock);
    while (!events->stopping) {
        if (!events->dirty) {
            pthread_cond_wait(&events->changed, &events->lock);
            continue;
        }
        events->dirty = false;
        pump_all(events);
    }
    pthread_mutex_unlock(&events->lock);
    return NULL;
}

void events_stop(struct events *events) {
    pthread_mutex_lock(&events->lock);
    events->stopping = true;
    pthread_cond_broadcast(&events->changed);
    pthread_mutex_unlock(&events->lock);
}

static void *socket_accept(struct http_request *r, struct err *e) {
    struct master *m = master_of(r);
    int64_t since = -1;
    if (!http_query_only(r, (const char *const[]){"since", "ticket", NULL}, e) ||
        !http_query_int(r, "since", 0, INT64_MAX, -1, &since, e))
        return NULL;
    struct subscriber *s = memory_zeroed(1, sizeof *s);
    int64_t last = events_last_seq(m->events);
    s->events = m->events;
    s->agents = m->agents;
    snprintf(s->credential, sizeof s->credential, "%s", http_credential(r));
    snprintf(s->scope, sizeof s->scope, "%s", http_scope(r));
    s->ahead = since > last;
    s->since = since < 0 ? last : s->ahead ? 0 : since;
    return s;
}

static void socket_opened(struct http_socket_connection *c, void *state) {
    struct subscriber *s = state;
    pthread_mutex_lock(&s->events->lock);
    s->connection = c;
    s->next = s->events->subscribers;
    s->events->subscribers = s;
    s->events->dirty = true;
    pthread_cond_broadcast(&s->events->changed);
    pthread_mutex_unlock(&s->events->lock);
}

/* Clients have nothing to say here; pings are answered below us. */
static void socket_message(struct http_socket_connection *c, void *state, const char *words,
                           size_t length) {
    (void)c, (void)state, (void)words, (void)length;
}

static void socket_closed(struct http_socket_connection *c, void *state) {
    struct subscriber *s = state;
    struct events *events = s->events;
    (void)c;
    pthread_mutex_lock(&events->lock);
    for (struct subscriber **at = &events->subscribers; *at != NULL; at = &(*at)->next) {
        if (*at == s) {
            *at = s->next;
            break;
        }
    }
    s->next = NULL; /* a pump that was at s ends its round there, since its neighbours may go too */
    events->dirty = true;
    while (events->sending == s) pthread_cond_wait(&events->changed, &events->lock);
    pthread_mutex_unlock(&events->lock);
    free(s);
}

const struct http_socket events_socket = {
    .accept = socket_accept,
    .opened = socket_opened,
    .message = socket_message,
    .closed = socket_closed,
};
