/* One storage node of this machine: its directory, its process, what is known of it. Facts that
 * decisions need are in the struct reconcile_node beside it. Thread: the supervisor's; starting
 * blocks on disk. */
#pragma once

#include "agent/probe.h"
#include "agent/reconcile.h"
#include "agent/record.h"
#include "agent/sandbox.h"
#include "agent/state.h"
#include "agent/version.h"

#include <sys/types.h>

#define NODE_PROBE_MS 2000      /* between health checks; less while a version is on trial */
#define NODE_YOUNG_PROBE_MS 200 /* until it has answered once */
#define NODE_MISSES 3           /* that make it unhealthy */
#define NODE_EXAMINE_MS 500     /* between examinations of a directory that somebody holds */

struct node {
    struct reconcile_node *facts;
    char id[WIRE_NODE_ID_SIZE];
    char directory[STATE_PATH_SIZE];
    char data[STATE_PATH_SIZE];
    struct record record;
    pid_t pid; /* RUNNING, STOPPING */
    int pidfd;
    int64_t started_at_ms; /* wall clock, for people */
    int64_t up_since_ms;   /* monotonic */
    uint64_t life;         /* changes with each process: answers about another one are void */
    int64_t ask_after_ms;
    int64_t probe_ms;     /* between health checks, once it has answered; 0: NODE_PROBE_MS */
    int64_t order;        /* the latest restart order that was looked at */
    unsigned strikes;     /* examinations in a row that found somebody else */
    unsigned port_waits;  /* looks in a row that found its port still taken */
    unsigned port_losses; /* starts in a row that lost their port to somebody else */
    bool asking;          /* a question is under way */
    bool ask_stop;        /* the next question is whether it may be stopped */
    bool from_store;      /* it runs from the store's file instead of a sealed copy in memory */
    char *health_reasons; /* lines */
    char *veto;           /* lines */
    int64_t capacity_bytes;
    int64_t free_bytes;
    enum err_code trouble_code; /* why it does not run; ERR_NONE for nothing to say */
    char trouble[256];
    char port_note[160]; /* "" unless it could not have the port it had before */
};

/* Reads what is recorded; the process, if there is one, is not known yet (NODE_UNKNOWN). */
void node_init(struct node *n, struct reconcile_node *facts, const struct state *s,
               const char *agent_id, size_t index, bool wanted);
void node_fini(struct node *n); /* leaves the process alone */

/* What to ask about the node now. False when nothing is due; then *due_ms is lowered to when
 * something will be. */
bool node_question(struct node *n, int64_t now_ms, struct probe_question *q, int64_t *due_ms);
void node_answer(struct node *n, struct probe_answer *a, int64_t now_ms);

struct node_launch {
    const struct state *state;
    const struct version *version;
    bool *avoid_memfd; /* set when memfds cannot be executed here */
    const struct sandbox *sandbox;
    int first_port, last_port;
    const int *reserved; /* ports of the other nodes */
    size_t reserved_count;
    int64_t restart_generation; /* order that this start carries out */
};
/* Starts the process of a node that is DOWN. The record is durable before the process exists. When
 * the directory turns out to be held the node becomes UNKNOWN, and while the port that it had is
 * taken the start is put off for a moment, a few times: neither is a failure. ERR_CORRUPT: the
 * store's bytes are damaged. On failure the node's backoff and trouble are set. */
MUST_CHECK bool node_start(struct node *n, const struct node_launch *launch, int64_t now_ms,
                           struct err *e);

/* Looks at the operator's latest restart order: one that is new does not wait for the backoff. */
void node_order(struct node *n, int64_t restart_generation, int64_t now_ms);

void node_terminate(struct node *n, int64_t now_ms); /* SIGTERM; STOPPING */
void node_kill(struct node *n);                      /* SIGKILL */

/* Looks whether the process has ended, and takes note. True when it had. */
bool node_reap(struct node *n, int64_t now_ms);

/* Keeps the log below about max_bytes. */
void node_rotate_log(struct node *n, int64_t max_bytes);

/* The node as the master is told; free it with json_clear(&wire_node_schema, out). log_tail_max: of
 * its last exit. */
void node_describe(const struct node *n, bool draining, size_t log_tail_max, struct wire_node *out);
