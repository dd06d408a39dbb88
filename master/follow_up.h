/* What has to follow a committed change of catalog, channels or keys. Any thread. */
#pragma once

struct agents;
struct events;

/* Recomputes what agents should run, and tells who follows events. Either may be NULL. A refresh
 * that fails is logged; the next one makes up for it. */
void follow_up(struct agents *agents, struct events *events);
