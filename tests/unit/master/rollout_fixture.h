/* A fleet of made-up agents that obey a rollout's orders as real ones do, in virtual time. Include
 * cmocka before. */
#pragma once

#include "master/rollout.h"

#include <stdlib.h>
#include <string.h>

#define TICK_MS 100

/* What an agent's machine makes of the version. */
enum nature { GOOD, EXITS, DISK_FULL, VETOES, VANISHES, DEAF, DISTRUSTS, HANGS, CANNOT_RETURN };

struct agent {
    enum nature nature;
    int32_t attempt; /* of the grant it works at */
    bool back;       /* to what it ran before */
    int64_t begun_ms;
};

struct fleet {
    struct rollout rollout;
    struct agent *agents;
    int64_t now_ms;
    bool window_open;
    int64_t most_in_flight;
    bool domains_mixed; /* agents of two domains were granted at the same time */
};

static const struct rollout_facts healthy = {
    .nodes = 1, .online = true, .works = true, .staged = true, .has_build = true, .at_rest = true};

__attribute__((unused)) static struct rollout_policy usual_policy(void) {
    return (struct rollout_policy){
        .canary = {1, false},
        .max_parallel = {1, false},
        .max_failures = -1,
        .min_healthy_ms = 1000,
        .probation_ms = 2000,
        .auto_promote_ms = 0,
        .healthy_deadline_ms = 5000,
        .progress_deadline_ms = 60000,
        .auto_revert = true
    };
}

/* Members in order over the domains: of 6 members and 3 domains, two after two share one. */
static void fleet_init(struct fleet *f, size_t members, int32_t domains,
                       struct rollout_policy policy) {
    *f = (struct fleet){.window_open = true};
    f->agents = calloc(members, sizeof *f->agents);
    f->rollout = (struct rollout){.policy = policy,
                                  .domain = -1,
                                  .member_count = members,
                                  .members = calloc(members, sizeof *f->rollout.members)};
    for (size_t i = 0; i < members; i++) {
        f->rollout.members[i].facts = healthy;
        f->rollout.members[i].domain = (int32_t)(i * (size_t)domains / members);
    }
}

static void fleet_fini(struct fleet *f) {
    free(f->agents);
    free(f->rollout.members);
}

__attribute__((unused)) static void fleet_join(struct fleet *f, int32_t domain) {
    struct rollout *r = &f->rollout;
    size_t n = r->member_count++;
    r->members = realloc(r->members, r->member_count * sizeof *r->members);
    f->agents = realloc(f->agents, r->member_count * sizeof *f->agents);
    r->members[n] = (struct rollout_member){.domain = domain, .facts = healthy};
    f->agents[n] = (struct agent){0};
}

static struct rollout_member *fleet_member(struct fleet *f, size_t i) {
    assert_true(i < f->rollout.member_count);
    return &f->rollout.members[i];
}

__attribute__((unused)) static enum rollout_member_state fleet_state(struct fleet *f, size_t i) {
    return fleet_member(f, i)->state;
}

__attribute__((unused)) static size_t fleet_count(struct fleet *f,
                                                  enum rollout_member_state state) {
    size_t n = 0;
    for (size_t i = 0; i < f->rollout.member_count; i++) n += fleet_state(f, i) == state;
    return n;
}

static void agent_end(struct rollout_facts *facts, enum rollout_progress progress,
                      enum rollout_cause cause) {
    facts->progress = (uint8_t)progress;
    facts->cause = (uint8_t)cause;
    facts->works = facts->at_rest = true;
}

static void agent_begin(struct agent *a, struct rollout_facts *facts, int32_t attempt,
                        int64_t now_ms) {
    a->attempt = attempt;
    a->begun_ms = now_ms;
    agent_end(facts, PROGRESS_SWITCHING, CAUSE_NONE);
    facts->works = facts->at_rest = false;
}

static void agent_finish_target(struct agent *a, struct rollout_facts *facts) {
    switch (a->nature) {
    case EXITS:
        agent_end(facts, PROGRESS_WENT_BACK, CAUSE_VERSION);
        break;
    case DISK_FULL:
        agent_end(facts, PROGRESS_WENT_BACK, CAUSE_MACHINE);
        break;
    case DISTRUSTS:
        agent_end(facts, PROGRESS_WENT_BACK, CAUSE_UNTRUSTED);
        break;
    case VANISHES:
        facts->online = false;
        facts->lost = true;
        break;
    case HANGS:
        break;
    default:
        agent_end(facts, PROGRESS_COMMITTED, CAUSE_NONE);
        facts->on_target = true;
    }
}

/* One tick of one agent: it begins what it has leave for, and ends it when its time has come. */
static void agent_tick(struct fleet *f, size_t i) {
    struct agent *a = &f->agents[i];
    struct rollout_member *m = &f->rollout.members[i];
    struct rollout_orders orders = rollout_orders(&f->rollout, m);
    if (!m->facts.online || a->nature == DEAF) return;
    if (orders.leave && a->attempt < m->attempt) {
        if (a->nature == VETOES)
            agent_end(&m->facts, PROGRESS_HELD, CAUSE_VETO);
        else
            agent_begin(a, &m->facts, m->attempt, f->now_ms);
        a->back = orders.told == TOLD_ORIGIN;
        return;
    }
    bool moves = m->facts.progress == PROGRESS_SWITCHING || m->facts.progress == PROGRESS_PROBATION;
    if (!moves || f->now_ms - a->begun_ms < f->rollout.policy.probation_ms) return;
    if (!a->back) {
        agent_finish_target(a, &m->facts);
    } else if (a->nature == CANNOT_RETURN) {
        agent_end(&m->facts, PROGRESS_STUCK, CAUSE_VERSION);
    } else {
        agent_end(&m->facts, PROGRESS_COMMITTED, CAUSE_NONE);
        m->facts.on_target = false;
    }
}

static void fleet_look(struct fleet *f) {
    struct rollout_tally tally;
    rollout_count(&f->rollout, &tally);
    if (tally.in_flight > f->most_in_flight) f->most_in_flight = tally.in_flight;
    int32_t domain = -1;
    for (size_t i = 0; i < f->rollout.member_count; i++) {
        const struct rollout_member *m = fleet_member(f, i);
        if (m->state != MEMBER_GRANTED && m->state != MEMBER_RETURNING) continue;
        if (domain >= 0 && domain != m->domain) f->domains_mixed = true;
        domain = m->domain;
    }
}

static bool fleet_event(struct fleet *f, enum rollout_event event) {
    bool taken = rollout_next(&f->rollout, event, (struct rollout_time){f->now_ms, f->window_open});
    const char *broken = rollout_broken_invariant(&f->rollout);
    if (broken != NULL) fail_msg("%s", broken);
    fleet_look(f);
    return taken;
}

/* What the shell does: reports of older attempts are no news. */
static void fleet_tick(struct fleet *f) {
    f->now_ms += TICK_MS;
    for (size_t i = 0; i < f->rollout.member_count; i++) agent_tick(f, i);
    (void)fleet_event(f, ROLLOUT_TICK);
    for (size_t i = 0; i < f->rollout.member_count; i++) {
        struct rollout_member *m = fleet_member(f, i);
        bool older = f->agents[i].attempt < m->attempt && f->agents[i].nature != VETOES;
        if (older) m->facts.progress = PROGRESS_NONE;
    }
}

__attribute__((unused)) static void fleet_run_for(struct fleet *f, int64_t ms) {
    for (int64_t end = f->now_ms + ms; f->now_ms < end;) fleet_tick(f);
}

/* Fails when the state is not reached within an hour of the fleet. */
__attribute__((unused)) static void fleet_run_until(struct fleet *f, enum rollout_state state) {
    for (int i = 0; i < 36000 && f->rollout.state != state; i++) fleet_tick(f);
    assert_string_equal(rollout_state_name(f->rollout.state), rollout_state_name(state));
}
