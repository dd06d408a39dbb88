/* What a look at the whole says: findings, each with what to do. doctor_examine is pure. */
#pragma once

#include "cli/answers.h"
#include "cli/output.h"

struct finding {
    char state[8]; /* ok, warn, fail */
    char check[16];
    char found[256];
    char next[160]; /* "" when there is nothing to do */
};
#define DOCTOR_MAX_FINDINGS 24

struct doctor {
    struct finding findings[DOCTOR_MAX_FINDINGS];
    size_t count;
};

void doctor_add(struct doctor *d, const char *state, const char *check, const char *next,
                const char *format, ...) PRINTF_LIKE(5, 6);

/* Findings about a grid that answers with this summary, for a gridctl of own_version at now_ms. */
void doctor_examine(struct doctor *d, const struct answer_summary *s, const char *own_version,
                    int64_t now_ms);

bool doctor_failed(const struct doctor *d);
