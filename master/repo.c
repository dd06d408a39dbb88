#include "lib/clock.h"
#include "lib/file.h"
#include "lib/log.h"
#include "master/repo_internal.h"
#include "master/store.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define DAY_MS (INT64_C(24) * 3600 * 1000)

/* A role is signed anew when one of so many parts of its life has passed. A timestamp is what tells
 * agents that nobody holds news back from them. */
static const int64_t life_parts[TUF_ROLE_COUNT] = {
    [TUF_ROOT] = 2, [TUF_TIMESTAMP] = 24, [TUF_SNAPSHOT] = 2, [TUF_TARGETS] = 2};

struct repo_blob {
    struct repo_bytes bytes; /* what readers hold; first */
    atomic_int holders;
    char file[64];
    int64_t version;
};

void repo_file_release(const struct repo_bytes *b) {
    struct repo_blob *blob = (struct repo_blob *)(uintptr_t)b;
    if (blob == NULL || atomic_fetch_sub(&blob->holders, 1) > 1) return;
    free((char *)(uintptr_t)blob->bytes.data);
    free(blob);
}

void repo_close(struct repo *r) {
    if (r == NULL) return;
    for (int i = 0; i < TUF_ROLE_COUNT; i++)
        if (r->newest[i] != NULL) repo_file_release(&r->newest[i]->bytes);
    repo_view_clear(&r->view);
    repo_keys_free(r);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

void repo_begin_change(struct repo *r) {
    pthread_mutex_lock(&r->lock);
    while (r->changing) pthread_cond_wait(&r->changed, &r->lock);
    r->changing = true;
    pthread_mutex_unlock(&r->lock);
}

void repo_end_change(struct repo *r) {
    struct tuf_root root;
    struct err e;
    if (repo_root(r, &root, &e)) {
        repo_keys_settle(r, &root);
        tuf_root_clear(&root);
    } else {
        log_error("repo.keys", "error=%s", e.text);
    }
    pthread_mutex_lock(&r->lock);
    r->changing = false;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

struct row {
    struct text bytes;
    int64_t version;
    char file[64];
    char role[16];
};

static bool take_row(struct db_row *row, void *argument, struct err *e) {
    struct row *out = argument;
    (void)e;
    text_add(&out->bytes, db_column_text(row, 0));
    out->version = db_column_int(row, 1);
    text_cut(out->file, sizeof out->file, db_column_text(row, 2));
    text_cut(out->role, sizeof out->role, db_column_text(row, 3));
    return true;
}

struct asking {
    const char *file;
    struct row row;
};

static bool read_file(struct db_connection *c, void *argument, struct err *e) {
    struct asking *a = argument;
    if (strcmp(a->file, "root.json") == 0)
        return db_one(c, Q_REPO_NEWEST, take_row, &a->row, e, "s", tuf_role_name(TUF_ROOT));
    return db_one(c, Q_REPO_FILE, take_row, &a->row, e, "s", a->file);
}

bool repo_root(struct repo *r, struct tuf_root *out, struct err *e) {
    struct asking a = {.file = "root.json"};
    bool done = db_read(r->db, read_file, &a, e) &&
                tuf_root_parse(text_value(&a.row.bytes), a.row.bytes.length, out, e);
    text_fini(&a.row.bytes);
    return done;
}

static const struct repo_bytes *find_blob(struct repo *r, const char *file) {
    const struct repo_bytes *found = NULL;
    pthread_mutex_lock(&r->lock);
    for (int i = 0; i < TUF_ROLE_COUNT && found == NULL; i++) {
        struct repo_blob *blob = r->newest[i];
        if (blob == NULL || strcmp(blob->file, file) != 0) continue;
        atomic_fetch_add(&blob->holders, 1);
        found = &blob->bytes;
    }
    pthread_mutex_unlock(&r->lock);
    return found;
}

/* Only numbered files, which never change. */
static void keep_blob(struct repo *r, struct repo_blob *blob, const char *role_name) {
    enum tuf_role_kind role;
    if (!tuf_role_parse(role_name, &role) || role == TUF_TIMESTAMP) return;
    struct repo_blob *old = NULL;
    pthread_mutex_lock(&r->lock);
    if (r->newest[role] == NULL || r->newest[role]->version < blob->version) {
        old = r->newest[role];
        atomic_fetch_add(&blob->holders, 1);
        r->newest[role] = blob;
    }
    pthread_mutex_unlock(&r->lock);
    if (old != NULL) repo_file_release(&old->bytes);
}

bool repo_file(struct repo *r, const char *file, const struct repo_bytes **out, struct err *e) {
    struct asking a = {.file = file};
    *out = find_blob(r, file);
    if (*out != NULL) return true;
    if (!db_read(r->db, read_file, &a, e)) {
        text_fini(&a.row.bytes);
        if (e->code == ERR_NOT_FOUND) err_set(e, ERR_NOT_FOUND, "no metadata file %.80s", file);
        return false;
    }
    struct repo_blob *blob = memory_zeroed(1, sizeof *blob);
    atomic_init(&blob->holders, 1);
    blob->bytes.length = a.row.bytes.length;
    blob->bytes.data = text_take(&a.row.bytes);
    blob->version = a.row.version;
    memcpy(blob->file, a.row.file, sizeof blob->file);
    keep_blob(r, blob, a.row.role);
    *out = &blob->bytes;
    return true;
}

void repo_status(struct repo *r, struct repo_status *out) {
    pthread_mutex_lock(&r->lock);
    *out = r->status;
    pthread_mutex_unlock(&r->lock);
}

void repo_root_digest(struct repo *r, int64_t *version, char sha256[SHA256_HEX_SIZE]) {
    struct repo_status status;
    repo_status(r, &status);
    *version = status.headings[TUF_ROOT].version;
    memcpy(sha256, status.root_sha256, SHA256_HEX_SIZE);
}

/* The first root, signed by the release key as a file of its name. */
static bool build_bridge(struct repo *r, struct db_connection *c, struct err *e) {
    OWN_TEXT struct text signature = TEXT_EMPTY;
    struct asking a = {.file = "1.root.json"};
    OWN_FD int fd = memfd_create("root", MFD_CLOEXEC);
    bool done =
        fd >= 0 && read_file(c, &a, e) && file_write_all(fd, a.row.bytes.data, a.row.bytes.length);
    text_fini(&a.row.bytes);
    if (!done) return err_set(e, ERR_IO, "%s cannot be signed", a.file);
    return keys_sign_release(r->keys, fd, a.file, &signature, e) &&
           (signature.length == 0 || repo_row_put(c, REPO_BRIDGE, "bridge", 1, signature.data, e));
}

static bool begin_or_load(struct db_connection *c, void *argument, struct err *e) {
    struct repo *r = argument;
    int64_t version = 0;
    if (!repo_row_version(c, TUF_ROOT, &version, e)) return false;
    if (version == 0) return repo_first_root(r, c, e) && build_bridge(r, c, e);
    if (!repo_view_load(r, c, e)) return false;
    if (r->restored)
        return repo_publish(
            r, c, repo_can_sign(r, &r->view.root.roles[TUF_TARGETS]) ? TUF_TARGETS : TUF_SNAPSHOT,
            e);
    repo_note_status(r, c);
    return true;
}

static bool take_text(struct db_row *row, void *argument, struct err *e) {
    (void)e;
    text_add(argument, db_column_text(row, 0));
    return true;
}

struct beginning {
    int64_t root_version;
    struct text key_ids; /* of keys that were here when the root came into force */
};

static bool look(struct db_connection *c, void *argument, struct err *e) {
    struct beginning *b = argument;
    return repo_row_version(c, TUF_ROOT, &b->root_version, e) &&
           db_query(c, Q_META_GET, take_text, &b->key_ids, e, "s", "tuf_keys");
}

static bool explain_lost(const struct repo *r, const struct tuf_root *root, const char *id,
                         struct err *e) {
    const char *role = "";
    for (enum tuf_role_kind i = TUF_ROOT; i < TUF_ROLE_COUNT; i++)
        if (tuf_signers_have(&root->roles[i], id)) role = tuf_role_name(i);
    err_set(e, ERR_CORRUPT, "key %.150s/%s.key is missing or another one", r->directory, role);
    return err_hint(e, "restore a backup: gridctl backup restore FILE --state DIR");
}

/* Every key that was here is here. */
static bool check_keys(struct repo *r, const char *key_ids, struct err *e) {
    OWN_MEMORY char *list = text_duplicate(key_ids);
    char *position = list;
    struct tuf_root root;
    bool fine = true;
    if (!repo_root(r, &root, e)) return false;
    for (char *id; fine && (id = strsep(&position, " ")) != NULL;)
        if (*id != '\0' && tuf_root_names(&root, id) && !repo_has_key(r, id))
            fine = explain_lost(r, &root, id, e);
    tuf_root_clear(&root);
    return fine;
}

/* A first start that was cut off half-way finds some of its keys. */
static bool make_keys(struct repo *r, struct err *e) {
    for (int i = 0; i < TUF_ROLE_COUNT; i++)
        if (!repo_keys_make(r, (enum tuf_role_kind)i, false, e)) return false;
    return true;
}

static bool begin(struct repo *r, struct err *e) {
    struct beginning b = {.key_ids = TEXT_EMPTY};
    bool done = repo_keys_read(r, e) && db_read(r->db, look, &b, e) &&
                (b.root_version > 0 ? check_keys(r, text_value(&b.key_ids), e) : make_keys(r, e));
    text_fini(&b.key_ids);
    if (!done || !db_write(r->db, begin_or_load, r, e)) return false;
    repo_begin_change(r);
    repo_end_change(r); /* finishes what a crash may have cut off */
    return true;
}

static int64_t life(int64_t asked_ms, int64_t usual_ms) {
    return asked_ms > 0 ? asked_ms : usual_ms;
}

bool repo_open(struct repo **out, const struct repo_options *options, struct err *e) {
    OWN(repo) struct repo *r = memory_zeroed(1, sizeof *r);
    r->db = options->db;
    r->keys = options->keys;
    r->restored = options->restored;
    r->life_ms[TUF_TIMESTAMP] = life(options->timestamp_life_ms, DAY_MS);
    r->life_ms[TUF_SNAPSHOT] = life(options->snapshot_life_ms, 7 * DAY_MS);
    r->life_ms[TUF_TARGETS] = life(options->targets_life_ms, 365 * DAY_MS);
    r->life_ms[TUF_ROOT] = life(options->root_life_ms, 730 * DAY_MS);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    if (!file_join(r->directory, sizeof r->directory, options->state_directory, "keys", e) ||
        !begin(r, e))
        return err_wrap(e, "trust");
    *out = TAKE(r);
    return true;
}

/* Its life is the one it was signed for, or the one that is wanted now if that is shorter. */
static bool is_due(const struct repo *r, const struct repo_status *s, enum tuf_role_kind role,
                   int64_t now_ms) {
    int64_t life_ms = r->life_ms[role];
    return s->signs[role] &&
           s->headings[role].expires_ms - now_ms <= life_ms - life_ms / life_parts[role];
}

struct renewal {
    struct repo *repo;
    enum tuf_role_kind role;
};

static bool renew(struct db_connection *c, void *argument, struct err *e) {
    const struct renewal *n = argument;
    if (!repo_view_load(n->repo, c, e)) return false;
    if (n->role == TUF_ROOT) return repo_renew_root(n->repo, c, e);
    return repo_publish(n->repo, c, n->role, e);
}

/* What tells of others comes first: it renews those, too. */
bool repo_tick(struct repo *r, int64_t now_wall_ms, struct err *e) {
    static const enum tuf_role_kind order[] = {TUF_ROOT, TUF_TARGETS, TUF_SNAPSHOT, TUF_TIMESTAMP};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        struct repo_status status;
        struct renewal n = {r, order[i]};
        repo_status(r, &status);
        if (is_due(r, &status, order[i], now_wall_ms) && !db_write(r->db, renew, &n, e))
            return err_wrap(e, "sign %s anew", tuf_role_name(order[i]));
    }
    return true;
}
