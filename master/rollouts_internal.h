/* What the files of the rollouts room share: live_rollout.c (one with its members), rollouts.c
 * (those that are live), rollouts_rows.c (all of them, in the database), rollouts_members.c (whom a
 * request selects, and what is known of them), rollouts_step.c (one transaction), rollouts_start.c
 * and rollouts_tick.c (which steps there are), rollouts_words.c (reasons for people). Not for
 * others. */
#pragma once

#include "lib/labels.h"
#include "master/rollout_facts.h"
#include "master/rollouts.h"
#include "master/store.h"

#include <pthread.h>

#define ROLLOUT_REASON_SIZE 384
#define ROLLOUT_ID_FORMAT "r-%" PRId64

/* A row of `rollout`. */
struct rollout_row {
    int64_t number;
    struct rollout_request request; /* owned */
    struct rollout state;           /* its members are not of the row */
    int64_t clock_ms;
    int64_t created_at_ms, finished_at_ms;
    int64_t superseded_by;
    char reason[ROLLOUT_REASON_SIZE];
    char principal[64];
};
MUST_CHECK bool rollout_row_take(struct db_row *row, struct rollout_row *out, struct err *e);
/* "" and unknown ones give the first of them. */
void rollout_state_take(const char *name, enum rollout_state *out);
void rollout_cause_take(const char *name, enum rollout_cause *out);

/* A rollout with its members, sorted by id. The arrays are parallel to row.state.members. */
struct live_rollout {
    struct rollout_row row;
    char id[WIRE_ROLLOUT_ID_SIZE];     /* once it has a number */
    struct rollout_agent_view *agents; /* reason and diagnosis are owned */
    char (*domain_names)[LABEL_PART_SIZE];
    bool *taken;    /* a newer rollout or channel moves the agent */
    char **domains; /* names by index; row.state.members[].domain */
    size_t domain_count;
    int64_t clock_at_ms; /* monotonic, when row.clock_ms was */
    int64_t mark;        /* agents_mark when it was last looked for late joiners */
    bool failing;        /* its newest step could not be written: said once */
    int64_t looked_ms;   /* monotonic, when a tick looked at its members */
    struct live_rollout *next;
};
void live_rollout_name(struct live_rollout *l); /* its id, by its number */
void live_rollout_free(struct live_rollout *l);
OWN_DEFINE(live_rollout, struct live_rollout, live_rollout_free)
struct live_rollout *live_rollout_copy(const struct live_rollout *l); /* next is NULL */
bool live_rollout_self(const struct live_rollout *l);                 /* of grid-agent */
/* Where the agent is among the members, or would be. */
bool live_rollout_find(const struct live_rollout *l, const char *id, size_t *index);
/* Puts a member at its place; returns its index. The domains are to be numbered after. */
size_t live_rollout_add(struct live_rollout *l, const char *agent_id, const char *domain);
/* A newer rollout moves this agent, if it is a member. */
void live_rollout_take_out(struct live_rollout *l, const char *agent_id);
/* Domains take turns in order of their names. */
void live_rollout_number_domains(struct live_rollout *l);
struct rollout_part live_rollout_part(const struct live_rollout *l,
                                      const struct rollout_member *members, size_t index);
int64_t live_rollout_clock(const struct live_rollout *l, int64_t now_ms);
void live_rollout_view(const struct live_rollout *l, struct rollout_view *out);

struct rollouts {
    struct rollouts_options options;
    pthread_mutex_t lock; /* guards the fields below; what is live changes only in a turn */
    pthread_cond_t turn_ended;
    bool turn_taken;
    struct live_rollout *live; /* newest first */
    int64_t steps;             /* that were written */
};
/* Whoever changes something does it in a turn of its own, so that a step may wait for its commit
 * without a lock. */
void rollouts_take_turn(struct rollouts *r);
void rollouts_end_turn(struct rollouts *r);
struct live_rollout *rollouts_find(struct rollouts *r, int64_t number); /* live; in a turn */
/* Any, from the database. ERR_NOT_FOUND. */
MUST_CHECK bool rollouts_read(struct rollouts *r, int64_t number, struct live_rollout **out,
                              struct err *e);

/* Inside an operation. */
MUST_CHECK bool live_rollout_read(struct db_connection *c, int64_t number,
                                  struct live_rollout **out, struct err *e);
/* Its members are counted (selected, states), not read; it has its domains. */
MUST_CHECK bool live_rollout_read_outline(struct db_connection *c, int64_t number,
                                          struct live_rollout **out, struct rollout_tally *tally,
                                          struct err *e);
MUST_CHECK bool live_rollouts_read(struct db_connection *c, struct live_rollout **list,
                                   struct err *e);
MUST_CHECK bool live_rollout_insert(struct db_connection *c, struct live_rollout *l,
                                    const char *idempotency_key, struct err *e);
MUST_CHECK bool live_rollout_write_member(struct db_connection *c, const struct live_rollout *l,
                                          size_t index, struct err *e);
/* Compare and set: ERR_CONFLICT when the row is not at this revision any more. */
MUST_CHECK bool live_rollout_write(struct db_connection *c, const struct live_rollout *l,
                                   int64_t revision_before, struct err *e);

/* Fills facts of members (as many as l has) from the registry. */
void live_rollout_look(const struct live_rollout *l, struct agents *agents,
                       struct rollout_member *members);
/* Agents that match the request, are admitted and no members yet become members. True when there
 * were any. */
bool live_rollout_select(struct live_rollout *l, struct agents *agents);
/* Members whose labels name another failure domain now are of that one from their next move on.
 * True when there were any. */
bool live_rollout_relabel(struct live_rollout *l, struct agents *agents);
/* Replaces a topology that was not given by the label that the agents have. */
void live_rollout_choose_topology(struct rollout_request *request, struct agents *agents);
/* Inside an operation, for members that were never moved: where they come from, and which build is
 * theirs. */
MUST_CHECK bool live_rollout_equip(struct db_connection *c, struct live_rollout *l, struct err *e);

/* One step of a rollout: before is what is live now, after what rollout_next made of it. */
struct step {
    const struct live_rollout *before; /* NULL: it begins with this step */
    struct live_rollout *after;        /* owned */
    enum rollout_event event;
};
/* What is written in one transaction, with what the agents should do then. */
struct steps {
    struct rollouts *rollouts;
    struct step *list; /* owned */
    size_t count;
    const char *principal; /* "": nobody but the clock */
    int64_t now_ms;        /* monotonic */
    /* May be NULL. Runs first within the transaction, and may complete what the steps write. */
    bool (*check)(struct db_connection *c, struct steps *s, struct err *e);
    const char *idempotency_key; /* of one that begins */
    int64_t *number;             /* where that one's number goes */
    struct agents_refresh *refresh;
};
/* In a turn. On failure nothing has changed. Frees what the steps own either way. */
MUST_CHECK bool rollouts_write(struct steps *s, struct err *e);
void steps_add(struct steps *s, const struct live_rollout *before, struct live_rollout *after,
               enum rollout_event event);
/* rollout_next, with the invariants asserted. */
bool live_rollout_next(struct rollout *state, enum rollout_event event, struct rollout_time at);
struct rollout_time live_rollout_time(const struct live_rollout *l, int64_t now_ms,
                                      int64_t now_wall_ms);

/* A sentence about the rollout's state and cause, naming machines; "" when there is nothing to say.
 */
void rollout_words(const struct live_rollout *l, char out[ROLLOUT_REASON_SIZE]);
