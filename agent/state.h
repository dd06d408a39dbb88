/* The agent's state directory, held by one agent at a time:
 *
 *   lock                     flocked by the running agent
 *   identity/                agent.key id address token master.pub release.pub, and where the join
 *                            string told them root (VERSION.SHA256) and ca.pem
 *   store/SHA256             verified artifacts, mode 0500, never changed
 *   store/SHA256.json        what such an artifact is
 *   current, previous        links into store/
 *   tmp/SHA256.part          downloads under way
 *   tuf/                     {root,timestamp,snapshot,targets}.json as they were signed, anchor
 *                            (how the root is known), clock (agent/trust_clock.h)
 *   desired.json             the last desired state that was taken
 *   journal                  where an update stands, and which versions failed (agent/journal.h)
 *   agent/                   builds of the agent (agent/builds.h), where a launcher started it;
 *                            journal of its own update (agent/self_journal.h), trial/ and failed
 *                            (agent/trial.h), starts (agent/launcher/starts.h), lock, log
 *   nodes/INDEX/             record.json (agent/record.h) data/ log log.1
 *
 * Any thread after state_open. */
#pragma once

#include "lib/err.h"

#define STATE_ROOT_SIZE 3072
#define STATE_PATH_SIZE 4096

struct state {
    char root[STATE_ROOT_SIZE]; /* absolute, without links */
    int lock_fd;
};

/* gridctl and the master read GRID_STATE too; where it names a master's directory, it is not meant
 * for the agent and is taken out of the environment. Before options are read. */
void state_pass_over_master(void);

/* Only finds the directory, for a look that changes nothing: it is not held. */
MUST_CHECK bool state_find(struct state *s, const char *directory, struct err *e);

/* Makes the directory (0700) and its parts, takes the lock. ERR_CONFLICT names the agent that holds
 * it. */
MUST_CHECK bool state_open(struct state *s, const char *directory, struct err *e);
/* Whether somebody deleted or replaced the directory under us, and the same directory anew, with
 * its parts and its lock. ERR_CONFLICT: it is another agent's by now. */
bool state_lost(const struct state *s);
MUST_CHECK bool state_restore(struct state *s, struct err *e);

void state_close(struct state *s); /* lets another agent in */

/* root/format... into out; returns out. What the program makes up itself always fits. */
const char *state_path(const struct state *s, char out[STATE_PATH_SIZE], const char *format, ...)
    PRINTF_LIKE(3, 4);
