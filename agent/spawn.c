#include "agent/spawn.h"

#include "agent/verify.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef MFD_EXEC
#define MFD_EXEC                                                                                   \
    0x0010U /* Linux 6.3: say that it is to be executed, where vm.memfd_noexec asks                \
             */
#endif

enum { COPY_SIZE = 128 * 1024, LAST_SIGNAL = 64, MANY_DESCRIPTORS = 1 << 16 };

extern char **environ;

static int make_memfd(const char *name) {
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (fd < 0 && errno == EINVAL) fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd;
}

static bool copy_all(int source_fd, int target_fd, struct err *e) {
    OWN_MEMORY char *buffer = memory_resize(NULL, COPY_SIZE, 1);
    for (off_t offset = 0;;) {
        ssize_t length = pread(source_fd, buffer, COPY_SIZE, offset);
        if (length < 0 && errno == EINTR) continue;
        if (length < 0) return err_errno(e, errno, "read the stored version");
        if (length == 0) return true;
        if (pwrite(target_fd, buffer, (size_t)length, offset) != length)
            return err_errno(e, errno, "copy the stored version into memory");
        offset += length;
    }
}

/* Bytes of the store that fail here were good once. */
static bool verify_stored(const struct version *v, int fd, struct err *e) {
    if (verify_bytes(v, fd, e)) return true;
    if (e->code == ERR_UNTRUSTED) e->code = ERR_CORRUPT;
    return err_wrap(e, "stored copy");
}

static bool seal(int source_fd, int fd, struct err *e) {
    if (!copy_all(source_fd, fd, e)) return false;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0)
        return true;
    return err_errno(e, errno, "seal the copy in memory");
}

bool spawn_seal(int source_fd, const struct version *v, bool avoid_memfd, int *out,
                bool *from_store, struct err *e) {
    OWN_FD int fd = avoid_memfd ? -1 : make_memfd("storage-server");
    *from_store = fd < 0;
    if (fd < 0 && !avoid_memfd) log_warn("spawn.no_memfd", "error=%s", strerrordesc_np(errno));
    if (fd < 0) fd = fcntl(source_fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0) return err_errno(e, errno, "duplicate the descriptor of %s", v->file);
    if (!*from_store && !seal(source_fd, fd, e)) return false;
    if (!verify_stored(v, fd, e)) return false;
    *out = TAKE_FD(fd);
    return true;
}

/* From here to replace_child runs between fork and exec: only what is safe there. */
static void reset_signals(void) {
    struct sigaction initial = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int number = 1; number <= LAST_SIGNAL; number++) sigaction(number, &initial, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_others_on_exec(void) {
    enum { CLOSE_ON_EXEC = 1U << 2 }; /* CLOSE_RANGE_CLOEXEC */
    if (syscall(SYS_close_range, 3U, ~0U, CLOSE_ON_EXEC) == 0) return;
    for (int fd = 3; fd < MANY_DESCRIPTORS; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Executes with the descriptor closed, which a build for another machine does not survive: its
 * interpreter (binfmt_misc) has to open the descriptor by its number, so the kernel says ENOENT.
 * Nor can an agent that is itself interpreted use this call in every emulator: ENOSYS. */
static void execute(const struct spawn_request *r) {
    int fd = r->executable_fd;
    syscall(SYS_execveat, fd, "", r->arguments, r->environment, AT_EMPTY_PATH);
    if ((errno == ENOENT || errno == ENOSYS) && fcntl(fd, F_SETFD, 0) == 0)
        fexecve(fd, r->arguments, r->environment);
}

static int replace_child(const struct spawn_request *r, int null_fd) {
    if (setsid() < 0 || chdir(r->directory) != 0) return errno;
    if (dup2(null_fd, 0) < 0 || dup2(r->output_fd, 1) < 0 || dup2(r->output_fd, 2) < 0)
        return errno;
    umask(077);
    reset_signals();
    int error = sandbox_enter(r->sandbox);
    if (error != 0) return error;
    close_others_on_exec();
    execute(r);
    return errno;
}

/* The child says why it could not, or its end of the pipe is closed by exec. */
static bool hear_of_child(int fd, struct err *e) {
    int why = 0;
    ssize_t length;
    do length = read(fd, &why, sizeof why);
    while (length < 0 && errno == EINTR);
    if (length == 0) return true;
    if (length != (ssize_t)sizeof why)
        return err_set(e, ERR_IO, "the child vanished before it ran anything");
    err_errno(e, why, "execute");
    if (why == ENOEXEC || why == ENOENT || why == ENOTDIR) e->code = ERR_INVALID;
    return why == ENOEXEC ? err_hint(e, "nothing here runs builds for that machine") : false;
}

static bool fork_child(const struct spawn_request *r, int null_fd, const int ends[2], pid_t *pid,
                       struct err *e) {
    *pid = fork();
    if (*pid < 0) return err_errno(e, errno, "fork");
    if (*pid > 0) return true;
    int why = replace_child(r, null_fd);
    ssize_t told = write(ends[1], &why, sizeof why);
    _exit(told > 0 ? 127 : 126);
}

static void reap(pid_t pid) {
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
}

bool spawn_run(const struct spawn_request *request, struct spawned *out, struct err *e) {
    int ends[2];
    pid_t pid = -1;
    OWN_FD int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null_fd < 0 || pipe2(ends, O_CLOEXEC) != 0) return err_errno(e, errno, "prepare a child");
    OWN_FD int hear = ends[0];
    bool forked = fork_child(request, null_fd, ends, &pid, e);
    close(ends[1]);
    if (!forked) return false;
    if (!hear_of_child(hear, e)) {
        reap(pid);
        return false;
    }
    int pidfd =
        pidfd_open(pid, 0); /* the child is not reaped yet, so the number is still its own */
    if (pidfd < 0) {
        err_errno(e, errno, "watch the child");
        kill(pid, SIGKILL);
        reap(pid);
        return false;
    }
    *out = (struct spawned){.pid = pid, .pidfd = pidfd};
    return true;
}

static bool is_for_nodes(const char *variable) {
    static const char *const shared[] = {"GRID_LOG_LEVEL=", "GRID_LOG_FORMAT="};
    for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++)
        if (strncmp(variable, shared[i], strlen(shared[i])) == 0) return true;
    return strncmp(variable, "GRID_", strlen("GRID_")) != 0;
}

char **spawn_environment(char *extra) {
    size_t count = 0;
    while (environ[count] != NULL) count++;
    char **made = memory_zeroed(count + 2, sizeof *made);
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (is_for_nodes(environ[i])) made[used++] = environ[i];
    made[used] = extra;
    return made;
}
