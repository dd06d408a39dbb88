/* Why rollouts and their members are where they are, for people. */
#include "master/rollouts_internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define NAMES_MAX 3

static const struct {
    const char *of_member; /* "" : nothing to say */
    const char *of_rollout;
} words[CAUSE_COUNT] = {
    [CAUSE_NONE] = {"",                                      ""                                          },
    [CAUSE_OPERATOR] = {"an operator said so",                   "an operator said so"                       },
    [CAUSE_VERSION] = {"the version does not work there",       "the version does not work on"              },
    [CAUSE_SILENT] = {"neither done nor back by its deadline", "nothing was heard in time of"              },
    [CAUSE_MACHINE] = {"the machine is at fault",               "something is wrong with"                   },
    [CAUSE_DOWNLOAD] = {"it could not get the bytes",            "the bytes could not be had by"             },
    [CAUSE_UNTRUSTED] = {"what it got is not authentic",          "a signature or digest did not hold on"     },
    [CAUSE_VETO] = {"a node must not stop now",              "nodes must not stop on"                    },
    [CAUSE_AWAY] = {"it is not heard of",                    "nothing is heard of"                       },
    [CAUSE_DRAINING] = {"it is draining or on hold",             "these are draining or on hold:"            },
    [CAUSE_PINNED] = {"it is pinned",                          "these are pinned:"                         },
    [CAUSE_NO_BUILD] = {"there is no build that it can take",    "there is no build for"                     },
    [CAUSE_REMOVED] = {"it was removed",                        "these were removed:"                       },
    [CAUSE_BUDGET] = {"too many others do not work",
                    "budget_exhausted: as many as may be away at once do not work already:"              },
    [CAUSE_PROGRESS] = {"nothing moved for too long",            "nobody got on before the progress deadline"},
    [CAUSE_WINDOW] = {"outside of its maintenance windows",    "outside of its maintenance windows"        },
    [CAUSE_RECOVERING] = {"the master has just started",           "the master has just started"               },
    [CAUSE_SUPERSEDED] = {"a newer rollout moves it",              "a newer rollout took over"                 },
    [CAUSE_WITHDRAWN] = {"the version was withdrawn",
                    "the version was yanked or targets leave it out"                                     },
};

const char *rollout_member_words(enum rollout_cause cause) {
    assert((unsigned)cause < CAUSE_COUNT);
    return words[cause].of_member;
}

static bool is_selected(const struct rollout_member *m) {
    return m->state != MEMBER_EXCLUDED;
}

/* Whether the machine is one that the cause is about. */
static bool is_meant(const struct rollout_member *m, enum rollout_cause cause) {
    if (cause == CAUSE_BUDGET) return is_selected(m) && !m->facts.works;
    if (cause == CAUSE_DOWNLOAD || cause == CAUSE_MACHINE || cause == CAUSE_UNTRUSTED)
        return m->cause == cause || m->facts.fetch_cause == cause;
    return m->cause == cause;
}

/* ": a-1, a-2, a-3 and 4 more" */
static void name_machines(const struct live_rollout *l, struct text *out) {
    size_t named = 0, count = 0;
    for (size_t i = 0; i < l->row.state.member_count; i++) {
        if (!is_meant(&l->row.state.members[i], l->row.state.cause)) continue;
        if (count++ >= NAMES_MAX) continue;
        text_add_format(out, "%s %s", named++ > 0 ? "," : "", l->agents[i].id);
    }
    if (count > named) text_add_format(out, " and %zu more", count - named);
}

static const char *first_reason(const struct live_rollout *l) {
    for (size_t i = 0; i < l->row.state.member_count; i++)
        if (is_meant(&l->row.state.members[i], l->row.state.cause) &&
            l->agents[i].reason[0] != '\0')
            return l->agents[i].reason;
    return "";
}

static bool is_about_machines(enum rollout_cause cause) {
    return cause != CAUSE_NONE && cause != CAUSE_OPERATOR && cause != CAUSE_PROGRESS &&
           cause != CAUSE_WINDOW && cause != CAUSE_RECOVERING && cause != CAUSE_SUPERSEDED &&
           cause != CAUSE_WITHDRAWN;
}

void rollout_words(const struct live_rollout *l, char out[ROLLOUT_REASON_SIZE]) {
    OWN_TEXT struct text all = TEXT_EMPTY;
    enum rollout_cause cause = l->row.state.cause;
    text_add(&all, words[cause].of_rollout);
    if (is_about_machines(cause)) {
        name_machines(l, &all);
        const char *reason = cause == CAUSE_BUDGET ? "" : first_reason(l);
        if (reason[0] != '\0') text_add_format(&all, ": %s", reason);
    }
    text_cut(out, ROLLOUT_REASON_SIZE, text_value(&all));
}
