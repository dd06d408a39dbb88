/* What the files of the herd share: herd.c (all together), herd_agent.c (one agent), herd_orders.c
 * (what it is told to run). */
#pragma once

#include "agent/link_state.h"
#include "bench/herd/herd.h"
#include "lib/bus_dial.h"
#include "lib/bus_link.h"
#include "lib/session.h"
#include "lib/wire.h"

#include <pthread.h>
#include <stdatomic.h>

#define HERD_CALLS 2 /* heartbeats under way at once (link_state.h) */

/* A request whose answer is waited for. */
struct herd_call {
    bool under_way;
    uint32_t id;
    uint64_t ticket; /* sequence of a session frame, 0 for hello */
    int64_t deadline_ms;
    struct bus_frame *unsent; /* until there is a connection */
};

/* What an agent was told to run, by which rollout if any. */
struct herd_grant {
    char version[SEMVER_SIZE];
    char sha256[SHA256_HEX_SIZE];
    char rollout[WIRE_ROLLOUT_ID_SIZE]; /* "" : none, it runs the version at once */
    int64_t attempt;
    int64_t lease_ms; /* 0: nothing begins */
};

struct herd_agent {
    struct herd *herd;
    const struct sign_secret *key;
    struct bus_dial dial;
    atomic_int_least64_t *due_ms; /* when its tick has something to do; written under the lock */
    pthread_mutex_t lock;         /* guards everything below */
    struct bus_link *link;
    bool opened, heard;
    struct link_state state;
    int64_t wake_ms;
    int64_t interval_ms; /* as the master said */
    struct session session;
    struct session_exchange mine;
    char nonce[WIRE_NONCE_HEX_SIZE];
    struct herd_call calls[HERD_CALLS];
    uint32_t last_id;
    char id[WIRE_AGENT_ID_SIZE];
    char version[SEMVER_SIZE]; /* that it is said to run */
    char sha256[SHA256_HEX_SIZE];
    char staged[SHA256_HEX_SIZE]; /* fetched ahead */
    struct herd_grant grant;      /* the latest */
    bool switching;
    int64_t switched_at_ms; /* when it is through */
    int64_t generation;
    bool unhealthy;      /* what its node is said to be: changes on request */
    double changed_at_s; /* 0: nothing is measured */
    struct text report;  /* as JSON; "" when it must be made anew */
};

struct herd {
    struct herd_options options;
    char master_key[SIGN_PUBLIC_TEXT_SIZE];
    struct herd_agent *agents;
    /* Of each agent, side by side: they are looked at a hundred times a second. */
    atomic_int_least64_t *due_ms;
    pthread_mutex_t lock; /* guards everything below */
    char expected[SEMVER_SIZE];
    int64_t switch_ms; /* how long each takes to switch; negative: for ever */
    struct herd_status status;
    double *latencies_ms;
    size_t latency_count, latency_capacity, next_changed;
};

double herd_now_s(void);

/* Tells the herd what became of an agent. */
void herd_live(struct herd *h, int change);
void herd_lost(struct herd *h);
void herd_answered(struct herd *h, double changed_at_s);
void herd_told(struct herd *h, const struct herd_grant *grant);
void herd_switched(struct herd *h);
int64_t herd_switch_ms(struct herd *h);

MUST_CHECK bool herd_agent_open(struct herd_agent *a, struct err *e);
void herd_agent_tick(struct herd_agent *a, int64_t now_ms);
void herd_agent_change(struct herd_agent *a);

/* Its lock is held. json: an answer to its heartbeat. */
void herd_agent_obey(struct herd_agent *a, const char *json);
/* From now on it runs what the latest grant says. */
void herd_agent_finish_switch(struct herd_agent *a);
