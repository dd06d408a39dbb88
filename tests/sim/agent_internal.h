/* What the files of the agent share: agent.c (life, nodes, decisions), agent_update.c (journal and
 * turns), agent_fetch.c (downloads), agent_link.c (messages), agent_report.c (what it says). */
#pragma once

#include "tests/sim/agent.h"

enum { AGENT_ROUNDS = 8, RESTART_MS = 4000, SLACK_MS = 5000 };

/* In agent.c */
void agent_run(struct world *w, uint32_t agent);
/* About to write durably: false when it cannot (or died trying). */
bool agent_writes(struct world *w, uint32_t agent);

/* In agent_update.c, as agent/supervise_update.c */
void agent_open_journal(struct world *w, uint32_t agent);
void agent_take_turn(struct world *w, uint32_t agent);
void agent_commit(struct world *w, uint32_t agent, int version);
void agent_note_steps(struct world *w, uint32_t agent, const enum step *steps);
void agent_watch(struct world *w, uint32_t agent, int64_t *due_ms);
struct transition_policy agent_policy(const struct sim_desired *d);

/* In agent_fetch.c, as agent/fetching.c */
void agent_fetch(struct world *w, uint32_t agent, int version);
void agent_fetched(struct world *w, uint32_t agent, int version);
const struct sim_try *agent_try(const struct machine *m, int version); /* NULL: nothing failed */

/* In agent_link.c */
void agent_link_event(struct world *w, uint32_t agent, enum link_event event);
void agent_link_look(struct world *w, uint32_t agent); /* SIM_LINK */

/* In agent_report.c */
void agent_report(struct world *w, uint32_t agent, struct sim_report *out);
bool agent_report_differs(const struct sim_report *a, const struct sim_report *b);
