/* What the files of the agents room share: agents.c (registry), agents_rows.c (what should be, in
 * the database), agents_refresh.c (which version each should run), agents_desired.c (what it is
 * told), agents_observe.c (what is). Not for others. */
#pragma once

#include "lib/labels.h"
#include "master/agents.h"
#include "master/instances.h"
#include "master/store.h"

#include <pthread.h>

/* Requests for one agent's logs. */
struct log_fetch {
    int64_t wanted;   /* newest request id */
    int64_t told;     /* newest that went out to the agent in this session */
    int64_t answered; /* newest that came back */
    char node_id[WIRE_NODE_ID_SIZE];
    int64_t max_bytes;
    char *words; /* of the newest answer; owned */
};

struct agent {
    struct agent_view view;
    int64_t seen_ms; /* monotonic */
    bool dirty;      /* observed state to be written */
    bool relabelled; /* rollouts that are over may select it now: to be refreshed once written */
    /* Counts changes of its leave, which its generation does not show; from a random number on, so
     * that no report of an earlier run of the master speaks of one of this run. */
    int64_t leave_edition, leave_told; /* the latter: newest that went out in this session */
    int64_t leave_refresh;             /* the number of the newest refresh that told it */
    int64_t choice_refresh; /* of the newest that told rule, reason, grants, and what to fetch */
    struct wire_node_order *orders;
    size_t order_count;
    struct log_fetch *log;      /* owned; NULL: never asked for */
    struct instances instances; /* of its processes, since the master started */
};

/* An event that heartbeats caused, waiting for the next flush. */
struct pending_event {
    char kind[32];
    char subject[WIRE_NODE_ID_SIZE];
    char text[384];
    struct pending_event *next;
};

struct agents {
    struct agents_options options;
    pthread_mutex_t lock; /* guards everything below but refreshes */
    pthread_cond_t log_arrived;
    struct agent **sorted; /* by id */
    size_t count;
    struct pending_event *events, **events_end;
    size_t event_count;
    struct offer *offers;
    int64_t offers_refresh; /* the number of the refresh that listed them all */
    int64_t mark;           /* agents_mark */
    int64_t next_log_request;
    bool behind_told; /* the event that agents know a newer state; once per start is enough */
    bool stopping;
    int64_t refreshes; /* counted by the database's writer, which alone uses it */
};

/* The details of what some agent should run or fetch ahead, as a refresh read them: answers need no
 * look into the database. */
struct offer {
    struct binary binary;
    struct offer *next;
};
void offers_free(struct offer *offers);
const struct offer *offers_find(const struct offer *offers, const char *artifact,
                                const char *version, const char *sha256);

/* A row of `agent` with its orders, as an operation read it after changing it. */
struct agent_row {
    struct agent_view view; /* report decoded; what a refresh derives is unset */
    struct wire_node_order *orders;
    size_t order_count;
};
void agent_row_clear(struct agent_row *row);
void agent_view_clear(struct agent_view *view);

/* Under the lock: NULL when unknown. */
struct agent *agents_get(struct agents *a, const char *id);
bool agents_unknown(struct err *e, const char *id); /* sets ERR_NOT_FOUND with the hint */

/* Takes a committed row into memory when its generation is higher than what is there (or the agent
 * is new). The row is emptied. True when something was taken. Takes the lock itself. */
bool agents_take_row(struct agents *a, struct agent_row *row);

/* Inside an operation. Takes every row into memory: a db_operation whose argument is the agents. */
MUST_CHECK bool agents_load(struct db_connection *c, void *agents, struct err *e);
/* Reads one row; ERR_NOT_FOUND when it is not there. */
MUST_CHECK bool agent_row_read(struct db_connection *c, const char *id, struct agent_row *out,
                               struct err *e);

/* Tells one agent that it should do something else: agents_options.desired_changed. */
void agents_tell(struct agents *a, const char *id);

/* Under the lock. */
void agents_add_event(struct agents *a, const char *kind, const char *subject, const char *format,
                      ...) PRINTF_LIKE(4, 5);
void agent_update_labels(struct agent_view *view);
/* Its leave changed, or may have been told in vain. */
void agent_count_leave(struct agent *agent);
/* Its grants are new, and say which edition of the leave they are. */
void agent_stamp_leave(struct agent *agent);

/* As agents_refresh, for what only this agent's choice depends on. */
MUST_CHECK bool agents_refresh_one(struct agents *a, const char *id, struct err *e);

/* Deletes the row and writes the event. */
MUST_CHECK bool agent_row_delete(struct agents *a, const char *id, const char *principal,
                                 struct err *e);
