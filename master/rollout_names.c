/* Causes by name, and what amounts come to. */
#include "master/rollout.h"

#include <assert.h>
#include <string.h>

static const char *const causes[CAUSE_COUNT] = {
    [CAUSE_NONE] = "",
    [CAUSE_OPERATOR] = "operator",
    [CAUSE_VERSION] = "version",
    [CAUSE_SILENT] = "silent",
    [CAUSE_MACHINE] = "machine",
    [CAUSE_DOWNLOAD] = "download",
    [CAUSE_UNTRUSTED] = "untrusted",
    [CAUSE_VETO] = "veto",
    [CAUSE_AWAY] = "away",
    [CAUSE_DRAINING] = "draining",
    [CAUSE_PINNED] = "pinned",
    [CAUSE_NO_BUILD] = "no_build",
    [CAUSE_REMOVED] = "removed",
    [CAUSE_BUDGET] = "budget_exhausted",
    [CAUSE_PROGRESS] = "progress_deadline",
    [CAUSE_WINDOW] = "window",
    [CAUSE_RECOVERING] = "recovering",
    [CAUSE_SUPERSEDED] = "superseded",
    [CAUSE_WITHDRAWN] = "withdrawn",
};

const char *rollout_cause_name(enum rollout_cause cause) {
    assert((unsigned)cause < CAUSE_COUNT);
    return causes[cause];
}

bool rollout_cause_parse(const char *name, enum rollout_cause *out) {
    for (unsigned i = 0; i < CAUSE_COUNT; i++) {
        *out = i;
        if (strcmp(causes[i], name) == 0) return true;
    }
    return false;
}

int64_t rollout_amount_of(struct rollout_amount amount, int64_t all) {
    if (!amount.percent || amount.value == 0) return amount.value;
    int64_t part = (all * amount.value + 99) / 100;
    return part > 0 ? part : 1;
}

int64_t rollout_failures_borne(const struct rollout_policy *policy, int64_t selected) {
    return policy->max_failures >= 0 ? policy->max_failures : selected * 5 / 100;
}
