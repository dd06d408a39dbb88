#include "cli/answers.h"

#include "lib/http_client.h"

static const struct json_field share_fields[] = {
    J(JSON_TEXT, struct answer_share, version, 0),
    J(JSON_INT, struct answer_share, agents, 0),
};
static const struct json_schema answer_share_schema =
    JSON_SCHEMA(struct answer_share, share_fields);

static const struct json_field agent_counts_fields[] = {
    J(JSON_INT, struct answer_agent_counts, pending, 0),
    J(JSON_INT, struct answer_agent_counts, up, 0),
    J(JSON_INT, struct answer_agent_counts, suspect, 0),
    J(JSON_INT, struct answer_agent_counts, lost, 0),
    J(JSON_INT, struct answer_agent_counts, revoked, 0),
};
static const struct json_schema answer_agent_counts_schema =
    JSON_SCHEMA(struct answer_agent_counts, agent_counts_fields);

static const struct json_field node_counts_fields[] = {
    J(JSON_INT, struct answer_node_counts, starting, 0),
    J(JSON_INT, struct answer_node_counts, healthy, 0),
    J(JSON_INT, struct answer_node_counts, unhealthy, 0),
    J(JSON_INT, struct answer_node_counts, backoff, 0),
    J(JSON_INT, struct answer_node_counts, stopped, 0),
    J(JSON_INT, struct answer_node_counts, draining, 0),
};
static const struct json_schema answer_node_counts_schema =
    JSON_SCHEMA(struct answer_node_counts, node_counts_fields);

static const struct json_field channel_fields[] = {
    J(JSON_TEXT, struct answer_channel, name, 0),
    J(JSON_TEXT, struct answer_channel, artifact, 0),
    J(JSON_TEXT, struct answer_channel, version, 0),
    J(JSON_TEXT, struct answer_channel, updated_at, 0),
    J(JSON_INT, struct answer_channel, agents, 0),
};
const struct json_schema answer_channel_schema = JSON_SCHEMA(struct answer_channel, channel_fields);

static const struct json_field summary_fields[] = {
    J(JSON_TEXT, struct answer_summary, version, 0),
    J(JSON_TEXT, struct answer_summary, grid_id, 0),
    J(JSON_TEXT, struct answer_summary, started_at, 0),
    J(JSON_INT, struct answer_summary, uptime_s, 0),
    J(JSON_TEXT, struct answer_summary, http_url, 0),
    J(JSON_TEXT, struct answer_summary, bus_address, 0),
    J_SUB(struct answer_summary, agents, &answer_agent_counts_schema, 0),
    J_SUB(struct answer_summary, nodes, &answer_node_counts_schema, 0),
    J_LIST(struct answer_summary, versions, &answer_share_schema, 0),
    J(JSON_INT, struct answer_summary, binaries, 0),
    J(JSON_INT, struct answer_summary, rejected, 0),
    J(JSON_INT, struct answer_summary, failed_updates, 0),
    J_LIST(struct answer_summary, channels, &answer_channel_schema, 0),
    J(JSON_INT, struct answer_summary, capacity_bytes, 0),
    J(JSON_INT, struct answer_summary, free_bytes, 0),
    J(JSON_INT, struct answer_summary, last_event, 0),
};
const struct json_schema answer_summary_schema = JSON_SCHEMA(struct answer_summary, summary_fields);

static const struct json_field role_fields[] = {
    J(JSON_TEXT, struct answer_role, name, 0),
    J(JSON_TEXT, struct answer_role, expires_at, 0),
    J(JSON_BOOL, struct answer_role, signed_here, 0),
};
static const struct json_schema answer_role_schema = JSON_SCHEMA(struct answer_role, role_fields);

static const struct json_field facts_fields[] = {
    J(JSON_TEXT, struct answer_facts, now, 0),
    J(JSON_INT, struct answer_facts, descriptors_limit, 0),
    J(JSON_INT, struct answer_facts, descriptors_used, 0),
    J(JSON_INT, struct answer_facts, descriptors_needed, 0),
    J(JSON_TEXT, struct answer_facts, state_directory, 0),
    J(JSON_INT, struct answer_facts, state_free_bytes, 0),
    J(JSON_INT, struct answer_facts, state_capacity_bytes, 0),
    J(JSON_STRINGS, struct answer_facts, loose_files, 0),
    J(JSON_TEXT, struct answer_facts, database, 0),
    J(JSON_TEXT, struct answer_facts, last_backup_at, 0),
    J(JSON_TEXT, struct answer_facts, behind_at, 0),
    J(JSON_TEXT, struct answer_facts, release_key_id, 0),
    J(JSON_INT, struct answer_facts, publishers, 0),
    J(JSON_TEXT, struct answer_facts, require_signature, 0),
    J_LIST(struct answer_facts, metadata, &answer_role_schema, 0),
    J(JSON_INT, struct answer_facts, held, 0),
    J(JSON_INT, struct answer_facts, agents_without_root, 0),
    J(JSON_TEXT, struct answer_facts, certificate_expires_at, 0),
    J(JSON_BOOL, struct answer_facts, certificate_given, 0),
    J(JSON_BOOL, struct answer_facts, bus_certificate_outdated, 0),
};
const struct json_schema answer_facts_schema = JSON_SCHEMA(struct answer_facts, facts_fields);

static const struct json_field exit_fields[] = {
    J(JSON_TEXT, struct answer_exit, kind, 0),
    J(JSON_INT, struct answer_exit, value, 0),
    J(JSON_TEXT, struct answer_exit, at, 0),
};
static const struct json_schema answer_exit_schema = JSON_SCHEMA(struct answer_exit, exit_fields);

static const struct json_field node_fields[] = {
    J(JSON_TEXT, struct answer_node, id, JSON_REQUIRED),
    J(JSON_TEXT, struct answer_node, agent_id, 0),
    J(JSON_TEXT, struct answer_node, host, 0),
    J(JSON_TEXT, struct answer_node, state, 0),
    J(JSON_TEXT, struct answer_node, version, 0),
    J(JSON_INT, struct answer_node, pid, 0),
    J(JSON_INT, struct answer_node, port, 0),
    J(JSON_TEXT, struct answer_node, started_at, 0),
    J(JSON_INT, struct answer_node, restarts, 0),
    J(JSON_STRINGS, struct answer_node, reasons, 0),
    J_SUB(struct answer_node, last_exit, &answer_exit_schema, 0),
    J(JSON_INT, struct answer_node, capacity_bytes, 0),
    J(JSON_INT, struct answer_node, free_bytes, 0),
};
const struct json_schema answer_node_schema = JSON_SCHEMA(struct answer_node, node_fields);

static const struct json_field update_fields[] = {
    J(JSON_TEXT, struct answer_update, state, 0),
    J(JSON_TEXT, struct answer_update, from, 0),
    J(JSON_TEXT, struct answer_update, to, 0),
    J(JSON_INT, struct answer_update, attempt, 0),
    J(JSON_TEXT, struct answer_update, code, 0),
    J(JSON_TEXT, struct answer_update, reason, 0),
    J(JSON_INT, struct answer_update, done_bytes, 0),
    J(JSON_INT, struct answer_update, total_bytes, 0),
};
static const struct json_schema answer_update_schema =
    JSON_SCHEMA(struct answer_update, update_fields);

static const struct json_field belief_fields[] = {
    J(JSON_INT, struct answer_belief, root, 0),      J(JSON_INT, struct answer_belief, targets, 0),
    J(JSON_INT, struct answer_belief, timestamp, 0), J(JSON_TEXT, struct answer_belief, attack, 0),
    J(JSON_TEXT, struct answer_belief, reason, 0),
};
static const struct json_schema answer_belief_schema =
    JSON_SCHEMA(struct answer_belief, belief_fields);

static const struct json_field agent_fields[] = {
    J(JSON_TEXT, struct answer_agent, id, JSON_REQUIRED),
    J(JSON_TEXT, struct answer_agent, status, 0),
    J(JSON_TEXT, struct answer_agent, mode, 0),
    J(JSON_TEXT, struct answer_agent, version, 0),
    J(JSON_TEXT, struct answer_agent, desired_version, 0),
    J(JSON_TEXT, struct answer_agent, desired_reason, 0),
    J_SUB(struct answer_agent, update, &answer_update_schema, 0),
    J(JSON_TEXT, struct answer_agent, reason, 0),
    J(JSON_TEXT, struct answer_agent, platform, 0),
    J(JSON_TEXT, struct answer_agent, arch, 0),
    J(JSON_LABELS, struct answer_agent, labels, 0),
    J(JSON_LABELS, struct answer_agent, assigned_labels, 0),
    J(JSON_TEXT, struct answer_agent, channel, 0),
    J(JSON_TEXT, struct answer_agent, pin, 0),
    J(JSON_TEXT, struct answer_agent, rollout, 0),
    J(JSON_TEXT, struct answer_agent, address, 0),
    J(JSON_TEXT, struct answer_agent, agent_version, 0),
    J(JSON_TEXT, struct answer_agent, last_seen_at, 0),
    J(JSON_TEXT, struct answer_agent, enrolled_at, 0),
    J_SUB(struct answer_agent, trust, &answer_belief_schema, 0),
    J(JSON_TEXT, struct answer_agent, binary_path, 0),
    J(JSON_STRINGS, struct answer_agent, sandbox, 0),
    J(JSON_INT, struct answer_agent, generation, 0),
    J(JSON_INT, struct answer_agent, free_bytes, 0),
    J(JSON_INT, struct answer_agent, clock_offset_ms, 0),
    J(JSON_TEXT, struct answer_agent, conflict, 0),
    J_LIST(struct answer_agent, nodes, &answer_node_schema, 0),
};
const struct json_schema answer_agent_schema = JSON_SCHEMA(struct answer_agent, agent_fields);

static const struct json_field decision_fields[] = {
    J(JSON_TEXT, struct answer_decision, rule, 0),
    J(JSON_TEXT, struct answer_decision, version, 0),
    J(JSON_TEXT, struct answer_decision, reason, 0),
};
static const struct json_schema answer_decision_schema =
    JSON_SCHEMA(struct answer_decision, decision_fields);

static const struct json_field running_fields[] = {
    J(JSON_TEXT, struct answer_running, version, 0),
};
static const struct json_schema answer_running_schema =
    JSON_SCHEMA(struct answer_running, running_fields);

static const struct json_field program_fields[] = {
    J_SUB(struct answer_program, desired, &answer_decision_schema, 0),
    J_SUB(struct answer_program, running, &answer_running_schema, 0),
    J(JSON_STRINGS, struct answer_program, holds, 0),
};
static const struct json_schema answer_program_schema =
    JSON_SCHEMA(struct answer_program, program_fields);

static const struct json_field why_fields[] = {
    J(JSON_TEXT, struct answer_why, agent_id, JSON_REQUIRED),
    J_SUB(struct answer_why, desired, &answer_decision_schema, 0),
    J_SUB(struct answer_why, running, &answer_running_schema, 0),
    J_SUB(struct answer_why, update, &answer_update_schema, 0),
    J_LIST(struct answer_why, lost, &answer_decision_schema, 0),
    J_SUB(struct answer_why, agent, &answer_program_schema, 0),
    J(JSON_STRINGS, struct answer_why, holds, 0),
};
const struct json_schema answer_why_schema = JSON_SCHEMA(struct answer_why, why_fields);

static const struct json_field binary_fields[] = {
    J(JSON_TEXT, struct answer_binary, version, 0),
    J(JSON_TEXT, struct answer_binary, platform, 0),
    J(JSON_TEXT, struct answer_binary, arch, 0),
    J(JSON_TEXT, struct answer_binary, checksum, JSON_REQUIRED),
    J(JSON_INT, struct answer_binary, size_bytes, 0),
    J(JSON_TEXT, struct answer_binary, path, JSON_REQUIRED),
    J(JSON_INT, struct answer_binary, uploaded_at, 0),
    J(JSON_TEXT, struct answer_binary, name, 0),
    J_NAMED(JSON_BOOL, struct answer_binary, is_signed, "signed", 0),
    J(JSON_TEXT, struct answer_binary, key_id, 0),
    J(JSON_BOOL, struct answer_binary, publisher_signed, 0),
    J(JSON_BOOL, struct answer_binary, yanked, 0),
    J_OPTIONAL(JSON_BOOL, struct answer_binary, published),
    J(JSON_TEXT, struct answer_binary, notes, 0),
};
const struct json_schema answer_binary_schema = JSON_SCHEMA(struct answer_binary, binary_fields);

static const struct json_field rejected_fields[] = {
    J(JSON_TEXT, struct answer_rejected, file, 0),
    J(JSON_TEXT, struct answer_rejected, reason, 0),
    J(JSON_TEXT, struct answer_rejected, code, 0),
    J(JSON_TEXT, struct answer_rejected, seen_at, 0),
};
const struct json_schema answer_rejected_schema =
    JSON_SCHEMA(struct answer_rejected, rejected_fields);

static const struct json_field validity_fields[] = {
    J(JSON_BOOL, struct answer_validity, valid, JSON_REQUIRED),
    J(JSON_TEXT, struct answer_validity, expected_checksum, 0),
};
const struct json_schema answer_validity_schema =
    JSON_SCHEMA(struct answer_validity, validity_fields);

static const struct json_field token_fields[] = {
    J(JSON_TEXT, struct answer_token, id, JSON_REQUIRED),
    J(JSON_TEXT, struct answer_token, kind, 0),
    J(JSON_TEXT, struct answer_token, role, 0),
    J(JSON_TEXT, struct answer_token, scope, 0),
    J(JSON_LABELS, struct answer_token, labels, 0),
    J(JSON_INT, struct answer_token, uses_left, 0),
    J(JSON_TEXT, struct answer_token, expires_at, 0),
    J(JSON_TEXT, struct answer_token, created_at, 0),
    J(JSON_TEXT, struct answer_token, created_by, 0),
};
const struct json_schema answer_token_schema = JSON_SCHEMA(struct answer_token, token_fields);

static const struct json_field created_token_fields[] = {
    J(JSON_TEXT, struct answer_created_token, id, JSON_REQUIRED),
    J(JSON_TEXT, struct answer_created_token, secret, 0),
    J(JSON_TEXT, struct answer_created_token, join, 0),
};
const struct json_schema answer_created_token_schema =
    JSON_SCHEMA(struct answer_created_token, created_token_fields);

static const struct json_field key_fields[] = {
    J(JSON_TEXT, struct answer_key, key_id, 0),
    J(JSON_TEXT, struct answer_key, public_key, 0),
    J(JSON_TEXT, struct answer_key, use, 0),
    J(JSON_TEXT, struct answer_key, trusted_at, 0),
};
const struct json_schema answer_key_schema = JSON_SCHEMA(struct answer_key, key_fields);

static const struct json_field trust_key_fields[] = {
    J(JSON_TEXT, struct answer_trust_key, id, JSON_REQUIRED),
    J(JSON_TEXT, struct answer_trust_key, key_id, 0),
    J(JSON_BOOL, struct answer_trust_key, here, 0),
};
static const struct json_schema trust_key_schema =
    JSON_SCHEMA(struct answer_trust_key, trust_key_fields);

static const struct json_field trust_role_fields[] = {
    J(JSON_TEXT, struct answer_trust_role, name, JSON_REQUIRED),
    J(JSON_INT, struct answer_trust_role, version, 0),
    J(JSON_TEXT, struct answer_trust_role, expires_at, 0),
    J(JSON_INT, struct answer_trust_role, threshold, 0),
    J_LIST(struct answer_trust_role, keys, &trust_key_schema, 0),
    J(JSON_TEXT, struct answer_trust_role, next, 0),
};
static const struct json_schema trust_role_schema =
    JSON_SCHEMA(struct answer_trust_role, trust_role_fields);

static const struct json_field trust_fields[] = {
    J(JSON_TEXT, struct answer_trust, root_sha256, 0),
    J(JSON_BOOL, struct answer_trust, offline, 0),
    J_LIST(struct answer_trust, roles, &trust_role_schema, 0),
    J(JSON_STRINGS, struct answer_trust, agents_without_root, 0),
    J(JSON_INT, struct answer_trust, held, 0),
};
const struct json_schema answer_trust_schema = JSON_SCHEMA(struct answer_trust, trust_fields);

static const struct json_field held_fields[] = {
    J(JSON_TEXT, struct answer_held, file, JSON_REQUIRED),
    J(JSON_TEXT, struct answer_held, sha256, 0),
    J(JSON_INT, struct answer_held, size_bytes, 0),
    J(JSON_TEXT, struct answer_held, held_at, 0),
    J(JSON_TEXT, struct answer_held, reason, 0),
    J(JSON_TEXT, struct answer_held, principal, 0),
    J_NAMED(JSON_BOOL, struct answer_held, is_signed, "signed", 0),
};
const struct json_schema answer_held_schema = JSON_SCHEMA(struct answer_held, held_fields);

static const struct json_field event_fields[] = {
    J(JSON_INT, struct answer_event, seq, JSON_REQUIRED),
    J(JSON_TEXT, struct answer_event, at, 0),
    J(JSON_TEXT, struct answer_event, kind, 0),
    J(JSON_TEXT, struct answer_event, subject, 0),
    J(JSON_TEXT, struct answer_event, text, 0),
    J(JSON_TEXT, struct answer_event, principal, 0),
    J(JSON_RAW, struct answer_event, data, 0),
};
const struct json_schema answer_event_schema = JSON_SCHEMA(struct answer_event, event_fields);

static const struct json_field user_fields[] = {
    J(JSON_TEXT, struct answer_user, name, JSON_REQUIRED),
    J(JSON_TEXT, struct answer_user, role, 0),
    J(JSON_TEXT, struct answer_user, scope, 0),
    J(JSON_TEXT, struct answer_user, created_at, 0),
    J(JSON_TEXT, struct answer_user, created_by, 0),
    J(JSON_TEXT, struct answer_user, expires_at, 0),
    J(JSON_TEXT, struct answer_user, link, 0),
};
const struct json_schema answer_user_schema = JSON_SCHEMA(struct answer_user, user_fields);

static const struct json_field audit_row_fields[] = {
    J(JSON_INT, struct answer_audit_row, seq, JSON_REQUIRED),
    J(JSON_TEXT, struct answer_audit_row, at, JSON_REQUIRED),
    J(JSON_TEXT, struct answer_audit_row, principal, JSON_REQUIRED),
    J(JSON_TEXT, struct answer_audit_row, action, JSON_REQUIRED),
    J(JSON_TEXT, struct answer_audit_row, subject, JSON_REQUIRED),
    J(JSON_RAW, struct answer_audit_row, data, JSON_REQUIRED),
    J(JSON_TEXT, struct answer_audit_row, hash, JSON_REQUIRED),
};
const struct json_schema answer_audit_row_schema =
    JSON_SCHEMA(struct answer_audit_row, audit_row_fields);

static const struct json_field audit_point_fields[] = {
    J(JSON_INT, struct answer_audit_point, seq, JSON_REQUIRED),
    J(JSON_TEXT, struct answer_audit_point, at, JSON_REQUIRED),
    J(JSON_TEXT, struct answer_audit_point, hash, JSON_REQUIRED),
    J(JSON_TEXT, struct answer_audit_point, signature, JSON_REQUIRED),
};
const struct json_schema answer_audit_point_schema =
    JSON_SCHEMA(struct answer_audit_point, audit_point_fields);

static const struct json_field readiness_fields[] = {
    J(JSON_TEXT, struct answer_readiness, status, 0),
    J(JSON_STRINGS, struct answer_readiness, reasons, 0),
};
const struct json_schema answer_readiness_schema =
    JSON_SCHEMA(struct answer_readiness, readiness_fields);

bool answer_decode(const struct json_schema *schema, const struct http_answer *answer, void *out,
                   struct err *e) {
    return json_decode(schema, text_value(&answer->body), answer->body.length, JSON_IGNORE_UNKNOWN,
                       out, e) ||
           err_wrap(e, "the master's answer");
}

bool answer_decode_list(const struct json_schema *schema, const struct http_answer *answer,
                        void **items, size_t *count, struct err *e) {
    return json_decode_list(schema, text_value(&answer->body), answer->body.length, items, count,
                            e) ||
           err_wrap(e, "the master's answer");
}
