#include "master/catalog_internal.h"

#include "lib/file.h"
#include "lib/log.h"
#include "master/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STAGED_PATTERN "incoming-XXXXXX"

const char *catalog_objects_directory(const struct catalog *c) {
    return c->objects;
}

void catalog_object_path(const struct catalog *c, const char *sha256, char out[PATH_MAX]) {
    /* catalog_open made sure that every digest fits behind the directory. */
    if (snprintf(out, PATH_MAX, "%s/%s", c->objects, sha256) >= PATH_MAX) out[0] = '\0';
}

bool catalog_stage(struct catalog *c, struct staged *out, struct err *e) {
    *out = (struct staged){.fd = -1};
    if (!file_join(out->path, sizeof out->path, c->staging, STAGED_PATTERN, e)) return false;
    out->fd = mkostemp(out->path, O_CLOEXEC);
    if (out->fd >= 0) return true;
    out->path[0] = '\0';
    return err_errno(e, errno, "make a file in %s", c->staging);
}

void catalog_unstage(struct staged *s) {
    if (s->fd >= 0) close(s->fd);
    if (s->path[0] != '\0') unlink(s->path);
    *s = (struct staged){.fd = -1};
}

static bool claimed(const struct catalog *c, const char *sha256) {
    for (const struct object_claim *claim = c->claims; claim != NULL; claim = claim->next)
        if (strcmp(claim->sha256, sha256) == 0) return true;
    return false;
}

void objects_claim(struct catalog *c, struct object_claim *claim, const char *sha256) {
    pthread_mutex_lock(&c->lock);
    while (claimed(c, sha256)) pthread_cond_wait(&c->claim_ended, &c->lock);
    *claim = (struct object_claim){.sha256 = sha256, .next = c->claims};
    c->claims = claim;
    pthread_mutex_unlock(&c->lock);
}

void objects_end_claim(struct catalog *c, struct object_claim *claim) {
    pthread_mutex_lock(&c->lock);
    struct object_claim **at = &c->claims;
    while (*at != claim) at = &(*at)->next;
    *at = claim->next;
    pthread_cond_broadcast(&c->claim_ended);
    pthread_mutex_unlock(&c->lock);
}

bool objects_publish(struct catalog *c, const struct staged *staged, struct err *e) {
    char path[PATH_MAX];
    catalog_object_path(c, staged->sha256, path);
    if (fchmod(staged->fd, 0444) != 0)
        return err_errno(e, errno, "set the mode of %s", staged->path);
    return file_publish(staged->fd, staged->path, path, e) || err_wrap(e, "publish");
}

static bool take_count(struct db_row *row, void *argument, struct err *e) {
    (void)e;
    *(int64_t *)argument = db_column_int(row, 0);
    return true;
}

struct usage {
    const char *sha256;
    int64_t rows;
};

static bool count_rows(struct db_connection *c, void *argument, struct err *e) {
    struct usage *u = argument;
    return db_one(c, Q_ARTIFACT_DIGEST_IN_USE, take_count, &u->rows, e, "s", u->sha256);
}

static bool kept_for_holders(struct catalog *c, const char *sha256) {
    pthread_mutex_lock(&c->lock);
    bool held = c->holds > 0;
    if (held) {
        c->kept = memory_resize(c->kept, c->kept_count + 1, sizeof *c->kept);
        memcpy(c->kept[c->kept_count++], sha256, SHA256_HEX_SIZE);
    }
    pthread_mutex_unlock(&c->lock);
    return held;
}

void objects_drop_unused(struct catalog *c, const char *sha256) {
    char path[PATH_MAX];
    struct usage u = {.sha256 = sha256};
    struct err e = {0};
    if (kept_for_holders(c, sha256)) return;
    catalog_object_path(c, sha256, path);
    if (!db_read(c->db, count_rows, &u, &e) || (u.rows == 0 && !file_remove_durable(path, &e)))
        log_warn("catalog.object_left", "sha256=%s error=%s", sha256, e.text);
}

void objects_release(struct catalog *c, const char *sha256) {
    struct object_claim claim;
    objects_claim(c, &claim, sha256);
    objects_drop_unused(c, sha256);
    objects_end_claim(c, &claim);
}

void catalog_hold_objects(struct catalog *c) {
    pthread_mutex_lock(&c->lock);
    c->holds++;
    pthread_mutex_unlock(&c->lock);
}

void catalog_release_objects(struct catalog *c) {
    pthread_mutex_lock(&c->lock);
    char(*kept)[SHA256_HEX_SIZE] = NULL;
    size_t count = 0;
    if (--c->holds == 0) {
        kept = TAKE(c->kept);
        count = c->kept_count;
        c->kept_count = 0;
    }
    pthread_mutex_unlock(&c->lock);
    for (size_t i = 0; i < count; i++) objects_release(c, kept[i]);
    free(kept);
}

static void check_object(const struct catalog *c, const struct binary *b) {
    char path[PATH_MAX], file_name[ARTIFACT_FILE_SIZE];
    struct stat status;
    catalog_object_path(c, b->sha256, path);
    bool there = lstat(path, &status) == 0 && S_ISREG(status.st_mode);
    if (there && status.st_size == b->size_bytes) return;
    log_error("catalog.object_damaged",
              "file=%s sha256=%s expected_bytes=%lld found_bytes=%lld next=%s",
              artifact_file_name(&b->id, file_name), b->sha256, (long long)b->size_bytes,
              there ? (long long)status.st_size : -1LL,
              "push or drop the same file again, or restore a backup");
}

static int compare_digests(const void *a, const void *b) {
    return strcmp(a, b);
}

/* Of every object that a row names. */
struct digests {
    char (*list)[SHA256_HEX_SIZE];
    size_t count;
};

static void add_digest(struct digests *d, const char *sha256) {
    d->list = memory_resize(d->list, d->count + 1, sizeof *d->list);
    memcpy(d->list[d->count++], sha256, sizeof *d->list);
}

/* An entry of the objects directory that no row names. */
static void sweep_entry(const struct catalog *c, const char *name, const struct digests *named) {
    char path[PATH_MAX], key[SHA256_HEX_SIZE];
    struct err e;
    if (name[0] == '.') return;
    if (!sha256_hex_valid(name)) {
        log_warn("catalog.object_foreign", "name=%s directory=%s", name, c->objects);
        return;
    }
    memcpy(key, name, sizeof key);
    if (named->count > 0 &&
        bsearch(key, named->list, named->count, sizeof *named->list, compare_digests) != NULL)
        return;
    catalog_object_path(c, name, path);
    if (file_remove_durable(path, &e))
        log_info("catalog.object_swept", "sha256=%s", name);
    else
        log_warn("catalog.object_left", "sha256=%s error=%s", name, e.text);
}

static bool sweep(const struct catalog *c, struct digests *named, struct err *e) {
    DIR *directory = opendir(c->objects);
    if (directory == NULL) return err_errno(e, errno, "list %s", c->objects);
    if (named->count > 0) qsort(named->list, named->count, sizeof *named->list, compare_digests);
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) sweep_entry(c, entry->d_name, named);
    closedir(directory);
    return true;
}

bool objects_check(struct catalog *c, struct err *e) {
    OWN_MEMORY struct binary *rows = NULL;
    OWN_MEMORY struct held *held = NULL;
    struct digests named = {0};
    size_t count = 0, held_files = 0;
    if (!catalog_list(c, NULL, NULL, NULL, NULL, &rows, &count, e) ||
        !held_list(c->db, &held, &held_files, e))
        return false;
    for (size_t i = 0; i < count; i++) {
        check_object(c, &rows[i]);
        add_digest(&named, rows[i].sha256);
    }
    for (size_t i = 0; i < held_files; i++) {
        check_object(c, &held[i].binary);
        add_digest(&named, held[i].binary.sha256);
    }
    bool swept = sweep(c, &named, e);
    free(named.list);
    return swept;
}
