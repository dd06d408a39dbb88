/* The desired state that was taken last; it is on disk before anybody acts on it. One thread. */
#pragma once

#include "agent/reconcile.h"
#include "agent/state.h"
#include "agent/version.h"
#include "lib/wire.h"

struct wanted {
    struct wire_desired desired; /* generation 0: none was ever taken */
    char *json;                  /* the same, as it is kept */
    bool answered;               /* the master named it in this life of the agent, last ... */
    int64_t answered_ms;         /* ... then, by clock_boot_ms */
    char download_token[WIRE_DOWNLOAD_TOKEN_SIZE]; /* of the last answer, never on disk; "" for none
                                                    */
};

void wanted_load(struct wanted *w, const struct state *s);
void wanted_fini(struct wanted *w);

/* Takes what came in at received_ms, and its download token in any case; every answer renews the
 * lease. False when it says the same as before, is older, or makes no sense (then it is logged). */
bool wanted_take(struct wanted *w, const struct state *s, const char *json, int64_t received_ms);

/* Writes down again what was taken last. */
void wanted_save(const struct wanted *w, const struct state *s);

/* The desired version; sha256 "" when none is desired. *out is cleared first. */
void wanted_version(const struct wanted *w, struct version *out);
void wanted_prefetch(const struct wanted *w, struct version *out); /* the same of what is fetched
                                                                      ahead */

/* Leave to begin a switch to the desired version; not given: the master's company is leave.
 * asleep_ms: how far the monotonic clock, by which the lease is told, is behind clock_boot_ms. */
void wanted_grant(const struct wanted *w, int64_t asleep_ms, struct reconcile_grant *out);

/* The highest restart order for the node; 0 for none. */
int64_t wanted_restart(const struct wanted *w, const char *node_id);
bool wanted_draining(const struct wanted *w);
