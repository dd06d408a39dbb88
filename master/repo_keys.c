/* Secret keys of TUF roles on this machine. A key that is to follow another is written as
 * ROLE.next.key before the root that names it is committed, and renamed after; which of both counts
 * is the root's to say, so a crash at any point leaves what can be finished. */
#include "lib/file.h"
#include "lib/log.h"
#include "master/repo_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

void repo_key_file(enum tuf_role_kind role, bool next, char out[REPO_KEY_FILE_SIZE]) {
    snprintf(out, REPO_KEY_FILE_SIZE, "%s%s.key", tuf_role_name(role), next ? ".next" : "");
}

static bool path_of(const struct repo *r, const char *file, char path[PATH_MAX], struct err *e) {
    return file_join(path, PATH_MAX, r->directory, file, e);
}

static void add(struct repo *r, const char *file, struct sign_secret *secret) {
    struct repo_key added = {.secret = secret};
    struct tuf_key key;
    tuf_key_of(sign_secret_public(secret), &key);
    memcpy(added.id, key.id, sizeof added.id);
    snprintf(added.file, sizeof added.file, "%s", file);
    tuf_key_clear(&key);
    pthread_mutex_lock(&r->lock);
    assert(r->secret_count < REPO_KEYS_MAX);
    r->secrets[r->secret_count++] = added;
    pthread_mutex_unlock(&r->lock);
}

/* Under the lock. */
static struct repo_key *find_file(struct repo *r, const char *file) {
    for (size_t i = 0; i < r->secret_count; i++)
        if (strcmp(r->secrets[i].file, file) == 0) return &r->secrets[i];
    return NULL;
}

static bool read_key(struct repo *r, const char *file, struct err *e) {
    OWN(sign_secret) struct sign_secret *secret = NULL;
    char path[PATH_MAX];
    if (!path_of(r, file, path, e)) return false;
    if (!sign_secret_read(path, NULL, &secret, e)) return e->code == ERR_NOT_FOUND;
    add(r, file, TAKE(secret));
    return true;
}

bool repo_keys_read(struct repo *r, struct err *e) {
    for (int i = 0; i < REPO_KEYS_MAX; i++) {
        char file[REPO_KEY_FILE_SIZE];
        repo_key_file((enum tuf_role_kind)(i / 2), i % 2 != 0, file);
        if (!read_key(r, file, e)) return false;
    }
    return true;
}

/* Memory first: nobody finds it any more. */
static bool wipe(struct repo *r, const char *file, struct err *e) {
    char path[PATH_MAX];
    struct sign_secret *gone = NULL;
    pthread_mutex_lock(&r->lock);
    struct repo_key *key = find_file(r, file);
    if (key != NULL) {
        gone = key->secret;
        *key = r->secrets[--r->secret_count];
    }
    pthread_mutex_unlock(&r->lock);
    sign_secret_free(gone);
    return path_of(r, file, path, e) && file_wipe(path, e);
}

bool repo_keys_make(struct repo *r, enum tuf_role_kind role, bool next, struct err *e) {
    OWN(sign_secret) struct sign_secret *made = NULL;
    char file[REPO_KEY_FILE_SIZE], path[PATH_MAX];
    repo_key_file(role, next, file);
    if (next && !wipe(r, file, e)) return false;
    pthread_mutex_lock(&r->lock);
    bool there = find_file(r, file) != NULL;
    pthread_mutex_unlock(&r->lock);
    if (there) return true;
    if (!path_of(r, file, path, e) || !sign_generate(&made, e) || !sign_secret_write(made, path, e))
        return err_wrap(e, "key of %s", tuf_role_name(role));
    add(r, file, TAKE(made));
    return true;
}

void repo_keys_free(struct repo *r) {
    for (size_t i = 0; i < r->secret_count; i++) sign_secret_free(r->secrets[i].secret);
    r->secret_count = 0;
}

bool repo_key_public(struct repo *r, const char *file, struct tuf_key *out) {
    pthread_mutex_lock(&r->lock);
    const struct repo_key *key = find_file(r, file);
    if (key != NULL) tuf_key_of(sign_secret_public(key->secret), out);
    pthread_mutex_unlock(&r->lock);
    return key != NULL;
}

size_t repo_keys_count(struct repo *r, const struct tuf_signers *signers) {
    size_t count = 0;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->secret_count; i++)
        count += tuf_signers_have(signers, r->secrets[i].id);
    pthread_mutex_unlock(&r->lock);
    return count;
}

bool repo_can_sign(struct repo *r, const struct tuf_signers *signers) {
    return (int64_t)repo_keys_count(r, signers) >= signers->threshold;
}

bool repo_has_key(struct repo *r, const char *key_id) {
    bool here = false;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->secret_count; i++)
        here = here || strcmp(r->secrets[i].id, key_id) == 0;
    pthread_mutex_unlock(&r->lock);
    return here;
}

bool repo_keys_sign(struct repo *r, const struct tuf_signers *signers, struct text *file,
                    struct err *e) {
    bool done = true;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->secret_count && done; i++)
        if (tuf_signers_have(signers, r->secrets[i].id))
            done = tuf_sign(file, r->secrets[i].secret, e);
    pthread_mutex_unlock(&r->lock);
    return done;
}

/* Whether a successor waits for a root that has to be signed elsewhere. */
static bool waits(const struct repo_key *key, bool root_away) {
    char snapshot[REPO_KEY_FILE_SIZE], timestamp[REPO_KEY_FILE_SIZE];
    repo_key_file(TUF_SNAPSHOT, true, snapshot);
    repo_key_file(TUF_TIMESTAMP, true, timestamp);
    return root_away && (strcmp(key->file, snapshot) == 0 || strcmp(key->file, timestamp) == 0);
}

bool repo_next_key(struct repo *r, enum tuf_role_kind role, struct sign_public *out) {
    char file[REPO_KEY_FILE_SIZE];
    repo_key_file(role, true, file);
    pthread_mutex_lock(&r->lock);
    const struct repo_key *key = find_file(r, file);
    if (key != NULL) *out = *sign_secret_public(key->secret);
    pthread_mutex_unlock(&r->lock);
    return key != NULL;
}

void repo_keys_list(struct repo *r, const struct tuf_root *root, struct text *named_ids,
                    struct text *unnamed_files) {
    bool root_away = !repo_can_sign(r, &root->roles[TUF_ROOT]);
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->secret_count; i++) {
        bool named = tuf_root_names(root, r->secrets[i].id);
        if (!named && waits(&r->secrets[i], root_away)) continue;
        struct text *list = named ? named_ids : unnamed_files;
        text_add_format(list, "%s%s", list->length > 0 ? " " : "",
                        named ? r->secrets[i].id : r->secrets[i].file);
    }
    pthread_mutex_unlock(&r->lock);
}

static bool wipe_unnamed(struct repo *r, const struct tuf_root *root, struct err *e) {
    struct repo_key copies[REPO_KEYS_MAX];
    bool done = true, root_away = !repo_can_sign(r, &root->roles[TUF_ROOT]);
    pthread_mutex_lock(&r->lock);
    size_t count = r->secret_count;
    memcpy(copies, r->secrets, sizeof copies);
    pthread_mutex_unlock(&r->lock);
    for (size_t i = 0; i < count; i++) {
        if (tuf_root_names(root, copies[i].id) || waits(&copies[i], root_away)) continue;
        if (wipe(r, copies[i].file, e))
            log_info("repo.key_wiped", "file=%s", copies[i].file);
        else
            done = false;
    }
    return done;
}

/* Where the name is free: a key that two roles share keeps its own. */
static bool rename_next(struct repo *r, enum tuf_role_kind role, struct err *e) {
    char next[REPO_KEY_FILE_SIZE], file[REPO_KEY_FILE_SIZE], from[PATH_MAX], to[PATH_MAX];
    repo_key_file(role, true, next);
    repo_key_file(role, false, file);
    pthread_mutex_lock(&r->lock);
    bool due = find_file(r, next) != NULL && find_file(r, file) == NULL;
    pthread_mutex_unlock(&r->lock);
    if (!due) return true;
    if (!path_of(r, next, from, e) || !path_of(r, file, to, e)) return false;
    if (rename(from, to) != 0) return err_errno(e, errno, "rename %s", from);
    if (!file_sync_directory(r->directory, e)) return false;
    pthread_mutex_lock(&r->lock);
    struct repo_key *renamed = find_file(r, next);
    if (renamed != NULL) memcpy(renamed->file, file, sizeof file);
    pthread_mutex_unlock(&r->lock);
    return true;
}

void repo_keys_settle(struct repo *r, const struct tuf_root *root) {
    struct err e = {0};
    bool settled = wipe_unnamed(r, root, &e);
    for (int role = 0; role < TUF_ROLE_COUNT && settled; role++)
        settled = rename_next(r, (enum tuf_role_kind)role, &e);
    if (settled && keys_release_here(r->keys) && !repo_can_sign(r, &root->roles[TUF_ROOT])) {
        settled = keys_wipe_release(r->keys, &e);
        if (settled) log_info("repo.key_wiped", "file=release.key");
    }
    if (!settled) log_error("repo.keys", "error=%s next=%s", e.text, "restart the master");
}
