/* Whether one agent's name is used by two machines at once. Each process of an agent draws a random
 * instance and counts its greetings; the greetings that began a session here, in order, tell:
 *
 *   an instance never seen             the agent was restarted, or restored: fine
 *   the newest one, count higher       it greets again: fine
 *   the newest one, count not higher   a running machine was copied, memory and all
 *   one that another has replaced      it was not gone: two processes take turns
 *
 * Pure. */
#pragma once

#include "lib/wire.h"

#define INSTANCES_REMEMBERED 4

struct instance {
    char id[WIRE_INSTANCE_SIZE];
    int64_t greeting; /* the highest count so far */
};

struct instances {                              /* zero: nobody was seen yet */
    struct instance seen[INSTANCES_REMEMBERED]; /* newest first */
    size_t count;
};

/* Takes a greeting that began a session. False when it says that two machines speak in one name.
 * Agents of before tell no instance (""), which says nothing. */
bool instances_greet(struct instances *s, const char *instance, int64_t greeting);
