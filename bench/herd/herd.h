/* Herd: thousands of agents in one process, each with a bus connection of its own, that say hello,
 * send heartbeats and come back after losing the master as grid-agent does (agent/link_state.h
 * decides). They have no nodes to look after: what they report follows what they are told at once,
 * but for the switches that a rollout grants, which take as long as herd_switch says. Any thread.
 */
#pragma once

#include "lib/bus.h"
#include "lib/err.h"
#include "lib/sign.h"

#include <stddef.h>
#include <stdint.h>

struct herd;

struct herd_options {
    const char *host;
    int port;
    const struct bus_trust *trust; /* NULL: no TLS */
    const struct sign_public *master_key;
    struct sign_secret *keys; /* one per agent; outlives the herd */
    size_t count;
};

/* Agent n of every herd is called this. */
void herd_agent_id(size_t number, char *out, size_t size);

/* Dials for every agent. The herd lives as long as the process, whatever the result. ERR_INVALID
 * for a malformed address. */
MUST_CHECK bool herd_open(struct herd **out, const struct herd_options *options, struct err *e);

/* Time passes: connections that must be tried again, answers that are overdue. To be called every
 * few milliseconds by one thread. */
void herd_tick(struct herd *h);

/* Lets the next `count` agents, round and round, report a node that changed its state; how long the
 * master takes to answer each is measured. */
void herd_change(struct herd *h, size_t count);

/* Counts from now on the agents that are told this version. */
void herd_expect(struct herd *h, const char *version);

/* From now on each switch that a rollout grants takes so long; negative: it never ends. */
void herd_switch(struct herd *h, int64_t ms);

/* Times are monotonic seconds, as Python's time.monotonic() has them; 0: not yet. */
struct herd_status {
    size_t live;          /* agents with a session */
    double all_live_at_s; /* when the last of them came */
    size_t told;          /* agents that were told the expected version */
    double last_told_at_s;
    size_t halted; /* that were told since the last herd_expect that nothing more begins */
    double last_halted_at_s;
    size_t switched; /* switches that were granted and are through, since the start */
    uint64_t lost;   /* sessions and attempts that failed, since the start */
    uint64_t answers;
    size_t measured; /* answers to changes since the last herd_change */
    double p50_ms, p99_ms, longest_ms;
};
void herd_status(struct herd *h, struct herd_status *out);
