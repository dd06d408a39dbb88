/* What a rollout would do: the engine itself (master/rollout.h) run ahead on copies, in virtual
 * time. Once as if all goes well, for the batches; once as if the canaries did well and all others
 * failed, and once as if nobody did well, for what a bad version reaches. Pure. */
#pragma once

#include "lib/own.h"
#include "master/rollout.h"

/* Beyond these much of one-by-one prediction the rest is only counted. */
#define ROLLOUT_PLAN_BATCHES_MAX 1000

enum rollout_plan_kind { PLAN_CANARY, PLAN_BROKEN, PLAN_ROLLING };
const char *rollout_plan_kind_name(enum rollout_plan_kind kind); /* "canary", ... */

/* Agents that may move at the same time. Those that do not work yet take no slot, so that they move
 * together with others: a batch of theirs has the number of the one that follows it, if any. */
struct rollout_plan_batch {
    int64_t number; /* from 1 */
    enum rollout_plan_kind kind;
    int32_t domain;
    size_t *members; /* indexes, owned */
    size_t count;
};

struct rollout_plan_aside {
    size_t member;
    enum rollout_cause cause;
};

struct rollout_plan {
    struct rollout_plan_batch *batches; /* owned */
    size_t batch_count;
    size_t rest; /* members that move in later batches, which are not listed */
    struct rollout_plan_aside *excluded, *deferred; /* owned */
    size_t excluded_count, deferred_count;
    int64_t selected, canary, max_parallel, max_failures; /* as counts */
    int64_t at_once;                                      /* move at the same time at most */
    int64_t before_first_check; /* run the version before anything is known about it */
    int64_t before_revert;      /* fail at most before it stops or turns back */
    enum rollout_state ends;    /* COMPLETED, or where it would wait */
    enum rollout_cause cause;   /* why it would wait */
    char *words;                /* sentences, joined by '\n'; owned */
};

/* draft: in DRAFT, with its members and their facts; domains: their names, by index. */
void rollout_plan_make(struct rollout_plan *out, const struct rollout *draft,
                       const char *const *domains, size_t domain_count);
void rollout_plan_clear(struct rollout_plan *plan);
