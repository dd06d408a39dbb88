#include "lib/text.h"
#include "master/rollout_plan_internal.h"

#include <assert.h>
#include <string.h>

#define STEP_MS 1000
#define WORK_MAX                                                                                   \
    10000000         /* members looked at, so that a prediction takes no longer than a blink       \
                      */
#define IDLE_STEPS 8 /* without a grant: nothing goes on by itself any more */

/* How agents take the version. */
enum luck { ALL_WELL, CANARIES_WELL, NOBODY_WELL };

struct run {
    struct rollout rollout;
    int64_t now_ms;
    enum luck luck;
    int32_t turns_seen;
    size_t steps_left;
};

const char *rollout_plan_kind_name(enum rollout_plan_kind kind) {
    static const char *const names[] = {
        [PLAN_CANARY] = "canary", [PLAN_BROKEN] = "broken", [PLAN_ROLLING] = "rolling"};
    assert((size_t)kind < sizeof names / sizeof names[0]);
    return names[kind];
}

/* Whoever can be reached will have the bytes. */
static void run_begin(struct run *run, const struct rollout *draft, enum luck luck) {
    size_t n = draft->member_count;
    size_t steps = WORK_MAX / (n + 1);
    *run = (struct run){.rollout = *draft, .luck = luck};
    run->steps_left = steps < 100 ? 100 : steps;
    run->rollout.policy.auto_promote_ms = 0;
    run->rollout.members = memory_zeroed(n + 1, sizeof *draft->members);
    if (n > 0) memcpy(run->rollout.members, draft->members, n * sizeof *draft->members);
    for (size_t i = 0; i < n; i++) {
        struct rollout_facts *f = &run->rollout.members[i].facts;
        f->progress = PROGRESS_NONE;
        if (!f->online) continue;
        f->staged = true;
        f->fetch_cause = CAUSE_NONE;
    }
}

static void run_end(struct run *run) {
    free(run->rollout.members);
}

static bool goes_on(const struct run *run) {
    enum rollout_state state = run->rollout.state;
    return rollout_is_active(state) && state != ROLLOUT_REVERTING && state != ROLLOUT_PAUSED;
}

/* One step of the engine. False when it is over, waits for something, or the work is done that a
 * prediction is worth. */
static bool run_step(struct run *run) {
    struct rollout_time at = {run->now_ms, true};
    run->turns_seen = run->rollout.turns;
    for (int idle = 0; idle < IDLE_STEPS && run->steps_left > 0 && goes_on(run); idle++) {
        run->steps_left--;
        run->now_ms += STEP_MS;
        at.now_ms = run->now_ms;
        (void)rollout_next(&run->rollout, ROLLOUT_TICK, at);
        if (run->rollout.turns > run->turns_seen) return true;
    }
    return false;
}

static void finish(struct run *run) {
    for (size_t i = 0; i < run->rollout.member_count; i++) {
        struct rollout_member *m = &run->rollout.members[i];
        if (m->state != MEMBER_GRANTED) continue;
        bool well = run->luck == ALL_WELL || (run->luck == CANARIES_WELL && m->canary);
        m->facts.progress = well ? PROGRESS_COMMITTED : PROGRESS_WENT_BACK;
        m->facts.cause = well ? CAUSE_NONE : CAUSE_VERSION;
        m->facts.on_target = well;
        if (well) m->facts.works = true;
    }
}

static enum rollout_plan_kind kind_of(const struct rollout_member *m) {
    if (m->canary) return PLAN_CANARY;
    return m->was_broken ? PLAN_BROKEN : PLAN_ROLLING;
}

static struct rollout_plan_batch *add_batch(struct rollout_plan *plan, int64_t number,
                                            enum rollout_plan_kind kind, int32_t domain) {
    plan->batches = memory_resize(plan->batches, plan->batch_count + 1, sizeof *plan->batches);
    struct rollout_plan_batch *batch = &plan->batches[plan->batch_count++];
    *batch = (struct rollout_plan_batch){.number = number, .kind = kind, .domain = domain};
    return batch;
}

/* What was granted by the last step, those that do not work first. */
static int64_t note_batches(struct rollout_plan *plan, const struct run *run, int64_t number) {
    static const enum rollout_plan_kind order[] = {PLAN_BROKEN, PLAN_CANARY, PLAN_ROLLING};
    int64_t granted = run->rollout.turns - run->turns_seen;
    for (size_t k = 0; k < sizeof order / sizeof order[0]; k++) {
        struct rollout_plan_batch *batch = NULL;
        for (size_t i = 0; i < run->rollout.member_count; i++) {
            const struct rollout_member *m = &run->rollout.members[i];
            bool is_new = m->state == MEMBER_GRANTED && m->turn > run->turns_seen;
            if (!is_new || kind_of(m) != order[k]) continue;
            if (batch == NULL) {
                batch = add_batch(plan, number, order[k], m->domain);
                batch->members = memory_zeroed((size_t)granted, sizeof *batch->members);
            }
            assert(batch->count < (size_t)granted);
            batch->members[batch->count++] = i;
        }
    }
    return granted;
}

static void note_aside(struct rollout_plan *plan, const struct run *run) {
    size_t n = run->rollout.member_count;
    plan->excluded = memory_zeroed(n + 1, sizeof *plan->excluded);
    plan->deferred = memory_zeroed(n + 1, sizeof *plan->deferred);
    for (size_t i = 0; i < n; i++) {
        const struct rollout_member *m = &run->rollout.members[i];
        struct rollout_plan_aside aside = {i, m->cause};
        if (m->state == MEMBER_EXCLUDED) plan->excluded[plan->excluded_count++] = aside;
        if (m->state == MEMBER_DEFERRED) plan->deferred[plan->deferred_count++] = aside;
        if (m->state == MEMBER_WAITING) plan->rest++;
    }
}

static void predict_batches(struct rollout_plan *plan, const struct rollout *draft) {
    struct run run;
    run_begin(&run, draft, ALL_WELL);
    for (int64_t number = 1; number <= ROLLOUT_PLAN_BATCHES_MAX && run_step(&run); number++) {
        int64_t granted = note_batches(plan, &run, number);
        if (granted > plan->at_once) plan->at_once = granted;
        if (number == 1) plan->before_first_check = granted;
        finish(&run);
    }
    note_aside(plan, &run);
    struct rollout_tally tally;
    rollout_count(&run.rollout, &tally);
    plan->selected = tally.selected;
    bool cut = plan->rest > 0 && run.rollout.state == ROLLOUT_ROLLING && run.rollout.hold == 0;
    plan->ends = cut ? ROLLOUT_COMPLETED : run.rollout.state;
    plan->cause = run.rollout.state == ROLLOUT_PAUSED ? run.rollout.cause : run.rollout.hold;
    run_end(&run);
}

/* How many fail until it does not go on. */
static int64_t predict_failures(const struct rollout *draft, enum luck luck) {
    struct run run;
    int64_t failed = 0;
    run_begin(&run, draft, luck);
    while (run_step(&run)) {
        bool proven = luck == CANARIES_WELL && run.rollout.state == ROLLOUT_CANARY;
        if (!proven) failed += run.rollout.turns - run.turns_seen;
        finish(&run);
    }
    run_end(&run);
    return failed;
}

void rollout_plan_make(struct rollout_plan *out, const struct rollout *draft,
                       const char *const *domains, size_t domain_count) {
    *out = (struct rollout_plan){0};
    predict_batches(out, draft);
    int64_t canaries_fail = predict_failures(draft, NOBODY_WELL);
    int64_t others_fail = predict_failures(draft, CANARIES_WELL);
    out->before_revert = canaries_fail > others_fail ? canaries_fail : others_fail;
    out->canary = rollout_amount_of(draft->policy.canary, out->selected);
    out->max_parallel = rollout_amount_of(draft->policy.max_parallel, out->selected);
    out->max_failures = rollout_failures_borne(&draft->policy, out->selected);
    rollout_plan_explain(out, draft, domains, domain_count);
}

void rollout_plan_clear(struct rollout_plan *plan) {
    for (size_t i = 0; i < plan->batch_count; i++) free(plan->batches[i].members);
    free(plan->batches);
    free(plan->excluded);
    free(plan->deferred);
    free(plan->words);
    *plan = (struct rollout_plan){0};
}
