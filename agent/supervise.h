/* The supervisor: the thread that makes this machine match the desired state. It owns the nodes,
 * the store's links and what is written down about them; slow work is done by agent/fetch.h and
 * agent/probe.h. */
#pragma once

#include "agent/exchange.h"
#include "agent/fetch.h"
#include "agent/identity.h"
#include "agent/probe.h"
#include "agent/self.h"
#include "agent/settings.h"
#include "agent/state.h"
#include "agent/trust.h"

struct supervise;

struct supervise_options {
    const struct settings *settings;
    struct state *state;
    const struct identity *identity;
    struct exchange *exchange;
    struct self *self; /* the agent's own program */
    struct trust *trust;
};

/* Reads what is on disk and tells the exchange a first report. *generation: the highest desired
 * generation seen. */
MUST_CHECK bool supervise_open(struct supervise **out, const struct supervise_options *options,
                               int64_t *generation, struct err *e);

/* Both are called back by other threads: supervise_wake is their `changed`, `answered`. They come
 * before supervise_run. */
void supervise_use(struct supervise *s, struct fetch *fetch, struct probes *probes);
void supervise_wake(void *supervise);

void *supervise_run(void *supervise); /* the thread */

/* Ends supervise_run; with stop_nodes after the nodes have ended (SIGTERM, 10 s, SIGKILL). Any
 * thread. */
void supervise_stop(struct supervise *s, bool stop_nodes);
void supervise_close(struct supervise *s); /* after supervise_run returned; processes live on */
OWN_DEFINE(supervise, struct supervise, supervise_close)
