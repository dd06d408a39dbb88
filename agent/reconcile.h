/* What to do next so that this machine runs what is desired. Pure: a function of facts and time,
 * without I/O, clock, allocation or globals.
 *
 * One node, as the facts tell it:
 *
 *   UNKNOWN --examined--> DOWN --start--> RUNNING --terminate--> STOPPING --ended--> DOWN
 *      \---- someone else has its data --> HELD (left alone until it is free)
 *
 * Versions: nodes go from `current` to the target one after another (agent/transition.h says where
 * that stands), and none of them is taken down while one that the agent has touched does not work
 * yet. A node that was broken before it was touched is excused: it gets the new version at once,
 * and its failure says nothing about that version. When every node works on the target, and has
 * worked for as long as was asked for, it becomes current. When a node that was not excused does
 * not, the target has failed and everyone returns. A version that is desired while none is current
 * has nothing to return to: it is current as soon as it works anywhere. */
#pragma once

#include "agent/transition.h"
#include "lib/hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECONCILE_HEALTHY_MS 30000  /* a started process has to work within */
#define RECONCILE_DRAIN_MS 10000    /* from SIGTERM to SIGKILL */
#define RECONCILE_MOST_EXITS 3      /* of a version on trial */
#define RECONCILE_ASK_AGAIN_MS 2000 /* after a veto */
#define RECONCILE_HUNG_MISSES 3     /* at least, of a node that hangs */
#define RECONCILE_STUCK_MS 300000   /* a process that never answered may be busy with its data */

enum node_phase { NODE_UNKNOWN, NODE_HELD, NODE_DOWN, NODE_RUNNING, NODE_STOPPING };

enum node_health {
    HEALTH_NONE,    /* no verdict about this process yet */
    HEALTH_GOOD,    /* works */
    HEALTH_MACHINE, /* answers and complains only of what is the machine's (disk full, I/O errors)
                     */
    HEALTH_BAD,     /* silent three times, or says that it fails */
};

enum stop_answer { STOP_UNASKED, STOP_ASKED, STOP_GRANTED, STOP_VETOED };

struct reconcile_node {
    /* facts */
    enum node_phase phase;
    enum node_health health;
    enum stop_answer stop_answer;
    unsigned failures;   /* unwanted exits and failed starts in a row; a stop that was ordered ends
                            the row */
    unsigned tries;      /* starts with the version on trial, counted before each (a reboot ends one
                            unseen); a stop that was ordered takes its own back */
    bool machine_failed; /* the last start failed by the machine (no space, no port): it speaks
                            against no version */
    int64_t start_after_ms;  /* DOWN: not before */
    int64_t started_ms;      /* RUNNING */
    int64_t stopping_ms;     /* STOPPING: since */
    int64_t answered_ms;     /* STOP_VETOED: when */
    bool wanted;             /* false: beyond the number of nodes that the configuration asks for */
    bool proven;             /* HEALTH_GOOD or HEALTH_MACHINE was seen of this process */
    bool restart_ordered;    /* by an operator, and not carried out by a start yet */
    bool killed;             /* SIGKILL was sent */
    unsigned misses;         /* health checks in a row without a proper answer ... */
    int64_t silent_since_ms; /* ... since the first of them */
    int64_t heard_ms;        /* its latest proper answer; 0: none yet */
    char running[SHA256_HEX_SIZE]; /* digest of its process; "" when it is DOWN */
    /* decided here, kept by the caller; `failures`, `tries`, `start_after_ms` and `stop_answer`
     * begin anew when the assignment changes */
    char assigned[SHA256_HEX_SIZE]; /* what it should run; "" before the first decision */
    bool excused;
    bool hung;             /* it is stopped for its silence: that end counts as a failure */
    int64_t good_since_ms; /* it works, without a break; 0: it does not */
    int64_t bad_since_ms;  /* it worked before and does not now; 0 otherwise */
    int64_t generation;    /* in which failures were counted */
};

struct reconcile_version {
    char sha256[SHA256_HEX_SIZE]; /* "" none */
    bool staged;                  /* verified bytes are in the store */
    bool fetch_failed;            /* the last attempt to fetch it failed ... */
    int64_t fetch_after_ms;       /* ... and the next is not due before */
    bool fetch_refused;           /* ... and there is no next in this generation */
};

/* Leave to begin moving nodes to the target. */
struct reconcile_grant {
    bool given;             /* by a rollout; else whenever the master answers */
    int64_t lease_until_ms; /* given: good until then */
    struct transition_policy policy;
};

struct reconcile_input {
    int64_t generation;
    bool draining;         /* the operator wants no switch now */
    bool held;             /* the master wants none */
    bool connected;        /* the master answers: without it no switch begins */
    bool may_download;     /* false: switched off by the configuration */
    int64_t hung_after_ms; /* of silence; 0: no node counts as hung */
    struct reconcile_version target, current, previous;
    struct reconcile_version prefetch; /* only to be in the store */
    struct reconcile_grant grant;      /* for the target */
    bool target_failed; /* the target was tried and given up on this very order: it is not tried
                           again */
    struct transition transition;
    bool unwritable;                /* the journal cannot be written: nothing begins */
    char fetching[SHA256_HEX_SIZE]; /* under way, "" for none */
};

enum step { STEP_NONE, STEP_START, STEP_ASK, STEP_TERMINATE, STEP_KILL };

enum update_phase {
    UPDATE_IDLE,      /* runs what it should */
    UPDATE_WAITING,   /* see hold */
    UPDATE_FETCHING,  /* or about to */
    UPDATE_UNFETCHED, /* the last attempt failed; another follows unless refused */
    UPDATE_SWITCHING,
    UPDATE_PROBATION,
    UPDATE_RETURNING,
    UPDATE_FAILED, /* given up; the old version runs */
    UPDATE_STUCK,  /* given up, and the old version does not run either */
};

/* Why nothing moves, when something should. */
enum hold {
    HOLD_NONE,
    HOLD_NOTHING_DESIRED,
    HOLD_DOWNLOAD_OFF,
    HOLD_DRAINING,
    HOLD_HELD, /* the master says why */
    HOLD_MASTER_AWAY,
    HOLD_LEAVE,      /* the rollout gives no leave (any more) */
    HOLD_UNWRITABLE, /* the journal */
    HOLD_ASKED,      /* hold_node is asked whether it may stop */
    HOLD_EXAMINING,  /* hold_node is not examined yet */
    HOLD_VETO,       /* hold_node says it must not stop now */
    HOLD_NODE,       /* hold_node does not work yet */
    HOLD_NO_RETURN,  /* the bytes of the current version are damaged and have to be fetched first */
    HOLD_NODES_HELD, /* every node's data directory is somebody else's */
};

struct reconcile_decision {
    enum update_phase update;
    enum hold hold;
    size_t hold_node;
    bool begun; /* what is decided may take nodes to the target, or back, without leave */
    char fetch[SHA256_HEX_SIZE];  /* should be under way now; "": nothing, what is under way is in
                                     vain */
    char commit[SHA256_HEX_SIZE]; /* works: it is current from now on; "" for none */
    enum turn turn;     /* the transition takes it (TURN_BEGIN: to the target, by the grant's
                           policy), durably, before anything else is decided. No steps then. */
    size_t failed_node; /* TURN_FAIL, TURN_STICK: first at this one */
    int64_t wake_ms;    /* decide again by then, even if nothing happens; INT64_MAX: no need */
};

/* Whether the time of a probation passes: every node was examined, and none is kept down by the
 * machine. */
bool reconcile_watches(const struct reconcile_node *nodes, size_t count);

/* Decides for all nodes at once: nodes[i].assigned and excused are set, steps[i] is what to do with
 * it. What nodes are assigned while a transition is under way, excused and tries are durable before
 * the steps are taken. */
void reconcile(const struct reconcile_input *in, struct reconcile_node *nodes, enum step *steps,
               size_t count, int64_t now_ms, struct reconcile_decision *out);
