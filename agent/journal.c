#include "agent/journal.h"

#include "agent/sealed.h"
#include "lib/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAGIC "grid journal 1"

/* The journal as it is written. */
struct page {
    char state[16];
    char from[SEMVER_SIZE];
    char to[SEMVER_SIZE];
    char sha256[SHA256_HEX_SIZE];
    bool failed;
    int64_t min_healthy_ms, probation_ms, healthy_deadline_ms;
    bool allow_unavailable;
    int64_t watched_ms;
    char rollout[WIRE_ROLLOUT_ID_SIZE];
    int64_t attempt, generation;
    struct journal_node *nodes;
    size_t nodes_count;
    char code[32];
    char cause[12];
    char reason[256];
    char *diagnosis;
    struct journal_failure *failures;
    size_t failures_count;
};

static const struct json_field node_fields[] = {
    J(JSON_BOOL, struct journal_node, moved, 0),
    J(JSON_BOOL, struct journal_node, excused, 0),
    J(JSON_INT, struct journal_node, tries, 0),
};
static const struct json_schema node_schema = JSON_SCHEMA(struct journal_node, node_fields);

static const struct json_field failure_fields[] = {
    J(JSON_STRING, struct journal_failure, sha256, JSON_REQUIRED),
    J(JSON_STRING, struct journal_failure, version, 0),
    J(JSON_STRING, struct journal_failure, rollout, 0),
    J(JSON_INT, struct journal_failure, attempt, 0),
    J(JSON_INT, struct journal_failure, generation, 0),
    J(JSON_STRING, struct journal_failure, code, 0),
    J(JSON_STRING, struct journal_failure, reason, 0),
};
static const struct json_schema failure_schema =
    JSON_SCHEMA(struct journal_failure, failure_fields);

static const struct json_field page_fields[] = {
    J(JSON_STRING, struct page, state, JSON_REQUIRED),
    J(JSON_STRING, struct page, from, 0),
    J(JSON_STRING, struct page, to, 0),
    J(JSON_STRING, struct page, sha256, 0),
    J(JSON_BOOL, struct page, failed, 0),
    J(JSON_INT, struct page, min_healthy_ms, 0),
    J(JSON_INT, struct page, probation_ms, 0),
    J(JSON_INT, struct page, healthy_deadline_ms, 0),
    J(JSON_BOOL, struct page, allow_unavailable, 0),
    J(JSON_INT, struct page, watched_ms, 0),
    J(JSON_STRING, struct page, rollout, 0),
    J(JSON_INT, struct page, attempt, 0),
    J(JSON_INT, struct page, generation, 0),
    J_LIST(struct page, nodes, &node_schema, 0),
    J(JSON_STRING, struct page, code, 0),
    J(JSON_STRING, struct page, cause, 0),
    J(JSON_STRING, struct page, reason, 0),
    J(JSON_TEXT, struct page, diagnosis, 0),
    J_LIST(struct page, failures, &failure_schema, 0),
};
static const struct json_schema page_schema = JSON_SCHEMA(struct page, page_fields);

static void copy(char *target, size_t size, const char *source) {
    snprintf(target, size, "%s", source);
}

/* Borrows what the journal owns. */
static void fill_page(struct journal *j, struct page *p) {
    const struct transition *t = &j->transition;
    *p = (struct page){.failed = t->failed,
                       .min_healthy_ms = t->policy.min_healthy_ms,
                       .probation_ms = t->policy.probation_ms,
                       .healthy_deadline_ms = t->policy.healthy_deadline_ms,
                       .allow_unavailable = t->policy.allow_unavailable,
                       .watched_ms = t->watched_ms,
                       .attempt = j->attempt,
                       .generation = j->generation,
                       .nodes = j->nodes,
                       .nodes_count = t->state != TRANSITION_NONE ? j->nodes_count : 0,
                       .diagnosis = j->diagnosis,
                       .failures = j->failures};
    copy(p->state, sizeof p->state, transition_state_name(t->state));
    memcpy(p->from, j->from, sizeof p->from);
    memcpy(p->to, j->to, sizeof p->to);
    memcpy(p->sha256, j->to_sha256, sizeof p->sha256);
    memcpy(p->rollout, j->rollout, sizeof p->rollout);
    memcpy(p->code, j->code, sizeof p->code);
    memcpy(p->cause, j->cause, sizeof p->cause);
    memcpy(p->reason, j->reason, sizeof p->reason);
    while (p->failures_count < JOURNAL_FAILURES && j->failures[p->failures_count].sha256[0] != '\0')
        p->failures_count++;
}

/* Takes over what the page owns, and leaves the rest to json_clear. */
static void take_page(struct journal *j, struct page *p) {
    struct transition *t = &j->transition;
    if (t->state != TRANSITION_NONE) {
        memcpy(t->to, p->sha256, sizeof t->to);
        t->failed = p->failed;
        t->watched_ms = p->watched_ms;
        t->policy = (struct transition_policy){.min_healthy_ms = p->min_healthy_ms,
                                               .probation_ms = p->probation_ms,
                                               .healthy_deadline_ms = p->healthy_deadline_ms,
                                               .allow_unavailable = p->allow_unavailable};
    }
    memcpy(j->from, p->from, sizeof j->from);
    memcpy(j->to, p->to, sizeof j->to);
    memcpy(j->to_sha256, p->sha256, sizeof j->to_sha256);
    memcpy(j->rollout, p->rollout, sizeof j->rollout);
    memcpy(j->code, p->code, sizeof j->code);
    memcpy(j->cause, p->cause, sizeof j->cause);
    memcpy(j->reason, p->reason, sizeof j->reason);
    j->attempt = p->attempt;
    j->generation = p->generation;
    j->diagnosis = TAKE(p->diagnosis);
    for (size_t i = 0; i < p->nodes_count && i < j->nodes_count; i++) j->nodes[i] = p->nodes[i];
    for (size_t i = 0; i < p->failures_count && i < JOURNAL_FAILURES; i++)
        j->failures[i] = p->failures[i];
}

static bool decode(struct journal *j, const char *json, size_t length, struct err *e) {
    struct page p;
    if (!json_decode(&page_schema, json, length, JSON_IGNORE_UNKNOWN, &p, e)) return false;
    bool known = transition_state_parse(p.state, &j->transition.state) ||
                 err_set(e, ERR_CORRUPT, "state \"%s\" is none that this agent knows", p.state);
    bool whole = known && (j->transition.state == TRANSITION_NONE || sha256_hex_valid(p.sha256) ||
                           err_set(e, ERR_CORRUPT, "state %s names no version", p.state));
    if (whole)
        take_page(j, &p);
    else
        j->transition = (struct transition){0};
    json_clear(&page_schema, &p);
    return whole;
}

bool journal_load(struct journal *j, const struct state *s, size_t node_count, struct err *e) {
    char path[STATE_PATH_SIZE];
    OWN_TEXT struct text json = TEXT_EMPTY;
    *j = (struct journal){.state = s, .nodes_count = node_count};
    j->nodes = memory_zeroed(node_count, sizeof *j->nodes);
    state_path(s, path, "journal");
    if (access(path, F_OK) != 0 && errno == ENOENT) return true;
    if (sealed_read(path, MAGIC, &json, e) && decode(j, text_value(&json), json.length, e))
        return true;
    j->dirty = true;
    return err_wrap(e, "the journal");
}

void journal_fini(struct journal *j) {
    free(j->nodes);
    free(j->diagnosis);
    j->nodes = NULL;
    j->diagnosis = NULL;
}

bool journal_save(struct journal *j, struct err *e) {
    char path[STATE_PATH_SIZE];
    struct page p;
    OWN_TEXT struct text json = TEXT_EMPTY;
    if (!j->dirty) return true;
    fill_page(j, &p);
    json_encode(&page_schema, &p, &json);
    if (!sealed_write(state_path(j->state, path, "journal"), MAGIC, &json, e))
        return err_wrap(e, "write the journal");
    j->dirty = false;
    return true;
}

struct journal journal_anew(const struct journal *j) {
    struct journal anew = *j;
    anew.nodes = memory_zeroed(j->nodes_count, sizeof *anew.nodes);
    anew.code[0] = anew.cause[0] = anew.reason[0] = '\0';
    anew.diagnosis = NULL;
    anew.dirty = true;
    return anew;
}

void journal_blame(struct journal *j, const char *cause, const struct err *why,
                   const char *diagnosis) {
    copy(j->cause, sizeof j->cause, cause);
    copy(j->code, sizeof j->code, why->code != ERR_NONE ? err_code_name(why->code) : "");
    memcpy(j->reason, why->text, sizeof j->reason);
    free(j->diagnosis);
    j->diagnosis = text_duplicate(diagnosis);
    j->dirty = true;
}

void journal_add_failure(struct journal *j) {
    struct journal_failure f = {.attempt = j->attempt, .generation = j->generation};
    memcpy(f.sha256, j->to_sha256, sizeof f.sha256);
    memcpy(f.version, j->to, sizeof f.version);
    memcpy(f.rollout, j->rollout, sizeof f.rollout);
    memcpy(f.code, j->code, sizeof f.code);
    memcpy(f.reason, j->reason, sizeof f.reason);
    memmove(&j->failures[1], &j->failures[0], sizeof f * (JOURNAL_FAILURES - 1));
    j->failures[0] = f;
    j->dirty = true;
}

const struct journal_failure *journal_failed(const struct journal *j, const char *sha256,
                                             const char *rollout, int64_t attempt,
                                             int64_t generation) {
    for (size_t i = 0; i < JOURNAL_FAILURES && sha256[0] != '\0'; i++) {
        const struct journal_failure *f = &j->failures[i];
        if (strcmp(f->sha256, sha256) != 0 || strcmp(f->rollout, rollout) != 0) continue;
        if (rollout[0] != '\0' ? f->attempt >= attempt : f->generation == generation) return f;
    }
    return NULL;
}
