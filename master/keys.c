#include "master/keys.h"

#include "lib/file.h"
#include "lib/log.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define KEYS_DIRECTORY "keys"
#define TRUSTED_DIRECTORY "trusted-keys"
#define PUBLIC_SUFFIX ".pub"

/* A publisher and the file that makes it one; an operator may have named the file. */
struct trusted {
    struct publisher publisher;
    char file[NAME_MAX + 1];
};

struct keys {
    char directory[PATH_MAX]; /* STATE/trusted-keys */
    struct sign_secret *master;
    struct sign_public release_public;
    char release_file[PATH_MAX], release_public_file[PATH_MAX];
    pthread_mutex_t lock; /* guards the fields below */
    pthread_cond_t free;
    bool changing;               /* somebody adds or removes a key file: others wait their turn */
    struct sign_secret *release; /* NULL once it is wiped */
    size_t signing;              /* so many threads use it, outside the lock */
    struct trusted trusted[KEYS_PUBLISHERS_MAX];
    size_t count;
};

void keys_close(struct keys *k) {
    if (k == NULL) return;
    sign_secret_free(k->master);
    sign_secret_free(k->release);
    pthread_cond_destroy(&k->free);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

static bool make_key(const char *path, struct sign_secret **out, struct err *e) {
    OWN(sign_secret) struct sign_secret *made = NULL;
    if (!sign_generate(&made, e) || !sign_secret_write(made, path, e)) return false;
    *out = TAKE(made);
    return true;
}

static bool explain_missing(const char *path, struct err *e) {
    err_set(e, ERR_CORRUPT, "key %s is missing, but this state directory has been used before",
            path);
    return err_hint(e, "restore a backup: gridctl backup restore FILE --state DIR");
}

static bool read_or_make(const char *directory, const char *name, bool fresh,
                         struct sign_secret **out, struct err *e) {
    char path[PATH_MAX];
    if (!file_join(path, sizeof path, directory, name, e)) return false;
    if (sign_secret_read(path, NULL, out, e)) return true;
    if (e->code != ERR_NOT_FOUND) return false;
    return fresh ? make_key(path, out, e) : explain_missing(path, e);
}

/* One that was wiped has left its public half. */
static bool open_release(struct keys *k, const char *directory, bool fresh, struct err *e) {
    if (read_or_make(directory, "release.key", fresh, &k->release, e)) {
        k->release_public = *sign_secret_public(k->release);
        return true;
    }
    struct err why;
    return e->code == ERR_CORRUPT &&
           sign_public_read(k->release_public_file, &k->release_public, &why);
}

static bool open_own_keys(struct keys *k, const char *state, bool fresh, struct err *e) {
    char directory[PATH_MAX];
    if (!file_join(directory, sizeof directory, state, KEYS_DIRECTORY, e)) return false;
    if (fresh && !file_make_directory(directory, 0700, e)) return false;
    return file_join(k->release_file, sizeof k->release_file, directory, "release.key", e) &&
           file_join(k->release_public_file, sizeof k->release_public_file, directory,
                     "release.pub", e) &&
           read_or_make(directory, "master.key", fresh, &k->master, e) &&
           open_release(k, directory, fresh, e);
}

static bool same_id(const struct sign_public *a, const struct sign_public *b) {
    return memcmp(a->id, b->id, sizeof a->id) == 0;
}

/* An id names one key: a publisher that shares the id of one of ours could be taken for it. */
static bool check_foreign(const struct keys *k, const struct sign_public *publisher,
                          struct err *e) {
    const struct sign_public *own[] = {&k->release_public, sign_secret_public(k->master)};
    char id[SIGN_KEY_ID_HEX_SIZE];
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (!same_id(publisher, own[i]) &&
            memcmp(publisher->key, own[i]->key, sizeof publisher->key) != 0)
            continue;
        err_set(e, ERR_CONFLICT, "key %s is the grid's own %s key, which no publisher may have",
                sign_key_id(publisher, id), i == 0 ? "release" : "master");
        return err_hint(e, "make a publisher's key: gridctl key generate");
    }
    return true;
}

/* Under the lock, as are the others with a leading struct keys that look at trusted[]. */
static struct trusted *find(struct keys *k, const char *key_id_hex) {
    char id[SIGN_KEY_ID_HEX_SIZE];
    for (size_t i = 0; i < k->count; i++)
        if (strcasecmp(sign_key_id(&k->trusted[i].publisher.key, id), key_id_hex) == 0)
            return &k->trusted[i];
    return NULL;
}

static bool check_room(const struct keys *k, struct err *e) {
    if (k->count < KEYS_PUBLISHERS_MAX) return true;
    err_set(e, ERR_CONFLICT, "%d publisher keys are trusted already, which is the most",
            KEYS_PUBLISHERS_MAX);
    return err_hint(e, "remove one: gridctl key list, then DELETE /api/keys/KEY_ID");
}

static bool key_file_path(const struct keys *k, const char *file, char path[PATH_MAX],
                          struct err *e) {
    return file_join(path, PATH_MAX, k->directory, file, e);
}

/* A damaged key file stops the start: passing over it could turn "signatures needed" off. */
static bool read_publisher(struct keys *k, const char *file, struct err *e) {
    char path[PATH_MAX], id[SIGN_KEY_ID_HEX_SIZE];
    struct stat status;
    struct trusted added = {0};
    if (!key_file_path(k, file, path, e) || !check_room(k, e)) return false;
    if (stat(path, &status) != 0) return err_errno(e, errno, "publisher key %s", path);
    if (!sign_public_read(path, &added.publisher.key, e)) {
        if (e->code == ERR_INVALID) e->code = ERR_CORRUPT;
        return err_hint(e, "correct the file or move it away");
    }
    if (!check_foreign(k, &added.publisher.key, e)) return err_wrap(e, "%s", path);
    const struct trusted *other = find(k, sign_key_id(&added.publisher.key, id));
    if (other != NULL)
        return err_set(e, ERR_CONFLICT, "%s and %s in %s hold keys of the same id %s", other->file,
                       file, k->directory, id);
    added.publisher.trusted_at_ms = (int64_t)status.st_mtim.tv_sec * 1000;
    if (!text_copy(added.file, sizeof added.file, file)) return false;
    k->trusted[k->count++] = added;
    return true;
}

static int is_public_key(const struct dirent *entry) {
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > sizeof PUBLIC_SUFFIX - 1 &&
           strcmp(entry->d_name + length - (sizeof PUBLIC_SUFFIX - 1), PUBLIC_SUFFIX) == 0;
}

static bool read_publishers(struct keys *k, struct err *e) {
    struct dirent **entries = NULL;
    int count = scandir(k->directory, &entries, is_public_key, alphasort);
    if (count < 0) return err_errno(e, errno, "list %s", k->directory);
    bool fine = true;
    for (int i = 0; i < count; i++) {
        fine = fine && read_publisher(k, entries[i]->d_name, e);
        free(entries[i]);
    }
    free(entries);
    return fine;
}

bool keys_open(struct keys **out, const char *state_directory, bool fresh, struct err *e) {
    OWN(keys) struct keys *k = memory_zeroed(1, sizeof *k);
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->free, NULL);
    if (!file_join(k->directory, sizeof k->directory, state_directory, TRUSTED_DIRECTORY, e) ||
        !open_own_keys(k, state_directory, fresh, e) ||
        !file_make_directory(k->directory, 0700, e) || !read_publishers(k, e))
        return err_wrap(e, "keys");
    *out = TAKE(k);
    return true;
}

const struct sign_secret *keys_master(const struct keys *k) {
    return k->master;
}

const struct sign_public *keys_release(const struct keys *k) {
    return &k->release_public;
}

bool keys_release_here(struct keys *k) {
    pthread_mutex_lock(&k->lock);
    bool here = k->release != NULL;
    pthread_mutex_unlock(&k->lock);
    return here;
}

bool keys_sign_release(struct keys *k, int fd, const char *file_name, struct text *out,
                       struct err *e) {
    pthread_mutex_lock(&k->lock);
    const struct sign_secret *secret = k->release;
    if (secret != NULL) k->signing++;
    pthread_mutex_unlock(&k->lock);
    if (secret == NULL) return true;
    bool done = sign_file(secret, fd, file_name, out, e);
    pthread_mutex_lock(&k->lock);
    k->signing--;
    pthread_cond_broadcast(&k->free);
    pthread_mutex_unlock(&k->lock);
    return done;
}

size_t keys_publishers(struct keys *k, struct publisher out[KEYS_PUBLISHERS_MAX]) {
    pthread_mutex_lock(&k->lock);
    size_t count = k->count;
    for (size_t i = 0; i < count; i++) out[i] = k->trusted[i].publisher;
    pthread_mutex_unlock(&k->lock);
    return count;
}

/* Changes of key files come one after another, so that memory and directory cannot disagree;
 * readers do not wait for the disk. */
static void begin_change(struct keys *k) {
    pthread_mutex_lock(&k->lock);
    while (k->changing) pthread_cond_wait(&k->free, &k->lock);
    k->changing = true;
    pthread_mutex_unlock(&k->lock);
}

static void end_change(struct keys *k) {
    pthread_mutex_lock(&k->lock);
    k->changing = false;
    pthread_cond_broadcast(&k->free);
    pthread_mutex_unlock(&k->lock);
}

/* Whether the key is to be added. False with e->code ERR_NONE when it is there already. */
static bool check_new(struct keys *k, const struct sign_public *publisher, struct err *e) {
    char id[SIGN_KEY_ID_HEX_SIZE];
    *e = (struct err){0};
    pthread_mutex_lock(&k->lock);
    const struct trusted *known = find(k, sign_key_id(publisher, id));
    bool is_new = known == NULL && check_room(k, e);
    if (known != NULL && !sign_public_equal(&known->publisher.key, publisher))
        err_set(e, ERR_CONFLICT, "another key of the id %s is trusted already", id);
    pthread_mutex_unlock(&k->lock);
    return is_new;
}

static bool write_publisher(struct keys *k, const struct sign_public *publisher, struct err *e) {
    struct trusted added = {.publisher = {.key = *publisher}};
    char path[PATH_MAX], id[SIGN_KEY_ID_HEX_SIZE];
    struct stat status;
    snprintf(added.file, sizeof added.file, "%s" PUBLIC_SUFFIX, sign_key_id(publisher, id));
    if (!key_file_path(k, added.file, path, e) || !sign_public_write(publisher, path, e))
        return false;
    if (stat(path, &status) == 0)
        added.publisher.trusted_at_ms = (int64_t)status.st_mtim.tv_sec * 1000;
    pthread_mutex_lock(&k->lock);
    assert(k->count < KEYS_PUBLISHERS_MAX);
    k->trusted[k->count++] = added;
    pthread_mutex_unlock(&k->lock);
    return true;
}

bool keys_trust(struct keys *k, const struct sign_public *publisher, struct err *e) {
    if (!check_foreign(k, publisher, e)) return false;
    begin_change(k);
    bool done = check_new(k, publisher, e) ? write_publisher(k, publisher, e) : e->code == ERR_NONE;
    end_change(k);
    return done;
}

static bool remove_publisher(struct keys *k, const char *key_id_hex, struct err *e) {
    char path[PATH_MAX], file[NAME_MAX + 1] = "";
    pthread_mutex_lock(&k->lock);
    const struct trusted *known = find(k, key_id_hex);
    if (known != NULL) memcpy(file, known->file, sizeof file);
    pthread_mutex_unlock(&k->lock);
    if (known == NULL) {
        err_set(e, ERR_NOT_FOUND, "no publisher key %s is trusted", key_id_hex);
        return err_hint(e, "gridctl key list shows the ids");
    }
    if (!key_file_path(k, file, path, e) || !file_remove_durable(path, e)) return false;
    pthread_mutex_lock(&k->lock);
    struct trusted *gone = find(k, key_id_hex);
    size_t index = (size_t)(gone - k->trusted);
    memmove(gone, gone + 1, (--k->count - index) * sizeof *gone);
    pthread_mutex_unlock(&k->lock);
    return true;
}

bool keys_distrust(struct keys *k, const char *key_id_hex, struct err *e) {
    begin_change(k);
    bool done = remove_publisher(k, key_id_hex, e);
    end_change(k);
    return done;
}

static void forget_release(struct keys *k) {
    pthread_mutex_lock(&k->lock);
    struct sign_secret *gone = TAKE(k->release);
    while (k->signing > 0) pthread_cond_wait(&k->free, &k->lock);
    pthread_mutex_unlock(&k->lock);
    sign_secret_free(gone);
}

bool keys_wipe_release(struct keys *k, struct err *e) {
    begin_change(k);
    bool done = sign_public_write(&k->release_public, k->release_public_file, e) &&
                file_wipe(k->release_file, e);
    if (done) forget_release(k);
    end_change(k);
    return done || err_wrap(e, "release key");
}
