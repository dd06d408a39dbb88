/* A repository of TUF metadata as a master publishes it: four keys, files in memory, signed anew
 * after each change. For tests that are the other side of agent/trust.h. One thread. */
#pragma once

#include "lib/artifact.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/sign.h"
#include "lib/tuf_custom.h"
#include "lib/tuf_metadata.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { REPOSITORY_FILES = 64 };

struct repository_file {
    char name[80];
    struct text bytes;
};

struct repository {
    struct sign_secret *keys[TUF_ROLE_COUNT];
    struct tuf_root root;
    struct tuf_targets targets;
    int64_t snapshot_version, timestamp_version;
    int64_t now_ms;            /* when it signs */
    int64_t timestamp_life_ms; /* from then on */
    struct repository_file files[REPOSITORY_FILES];
    size_t count;
};

static const struct repository_file *repository_find(const struct repository *r, const char *name) {
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->files[i].name, name) == 0) return &r->files[i];
    return NULL;
}

static void repository_put(struct repository *r, const char *name, struct text *bytes) {
    struct repository_file *f = (struct repository_file *)repository_find(r, name);
    if (f == NULL) {
        assert(r->count < REPOSITORY_FILES);
        f = &r->files[r->count++];
        snprintf(f->name, sizeof f->name, "%s", name);
    }
    text_fini(&f->bytes);
    f->bytes = *bytes;
    *bytes = TEXT_EMPTY;
}

static void repository_sign(struct repository *r, struct text *bytes, enum tuf_role_kind role) {
    struct err e = {0};
    bool signs = tuf_sign(bytes, r->keys[role], &e);
    if (!signs) fprintf(stderr, "%s\n", e.text);
    assert(signs);
}

static void repository_digest(const struct repository_file *f, char out[SHA256_HEX_SIZE]) {
    OWN(sha256) struct sha256 *hash = sha256_begin();
    sha256_add(hash, f->bytes.data, f->bytes.length);
    sha256_hex(hash, out);
}

static void repository_promise(const struct repository *r, const char *name, int64_t version,
                               struct tuf_promise *out) {
    const struct repository_file *f = repository_find(r, name);
    *out = (struct tuf_promise){.version = version, .length = (int64_t)f->bytes.length};
    repository_digest(f, out->sha256);
}

static void repository_name(int64_t version, const char *role, char out[80]) {
    snprintf(out, 80, "%" PRId64 ".%s.json", version, role);
}

/* A timestamp for the newest snapshot. */
static void repository_stamp(struct repository *r) {
    struct tuf_timestamp t = {
        .heading = {++r->timestamp_version, r->now_ms + r->timestamp_life_ms}
    };
    struct text bytes = TEXT_EMPTY;
    char name[80];
    repository_name(r->snapshot_version, "snapshot", name);
    repository_promise(r, name, r->snapshot_version, &t.snapshot);
    tuf_timestamp_write(&t, &bytes);
    repository_sign(r, &bytes, TUF_TIMESTAMP);
    repository_put(r, "timestamp.json", &bytes);
}

static void repository_snap(struct repository *r) {
    struct tuf_snapshot_entry entry = {.role = "targets"};
    struct tuf_snapshot s = {
        .heading = {++r->snapshot_version, r->now_ms + 7 * INT64_C(86400000)},
        .entries = &entry,
        .count = 1
    };
    struct text bytes = TEXT_EMPTY;
    char name[80];
    repository_name(r->targets.heading.version, "targets", name);
    repository_promise(r, name, r->targets.heading.version, &entry.promise);
    tuf_snapshot_write(&s, &bytes);
    repository_sign(r, &bytes, TUF_SNAPSHOT);
    repository_name(r->snapshot_version, "snapshot", name);
    repository_put(r, name, &bytes);
}

/* Targets as they are now, and what follows from them. */
static void repository_publish(struct repository *r) {
    struct text bytes = TEXT_EMPTY;
    char name[80];
    r->targets.heading.version++;
    r->targets.heading.expires_ms = r->now_ms + 365 * INT64_C(86400000);
    tuf_targets_write(&r->targets, &bytes);
    repository_sign(r, &bytes, TUF_TARGETS);
    repository_name(r->targets.heading.version, "targets", name);
    repository_put(r, name, &bytes);
    repository_snap(r);
    repository_stamp(r);
}

/* The next root, with the keys as they are now; signer: of the root before, NULL for the first. */
static void repository_root(struct repository *r, const struct sign_secret *signer) {
    struct err e = {0};
    struct text bytes = TEXT_EMPTY;
    char name[80];
    int64_t version = r->root.heading.version + 1;
    tuf_root_clear(&r->root);
    r->root = (struct tuf_root){
        .heading = {version, r->now_ms + 730 * INT64_C(86400000)},
          .consistent_snapshot = true
    };
    for (int role = 0; role < TUF_ROLE_COUNT; role++) {
        struct tuf_key key = {0};
        tuf_key_of(sign_secret_public(r->keys[role]), &key);
        tuf_keys_add(&r->root.keys, &key);
        tuf_signers_add(&r->root.roles[role], key.id);
        r->root.roles[role].threshold = 1;
        tuf_key_clear(&key);
    }
    tuf_root_write(&r->root, &bytes);
    repository_sign(r, &bytes, TUF_ROOT);
    bool signed_before = signer == NULL || tuf_sign(&bytes, signer, &e);
    assert(signed_before);
    repository_name(version, "root", name);
    repository_put(r, name, &bytes);
}

static void repository_open(struct repository *r) {
    struct err e = {0};
    *r = (struct repository){.now_ms = clock_wall_ms(), .timestamp_life_ms = INT64_C(86400000)};
    for (int role = 0; role < TUF_ROLE_COUNT; role++) {
        bool made = sign_generate(&r->keys[role], &e);
        assert(made);
    }
    repository_root(r, NULL);
    repository_publish(r);
}

/* Names a file; publish comes after. floor: "" for none. */
__attribute__((unused)) static void repository_add(struct repository *r, const char *file,
                                                   const char *sha256, int64_t size_bytes,
                                                   const char *floor, bool yanked) {
    struct tuf_custom custom = {.release = 1, .yanked = yanked};
    struct text text = TEXT_EMPTY;
    struct err e = {0};
    bool named = artifact_name_parse(file, &custom.id, &e);
    assert(named);
    snprintf(custom.floor, sizeof custom.floor, "%s", floor);
    tuf_custom_write(&custom, &text);
    struct tuf_target *t = tuf_targets_put(&r->targets, file);
    t->promise = (struct tuf_promise){.length = size_bytes};
    snprintf(t->promise.sha256, sizeof t->promise.sha256, "%s", sha256);
    free(t->custom);
    t->custom = text_take(&text);
}

static void repository_close(struct repository *r) {
    for (int role = 0; role < TUF_ROLE_COUNT; role++) sign_secret_free(r->keys[role]);
    for (size_t i = 0; i < r->count; i++) text_fini(&r->files[i].bytes);
    tuf_root_clear(&r->root);
    tuf_targets_clear(&r->targets);
    *r = (struct repository){0};
}

/* 1.root.json.minisig: the bridge for those who know the release key alone. */
__attribute__((unused)) static void repository_bridge(struct repository *r,
                                                      const struct sign_secret *release, int fd) {
    struct text signature = TEXT_EMPTY;
    struct err e = {0};
    const struct repository_file *root = repository_find(r, "1.root.json");
    bool made =
        pwrite(fd, root->bytes.data, root->bytes.length, 0) == (ssize_t)root->bytes.length &&
        sign_file(release, fd, "1.root.json", &signature, &e);
    assert(made);
    repository_put(r, "1.root.json.minisig", &signature);
}
