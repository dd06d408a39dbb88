#include "cli/trust_targets.h"

#include "lib/tuf_custom.h"

#include <stdio.h>
#include <string.h>

void trust_targets_renew(struct tuf_targets *t, int64_t now_ms, int64_t life_ms) {
    int64_t next = t->heading.version + 1, now_s = now_ms / 1000;
    t->heading.version = next > now_s ? next : now_s;
    t->heading.expires_ms = now_ms + life_ms;
}

/* What the target says of itself; false when it is none of this grid's. */
static bool custom_of(const struct tuf_target *target, struct tuf_custom *out) {
    struct err ignored;
    return target->custom != NULL && tuf_custom_parse(target->custom, out, &ignored);
}

/* The highest floor that any target of the name sets, "" for none. */
static void floor_of(const struct tuf_targets *t, const char *name, char floor[SEMVER_SIZE]) {
    struct tuf_custom custom;
    floor[0] = '\0';
    for (size_t i = 0; i < t->count; i++)
        if (custom_of(&t->list[i], &custom)) tuf_custom_raise_floor(&custom, name, floor);
}

static int64_t newest_release(const struct tuf_targets *t) {
    struct tuf_custom custom;
    int64_t newest = 0;
    for (size_t i = 0; i < t->count; i++)
        if (custom_of(&t->list[i], &custom) && custom.release > newest) newest = custom.release;
    return newest;
}

bool trust_targets_add(struct tuf_targets *t, const struct trust_build *b, struct err *e) {
    char file[ARTIFACT_FILE_SIZE];
    artifact_file_name(&b->id, file);
    const struct tuf_target *known = tuf_targets_find(t, file);
    if (known != NULL && strcmp(known->promise.sha256, b->sha256) == 0) return true;
    if (known != NULL) {
        err_set(e, ERR_CONFLICT, "%s is published already with other bytes", file);
        return err_hint(e, "sign it under a new version");
    }
    struct tuf_custom custom = {.id = b->id, .release = newest_release(t) + 1};
    floor_of(t, b->id.name, custom.floor);
    struct tuf_target *target = tuf_targets_put(t, file);
    target->promise.length = b->size_bytes;
    memcpy(target->promise.sha256, b->sha256, sizeof b->sha256);
    tuf_custom_set(target, &custom);
    return true;
}

static bool refuse_unknown(const char *file, struct err *e) {
    err_set(e, ERR_NOT_FOUND, "the targets do not name %.150s", file);
    return err_hint(e, "gridctl binary list -o name prints the names");
}

bool trust_targets_yank(struct tuf_targets *t, const char *file, struct err *e) {
    struct tuf_custom custom;
    if (tuf_targets_find(t, file) == NULL) return refuse_unknown(file, e);
    struct tuf_target *target = tuf_targets_put(t, file);
    if (!custom_of(target, &custom))
        return err_set(e, ERR_CORRUPT, "the targets do not say what %s is", file);
    custom.yanked = true;
    tuf_custom_set(target, &custom);
    return true;
}

bool trust_targets_remove(struct tuf_targets *t, const char *file, struct err *e) {
    return tuf_targets_remove(t, file) || refuse_unknown(file, e);
}

bool trust_targets_floor(struct tuf_targets *t, const char *name, const char *version,
                         struct err *e) {
    struct tuf_custom custom;
    bool found = false;
    for (size_t i = 0; i < t->count; i++) {
        if (!custom_of(&t->list[i], &custom) || strcmp(custom.id.name, name) != 0) continue;
        text_cut(custom.floor, sizeof custom.floor, version != NULL ? version : "");
        tuf_custom_set(&t->list[i], &custom);
        found = true;
    }
    return found || err_set(e, ERR_NOT_FOUND, "the targets name no build of %.64s", name);
}

static bool is_yanked(const struct tuf_target *target) {
    struct tuf_custom custom;
    return custom_of(target, &custom) && custom.yanked;
}

static bool same_bytes(const struct tuf_promise *a, const struct tuf_promise *b) {
    return a->length == b->length && strcmp(a->sha256, b->sha256) == 0 &&
           strcmp(a->sha512, b->sha512) == 0;
}

static const char *change_of(const struct tuf_target *before, const struct tuf_target *after) {
    if (before == NULL) return "adds";
    if (!same_bytes(&before->promise, &after->promise)) return "replaces the bytes of";
    if (is_yanked(before) != is_yanked(after)) return is_yanked(after) ? "yanks" : "offers again";
    return NULL;
}

/* With the bytes that get trusted, for whoever compares. */
static void say(const char *what, const struct tuf_target *t, struct text *out) {
    text_add_format(out, "%s %s%s, %lld bytes, SHA-256 %s\n", what, t->path,
                    is_yanked(t) ? " (yanked)" : "", (long long)t->promise.length,
                    t->promise.sha256[0] != '\0' ? t->promise.sha256 : "is not told");
}

/* The first of its artifact's name: those of one name follow each other. */
static bool begins_name(const struct tuf_targets *t, size_t at, struct tuf_custom *out) {
    struct tuf_custom last;
    return custom_of(&t->list[at], out) && !(at > 0 && custom_of(&t->list[at - 1], &last) &&
                                             strcmp(last.id.name, out->id.name) == 0);
}

void trust_targets_say(const struct tuf_targets *t, struct text *out) {
    struct tuf_custom custom;
    char floor[SEMVER_SIZE];
    for (size_t i = 0; i < t->count; i++) say("names", &t->list[i], out);
    for (size_t i = 0; i < t->count; i++) {
        if (!begins_name(t, i, &custom)) continue;
        floor_of(t, custom.id.name, floor);
        if (floor[0] != '\0')
            text_add_format(out, "the floor of %s is %s\n", custom.id.name, floor);
    }
}

/* Once for each artifact name, at its first target. */
static void floor_difference(const struct tuf_targets *before, const struct tuf_targets *after,
                             size_t at, struct text *out) {
    struct tuf_custom custom;
    char was[SEMVER_SIZE], is[SEMVER_SIZE];
    if (!begins_name(after, at, &custom)) return;
    floor_of(before, custom.id.name, was);
    floor_of(after, custom.id.name, is);
    if (strcmp(was, is) == 0) return;
    if (is[0] == '\0')
        text_add_format(out, "removes the floor of %s\n", custom.id.name);
    else
        text_add_format(out, "moves the floor of %s to %s\n", custom.id.name, is);
}

void trust_targets_difference(const struct tuf_targets *before, const struct tuf_targets *after,
                              struct text *out) {
    for (size_t i = 0; i < after->count; i++) {
        const struct tuf_target *target = &after->list[i];
        const char *change = change_of(tuf_targets_find(before, target->path), target);
        if (change != NULL) say(change, target, out);
    }
    for (size_t i = 0; i < before->count; i++)
        if (tuf_targets_find(after, before->list[i].path) == NULL)
            text_add_format(out, "removes %s\n", before->list[i].path);
    for (size_t i = 0; i < after->count; i++) floor_difference(before, after, i, out);
}
