#include "agent/versions.h"

#include "agent/cache.h"
#include "lib/file.h"
#include "lib/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { RETRY_MS = 5000, MOST_KEPT = 512 };

/* What the store knows of a linked version; the digest alone when that is lost. */
static void load_version(const struct state *s, const char *sha256, struct version *out) {
    struct err e = {0};
    version_clear(out);
    if (sha256[0] == '\0' || cache_find(s, sha256, out, &e)) return;
    log_error("version.unknown", "sha256=%s error=%s", sha256, e.text);
    snprintf(out->sha256, sizeof out->sha256, "%s", sha256);
}

void versions_load(struct versions *v, const struct state *s) {
    char current[SHA256_HEX_SIZE];
    char previous[SHA256_HEX_SIZE];
    *v = (struct versions){.state = s};
    cache_links(s, current, previous);
    load_version(s, current, &v->current);
    load_version(s, previous, &v->previous);
}

void versions_fini(struct versions *v) {
    version_clear(&v->target);
    version_clear(&v->current);
    version_clear(&v->previous);
    version_clear(&v->prefetch);
}

bool versions_staged(const struct versions *v, const struct version *version) {
    if (version->sha256[0] == '\0') return false;
    struct version stored;
    if (!cache_find(v->state, version->sha256, &stored, NULL)) return false;
    bool allowed = version_proven(&stored) || strcmp(stored.sha256, v->local) == 0;
    bool staged = allowed && cache_holds(v->state, &stored);
    version_clear(&stored);
    return staged;
}

static bool is_local(const struct versions *v, const char *sha256) {
    return v->local[0] != '\0' && strcmp(v->local, sha256) == 0;
}

/* How bytes that are here were proven, and how many they are, is not for the master to say. */
static void keep_proof(const struct version *stored, struct version *out) {
    out->size_bytes = stored->size_bytes;
    out->targets_version = stored->targets_version;
}

/* What the master says comes first: a damaged note must not outlive a download. */
bool versions_find(const struct versions *v, const char *sha256, struct version *out,
                   struct err *e) {
    const struct version *said = NULL;
    if (out != &v->target && strcmp(v->target.sha256, sha256) == 0) said = &v->target;
    if (said == NULL && strcmp(v->prefetch.sha256, sha256) == 0) said = &v->prefetch;
    struct version stored;
    bool noted = cache_find(v->state, sha256, &stored, e);
    version_clear(out);
    if (said == NULL || (noted && is_local(v, sha256))) {
        *out = stored;
        return noted;
    }
    version_copy(out, said);
    if (noted && cache_holds(v->state, &stored)) keep_proof(&stored, out);
    version_clear(&stored);
    return true;
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
    describe(v, &v->prefetch, &in->prefetch);
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

void versions_rename(struct versions *v) {
    struct err e = {0};
    struct version *current = &v->current;
    bool same_bytes = v->target.sha256[0] != '\0' && strcmp(v->target.sha256, current->sha256) == 0;
    if (!same_bytes || is_local(v, current->sha256)) return;
    if (strcmp(v->target.file, current->file) == 0) return;
    log_info("version.renamed", "version=%s before=%s sha256=%s", v->target.version,
             current->version, current->sha256);
    struct version before = {0};
    version_copy(&before, current);
    version_copy(current, &v->target);
    keep_proof(&before, current);
    version_clear(&before);
    if (!cache_describe(v->state, current, &e))
        log_warn("version.not_described", "version=%s error=%s", current->version, e.text);
}

void versions_collect(const struct versions *v, const char *const *keep, size_t count) {
    const char *all[MOST_KEPT] = {v->target.sha256, v->current.sha256, v->previous.sha256,
                                  v->prefetch.sha256};
    size_t used = 4;
    for (size_t i = 0; i < count && used < MOST_KEPT; i++) all[used++] = keep[i];
    (void)cache_collect(v->state, all, used);
}
