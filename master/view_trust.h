/* Who may sign, as REST shows it. */
#pragma once

#include "lib/text.h"
#include "master/repo.h"

struct trust_view {
    struct repo_status status;
    struct tuf_root root;
    struct text without_root; /* ids of agents that trust no root yet, lines, not all of them */
    int64_t without_root_count;
    int64_t held;
};
void trust_view_clear(struct trust_view *v);

/* Appends a JSON object. repo tells which keys are here. */
void view_trust(const struct trust_view *v, struct repo *repo, struct text *out);
