/* Being a member of a grid: enrolled at the first start, known from then on, and enrolled anew
 * after a removal when there is a new join string. One thread at a time; blocks on the network. */
#pragma once

#include "agent/identity.h"
#include "agent/settings.h"
#include "agent/state.h"
#include "lib/bus.h"

#include <signal.h>

struct member {
    const struct settings *settings;
    struct state *state;
    const sigset_t *signals;  /* blocked; any of them ends the wait for a master */
    struct identity identity; /* this and the bus are ours, until member_fini */
    struct bus_client *bus;   /* to the master */
    bool told_to_end;         /* while it waited: it may not be enrolled then */
};

/* Loads the identity, or enrolls, waiting for the master as long as the settings allow. */
MUST_CHECK bool member_begin(struct member *m, struct err *e);

/* Enrolls with the new join string in place of the identity that the master does not know any more,
 * which is kept aside, and comes back when the join string is refused; bus is NULL when not even
 * that could be done. */
MUST_CHECK bool member_begin_anew(struct member *m, struct err *e);

/* Whether the settings hold a join string that it did not enroll with. */
bool member_is_invited(const struct member *m);

/* --enroll-within: makes this machine a member unless it is one. The state is not held for that by
 * a member whom the master knows, or cannot be asked about: its agent may be running. ERR_CONFLICT:
 * an agent that the master does not know runs, and is in the way of enrolling anew, or the machine
 * is a member of another grid than the join string's. */
MUST_CHECK bool member_settle(struct member *m, struct err *e);

void member_fini(struct member *m);
