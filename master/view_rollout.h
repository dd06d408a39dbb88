/* Rollouts as REST shows them. Encoded while they are locked: nothing here blocks. */
#pragma once

#include "master/rollouts.h"

/* "r-12"; "" for 0. */
char *view_rollout_id(int64_t number, char out[WIRE_ROLLOUT_ID_SIZE]);

/* Appends the JSON object of a rollout, without its agents. */
void view_rollout(const struct rollout_view *v, struct text *out);

/* Appends the JSON object of one of its agents. */
void view_rollout_agent(const struct rollout_view *v, size_t index, struct text *out);

/* The name of a domain by its index; "" for the unlabelled one, and for nobody's (-1). */
const char *view_rollout_domain(const struct rollout_view *v, int32_t domain);

/* Appends the names of the domains as a JSON array. */
void view_rollout_domains(const struct rollout_view *v, struct text *out);

/* Index of the member; SIZE_MAX when the agent is none. */
size_t view_rollout_find(const struct rollout_view *v, const char *agent_id);

/* What the agent does about it at the moment, in one word. */
const char *view_rollout_phase(const struct rollout *r, const struct rollout_member *m);
