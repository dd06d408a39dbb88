/* What a rollout that is watched looks like: a few lines redrawn in place on a terminal, one line
 * per change elsewhere. Pure. */
#pragma once

#include "cli/output.h"
#include "cli/rollout_answers.h"

/* A rollout at one moment. */
struct rollout_scene {
    struct answer_rollout rollout;
    struct answer_rollout_agent *agents; /* owned */
    size_t agent_count;
    bool complete; /* agents are all of them, not only those in flight or in trouble */
    int64_t elapsed_ms;
    char etag[128];
};
void rollout_scene_clear(struct rollout_scene *s);

/* Lines for a terminal of style->width columns, none longer. */
void rollout_screen(const struct rollout_scene *s, const struct output_style *style,
                    struct text *out);

/* What changed since before, a line for each; before NULL: where it stands. */
void rollout_changes(const struct rollout_scene *before, const struct rollout_scene *now,
                     const struct output_style *style, struct text *out);
