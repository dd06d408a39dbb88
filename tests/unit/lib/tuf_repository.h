/* A TUF repository in memory with real keys, and the trusted files of a client of it. Tests change
 * what the roles say and publish them again. */
#pragma once

#include "lib/encode.h"
#include "lib/hash.h"
#include "lib/tuf_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS INT64_C(1800000000000)
#define DAY_MS INT64_C(86400000)
#define ROLES_MAX 48 /* targets and those below it */

struct folder {
    struct folder_file {
        char name[192];
        struct text bytes;
    } * files;
    size_t count;
};

struct role {
    char name[TUF_ROLE_NAME_SIZE];
    struct tuf_targets targets; /* its arrays are those below */
    struct tuf_delegation delegations[ROLES_MAX];
    struct tuf_target target;
    char *path; /* the one pattern of each of its delegations */
};

struct repository {
    struct folder published, trusted;
    struct sign_secret *keys[TUF_ROLE_COUNT]; /* one each, that of targets for all below it */
    struct sign_secret *spare;
    const struct sign_secret *also; /* signs whatever is published besides */
    struct tuf_root root;
    struct tuf_key root_keys[TUF_ROLE_COUNT + 1];
    char key_ids[TUF_ROLE_COUNT][2][TUF_KEY_ID_SIZE];
    struct tuf_timestamp timestamp;
    struct tuf_snapshot snapshot;
    struct tuf_snapshot_entry entries[ROLES_MAX];
    struct role roles[ROLES_MAX]; /* the first is targets */
    size_t role_count;
    struct text asked; /* files that were fetched, each behind a space */
    bool offline;
    int saves_left; /* before the disk fails; -1: it never does */
};

static void no_error(bool good, const struct err *e) {
    if (!good) fail_msg("%s", e->text);
}

static struct folder_file *folder_find(const struct folder *f, const char *name) {
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->files[i].name, name) == 0) return &f->files[i];
    return NULL;
}

static void folder_drop(struct folder *f, const char *name) {
    struct folder_file *file = folder_find(f, name);
    if (file == NULL) return;
    text_fini(&file->bytes);
    *file = f->files[--f->count];
}

static void folder_put(struct folder *f, const char *name, const char *bytes, size_t length) {
    struct folder_file *file = folder_find(f, name);
    if (file == NULL) {
        f->files = memory_resize(f->files, f->count + 1, sizeof *f->files);
        file = &f->files[f->count++];
        *file = (struct folder_file){0};
        assert_true(text_copy(file->name, sizeof file->name, name));
    }
    text_clear(&file->bytes);
    text_add_bytes(&file->bytes, bytes, length);
}

static void folder_clear(struct folder *f) {
    for (size_t i = 0; i < f->count; i++) text_fini(&f->files[i].bytes);
    free(f->files);
    *f = (struct folder){0};
}

__attribute__((unused)) static void folder_copy(struct folder *to, const struct folder *from) {
    folder_clear(to);
    for (size_t i = 0; i < from->count; i++)
        folder_put(to, from->files[i].name, text_value(&from->files[i].bytes),
                   from->files[i].bytes.length);
}

__attribute__((unused)) static bool folder_same(const struct folder *a, const struct folder *b,
                                                const char *name) {
    const struct folder_file *one = folder_find(a, name), *other = folder_find(b, name);
    if (one == NULL || other == NULL) return one == other;
    return one->bytes.length == other->bytes.length &&
           memcmp(text_value(&one->bytes), text_value(&other->bytes), one->bytes.length) == 0;
}

static bool repository_load(void *argument, const char *file, struct text *out, struct err *e) {
    const struct repository *r = argument;
    const struct folder_file *found = folder_find(&r->trusted, file);
    if (found == NULL) return err_set(e, ERR_NOT_FOUND, "%s", file);
    text_add_bytes(out, text_value(&found->bytes), found->bytes.length);
    return true;
}

static bool repository_save(void *argument, const char *file, const char *bytes, size_t length,
                            struct err *e) {
    struct repository *r = argument;
    if (r->saves_left == 0) return err_set(e, ERR_IO, "the disk is gone");
    if (r->saves_left > 0) r->saves_left--;
    if (bytes == NULL)
        folder_drop(&r->trusted, file);
    else
        folder_put(&r->trusted, file, bytes, length);
    return true;
}

static bool repository_fetch(void *argument, const char *file, size_t max_bytes, struct text *out,
                             struct err *e) {
    struct repository *r = argument;
    const struct folder_file *found = folder_find(&r->published, file);
    text_add_format(&r->asked, " %s", file);
    if (r->offline) return err_set(e, ERR_UNREACHABLE, "no network");
    if (found == NULL) return err_set(e, ERR_NOT_FOUND, "%s", file);
    if (found->bytes.length > max_bytes) return err_set(e, ERR_TOO_LARGE, "%s", file);
    text_add_bytes(out, text_value(&found->bytes), found->bytes.length);
    return true;
}

static struct tuf_client *repository_client(struct repository *r) {
    struct err e;
    struct tuf_client *c = NULL;
    const struct tuf_client_options options = {
        .argument = r, .load = repository_load, .save = repository_save, .fetch = repository_fetch};
    no_error(tuf_client_open(&c, &options, &e), &e);
    return c;
}

/* Signs it and puts it under NAME, and under VERSION.NAME with consistent snapshots. */
static void repository_put(struct repository *r, const char *name, int64_t version,
                           struct text *file, const struct sign_secret *key) {
    struct err e;
    char versioned[192];
    no_error(tuf_sign(file, key, &e), &e);
    if (r->also != NULL) no_error(tuf_sign(file, r->also, &e), &e);
    snprintf(versioned, sizeof versioned, "%lld.%s", (long long)version, name);
    if (r->root.consistent_snapshot || strcmp(name, "root.json") == 0)
        folder_put(&r->published, versioned, file->data, file->length);
    folder_put(&r->published, name, file->data, file->length);
}

static void publish_root(struct repository *r) {
    OWN_TEXT struct text file = TEXT_EMPTY;
    tuf_root_write(&r->root, &file);
    repository_put(r, "root.json", r->root.heading.version, &file, r->keys[TUF_ROOT]);
}

static void publish_timestamp(struct repository *r) {
    OWN_TEXT struct text file = TEXT_EMPTY;
    tuf_timestamp_write(&r->timestamp, &file);
    repository_put(r, "timestamp.json", r->timestamp.heading.version, &file,
                   r->keys[TUF_TIMESTAMP]);
}

/* What the role above has to say of this file. */
static struct tuf_promise promise_of(int64_t version, const struct text *file) {
    struct tuf_promise p = {.version = version, .length = (int64_t)file->length};
    unsigned char digest[SHA256_SIZE];
    sha256_bytes(file->data, file->length, digest);
    encode_hex(digest, sizeof digest, p.sha256);
    return p;
}

static void publish_snapshot(struct repository *r) {
    OWN_TEXT struct text file = TEXT_EMPTY;
    tuf_snapshot_write(&r->snapshot, &file);
    repository_put(r, "snapshot.json", r->snapshot.heading.version, &file, r->keys[TUF_SNAPSHOT]);
    r->timestamp.snapshot = promise_of(r->snapshot.heading.version, &file);
}

static void publish_role(struct repository *r, struct role *role) {
    OWN_TEXT struct text file = TEXT_EMPTY;
    OWN_TEXT struct text name = TEXT_EMPTY;
    tuf_targets_write(&role->targets, &file);
    encode_url(&name, role->name);
    text_add(&name, ".json");
    repository_put(r, name.data, role->targets.heading.version, &file, r->keys[TUF_TARGETS]);
    for (size_t i = 0; i < r->snapshot.count; i++)
        if (strcmp(r->entries[i].role, role->name) == 0)
            r->entries[i].promise = promise_of(role->targets.heading.version, &file);
}

/* The next version of every role but root. */
static void publish_all(struct repository *r) {
    for (size_t i = 0; i < r->role_count; i++) {
        r->roles[i].targets.heading.version++;
        publish_role(r, &r->roles[i]);
    }
    r->snapshot.heading.version++;
    publish_snapshot(r);
    r->timestamp.heading.version++;
    publish_timestamp(r);
}

__attribute__((unused)) static void publish_snapshot_and_timestamp(struct repository *r) {
    r->snapshot.heading.version++;
    publish_snapshot(r);
    r->timestamp.heading.version++;
    publish_timestamp(r);
}

static void name_key(struct repository *r, enum tuf_role_kind kind, const struct sign_secret *key) {
    tuf_key_clear(&r->root_keys[kind]);
    tuf_key_of(sign_secret_public(key), &r->root_keys[kind]);
    memcpy(r->key_ids[kind][0], r->root_keys[kind].id, TUF_KEY_ID_SIZE);
    r->root.roles[kind] =
        (struct tuf_signers){.key_ids = r->key_ids[kind], .key_count = 1, .threshold = 1};
}

/* One more key that may sign for the role. */
__attribute__((unused)) static void name_spare(struct repository *r, enum tuf_role_kind kind) {
    memcpy(r->key_ids[kind][1], r->root_keys[TUF_ROLE_COUNT].id, TUF_KEY_ID_SIZE);
    r->root.roles[kind].key_count = 2;
    r->root.keys.count = TUF_ROLE_COUNT + 1;
}

/* A new key in place of the role's, in the next root, signed by the root keys of before and now. */
__attribute__((unused)) static void rotate(struct repository *r, enum tuf_role_kind kind) {
    struct err e;
    struct sign_secret *old = r->keys[kind];
    no_error(sign_generate(&r->keys[kind], &e), &e);
    name_key(r, kind, r->keys[kind]);
    r->root.heading.version++;
    r->also = kind == TUF_ROOT ? old : NULL;
    publish_root(r);
    r->also = NULL;
    sign_secret_free(old);
}

static struct role *add_role(struct repository *r, const char *name) {
    struct role *role = &r->roles[r->role_count];
    struct tuf_snapshot_entry *entry = &r->entries[r->role_count++];
    assert_true(r->role_count <= ROLES_MAX);
    assert_true(text_copy(role->name, sizeof role->name, name));
    role->targets = (struct tuf_targets){
        .heading = {.version = 0,                       .expires_ms = NOW_MS + 30 * DAY_MS},
        .delegations = role->delegations,
        .delegation_keys = {.list = &r->root_keys[TUF_TARGETS], .count = 1                        },
    };
    *entry = (struct tuf_snapshot_entry){.promise = {.length = -1}};
    memcpy(entry->role, role->name, sizeof entry->role);
    r->snapshot.count = r->role_count;
    return role;
}

static void add_target(struct role *role, const char *path) {
    role->target = (struct tuf_target){.path = text_duplicate(path), .promise = {.length = 5}};
    memset(role->target.promise.sha256, 'a', SHA256_HEX_SIZE - 1);
    role->targets.list = &role->target;
    role->targets.count = 1;
}

/* Delegates all paths that fit the pattern. The role is made when there is none of that name. */
__attribute__((unused)) static struct tuf_delegation *
delegate(struct repository *r, const char *by, const char *to, const char *pattern) {
    struct role *from = &r->roles[0], *role = NULL;
    for (size_t i = 0; i < r->role_count; i++) {
        if (strcmp(r->roles[i].name, by) == 0) from = &r->roles[i];
        if (strcmp(r->roles[i].name, to) == 0) role = &r->roles[i];
    }
    if (role == NULL) add_role(r, to);
    assert_string_equal(from->name, by);
    struct tuf_delegation *d = &from->delegations[from->targets.delegation_count++];
    *d = (struct tuf_delegation){.signers = r->root.roles[TUF_TARGETS], .path_count = 1};
    assert_true(text_copy(d->role, sizeof d->role, to));
    d->paths = memory_zeroed(1, sizeof *d->paths);
    d->paths[0] = text_duplicate(pattern);
    return d;
}

/* Version 1 of everything: targets "app", and a role "team" for what lies in "team/". */
static struct repository *repository_begin(void) {
    struct err e;
    struct repository *r = memory_zeroed(1, sizeof *r);
    r->saves_left = -1;
    no_error(sign_generate(&r->spare, &e), &e);
    tuf_key_of(sign_secret_public(r->spare), &r->root_keys[TUF_ROLE_COUNT]);
    for (enum tuf_role_kind kind = TUF_ROOT; kind < TUF_ROLE_COUNT; kind++) {
        no_error(sign_generate(&r->keys[kind], &e), &e);
        name_key(r, kind, r->keys[kind]);
    }
    r->root.heading = (struct tuf_heading){.version = 1, .expires_ms = NOW_MS + 30 * DAY_MS};
    r->root.consistent_snapshot = true;
    r->root.keys = (struct tuf_keys){.list = r->root_keys, .count = TUF_ROLE_COUNT};
    r->snapshot =
        (struct tuf_snapshot){.heading.expires_ms = NOW_MS + 7 * DAY_MS, .entries = r->entries};
    r->timestamp.heading.expires_ms = NOW_MS + DAY_MS;
    add_target(add_role(r, "targets"), "app");
    delegate(r, "targets", "team", "team/*");
    add_target(&r->roles[1], "team/tool");
    publish_root(r);
    publish_all(r);
    const struct folder_file *root = folder_find(&r->published, "1.root.json");
    folder_put(&r->trusted, "root.json", root->bytes.data, root->bytes.length);
    return r;
}

static void repository_end(struct repository *r) {
    folder_clear(&r->published);
    folder_clear(&r->trusted);
    text_fini(&r->asked);
    for (size_t i = 0; i < TUF_ROLE_COUNT; i++) sign_secret_free(r->keys[i]);
    sign_secret_free(r->spare);
    for (size_t i = 0; i <= TUF_ROLE_COUNT; i++) tuf_key_clear(&r->root_keys[i]);
    for (size_t i = 0; i < r->role_count; i++) {
        for (size_t j = 0; j < r->roles[i].targets.delegation_count; j++) {
            free(r->roles[i].delegations[j].paths[0]);
            free(r->roles[i].delegations[j].paths);
        }
        free(r->roles[i].target.path);
    }
    free(r);
}
OWN_DEFINE(repository, struct repository, repository_end)

/* Refreshes with a client of its own, as a program that begins anew. */
__attribute__((unused)) static bool repository_refresh(struct repository *r, int64_t now_ms,
                                                       enum tuf_attack *attack, struct err *e) {
    OWN(tuf_client) struct tuf_client *c = repository_client(r);
    text_clear(&r->asked);
    bool good = tuf_client_refresh(c, now_ms, e);
    if (attack != NULL) *attack = tuf_client_attack(c);
    return good;
}
