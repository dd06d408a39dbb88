#include "agent/trust_view.h"

#include <stdio.h>
#include <string.h>

void trust_view_take(struct trust_view *v, const struct tuf_targets *targets) {
    trust_view_clear(v);
    if (targets == NULL) return;
    v->version = targets->heading.version;
    v->list = memory_zeroed(targets->count + 1, sizeof *v->list);
    for (size_t i = 0; i < targets->count; i++) {
        const struct tuf_target *from = &targets->list[i];
        struct trust_target *t = &v->list[v->count++];
        t->path = text_duplicate(from->path);
        t->length = from->promise.length;
        memcpy(t->sha256, from->promise.sha256, sizeof t->sha256);
        t->readable = from->custom != NULL && tuf_custom_parse(from->custom, &t->custom, NULL);
    }
}

void trust_view_clear(struct trust_view *v) {
    for (size_t i = 0; i < v->count; i++) free(v->list[i].path);
    free(v->list);
    *v = (struct trust_view){0};
}

static int compare(const void *path, const void *target) {
    return strcmp(path, ((const struct trust_target *)target)->path);
}

static const struct trust_target *find(const struct trust_view *v, const char *path) {
    if (v->count == 0) return NULL;
    return bsearch(path, v->list, v->count, sizeof *v->list, compare);
}

static bool check_bytes(const struct trust_target *t, const struct version *v, struct err *e) {
    if (strcmp(t->sha256, v->sha256) != 0)
        return err_set(e, ERR_UNTRUSTED,
                       "the trusted targets name other bytes as %s: SHA-256 %.12s... instead of "
                       "%.12s...",
                       v->file, t->sha256, v->sha256);
    if (t->length == v->size_bytes) return true;
    return err_set(e, ERR_UNTRUSTED, "the trusted targets give %s %lld bytes instead of %lld",
                   v->file, (long long)t->length, (long long)v->size_bytes);
}

/* A file is what its entry says, whatever it was called: bytes for another machine, or another
 * program, stay that under any name. */
static bool check_meaning(const struct trust_target *t, const struct version *v, struct err *e) {
    const struct artifact_name *id = &t->custom.id;
    struct artifact_name name;
    if (!artifact_name_parse(v->file, &name, e)) return false;
    if (!t->readable)
        return err_set(e, ERR_UNTRUSTED, "the trusted targets do not say what %s is", v->file);
    bool same = strcmp(id->name, name.name) == 0 && strcmp(id->version, name.version) == 0 &&
                strcmp(id->platform, name.platform) == 0 && strcmp(id->arch, name.arch) == 0;
    if (!same)
        return err_set(e, ERR_UNTRUSTED,
                       "the trusted targets say that %.80s is %.40s %.40s for %s on %s", v->file,
                       id->name, id->version, id->platform, id->arch);
    if (platform_fits(id->platform, id->arch, platform_here(), platform_arch_here())) return true;
    return err_set(e, ERR_UNTRUSTED, "%.80s is for %s on %s; this machine is %s on %s", v->file,
                   id->platform, id->arch, platform_here(), platform_arch_here());
}

static void find_floor(const struct trust_view *v, const char *name, char floor[SEMVER_SIZE]) {
    floor[0] = '\0';
    for (size_t i = 0; i < v->count; i++)
        if (v->list[i].readable) tuf_custom_raise_floor(&v->list[i].custom, name, floor);
}

bool trust_view_allows(const struct trust_view *v, const struct version *version, struct err *e) {
    const struct trust_target *t = find(v, version->file);
    if (t == NULL)
        return err_set(e, ERR_NOT_FOUND, "%s is not among the trusted targets (version %lld)",
                       version->file, (long long)v->version);
    if (!check_bytes(t, version, e) || !check_meaning(t, version, e)) return false;
    if (t->custom.yanked)
        return err_set(e, ERR_UNTRUSTED, "%s was withdrawn (yanked)", version->file);
    char floor[SEMVER_SIZE];
    find_floor(v, t->custom.id.name, floor);
    if (floor[0] == '\0' || semver_compare(t->custom.id.version, floor) >= 0) return true;
    return err_set(e, ERR_UNTRUSTED, "%s is below the floor of %s, which is %s", version->file,
                   t->custom.id.name, floor);
}
