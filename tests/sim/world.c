#include "tests/sim/world.h"

#include "lib/text.h"
#include "tests/sim/agent.h"
#include "tests/sim/faults.h"
#include "tests/sim/machine.h"
#include "tests/sim/master.h"
#include "tests/sim/network.h"
#include "tests/sim/operators.h"
#include "tests/sim/rules.h"
#include "tests/sim/trace.h"

#include <inttypes.h>

enum { SECOND = 1000, LOOK_AFTER_MS = 120 * SECOND, REST_LOOK_MS = 10 * SECOND };

void world_after(struct world *w, int64_t delay_ms, const struct planned *e) {
    struct planned planned = *e;
    planned.at_ms = w->now_ms + delay_ms;
    queue_add(&w->queue, &planned);
}

static void draw_builds(struct world *w) {
    struct dice *d = &w->dice;
    w->versions = SIM_VERSIONS;
    for (int v = 1; v < w->versions; v++) {
        struct build *b = &w->builds[v];
        *b = (struct build){.domain = -1,
                            .node = -1,
                            .hit_ppm = 1000000,
                            .start_ms = dice_between(d, 20, 5 * SECOND),
                            .after_ms = dice_between(d, SECOND, 120 * SECOND)};
        bool flawed = v > 1 && dice_chance(d, 500000);
        if (!flawed || !w->scenario.bad_versions) continue;
        b->flaw = (enum flaw)dice_between(d, FLAW_EXITS, FLAW_UNHEALTHY_LATER);
        if (dice_chance(d, 250000)) b->domain = (int32_t)dice_below(d, w->scenario.domains);
        if (dice_chance(d, 250000)) b->node = 1;
        if (dice_chance(d, 250000)) b->hit_ppm = dice_between(d, 1000, 500000);
    }
}

static uint32_t draw_machine(struct world *w, struct machine *m) {
    struct dice *d = &w->dice;
    *m = (struct machine){.domain = (int32_t)dice_below(d, w->scenario.domains),
                          .node_count = (int32_t)dice_between(d, 1, SIM_NODES_MAX),
                          .powered = true,
                          .crash_after = -1,
                          .download_ms = dice_between(d, 1, 20) * SECOND};
    if (dice_chance(d, 500000)) m->node_count = 1;
    return (uint32_t)m->node_count;
}

/* Most machines have worked for long; a few are new. */
static void begin_machine(struct world *w, uint32_t agent) {
    struct machine *m = &w->machines[agent];
    bool is_new = dice_chance(&w->dice, 30000);
    bool joins_later = w->scenario.membership && dice_chance(&w->dice, 30000);
    if (!is_new) {
        m->disk.store = 1U << 1;
        m->disk.current = 1;
        for (int i = 0; i < m->node_count; i++) {
            struct sim_node *n = machine_node(w, m, i);
            n->process = PROCESS_GOOD;
            n->version = 1;
        }
    }
    if (joins_later) return;
    master_join(w, agent);
    world_after(w, dice_below(&w->dice, w->scenario.interval_ms),
                &(struct planned){.kind = SIM_START, .agent = agent});
}

static void make_machines(struct world *w) {
    uint32_t nodes = 0;
    w->machines = memory_zeroed(w->count, sizeof *w->machines);
    for (size_t i = 0; i < w->count; i++) {
        w->machines[i].first_node = 0;
        uint32_t more = draw_machine(w, &w->machines[i]);
        w->machines[i].first_node = nodes;
        nodes += more;
    }
    w->nodes = memory_zeroed(nodes, sizeof *w->nodes);
}

void world_init(struct world *w, const struct scenario *s) {
    *w = (struct world){.scenario = *s, .count = (size_t)s->agents};
    scenario_draw(&w->scenario);
    w->dice = dice_of((uint64_t)s->seed);
    w->faults_end_ms = s->duration_ms;
    queue_init(&w->queue);
    network_init(&w->network);
    draw_builds(w);
    make_machines(w);
    master_init(w);
    for (uint32_t i = 0; i < w->count; i++) begin_machine(w, i);
    world_after(w, w->scenario.tick_ms, &(struct planned){.kind = SIM_TICK});
    world_after(w, SECOND, &(struct planned){.kind = SIM_LOOK});
    faults_begin(w);
    operators_begin(w);
}

void world_fini(struct world *w) {
    master_fini(w);
    network_fini(&w->network);
    queue_fini(&w->queue);
    free(w->machines);
    free(w->nodes);
}

static void look(struct world *w, const struct planned *e) {
    trace_rollouts(w);
    rules_look(w);
    master_event(w, e);
    if (w->calm && (w->now_ms / SECOND) % (LOOK_AFTER_MS / SECOND) == 0 && w->master.up)
        operators_look_after(w);
    if (!w->calm && w->now_ms >= w->faults_end_ms) faults_stop(w);
    world_after(w, SECOND, &(struct planned){.kind = SIM_LOOK});
}

static void deliver(struct world *w, const struct planned *e) {
    struct message m;
    if (!network_arrive(w, e, &m)) return;
    if (e->kind == SIM_TO_MASTER)
        master_take(w, e->agent, &m);
    else
        agent_take(w, e, &m);
}

static void happen(struct world *w, const struct planned *e) {
    switch ((enum happening)e->kind) {
    case SIM_TO_MASTER:
    case SIM_TO_AGENT:
        deliver(w, e);
        break;
    case SIM_LINK:
    case SIM_AGENT:
    case SIM_START:
    case SIM_EXAMINED:
    case SIM_PROBED:
    case SIM_CONSENT:
    case SIM_FETCHED:
        agent_event(w, e);
        break;
    case SIM_PROCESS:
        machine_process(w, e);
        break;
    case SIM_POWER:
        machine_power(w, e->agent);
        break;
    case SIM_PARK_END:
    case SIM_TICK:
    case SIM_MASTER_UP:
        master_event(w, e);
        break;
    case SIM_FAULT:
    case SIM_MEND:
        faults_event(w, e);
        break;
    case SIM_OPERATE:
        operators_event(w, e);
        break;
    case SIM_LOOK:
        look(w, e);
        break;
    }
}

/* Whether the run is over: at rest after the faults, out of time, or out of events. */
static bool over(struct world *w, int64_t *look_ms) {
    const struct scenario *s = &w->scenario;
    char why[200] = "";
    if (w->broken || (s->max_events > 0 && w->events >= s->max_events)) return true;
    if (!w->calm || w->now_ms < *look_ms) return false;
    *look_ms = w->now_ms + REST_LOOK_MS;
    uint32_t agent;
    if (rules_at_rest(w, &agent, why, sizeof why)) return true;
    if (w->now_ms < w->faults_end_ms + s->settle_ms) return false;
    rules_break(w, agent, "it does not come to rest: %s (I5)", why);
    return true;
}

bool world_run(struct world *w) {
    struct planned e;
    int64_t look_ms = 0;
    while (!over(w, &look_ms) && queue_next(&w->queue, &e)) {
        w->now_ms = e.at_ms;
        w->events++;
        happen(w, &e);
        trace_event(w, &e);
    }
    return !w->broken;
}
