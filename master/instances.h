/* Whether one agent's name is used by two machines at once. Each process of an agent draws a random
 * instance and counts its greetings; the greetings that began a session here, in order, tell:
 *
 *   an instance never seen             the agent was restarted, or restored: fine
 *   the newest one, count higher       it greets again: fine
 *   the newest one, count not higher   a running machine was copied, memory and all
 *   one that another has replaced      it was not gone: two processes take turns
 *   one too many in a minute           somebody has those forgotten that were here
 *
 * Agents of before tell no instance (""): they replace others, and are not judged themselves. Pure.
 */
#pragma once

#include "lib/wire.h"

#define INSTANCES_REMEMBERED 16
#define INSTANCES_FORGOTTEN_MS 60000 /* after its last greeting, no sooner */

struct instance {
    char id[WIRE_INSTANCE_SIZE];
    int64_t greeting; /* the highest count so far */
    int64_t at_ms;    /* of the last one */
};

struct instances {         /* zero: nobody was seen yet */
    struct instance *seen; /* newest first; most agents have one */
    size_t count;
};
void instances_forget(struct instances *s); /* all of them */

/* Takes a greeting that began a session. False when it says that two machines speak in one name. */
bool instances_greet(struct instances *s, const char *instance, int64_t greeting, int64_t now_ms);
