#include "agent/self_staging.h"

#include "lib/log.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool keep(const struct state *s, const struct version *v, int fd, const char *path,
                 struct err *e) {
    char directory[STATE_PATH_SIZE], name[BUILDS_NAME_SIZE];
    if (!builds_name(v->version, v->sha256, name))
        return err_set(e, ERR_INVALID, "%s cannot name a build", v->file);
    return builds_add(state_path(s, directory, "agent"), name, fd, path, e);
}
const struct fetch_place self_staging_place = {
    .parts = "agent", .name = "grid-agent", .keep = keep};

bool self_staging_name(const struct wire_artifact *a, char out[BUILDS_NAME_SIZE]) {
    out[0] = '\0';
    if (a->version[0] == '\0') return false;
    if (builds_name(a->version, a->sha256, out)) return true;
    out[0] = '\0';
    return false;
}

static bool look(const struct self_staging *s, const char *name, struct self_proof *out) {
    char path[PATH_MAX];
    struct stat status;
    if (snprintf(path, sizeof path, "%s/%s/grid-agent", s->directory, name) >= PATH_MAX ||
        lstat(path, &status) != 0)
        return false;
    snprintf(out->name, sizeof out->name, "%s", name);
    out->size_bytes = status.st_size;
    out->inode = status.st_ino;
    out->changed_ns = status.st_ctim.tv_sec * INT64_C(1000000000) + status.st_ctim.tv_nsec;
    return true;
}

static bool same_proof(const struct self_proof *a, const struct self_proof *b) {
    return strcmp(a->name, b->name) == 0 && a->size_bytes == b->size_bytes &&
           a->inode == b->inode && a->changed_ns == b->changed_ns;
}

bool self_staging_has(struct self_staging *s, const char *name) {
    struct self_proof now = {0};
    char program[PATH_MAX];
    struct err e = {0};
    if (name[0] == '\0' || !look(s, name, &now)) return false;
    for (size_t i = 0; i < SELF_STAGING_KNOWN; i++)
        if (same_proof(&s->known[i], &now)) return s->known[i].good;
    now.good = builds_prove(s->directory, name, program, &e);
    if (!now.good) log_warn("build.damaged", "build=%s error=%s", name, e.text);
    s->known[s->next++ % SELF_STAGING_KNOWN] = now;
    return now.good;
}

const struct fetching_try *self_staging_failure(const struct self_staging *s, const char *sha256) {
    const struct fetching_try *t = fetching_failure(&s->fetching, sha256);
    bool under_way = strcmp(s->fetching.sha256, sha256) == 0;
    return t != NULL && (!under_way || fetching_repeats(&s->fetching, sha256)) ? t : NULL;
}

void self_staging_version(const struct wire_artifact *a, struct version *out) {
    version_clear(out);
    *out = (struct version){.size_bytes = a->size_bytes, .signature = text_duplicate(a->signature)};
    memcpy(out->sha256, a->sha256, sizeof out->sha256);
    memcpy(out->file, a->file, sizeof out->file);
    memcpy(out->version, a->version, sizeof out->version);
}

/* Whether an attempt at it may begin, or go on. */
static bool is_due(const struct self_staging *s, const char *sha256, int64_t now_ms,
                   int64_t *due_ms) {
    const struct fetching_try *t = fetching_find(&s->fetching, sha256);
    if (strcmp(s->fetching.sha256, sha256) == 0) return true;
    if (s->fetching.base_url[0] == '\0') return false;
    if (t == NULL || t->failures == 0) return true;
    if (!t->refused && now_ms < t->after_ms && t->after_ms < *due_ms) *due_ms = t->after_ms;
    return !t->refused && now_ms >= t->after_ms;
}

void self_staging_want(struct self_staging *s, const struct wire_artifact *a, int64_t now_ms,
                       int64_t *due_ms) {
    struct version v = {0};
    bool wanted = a != NULL && is_due(s, a->sha256, now_ms, due_ms);
    if (wanted) self_staging_version(a, &v);
    fetching_want(&s->fetching, wanted ? &v : NULL, now_ms, due_ms);
    version_clear(&v);
}
