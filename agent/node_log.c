#include "agent/node_log.h"

#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_SIZE = 4096 };

int node_log_open(const char *directory, struct err *e) {
    char path[PATH_SIZE];
    if (!file_join(path, sizeof path, directory, "log", e)) return -1;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) (void)err_errno(e, errno, "open %s", path);
    return fd;
}

static bool copy_beside(int source_fd, const char *directory, struct err *e) {
    char beside[PATH_SIZE];
    char path[PATH_SIZE];
    char sha256[SHA256_HEX_SIZE];
    int64_t size_bytes = 0;
    if (!file_join(beside, sizeof beside, directory, "log.new", e) ||
        !file_join(path, sizeof path, directory, "log.1", e))
        return false;
    OWN_FD int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return err_errno(e, errno, "open %s", beside);
    if (!file_copy_hashed(source_fd, fd, INT64_MAX, sha256, &size_bytes, e))
        return err_wrap(e, "copy to %s", beside);
    return rename(beside, path) == 0 || err_errno(e, errno, "rename %s", beside);
}

int64_t node_log_end(const char *directory) {
    char path[PATH_SIZE];
    struct stat status;
    if (!file_join(path, sizeof path, directory, "log", NULL)) return 0;
    return lstat(path, &status) == 0 && S_ISREG(status.st_mode) ? status.st_size : 0;
}

bool node_log_rotate(const char *directory, int64_t max_bytes, int64_t *cut_bytes, struct err *e) {
    char path[PATH_SIZE];
    struct stat status;
    *cut_bytes = 0;
    if (node_log_end(directory) <= max_bytes) return true;
    if (!file_join(path, sizeof path, directory, "log", e)) return false;
    OWN_FD int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return err_errno(e, errno, "open %s", path);
    if (!copy_beside(fd, directory, e)) return false;
    if (fstat(fd, &status) != 0 || ftruncate(fd, 0) != 0)
        return err_errno(e, errno, "cut %s", path);
    *cut_bytes = status.st_size;
    return true;
}

/* The last bytes of one file since begin (negative: counted from its end), at most max_bytes; *cut
 * says that there are more before them. */
static void read_end(const char *directory, const char *name, int64_t begin, size_t max_bytes,
                     struct text *out, bool *cut) {
    char path[PATH_SIZE];
    struct stat status;
    *cut = false;
    if (max_bytes == 0 || !file_join(path, sizeof path, directory, name, NULL)) return;
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return;
    off_t first = begin >= 0 ? begin : (begin > -status.st_size ? status.st_size + begin : 0);
    off_t offset = status.st_size > (off_t)max_bytes ? status.st_size - (off_t)max_bytes : 0;
    *cut = offset > first;
    if (offset < first) offset = first;
    char buffer[4096];
    for (size_t left = max_bytes; left > 0;) {
        ssize_t length = pread(fd, buffer, left < sizeof buffer ? left : sizeof buffer, offset);
        if (length <= 0) return;
        text_add_bytes(out, buffer, (size_t)length);
        offset += length;
        left -= (size_t)length;
    }
}

void node_log_tail(const char *directory, int64_t begin, size_t max_bytes, struct text *out) {
    OWN_TEXT struct text old = TEXT_EMPTY;
    OWN_TEXT struct text new = TEXT_EMPTY;
    bool cut = false;
    read_end(directory, "log", begin > 0 ? begin : 0, max_bytes, &new, &cut);
    if (!cut && begin < 0) read_end(directory, "log.1", begin, max_bytes - new.length, &old, &cut);
    text_add_bytes(&old, text_value(&new), new.length);
    const char *first = text_value(&old);
    const char *end = first + old.length;
    const char *line_end = cut ? memchr(first, '\n', old.length) : NULL;
    if (line_end != NULL && line_end + 1 < end) first = line_end + 1;
    text_add_bytes(out, first, (size_t)(end - first));
}
