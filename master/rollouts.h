/* Rollouts as they live in the master: rows of the database, their members' facts out of the
 * registry of agents, and the pure steps of master/rollout.h between. Every step is one
 * transaction: rollout, members, what their agents should run, events, audit. Any thread;
 * rollouts_tick belongs to one of its own, since a step waits for its commit. */
#pragma once

#include "lib/db.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/wire.h"
#include "master/agents.h"
#include "master/catalog.h"
#include "master/events.h"
#include "master/rollout.h"
#include "master/rollout_request.h"

struct rollouts;

struct rollouts_options {
    struct db *db;
    struct catalog *catalog;
    struct agents *agents;
    struct events *events;
    int64_t quiet_ms; /* after a start nothing is admitted or failed for so long */
};

/* Reads the active rollouts, and those COMPLETED that still have deferred members. */
MUST_CHECK bool rollouts_open(struct rollouts **out, const struct rollouts_options *options,
                              struct err *e);
void rollouts_close(struct rollouts *r);
OWN_DEFINE(rollouts, struct rollouts, rollouts_close)

/* Looks at the facts and takes every step that is due. To be called every 100 ms. */
void rollouts_tick(struct rollouts *r, int64_t now_ms, int64_t now_wall_ms);

/* Begins one. ERR_CONFLICT: a quarantined digest (hint: the override), an overlap with another
 * active rollout without supersede, a version below the floor; ERR_NOT_FOUND: no such version,
 * nobody selected. The same principal and key (not "") within 24 h gives the rollout made then. */
MUST_CHECK bool rollouts_start(struct rollouts *r, const struct rollout_request *request,
                               const char *principal, const char *idempotency_key, int64_t *number,
                               bool *existed, struct err *e);

/* ROLLOUT_PAUSE ... ROLLOUT_ROLLBACK. ERR_NOT_FOUND, ERR_CONFLICT naming the state and what it
 * allows. */
MUST_CHECK bool rollouts_order(struct rollouts *r, int64_t number, enum rollout_event order,
                               const char *principal, struct err *e);

struct rollout_view {
    int64_t number;
    const struct rollout_request *request;
    const struct rollout *rollout; /* of a finished one: members and tally as they ended */
    struct rollout_tally tally;
    const char *reason; /* one sentence, "" when there is nothing to say */
    const char *principal;
    int64_t created_at_ms, finished_at_ms; /* wall clock; 0: active */
    int64_t superseded_by;                 /* number; 0: no */
    const char *const *domains;            /* names by index */
    size_t domain_count;
    const struct rollout_agent_view *agents; /* member_count of them, by id */
};
struct rollout_agent_view {
    char id[WIRE_AGENT_ID_SIZE];
    char from_version[SEMVER_SIZE];
    char from_sha256[SHA256_HEX_SIZE];
    char to_sha256[SHA256_HEX_SIZE];
    const char *reason;    /* the agent's words about its failure or hold; never NULL */
    const char *diagnosis; /* how the process ended and its last lines; never NULL */
};

/* Visitors copy or encode, never block, never call back; false ends a walk. */
typedef bool rollout_visitor(const struct rollout_view *view, void *argument);
MUST_CHECK bool rollouts_visit_one(struct rollouts *r, int64_t number, rollout_visitor *visitor,
                                   void *argument, struct err *e);
/* For who needs no members: those of a rollout that is over are counted in its tally alone. */
MUST_CHECK bool rollouts_visit_outline(struct rollouts *r, int64_t number, rollout_visitor *visitor,
                                       void *argument, struct err *e);
/* Those alone that may still move agents; reads nothing. */
void rollouts_visit_live(struct rollouts *r, rollout_visitor *visitor, void *argument);

struct rollout_heading {
    int64_t number;
    char name[ARTIFACT_NAME_SIZE];
    char version[SEMVER_SIZE];
    enum rollout_state state;
};
/* Of all, newest first, without looking at their members; free() *out. */
MUST_CHECK bool rollouts_list(struct rollouts *r, struct rollout_heading **out, size_t *count,
                              struct err *e);

/* A sentence about an agent, for where it has said nothing itself; "" for CAUSE_NONE. */
const char *rollout_member_words(enum rollout_cause cause);

/* What a request would do now: a rollout in DRAFT with its members and facts, nothing written. The
 * conflicts that rollouts_start would refuse are put into *conflict ("" for none). */
MUST_CHECK bool rollouts_plan(struct rollouts *r, const struct rollout_request *request,
                              rollout_visitor *visitor, void *argument, struct err *conflict,
                              struct err *e);

/* Whether these bytes may go: ERR_CONFLICT while a rollout may still send an agent there or (all:
 * when they are to be deleted) back there. */
MUST_CHECK bool rollouts_check_unneeded(struct rollouts *r, const char *sha256, bool all,
                                        struct err *e);

struct rollouts_summary {
    int64_t states[ROLLOUT_STATE_COUNT]; /* of the rollouts that are active */
    int64_t members[MEMBER_STATE_COUNT]; /* theirs */
    int64_t steps;                       /* taken since the start */
};
void rollouts_summarize(struct rollouts *r, struct rollouts_summary *out);
