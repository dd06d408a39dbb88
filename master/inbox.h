/* Inbox: what agents say over the bus, proven, and what they are answered. Holds sessions and
 * parked heartbeats; knows nothing of what an agent should run (agents.h does). Its threads take
 * from lib/bus.h; one inner lock over sessions and parked requests. */
#pragma once

#include "lib/bus.h"
#include "lib/err.h"
#include "master/agents.h"
#include "master/certificates.h"
#include "master/downloads.h"
#include "master/keys.h"

struct inbox;

struct inbox_options {
    struct bus_server *bus;
    struct keys *keys;
    struct agents *agents;
    int64_t interval_ms; /* how long a heartbeat is parked */
    size_t max_unproven; /* sessions that only said hello; 0: 15,000 */
    bool approve_agents;
    struct certificates *certificates;     /* NULL: HTTP is plain */
    const struct downloads_key *downloads; /* NULL: they are open, nobody needs a credential */
    int64_t (*now_ms)(void);               /* NULL: clock_monotonic_ms */
};

struct inbox *inbox_new(const struct inbox_options *options);
/* Where agents find the master's HTTP port; before the threads start. */
void inbox_set_http_port(struct inbox *i, int port);
void inbox_free(struct inbox *i); /* after the threads returned */

/* A thread, one of several: takes requests until the bus server stops. */
void *inbox_run(void *inbox);

/* Answers parked heartbeats whose interval is over; forgets stale challenges and sessions. The tick
 * thread calls it every 100 ms. */
void inbox_tick(struct inbox *i, int64_t now_ms);

/* Answers the parked heartbeats of these agents with their desired states as they are now.
 * agents_options.desired_changed. */
void inbox_desired_changed(void *inbox, const char *const *agent_ids, size_t count);

/* Ends an agent's session: its next message is answered with hello_required or the reason it may
 * not come back. */
void inbox_forget(struct inbox *i, const char *agent_id);

size_t inbox_sessions(struct inbox *i);
size_t inbox_parked(struct inbox *i); /* heartbeats that wait for news or their interval's end */
int64_t inbox_heartbeats(struct inbox *i); /* taken since the start */
void inbox_drain(struct inbox *i); /* answers every parked heartbeat, before the bus closes */
