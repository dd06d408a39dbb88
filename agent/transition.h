/* Moving a machine's nodes from the version they run (current) to another one: where that stands.
 * Begun on somebody's leave, it is then finished or taken back on what happens on this machine
 * alone. Pure.
 *
 *            begin               watch                  commit
 *   NONE ----------> SWITCHING ---------> PROBATION ------------> NONE, the version is current
 *                        |  commit (none asked for)   |
 *                        |  fail, back                | fail, back
 *                        +-----------> RETURNING <----+
 *                                         |  \--end--> NONE, the nodes run current again
 *                                   stick |
 *                                         v
 *                                       STUCK ---end--> NONE, once current works again
 *
 * begin is possible from every state: another version is wanted, and there is leave for it. */
#pragma once

#include "lib/hash.h"

#include <stdbool.h>
#include <stdint.h>

enum transition_state {
    TRANSITION_NONE,
    TRANSITION_SWITCHING, /* nodes go to the version one after another */
    TRANSITION_PROBATION, /* all of them run it, and are watched */
    TRANSITION_RETURNING, /* nodes go back one after another */
    TRANSITION_STUCK,     /* current does not work any more either; it is tried for ever */
    TRANSITION_STATE_COUNT
};
const char *transition_state_name(enum transition_state state); /* "none", "switching", ... */
bool transition_state_parse(const char *name, enum transition_state *out);

/* What happens to it. */
enum turn {
    TURN_NONE,
    TURN_BEGIN,
    TURN_WATCH,
    TURN_COMMIT,
    TURN_FAIL, /* the version does not work */
    TURN_BACK, /* the version is not wanted any more, or its bytes are gone */
    TURN_STICK,
    TURN_END,
    TURN_COUNT
};

/* How the version has to prove itself. All zero: it is proven as soon as every node works. */
struct transition_policy {
    int64_t min_healthy_ms;      /* every node works without a break, at the end of ... */
    int64_t probation_ms;        /* ... this time since all of them run it */
    int64_t healthy_deadline_ms; /* a node has so long to work, from its start; probation lasts at
                                    most so much longer. 0: RECONCILE_HEALTHY_MS */
    bool allow_unavailable;      /* nodes are not asked whether they may stop */
};

struct transition {
    enum transition_state state;
    char to[SHA256_HEX_SIZE]; /* "" in NONE */
    bool failed;              /* RETURNING, STUCK: because the version does not work */
    struct transition_policy policy;
    int64_t watched_ms; /* PROBATION: how long it was watched so far */
};

/* How often nodes are asked for their health: more often than usual while a version is on trial
 * that may prove itself in less time. */
int64_t transition_probe_ms(const struct transition *t, int64_t usual_ms);

/* Takes the turn; to and policy are those of TURN_BEGIN. The turn must be one that the state
 * allows. */
void transition_take(struct transition *t, enum turn turn, const char *to,
                     const struct transition_policy *policy);
bool transition_allows(enum transition_state state, enum turn turn);
