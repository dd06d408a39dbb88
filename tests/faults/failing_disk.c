/* Preloaded into a program: its calls of some kinds on files below a directory fail with EIO, as on
 * a disk that dies. Which, says the file FAILING_DISK, which may change while the program runs.
 * strace could do the same only for exact paths, and loses sight of who is started again. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, BELOW_SIZE = 1024 };
enum call { OPEN = 1, READ = 2, WRITE = 4, FLUSH = 8, RENAME = 16 };

/* failing_disk.py writes the same. */
static struct order {
    int64_t calls;  /* kinds that fail */
    int64_t passed; /* so many more of them go well first */
    int64_t failed; /* how many did not */
    char below[BELOW_SIZE];
} * order;

__attribute__((constructor)) static void find_order(void) {
    const char *path = getenv("FAILING_DISK");
    int fd = path != NULL ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
    void *mapped = MAP_FAILED;
    if (fd >= 0) mapped = mmap(NULL, sizeof *order, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped != MAP_FAILED) order = mapped;
    if (fd >= 0) close(fd);
}

static bool is_asked(enum call call) {
    return order != NULL && (__atomic_load_n(&order->calls, __ATOMIC_ACQUIRE) & call) != 0;
}

static bool fails(const char *path) {
    if (strncmp(path, order->below, strlen(order->below)) != 0) return false;
    if (__atomic_fetch_sub(&order->passed, 1, __ATOMIC_RELAXED) > 0) return false;
    __atomic_fetch_add(&order->failed, 1, __ATOMIC_RELAXED);
    errno = EIO;
    return true;
}

/* The path that fd was opened by, with name behind it if that is relative to it. */
static bool fails_at(enum call call, int fd, const char *name) {
    char link[64], path[2 * PATH_SIZE] = "";
    if (!is_asked(call)) return false;
    if (name != NULL && name[0] == '/') return fails(name);
    snprintf(link, sizeof link, fd == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_SIZE);
    if (length > 0 && name != NULL) snprintf(path + length, PATH_SIZE, "/%s", name);
    return fails(path);
}

static mode_t mode_of(int flags, va_list rest) {
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    if (fails_at(OPEN, AT_FDCWD, path)) return -1;
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int openat(int fd, const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return fails_at(OPEN, fd, path) ? -1 : (int)syscall(SYS_openat, fd, path, flags, mode);
}

int mkostemp(char *path, int flags) {
    int (*next)(char *, int) = (int (*)(char *, int))dlsym(RTLD_NEXT, "mkostemp");
    return fails_at(OPEN, AT_FDCWD, path) ? -1 : next(path, flags);
}

ssize_t read(int fd, void *out, size_t size) {
    return fails_at(READ, fd, NULL) ? -1 : syscall(SYS_read, fd, out, size);
}

ssize_t pread(int fd, void *out, size_t size, off_t at) {
    return fails_at(READ, fd, NULL) ? -1 : syscall(SYS_pread64, fd, out, size, at);
}

ssize_t sendfile(int to, int fd, off_t *at, size_t size) {
    return fails_at(READ, fd, NULL) ? -1 : syscall(SYS_sendfile, to, fd, at, size);
}

ssize_t write(int fd, const void *bytes, size_t size) {
    return fails_at(WRITE, fd, NULL) ? -1 : syscall(SYS_write, fd, bytes, size);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    return fails_at(WRITE, fd, NULL) ? -1 : syscall(SYS_pwrite64, fd, bytes, size, at);
}

int fsync(int fd) {
    return fails_at(FLUSH, fd, NULL) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    return fails_at(FLUSH, fd, NULL) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags) {
    if (fails_at(RENAME, to_fd, to)) return -1;
    return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to) {
    return renameat2(from_fd, from, to_fd, to, 0);
}

int rename(const char *from, const char *to) {
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int link(const char *from, const char *to) {
    if (fails_at(RENAME, AT_FDCWD, to)) return -1;
    return (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* The same under the names that programs of 64-bit offsets use. */
__typeof__(open) open64 __attribute__((alias("open")));
__typeof__(openat) openat64 __attribute__((alias("openat")));
__typeof__(mkostemp) mkostemp64 __attribute__((alias("mkostemp")));
__typeof__(pread) pread64 __attribute__((alias("pread")));
__typeof__(pwrite) pwrite64 __attribute__((alias("pwrite")));
__typeof__(sendfile) sendfile64 __attribute__((alias("sendfile")));
