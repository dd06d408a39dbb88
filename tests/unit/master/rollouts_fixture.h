/* Rollouts over a real database, catalog and registry, with machines that do what they are told at
 * once, unless a test says otherwise. Time stands still unless a test moves it. */
#pragma once

#include "master/rollouts.h"
#include "tests/unit/master/master_fixture.h"

#define MACHINES_MAX 8

struct machine {
    char id[WIRE_AGENT_ID_SIZE];
    char labels[64];
    char version[SEMVER_SIZE], sha256[SHA256_HEX_SIZE];
    char bad[SEMVER_SIZE];  /* a version that does not work there */
    const char *arch;       /* NULL: x86_64 */
    const char *last_words; /* its diagnosis; NULL: two lines */
    bool silent;
    bool stays; /* does nothing it is granted */
    bool tells; /* the edition of the leave that it acts on */
};

struct grid {
    struct fixture *f;
    struct rollouts *rollouts;
    struct machine machines[MACHINES_MAX];
    size_t machine_count;
    int64_t now_ms;
    int64_t now_wall_ms;
    int64_t quiet_ms;
};

static inline void grid_open_rollouts(struct grid *g) {
    struct err error = {0};
    const struct rollouts_options options = {.db = g->f->db,
                                             .catalog = g->f->catalog,
                                             .agents = g->f->agents,
                                             .events = g->f->events,
                                             .quiet_ms = g->quiet_ms};
    assert_ok(rollouts_open(&g->rollouts, &options, &error));
    if (g->now_ms < clock_monotonic_ms()) g->now_ms = clock_monotonic_ms();
}

/* As a master that is stopped and started again. */
static inline void grid_restart(struct grid *g) {
    rollouts_close(g->rollouts);
    agents_close(g->f->agents);
    fixture_open_agents(g->f);
    grid_open_rollouts(g);
}

static inline void update_report(const struct machine *m, const struct wire_desired *d,
                                 struct wire_update *out) {
    bool runs = strcmp(m->version, d->version) == 0;
    bool failed = strcmp(m->bad, d->version) == 0 && m->bad[0] != '\0' && !m->stays;
    snprintf(out->state, sizeof out->state, "%s", failed ? "failed" : runs ? "idle" : "waiting");
    snprintf(out->to, sizeof out->to, "%s", d->version);
    if (failed) {
        snprintf(out->cause, sizeof out->cause, "version");
        out->reason = text_duplicate("node 0 ended with exit code 3");
        out->diagnosis =
            text_duplicate(m->last_words != NULL ? m->last_words : "exit code 3\nlast line");
    }
    memcpy(out->rollout, d->grant.rollout, sizeof out->rollout);
    out->rollout_attempt = d->grant.attempt;
    if (m->tells && m->stays) out->edition = d->grant.edition;
}

/* It asks what it should do, does it, and reports. */
static inline void machine_lives(struct grid *g, struct machine *m) {
    struct err error = {0};
    struct wire_desired d;
    int64_t edition = 0;
    struct wire_heartbeat report = {.type = "heartbeat", .platform = "linux", .arch = "x86_64"};
    if (m->silent) return;
    assert_ok(agents_desired(g->f->agents, m->id, &d, &edition, &error));
    bool may = d.grant.rollout[0] == '\0' || d.grant.lease_ms > 0;
    bool good = d.version[0] != '\0' && strcmp(m->bad, d.version) != 0;
    if (may && good && !m->stays) {
        memcpy(m->version, d.version, sizeof m->version);
        memcpy(m->sha256, d.sha256, sizeof m->sha256);
    }
    update_report(m, &d, &report.update);
    if (d.prefetch.version[0] != '\0') {
        snprintf(report.staging.state, sizeof report.staging.state, "staged");
        memcpy(report.staging.sha256, d.prefetch.sha256, sizeof report.staging.sha256);
    }
    if (m->arch != NULL) snprintf(report.arch, sizeof report.arch, "%s", m->arch);
    report.generation = d.generation;
    memcpy(report.agent_id, m->id, sizeof report.agent_id);
    memcpy(report.version, m->version, sizeof report.version);
    memcpy(report.sha256, m->sha256, sizeof report.sha256);
    report.labels = text_duplicate(m->labels);
    report.nodes = memory_zeroed(1, sizeof *report.nodes);
    report.nodes_count = 1;
    snprintf(report.nodes[0].id, sizeof report.nodes[0].id, "%.60s/0", m->id);
    snprintf(report.nodes[0].state, sizeof report.nodes[0].state, "healthy");
    json_clear(&wire_desired_schema, &d);
    assert_ok(agents_observe(g->f->agents, &report, "127.0.0.1", g->now_ms, g->now_ms, &error));
}

static inline void grid_add_machine(struct grid *g, const char *id, const char *labels) {
    struct machine *m = &g->machines[g->machine_count++];
    assert_true(g->machine_count <= MACHINES_MAX);
    snprintf(m->id, sizeof m->id, "%s", id);
    snprintf(m->labels, sizeof m->labels, "%s", labels);
    fixture_agent(g->f, id);
    machine_lives(g, m);
}

/* A tick of the master, then a heartbeat of every machine. */
static inline void grid_round(struct grid *g) {
    rollouts_tick(g->rollouts, g->now_ms, g->now_wall_ms);
    for (size_t i = 0; i < g->machine_count; i++) machine_lives(g, &g->machines[i]);
}

/* The third machine says nothing any more, for so long that it counts as lost. */
static inline void grid_lose_third(struct grid *g) {
    g->machines[2].silent = true;
    g->now_ms += WIRE_LOST_MS;
    for (size_t i = 0; i < 2; i++) machine_lives(g, &g->machines[i]);
    agents_tick(g->f->agents, g->now_ms);
}

struct seen {
    enum rollout_state state;
    enum rollout_cause cause, hold;
    enum rollout_member_state members[MACHINES_MAX];
    struct rollout_agent_view agents[MACHINES_MAX]; /* reason and diagnosis: no longer valid */
    size_t member_count, domain_count;
    char reason[384];
    char first_reason[256], first_diagnosis[256];
    size_t first_diagnosis_bytes;
    int64_t superseded_by, revision, finished_at_ms;
    int32_t attempts[MACHINES_MAX];
};

static inline bool grid_look(const struct rollout_view *v, void *argument) {
    struct seen *s = argument;
    s->state = v->rollout->state;
    s->cause = v->rollout->cause;
    s->hold = v->rollout->hold;
    s->revision = v->rollout->revision;
    s->member_count = v->rollout->member_count;
    s->domain_count = v->domain_count;
    s->superseded_by = v->superseded_by;
    s->finished_at_ms = v->finished_at_ms;
    snprintf(s->reason, sizeof s->reason, "%s", v->reason);
    for (size_t i = 0; i < s->member_count && i < MACHINES_MAX; i++) {
        s->members[i] = (enum rollout_member_state)v->rollout->members[i].state;
        s->attempts[i] = v->rollout->members[i].attempt;
        s->agents[i] = v->agents[i];
    }
    if (s->member_count > 0) {
        snprintf(s->first_reason, sizeof s->first_reason, "%s", v->agents[0].reason);
        s->first_diagnosis_bytes = strlen(v->agents[0].diagnosis);
        snprintf(s->first_diagnosis, sizeof s->first_diagnosis, "%s", v->agents[0].diagnosis);
    }
    return true;
}

static inline struct seen grid_seen(struct grid *g, int64_t number) {
    struct err error = {0};
    struct seen s = {.state = ROLLOUT_DRAFT};
    assert_ok(rollouts_visit_one(g->rollouts, number, grid_look, &s, &error));
    return s;
}

/* Rounds until the rollout is in this state. */
static inline struct seen grid_until(struct grid *g, int64_t number, enum rollout_state state) {
    for (int round = 0; round < 200; round++) {
        struct seen s = grid_seen(g, number);
        if (s.state == state) return s;
        grid_round(g);
    }
    struct seen s = grid_seen(g, number);
    fail_msg("r-%d is %s (%s), not %s", (int)number, rollout_state_name(s.state), s.reason,
             rollout_state_name(state));
    return s;
}

/* {"version":...} and what else the body says, with no time to wait anywhere. */
static inline bool grid_start(struct grid *g, const char *version, const char *more,
                              int64_t *number, struct err *e) {
    struct err error = {0};
    struct rollout_request request;
    char body[512];
    bool existed = false;
    snprintf(body, sizeof body,
             "{\"version\":\"%s\",\"min_healthy_s\":0.05,\"probation_s\":0.05%s%s}", version,
             more[0] != '\0' ? "," : "", more);
    assert_ok(rollout_request_decode(body, strlen(body), &request, &error));
    bool started = rollouts_start(g->rollouts, &request, "token:test", "", number, &existed, e);
    rollout_request_clear(&request);
    return started;
}

static inline int64_t grid_begin(struct grid *g, const char *version, const char *more) {
    struct err error = {0};
    int64_t number = 0;
    assert_ok(grid_start(g, version, more, &number, &error));
    return number;
}

static inline bool grid_copy_view(const struct agent_view *v, void *argument) {
    *(struct agent_view *)argument = *v; /* its pointers are valid until the agent changes */
    return true;
}

static inline struct agent_view grid_agent(struct grid *g, const char *id) {
    struct err error = {0};
    struct agent_view v;
    assert_ok(agents_visit_one(g->f->agents, id, grid_copy_view, &v, &error));
    return v;
}

static inline int grid_events(struct grid *g, const char *kind) {
    struct err error = {0};
    struct event *list = NULL;
    size_t count = 0;
    int64_t first = 0;
    assert_ok(events_list(g->f->events, 0, kind, NULL, 1000, &list, &count, &first, &error));
    json_clear_list(&event_schema, list, count);
    return (int)count;
}

/* A build for one arch only. */
static inline void grid_publish_for(struct grid *g, const char *version, const char *arch,
                                    struct binary *out) {
    char content[128];
    snprintf(content, sizeof content, "#!/bin/sh\necho storage-server %s %s\n", version, arch);
    fixture_publish_as(g->f, version, arch, content, out);
}

/* Three machines in two racks that run 1.0.0 by their channel; 1.1.0 and 1.2.0 are published. */
static inline int grid_setup(void **state) {
    struct grid *g = memory_zeroed(1, sizeof *g);
    struct binary binary;
    void *fixture = NULL;
    fixture_setup(&fixture);
    g->f = fixture;
    grid_open_rollouts(g);
    fixture_publish(g->f, "1.0.0", &binary);
    fixture_publish(g->f, "1.1.0", &binary);
    fixture_publish(g->f, "1.2.0", &binary);
    grid_add_machine(g, "a-1", "rack=a");
    grid_add_machine(g, "a-2", "rack=a");
    grid_add_machine(g, "b-1", "rack=b");
    *state = g;
    return 0;
}

static inline int grid_teardown(void **state) {
    struct grid *g = *state;
    void *fixture = g->f;
    rollouts_close(g->rollouts);
    fixture_teardown(&fixture);
    free(g);
    return 0;
}
