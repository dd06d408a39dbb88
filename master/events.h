/* Events: durable, gapless, numbered by seq. Written in the transaction of what they tell,
 * announced after its commit. */
#pragma once

#include "lib/db.h"
#include "lib/err.h"
#include "lib/http_server.h"
#include "lib/json.h"

#define EVENT_LIST_MAX 1000

struct event {
    int64_t seq;
    char at[32]; /* RFC 3339 */
    char kind[32];
    char subject[256];
    char text[384];
    char principal[64];
    char *data; /* JSON object, owned */
};
extern const struct json_schema event_schema;

struct events;
struct events *events_new(struct db *db);
void events_free(
    struct events *events); /* after events_pump_run returned and the HTTP server stopped */

/* Inside a db_write operation. data_json is an object's text or NULL. */
MUST_CHECK bool events_add(struct db_connection *c, struct err *e, const char *kind,
                           const char *subject, const char *principal, const char *data_json,
                           const char *text_format, ...) PRINTF_LIKE(7, 8);

/* The same for what somebody did, and so with a row of the audit trail: its action is the kind. */
MUST_CHECK bool events_add_change(struct db_connection *c, struct err *e, const char *kind,
                                  const char *subject, const char *principal, const char *data_json,
                                  const char *text_format, ...) PRINTF_LIKE(7, 8);

/* A single event in a transaction of its own; failures are logged. */
void events_record(struct events *events, const char *kind, const char *subject,
                   const char *principal, const char *text);

/* A single change in a transaction of its own, for what is done elsewhere than in the database;
 * failures are logged. */
void events_record_change(struct events *events, const char *kind, const char *subject,
                          const char *principal, const char *text);

/* Tells waiting sockets that something was committed. Any thread, never blocks. */
void events_announce(struct events *events);

/* Events after since (at most limit), oldest first; since -1: the newest `limit`. kind and subject
 * may be NULL. The caller frees with json_clear_list(&event_schema, ...). first_seq is the oldest
 * still kept. */
MUST_CHECK bool events_list(struct events *events, int64_t since, const char *kind,
                            const char *subject, int64_t limit, struct event **out, size_t *count,
                            int64_t *first_seq, struct err *e);
/* Takes out of a list what somebody with this scope is not told; the rest moves up. */
struct agents;
void events_keep_within(struct event *list, size_t *count, struct agents *agents,
                        const char *scope);
int64_t events_last_seq(struct events *events);

/* Ends the sockets that were opened with this credential (1008): a token or session that is worth
 * nothing any more. Any thread. */
void events_dismiss(struct events *events, const char *credential);

/* Closes the sockets of credentials that may not follow any more: those that expired, or that were
 * revoked while the socket was being opened. Asks without a lock. */
typedef bool events_may_follow(void *context, const char *credential);
void events_review(struct events *events, events_may_follow *may_follow, void *context);

/* Sends new events to the sockets; a thread of its own until events_stop. */
void *events_pump_run(void *events);
void events_stop(struct events *events);

/* Deletes what is older than 30 days or beyond the newest 100,000. */
MUST_CHECK bool events_prune(struct events *events, int64_t now_wall_ms, struct err *e);

/* ?since=SEQ: every event after it, then new ones as they come; without: only new ones. When not
 * all of these are kept any more, or SEQ is none of ours, {"kind":"reset","seq":FIRST} comes first:
 * what the client has built from events is to be fetched anew. Its http_context is a struct master.
 */
extern const struct http_socket events_socket;
