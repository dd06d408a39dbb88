#include "tests/sim/agent_internal.h"

#include "agent/backoff.h"
#include "tests/sim/machine.h"

enum { FAILURES_PPM = 50000 };

const struct sim_try *agent_try(const struct machine *m, int version) {
    for (int i = 0; i < SIM_TRIES && version != 0; i++)
        if (m->tries[i].version == version) return &m->tries[i];
    return NULL;
}

static struct sim_try *take_try(struct machine *m, int version) {
    for (int i = 0; i < SIM_TRIES; i++)
        if (m->tries[i].version == version) return &m->tries[i];
    for (int i = SIM_TRIES - 1; i > 0; i--) m->tries[i] = m->tries[i - 1];
    m->tries[0] = (struct sim_try){.version = (uint8_t)version};
    return &m->tries[0];
}

void agent_fetch(struct world *w, uint32_t agent, int version) {
    struct machine *m = &w->machines[agent];
    if (version == m->fetching) return;
    m->fetching = (uint8_t)version;
    if (version == 0) return;
    world_after(
        w, dice_between(&w->dice, m->download_ms / 2, m->download_ms),
        &(struct planned){
            .kind = SIM_FETCHED, .agent = agent, .life = m->life, .detail = (uint8_t)version});
}

void agent_fetched(struct world *w, uint32_t agent, int version) {
    struct machine *m = &w->machines[agent];
    if (m->fetching != version) return;
    m->fetching = 0;
    bool away = !w->master.up || m->cut_in || m->cut_out;
    bool failed =
        away || (w->scenario.downloads && !w->calm && dice_chance(&w->dice, FAILURES_PPM));
    bool written = !failed && agent_writes(w, agent);
    if (!m->agent_up) return;
    struct sim_try *t = take_try(m, version);
    if (written) {
        m->disk.store |= (uint16_t)(1U << version);
        t->version = 0;
        return;
    }
    t->cause = failed ? CAUSE_DOWNLOAD : CAUSE_MACHINE;
    t->after_ms = w->now_ms +
                  backoff_pause_ms(&backoff_download, ++t->failures, (uint32_t)dice_next(&w->dice));
}
