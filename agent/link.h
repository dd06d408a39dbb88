/* The bus thread: hello, session, heartbeats as long polls, desired states. Reconnects for ever.
 * Decisions are agent/link_state.h's. */
#pragma once

#include "agent/exchange.h"
#include "agent/identity.h"
#include "lib/bus.h"

struct link;

struct link_options {
    const struct identity *identity;
    struct exchange *exchange;
    struct bus_client *bus; /* the link's from now on, but not freed by it */
    int64_t generation;     /* highest desired generation seen so far */
    /* Called by the link's thread whenever the master says that it knows no such agent; may be
     * NULL. */
    void (*removed)(void *argument);
    void *argument;
};

struct link *link_new(const struct link_options *options);
void link_free(struct link *l); /* after link_run returned */

void *link_run(void *link); /* the thread */

/* Ends link_run; the last report is sent on the way out when there is a session. Any thread. */
void link_stop(struct link *l);

/* For exchange_on_report. */
void link_report_changed(void *link);
