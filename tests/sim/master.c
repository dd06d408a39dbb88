#include "tests/sim/master.h"

#include "lib/text.h"
#include "tests/sim/network.h"
#include "tests/sim/rollouts.h"
#include "tests/sim/rules.h"

enum { UP, SUSPECT, LOST };
enum { LOST_INTERVALS = 12, SUSPECT_INTERVALS = 3, QUIET_INTERVALS = 6 };

int64_t master_wall_ms(const struct world *w) {
    return 1700000000000 + w->now_ms + w->master.wall_offset_ms;
}

void master_init(struct world *w) {
    struct master *m = &w->master;
    m->up = m->can_write = true;
    m->rows = memory_zeroed(w->count, sizeof *m->rows);
    m->channel = 1;
    m->channel_wall_ms = master_wall_ms(w);
}

void master_fini(struct world *w) {
    for (int i = 0; i < SIM_ROLLOUTS_MAX; i++) rollout_clear(&w->master.rollouts[i]);
    free(w->master.rows);
}

static void answer(struct world *w, uint32_t agent) {
    struct row *row = &w->master.rows[agent];
    struct message m = {.kind = MESSAGE_DESIRED,
                        .session = row->session,
                        .ticket = row->parked,
                        .sequence = ++row->sent,
                        .desired = row->desired};
    row->parked = 0;
    row->told_edition = row->desired.edition;
    network_send(w, agent, false, &m);
}

static void park(struct world *w, uint32_t agent, uint32_t ticket) {
    struct row *row = &w->master.rows[agent];
    if (row->parked != 0) answer(w, agent);
    row->parked = ticket;
    if (row->report.generation != row->desired.generation ||
        row->told_edition != row->desired.edition) {
        answer(w, agent);
        return;
    }
    world_after(w, w->scenario.interval_ms,
                &(struct planned){.kind = SIM_PARK_END, .agent = agent, .life = ticket});
}

static void refuse(struct world *w, uint32_t agent, const struct message *m) {
    struct message refusal = {.kind = MESSAGE_REFUSED, .session = m->session, .ticket = m->ticket};
    network_send(w, agent, false, &refusal);
}

/* Of leave that changed, or may have been told in vain. */
static void count_leave(struct world *w, struct row *row) {
    if (row->desired.rollout != 0) row->desired.edition = ++w->master.editions;
}

static void greet(struct world *w, uint32_t agent, const struct message *m) {
    struct row *row = &w->master.rows[agent];
    row->session = ++w->master.sessions;
    row->parked = row->received = row->sent = 0;
    count_leave(w, row);
    row->window = 0;
    struct message welcome = {
        .kind = MESSAGE_WELCOME, .session = row->session, .ticket = m->ticket};
    network_send(w, agent, false, &welcome);
}

/* As lib/session.c: each frame counts once. */
static bool fresh(struct row *row, uint32_t ticket) {
    enum { WINDOW = 64 };
    if (ticket > row->received) {
        uint32_t ahead = ticket - row->received;
        row->window = ahead < WINDOW ? row->window << ahead | 1 : 1;
        row->received = ticket;
        return true;
    }
    uint32_t behind = row->received - ticket;
    if (behind >= WINDOW || (row->window >> behind & 1) != 0) return false;
    row->window |= 1ULL << behind;
    return true;
}

void master_take(struct world *w, uint32_t agent, const struct message *m) {
    struct row *row = &w->master.rows[agent];
    if (!w->master.up) return;
    if (!row->member || row->removed || (m->kind == MESSAGE_REPORT && m->session != row->session)) {
        refuse(w, agent, m);
    } else if (m->kind == MESSAGE_HELLO) {
        greet(w, agent, m);
    } else if (fresh(row, m->ticket)) {
        row->report = m->report;
        row->news_event = w->events;
        row->seen_ms = w->now_ms;
        row->status = UP;
        park(w, agent, m->ticket);
    }
}

static bool quarantined(const struct world *w, int version) {
    return (w->master.quarantine & (1U << version)) != 0;
}

static void choose_by_decisions(const struct world *w, const struct row *row,
                                struct sim_desired *d) {
    bool kept = row->kept != 0 && row->kept_wall_ms >= w->master.channel_wall_ms;
    int channel = quarantined(w, w->master.channel) ? 0 : w->master.channel;
    d->version = (uint8_t)(kept ? row->kept : channel);
    if (d->version == 0) d->version = row->kept;
}

static void choose_by_rollout(const struct sim_rollout *r, const struct row *row,
                              struct rollout_orders orders, struct sim_desired *d) {
    const struct rollout_policy *p = &r->live.policy;
    d->rollout = r->number;
    d->attempt = r->live.members[row->member_index].attempt;
    d->version = orders.told == TOLD_TARGET ? r->target : r->from[row->member_index];
    d->prefetch = orders.prefetch ? r->target : 0;
    d->lease_ms = orders.leave ? ROLLOUT_LEASE_MS : 0;
    d->min_healthy_ms = p->min_healthy_ms;
    d->probation_ms = p->probation_ms;
    d->healthy_deadline_ms = p->healthy_deadline_ms;
    d->allow_unavailable = p->allow_unavailable;
}

static void note_leave(struct world *w, struct row *row, const struct sim_desired *d) {
    bool leave = d->rollout == 0 || d->lease_ms > 0;
    if (row->leave && (!leave || d->version != row->desired.version))
        row->leave_ended_ms[row->desired.version] = w->now_ms;
    row->leave = leave;
}

void master_choose(struct world *w, uint32_t agent) {
    struct row *row = &w->master.rows[agent];
    struct sim_desired d = {.generation = row->desired.generation, .draining = row->draining};
    const struct sim_rollout *r = rollout_find(w, row->active);
    struct rollout_orders orders = {.told = TOLD_OTHERS};
    if (r != NULL) orders = rollout_orders(&r->live, &r->live.members[row->member_index]);
    if (row->pin != 0)
        d.version = row->pin;
    else if (orders.told != TOLD_OTHERS)
        choose_by_rollout(r, row, orders, &d);
    else
        choose_by_decisions(w, row, &d);
    if (d.rollout != 0) d.edition = row->desired.edition;
    if (desired_equal(&d, &row->desired)) return;
    note_leave(w, row, &d);
    bool other_leave = d.lease_ms != row->desired.lease_ms || d.edition == 0;
    row->desired.lease_ms = d.lease_ms; /* by itself it raises no generation */
    if (!desired_equal(&d, &row->desired)) d.generation++;
    row->desired = d;
    if (other_leave) count_leave(w, row);
    rules_desired(w, agent);
    if (row->parked != 0) answer(w, agent);
}

void master_choose_all(struct world *w) {
    for (uint32_t i = 0; i < w->count; i++)
        if (w->master.rows[i].member) master_choose(w, i);
}

void master_join(struct world *w, uint32_t agent) {
    struct row *row = &w->master.rows[agent];
    row->member = true;
    row->seen_ms = w->now_ms;
    rollouts_greet(w, agent);
    master_choose(w, agent);
}

void master_remove(struct world *w, uint32_t agent) {
    struct row *row = &w->master.rows[agent];
    row->removed = true;
    row->news_event = w->events;
    row->session = row->parked = 0;
}

void master_pin(struct world *w, uint32_t agent, int version) {
    w->master.rows[agent].pin = (uint8_t)version;
    w->master.rows[agent].news_event = w->events;
    master_choose(w, agent);
}

void master_drain(struct world *w, uint32_t agent, bool draining) {
    w->master.rows[agent].draining = draining;
    w->master.rows[agent].news_event = w->events;
    master_choose(w, agent);
}

void master_point_channel(struct world *w, int version) {
    w->master.channel = (uint8_t)version;
    w->master.channel_wall_ms = master_wall_ms(w);
    master_choose_all(w);
}

static void judge_silence(struct world *w) {
    int64_t suspect_ms = SUSPECT_INTERVALS * w->scenario.interval_ms;
    int64_t lost_ms = LOST_INTERVALS * w->scenario.interval_ms;
    for (size_t i = 0; i < w->count; i++) {
        struct row *row = &w->master.rows[i];
        int64_t silent_ms = w->now_ms - row->seen_ms;
        if (silent_ms < suspect_ms) continue;
        uint8_t status = silent_ms >= lost_ms ? LOST : SUSPECT;
        if (status != row->status) row->news_event = w->events;
        row->status = status;
    }
}

/* Reports are written behind, in groups. */
static void flush_reports(struct world *w) {
    for (size_t i = 0; i < w->count; i++) w->master.rows[i].flushed = w->master.rows[i].report;
}

static void tick(struct world *w) {
    if (!w->master.up) return;
    world_after(w, w->scenario.tick_ms, &(struct planned){.kind = SIM_TICK});
    judge_silence(w);
    rollouts_tick_all(w);
}

void master_crash(struct world *w, int64_t for_ms) {
    if (!w->master.up) return;
    w->master.up = false;
    world_after(w, for_ms, &(struct planned){.kind = SIM_MASTER_UP});
}

static void start(struct world *w) {
    w->master.up = true;
    w->master.started_ms = w->now_ms;
    for (size_t i = 0; i < w->count; i++) {
        struct row *row = &w->master.rows[i];
        row->report = row->flushed;
        row->session = row->parked = 0;
        row->seen_ms = w->now_ms;
        count_leave(w, row);
    }
    rollouts_load(w, QUIET_INTERVALS * w->scenario.interval_ms);
    world_after(w, w->scenario.tick_ms, &(struct planned){.kind = SIM_TICK});
}

void master_event(struct world *w, const struct planned *e) {
    if (e->kind == SIM_TICK) tick(w);
    if (e->kind == SIM_MASTER_UP) start(w);
    if (e->kind == SIM_LOOK && w->master.up) flush_reports(w);
    if (e->kind == SIM_PARK_END && w->master.up && w->master.rows[e->agent].parked == e->life &&
        e->life != 0)
        answer(w, e->agent);
}
