/* The agent's own program: which build runs, which should, and the way from one to the other
 * (decisions: agent/self_state.h). The supervisor's thread, but for self_leave_fd. */
#pragma once

#include "agent/identity.h"
#include "agent/self_staging.h"
#include "agent/self_state.h"
#include "agent/trust.h"

struct self;

struct self_options {
    const struct state *state;
    const char *version; /* of this program */
    struct trust *trust;
    /* Called when this agent should end, its nodes living on, so that the launcher starts the
     * current build. */
    void (*leave)(void *argument);
    void *argument;
};

struct self *self_new(const struct self_options *options);
void self_free(struct self *s); /* after its fetcher ended */
OWN_DEFINE(self, struct self, self_free)

/* The fetcher of builds, with the place self_staging_place. Before self_look. */
void self_use(struct self *s, struct fetch *fetch);

/* What the supervisor knows. */
struct self_world {
    const struct wire_desired *desired;
    const char *base_url; /* of the master, "" while it is not known */
    const char *pin;      /* of its key */
    const char *token;
    bool answered; /* the master named the desired state in this life of the agent, last ... */
    int64_t answered_ms; /* ... then: leases count from there */
    bool connected;      /* it answers now */
    bool may_download;
    bool quiet;    /* no node is on its way */
    bool examined; /* every node is known */
    size_t held;   /* nodes whose directories are somebody else's */
};

/* Decides and acts. Lowers *due_ms. */
void self_look(struct self *s, const struct self_world *world, int64_t now_ms, int64_t *due_ms);

/* For the report; free with json_clear(&wire_self_schema, out). */
void self_report(const struct self *s, const struct wire_desired *desired, struct wire_self *out);
