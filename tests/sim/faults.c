#include "tests/sim/faults.h"

#include "tests/sim/agent.h"
#include "tests/sim/machine.h"
#include "tests/sim/master.h"

#include <stdio.h>

enum fault {
    FAULT_CRASH,
    FAULT_CRASH_WRITING,
    FAULT_REBOOT,
    FAULT_POWER,
    FAULT_CUT,
    FAULT_CUT_DOMAIN,
    FAULT_MASTER,
    FAULT_DATABASE,
    FAULT_CLOCK,
    FAULT_FLAP,
    FAULT_DISK,
    FAULT_DOWNLOAD,
    FAULT_VETO,
    FAULT_COUNT
};

enum { SECOND = 1000, MINUTE = 60 * SECOND, FLAP_MS = 15 * SECOND };

static bool enabled(const struct scenario *s, enum fault f) {
    const bool on[] = {
        [FAULT_CRASH] = s->crashes,
        [FAULT_CRASH_WRITING] = s->crashes,
        [FAULT_REBOOT] = s->reboots,
        [FAULT_POWER] = s->reboots,
        [FAULT_CUT] = s->partitions,
        [FAULT_CUT_DOMAIN] = s->partitions,
        [FAULT_MASTER] = s->master_crashes,
        [FAULT_DATABASE] = s->database_faults,
        [FAULT_CLOCK] = s->clock_jumps,
        [FAULT_FLAP] = s->flapping,
        [FAULT_DISK] = s->disks,
        [FAULT_DOWNLOAD] = s->downloads,
        [FAULT_VETO] = s->vetoes,
    };
    return on[f];
}

static void mend_after(struct world *w, int64_t delay_ms, enum fault f, uint32_t agent) {
    world_after(w, delay_ms,
                &(struct planned){.kind = SIM_MEND, .detail = (uint8_t)f, .agent = agent});
}

static void cut(struct world *w, uint32_t agent, int64_t way, int64_t for_ms) {
    w->machines[agent].cut_in = way != 1;
    w->machines[agent].cut_out = way != 2;
    mend_after(w, for_ms, FAULT_CUT, agent);
}

static void cut_domain(struct world *w) {
    int64_t domain = dice_below(&w->dice, w->scenario.domains);
    int64_t way = dice_below(&w->dice, 3);
    int64_t for_ms = dice_between(&w->dice, SECOND, 2 * MINUTE);
    for (uint32_t i = 0; i < w->count; i++)
        if (w->machines[i].domain == domain) cut(w, i, way, for_ms);
}

static void flap(struct world *w, uint32_t agent) {
    const struct machine *m = &w->machines[agent];
    int node = (int)dice_below(&w->dice, m->node_count);
    struct sim_node *n = machine_node(w, m, node);
    if (n->process != PROCESS_GOOD) return;
    struct planned e = {
        .kind = SIM_PROCESS, .agent = agent, .node = (uint8_t)node, .life = n->life};
    e.detail = dice_chance(&w->dice, 500000) ? PROCESS_ILL : PROCESS_HUNG;
    world_after(w, 1, &e);
    e.detail = dice_chance(&w->dice, 800000) ? PROCESS_GOOD : PROCESS_GONE;
    world_after(w, dice_between(&w->dice, SECOND, FLAP_MS), &e);
}

static void strike_machine(struct world *w, enum fault f, uint32_t agent) {
    struct machine *m = &w->machines[agent];
    struct dice *d = &w->dice;
    switch (f) {
    case FAULT_CRASH:
        agent_die(w, agent, true);
        break;
    case FAULT_CRASH_WRITING:
        m->crash_after = (int32_t)dice_below(d, 6);
        break;
    case FAULT_REBOOT:
        machine_lose_power(w, agent, dice_between(d, 5 * SECOND, MINUTE));
        break;
    case FAULT_POWER:
        machine_lose_power(w, agent, dice_between(d, MINUTE, 10 * MINUTE));
        break;
    case FAULT_CUT:
        cut(w, agent, dice_below(d, 3), dice_between(d, SECOND, 3 * MINUTE));
        break;
    case FAULT_FLAP:
        flap(w, agent);
        break;
    case FAULT_DISK:
        m->disk_state = (uint8_t)dice_between(d, DISK_FULL, DISK_DEAD);
        mend_after(w, dice_between(d, 10 * SECOND, 5 * MINUTE), FAULT_DISK, agent);
        agent_wake(w, agent);
        break;
    case FAULT_DOWNLOAD:
        m->download_ms = dice_between(d, SECOND, 5 * MINUTE);
        break;
    case FAULT_VETO:
        m->vetoes = true;
        mend_after(w, dice_between(d, 5 * SECOND, 5 * MINUTE), FAULT_VETO, agent);
        break;
    default:
        break;
    }
}

static void strike_some(struct world *w, enum fault f) {
    int64_t most = (int64_t)w->count / 300 + 1;
    int64_t count = dice_between(&w->dice, 1, most);
    for (int64_t i = 0; i < count; i++)
        strike_machine(w, f, (uint32_t)dice_below(&w->dice, (int64_t)w->count));
}

static void strike(struct world *w, enum fault f) {
    struct dice *d = &w->dice;
    switch (f) {
    case FAULT_CUT_DOMAIN:
        if (dice_chance(d, 200000)) cut_domain(w);
        break;
    case FAULT_MASTER:
        master_crash(w, dice_between(d, SECOND, 90 * SECOND));
        break;
    case FAULT_DATABASE:
        w->master.can_write = false;
        mend_after(w, dice_between(d, SECOND, MINUTE), FAULT_DATABASE, 0);
        break;
    case FAULT_CLOCK:
        w->master.wall_offset_ms += dice_between(d, -72 * 60, 72 * 60) * MINUTE;
        break;
    default:
        strike_some(w, f);
        break;
    }
}

static void mend(struct world *w, enum fault f, uint32_t agent) {
    struct machine *m = &w->machines[agent];
    if (f == FAULT_CUT) m->cut_in = m->cut_out = false;
    if (f == FAULT_DATABASE) {
        w->master.can_write = true;
        w->master.wrote_ms = w->now_ms;
    }
    if (f == FAULT_VETO) m->vetoes = false;
    if (f != FAULT_DISK) return;
    m->disk_state = DISK_GOOD;
    for (int i = 0; i < m->node_count; i++) agent_process_changed(w, agent, i);
    agent_wake(w, agent);
}

static void plan_next(struct world *w) {
    int64_t delay_ms = dice_between(&w->dice, 1, 2 * w->scenario.fault_every_ms);
    if (w->now_ms + delay_ms < w->faults_end_ms)
        world_after(w, delay_ms, &(struct planned){.kind = SIM_FAULT});
}

void faults_begin(struct world *w) {
    plan_next(w);
}

void faults_event(struct world *w, const struct planned *e) {
    if (e->kind == SIM_MEND) {
        mend(w, (enum fault)e->detail, e->agent);
        return;
    }
    enum fault f = (enum fault)dice_below(&w->dice, FAULT_COUNT);
    bool rare = f == FAULT_MASTER || f == FAULT_DATABASE;
    if (enabled(&w->scenario, f) && (!rare || dice_chance(&w->dice, 200000))) strike(w, f);
    plan_next(w);
}

void faults_stop(struct world *w) {
    w->calm = true;
    w->master.can_write = true;
    w->master.wrote_ms = w->now_ms;
    for (uint32_t i = 0; i < w->count; i++) {
        struct machine *m = &w->machines[i];
        m->cut_in = m->cut_out = m->vetoes = false;
        m->crash_after = -1;
        m->download_ms = SECOND;
        if (m->disk_state != DISK_GOOD) mend(w, FAULT_DISK, i);
    }
}
