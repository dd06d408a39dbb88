/* The part of lib/file.h that opens files in ways plain open(2) does not: confined to a directory,
 * and locked. */
#include "lib/clock.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_PAUSE_MS = 20 };

/* Relative and without "..", which RESOLVE_BENEATH alone would allow as long as it stays inside. */
static bool stays_beneath(const char *name) {
    if (*name == '\0' || *name == '/') return false;
    while (*name != '\0') {
        size_t length = strcspn(name, "/");
        if (length == 2 && memcmp(name, "..", 2) == 0) return false;
        name += length;
        name += strspn(name, "/");
    }
    return true;
}

static int open_by_kernel(int directory_fd, const char *name, int flags, mode_t mode) {
    struct open_how how = {
        .flags = (uint64_t)(unsigned)flags,
        .mode = (flags & O_CREAT) != 0 ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    return (int)syscall(SYS_openat2, directory_fd, name, &how, sizeof how);
}

/* The same for kernels before 5.6 and sandboxes that refuse openat2: one directory after another,
 * no links. */
static int open_by_walking(int directory_fd, const char *name, int flags, mode_t mode) {
    OWN_FD int here = fcntl(directory_fd, F_DUPFD_CLOEXEC, 0);
    for (const char *slash; here >= 0 && (slash = strchr(name, '/')) != NULL;) {
        OWN_MEMORY char *part = strndup(name, (size_t)(slash - name));
        int next =
            openat(here, part != NULL ? part : "", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        close(here);
        here = next;
        name = slash + strspn(slash, "/");
    }
    if (here < 0) return -1;
    return openat(here, *name != '\0' ? name : ".", flags | O_NOFOLLOW, mode);
}

static int open_confined(int directory_fd, const char *name, int flags, mode_t mode) {
    int fd = open_by_kernel(directory_fd, name, flags, mode);
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return fd;
    return open_by_walking(directory_fd, name, flags, mode);
}

static int refuse(struct err *e, int why, const char *name) {
    if (why == ELOOP)
        (void)err_set(e, ERR_INVALID, "%s is or goes through a symbolic link", name);
    else if (why == EXDEV)
        (void)err_set(e, ERR_INVALID, "%s leads out of its directory", name);
    else if (why == ENOTDIR)
        (void)err_set(e, ERR_INVALID, "%s goes through something that is no directory", name);
    else if (why == ENXIO || why == EISDIR)
        (void)err_set(e, ERR_INVALID, "%s is not a regular file", name);
    else
        (void)err_errno(e, why, "open %s", name);
    return -1;
}

int file_open_beneath(int directory_fd, const char *name, int flags, mode_t mode, struct err *e) {
    if (!stays_beneath(name)) return refuse(e, EXDEV, name);
    /* O_NONBLOCK: a FIFO must not hold us up before it can be seen to be one. */
    OWN_FD int fd =
        open_confined(directory_fd, name, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, mode);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) return refuse(e, errno, name);
    if (!S_ISREG(status.st_mode)) return refuse(e, ENXIO, name);
    if ((flags & (O_NONBLOCK | O_PATH)) == 0) {
        int set = fcntl(fd, F_GETFL);
        if (set < 0 || fcntl(fd, F_SETFL, set & ~O_NONBLOCK) != 0) return refuse(e, errno, name);
    }
    return TAKE_FD(fd);
}

/* Whether path still names the file behind fd: it may have been removed between open and flock. */
static bool still_names(const char *path, int fd) {
    struct stat by_path;
    struct stat by_fd;
    return stat(path, &by_path) == 0 && fstat(fd, &by_fd) == 0 && by_path.st_dev == by_fd.st_dev &&
           by_path.st_ino == by_fd.st_ino;
}

static bool refuse_held(const char *path, int fd, struct err *e) {
    char holder[128];
    ssize_t length = pread(fd, holder, sizeof holder - 1, 0);
    holder[length > 0 ? length : 0] = '\0';
    for (char *c = holder; *c != '\0'; c++)
        if (*c < ' ' || *c > '~') *c = ' ';
    for (size_t end = strlen(holder); end > 0 && holder[end - 1] == ' '; end--)
        holder[end - 1] = '\0';
    (void)err_set(e, ERR_CONFLICT, "%s is held by %s", path,
                  holder[0] != '\0' ? holder : "another process");
    return err_hint(e, "stop that process or choose another directory");
}

static bool write_holder(const char *path, const char *note, int fd, struct err *e) {
    OWN_TEXT struct text content = TEXT_EMPTY;
    text_add_format(&content, "pid %d\n", (int)getpid());
    if (note != NULL && *note != '\0') text_add_format(&content, "%s\n", note);
    if (fchmod(fd, 0600) == 0 && ftruncate(fd, 0) == 0 &&
        pwrite(fd, content.data, content.length, 0) == (ssize_t)content.length)
        return true;
    return err_errno(e, errno, "write lock file %s", path);
}

bool file_lock(const char *path, const char *note, int *fd, struct err *e) {
    for (;;) {
        OWN_FD int mine = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
        if (mine < 0) return err_errno(e, errno, "open lock file %s", path);
        if (flock(mine, LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK) return refuse_held(path, mine, e);
            return err_errno(e, errno, "lock %s", path);
        }
        if (!still_names(path, mine)) continue;
        if (!write_holder(path, note, mine, e)) return false;
        *fd = TAKE_FD(mine);
        return true;
    }
}

bool file_lock_patiently(const char *path, const char *note, int64_t patience_ms, int *fd,
                         struct err *e) {
    int64_t deadline_ms = clock_monotonic_ms() + patience_ms;
    for (;;) {
        struct err why = {0};
        if (file_lock(path, note, fd, &why)) return true;
        bool again = why.code == ERR_CONFLICT && clock_monotonic_ms() < deadline_ms;
        if (!again && e != NULL) *e = why;
        if (!again) return false;
        nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_MS * 1000000L}, NULL);
    }
}
