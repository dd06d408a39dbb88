/* Whom a rollout moves, and what the registry knows of them. */
#include "master/rollouts_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool selected(const struct agent_view *v, const struct rollout_request *request) {
    return v->admission == ADMISSION_ADMITTED && labels_match(v->labels, request->selector);
}

static void domain_of(const struct agent_view *v, const struct rollout_request *request,
                      char out[LABEL_PART_SIZE]) {
    bool one = request->topology[0] == '\0' || strcmp(request->topology, "none") == 0;
    if (one || !labels_get(v->labels, request->topology, out)) out[0] = '\0';
}

static bool consider(const struct agent_view *v, void *argument) {
    struct live_rollout *l = argument;
    char domain[LABEL_PART_SIZE];
    size_t at = 0;
    if (live_rollout_find(l, v->id, &at) || !selected(v, &l->row.request)) return true;
    domain_of(v, &l->row.request, domain);
    at = live_rollout_add(l, v->id, domain);
    struct rollout_agent_view *a = &l->agents[at];
    bool self = live_rollout_self(l);
    /* What it runs, where nobody says what it should. */
    text_cut(a->from_version, sizeof a->from_version,
             self ? v->report.self.version : v->report.version);
    text_cut(a->from_sha256, sizeof a->from_sha256,
             self ? v->report.self.sha256 : v->report.sha256);
    return true;
}

bool live_rollout_select(struct live_rollout *l, struct agents *agents) {
    size_t before = l->row.state.member_count;
    agents_visit(agents, consider, l);
    if (l->row.state.member_count == before) return false;
    live_rollout_number_domains(l);
    return true;
}

struct relabelling {
    struct live_rollout *l;
    bool any;
};

static bool relabel(const struct agent_view *v, void *argument) {
    struct relabelling *k = argument;
    char domain[LABEL_PART_SIZE];
    size_t at = 0;
    if (v->admission != ADMISSION_ADMITTED || !live_rollout_find(k->l, v->id, &at)) return true;
    struct rollout_member *m = &k->l->row.state.members[at];
    domain_of(v, &k->l->row.request, domain);
    if (rollout_member_flies(m) || strcmp(domain, k->l->domain_names[at]) == 0) return true;
    text_cut(k->l->domain_names[at], sizeof k->l->domain_names[at], domain);
    return m->changed = k->any = true;
}

bool live_rollout_relabel(struct live_rollout *l, struct agents *agents) {
    struct relabelling k = {l, false};
    agents_visit(agents, relabel, &k);
    if (k.any) live_rollout_number_domains(l);
    return k.any;
}

struct topology {
    const struct rollout_request *request;
    bool rack, zone;
};

static bool see_labels(const struct agent_view *v, void *argument) {
    struct topology *t = argument;
    char value[LABEL_PART_SIZE];
    if (!selected(v, t->request)) return true;
    t->rack |= labels_get(v->labels, "rack", value);
    t->zone |= labels_get(v->labels, "zone", value);
    return true;
}

void live_rollout_choose_topology(struct rollout_request *request, struct agents *agents) {
    struct topology t = {.request = request};
    if (request->topology[0] != '\0') return;
    agents_visit(agents, see_labels, &t);
    snprintf(request->topology, sizeof request->topology, "%s",
             t.rack   ? "rack"
             : t.zone ? "zone"
                      : "none");
}

struct looking {
    const struct live_rollout *l;
    struct rollout_member *members;
    size_t next;
};

static void look_away(struct looking *k) {
    bool has_build = k->l->agents[k->next].to_sha256[0] != '\0';
    k->members[k->next++].facts =
        (struct rollout_facts){.nodes = 1, .removed = true, .has_build = has_build, .lost = true};
}

/* Both are sorted by id. */
static bool look_at(const struct agent_view *v, void *argument) {
    struct looking *k = argument;
    size_t count = k->l->row.state.member_count;
    int order = 1;
    while (k->next < count && (order = strcmp(k->l->agents[k->next].id, v->id)) < 0) look_away(k);
    if (k->next == count) return false;
    if (order > 0) return true;
    const struct rollout_part part = live_rollout_part(k->l, k->members, k->next);
    struct rollout_member *m = &k->members[k->next];
    rollout_facts_of(v, &part, &m->facts);
    bool over = !rollout_is_active(k->l->row.state.state);
    m->facts.taken = k->l->taken[k->next] || (over && !part.self && m->state != MEMBER_COMMITTED &&
                                              v->desired_rule == DESIRED_CHANNEL);
    k->next++;
    return true;
}

void live_rollout_look(const struct live_rollout *l, struct agents *agents,
                       struct rollout_member *members) {
    struct looking k = {l, members, 0};
    agents_visit(agents, look_at, &k);
    while (k.next < l->row.state.member_count) look_away(&k);
}

struct equipping {
    const struct live_rollout *l;
    struct rollout_agent_view *agent;
    const struct binary *builds;
    size_t build_count;
};

static bool equip_one(struct db_row *row, void *argument, struct err *e) {
    struct equipping *q = argument;
    struct rollout_agent_view *a = q->agent;
    int desired = live_rollout_self(q->l) ? 8 : 5;
    (void)e;
    if (db_column_text(row, desired)[0] != '\0') {
        text_cut(a->from_version, sizeof a->from_version, db_column_text(row, desired));
        text_cut(a->from_sha256, sizeof a->from_sha256, db_column_text(row, desired + 1));
    }
    const struct rollout_request *r = &q->l->row.request;
    const struct binary *build = catalog_choose(q->builds, q->build_count, r->name, r->version,
                                                db_column_text(row, 2), db_column_text(row, 3));
    if (build != NULL) memcpy(a->to_sha256, build->sha256, sizeof a->to_sha256);
    return true;
}

bool live_rollout_equip(struct db_connection *c, struct live_rollout *l, struct err *e) {
    OWN_MEMORY struct binary *builds = NULL;
    struct equipping q = {.l = l};
    const struct rollout_request *r = &l->row.request;
    if (!catalog_read(c, r->name, NULL, NULL, r->version, &builds, &q.build_count, e)) return false;
    q.builds = builds;
    for (size_t i = 0; i < l->row.state.member_count; i++) {
        q.agent = &l->agents[i];
        if (q.agent->to_sha256[0] == '\0' && l->row.state.members[i].attempt == 0 &&
            !db_query(c, Q_AGENT_CHOICE_FIND, equip_one, &q, e, "s", q.agent->id))
            return false;
    }
    return true;
}
