#include "master/follow_up.h"

#include "lib/log.h"
#include "master/agents.h"
#include "master/events.h"

void follow_up(struct agents *agents, struct events *events) {
    struct err e;
    if (agents != NULL && !agents_refresh(agents, &e))
        log_error("agents.refresh", "error=%s", e.text);
    if (events != NULL) events_announce(events);
}
