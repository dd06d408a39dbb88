/* The part of lib/file.h that reads, writes and publishes files. */
#include "lib/file_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

ssize_t file_read_some(int fd, void *buffer, size_t size) {
    ssize_t count;
    do {
        count = read(fd, buffer, size);
    } while (count < 0 && errno == EINTR);
    return count;
}

ssize_t file_read_at(int fd, void *out, size_t size, int64_t offset) {
    size_t done = 0;
    while (done < size) {
        ssize_t count = pread(fd, (char *)out + done, size - done, offset + (int64_t)done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return -1;
        if (count == 0) break;
        done += (size_t)count;
    }
    return (ssize_t)done;
}

bool file_write_all(int fd, const void *bytes, size_t length) {
    for (size_t done = 0; done < length;) {
        ssize_t count = write(fd, (const char *)bytes + done, length - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return false;
        done += (size_t)count;
    }
    return true;
}

static bool read_at_most(int fd, size_t max_bytes, const char *path, struct text *out,
                         struct err *e) {
    char buffer[4096];
    for (;;) {
        ssize_t count = file_read_some(fd, buffer, sizeof buffer);
        if (count < 0) return err_errno(e, errno, "read %s", path);
        if (count == 0) return true;
        if ((size_t)count > max_bytes - out->length)
            return err_set(e, ERR_TOO_LARGE, "%s holds more than %zu bytes", path, max_bytes);
        text_add_bytes(out, buffer, (size_t)count);
    }
}

bool file_read(const char *path, size_t max_bytes, struct text *out, struct err *e) {
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) return err_errno(e, errno, "open %s", path);
    if (!S_ISREG(status.st_mode)) return err_set(e, ERR_IO, "%s is not a regular file", path);
    OWN_TEXT struct text content = TEXT_EMPTY;
    if (!read_at_most(fd, max_bytes, path, &content, e)) return false;
    text_add_bytes(out, text_value(&content), content.length);
    return true;
}

/* The directory that holds path. The caller frees. */
static char *parent_directory(const char *path) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL) return text_duplicate(".");
    if (slash == path) return text_duplicate("/");
    struct text parent = TEXT_EMPTY;
    text_add_bytes(&parent, path, (size_t)(slash - path));
    return text_take(&parent);
}

bool file_sync_parent(const char *path, struct err *e) {
    OWN_MEMORY char *parent = parent_directory(path);
    return file_sync_directory(parent, e);
}

/* Fills the fresh file fd and makes it the file at path. */
static bool fill_and_publish(int fd, const char *temporary, const char *path, const void *bytes,
                             size_t length, mode_t mode, struct err *e) {
    if (fchmod(fd, mode) != 0) return err_errno(e, errno, "set the mode of %s", temporary);
    if (!file_write_all(fd, bytes, length)) return err_errno(e, errno, "write %s", temporary);
    return file_publish(fd, temporary, path, e);
}

bool file_write_durable(const char *path, const void *bytes, size_t length, mode_t mode,
                        struct err *e) {
    OWN_TEXT struct text temporary = TEXT_EMPTY;
    text_add_format(&temporary, "%s.tmp-XXXXXX", path);
    OWN_FD int fd = mkostemp(temporary.data, O_CLOEXEC);
    if (fd < 0) return err_errno(e, errno, "make a temporary file beside %s", path);
    if (fill_and_publish(fd, temporary.data, path, bytes, length, mode, e)) return true;
    unlink(temporary.data);
    return false;
}

bool file_publish(int fd, const char *temporary_path, const char *path, struct err *e) {
    if (fsync(fd) != 0) return err_errno(e, errno, "flush %s", temporary_path);
    if (rename(temporary_path, path) != 0)
        return err_errno(e, errno, "rename %s to %s", temporary_path, path);
    return file_sync_parent(path, e);
}

bool file_remove_durable(const char *path, struct err *e) {
    bool removed = unlink(path) == 0;
    if (!removed && errno != ENOENT) return err_errno(e, errno, "remove %s", path);
    /* Flushed even when it was gone already: an earlier call may have failed after its unlink. */
    struct err flush;
    if (file_sync_parent(path, &flush) || (!removed && flush.code == ERR_NOT_FOUND)) return true;
    if (e != NULL) *e = flush;
    return false;
}

static bool overwrite(int fd, struct err *e) {
    static const char zeros[4096];
    struct stat status;
    if (fstat(fd, &status) != 0) return err_errno(e, errno, "overwrite");
    for (int64_t left = status.st_size; left > 0; left -= (int64_t)sizeof zeros)
        if (!file_write_all(fd, zeros, left < (int64_t)sizeof zeros ? (size_t)left : sizeof zeros))
            return err_errno(e, errno, "overwrite");
    return fsync(fd) == 0 || err_errno(e, errno, "overwrite");
}

bool file_wipe(const char *path, struct err *e) {
    OWN_TEXT struct text away = TEXT_EMPTY;
    OWN_FD int fd = open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return file_remove_durable(path, e);
    if (fd < 0) return err_errno(e, errno, "overwrite %s", path);
    text_add_format(&away, "%s.tmp-wiping", path);
    if (rename(path, away.data) != 0) return err_errno(e, errno, "rename %s", path);
    if (!file_sync_parent(path, e)) return false;
    if (!overwrite(fd, e)) return err_wrap(e, "%s", path);
    return file_remove_durable(away.data, e);
}

bool file_sync_directory(const char *directory, struct err *e) {
    OWN_FD int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return err_errno(e, errno, "open directory %s", directory);
    if (fsync(fd) != 0) return err_errno(e, errno, "flush directory %s", directory);
    return true;
}

static bool read_statvfs(const char *path, struct statvfs *out, struct err *e) {
    if (statvfs(path, out) == 0) return true;
    return err_errno(e, errno, "ask for the space of %s", path);
}

bool file_free_bytes(const char *path, int64_t *out, struct err *e) {
    struct statvfs status;
    if (!read_statvfs(path, &status, e)) return false;
    *out = (int64_t)(status.f_bavail * status.f_frsize);
    return true;
}

bool file_capacity_bytes(const char *path, int64_t *out, struct err *e) {
    struct statvfs status;
    if (!read_statvfs(path, &status, e)) return false;
    *out = (int64_t)(status.f_blocks * status.f_frsize);
    return true;
}

bool file_join(char *out, size_t size, const char *directory, const char *name, struct err *e) {
    assert(size > 0);
    size_t length = strlen(directory);
    while (length > 1 && directory[length - 1] == '/') length--;
    while (*name == '/') name++;
    bool slash = length > 0 && directory[length - 1] != '/';
    if (length + slash + strlen(name) < size) {
        snprintf(out, size, "%.*s%s%s", (int)length, directory, slash ? "/" : "", name);
        return true;
    }
    out[0] = '\0';
    return err_set(e, ERR_INVALID, "path %.*s/%s is longer than %zu characters", (int)length,
                   directory, name, size - 1);
}
