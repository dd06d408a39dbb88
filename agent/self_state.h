/* Decisions about the agent's own program: when it makes way for another build, when that build is
 * proven, when it goes back. Pure.
 *
 *                  leave to switch                 the new build starts
 *   NONE/COMMITTED/FAILED -----> SWITCHING ------------------------------> PROBATION
 *        ^                          | the launcher gave it up,                |    |
 *        |                          | or it was switched to in vain           |    | the master
 * answered, |                          v                                         |    | nodes taken
 * over, time up |                       FAILED <-- the launcher gave it up ----------+    +-->
 * COMMITTED |                          ^                                         | | | the build
 * before runs                   | no answer, nodes not taken over
 *        +--------------------------+------------------ RETURNING <-----------+
 *              (NONE, when it does not reach the master either: then it was the master)
 *
 * A build that the launcher gives up after it was COMMITTED is FAILED, too.
 *
 * A build is never kept that has not reached the master: nobody could update it again. */
#pragma once

#include "agent/self_journal.h"

#define SELF_HEALTHY_DEADLINE_MS 300000 /* where the grant names none */
#define SELF_MOST_SWITCHES 3
#define SELF_AGAIN_MS 60000 /* after an attempt to go back that failed */

struct self_facts {
    const struct self_journal *journal;
    const char *running;     /* the build that runs; "" when no launcher started it */
    const char *target;      /* the build that is desired, "" for none */
    bool staged;             /* the target is here, proven */
    bool quiet;              /* no node is on its way */
    bool connected;          /* the master answers */
    bool held;               /* it wants no switch now */
    bool given_up;           /* the launcher gave up the journal's `to` */
    struct wire_grant grant; /* for the target */
    int64_t lease_until_ms;  /* a grant of a rollout is good until then */
    int64_t began_ms;        /* this process */
    int64_t reached_ms;      /* it was first answered; 0: never */
    int64_t taken_over_ms;   /* since when nodes have been taken over; 0: they are not */
};

enum self_hold {
    SELF_HOLD_NONE,
    SELF_HOLD_LAUNCHER, /* no launcher started this agent */
    SELF_HOLD_BYTES,    /* the target is not here yet */
    SELF_HOLD_LEAVE,    /* no leave: the rollout is paused, or the lease has run out */
    SELF_HOLD_MASTER,   /* the master is away */
    SELF_HOLD_NODES,    /* nodes are on their way */
    SELF_HOLD_HELD,     /* the master wants no switch now, and says why */
};

enum self_action {
    SELF_STAY,
    SELF_BEGIN,   /* a switch to the target: journal, links, end */
    SELF_FINISH,  /* the switch that the journal has: links, end */
    SELF_ENTER,   /* write down that this build is in its probation */
    SELF_COMMIT,  /* this build is proven */
    SELF_GO_BACK, /* write down why, links, end */
    SELF_FAIL,    /* write down that the journal's `to` failed */
    SELF_FORGET,  /* of the journal's `to` nothing is known: it may be tried again */
};

enum self_verdict {
    SELF_VERDICT_NONE,
    SELF_SILENT,
    SELF_NOT_TAKEN_OVER,
    SELF_GIVEN_UP,
    SELF_IN_VAIN,
    SELF_REPLACED
};

struct self_decision {
    enum self_action action;
    enum self_verdict
        verdict; /* of SELF_GO_BACK, SELF_FAIL; SELF_VERDICT_NONE: the journal has it */
    enum self_hold hold;
    int64_t wake_ms; /* decide again by then; INT64_MAX: no need */
};

void self_decide(const struct self_facts *f, int64_t now_ms, struct self_decision *out);

/* Whether the target was tried under this very leave, and failed. */
bool self_tried(const struct self_journal *j, const char *target, const struct wire_grant *grant);

int64_t
self_deadline_ms(const struct wire_grant *grant); /* from the start of a build in probation */
