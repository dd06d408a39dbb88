#include "tests/sim/operators.h"

#include "tests/sim/agent.h"
#include "tests/sim/master.h"
#include "tests/sim/rollouts.h"

enum { SECOND = 1000, PAUSE_MS = 20 * SECOND, LARGE = 5000 };
enum { INTERRUPT_MS = 3 * SECOND };
enum detail { ANYTHING, FIRST_ROLLOUT, INTERRUPT };

static void draw_policy(struct world *w, struct rollout_policy *p) {
    struct dice *d = &w->dice;
    bool large = w->count > LARGE;
    *p = (struct rollout_policy){
        .canary = {.value = (int32_t)dice_between(d, 0, 3)},
        .max_parallel = { .value =
                             (int32_t)(large ? dice_between(d, 5, 25) : dice_between(d,                         2, 30)),
                   .percent = true},
        .max_failures = dice_chance(d, 300000) ? -1 : dice_below(d, 4),
        .min_healthy_ms = dice_between(d, 0, 10) * SECOND,
        .probation_ms = dice_between(d, 0, 20) * SECOND,
        .auto_promote_ms = dice_chance(d, 100000) ? ROLLOUT_NEVER : dice_below(d, 20) * SECOND,
        .healthy_deadline_ms = dice_between(d, 10, 60) * SECOND,
        .progress_deadline_ms = dice_between(d, 120, 600) * SECOND,
        .auto_revert = dice_chance(d, 850000),
        .allow_unavailable = dice_chance(d, 300000),
    };
    if (!large && dice_chance(d, 300000))
        p->max_parallel =
            (struct rollout_amount){.value = (int32_t)dice_between(d, (int64_t)w->count / 50 + 1,
                                                                   (int64_t)w->count / 4 + 2)};
}

static void start_rollout(struct world *w, bool everyone) {
    struct dice *d = &w->dice;
    struct sim_request request = {.target = (uint8_t)dice_between(d, 1, w->versions - 1),
                                  .domains = everyone ? ~0ULL : dice_next(d),
                                  .modulo = everyone ? 1 : (int32_t)dice_between(d, 1, 2),
                                  .supersede = dice_chance(d, 300000),
                                  .override = dice_chance(d, 100000)};
    if (everyone) request.target = 2;
    if (dice_chance(d, 150000)) request.window_ms = dice_between(d, 20, 300) * SECOND;
    request.remainder = (int32_t)dice_below(d, request.modulo);
    draw_policy(w, &request.policy);
    (void)rollouts_start(w, &request);
}

static void order_something(struct world *w) {
    static const enum rollout_event orders[] = {
        ROLLOUT_PAUSE, ROLLOUT_RESUME, ROLLOUT_RESUME,   ROLLOUT_PROMOTE,
        ROLLOUT_STOP,  ROLLOUT_RESUME, ROLLOUT_ROLLBACK, ROLLOUT_PROMOTE,
    };
    int number = (int)dice_between(&w->dice, 1, SIM_ROLLOUTS_MAX);
    enum rollout_event order = orders[dice_below(&w->dice, sizeof orders / sizeof orders[0])];
    if (rollouts_may(w, number, order)) (void)rollouts_order(w, number, order);
}

static void change_members(struct world *w, uint32_t agent) {
    const struct row *row = &w->master.rows[agent];
    if (!row->member) {
        master_join(w, agent);
        agent_start(w, agent);
    } else if (dice_chance(&w->dice, 200000)) {
        master_remove(w, agent);
    }
}

static void change_pins(struct world *w, uint32_t agent) {
    const struct row *row = &w->master.rows[agent];
    if (dice_chance(&w->dice, 500000))
        master_drain(w, agent, !row->draining);
    else
        master_pin(w, agent, row->pin != 0 ? 0 : 1);
}

static void plan_next(struct world *w) {
    if (w->now_ms < w->faults_end_ms)
        world_after(w, dice_between(&w->dice, SECOND, 2 * PAUSE_MS),
                    &(struct planned){.kind = SIM_OPERATE});
}

void operators_begin(struct world *w) {
    world_after(w, dice_between(&w->dice, 5 * SECOND, PAUSE_MS),
                &(struct planned){.kind = SIM_OPERATE, .detail = FIRST_ROLLOUT});
}

/* While the leave, or what the agent makes of it, is under way. */
void operators_granted(struct world *w, int number) {
    if (!w->master.watched) return;
    w->master.watched = false;
    world_after(
        w, dice_between(&w->dice, 1, INTERRUPT_MS),
        &(struct planned){.kind = SIM_OPERATE, .detail = INTERRUPT, .agent = (uint32_t)number});
}

void operators_event(struct world *w, const struct planned *e) {
    struct dice *d = &w->dice;
    uint32_t agent = (uint32_t)dice_below(d, (int64_t)w->count);
    const struct scenario *s = &w->scenario;
    bool away = !w->master.up || !w->master.can_write;
    if (e->detail == INTERRUPT) {
        (void)rollouts_order(w, (int)e->agent, ROLLOUT_PAUSE);
        return;
    }
    if (e->detail == FIRST_ROLLOUT && away) operators_begin(w);
    if (e->detail == ANYTHING || !away) plan_next(w);
    if (e->detail == FIRST_ROLLOUT && !away) start_rollout(w, true);
    if (e->detail == FIRST_ROLLOUT || away) return;
    switch (dice_below(d, 8)) {
    case 0:
        if (s->orders) start_rollout(w, dice_chance(d, 200000));
        break;
    case 1:
    case 2:
        if (s->orders) order_something(w);
        break;
    case 3:
        if (s->membership) change_members(w, agent);
        break;
    case 4:
    case 5:
        if (s->pins) change_pins(w, agent);
        break;
    case 6:
        if (s->orders && dice_chance(d, 50000)) master_point_channel(w, 1);
        break;
    case 7:
        w->master.watched = s->orders;
        break;
    default:
        break;
    }
}

/* Whatever paused itself is let go on a few times: what holds it has been mended. */
void operators_look_after(struct world *w) {
    for (int n = 1; n <= SIM_ROLLOUTS_MAX; n++) {
        struct sim_rollout *r = rollout_find(w, n);
        if (r->number == 0 || r->looked_after >= SIM_LOOKS) continue;
        bool waits = r->live.state == ROLLOUT_PAUSED || r->live.state == ROLLOUT_AWAIT_PROMOTE;
        if (!waits) continue;
        r->looked_after++;
        (void)rollouts_order(w, n,
                             r->live.state == ROLLOUT_PAUSED ? ROLLOUT_RESUME : ROLLOUT_PROMOTE);
    }
    for (uint32_t i = 0; i < w->count; i++)
        if (w->master.rows[i].draining) master_drain(w, i, false);
}
