/* A rollout: moving a set of agents from what they run to a version, through gates. Pure: the
 * state, what happens and the time go in, the state comes out; no I/O, clock, allocation or
 * globals. The shell (master/rollouts.h) keeps the facts of the members up to date, persists what
 * changed and tells the agents; tests/sim drives the same functions with a virtual clock.
 *
 *   DRAFT -> PREFETCH -> CANARY -> AWAIT_PROMOTE -> ROLLING -> COMPLETED
 *                 \________\____________\____________/  |
 *                        <-> PAUSED (remembers where)   |
 *   any of these, and COMPLETED, STOPPED, REVERT_STUCK -> REVERTING -> REVERTED | REVERT_STUCK
 *   any of these -> STOPPED (keep the mix); these and REVERTING -> SUPERSEDED
 *
 * One member, and what its agent is told meanwhile (see rollout_told):
 *
 *   WAITING --grant--> GRANTED --proved--> COMMITTED
 *      ^  \              ^ | |\--the version's fault, or silent--> FAILED
 *      |   DEFERRED -----' | '--- the machine's fault --> HELD
 *      |      ^ ^----------'                                |
 *      '------+------------------ resume -------------------'
 *   GRANTED --leave taken back, not used--> WAITING (pause, window, stop), else DEFERRED
 *   GRANTED, COMMITTED, FAILED, HELD --revert--> LEAVING --grant--> RETURNING --proved--> RETURNED
 *                                                   \--away----------+--deadline--> RETURN_FAILED
 *
 * Times are milliseconds of the rollout's own clock, which stands still while the master is away,
 * so that deadlines move by the outage. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROLLOUT_LEASE_MS 30000 /* a grant is good for so long after it was received */
#define ROLLOUT_NEVER (-1)     /* auto_promote_ms: a person promotes */

enum rollout_state {
    ROLLOUT_DRAFT,
    ROLLOUT_PREFETCH,
    ROLLOUT_CANARY,
    ROLLOUT_AWAIT_PROMOTE,
    ROLLOUT_ROLLING,
    ROLLOUT_PAUSED,
    ROLLOUT_REVERTING,
    ROLLOUT_COMPLETED,
    ROLLOUT_REVERTED,
    ROLLOUT_REVERT_STUCK,
    ROLLOUT_STOPPED,
    ROLLOUT_SUPERSEDED,
    ROLLOUT_STATE_COUNT
};
const char *rollout_state_name(enum rollout_state state); /* "prefetch", "await_promote", ... */
bool rollout_state_parse(const char *name, enum rollout_state *out);
bool rollout_is_active(enum rollout_state state); /* DRAFT to REVERTING: it may still move agents */

enum rollout_member_state {
    MEMBER_WAITING,  /* its turn has not come */
    MEMBER_DEFERRED, /* it could not move when its turn came (away, draining, bytes not there,
                        veto): it trickles in later through the same gates and blocks nobody */
    MEMBER_EXCLUDED, /* not moved at all: pinned, no build for it, removed */
    MEMBER_GRANTED,
    MEMBER_COMMITTED,
    MEMBER_FAILED, /* the version's fault: it went back by itself, or fell silent */
    MEMBER_HELD,   /* the machine's fault after its grant: tried again after resume */
    MEMBER_LEAVING,
    MEMBER_RETURNING,
    MEMBER_RETURNED,
    MEMBER_RETURN_FAILED,
    MEMBER_STATE_COUNT
};
const char *rollout_member_state_name(enum rollout_member_state state);
bool rollout_member_state_parse(const char *name, enum rollout_member_state *out);

/* Why a rollout or a member is where it is. */
enum rollout_cause {
    CAUSE_NONE,
    CAUSE_OPERATOR,  /* somebody said so */
    CAUSE_VERSION,   /* it exits, hangs, is unhealthy: speaks against the version */
    CAUSE_SILENT,    /* neither done nor back by its deadline: speaks against the version too */
    CAUSE_MACHINE,   /* disk full, I/O errors, read-only, no port */
    CAUSE_DOWNLOAD,  /* the bytes could not be had */
    CAUSE_UNTRUSTED, /* a signature or digest did not hold: everything halts */
    CAUSE_VETO,      /* a node must not stop now */
    CAUSE_AWAY,      /* not heard of */
    CAUSE_DRAINING,
    CAUSE_PINNED,
    CAUSE_NO_BUILD,
    CAUSE_REMOVED,
    CAUSE_BUDGET,     /* too many others are unavailable: budget_exhausted */
    CAUSE_PROGRESS,   /* progress_deadline */
    CAUSE_WINDOW,     /* outside of its maintenance windows (a hold, never a pause) */
    CAUSE_RECOVERING, /* the master has just started (a hold) */
    CAUSE_SUPERSEDED,
    CAUSE_WITHDRAWN, /* agents would refuse the version: yanked, or left out of signed targets */
    CAUSE_COUNT
};
const char *rollout_cause_name(enum rollout_cause cause);
bool rollout_cause_parse(const char *name, enum rollout_cause *out);

/* "3" or "10%". */
struct rollout_amount {
    int32_t value;
    bool percent;
};
/* Of `all`: percent is rounded up, and at least 1 unless value is 0. */
int64_t rollout_amount_of(struct rollout_amount amount, int64_t all);

struct rollout_policy {
    struct rollout_amount canary; /* 0: none */
    struct rollout_amount max_parallel;
    int64_t max_failures; /* so many are borne; -1: floor(5 % of the selected) */
    int64_t min_healthy_ms;
    int64_t probation_ms;
    int64_t auto_promote_ms; /* ROLLOUT_NEVER: waits for a person */
    int64_t healthy_deadline_ms;
    int64_t progress_deadline_ms;
    bool auto_revert;       /* false: pause where it would revert */
    bool allow_unavailable; /* do not ask nodes whether they may stop */
};

/* Failures that are borne among so many selected. */
int64_t rollout_failures_borne(const struct rollout_policy *policy, int64_t selected);

/* What the member's agent does about its latest grant. */
enum rollout_progress {
    PROGRESS_NONE,      /* it speaks of no grant of this rollout, or of an older attempt */
    PROGRESS_HELD,      /* received, not begun (cause: VETO, MACHINE, DRAINING, or NONE) */
    PROGRESS_SWITCHING, /* begun: finishes by itself */
    PROGRESS_PROBATION,
    PROGRESS_COMMITTED, /* runs what the grant names, and proved it */
    PROGRESS_WENT_BACK, /* tried and gave up; runs what it ran before (cause) */
    PROGRESS_STUCK,     /* cannot even go back */
};

/* What is known of the member's machine now. Not durable: the shell fills it before each event. */
struct rollout_facts {
    int16_t nodes;  /* storage nodes that the machine runs; they switch one after another */
    bool online;    /* heard of lately */
    bool lost;      /* for so long that nobody counts on it */
    bool works;     /* every node is healthy */
    bool staged;    /* holds verified bytes of the version */
    bool on_target; /* runs the version already */
    bool draining;
    bool pinned;
    bool removed;
    bool has_build;
    bool taken;          /* a newer rollout moves it: what this one still wanted is void */
    bool yielded;        /* knows that it has no leave (any more), and has not begun: it will not */
    bool at_rest;        /* knows its newest orders, whosever they are, and nothing is under way */
    uint8_t fetch_cause; /* enum rollout_cause: why its prefetch failed last; CAUSE_NONE */
    uint8_t progress;    /* enum rollout_progress */
    uint8_t cause;       /* enum rollout_cause of progress */
};

struct rollout_member {
    int64_t deadline_ms; /* GRANTED, RETURNING: of the grant; DEFERRED: not granted before; WAITING:
                            failed fetches are old news before */
    int32_t domain;      /* index of its failure domain, in order of turns */
    int32_t attempt;     /* of the newest grant; 0: none yet */
    int32_t turn;        /* the how-manieth grant of the rollout it was: newest go back first */
    struct rollout_facts facts;
    uint8_t state;   /* enum rollout_member_state */
    uint8_t cause;   /* enum rollout_cause */
    bool canary;     /* chosen when CANARY begins */
    bool was_broken; /* did not work before it was moved: takes no slot, is not counted against the
                        budget, and its failure is no evidence */
    bool changed;    /* by the last rollout_next: to be persisted and told */
};

/* It has leave, or what began by it is not over. */
bool rollout_member_flies(const struct rollout_member *m);

struct rollout {
    struct rollout_policy policy;
    enum rollout_state state;
    enum rollout_state resume; /* PAUSED: where it goes on */
    enum rollout_cause cause;  /* of the state */
    enum rollout_cause hold; /* why nothing moves though something should; CAUSE_NONE. Not durable.
                                CAUSE_WINDOW also takes back leaves that were not used yet */
    int64_t entered_ms;      /* the state */
    int64_t progress_ms;     /* last time a member was granted, committed or returned, or the state
                                changed; moves on while nothing is to be expected */
    bool condemned;          /* another rollout goes back from the same version because it is bad,
                                and this one was not told to try it all the same. Not durable: the
                                shell fills it before each event */
    bool withdrawn;          /* a build that members would move to was yanked or left out of the
                                signed targets. Not durable: the shell keeps it up to date */
    int64_t quiet_until_ms;  /* the master has just started: nobody is admitted or failed before */
    int64_t seen_ms;         /* of the event before. Not durable */
    int64_t staged;          /* most members seen with the bytes during PREFETCH. Not durable */
    int32_t turns;           /* grants given */
    int32_t domain;          /* whose turn it is; -1: nobody's */
    int64_t revision;        /* raised by each rollout_next that changed something durable */
    struct rollout_member *members;
    size_t member_count;
};

struct rollout_time {
    int64_t now_ms;   /* the rollout's clock */
    bool window_open; /* by its maintenance windows and the wall clock; true when it has none */
};

enum rollout_event {
    ROLLOUT_TICK, /* time passed, facts may have changed */
    ROLLOUT_PAUSE,
    ROLLOUT_RESUME,
    ROLLOUT_PROMOTE,
    ROLLOUT_STOP,
    ROLLOUT_ROLLBACK,
    ROLLOUT_SUPERSEDE,
};

/* Whether ticks may still change something: while active, and after that as long as deferred
 * machines trickle in, what was begun goes on, or machines that were away may yet return. */
bool rollout_is_live(const struct rollout *r);

/* Takes one event. False when the state does not allow it (only orders can be refused); then
 * nothing changed. Otherwise members[i].changed tells whose durable fields differ, and revision is
 * higher than before when anything durable changed. One pass over the members. */
bool rollout_next(struct rollout *r, enum rollout_event event, struct rollout_time at);

/* The master has started: nothing is admitted or failed for quiet_ms. */
void rollout_recover(struct rollout *r, int64_t now_ms, int64_t quiet_ms);

/* What the member's agent is to be told. */
enum rollout_told {
    TOLD_OTHERS, /* this rollout says nothing: other rules decide */
    TOLD_ORIGIN, /* stay on (or return to) what it ran before; prefetch the version */
    TOLD_TARGET, /* run the version */
};
struct rollout_orders {
    enum rollout_told told;
    bool prefetch; /* fetch the version's bytes beside what it runs */
    bool leave;    /* it may begin to switch: a grant with a lease. Without it, what has begun is
                      finished and nothing begins */
};
struct rollout_orders rollout_orders(const struct rollout *r, const struct rollout_member *m);

struct rollout_tally {
    int64_t selected; /* members that are not EXCLUDED */
    int64_t states[MEMBER_STATE_COUNT];
    int64_t in_flight;   /* GRANTED or RETURNING that took a slot */
    int64_t unavailable; /* others that do not work now, and are counted against the budget */
    int64_t slots;       /* that may be given now; never negative */
    int64_t failures;    /* counted against max_failures */
};
void rollout_count(const struct rollout *r, struct rollout_tally *out);

/* NULL when every rule about this state holds, else which one is broken (a constant text). Cheap
 * enough for tests after each event; the shell asserts it before it persists. */
const char *rollout_broken_invariant(const struct rollout *r);
