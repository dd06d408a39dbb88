/* What a failure of the disk means for the node, and whether there is room. */
#include "storage-server/chunks_internal.h"
#include "storage-server/conditions.h"
#include "storage-server/measures.h"

#include "lib/file.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static void set_condition(struct chunks *c, unsigned condition, const char *event, const char *id,
                          int errno_value) {
    if (atomic_fetch_or(&c->conditions, condition) & condition) return;
    log_error(event, "chunk=%s error=%s", id, strerrordesc_np(errno_value));
}

static bool is_no_space(int errno_value) {
    return errno_value == ENOSPC || errno_value == EDQUOT;
}

/* Of this process or machine, not of the disk. */
static bool is_shortage(int errno_value) {
    return errno_value == EMFILE || errno_value == ENFILE || errno_value == ENOMEM ||
           errno_value == EAGAIN;
}

static bool shortage(int errno_value, const char *id, struct err *e) {
    err_set(e, ERR_UNAVAILABLE, "chunk %s: %s", id, strerrordesc_np(errno_value));
    return err_hint(e, "try again in a moment");
}

bool chunks_open_failed(struct chunks *c, int errno_value, const char *id, struct err *e) {
    if (errno_value == ENOENT)
        return conditions_allow_absence(atomic_load(&c->conditions), e) &&
               err_set(e, ERR_NOT_FOUND, "there is no chunk %s", id);
    if (is_shortage(errno_value)) return shortage(errno_value, id, e);
    return chunks_read_failed(c, errno_value, id, e);
}

bool chunks_read_failed(struct chunks *c, int errno_value, const char *id, struct err *e) {
    metric_add(&measure_io_errors, 1, "read", NULL);
    set_condition(c, CONDITION_READ_ERROR, "disk.read_failed", id, errno_value);
    err_set(e, ERR_IO, "chunk %s could not be read: %s", id, strerrordesc_np(errno_value));
    return err_hint(e, "read another copy");
}

static bool is_deleted(int directory_fd) {
    struct stat opened;
    return fstat(directory_fd, &opened) == 0 && opened.st_nlink == 0;
}

static bool any_part_deleted(const struct chunks *c) {
    bool deleted = is_deleted(c->temporary_fd);
    for (unsigned i = 0; i < CHUNK_DIRECTORIES && !deleted; i++)
        deleted = is_deleted(c->data_fds[i]);
    return deleted;
}

/* Whether the path leads to what was opened. */
static bool is_in_place(const struct chunks *c) {
    struct stat named;
    struct stat opened;
    if (stat(c->directory, &named) != 0) return errno != ENOENT && errno != ENOTDIR;
    return fstat(c->root_fd, &opened) != 0 ||
           (named.st_ino == opened.st_ino && named.st_dev == opened.st_dev);
}

void chunks_look_for_data(struct chunks *c) {
    bool missing = !is_in_place(c) || any_part_deleted(c);
    bool was = (atomic_load(&c->conditions) & CONDITION_DATA_MISSING) != 0;
    if (missing == was) return;
    if (missing) {
        set_condition(c, CONDITION_DATA_MISSING, "data.missing", "-", ENOENT);
    } else {
        atomic_fetch_and(&c->conditions, ~(unsigned)CONDITION_DATA_MISSING);
        log_info("data.back", "directory=%s", c->directory);
    }
}

static bool now_full(struct chunks *c, int64_t total_bytes, const char *id, int errno_value,
                     struct err *e) {
    atomic_store(&c->needed_bytes, space_needed_again(total_bytes));
    set_condition(c, CONDITION_DISK_FULL, "disk.full", id, errno_value);
    return conditions_allow_write(CONDITION_DISK_FULL, e);
}

bool chunks_write_failed(struct chunks *c, int errno_value, int64_t total_bytes, const char *id,
                         struct err *e) {
    if (is_shortage(errno_value)) return shortage(errno_value, id, e);
    if (is_no_space(errno_value)) return now_full(c, total_bytes, id, errno_value, e);
    chunks_look_for_data(c);
    if (!conditions_allow_absence(atomic_load(&c->conditions), e)) return false;
    if (errno_value == EFBIG)
        return err_set(e, ERR_NO_SPACE,
                       "chunk %s is larger than this process may write (ulimit -f)", id);
    metric_add(&measure_io_errors, 1, "write", NULL);
    set_condition(c, CONDITION_WRITE_ERROR, "disk.write_failed", id, errno_value);
    return err_set(e, ERR_IO, "chunk %s could not be written: %s", id,
                   strerrordesc_np(errno_value));
}

/* The kernel may have dropped what it could not write, and would report the next flush as done: it
 * is not tried again. */
bool chunks_flush_failed(struct chunks *c, int errno_value, const char *id, struct err *e) {
    metric_add(&measure_io_errors, 1, "flush", NULL);
    set_condition(c, CONDITION_WRITE_ERROR, "disk.flush_failed", id, errno_value);
    return err_set(e, ERR_IO, "chunk %s could not be flushed to disk: %s", id,
                   strerrordesc_np(errno_value));
}

bool chunks_space(struct chunks *c, int64_t *capacity_bytes, int64_t *free_bytes, struct err *e) {
    if (!file_capacity_bytes(c->directory, capacity_bytes, e) ||
        !file_free_bytes(c->directory, free_bytes, e))
        return false;
    *free_bytes = *free_bytes > c->reserve_bytes ? *free_bytes - c->reserve_bytes : 0;
    return true;
}

bool chunks_admit(struct chunks *c, int64_t total_bytes, struct err *e) {
    int64_t free_bytes = 0;
    struct err why;
    if (!file_free_bytes(c->directory, &free_bytes, &why)) {
        log_error("disk.no_free_space_known", "error=%s", why.text);
        err_set(e, ERR_UNAVAILABLE, "this node's disk does not tell its free space");
        return err_hint(e, "try again in a moment, or use another node");
    }
    if (space_fits(free_bytes, c->reserve_bytes, total_bytes)) return true;
    if (!space_fits(free_bytes, c->reserve_bytes, space_needed_again(total_bytes)))
        return now_full(c, total_bytes, "-", ENOSPC, e);
    err_set(e, ERR_NO_SPACE, "this node has no room for a chunk of %lld bytes",
            (long long)total_bytes);
    return err_hint(e, "use another node, or delete chunks here");
}

/* Writes, flushes and removes a small file that claims as much space as is needed. */
static bool can_write(struct chunks *c) {
    static const char block[4096];
    struct err e;
    int64_t needed = atomic_load(&c->needed_bytes);
    OWN_FD int fd =
        openat(c->temporary_fd, "probe", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    bool claimed =
        needed == 0 || fallocate(fd, 0, 0, needed) == 0 || errno == EOPNOTSUPP || errno == ENOSYS;
    bool written = claimed && pwrite(fd, block, sizeof block, 0) == (ssize_t)sizeof block;
    bool flushed = written && (fdatasync(fd) == 0 || chunks_flush_failed(c, errno, "-", &e));
    unlinkat(c->temporary_fd, "probe", 0);
    return flushed;
}

void chunks_probe(struct chunks *c) {
    int64_t free_bytes = 0;
    struct err e;
    chunks_look_for_data(c);
    unsigned conditions = atomic_load(&c->conditions);
    if ((conditions & (CONDITION_WRITE_ERROR | CONDITION_DATA_MISSING)) ||
        !file_free_bytes(c->directory, &free_bytes, &e))
        return;
    if (!(conditions & CONDITION_DISK_FULL)) {
        if (!space_fits(free_bytes, c->reserve_bytes, 0)) now_full(c, 0, "-", ENOSPC, &e);
        return;
    }
    if (!space_fits(free_bytes, c->reserve_bytes, atomic_load(&c->needed_bytes)) || !can_write(c))
        return;
    atomic_fetch_and(&c->conditions, ~(unsigned)CONDITION_DISK_FULL);
    log_info("disk.has_space", "free_bytes=%lld", (long long)free_bytes);
}
