#include "lib/wire.h"

#include <string.h>

static const struct json_field message[] = {
    J(JSON_STRING, struct wire_type, type, JSON_REQUIRED),
};
const struct json_schema wire_type_schema = JSON_SCHEMA(struct wire_type, message);

static const struct json_field challenge_request[] = {
    J(JSON_STRING, struct wire_challenge_request, type, JSON_REQUIRED),
    J(JSON_STRING, struct wire_challenge_request, nonce, JSON_REQUIRED),
};
const struct json_schema wire_challenge_request_schema =
    JSON_SCHEMA(struct wire_challenge_request, challenge_request);

static const struct json_field challenge[] = {
    J(JSON_STRING, struct wire_challenge, type, JSON_REQUIRED),
    J(JSON_STRING, struct wire_challenge, nonce, JSON_REQUIRED),
    J(JSON_STRING, struct wire_challenge, challenge, JSON_REQUIRED),
    J(JSON_STRING, struct wire_challenge, master_key, JSON_REQUIRED),
    J(JSON_STRING, struct wire_challenge, release_key, JSON_REQUIRED),
    J(JSON_INT, struct wire_challenge, http_port, 0),
};
const struct json_schema wire_challenge_schema = JSON_SCHEMA(struct wire_challenge, challenge);

static const struct json_field enroll[] = {
    J(JSON_STRING, struct wire_enroll, type, JSON_REQUIRED),
    J(JSON_STRING, struct wire_enroll, nonce, JSON_REQUIRED),
    J(JSON_STRING, struct wire_enroll, challenge, JSON_REQUIRED),
    J(JSON_STRING, struct wire_enroll, agent_id, JSON_REQUIRED),
    J(JSON_STRING, struct wire_enroll, public_key, JSON_REQUIRED),
    J(JSON_STRING, struct wire_enroll, master_key, JSON_REQUIRED),
    J(JSON_TEXT, struct wire_enroll, token, JSON_REQUIRED),
    J(JSON_STRING, struct wire_enroll, platform, JSON_REQUIRED),
    J(JSON_STRING, struct wire_enroll, arch, JSON_REQUIRED),
    J(JSON_STRING, struct wire_enroll, agent_version, 0),
    J(JSON_LABELS, struct wire_enroll, labels, JSON_REQUIRED),
};
const struct json_schema wire_enroll_schema = JSON_SCHEMA(struct wire_enroll, enroll);

static const struct json_field enrolled[] = {
    J(JSON_STRING, struct wire_enrolled, type, JSON_REQUIRED),
    J(JSON_STRING, struct wire_enrolled, nonce, JSON_REQUIRED),
    J(JSON_STRING, struct wire_enrolled, agent_id, JSON_REQUIRED),
    J(JSON_STRING, struct wire_enrolled, status, JSON_REQUIRED),
};
const struct json_schema wire_enrolled_schema = JSON_SCHEMA(struct wire_enrolled, enrolled);

static const struct json_field hello[] = {
    J(JSON_STRING, struct wire_hello, type, JSON_REQUIRED),
    J(JSON_STRING, struct wire_hello, nonce, JSON_REQUIRED),
    J(JSON_STRING, struct wire_hello, agent_id, JSON_REQUIRED),
    J(JSON_STRING, struct wire_hello, master_key, JSON_REQUIRED),
    J(JSON_STRING, struct wire_hello, exchange_key, JSON_REQUIRED),
    J(JSON_INT, struct wire_hello, generation, 0),
    J(JSON_STRING, struct wire_hello, instance, JSON_OMIT_EMPTY),
    J(JSON_INT, struct wire_hello, greeting, JSON_OMIT_EMPTY),
};
const struct json_schema wire_hello_schema = JSON_SCHEMA(struct wire_hello, hello);

static const struct json_field hello_answer[] = {
    J(JSON_STRING, struct wire_hello_answer, type, JSON_REQUIRED),
    J(JSON_STRING, struct wire_hello_answer, nonce, JSON_REQUIRED),
    J(JSON_STRING, struct wire_hello_answer, agent_id, JSON_REQUIRED),
    J(JSON_STRING, struct wire_hello_answer, session, JSON_REQUIRED),
    J(JSON_STRING, struct wire_hello_answer, exchange_key, JSON_REQUIRED),
    J(JSON_INT, struct wire_hello_answer, interval_ms, JSON_REQUIRED),
    J(JSON_INT, struct wire_hello_answer, http_port, 0),
    J(JSON_STRING, struct wire_hello_answer, http_pin, JSON_OMIT_EMPTY),
};
const struct json_schema wire_hello_answer_schema =
    JSON_SCHEMA(struct wire_hello_answer, hello_answer);

static const struct json_field error[] = {
    J(JSON_STRING, struct wire_error, type, JSON_REQUIRED),
    J(JSON_STRING, struct wire_error, nonce, 0),
    J(JSON_STRING, struct wire_error, code, JSON_REQUIRED),
    J(JSON_STRING, struct wire_error, text, 0),
    J(JSON_STRING, struct wire_error, hint, JSON_OMIT_EMPTY),
};
const struct json_schema wire_error_schema = JSON_SCHEMA(struct wire_error, error);

static const struct json_field last_exit[] = {
    J(JSON_STRING, struct wire_exit, kind, 0),
    J(JSON_INT, struct wire_exit, value, 0),
    J(JSON_INT, struct wire_exit, at_ms, 0),
    J(JSON_TEXT, struct wire_exit, log_tail, JSON_OMIT_EMPTY),
};
const struct json_schema wire_exit_schema = JSON_SCHEMA(struct wire_exit, last_exit);

static const struct json_field node[] = {
    J(JSON_STRING, struct wire_node, id, JSON_REQUIRED),
    J(JSON_STRING, struct wire_node, state, JSON_REQUIRED),
    J(JSON_STRING, struct wire_node, version, 0),
    J(JSON_STRING, struct wire_node, sha256, 0),
    J(JSON_INT, struct wire_node, pid, 0),
    J(JSON_INT, struct wire_node, port, 0),
    J(JSON_INT, struct wire_node, started_at_ms, 0),
    J(JSON_INT, struct wire_node, restarts, 0),
    J(JSON_INT, struct wire_node, restart_generation, 0),
    J(JSON_INT, struct wire_node, capacity_bytes, 0),
    J(JSON_INT, struct wire_node, free_bytes, 0),
    J(JSON_STRINGS, struct wire_node, reasons, JSON_OMIT_EMPTY),
    J_SUB(struct wire_node, last_exit, &wire_exit_schema, JSON_OMIT_EMPTY),
};
const struct json_schema wire_node_schema = JSON_SCHEMA(struct wire_node, node);

static const struct json_field update[] = {
    J(JSON_STRING, struct wire_update, state, 0),
    J(JSON_STRING, struct wire_update, from, JSON_OMIT_EMPTY),
    J(JSON_STRING, struct wire_update, to, JSON_OMIT_EMPTY),
    J(JSON_INT, struct wire_update, attempt, JSON_OMIT_EMPTY),
    J(JSON_INT, struct wire_update, done_bytes, JSON_OMIT_EMPTY),
    J(JSON_INT, struct wire_update, total_bytes, JSON_OMIT_EMPTY),
    J(JSON_STRING, struct wire_update, code, JSON_OMIT_EMPTY),
    J(JSON_STRING, struct wire_update, cause, JSON_OMIT_EMPTY),
    J(JSON_TEXT, struct wire_update, reason, JSON_OMIT_EMPTY),
    J(JSON_STRING, struct wire_update, rollout, JSON_OMIT_EMPTY),
    J(JSON_INT, struct wire_update, rollout_attempt, JSON_OMIT_EMPTY),
    J(JSON_INT, struct wire_update, edition, JSON_OMIT_EMPTY),
    J(JSON_TEXT, struct wire_update, diagnosis, JSON_OMIT_EMPTY),
};
const struct json_schema wire_update_schema = JSON_SCHEMA(struct wire_update, update);

static const struct json_field staging[] = {
    J(JSON_STRING, struct wire_staging, state, JSON_OMIT_EMPTY),
    J(JSON_STRING, struct wire_staging, sha256, JSON_OMIT_EMPTY),
    J(JSON_INT, struct wire_staging, done_bytes, JSON_OMIT_EMPTY),
    J(JSON_INT, struct wire_staging, total_bytes, JSON_OMIT_EMPTY),
    J(JSON_STRING, struct wire_staging, code, JSON_OMIT_EMPTY),
    J(JSON_STRING, struct wire_staging, cause, JSON_OMIT_EMPTY),
    J(JSON_TEXT, struct wire_staging, reason, JSON_OMIT_EMPTY),
};
const struct json_schema wire_staging_schema = JSON_SCHEMA(struct wire_staging, staging);

static const struct json_field self_fields[] = {
    J(JSON_STRING, struct wire_self, version, JSON_OMIT_EMPTY),
    J(JSON_STRING, struct wire_self, sha256, JSON_OMIT_EMPTY),
    J_SUB(struct wire_self, update, &wire_update_schema, JSON_OMIT_EMPTY),
    J_SUB(struct wire_self, staging, &wire_staging_schema, JSON_OMIT_EMPTY),
};
const struct json_schema wire_self_schema = JSON_SCHEMA(struct wire_self, self_fields);

static const struct json_field trust[] = {
    J(JSON_INT, struct wire_trust, root, 0),
    J(JSON_INT, struct wire_trust, targets, 0),
    J(JSON_INT, struct wire_trust, timestamp, 0),
    J(JSON_TEXT, struct wire_trust, attack, JSON_OMIT_EMPTY),
    J(JSON_TEXT, struct wire_trust, reason, JSON_OMIT_EMPTY),
};
const struct json_schema wire_trust_schema = JSON_SCHEMA(struct wire_trust, trust);

static const struct json_field log_fields[] = {
    J(JSON_INT, struct wire_log, request_id, 0),
    J(JSON_TEXT, struct wire_log, words, 0),
};
const struct json_schema wire_log_schema = JSON_SCHEMA(struct wire_log, log_fields);

static const struct json_field heartbeat[] = {
    J(JSON_STRING, struct wire_heartbeat, type, JSON_REQUIRED),
    J(JSON_STRING, struct wire_heartbeat, agent_id, JSON_REQUIRED),
    J(JSON_INT, struct wire_heartbeat, generation, JSON_REQUIRED),
    J(JSON_STRING, struct wire_heartbeat, version, 0),
    J(JSON_STRING, struct wire_heartbeat, sha256, 0),
    J_SUB(struct wire_heartbeat, update, &wire_update_schema, 0),
    J_SUB(struct wire_heartbeat, staging, &wire_staging_schema, JSON_OMIT_EMPTY),
    J_SUB(struct wire_heartbeat, self, &wire_self_schema, JSON_OMIT_EMPTY),
    J(JSON_STRING, struct wire_heartbeat, platform, 0),
    J(JSON_STRING, struct wire_heartbeat, arch, 0),
    J(JSON_STRING, struct wire_heartbeat, agent_version, 0),
    J(JSON_LABELS, struct wire_heartbeat, labels, JSON_REQUIRED),
    J(JSON_TEXT, struct wire_heartbeat, binary_path, JSON_OMIT_EMPTY),
    J(JSON_INT, struct wire_heartbeat, free_bytes, 0),
    J(JSON_INT, struct wire_heartbeat, clock_ms, JSON_OMIT_EMPTY),
    J_SUB(struct wire_heartbeat, trust, &wire_trust_schema, JSON_OMIT_EMPTY),
    J(JSON_STRINGS, struct wire_heartbeat, sandbox, JSON_OMIT_EMPTY),
    J_LIST(struct wire_heartbeat, nodes, &wire_node_schema, JSON_REQUIRED),
    J_SUB(struct wire_heartbeat, log, &wire_log_schema, JSON_OMIT_EMPTY),
};
const struct json_schema wire_heartbeat_schema = JSON_SCHEMA(struct wire_heartbeat, heartbeat);

static const struct json_field goodbye[] = {
    J(JSON_STRING, struct wire_goodbye, type, JSON_REQUIRED),
    J(JSON_STRING, struct wire_goodbye, agent_id, JSON_REQUIRED),
};
const struct json_schema wire_goodbye_schema = JSON_SCHEMA(struct wire_goodbye, goodbye);

static const struct json_field node_order[] = {
    J(JSON_STRING, struct wire_node_order, id, JSON_REQUIRED),
    J(JSON_INT, struct wire_node_order, restart_generation, 0),
};
static const struct json_schema node_order_schema = JSON_SCHEMA(struct wire_node_order, node_order);

static const struct json_field log_request[] = {
    J(JSON_INT, struct wire_log_request, request_id, 0),
    J(JSON_STRING, struct wire_log_request, node_id, 0),
    J(JSON_INT, struct wire_log_request, max_bytes, 0),
};
static const struct json_schema log_request_schema =
    JSON_SCHEMA(struct wire_log_request, log_request);

static const struct json_field grant[] = {
    J(JSON_STRING, struct wire_grant, rollout, JSON_OMIT_EMPTY),
    J(JSON_INT, struct wire_grant, attempt, JSON_OMIT_EMPTY),
    J(JSON_INT, struct wire_grant, edition, JSON_OMIT_EMPTY),
    J(JSON_INT, struct wire_grant, lease_ms, JSON_OMIT_EMPTY),
    J(JSON_INT, struct wire_grant, min_healthy_ms, JSON_OMIT_EMPTY),
    J(JSON_INT, struct wire_grant, probation_ms, JSON_OMIT_EMPTY),
    J(JSON_INT, struct wire_grant, healthy_deadline_ms, JSON_OMIT_EMPTY),
    J(JSON_BOOL, struct wire_grant, allow_unavailable, JSON_OMIT_EMPTY),
};
const struct json_schema wire_grant_schema = JSON_SCHEMA(struct wire_grant, grant);

static const struct json_field artifact[] = {
    J(JSON_STRING, struct wire_artifact, version, JSON_OMIT_EMPTY),
    J(JSON_STRING, struct wire_artifact, sha256, JSON_OMIT_EMPTY),
    J(JSON_INT, struct wire_artifact, size_bytes, JSON_OMIT_EMPTY),
    J(JSON_STRING, struct wire_artifact, file, JSON_OMIT_EMPTY),
    J(JSON_TEXT, struct wire_artifact, signature, JSON_OMIT_EMPTY),
};
const struct json_schema wire_artifact_schema = JSON_SCHEMA(struct wire_artifact, artifact);

static const struct json_field desired_self[] = {
    J_SUB(struct wire_desired_self, target, &wire_artifact_schema, JSON_OMIT_EMPTY),
    J_SUB(struct wire_desired_self, prefetch, &wire_artifact_schema, JSON_OMIT_EMPTY),
    J_SUB(struct wire_desired_self, grant, &wire_grant_schema, JSON_OMIT_EMPTY),
};
const struct json_schema wire_desired_self_schema =
    JSON_SCHEMA(struct wire_desired_self, desired_self);

static const struct json_field desired[] = {
    J(JSON_STRING, struct wire_desired, type, JSON_REQUIRED),
    J(JSON_INT, struct wire_desired, generation, JSON_REQUIRED),
    J(JSON_STRING, struct wire_desired, mode, JSON_REQUIRED),
    J(JSON_STRING, struct wire_desired, name, 0),
    J(JSON_STRING, struct wire_desired, version, 0),
    J(JSON_STRING, struct wire_desired, sha256, 0),
    J(JSON_INT, struct wire_desired, size_bytes, 0),
    J(JSON_STRING, struct wire_desired, file, 0),
    J(JSON_TEXT, struct wire_desired, signature, JSON_OMIT_EMPTY),
    J(JSON_STRING, struct wire_desired, reason, 0),
    J(JSON_STRING, struct wire_desired, hold, JSON_OMIT_EMPTY),
    J_SUB(struct wire_desired, grant, &wire_grant_schema, JSON_OMIT_EMPTY),
    J_SUB(struct wire_desired, prefetch, &wire_artifact_schema, JSON_OMIT_EMPTY),
    J_SUB(struct wire_desired, self, &wire_desired_self_schema, JSON_OMIT_EMPTY),
    J_LIST(struct wire_desired, nodes, &node_order_schema, JSON_OMIT_EMPTY),
    J_SUB(struct wire_desired, log, &log_request_schema, JSON_OMIT_EMPTY),
    J(JSON_STRING, struct wire_desired, download_token, JSON_OMIT_EMPTY),
    J(JSON_STRING, struct wire_desired, http_pin, JSON_OMIT_EMPTY),
};
const struct json_schema wire_desired_schema = JSON_SCHEMA(struct wire_desired, desired);

#define ALPHANUMERIC "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

bool wire_agent_id_check(const char *id, struct err *e) {
    size_t length = strlen(id);
    bool shaped = strspn(id, ALPHANUMERIC) > 0 && strspn(id, ALPHANUMERIC "._-") == length;
    if (shaped && length < WIRE_AGENT_ID_SIZE) return true;
    return err_set(e, ERR_INVALID,
                   "agent id \"%.64s\": an id is 1 to %d letters, digits, '.', '_' and '-', and "
                   "begins with a letter or digit",
                   id, WIRE_AGENT_ID_SIZE - 1);
}
