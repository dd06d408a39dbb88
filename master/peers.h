/* Peers: the sessions of agents, and which of their heartbeats are parked. A hello makes a session;
 * it becomes the agent's live one with its first proven frame, so that a replayed hello cannot push
 * a live agent out. One thread at a time: the inbox guards them. */
#pragma once

#include "lib/bus.h"
#include "lib/session.h"
#include "lib/wire.h"

/* One session of one agent. */
struct peer {
    struct session session;
    char agent_id[WIRE_AGENT_ID_SIZE];
    char instance[WIRE_INSTANCE_SIZE]; /* of its hello */
    int64_t greeting;
    int64_t edition; /* of the newest answer that was sealed */
    bool live;       /* it has proven itself and speaks for the agent */
    int64_t created_ms;
    struct peer *older, *newer; /* in the list of unproven sessions */
    struct bus_request *parked;
    uint64_t parked_sequence;
    int64_t parked_at_ms;
    struct peer *previous, *next; /* in the list of parked ones, oldest first */
};

struct peers {
    void *by_session; /* tree of struct peer */
    void *by_agent;   /* tree of the live ones */
    size_t count;
    struct peer *unproven; /* newest first */
    size_t unproven_count;
    struct peer *oldest, *newest; /* parked */
    size_t parked_count;
};

void peers_fini(struct peers *ps); /* discards what is parked */

struct peer *peers_find(const struct peers *ps, const unsigned char session[SESSION_ID_SIZE]);
struct peer *peers_find_live(const struct peers *ps, const char *agent_id);

/* A session that only said hello. */
void peers_add(struct peers *ps, const struct session *s, const struct wire_hello *hello,
               int64_t now_ms);

/* The first proven frame: from now on this session speaks for the agent, and the one before it is
 * over. */
void peers_make_live(struct peers *ps, struct peer *p);

/* Ends a session; what is parked of it gets no answer. */
void peers_forget(struct peers *ps, struct peer *p);
/* Those that never proved themselves: of this agent, or begun by then. */
void peers_forget_unproven_of(struct peers *ps, const char *agent_id);
void peers_forget_unproven_before(struct peers *ps, int64_t begun_ms);

/* Nothing of it may be parked yet. */
void peers_park(struct peers *ps, struct peer *p, struct bus_request *r, uint64_t sequence,
                int64_t now_ms);
/* Takes a parked request out; the caller owes the answer. NULL when nothing is parked. */
struct bus_request *peers_unpark(struct peers *ps, struct peer *p);
