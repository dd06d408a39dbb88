/* What a look at the whole says: findings, each with what to do. Pure; doctor.c asks. */
#pragma once

#include "cli/answers.h"
#include "cli/output.h"
#include "cli/rollout_answers.h"

struct finding {
    char state[8]; /* ok, warn, fail */
    char check[16];
    char found[256];
    char next[160]; /* "" when there is nothing to do */
};
#define DOCTOR_MAX_FINDINGS 64

struct doctor {
    struct finding findings[DOCTOR_MAX_FINDINGS];
    size_t count;
};

void doctor_add(struct doctor *d, const char *state, const char *check, const char *next,
                const char *format, ...) PRINTF_LIKE(5, 6);

/* What is looked at. */
struct doctor_view {
    const struct answer_summary *summary;
    const struct answer_facts *facts; /* NULL: the token may not see them */
    const struct answer_agent *agents;
    size_t agent_count;
    const char *own_version; /* gridctl's */
    int64_t now_ms;          /* by the clock of this machine, when facts were answered */
};

/* Findings about the grid, in the order in which they should be mended. */
void doctor_examine(struct doctor *d, const struct doctor_view *v);

/* Findings about rollouts that are active or stuck, and about builds that are chosen no more. */
void doctor_examine_rollouts(struct doctor *d, const struct answer_rollout *rollouts, size_t count);
void doctor_examine_quarantine(struct doctor *d, const struct answer_quarantined *quarantined,
                               size_t count);

bool doctor_failed(const struct doctor *d);
