#include "master/view_plan.h"

#include "lib/labels.h"
#include "master/view_rollout.h"

#include <stdlib.h>
#include <string.h>

#define COPY(target, source) text_cut((target), sizeof(target), (source))

struct remark_json {
    char agent_id[WIRE_AGENT_ID_SIZE];
    char *reason;  /* points into what is shown */
    char *reasons; /* lines; the same */
};
static const struct json_field remark_fields[] = {
    J(JSON_STRING, struct remark_json, agent_id, 0),
    J(JSON_TEXT, struct remark_json, reason, 0),
};
static const struct json_schema remark_schema = JSON_SCHEMA(struct remark_json, remark_fields);
static const struct json_field veto_fields[] = {
    J(JSON_STRING, struct remark_json, agent_id, 0),
    J(JSON_STRINGS, struct remark_json, reasons, 0),
};
static const struct json_schema veto_schema = JSON_SCHEMA(struct remark_json, veto_fields);

struct batch_json {
    int64_t number;
    char kind[12];
    char domain[LABEL_PART_SIZE];
    char *agents; /* lines, owned */
};
static const struct json_field batch_fields[] = {
    J(JSON_INT, struct batch_json, number, 0),
    J(JSON_STRING, struct batch_json, kind, 0),
    J(JSON_STRING, struct batch_json, domain, 0),
    J(JSON_STRINGS, struct batch_json, agents, 0),
};
static const struct json_schema batch_schema = JSON_SCHEMA(struct batch_json, batch_fields);

struct blast_json {
    int64_t at_once, before_first_check, before_revert;
};
static const struct json_field blast_fields[] = {
    J(JSON_INT, struct blast_json, at_once, 0),
    J(JSON_INT, struct blast_json, before_first_check, 0),
    J(JSON_INT, struct blast_json, before_revert, 0),
};
static const struct json_schema blast_schema = JSON_SCHEMA(struct blast_json, blast_fields);

struct conflict_json {
    char code[32];
    char text[256];
    char hint[192];
};
static const struct json_field conflict_fields[] = {
    J(JSON_STRING, struct conflict_json, code, 0),
    J(JSON_STRING, struct conflict_json, text, 0),
    J(JSON_STRING, struct conflict_json, hint, 0),
};
static const struct json_schema conflict_schema =
    JSON_SCHEMA(struct conflict_json, conflict_fields);

struct plan_json {
    char version[SEMVER_SIZE];
    char name[ARTIFACT_NAME_SIZE];
    int64_t selected;
    char *excluded, *deferred, *veto, *domains; /* raw JSON */
    int64_t max_parallel, canary, max_failures;
    char *batches; /* raw JSON */
    int64_t unlisted;
    struct blast_json blast_radius;
    char ends[16];
    char *conflict; /* raw JSON, NULL for none */
    char *words;
};
static const struct json_field plan_fields[] = {
    J(JSON_STRING, struct plan_json, version, 0),
    J(JSON_STRING, struct plan_json, name, 0),
    J(JSON_INT, struct plan_json, selected, 0),
    J(JSON_RAW, struct plan_json, excluded, 0),
    J(JSON_RAW, struct plan_json, deferred, 0),
    J(JSON_RAW, struct plan_json, veto, 0),
    J(JSON_RAW, struct plan_json, domains, 0),
    J(JSON_INT, struct plan_json, max_parallel, 0),
    J(JSON_INT, struct plan_json, canary, 0),
    J(JSON_INT, struct plan_json, max_failures, 0),
    J(JSON_RAW, struct plan_json, batches, 0),
    J(JSON_INT, struct plan_json, unlisted, 0),
    J_SUB(struct plan_json, blast_radius, &blast_schema, 0),
    J(JSON_STRING, struct plan_json, ends, 0),
    J(JSON_RAW, struct plan_json, conflict, 0),
    J(JSON_STRINGS, struct plan_json, words, 0),
};
static const struct json_schema plan_schema = JSON_SCHEMA(struct plan_json, plan_fields);

static char *shown(const char *words) {
    return (char *)(uintptr_t)words;
}

static void encode_aside(const struct rollout_view *v, const struct rollout_plan_aside *asides,
                         size_t count, struct text *out) {
    text_add(out, "[");
    for (size_t i = 0; i < count; i++) {
        const struct rollout_agent_view *a = &v->agents[asides[i].member];
        struct remark_json j = {
            .reason =
                shown(a->reason[0] != '\0' ? a->reason : rollout_member_words(asides[i].cause))};
        COPY(j.agent_id, a->id);
        if (i > 0) text_add(out, ",");
        json_encode(&remark_schema, &j, out);
    }
    text_add(out, "]");
}

static void encode_batch(const struct rollout_view *v, const struct rollout_plan_batch *batch,
                         struct text *out) {
    OWN_TEXT struct text agents = TEXT_EMPTY;
    struct batch_json j = {.number = batch->number};
    for (size_t i = 0; i < batch->count; i++) {
        if (i > 0) text_add(&agents, "\n");
        text_add(&agents, v->agents[batch->members[i]].id);
    }
    COPY(j.kind, rollout_plan_kind_name(batch->kind));
    COPY(j.domain, view_rollout_domain(v, batch->domain));
    j.agents = agents.data;
    json_encode(&batch_schema, &j, out);
}

static void encode_batches(const struct rollout_view *v, const struct rollout_plan *plan,
                           struct text *out) {
    text_add(out, "[");
    for (size_t i = 0; i < plan->batch_count; i++) {
        if (i > 0) text_add(out, ",");
        encode_batch(v, &plan->batches[i], out);
    }
    text_add(out, "]");
}

static bool would_move(const struct rollout_plan *plan, size_t member) {
    for (size_t i = 0; i < plan->excluded_count; i++)
        if (plan->excluded[i].member == member) return false;
    return member != SIZE_MAX;
}

static void encode_vetoes(const struct rollout_view *v, const struct rollout_plan *plan,
                          const struct plan_veto *vetoes, size_t count, struct text *out) {
    text_add(out, "[");
    for (size_t i = 0; i < count; i++) {
        if (!would_move(plan, view_rollout_find(v, vetoes[i].agent_id))) continue;
        struct remark_json j = {.reasons = shown(vetoes[i].reason)};
        COPY(j.agent_id, vetoes[i].agent_id);
        if (out->length > 1) text_add(out, ",");
        json_encode(&veto_schema, &j, out);
    }
    text_add(out, "]");
}

static void encode_conflict(const struct err *conflict, struct text *out) {
    struct conflict_json j;
    if (conflict->code == ERR_NONE) return;
    COPY(j.code, err_code_name(conflict->code));
    COPY(j.text, conflict->text);
    COPY(j.hint, conflict->hint);
    json_encode(&conflict_schema, &j, out);
}

void view_plan(const struct rollout_view *v, const struct rollout_plan *plan,
               const struct plan_veto *vetoes, size_t veto_count, const struct err *conflict,
               struct text *out) {
    OWN_TEXT struct text excluded = TEXT_EMPTY, deferred = TEXT_EMPTY, veto = TEXT_EMPTY;
    OWN_TEXT struct text domains = TEXT_EMPTY, batches = TEXT_EMPTY, refusal = TEXT_EMPTY;
    struct plan_json j = {
        .selected = plan->selected,
        .max_parallel = plan->max_parallel,
        .canary = plan->canary,
        .max_failures = plan->max_failures,
        .unlisted = (int64_t)plan->rest,
        .blast_radius = {.at_once = plan->at_once,
                         .before_first_check = plan->before_first_check,
                         .before_revert = plan->before_revert},
        .words = plan->words
    };
    COPY(j.version, v->request->version);
    COPY(j.name, v->request->name);
    COPY(j.ends, rollout_state_name(plan->ends));
    encode_aside(v, plan->excluded, plan->excluded_count, &excluded);
    encode_aside(v, plan->deferred, plan->deferred_count, &deferred);
    encode_vetoes(v, plan, vetoes, veto_count, &veto);
    view_rollout_domains(v, &domains);
    encode_batches(v, plan, &batches);
    encode_conflict(conflict, &refusal);
    j.excluded = excluded.data;
    j.deferred = deferred.data;
    j.veto = veto.data;
    j.domains = domains.data;
    j.batches = batches.data;
    j.conflict = refusal.data;
    json_encode(&plan_schema, &j, out);
}
