/* Random fleets under random faults and orders: the rules hold after each event, and it ends once
 * the faults do. A failure prints its seed; ROLLOUT_SEED=N runs that one alone, ROLLOUT_SEEDS=N so
 * many. */
#include "master/rollout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/lib/random.h"
#include "tests/unit/master/rollout_fixture.h"

#define SEEDS 400
#define CHAOS_TICKS 1500
#define CALM_TICKS 60000

static uint64_t seed;

static bool chance(uint64_t one_in) {
    return random_below(one_in) == 0;
}

static struct rollout_policy random_policy(void) {
    return (struct rollout_policy){
        .canary = {(int32_t)random_below(4),     chance(3)},
        .max_parallel = {1 + (int32_t)random_below(5), chance(3)},
        .max_failures = (int64_t)random_below(5) - 1,
        .probation_ms = 200 + (int64_t)random_below(2000),
        .auto_promote_ms = chance(4) ? ROLLOUT_NEVER : (int64_t)random_below(3000),
        .healthy_deadline_ms = 200 + (int64_t)random_below(3000),
        .progress_deadline_ms = 500 + (int64_t)random_below(30000),
        .auto_revert = !chance(4)
    };
}

static void random_fleet(struct fleet *f) {
    fleet_init(f, 1 + random_below(24), 1 + (int32_t)random_below(4), random_policy());
    for (size_t i = 0; i < f->rollout.member_count; i++) {
        struct rollout_facts *facts = &fleet_member(f, i)->facts;
        if (chance(6)) f->agents[i].nature = (enum nature)random_below(CANNOT_RETURN + 1);
        facts->works = !chance(12);
        facts->online = !chance(12);
        facts->staged = chance(2);
        facts->pinned = chance(20);
        facts->has_build = !chance(20);
    }
}

static void random_fault(struct fleet *f) {
    struct rollout_facts *facts = &fleet_member(f, random_below(f->rollout.member_count))->facts;
    switch (random_below(12)) {
    case 0:
        facts->online = !facts->online;
        facts->lost = !facts->online && chance(2);
        break;
    case 1:
        facts->works = !facts->works;
        break;
    case 2:
        facts->draining = !facts->draining;
        break;
    case 3:
        facts->fetch_cause = facts->staged || chance(2) ? CAUSE_NONE : CAUSE_DOWNLOAD;
        break;
    case 4:
        if (chance(10)) facts->fetch_cause = CAUSE_UNTRUSTED;
        break;
    case 5:
        f->window_open = !f->window_open;
        break;
    case 6:
        if (chance(4)) facts->pinned = !facts->pinned;
        break;
    case 7:
        if (chance(20)) facts->removed = true;
        break;
    case 8:
        if (chance(4)) rollout_recover(&f->rollout, f->now_ms, (int64_t)random_below(5000));
        break;
    case 9:
        if (f->rollout.state < ROLLOUT_REVERTING && chance(4))
            fleet_join(f, (int32_t)random_below(5));
        break;
    case 10:
        if (chance(4)) f->rollout.withdrawn = !f->rollout.withdrawn;
        break;
    default:
        facts->staged = true;
        break;
    }
}

static void random_order(struct fleet *f) {
    static const enum rollout_event likely[] = {ROLLOUT_PAUSE, ROLLOUT_RESUME, ROLLOUT_RESUME,
                                                ROLLOUT_RESUME, ROLLOUT_PROMOTE};
    static const enum rollout_event rare[] = {ROLLOUT_STOP, ROLLOUT_ROLLBACK, ROLLOUT_SUPERSEDE};
    if (chance(25))
        (void)fleet_event(f, rare[random_below(3)]);
    else
        (void)fleet_event(f, likely[random_below(5)]);
}

/* What must hold of grants, besides the invariants that look at one moment. */
static void check_grants(struct fleet *f, int32_t turns_before, int64_t grants_before) {
    const struct rollout *r = &f->rollout;
    struct rollout_tally tally;
    rollout_count(r, &tally);
    int64_t grants = 0, new_slots = 0;
    int32_t domain = -1;
    bool mixed = false;
    for (size_t i = 0; i < r->member_count; i++) {
        const struct rollout_member *m = &r->members[i];
        bool flies = m->state == MEMBER_GRANTED || m->state == MEMBER_RETURNING;
        grants += m->attempt;
        if (!flies) continue;
        mixed |= domain >= 0 && domain != m->domain;
        domain = m->domain;
        new_slots += m->changed && !m->was_broken && m->facts.progress == PROGRESS_NONE;
    }
    if (grants == grants_before) return;
    if (mixed) fail_msg("seed %llu: two domains", (unsigned long long)seed);
    if (r->turns > turns_before && (!f->window_open || f->now_ms < r->quiet_until_ms))
        fail_msg("seed %llu: granted outside of a window or at a start", (unsigned long long)seed);
    if (r->turns > turns_before && r->withdrawn)
        fail_msg("seed %llu: granted what was withdrawn", (unsigned long long)seed);
    int64_t budget = rollout_amount_of(r->policy.max_parallel, tally.selected);
    bool returns = r->state == ROLLOUT_REVERTING && tally.in_flight <= 1;
    if (new_slots > 0 && tally.in_flight + tally.unavailable > budget && !returns)
        fail_msg("seed %llu: %lld in flight, %lld unavailable, budget %lld",
                 (unsigned long long)seed, (long long)tally.in_flight, (long long)tally.unavailable,
                 (long long)budget);
}

static int64_t all_attempts(const struct fleet *f) {
    int64_t all = 0;
    for (size_t i = 0; i < f->rollout.member_count; i++) all += f->rollout.members[i].attempt;
    return all;
}

static void checked_tick(struct fleet *f) {
    int32_t turns = f->rollout.turns;
    int64_t attempts = all_attempts(f);
    enum rollout_state before = f->rollout.state;
    fleet_tick(f);
    check_grants(f, turns, attempts);
    bool paused = before == ROLLOUT_PAUSED && f->rollout.state == ROLLOUT_PAUSED;
    if (paused && f->rollout.turns != turns)
        fail_msg("seed %llu: granted while paused", (unsigned long long)seed);
}

static void end_faults(struct fleet *f) {
    f->window_open = true;
    f->rollout.withdrawn = false;
    for (size_t i = 0; i < f->rollout.member_count; i++) {
        struct rollout_facts *facts = &fleet_member(f, i)->facts;
        f->agents[i].nature = GOOD;
        facts->online = facts->staged = facts->has_build = true;
        facts->lost = facts->draining = false;
        facts->fetch_cause = CAUSE_NONE;
        bool moves = facts->progress == PROGRESS_SWITCHING || facts->progress == PROGRESS_PROBATION;
        if (!moves) facts->works = true;
    }
}

/* An operator says what a state waits for. */
static void help(struct fleet *f) {
    if (f->rollout.state == ROLLOUT_PAUSED) (void)fleet_event(f, ROLLOUT_RESUME);
    if (f->rollout.state == ROLLOUT_AWAIT_PROMOTE) (void)fleet_event(f, ROLLOUT_PROMOTE);
    bool halted = f->rollout.state == ROLLOUT_COMPLETED && f->rollout.hold == CAUSE_VERSION;
    if (halted || f->rollout.state == ROLLOUT_REVERT_STUCK) (void)fleet_event(f, ROLLOUT_ROLLBACK);
}

static void expect_end(struct fleet *f) {
    for (int i = 0; i < CALM_TICKS && rollout_is_live(&f->rollout); i++) {
        checked_tick(f);
        help(f);
    }
    if (rollout_is_live(&f->rollout) || rollout_is_active(f->rollout.state))
        fail_msg("seed %llu: never ends, %s (hold %s)", (unsigned long long)seed,
                 rollout_state_name(f->rollout.state), rollout_cause_name(f->rollout.hold));
    for (size_t i = 0; i < f->rollout.member_count; i++) {
        const struct rollout_member *m = fleet_member(f, i);
        if (m->state == MEMBER_COMMITTED && !m->facts.on_target)
            fail_msg("seed %llu: member %zu was committed on what it ran before",
                     (unsigned long long)seed, i);
        if (m->state == MEMBER_RETURNED && m->facts.on_target &&
            f->rollout.state != ROLLOUT_SUPERSEDED)
            fail_msg("seed %llu: member %zu never left the version", (unsigned long long)seed, i);
    }
}

static void run_seed(void) {
    struct fleet f;
    random_state = seed * 0x9E3779B97F4A7C15u + 1;
    random_fleet(&f);
    for (int i = 0; i < CHAOS_TICKS; i++) {
        if (chance(12)) random_fault(&f);
        if (chance(300)) random_order(&f);
        checked_tick(&f);
    }
    end_faults(&f);
    expect_end(&f);
    fleet_fini(&f);
}

static void rules_hold_under_random_faults_and_it_ends_after_them(void **state) {
    (void)state;
    const char *one = getenv("ROLLOUT_SEED"), *many = getenv("ROLLOUT_SEEDS");
    uint64_t first = one != NULL ? strtoull(one, NULL, 10) : 1;
    uint64_t count = one != NULL ? 1 : many != NULL ? strtoull(many, NULL, 10) : SEEDS;
    for (seed = first; seed < first + count; seed++) run_seed();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_hold_under_random_faults_and_it_ends_after_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
