/* The data directory as a whole: opening, quarantine, removal. */
#include "storage-server/chunks_internal.h"
#include "storage-server/conditions.h"
#include "storage-server/measures.h"

#include "lib/file.h"
#include "lib/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

int chunks_directory_fd(const struct chunks *c, const char *id) {
    return c->data_fds[chunk_directory(id)];
}

void chunks_name(const char *id, char out[CHUNK_NAME_SIZE]) {
    chunk_file_name(id, 0, out);
}

unsigned chunks_conditions(const struct chunks *c) {
    return atomic_load(&c->conditions);
}

int64_t chunks_count(const struct chunks *c) {
    return atomic_load(&c->count);
}

/* Opens directory/name, making it if need be. */
static int open_part(const char *directory, const char *name, struct err *e) {
    char path[PATH_MAX];
    if (!file_join(path, sizeof path, directory, name, e) || !file_make_directory(path, 0700, e))
        return -1;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) err_errno(e, errno, "open %s", path);
    return fd;
}

/* Opens data/ab, making it if need be. */
static bool open_data_directory(struct chunks *c, int data_fd, unsigned directory, bool *made,
                                struct err *e) {
    char name[3];
    chunk_directory_name(directory, name);
    bool makes = mkdirat(data_fd, name, 0700) == 0;
    if (!makes && errno != EEXIST)
        return err_errno(e, errno, "make %s/data/%s", c->directory, name);
    *made = *made || makes;
    c->data_fds[directory] = openat(data_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return c->data_fds[directory] >= 0 ||
           err_errno(e, errno, "open %s/data/%s", c->directory, name);
}

static bool open_data_directories(struct chunks *c, struct err *e) {
    OWN_FD int data_fd = open_part(c->directory, "data", e);
    bool made = false;
    if (data_fd < 0) return false;
    for (unsigned i = 0; i < CHUNK_DIRECTORIES; i++)
        if (!open_data_directory(c, data_fd, i, &made, e)) return false;
    return !made || fsync(data_fd) == 0 || err_errno(e, errno, "flush %s/data", c->directory);
}

static bool clear_temporary(struct chunks *c, struct err *e) {
    char path[PATH_MAX];
    return file_join(path, sizeof path, c->directory, "tmp", e) && file_clear_directory(path, e);
}

static bool count_chunks(struct chunks *c, struct err *e) {
    for (unsigned i = 0; i < CHUNK_DIRECTORIES; i++) {
        size_t count = 0;
        if (!chunks_tally(c, i, "", &count, e)) return false;
        atomic_fetch_add(&c->count, (long long)count);
    }
    return true;
}

static bool open_root(struct chunks *c, struct err *e) {
    c->root_fd = open(c->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return c->root_fd >= 0 || err_errno(e, errno, "open %s", c->directory);
}

static bool open_parts(struct chunks *c, struct err *e) {
    return open_root(c, e) && open_data_directories(c, e) &&
           (c->temporary_fd = open_part(c->directory, "tmp", e)) >= 0 &&
           (c->quarantine_fd = open_part(c->directory, "quarantine", e)) >= 0 &&
           clear_temporary(c, e) && count_chunks(c, e);
}

bool chunks_open(struct chunks **out, const char *directory, int64_t reserve_bytes, struct err *e) {
    OWN(chunks) struct chunks *c = memory_zeroed(1, sizeof *c);
    c->directory = text_duplicate(directory);
    c->root_fd = c->temporary_fd = c->quarantine_fd = -1;
    for (unsigned i = 0; i < CHUNK_DIRECTORIES; i++) c->data_fds[i] = -1;
    c->reserve_bytes = reserve_bytes;
    pthread_mutex_init(&c->removal, NULL);
    pthread_mutex_init(&c->buffers, NULL);
    file_drop_unfinished(directory);
    if (!open_parts(c, e)) return false;
    *out = TAKE(c);
    return true;
}

static void close_part(int fd) {
    if (fd >= 0) close(fd);
}

void chunks_close(struct chunks *c) {
    if (c == NULL) return;
    for (unsigned i = 0; i < CHUNK_DIRECTORIES; i++) close_part(c->data_fds[i]);
    close_part(c->root_fd);
    close_part(c->temporary_fd);
    close_part(c->quarantine_fd);
    chunks_trim(c);
    pthread_mutex_destroy(&c->buffers);
    pthread_mutex_destroy(&c->removal);
    free(c->directory);
    free(c);
}

bool chunks_sync_directory(struct chunks *c, const char *id, struct err *e) {
    return fsync(chunks_directory_fd(c, id)) == 0 || chunks_flush_failed(c, errno, id, e);
}

const char *chunk_use_name(enum chunk_use use) {
    static const char *const names[] = {
        [CHUNK_FOR_CLIENT] = "read",
        [CHUNK_FOR_SCRUB] = "scrub",
        [CHUNK_FOR_COMPARISON] = "write",
    };
    assert((size_t)use < sizeof names / sizeof names[0]);
    return names[use];
}

/* Whether the chunk's name still means the open file. */
static bool is_still(const struct chunks *c, const char *id, const char *name, int fd) {
    struct stat named;
    struct stat opened;
    return fstatat(chunks_directory_fd(c, id), name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           fstat(fd, &opened) == 0 && named.st_ino == opened.st_ino &&
           named.st_dev == opened.st_dev;
}

static bool move_away(struct chunks *c, const char *id, int fd, struct err *e) {
    char name[CHUNK_NAME_SIZE];
    chunks_name(id, name);
    pthread_mutex_lock(&c->removal);
    bool there = is_still(c, id, name, fd);
    bool moved = there && renameat(chunks_directory_fd(c, id), name, c->quarantine_fd, name) == 0;
    if (there && !moved) err_errno(e, errno, "move to quarantine");
    pthread_mutex_unlock(&c->removal);
    if (!there) err_set(e, ERR_NOT_FOUND, "replaced or removed meanwhile");
    return moved;
}

static bool may_move(const struct chunks *c, struct err *e) {
    return !(atomic_load(&c->conditions) & CONDITION_WRITE_ERROR) ||
           err_set(e, ERR_UNAVAILABLE, "read-only");
}

void chunks_quarantine(struct chunks *c, const char *id, int fd, enum chunk_use use,
                       const char *why) {
    struct err e = {0};
    bool moved = may_move(c, &e) && move_away(c, id, fd, &e);
    if (e.code == ERR_NOT_FOUND) return; /* somebody was here before and counted it */
    metric_add(&measure_corrupt_chunks, 1, chunk_use_name(use), NULL);
    log_error("chunk.corrupt", "id=%s found_by=%s why=%s quarantined=%s error=%s", id,
              chunk_use_name(use), why, moved ? "yes" : "no", e.text);
    if (!moved) return;
    atomic_fetch_sub(&c->count, 1);
    if (fsync(c->quarantine_fd) != 0) chunks_flush_failed(c, errno, id, &e);
    (void)!chunks_sync_directory(c, id, &e);
}

static bool unlink_chunk(struct chunks *c, const char *id, struct err *e) {
    char name[CHUNK_NAME_SIZE];
    chunks_name(id, name);
    pthread_mutex_lock(&c->removal);
    int errno_value = unlinkat(chunks_directory_fd(c, id), name, 0) == 0 ? 0 : errno;
    pthread_mutex_unlock(&c->removal);
    if (errno_value == ENOENT) return err_set(e, ERR_NOT_FOUND, "there is no chunk %s", id);
    return errno_value == 0 || chunks_write_failed(c, errno_value, 0, id, e);
}

bool chunks_remove(struct chunks *c, const char *id, struct err *e) {
    if (!chunk_id_check(id, e) || !conditions_allow_delete(atomic_load(&c->conditions), e))
        return false;
    if (!unlink_chunk(c, id, e)) return false;
    atomic_fetch_sub(&c->count, 1);
    return chunks_sync_directory(c, id, e);
}
