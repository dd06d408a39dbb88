#include "agent/versions.h"

#include "agent/cache.h"
#include "lib/file.h"
#include "lib/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FAILED_MAX = 4096, RETRY_MS = 5000, MOST_KEPT = 512 };

static const struct json_field failed_fields[] = {
    J(JSON_STRING, struct failed_version, sha256, JSON_REQUIRED),
    J(JSON_INT, struct failed_version, generation, JSON_REQUIRED),
    J(JSON_STRING, struct failed_version, version, 0),
    J(JSON_STRING, struct failed_version, code, 0),
    J(JSON_STRING, struct failed_version, reason, 0),
};
static const struct json_schema failed_schema = JSON_SCHEMA(struct failed_version, failed_fields);

/* What the store knows of a linked version; the digest alone when that is lost. */
static void load_version(const struct state *s, const char *sha256, struct version *out) {
    struct err e = {0};
    version_clear(out);
    if (sha256[0] == '\0' || cache_find(s, sha256, out, &e)) return;
    log_error("version.unknown", "sha256=%s error=%s", sha256, e.text);
    snprintf(out->sha256, sizeof out->sha256, "%s", sha256);
}

static void load_failed(struct versions *v) {
    char path[STATE_PATH_SIZE];
    OWN_TEXT struct text json = TEXT_EMPTY;
    if (!file_read(state_path(v->state, path, "failed.json"), FAILED_MAX, &json, NULL)) return;
    if (!json_decode(&failed_schema, text_value(&json), json.length, JSON_IGNORE_UNKNOWN,
                     &v->failed, NULL))
        v->failed = (struct failed_version){0};
}

void versions_load(struct versions *v, const struct state *s) {
    char current[SHA256_HEX_SIZE];
    char previous[SHA256_HEX_SIZE];
    *v = (struct versions){.state = s};
    cache_links(s, current, previous);
    load_version(s, current, &v->current);
    load_version(s, previous, &v->previous);
    load_failed(v);
}

void versions_fini(struct versions *v) {
    version_clear(&v->target);
    version_clear(&v->current);
    version_clear(&v->previous);
}

bool versions_staged(const struct versions *v, const struct version *version) {
    if (version->sha256[0] == '\0') return false;
    struct version stored;
    if (!cache_find(v->state, version->sha256, &stored, NULL)) return false;
    bool allowed = version_signed(&stored) || strcmp(stored.sha256, v->local) == 0;
    bool staged = allowed && cache_holds(v->state, &stored);
    version_clear(&stored);
    return staged;
}

/* What the master says of the target comes first: a damaged note must not outlive a download. */
bool versions_find(const struct versions *v, const char *sha256, struct version *out,
                   struct err *e) {
    bool is_target = out != &v->target && strcmp(v->target.sha256, sha256) == 0;
    if (is_target && version_signed(&v->target)) {
        version_copy(out, &v->target);
        return true;
    }
    version_clear(out);
    if (cache_find(v->state, sha256, out, e)) return true;
    if (is_target) version_copy(out, &v->target);
    return is_target;
}

static void describe(const struct versions *v, const struct version *version,
                     struct reconcile_version *out) {
    memcpy(out->sha256, version->sha256, sizeof out->sha256);
    out->staged = versions_staged(v, version);
}

void versions_describe(const struct versions *v, struct reconcile_input *in) {
    describe(v, &v->target, &in->target);
    describe(v, &v->current, &in->current);
    describe(v, &v->previous, &in->previous);
    memcpy(in->failed, v->failed.sha256, sizeof in->failed);
    in->failed_generation = v->failed.generation;
}

static void write_link(struct versions *v, const char *sha256, int64_t now_ms) {
    struct err e = {0};
    char pending[SHA256_HEX_SIZE];
    snprintf(pending, sizeof pending, "%s", sha256);
    v->moved_to[0] = '\0';
    if (cache_switch(v->state, pending, &e)) return;
    log_error("version.not_linked", "sha256=%s code=%s error=%s", pending, err_code_name(e.code),
              e.text);
    memcpy(v->moved_to, pending, sizeof v->moved_to);
    v->retry_ms = now_ms + RETRY_MS;
}

void versions_commit(struct versions *v, const char *sha256, int64_t now_ms) {
    struct version next = {0};
    struct err e = {0};
    if (!versions_find(v, sha256, &next, &e))
        snprintf(next.sha256, sizeof next.sha256, "%s", sha256);
    log_info("version.current", "version=%s before=%s sha256=%s", next.version, v->current.version,
             sha256);
    version_clear(&v->previous);
    v->previous = v->current;
    v->current = next;
    write_link(v, sha256, now_ms);
}

void versions_retry(struct versions *v, int64_t now_ms, int64_t *due_ms) {
    if (v->moved_to[0] == '\0') return;
    if (now_ms >= v->retry_ms) write_link(v, v->moved_to, now_ms);
    if (v->moved_to[0] != '\0' && v->retry_ms < *due_ms) *due_ms = v->retry_ms;
}

void versions_give_up(struct versions *v, int64_t generation, const struct err *why) {
    char path[STATE_PATH_SIZE];
    struct err e = {0};
    OWN_TEXT struct text json = TEXT_EMPTY;
    v->failed = (struct failed_version){.generation = generation};
    memcpy(v->failed.sha256, v->target.sha256, sizeof v->failed.sha256);
    memcpy(v->failed.version, v->target.version, sizeof v->failed.version);
    snprintf(v->failed.code, sizeof v->failed.code, "%s", err_code_name(why->code));
    memcpy(v->failed.reason, why->text, sizeof v->failed.reason);
    log_error("version.failed", "version=%s code=%s reason=%s", v->failed.version, v->failed.code,
              v->failed.reason);
    json_encode(&failed_schema, &v->failed, &json);
    if (!file_write_durable(state_path(v->state, path, "failed.json"), json.data, json.length, 0600,
                            &e))
        log_error("version.failure_not_saved", "error=%s", e.text);
}

void versions_rename(struct versions *v) {
    struct err e = {0};
    struct version *current = &v->current;
    bool same_bytes = v->target.sha256[0] != '\0' && strcmp(v->target.sha256, current->sha256) == 0;
    if (!same_bytes || !version_signed(&v->target)) return;
    if (strcmp(v->target.file, current->file) == 0) return;
    log_info("version.renamed", "version=%s before=%s sha256=%s", v->target.version,
             current->version, current->sha256);
    version_copy(current, &v->target);
    if (!cache_describe(v->state, current, &e))
        log_warn("version.not_described", "version=%s error=%s", current->version, e.text);
}

void versions_collect(const struct versions *v, const char *const *keep, size_t count) {
    const char *all[MOST_KEPT] = {v->target.sha256, v->current.sha256, v->previous.sha256};
    size_t used = 3;
    for (size_t i = 0; i < count && used < MOST_KEPT; i++) all[used++] = keep[i];
    (void)cache_collect(v->state, all, used);
}
