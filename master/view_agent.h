/* Agents and nodes as REST shows them. Encoded while the registry is locked: nothing here blocks.
 */
#pragma once

#include "master/agents.h"

/* Appends the JSON object of an agent, nodes included. */
void view_agent(const struct agent_view *v, struct text *out);

/* Appends the JSON object of one node. */
void view_node(const struct agent_view *v, const struct wire_node *n, struct text *out);

/* The state a node is shown in: draining while its agent drains; lost agents' nodes are not known
 * to be anything. */
const char *view_node_state(const struct agent_view *v, const struct wire_node *n);

/* Whether the agent says that somebody tries something with metadata, and in what words. */
bool view_distrusts(const struct wire_trust *t);
void view_distrust(const struct wire_trust *t, char *out, size_t size);

/* One sentence about what is not as it should be, "" when all is well. */
void view_agent_reason(const struct agent_view *v, char *out, size_t size);

/* Appends what an agent does about a version, as JSON. */
void view_update(const struct wire_update *u, struct text *out);
