/* Between the parts of agent/self.h. */
#pragma once

#include "agent/self.h"

struct self {
    struct self_options options;
    char directory[STATE_PATH_SIZE]; /* STATE/agent */
    char running[BUILDS_NAME_SIZE];  /* "" when no launcher started us */
    char target[BUILDS_NAME_SIZE];
    char prefetch[BUILDS_NAME_SIZE];
    struct self_staging staging;
    struct self_journal journal;
    struct self_decision decision;
    char hold[256]; /* why the master wants no switch now; "": it does not mind */
    bool target_staged, prefetch_staged;
    bool may_download;
    int64_t generation; /* of the desired state that was looked at */
    uint64_t trust_number;
    int64_t began_ms, reached_ms, taken_over_ms, lease_until_ms;
    int64_t retry_ms;   /* of an action that failed */
    struct err trouble; /* ... and why; code ERR_NONE: none did */
    bool unwritten;     /* the journal on disk may say that something has begun */
    bool leaving;       /* what comes next is another process's */
    bool tidy_due;      /* a trial may be over, builds may be needed no more */
};

bool self_under_way(const struct self *s);

/* Which build of STATE/agent this process is; "" when a launcher did not start it. */
void self_find_running(const struct state *state, char out[BUILDS_NAME_SIZE]);

/* Carry out a decision that is not SELF_STAY. */
void self_act(struct self *s, const struct self_world *world, int64_t now_ms);
