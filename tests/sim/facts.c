#include "tests/sim/facts.h"

#include "master/rollout_facts.h"

#include <stdio.h>
#include <string.h>

static void copy(char *out, size_t size, const char *word) {
    size_t length = strlen(word);
    memcpy(out, word, length < size ? length + 1 : size);
}
#define COPY(array, word) copy(array, sizeof(array), word)

static void show_update(const struct sim_update *u, struct wire_update *out) {
    static const char *const states[] = {"idle",      "downloading", "waiting", "switching",
                                         "probation", "returning",   "failed",  "stuck"};
    char rollout[WIRE_ROLLOUT_ID_SIZE] = "";
    if (u->rollout != 0) snprintf(rollout, sizeof rollout, "r-%d", u->rollout);
    COPY(out->state, states[u->state]);
    COPY(out->cause, rollout_cause_name((enum rollout_cause)u->cause));
    COPY(out->rollout, rollout);
    out->rollout_attempt = u->attempt;
    out->edition = u->edition;
}

static void show_grant(const struct sim_desired *d, struct wire_grant *out) {
    char rollout[WIRE_ROLLOUT_ID_SIZE] = "";
    if (d->rollout != 0) snprintf(rollout, sizeof rollout, "r-%d", d->rollout);
    COPY(out->rollout, rollout);
    out->attempt = d->attempt;
    out->edition = d->edition;
    out->lease_ms = d->lease_ms;
}

static void show_staging(const struct sim_report *said, struct wire_staging *out) {
    const char *state = said->fetch_cause != CAUSE_NONE ? "failed" : "downloading";
    if (said->staged) state = "staged";
    COPY(out->state, said->ahead != 0 ? state : "");
    COPY(out->sha256, version_name(said->ahead));
    COPY(out->cause, rollout_cause_name((enum rollout_cause)said->fetch_cause));
}

/* The agent as the registry would show it. */
static void show(const struct row *row, struct wire_node nodes[SIM_NODES_MAX],
                 struct agent_view *out) {
    static const enum agent_status statuses[] = {AGENT_UP, AGENT_SUSPECT, AGENT_LOST};
    const struct sim_report *said = &row->report;
    out->status = statuses[row->status];
    out->admission = row->removed ? ADMISSION_REVOKED : ADMISSION_ADMITTED;
    COPY(out->mode, row->draining ? "draining" : "active");
    COPY(out->pin, version_name(row->pin));
    COPY(out->report.agent_id, said->nodes > 0 ? "a" : "");
    COPY(out->report.version, version_name(said->version));
    COPY(out->report.sha256, version_name(said->version));
    out->report.nodes = nodes;
    out->report.nodes_count = said->nodes;
    for (int i = 0; i < said->nodes; i++)
        COPY(nodes[i].state, i < said->working ? "healthy" : "unhealthy");
    out->generation = row->desired.generation;
    out->report.generation = said->generation;
    show_grant(&row->desired, &out->grant);
    show_update(&said->update, &out->report.update);
    show_staging(said, &out->report.staging);
}

static void look(struct world *w, const struct sim_rollout *r, const char *id, uint32_t index) {
    static struct agent_view agent;
    static struct wire_node nodes[SIM_NODES_MAX];
    struct rollout_member *m = &r->live.members[index];
    const struct row *row = &w->master.rows[r->agents[index]];
    const char *from = version_name(r->from[index]);
    const char *to = version_name(r->target);
    const struct rollout_part part = {.rollout = id,
                                      .version = to,
                                      .to_sha256 = to,
                                      .from_version = from,
                                      .from_sha256 = from,
                                      .member = m};
    show(row, nodes, &agent);
    rollout_facts_of(&agent, &part, &m->facts);
    m->facts.taken = row->active != r->number;
}

void facts_fill(struct world *w, struct sim_rollout *r) {
    char id[WIRE_ROLLOUT_ID_SIZE];
    snprintf(id, sizeof id, "r-%d", r->number);
    for (uint32_t i = 0; i < r->live.member_count; i++) {
        const struct row *row = &w->master.rows[r->agents[i]];
        if (row->news_event >= r->looked_event || r->live.members[i].changed) look(w, r, id, i);
    }
    r->looked_event = w->events;
}
