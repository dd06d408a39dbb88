#include "tests/sim/machine.h"

#include "tests/sim/agent.h"
#include "tests/sim/rules.h"

enum { STOP_MS = 3000, EXIT_MS = 800 };

struct sim_node *machine_node(struct world *w, const struct machine *m, int node) {
    return &w->nodes[m->first_node + (uint32_t)node];
}

bool machine_can_write(const struct machine *m) {
    return m->disk_state == DISK_GOOD;
}

static void plan(struct world *w, uint32_t agent, int node, enum process_state next,
                 int64_t delay_ms) {
    world_after(
        w, delay_ms,
        &(struct planned){.kind = SIM_PROCESS,
                          .agent = agent,
                          .node = (uint8_t)node,
                          .detail = (uint8_t)next,
                          .life = w->nodes[w->machines[agent].first_node + (uint32_t)node].life});
}

/* Whether the version's flaw shows on this machine: the same each time. */
static enum flaw flaw_here(const struct world *w, uint32_t agent, int node, int version) {
    const struct build *b = &w->builds[version];
    struct dice fate =
        dice_of(((uint64_t)w->scenario.seed << 32) ^ agent * 31U ^ (unsigned)version);
    if (b->domain >= 0 && b->domain != w->machines[agent].domain) return FLAW_NONE;
    if (b->node >= 0 && b->node != node) return FLAW_NONE;
    return dice_chance(&fate, b->hit_ppm) ? b->flaw : FLAW_NONE;
}

void machine_start(struct world *w, uint32_t agent, int node, int version) {
    static const enum process_state first[] = {
        [FLAW_NONE] = PROCESS_GOOD,
        [FLAW_EXITS] = PROCESS_GONE,
        [FLAW_EXITS_LATER] = PROCESS_GOOD,
        [FLAW_HANGS] = PROCESS_HUNG,
        [FLAW_HANGS_LATER] = PROCESS_GOOD,
        [FLAW_UNHEALTHY] = PROCESS_ILL,
        [FLAW_UNHEALTHY_LATER] = PROCESS_GOOD,
    };
    struct sim_node *n = machine_node(w, &w->machines[agent], node);
    enum flaw flaw = flaw_here(w, agent, node, version);
    rules_started(w, agent, version);
    n->life++;
    n->process = PROCESS_STARTING;
    n->version = (uint8_t)version;
    n->good_ms = 0;
    n->started_ms = w->now_ms;
    int64_t delay_ms =
        flaw == FLAW_EXITS ? dice_between(&w->dice, 20, EXIT_MS) : w->builds[version].start_ms;
    plan(w, agent, node, first[flaw], delay_ms);
}

void machine_stop(struct world *w, uint32_t agent, int node, bool at_once) {
    const struct sim_node *n = machine_node(w, &w->machines[agent], node);
    bool deaf = n->process == PROCESS_HUNG && !at_once && dice_chance(&w->dice, 500000);
    if (n->process == PROCESS_GONE || deaf) return;
    plan(w, agent, node, PROCESS_GONE, at_once ? 1 : dice_between(&w->dice, 5, STOP_MS));
}

static void grow_ill(struct world *w, uint32_t agent, int node, const struct sim_node *n) {
    static const enum process_state later[] = {
        [FLAW_EXITS_LATER] = PROCESS_GONE,
        [FLAW_HANGS_LATER] = PROCESS_HUNG,
        [FLAW_UNHEALTHY_LATER] = PROCESS_ILL,
    };
    enum flaw flaw = flaw_here(w, agent, node, n->version);
    bool is_late =
        flaw == FLAW_EXITS_LATER || flaw == FLAW_HANGS_LATER || flaw == FLAW_UNHEALTHY_LATER;
    if (is_late) plan(w, agent, node, later[flaw], w->builds[n->version].after_ms);
}

void machine_process(struct world *w, const struct planned *e) {
    struct sim_node *n = machine_node(w, &w->machines[e->agent], e->node);
    if (e->life != n->life || n->process == PROCESS_GONE) return;
    bool was_starting = n->process == PROCESS_STARTING;
    if (n->process == PROCESS_GOOD) n->good_ms = w->now_ms;
    n->process = e->detail;
    if (n->process == PROCESS_GONE) n->life++;
    if (was_starting && n->process == PROCESS_GOOD) grow_ill(w, e->agent, e->node, n);
    agent_process_changed(w, e->agent, e->node);
    rules_look_at(w, e->agent);
}

bool machine_works(struct world *w, uint32_t agent) {
    const struct machine *m = &w->machines[agent];
    bool works = m->powered && m->disk_state != DISK_DEAD;
    for (int i = 0; i < m->node_count; i++) works &= machine_node(w, m, i)->process == PROCESS_GOOD;
    return works;
}

bool machine_runs(struct world *w, uint32_t agent, int version) {
    const struct machine *m = &w->machines[agent];
    bool runs = m->powered;
    for (int i = 0; i < m->node_count; i++) {
        const struct sim_node *n = machine_node(w, m, i);
        runs &= n->process != PROCESS_GONE && n->version == version;
    }
    return runs;
}

void machine_lose_power(struct world *w, uint32_t agent, int64_t for_ms) {
    struct machine *m = &w->machines[agent];
    if (!m->powered) return;
    agent_die(w, agent, false);
    m->powered = false;
    for (int i = 0; i < m->node_count; i++) {
        struct sim_node *n = machine_node(w, m, i);
        n->process = PROCESS_GONE;
        n->good_ms = 0;
        n->life++;
    }
    world_after(w, for_ms, &(struct planned){.kind = SIM_POWER, .agent = agent});
}

void machine_power(struct world *w, uint32_t agent) {
    w->machines[agent].powered = true;
    agent_start(w, agent);
}
