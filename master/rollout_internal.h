/* What the files of the rollout engine share (master/rollout.h). */
#pragma once

#include "master/rollout.h"

#define BIT(i) (1u << (i))

/* An agent may begin for so long after its leave was taken back: the lease it holds, and the
 * answers that were under way. */
#define REVOKE_MS (ROLLOUT_LEASE_MS + 15000)
#define MARGIN_MS 15000 /* of reports that say how a grant ended */
#define RETRY_MS 60000  /* until a deferred machine is tried again; doubled with each attempt */
#define RETRY_DOUBLINGS 6

/* rollout_states.c: the tables. Both assert that the table has the row. */
void rollout_enter(struct rollout *r, enum rollout_state state, enum rollout_cause cause,
                   int64_t now_ms);
void rollout_move(struct rollout_member *m, enum rollout_member_state state,
                  enum rollout_cause cause);
bool rollout_allows(enum rollout_event order, enum rollout_state state);
bool rollout_is_forward(enum rollout_state state); /* DRAFT to PAUSED */

/* One of two kinds of members that wait for a grant: those whose turn it is, before those that
 * missed it. */
enum rollout_rank { RANK_WAITING, RANK_DEFERRED, RANK_COUNT };

/* What one look at all members finds. */
struct rollout_survey {
    struct rollout_tally tally;
    int64_t flying;            /* GRANTED and RETURNING, with and without a slot */
    int32_t domain;            /* theirs; -1: none, or several (mixed) */
    bool mixed;                /* they are in several domains, so nobody joins them */
    int32_t first[RANK_COUNT]; /* lowest domain of those that may be granted now; -1: none */
    int32_t broken;            /* lowest domain of those of them that do not work, of both ranks */
    int32_t newest;            /* turn of the newest that may return now; 0: none */
    int32_t newest_broken;     /* the same of those that do not work */
    int32_t newest_domain, newest_broken_domain;
    int64_t fetching;               /* online, without the bytes, and no failure yet */
    int64_t staged;                 /* selected members, online, with the bytes */
    enum rollout_cause deferred;    /* why the first of them is */
    int64_t unfetched[CAUSE_COUNT]; /* DEFERRED without the bytes, by cause */
    int64_t canaries;               /* on their way or there */
    int64_t canaries_committed;
    bool canary_failed;
    bool canary_sick;          /* committed, and does not work any more */
    bool untrusted;            /* a signature or digest did not hold */
    enum rollout_cause failed; /* CAUSE_VERSION before CAUSE_SILENT */
    enum rollout_cause held;
};

/* rollout_tally.c */
void rollout_survey_begin(struct rollout_survey *s);
void rollout_survey_add(struct rollout_survey *s, const struct rollout *r,
                        const struct rollout_member *m, int64_t now_ms);
void rollout_survey_end(struct rollout_survey *s, const struct rollout *r);
/* More have failed than are borne. */
bool rollout_failed(const struct rollout *r, const struct rollout_survey *s);
/* Has what it takes to be granted, whosever turn it is. */
bool rollout_is_fit(const struct rollout_member *m, int64_t now_ms);
bool rollout_is_broken(const struct rollout_member *m);
/* LEAVING, or given up as away, and online. */
bool rollout_may_return(const struct rollout *r, const struct rollout_member *m);

/* rollout_member.c: what its facts lead to. news->untrusted is set when they say so for the first
 * time. */
void rollout_settle(struct rollout *r, struct rollout_member *m, int64_t now_ms, bool quiet,
                    struct rollout_survey *news);
int64_t rollout_grant_ms(const struct rollout *r, const struct rollout_member *m);

/* rollout_grant.c: grants what may be granted now; hold becomes CAUSE_BUDGET when nobody can be
 * though somebody should. */
void rollout_admit(struct rollout *r, const struct rollout_survey *s, int64_t now_ms);
void rollout_admit_returns(struct rollout *r, const struct rollout_survey *s, int64_t now_ms);
/* How many more were chosen. */
int64_t rollout_choose_canaries(struct rollout *r, int64_t wanted, int64_t now_ms);

/* rollout_steps.c: what the state makes of a survey. */
void rollout_step(struct rollout *r, struct rollout_survey *s, struct rollout_time at, bool quiet);
void rollout_begin_revert(struct rollout *r, enum rollout_cause cause, int64_t now_ms);
void rollout_pause(struct rollout *r, enum rollout_cause cause, int64_t now_ms);

/* rollout_order.c: what a person says; the state allows it. */
void rollout_obey(struct rollout *r, enum rollout_event order, int64_t now_ms);
