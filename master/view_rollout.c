#include "master/view_rollout.h"

#include "lib/clock.h"
#include "master/rollout_request_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAUSE_SIZE 24
#define COPY(target, source) text_cut((target), sizeof(target), (source))

/* Numbers and texts as JSON, owned; the windows are the request's. */
struct policy_json {
    char *canary, *max_parallel;
    int64_t max_failures;
    char *min_healthy_s, *probation_s, *auto_promote_s, *healthy_deadline_s, *progress_deadline_s;
    bool auto_revert, allow_unavailable, supersede, override_quarantine;
    char topology[64];
    struct rollout_window *windows;
    size_t windows_count;
};
static const struct json_field window_fields[] = {
    J(JSON_STRING, struct rollout_window, days, 0),
    J(JSON_STRING, struct rollout_window, from, 0),
    J(JSON_STRING, struct rollout_window, to, 0),
    J(JSON_STRING, struct rollout_window, tz, 0),
};
static const struct json_schema window_schema = JSON_SCHEMA(struct rollout_window, window_fields);
static const struct json_field policy_fields[] = {
    J(JSON_RAW, struct policy_json, canary, 0),
    J(JSON_RAW, struct policy_json, max_parallel, 0),
    J(JSON_INT, struct policy_json, max_failures, 0),
    J(JSON_RAW, struct policy_json, min_healthy_s, 0),
    J(JSON_RAW, struct policy_json, probation_s, 0),
    J(JSON_RAW, struct policy_json, auto_promote_s, 0),
    J(JSON_RAW, struct policy_json, healthy_deadline_s, 0),
    J(JSON_RAW, struct policy_json, progress_deadline_s, 0),
    J(JSON_BOOL, struct policy_json, auto_revert, 0),
    J(JSON_BOOL, struct policy_json, allow_unavailable, 0),
    J(JSON_STRING, struct policy_json, topology, 0),
    J_LIST(struct policy_json, windows, &window_schema, 0),
    J(JSON_BOOL, struct policy_json, supersede, 0),
    J(JSON_BOOL, struct policy_json, override_quarantine, 0),
};
static const struct json_schema policy_schema = JSON_SCHEMA(struct policy_json, policy_fields);

struct progress_json {
    int64_t selected, waiting, deferred, excluded, granted, committed, failed, held, leaving,
        returning, returned, return_failed, in_flight, unavailable, slots;
};
static const struct json_field progress_fields[] = {
    J(JSON_INT, struct progress_json, selected, 0),
    J(JSON_INT, struct progress_json, waiting, 0),
    J(JSON_INT, struct progress_json, deferred, 0),
    J(JSON_INT, struct progress_json, excluded, 0),
    J(JSON_INT, struct progress_json, granted, 0),
    J(JSON_INT, struct progress_json, committed, 0),
    J(JSON_INT, struct progress_json, failed, 0),
    J(JSON_INT, struct progress_json, held, 0),
    J(JSON_INT, struct progress_json, leaving, 0),
    J(JSON_INT, struct progress_json, returning, 0),
    J(JSON_INT, struct progress_json, returned, 0),
    J(JSON_INT, struct progress_json, return_failed, 0),
    J(JSON_INT, struct progress_json, in_flight, 0),
    J(JSON_INT, struct progress_json, unavailable, 0),
    J(JSON_INT, struct progress_json, slots, 0),
};
static const struct json_schema progress_schema =
    JSON_SCHEMA(struct progress_json, progress_fields);

/* Strings point into what is shown; nothing here is owned, so nothing is cleared. */
struct rollout_json {
    char id[WIRE_ROLLOUT_ID_SIZE];
    char name[ARTIFACT_NAME_SIZE];
    char version[SEMVER_SIZE];
    char state[16], resume_state[16];
    char cause[CAUSE_SIZE], hold[CAUSE_SIZE];
    char *reason;
    char selector[ROLLOUT_SELECTOR_SIZE];
    char *policy; /* raw JSON */
    struct progress_json progress;
    char *domains; /* raw JSON */
    char *current_domain;
    char created_at[CLOCK_RFC3339_SIZE], finished_at[CLOCK_RFC3339_SIZE];
    char *principal;
    char superseded_by[WIRE_ROLLOUT_ID_SIZE];
    int64_t revision;
};
static const struct json_field rollout_fields[] = {
    J(JSON_STRING, struct rollout_json, id, 0),
    J(JSON_STRING, struct rollout_json, name, 0),
    J(JSON_STRING, struct rollout_json, version, 0),
    J(JSON_STRING, struct rollout_json, state, 0),
    J(JSON_STRING, struct rollout_json, resume_state, 0),
    J(JSON_STRING, struct rollout_json, cause, 0),
    J(JSON_TEXT, struct rollout_json, reason, 0),
    J(JSON_STRING, struct rollout_json, hold, 0),
    J(JSON_STRING, struct rollout_json, selector, 0),
    J(JSON_RAW, struct rollout_json, policy, 0),
    J_SUB(struct rollout_json, progress, &progress_schema, 0),
    J(JSON_RAW, struct rollout_json, domains, 0),
    J(JSON_TEXT, struct rollout_json, current_domain, 0),
    J(JSON_STRING, struct rollout_json, created_at, 0),
    J(JSON_STRING, struct rollout_json, finished_at, JSON_OMIT_EMPTY),
    J(JSON_TEXT, struct rollout_json, principal, 0),
    J(JSON_STRING, struct rollout_json, superseded_by, 0),
    J(JSON_INT, struct rollout_json, revision, 0),
};
static const struct json_schema rollout_schema = JSON_SCHEMA(struct rollout_json, rollout_fields);

/* json tables hold what they encode by pointers that they could own. */
static char *shown(const char *words) {
    return (char *)(uintptr_t)words;
}

char *view_rollout_id(int64_t number, char out[WIRE_ROLLOUT_ID_SIZE]) {
    out[0] = '\0';
    if (number != 0) snprintf(out, WIRE_ROLLOUT_ID_SIZE, "r-%" PRId64, number);
    return out;
}

static void encode_policy(const struct rollout_view *v, struct text *out) {
    const struct rollout_request *q = v->request;
    const struct rollout_policy *p = &v->rollout->policy;
    struct policy_json j = {
        .canary = rollout_request_amount_text(p->canary),
        .max_parallel = rollout_request_amount_text(p->max_parallel),
        .max_failures = rollout_failures_borne(p, v->tally.selected),
        .min_healthy_s = rollout_request_duration_text(p->min_healthy_ms),
        .probation_s = rollout_request_duration_text(p->probation_ms),
        .auto_promote_s = rollout_request_duration_text(p->auto_promote_ms),
        .healthy_deadline_s = rollout_request_duration_text(p->healthy_deadline_ms),
        .progress_deadline_s = rollout_request_duration_text(p->progress_deadline_ms),
        .auto_revert = p->auto_revert,
        .allow_unavailable = p->allow_unavailable,
        .supersede = q->supersede,
        .override_quarantine = q->override_quarantine,
        .windows = q->windows,
        .windows_count = q->windows_count};
    COPY(j.topology, q->topology);
    json_encode(&policy_schema, &j, out);
    j.windows = NULL;
    j.windows_count = 0;
    json_clear(&policy_schema, &j);
}

static struct progress_json progress_of(const struct rollout_tally *t) {
    return (struct progress_json){.selected = t->selected,
                                  .waiting = t->states[MEMBER_WAITING],
                                  .deferred = t->states[MEMBER_DEFERRED],
                                  .excluded = t->states[MEMBER_EXCLUDED],
                                  .granted = t->states[MEMBER_GRANTED],
                                  .committed = t->states[MEMBER_COMMITTED],
                                  .failed = t->states[MEMBER_FAILED],
                                  .held = t->states[MEMBER_HELD],
                                  .leaving = t->states[MEMBER_LEAVING],
                                  .returning = t->states[MEMBER_RETURNING],
                                  .returned = t->states[MEMBER_RETURNED],
                                  .return_failed = t->states[MEMBER_RETURN_FAILED],
                                  .in_flight = t->in_flight,
                                  .unavailable = t->unavailable,
                                  .slots = t->slots};
}

/* The unlabelled domain has no name, which a list of JSON_STRINGS could not say. */
void view_rollout_domains(const struct rollout_view *v, struct text *out) {
    text_add(out, "[");
    for (size_t i = 0; i < v->domain_count; i++) {
        if (i > 0) text_add(out, ",");
        json_quote(v->domains[i], out);
    }
    text_add(out, "]");
}

const char *view_rollout_domain(const struct rollout_view *v, int32_t domain) {
    return domain >= 0 && (size_t)domain < v->domain_count ? v->domains[domain] : "";
}

void view_rollout(const struct rollout_view *v, struct text *out) {
    OWN_TEXT struct text policy = TEXT_EMPTY, domains = TEXT_EMPTY;
    const struct rollout *r = v->rollout;
    struct rollout_json j = {.reason = shown(v->reason),
                             .progress = progress_of(&v->tally),
                             .current_domain = shown(view_rollout_domain(v, r->domain)),
                             .principal = shown(v->principal),
                             .revision = r->revision};
    encode_policy(v, &policy);
    view_rollout_domains(v, &domains);
    j.policy = policy.data;
    j.domains = domains.data;
    view_rollout_id(v->number, j.id);
    COPY(j.name, v->request->name);
    COPY(j.version, v->request->version);
    COPY(j.selector, v->request->selector);
    COPY(j.state, rollout_state_name(r->state));
    COPY(j.resume_state, r->state == ROLLOUT_PAUSED ? rollout_state_name(r->resume) : "");
    COPY(j.cause, rollout_cause_name(r->cause));
    COPY(j.hold, rollout_cause_name(r->hold));
    clock_rfc3339(v->created_at_ms, j.created_at);
    if (v->finished_at_ms != 0) clock_rfc3339(v->finished_at_ms, j.finished_at);
    view_rollout_id(v->superseded_by, j.superseded_by);
    json_encode(&rollout_schema, &j, out);
}

static int compare_ids(const void *id, const void *agent) {
    return strcmp(id, ((const struct rollout_agent_view *)agent)->id);
}

size_t view_rollout_find(const struct rollout_view *v, const char *agent_id) {
    const struct rollout_agent_view *found =
        bsearch(agent_id, v->agents, v->rollout->member_count, sizeof *v->agents, compare_ids);
    return found != NULL ? (size_t)(found - v->agents) : SIZE_MAX;
}

static bool is_on_its_way(const struct rollout_member *m) {
    return m->state == MEMBER_GRANTED || m->state == MEMBER_RETURNING;
}

/* Of those whose turn has not come: whether it may still come. Who is not waited for is not watched
 * either. */
static bool may_come(const struct rollout *r, const struct rollout_member *m) {
    return rollout_is_active(r->state) ||
           (r->state == ROLLOUT_COMPLETED && m->state == MEMBER_DEFERRED);
}

const char *view_rollout_phase(const struct rollout *r, const struct rollout_member *m) {
    static const char *const names[] = {
        [PROGRESS_NONE] = "told",           [PROGRESS_HELD] = "not_begun",
        [PROGRESS_SWITCHING] = "switching", [PROGRESS_PROBATION] = "probation",
        [PROGRESS_COMMITTED] = "committed", [PROGRESS_WENT_BACK] = "went_back",
        [PROGRESS_STUCK] = "stuck"};
    if (is_on_its_way(m)) return m->facts.online ? names[m->facts.progress] : "away";
    if ((m->state != MEMBER_WAITING && m->state != MEMBER_DEFERRED) || !may_come(r, m))
        return rollout_member_state_name((enum rollout_member_state)m->state);
    if (!m->facts.online) return "away";
    return m->facts.staged ? "staged" : "fetching";
}

struct member_json {
    char agent_id[WIRE_AGENT_ID_SIZE];
    char state[16], phase[16];
    char *domain;
    bool canary;
    int64_t attempt;
    char from[SEMVER_SIZE], to[SEMVER_SIZE];
    char cause[CAUSE_SIZE];
    char *reason, *diagnosis;
    int64_t turn;
};
static const struct json_field member_fields[] = {
    J(JSON_STRING, struct member_json, agent_id, 0), J(JSON_STRING, struct member_json, state, 0),
    J(JSON_STRING, struct member_json, phase, 0),    J(JSON_TEXT, struct member_json, domain, 0),
    J(JSON_BOOL, struct member_json, canary, 0),     J(JSON_INT, struct member_json, attempt, 0),
    J(JSON_STRING, struct member_json, from, 0),     J(JSON_STRING, struct member_json, to, 0),
    J(JSON_STRING, struct member_json, cause, 0),    J(JSON_TEXT, struct member_json, reason, 0),
    J(JSON_TEXT, struct member_json, diagnosis, 0),  J(JSON_INT, struct member_json, turn, 0),
};
static const struct json_schema member_schema = JSON_SCHEMA(struct member_json, member_fields);

void view_rollout_agent(const struct rollout_view *v, size_t index, struct text *out) {
    const struct rollout_member *m = &v->rollout->members[index];
    const struct rollout_agent_view *a = &v->agents[index];
    struct member_json j = {.domain = shown(view_rollout_domain(v, m->domain)),
                            .canary = m->canary,
                            .attempt = m->attempt,
                            .reason = shown(a->reason),
                            .diagnosis = shown(a->diagnosis),
                            .turn = m->turn};
    COPY(j.agent_id, a->id);
    COPY(j.state, rollout_member_state_name((enum rollout_member_state)m->state));
    COPY(j.phase, view_rollout_phase(v->rollout, m));
    COPY(j.from, a->from_version);
    COPY(j.to, v->request->version);
    COPY(j.cause, rollout_cause_name((enum rollout_cause)m->cause));
    json_encode(&member_schema, &j, out);
}
