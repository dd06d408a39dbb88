/* The prediction in sentences. */
#include "lib/text.h"
#include "master/rollout_plan_internal.h"

#include <inttypes.h>

#define DOMAINS_SHOWN 8

static const char *agents(int64_t count) {
    return count == 1 ? "agent" : "agents";
}

static void add_seconds(struct text *out, int64_t ms) {
    text_add_format(out, "%g s", (double)ms / 1000);
}

static void explain_selection(struct text *out, const struct rollout_plan *plan) {
    text_add_format(out, "%" PRId64 " %s selected", plan->selected, agents(plan->selected));
    if (plan->deferred_count > 0)
        text_add_format(out, "; %zu cannot move now and follow when they can",
                        plan->deferred_count);
    if (plan->excluded_count > 0)
        text_add_format(out, "; %zu are left alone", plan->excluded_count);
    text_add(out, ".");
}

static void explain_canary(struct text *out, const struct rollout_plan *plan,
                           const struct rollout_policy *policy) {
    if (plan->canary == 0) {
        text_add(out, "\nThere is no canary: all begin with the first batch.");
        return;
    }
    text_add_format(out, "\nFirst %" PRId64 " %s of probation for ", plan->canary,
                    plan->canary == 1 ? "canary" : "canaries");
    add_seconds(out, policy->probation_ms);
    if (policy->auto_promote_ms == ROLLOUT_NEVER) {
        text_add(out, ", then it waits until somebody promotes it.");
        return;
    }
    text_add(out, ", then the others");
    if (policy->auto_promote_ms > 0) {
        text_add(out, " after ");
        add_seconds(out, policy->auto_promote_ms);
    }
    text_add(out, ".");
}

static void explain_order(struct text *out, const struct rollout_plan *plan,
                          const char *const *domains, size_t domain_count) {
    text_add_format(out, "\nAt most %" PRId64 " %s at a time", plan->max_parallel,
                    plan->max_parallel == 1 ? "is down" : "are down");
    if (domain_count > 1) {
        text_add(out, ", of one failure domain at a time:");
        for (size_t i = 0; i < domain_count && i < DOMAINS_SHOWN; i++)
            text_add_format(out, "%s %s", i > 0 ? "," : "",
                            domains[i][0] != '\0' ? domains[i] : "(without label)");
        if (domain_count > DOMAINS_SHOWN)
            text_add_format(out, " and %zu more", domain_count - DOMAINS_SHOWN);
    }
    text_add(out, ".");
}

static void explain_failure(struct text *out, const struct rollout_plan *plan,
                            const struct rollout_policy *policy) {
    text_add_format(out, "\nIt %s as soon as ", policy->auto_revert ? "goes back" : "pauses");
    if (plan->canary > 0) text_add(out, "a canary or ");
    text_add_format(out, "%s%" PRId64 " %s failed; a bad version fails on at most %" PRId64 ".",
                    plan->max_failures > 0 ? "more than " : "",
                    plan->max_failures > 0 ? plan->max_failures : 1,
                    plan->max_failures > 0 ? "have" : "has", plan->before_revert);
}

static void explain_end(struct text *out, const struct rollout_plan *plan) {
    if (plan->rest > 0 && plan->ends == ROLLOUT_COMPLETED)
        text_add_format(out, "\n%zu more follow the batches shown, in the same way.", plan->rest);
    if (plan->ends == ROLLOUT_COMPLETED) return;
    text_add_format(out, "\nIt would not be completed now: it waits in %s",
                    rollout_state_name(plan->ends));
    if (plan->cause != CAUSE_NONE) text_add_format(out, " (%s)", rollout_cause_name(plan->cause));
    text_add(out, ".");
}

void rollout_plan_explain(struct rollout_plan *plan, const struct rollout *draft,
                          const char *const *domains, size_t domain_count) {
    struct text out = TEXT_EMPTY;
    explain_selection(&out, plan);
    explain_canary(&out, plan, &draft->policy);
    explain_order(&out, plan, domains, domain_count);
    explain_failure(&out, plan, &draft->policy);
    explain_end(&out, plan);
    plan->words = text_take(&out);
}
