/* What doctor makes of rollouts and quarantined builds. */
#include "cli/doctor.h"
#include "cli/format.h"
#include "cli/rollout_words.h"

#include <string.h>

#define MOST_NAMED 5

static void examine_rollout(struct doctor *d, const struct answer_rollout *r) {
    bool stuck = strcmp(format_or(r->state, ""), "revert_stuck") == 0;
    OWN_TEXT struct text state = TEXT_EMPTY, next = TEXT_EMPTY, why = TEXT_EMPTY;
    rollout_words_state(r, &state);
    rollout_words_next(r, &next);
    rollout_words_why(r, &why);
    doctor_add(d,
               stuck                     ? "fail"
               : rollout_words_stands(r) ? "warn"
                                         : "ok",
               "rollout", text_value(&next), "%.24s to %.32s is %.60s%s%.120s", r->id,
               format_or(r->version, "?"), text_value(&state), why.length > 0 ? ", " : "",
               text_value(&why));
}

void doctor_examine_rollouts(struct doctor *d, const struct answer_rollout *rollouts,
                             size_t count) {
    for (size_t i = 0; i < count && i < MOST_NAMED; i++) examine_rollout(d, &rollouts[i]);
    if (count > MOST_NAMED)
        doctor_add(d, "warn", "rollout", "gridctl rollout list", "%zu more like these",
                   count - MOST_NAMED);
}

void doctor_examine_quarantine(struct doctor *d, const struct answer_quarantined *quarantined,
                               size_t count) {
    for (size_t i = 0; i < count && i < MOST_NAMED; i++) {
        const struct answer_quarantined *q = &quarantined[i];
        doctor_add(d, "warn", "quarantine", "gridctl quarantine list",
                   "%.32s %.32s (%.12s...) is chosen no more: %.120s", format_or(q->name, "?"),
                   format_or(q->version, "?"), q->digest, format_or(q->reason, "it failed"));
    }
    if (count > MOST_NAMED)
        doctor_add(d, "warn", "quarantine", "gridctl quarantine list", "%zu more builds",
                   count - MOST_NAMED);
}
