#include "lib/encode.h"
#include "lib/tuf_custom.h"
#include "master/repo_internal.h"
#include "master/store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* So many versions of targets and snapshot stay for agents that are in the middle of a refresh. */
#define GENERATIONS 8

void repo_view_clear(struct repo_view *v) {
    tuf_root_clear(&v->root);
    tuf_targets_clear(&v->targets);
    tuf_snapshot_clear(&v->snapshot);
    *v = (struct repo_view){0};
}

static struct tuf_heading *heading_of(struct repo_view *v, enum tuf_role_kind role) {
    struct tuf_heading *const headings[TUF_ROLE_COUNT] = {[TUF_ROOT] = &v->root.heading,
                                                          [TUF_TIMESTAMP] = &v->timestamp.heading,
                                                          [TUF_SNAPSHOT] = &v->snapshot.heading,
                                                          [TUF_TARGETS] = &v->targets.heading};
    assert((unsigned)role < TUF_ROLE_COUNT);
    return headings[role];
}

const struct tuf_heading *repo_view_heading(const struct repo_view *v, enum tuf_role_kind role) {
    return heading_of((struct repo_view *)(uintptr_t)v, role);
}

int64_t repo_view_version(const struct repo_view *v, enum tuf_role_kind role) {
    return repo_view_heading(v, role)->version;
}

void repo_view_forget(struct repo *r, enum tuf_role_kind role) {
    heading_of(&r->view, role)->version = 0;
}

void repo_view_take_root(struct repo_view *v, struct tuf_root *root, const char *bytes,
                         size_t length) {
    unsigned char digest[SHA256_SIZE];
    sha256_bytes(bytes, length, digest);
    encode_hex(digest, sizeof digest, v->root_sha256);
    tuf_root_clear(&v->root);
    v->root = *root;
    *root = (struct tuf_root){0};
}

void repo_view_take_targets(struct repo_view *v, struct tuf_targets *t) {
    tuf_targets_clear(&v->targets);
    v->targets = *t;
    *t = (struct tuf_targets){0};
    v->release = 0;
    for (size_t i = 0; i < v->targets.count; i++) {
        struct tuf_custom custom;
        struct err ignored;
        const char *json = v->targets.list[i].custom;
        if (json != NULL && tuf_custom_parse(json, &custom, &ignored) &&
            custom.release > v->release)
            v->release = custom.release;
    }
}

static bool take_version(struct db_row *row, void *argument, struct err *e) {
    (void)e;
    *(int64_t *)argument = db_column_int(row, 0);
    return true;
}

bool repo_row_version(struct db_connection *c, enum tuf_role_kind role, int64_t *out,
                      struct err *e) {
    return db_one(c, Q_REPO_VERSION, take_version, out, e, "s", tuf_role_name(role));
}

struct reading {
    struct repo_view *view;
    enum tuf_role_kind role;
};

static bool parse(struct repo_view *v, enum tuf_role_kind role, const char *bytes, size_t length,
                  struct err *e) {
    struct tuf_root root;
    struct tuf_targets targets;
    struct tuf_snapshot snapshot;
    switch (role) {
    case TUF_ROOT:
        if (!tuf_root_parse(bytes, length, &root, e)) return false;
        repo_view_take_root(v, &root, bytes, length);
        return true;
    case TUF_TIMESTAMP:
        return tuf_timestamp_parse(bytes, length, &v->timestamp, e);
    case TUF_SNAPSHOT:
        if (!tuf_snapshot_parse(bytes, length, &snapshot, e)) return false;
        tuf_snapshot_clear(&v->snapshot);
        v->snapshot = snapshot;
        return true;
    default:
        if (!tuf_targets_parse(bytes, length, &targets, e)) return false;
        repo_view_take_targets(v, &targets);
        return true;
    }
}

static bool take_newest(struct db_row *row, void *argument, struct err *e) {
    const struct reading *reading = argument;
    const char *bytes = db_column_text(row, 0);
    if (parse(reading->view, reading->role, bytes, strlen(bytes), e)) return true;
    e->code = ERR_CORRUPT;
    err_wrap(e, "metadata %s in the database", tuf_role_name(reading->role));
    return err_hint(e, "restore a backup: gridctl backup restore FILE --state DIR");
}

bool repo_view_load(struct repo *r, struct db_connection *c, struct err *e) {
    for (int i = 0; i < TUF_ROLE_COUNT; i++) {
        struct reading reading = {&r->view, (enum tuf_role_kind)i};
        int64_t version = 0;
        if (!repo_row_version(c, reading.role, &version, e)) return false;
        if (version == repo_view_version(&r->view, reading.role)) continue;
        repo_view_forget(r, reading.role);
        if (!db_one(c, Q_REPO_NEWEST, take_newest, &reading, e, "s", tuf_role_name(reading.role)))
            return false;
    }
    return true;
}

bool repo_row_put(struct db_connection *c, const char *file, const char *role, int64_t version,
                  const char *bytes, struct err *e) {
    return db_exec(c, Q_REPO_PUT, e, "ssis", file, role, version, bytes);
}

void repo_row_file(enum tuf_role_kind role, int64_t version, char out[64]) {
    if (role == TUF_TIMESTAMP)
        snprintf(out, 64, "timestamp.json");
    else
        snprintf(out, 64, "%" PRId64 ".%s.json", version, tuf_role_name(role));
}

bool repo_row_put_role(struct db_connection *c, enum tuf_role_kind role, int64_t version,
                       const char *bytes, struct err *e) {
    char file[64];
    repo_row_file(role, version, file);
    if (!repo_row_put(c, file, tuf_role_name(role), version, bytes, e)) return false;
    return role == TUF_ROOT || /* agents that were away for years walk the whole chain */
           db_exec(c, Q_REPO_PRUNE, e, "si", tuf_role_name(role), (int64_t)GENERATIONS);
}
