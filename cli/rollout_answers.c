#include "cli/rollout_answers.h"

#include "cli/format.h"

#include <string.h>

static const struct json_field progress_fields[] = {
    J(JSON_INT, struct answer_progress, selected, 0),
    J(JSON_INT, struct answer_progress, waiting, 0),
    J(JSON_INT, struct answer_progress, deferred, 0),
    J(JSON_INT, struct answer_progress, excluded, 0),
    J(JSON_INT, struct answer_progress, granted, 0),
    J(JSON_INT, struct answer_progress, committed, 0),
    J(JSON_INT, struct answer_progress, failed, 0),
    J(JSON_INT, struct answer_progress, held, 0),
    J(JSON_INT, struct answer_progress, leaving, 0),
    J(JSON_INT, struct answer_progress, returning, 0),
    J(JSON_INT, struct answer_progress, returned, 0),
    J(JSON_INT, struct answer_progress, return_failed, 0),
    J(JSON_INT, struct answer_progress, in_flight, 0),
    J(JSON_INT, struct answer_progress, unavailable, 0),
    J(JSON_INT, struct answer_progress, slots, 0),
};
static const struct json_schema progress_schema =
    JSON_SCHEMA(struct answer_progress, progress_fields);

static const struct json_field window_fields[] = {
    J(JSON_TEXT, struct answer_window, days, 0),
    J(JSON_TEXT, struct answer_window, from, 0),
    J(JSON_TEXT, struct answer_window, to, 0),
    J(JSON_TEXT, struct answer_window, tz, 0),
};
static const struct json_schema window_schema = JSON_SCHEMA(struct answer_window, window_fields);

static const struct json_field policy_fields[] = {
    J(JSON_RAW, struct answer_policy, canary, 0),
    J(JSON_RAW, struct answer_policy, max_parallel, 0),
    J(JSON_RAW, struct answer_policy, max_failures, 0),
    J(JSON_RAW, struct answer_policy, min_healthy_s, 0),
    J(JSON_RAW, struct answer_policy, probation_s, 0),
    J(JSON_RAW, struct answer_policy, auto_promote_s, 0),
    J_LIST(struct answer_policy, windows, &window_schema, 0),
};
static const struct json_schema policy_schema = JSON_SCHEMA(struct answer_policy, policy_fields);

static const struct json_field rollout_fields[] = {
    J(JSON_TEXT, struct answer_rollout, id, JSON_REQUIRED),
    J(JSON_TEXT, struct answer_rollout, name, 0),
    J(JSON_TEXT, struct answer_rollout, version, 0),
    J(JSON_TEXT, struct answer_rollout, state, JSON_REQUIRED),
    J(JSON_TEXT, struct answer_rollout, resume_state, 0),
    J(JSON_TEXT, struct answer_rollout, cause, 0),
    J(JSON_TEXT, struct answer_rollout, reason, 0),
    J(JSON_TEXT, struct answer_rollout, hold, 0),
    J(JSON_TEXT, struct answer_rollout, selector, 0),
    J_SUB(struct answer_rollout, policy, &policy_schema, 0),
    J_SUB(struct answer_rollout, progress, &progress_schema, 0),
    J(JSON_TEXT, struct answer_rollout, current_domain, 0),
    J(JSON_TEXT, struct answer_rollout, created_at, 0),
    J(JSON_TEXT, struct answer_rollout, finished_at, 0),
    J(JSON_TEXT, struct answer_rollout, principal, 0),
    J(JSON_TEXT, struct answer_rollout, superseded_by, 0),
};
const struct json_schema answer_rollout_schema = JSON_SCHEMA(struct answer_rollout, rollout_fields);

static const struct json_field rollout_agent_fields[] = {
    J(JSON_TEXT, struct answer_rollout_agent, agent_id, JSON_REQUIRED),
    J(JSON_TEXT, struct answer_rollout_agent, state, 0),
    J(JSON_TEXT, struct answer_rollout_agent, phase, 0),
    J(JSON_TEXT, struct answer_rollout_agent, domain, 0),
    J(JSON_BOOL, struct answer_rollout_agent, canary, 0),
    J(JSON_INT, struct answer_rollout_agent, attempt, 0),
    J(JSON_TEXT, struct answer_rollout_agent, from, 0),
    J(JSON_TEXT, struct answer_rollout_agent, to, 0),
    J(JSON_TEXT, struct answer_rollout_agent, cause, 0),
    J(JSON_TEXT, struct answer_rollout_agent, reason, 0),
    J(JSON_TEXT, struct answer_rollout_agent, diagnosis, 0),
};
const struct json_schema answer_rollout_agent_schema =
    JSON_SCHEMA(struct answer_rollout_agent, rollout_agent_fields);

static const struct json_field named_fields[] = {
    J(JSON_TEXT, struct answer_named, agent_id, JSON_REQUIRED),
    J(JSON_TEXT, struct answer_named, reason, 0),
    J(JSON_STRINGS, struct answer_named, reasons, 0),
};
static const struct json_schema named_schema = JSON_SCHEMA(struct answer_named, named_fields);

static const struct json_field batch_fields[] = {
    J(JSON_INT, struct answer_batch, number, 0),
    J(JSON_TEXT, struct answer_batch, kind, 0),
    J(JSON_TEXT, struct answer_batch, domain, 0),
    J(JSON_STRINGS, struct answer_batch, agents, 0),
};
static const struct json_schema batch_schema = JSON_SCHEMA(struct answer_batch, batch_fields);

static const struct json_field blast_fields[] = {
    J(JSON_INT, struct answer_blast, at_once, 0),
    J(JSON_INT, struct answer_blast, before_first_check, 0),
    J(JSON_INT, struct answer_blast, before_revert, 0),
};
static const struct json_schema blast_schema = JSON_SCHEMA(struct answer_blast, blast_fields);

static const struct json_field refusal_fields[] = {
    J(JSON_TEXT, struct answer_refusal, code, 0),
    J(JSON_TEXT, struct answer_refusal, text, 0),
    J(JSON_TEXT, struct answer_refusal, hint, 0),
};
static const struct json_schema refusal_schema = JSON_SCHEMA(struct answer_refusal, refusal_fields);

static const struct json_field plan_fields[] = {
    J(JSON_TEXT, struct answer_plan, version, 0),
    J(JSON_TEXT, struct answer_plan, name, 0),
    J(JSON_INT, struct answer_plan, selected, 0),
    J_LIST(struct answer_plan, excluded, &named_schema, 0),
    J_LIST(struct answer_plan, deferred, &named_schema, 0),
    J_LIST(struct answer_plan, veto, &named_schema, 0),
    J_LIST(struct answer_plan, batches, &batch_schema, 0),
    J_SUB(struct answer_plan, blast_radius, &blast_schema, 0),
    J_SUB(struct answer_plan, conflict, &refusal_schema, 0),
    J(JSON_STRINGS, struct answer_plan, words, 0),
};
const struct json_schema answer_plan_schema = JSON_SCHEMA(struct answer_plan, plan_fields);

static const struct json_field quarantined_fields[] = {
    J(JSON_TEXT, struct answer_quarantined, digest, JSON_REQUIRED),
    J(JSON_TEXT, struct answer_quarantined, name, 0),
    J(JSON_TEXT, struct answer_quarantined, version, 0),
    J(JSON_TEXT, struct answer_quarantined, reason, 0),
    J(JSON_TEXT, struct answer_quarantined, rollout, 0),
    J(JSON_TEXT, struct answer_quarantined, created_at, 0),
};
const struct json_schema answer_quarantined_schema =
    JSON_SCHEMA(struct answer_quarantined, quarantined_fields);

static const struct json_field floor_fields[] = {
    J(JSON_TEXT, struct answer_floor, name, JSON_REQUIRED),
    J(JSON_TEXT, struct answer_floor, version, 0),
    J(JSON_TEXT, struct answer_floor, set_at, 0),
};
const struct json_schema answer_floor_schema = JSON_SCHEMA(struct answer_floor, floor_fields);

bool rollout_state_active(const char *state) {
    static const char *const ended[] = {"completed", "reverted", "revert_stuck", "stopped",
                                        "superseded"};
    for (size_t i = 0; i < sizeof ended / sizeof ended[0]; i++)
        if (strcmp(format_or(state, ""), ended[i]) == 0) return false;
    return true;
}
