#include "master/uploads.h"

#include "lib/file.h"
#include "lib/log.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEEP_MS (INT64_C(24) * 3600 * 1000)
#define RESERVE_BYTES (INT64_C(64) << 20) /* left for the database when an upload begins */
#define BLOCK_BYTES (256 * 1024)

/* An upload that somebody is writing, on that thread's stack. */
struct writer {
    const char *sha256;
    struct writer *next;
};

struct uploads {
    struct catalog *catalog;
    char directory[PATH_MAX];
    pthread_mutex_t lock; /* guards writers */
    struct writer *writers;
};

bool uploads_open(struct uploads **out, const char *state_directory, struct catalog *catalog,
                  struct err *e) {
    OWN(uploads) struct uploads *u = memory_zeroed(1, sizeof *u);
    u->catalog = catalog;
    pthread_mutex_init(&u->lock, NULL);
    if (!file_join(u->directory, sizeof u->directory, state_directory, "uploads", e) ||
        !file_make_directory(u->directory, 0700, e))
        return err_wrap(e, "uploads");
    *out = TAKE(u);
    return true;
}

void uploads_close(struct uploads *u) {
    if (u == NULL) return;
    assert(u->writers == NULL);
    pthread_mutex_destroy(&u->lock);
    free(u);
}

static bool being_written(const struct uploads *u, const char *sha256) {
    for (const struct writer *w = u->writers; w != NULL; w = w->next)
        if (strcmp(w->sha256, sha256) == 0) return true;
    return false;
}

static bool begin_writing(struct uploads *u, struct writer *w, const char *sha256) {
    pthread_mutex_lock(&u->lock);
    bool begun = !being_written(u, sha256);
    if (begun) {
        *w = (struct writer){.sha256 = sha256, .next = u->writers};
        u->writers = w;
    }
    pthread_mutex_unlock(&u->lock);
    return begun;
}

static void end_writing(struct uploads *u, struct writer *w) {
    pthread_mutex_lock(&u->lock);
    struct writer **at = &u->writers;
    while (*at != w) at = &(*at)->next;
    *at = w->next;
    pthread_mutex_unlock(&u->lock);
}

static bool part_path(const struct uploads *u, const char *sha256, char path[PATH_MAX],
                      struct err *e) {
    if (!sha256_hex_valid(sha256))
        return err_set(e, ERR_INVALID, "sha256: 64 lower-case hex digits are expected");
    return file_join(path, PATH_MAX, u->directory, sha256, e);
}

bool uploads_offset(struct uploads *u, const char *sha256, int64_t *offset, struct err *e) {
    char path[PATH_MAX];
    struct stat status;
    *offset = 0;
    if (!part_path(u, sha256, path, e)) return false;
    if (lstat(path, &status) == 0)
        *offset = status.st_size;
    else if (errno != ENOENT)
        return err_errno(e, errno, "upload %s", sha256);
    return true;
}

/* What is written to: a part under its digest, or a staged file when the digest is not known. */
struct target {
    int fd;
    const char *path;
    int64_t size_bytes;
};

static bool check_piece(const struct upload_piece *p, int64_t length, struct err *e) {
    int64_t total = p->total >= 0 ? p->total : length;
    if (total > UPLOAD_MAX_BYTES)
        return err_set(e, ERR_TOO_LARGE, "%" PRId64 " bytes: at most %" PRId64, total,
                       UPLOAD_MAX_BYTES);
    bool whole = p->first == 0 && (p->total < 0 || p->total == length);
    if (p->sha256 == NULL && !whole)
        return err_set(e, ERR_INVALID, "a piece needs ?sha256= of the whole");
    if (p->total >= 0 && (p->first < 0 || (length >= 0 && length > p->total - p->first)))
        return err_set(e, ERR_INVALID,
                       "the piece reaches beyond the %" PRId64 " bytes of the whole", p->total);
    return true;
}

static bool check_space(const struct uploads *u, int64_t bytes, struct err *e) {
    int64_t unused = 0;
    if (!file_free_bytes(u->directory, &unused, e)) return false;
    if (unused - RESERVE_BYTES >= (bytes > 0 ? bytes : 0)) return true;
    err_set(e, ERR_NO_SPACE, "%" PRId64 " bytes are free on the master, %" PRId64 " are needed",
            unused, (bytes > 0 ? bytes : 0) + RESERVE_BYTES);
    return err_hint(e, "make room on the file system of %s", u->directory);
}

static bool write_block(struct target *t, const char *bytes, size_t length, struct err *e) {
    while (length > 0) {
        ssize_t count = write(t->fd, bytes, length);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return err_errno(e, errno, "write %s", t->path);
        bytes += count;
        length -= (size_t)count;
        t->size_bytes += count;
    }
    return true;
}

/* Copies until the source ends. limit is what the whole may have at most. */
static bool copy_body(struct target *t, int64_t limit, upload_source *source, void *context,
                      struct err *e) {
    OWN_MEMORY char *block = memory_resize(NULL, 1, BLOCK_BYTES);
    for (;;) {
        size_t length = 0;
        if (!source(context, block, BLOCK_BYTES, &length, e)) return false;
        if (length == 0) return true;
        if ((int64_t)length > limit - t->size_bytes)
            return err_set(e, ERR_TOO_LARGE, "more than the %" PRId64 " bytes of the whole", limit);
        if (!write_block(t, block, length, e)) return false;
    }
}

static bool take_whole(struct uploads *u, upload_source *source, void *context,
                       struct staged *staged, struct err *e) {
    if (!catalog_stage(u->catalog, staged, e)) return false;
    struct target t = {.fd = staged->fd, .path = staged->path};
    if (copy_body(&t, UPLOAD_MAX_BYTES, source, context, e) &&
        sha256_file(staged->fd, staged->sha256, &staged->size_bytes, e))
        return true;
    catalog_unstage(staged);
    return false;
}

static bool open_part(const char *path, const struct upload_piece *p, struct target *t,
                      struct err *e) {
    struct stat status;
    int flags = O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC;
    *t = (struct target){.fd = open(path, p->total < 0 ? flags | O_TRUNC : flags, 0600),
                         .path = path};
    if (t->fd < 0 || fstat(t->fd, &status) != 0) return err_errno(e, errno, "open %s", path);
    t->size_bytes = status.st_size;
    if (p->first == t->size_bytes) return true;
    err_set(e, ERR_CONFLICT, "the piece begins at %" PRId64 ", but %" PRId64 " bytes are here",
            p->first, t->size_bytes);
    return err_hint(e, "go on at Upload-Offset");
}

/* The part has all its bytes: it leaves the place where it could be added to. */
static bool finish_part(struct uploads *u, const char *path, const char *sha256,
                        struct staged *staged, struct err *e) {
    if (!catalog_stage(u->catalog, staged, e)) return false;
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || rename(path, staged->path) != 0) {
        err_errno(e, errno, "take %s over", path);
        if (fd >= 0) close(fd);
        catalog_unstage(staged);
        return false;
    }
    close(staged->fd);
    staged->fd = fd;
    bool hashed = sha256_file(fd, staged->sha256, &staged->size_bytes, e);
    if (hashed && strcmp(staged->sha256, sha256) == 0) return true;
    if (hashed) {
        err_set(e, ERR_UNTRUSTED, "the bytes have sha256 %s, not %s; nothing was kept",
                staged->sha256, sha256);
        err_hint(e, "send all of it again");
    }
    catalog_unstage(staged);
    return false;
}

/* Acknowledged bytes are durable, those that came before a client disappeared too. */
static bool write_piece(const struct upload_piece *p, struct target *t, upload_source *source,
                        void *context, struct err *e) {
    bool copied = copy_body(t, p->total >= 0 ? p->total : UPLOAD_MAX_BYTES, source, context, e);
    if (fdatasync(t->fd) == 0) return copied;
    if (copied) err_errno(e, errno, "flush %s", t->path);
    /* A second flush would succeed without the bytes being on the disk: all of it is sent again. */
    (void)unlink(t->path);
    t->size_bytes = 0;
    return false;
}

static bool take_piece(struct uploads *u, const struct upload_piece *p, upload_source *source,
                       void *context, bool *complete, int64_t *offset, struct staged *staged,
                       struct err *e) {
    char path[PATH_MAX];
    struct target t = {.fd = -1};
    if (!part_path(u, p->sha256, path, e)) return false;
    bool written = open_part(path, p, &t, e);
    *offset = t.size_bytes;
    written = written && write_piece(p, &t, source, context, e);
    if (t.fd >= 0) close(t.fd);
    *offset = t.size_bytes;
    if (!written) return false;
    *complete = p->total < 0 || t.size_bytes == p->total;
    return !*complete || finish_part(u, path, p->sha256, staged, e);
}

bool uploads_take(struct uploads *u, const struct upload_piece *piece, int64_t length,
                  upload_source *source, void *context, bool *complete, int64_t *offset,
                  struct staged *staged, struct err *e) {
    struct writer w;
    *complete = false;
    *offset = 0;
    *staged = (struct staged){.fd = -1};
    if (!check_piece(piece, length, e) || !check_space(u, length, e)) return false;
    if (piece->sha256 == NULL) {
        *complete = take_whole(u, source, context, staged, e);
        return *complete;
    }
    if (!begin_writing(u, &w, piece->sha256)) {
        if (!uploads_offset(u, piece->sha256, offset, e)) return false;
        err_set(e, ERR_CONFLICT, "somebody else is uploading these bytes");
        return err_hint(e, "wait, then go on at Upload-Offset");
    }
    bool taken = take_piece(u, piece, source, context, complete, offset, staged, e);
    end_writing(u, &w);
    if (!taken) *complete = false;
    return taken;
}

static bool read_request(void *context, void *out, size_t size, size_t *length, struct err *e) {
    return http_body_read(context, out, size, length, e);
}

bool uploads_receive(struct uploads *u, struct http_request *r, const struct upload_piece *piece,
                     bool *complete, int64_t *offset, struct staged *staged, struct err *e) {
    return uploads_take(u, piece, http_body_length(r), read_request, r, complete, offset, staged,
                        e);
}

static void prune_part(struct uploads *u, const char *name, int64_t before_s) {
    char path[PATH_MAX];
    struct stat status;
    struct writer w;
    struct err e;
    if (!part_path(u, name, path, &e) || lstat(path, &status) != 0 ||
        status.st_mtim.tv_sec >= before_s || !begin_writing(u, &w, name))
        return;
    if (file_remove_durable(path, &e))
        log_info("upload.pruned", "sha256=%s", name);
    else
        log_warn("upload.prune", "sha256=%s error=%s", name, e.text);
    end_writing(u, &w);
}

void uploads_prune(struct uploads *u, int64_t now_wall_ms) {
    DIR *directory = opendir(u->directory);
    const struct dirent *entry;
    if (directory == NULL) {
        log_warn("upload.prune", "directory=%s error=%s", u->directory, strerror(errno));
        return;
    }
    while ((entry = readdir(directory)) != NULL)
        prune_part(u, entry->d_name, (now_wall_ms - KEEP_MS) / 1000);
    closedir(directory);
}
