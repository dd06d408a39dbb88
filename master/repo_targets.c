#include "lib/clock.h"
#include "lib/tuf_custom.h"
#include "master/catalog.h"
#include "master/floors.h"
#include "master/repo_internal.h"

#include <stdio.h>
#include <string.h>

static void put(struct repo_view *v, const struct binary *b, const char *floor) {
    char path[ARTIFACT_FILE_SIZE];
    struct tuf_custom custom = {.id = b->id, .release = ++v->release, .yanked = b->yanked};
    struct tuf_target *t = tuf_targets_put(&v->targets, artifact_file_name(&b->id, path));
    t->promise = (struct tuf_promise){.length = b->size_bytes};
    memcpy(t->promise.sha256, b->sha256, sizeof t->promise.sha256);
    snprintf(custom.floor, sizeof custom.floor, "%s", floor);
    tuf_custom_set(t, &custom);
}

static int compare_age(const void *a, const void *b) {
    const struct binary *x = a, *y = b;
    return x->uploaded_at_ms < y->uploaded_at_ms ? -1 : x->uploaded_at_ms > y->uploaded_at_ms;
}

/* Releases are counted in the order of publication. */
bool repo_targets_of_catalog(struct repo *r, struct db_connection *c, struct err *e) {
    OWN_MEMORY struct binary *list = NULL;
    size_t count = 0;
    if (!catalog_read(c, NULL, NULL, NULL, NULL, &list, &count, e)) return false;
    if (count > 0) qsort(list, count, sizeof *list, compare_age);
    for (size_t i = 0; i < count; i++) {
        char floor[SEMVER_SIZE];
        if (!floors_of(c, list[i].id.name, floor, e)) return false;
        put(&r->view, &list[i], floor);
    }
    return true;
}

bool repo_signs_targets(struct repo *r, struct db_connection *c, bool *signs, struct err *e) {
    if (!repo_view_load(r, c, e)) return false;
    *signs = repo_can_sign(r, &r->view.root.roles[TUF_TARGETS]);
    return true;
}

bool repo_targets(struct repo *r, struct db_connection *c, const struct tuf_targets **out,
                  struct err *e) {
    if (!repo_view_load(r, c, e)) return false;
    *out = &r->view.targets;
    return true;
}

/* The target of this name as it may be run, NULL when there is none. */
static struct tuf_target *find(struct repo *r, const struct artifact_name *id,
                               struct tuf_custom *custom) {
    char path[ARTIFACT_FILE_SIZE];
    struct err ignored;
    *custom = (struct tuf_custom){0};
    artifact_file_name(id, path);
    if (tuf_targets_find(&r->view.targets, path) == NULL) return NULL;
    struct tuf_target *t = tuf_targets_put(&r->view.targets, path);
    if (t->custom == NULL || !tuf_custom_parse(t->custom, custom, &ignored)) custom->id = *id;
    return t;
}

static bool says(struct repo *r, const struct binary *b) {
    struct tuf_custom custom;
    const struct tuf_target *t = find(r, &b->id, &custom);
    return t != NULL && strcmp(t->promise.sha256, b->sha256) == 0 &&
           t->promise.length == b->size_bytes && custom.yanked == b->yanked;
}

bool repo_add(struct repo *r, struct db_connection *c, const struct binary *const *list,
              size_t count, struct err *e) {
    bool changed = false;
    if (!repo_view_load(r, c, e)) return false;
    for (size_t i = 0; i < count; i++) {
        char floor[SEMVER_SIZE];
        if (says(r, list[i])) continue;
        if (!floors_of(c, list[i]->id.name, floor, e)) return false;
        repo_view_forget(r, TUF_TARGETS);
        put(&r->view, list[i], floor);
        changed = true;
    }
    return !changed || repo_publish(r, c, TUF_TARGETS, e);
}

/* What the master cannot sign somebody else can. */
static bool publish_without(struct repo *r, struct db_connection *c, const char *option,
                            const struct artifact_name *id, struct err *e) {
    char path[ARTIFACT_FILE_SIZE];
    if (repo_publish(r, c, TUF_TARGETS, e)) return true;
    if (e->code == ERR_CONFLICT)
        err_hint(e, "where the key is: gridctl key targets --%s %s --key FILE", option,
                 artifact_file_name(id, path));
    return false;
}

bool repo_remove(struct repo *r, struct db_connection *c, const struct artifact_name *id,
                 struct err *e) {
    char path[ARTIFACT_FILE_SIZE];
    if (!repo_view_load(r, c, e)) return false;
    if (!tuf_targets_remove(&r->view.targets, artifact_file_name(id, path))) return true;
    repo_view_forget(r, TUF_TARGETS);
    return publish_without(r, c, "remove", id, e);
}

bool repo_yank(struct repo *r, struct db_connection *c, const struct artifact_name *id,
               struct err *e) {
    struct tuf_custom custom;
    if (!repo_view_load(r, c, e)) return false;
    struct tuf_target *t = find(r, id, &custom);
    if (t == NULL || custom.yanked) return true;
    custom.yanked = true;
    repo_view_forget(r, TUF_TARGETS);
    tuf_custom_set(t, &custom);
    return publish_without(r, c, "yank", id, e);
}

bool repo_follow_floor(struct repo *r, struct db_connection *c, const char *artifact,
                       struct err *e) {
    char floor[SEMVER_SIZE];
    bool changed = false;
    if (!repo_view_load(r, c, e) || !floors_of(c, artifact, floor, e)) return false;
    if (!repo_can_sign(r, &r->view.root.roles[TUF_TARGETS])) return true;
    for (size_t i = 0; i < r->view.targets.count; i++) {
        struct tuf_target *t = &r->view.targets.list[i];
        struct tuf_custom custom;
        struct err ignored;
        if (t->custom == NULL || !tuf_custom_parse(t->custom, &custom, &ignored) ||
            strcmp(custom.id.name, artifact) != 0 || strcmp(custom.floor, floor) == 0)
            continue;
        memcpy(custom.floor, floor, sizeof custom.floor);
        repo_view_forget(r, TUF_TARGETS);
        tuf_custom_set(t, &custom);
        changed = true;
    }
    return !changed || repo_publish(r, c, TUF_TARGETS, e);
}
