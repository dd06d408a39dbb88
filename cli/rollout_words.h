/* Rollouts and plans in words. Pure. */
#pragma once

#include "cli/output.h"
#include "cli/rollout_answers.h"

/* "4 of 8 committed, 1 in flight, 1 failed, 2 deferred"; of a rollout that goes back "2 of 5
 * returned". */
void rollout_words_progress(const struct answer_rollout *r, struct text *out);

/* "paused in rolling (machine)". */
void rollout_words_state(const struct answer_rollout *r, struct text *out);

/* "because ..." or "waits for ..."; nothing when there is nothing to say. */
void rollout_words_why(const struct answer_rollout *r, struct text *out);

/* What a person has to type for it to go on, or would type next; "" when it goes on by itself. */
void rollout_words_next(const struct answer_rollout *r, struct text *out);

/* Whether it waits for a person. */
bool rollout_words_stands(const struct answer_rollout *r);

/* Everything about it but its agents, as fields. */
void rollout_words_show(const struct answer_rollout *r, int64_t now_ms,
                        const struct output_style *style, struct text *out);

/* Whether it failed, is held or cannot go back, or did before it went back. */
bool rollout_words_troubled(const struct answer_rollout_agent *a);

/* A table of agents; unless all is true, of those alone that are on their way, deferred, excluded
 * or in trouble. Diagnoses stand below. */
void rollout_words_agents(const struct answer_rollout_agent *agents, size_t count, bool all,
                          const struct output_style *style, struct text *out);

/* How it ended: a line, and for one that did not complete the reason. */
void rollout_words_end(const struct answer_rollout *r, const struct output_style *style,
                       struct text *out);

/* Whom a rollout would move, in which batches, and how many it risks. all: every batch. */
void rollout_words_plan(const struct answer_plan *p, bool all, const struct output_style *style,
                        struct text *out);
