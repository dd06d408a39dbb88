/* kill-at [--children] COUNTER FROM N PROGRAM ARGUMENTS...: runs the program and kills it (SIGKILL)
 * as it enters its Nth system call. Calls of all its threads count but futex; its children's do so
 * with --children only: then the process that makes the Nth of all calls is killed. Counting
 * begins with the first call that opens a path which contains FROM (not empty), or with SIGUSR1.
 * The file COUNTER holds the number of calls so far, as a native 64-bit integer; N 0 never kills.
 * Ends as the program did: its exit code, 137 after a SIGKILL. SIGTERM is passed on, SIGINT becomes
 * SIGKILL. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_MAX_READ = 512 };
enum { OPTIONS = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL };

struct watch {
    const char *from;
    uint64_t stop_at;
    uint64_t *counter;
    pid_t program;
    bool children;
    bool counting;
    bool ended;
    int code; /* once it has ended */
};

static void fail(const char *what) {
    fprintf(stderr, "kill-at: %s: %s\n", what, strerrordesc_np(errno));
    exit(1);
}

static uint64_t *map_counter(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(uint64_t)) != 0) fail(path);
    void *counter = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (counter == MAP_FAILED) fail("mmap");
    close(fd);
    return counter;
}

/* Whether the string at this address of the thread contains the words. */
static bool names(pid_t thread, uint64_t address, const char *words) {
    char path[PATH_MAX_READ + 1] = "";
    struct iovec here = {path, PATH_MAX_READ};
    struct iovec there = {(void *)(uintptr_t)address, PATH_MAX_READ}; /* may reach over a page */
    if (process_vm_readv(thread, &here, 1, &there, 1, 0) <= 0) {
        there.iov_len = 4096 - address % 4096;
        if (there.iov_len > PATH_MAX_READ || process_vm_readv(thread, &here, 1, &there, 1, 0) <= 0)
            return false;
    }
    return strstr(path, words) != NULL;
}

static bool opens_it(const struct watch *w, pid_t thread,
                     const struct __ptrace_syscall_info *call) {
    return w->from[0] != '\0' && call->entry.nr == SYS_openat &&
           names(thread, call->entry.args[1], w->from);
}

static void on_entry(struct watch *w, pid_t thread) {
    struct __ptrace_syscall_info call;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof call, &call) <= 0) return;
    if (call.op != PTRACE_SYSCALL_INFO_ENTRY) return;
    if (call.entry.nr == SYS_futex) return; /* threads that wait change nothing outside */
    w->counting = w->counting || opens_it(w, thread, &call);
    if (w->counting && ++*w->counter == w->stop_at)
        kill(w->children ? thread : w->program, SIGKILL); /* a thread's number ends its process */
}

/* The signal that goes on to the thread; 0 for stops that are only ours. */
static int on_stop(struct watch *w, pid_t thread, int status) {
    int signal_number = WSTOPSIG(status);
    if (signal_number == (SIGTRAP | 0x80)) {
        on_entry(w, thread);
        return 0;
    }
    bool is_event = status >> 16 != 0;
    return is_event ? 0 : signal_number;
}

/* Until it must look, the program runs at its usual speed. */
static void resume(const struct watch *w, pid_t thread, int pass_on) {
    bool look = w->counting || w->from[0] != '\0';
    ptrace(look ? PTRACE_SYSCALL : PTRACE_CONT, thread, 0, (uintptr_t)pass_on); /* or it is dead */
}

/* Whatever the threads have to tell. */
static void collect(struct watch *w) {
    int status = 0;
    for (pid_t thread; (thread = waitpid(-1, &status, __WALL | WNOHANG)) > 0;) {
        if (WIFSTOPPED(status)) {
            resume(w, thread, on_stop(w, thread, status));
        } else if (thread == w->program) {
            w->ended = true;
            w->code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        }
    }
}

/* Every thread stops for a moment and goes on with its calls counted. */
static void begin_counting(struct watch *w) {
    char path[64];
    w->counting = true;
    snprintf(path, sizeof path, "/proc/%d/task", (int)w->program);
    DIR *directory = opendir(path);
    if (directory == NULL) return;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (entry->d_name[0] != '.')
            ptrace(PTRACE_INTERRUPT, (pid_t)strtol(entry->d_name, NULL, 10), 0, 0);
    closedir(directory);
}

static int follow(struct watch *w, const sigset_t *signals) {
    while (!w->ended) {
        int signal_number = sigwaitinfo(signals, NULL);
        if (signal_number == SIGUSR1) begin_counting(w);
        if (signal_number == SIGTERM) kill(w->program, SIGTERM);
        if (signal_number == SIGINT) kill(w->program, SIGKILL);
        collect(w);
    }
    return w->code;
}

static pid_t start(char **command, bool children, const sigset_t *signals) {
    int options = OPTIONS | (children ? PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK : 0);
    pid_t pid = fork();
    if (pid < 0) fail("fork");
    if (pid == 0) {
        sigprocmask(SIG_UNBLOCK, signals, NULL);
        raise(SIGSTOP); /* until we hold it */
        execv(command[0], command);
        fail(command[0]);
    }
    int status = 0;
    if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status)) fail("start");
    if (ptrace(PTRACE_SEIZE, pid, 0, options) != 0) fail("ptrace");
    kill(pid, SIGCONT);
    return pid;
}

int main(int count, char **arguments) {
    bool children = count > 1 && strcmp(arguments[1], "--children") == 0;
    arguments += children;
    if (count - children < 5) {
        fprintf(stderr, "usage: kill-at [--children] COUNTER FROM N PROGRAM ARGUMENTS...\n");
        return 2;
    }
    struct watch w = {.children = children,
                      .from = arguments[2],
                      .stop_at = strtoull(arguments[3], NULL, 10),
                      .counter = map_counter(arguments[1])};
    sigset_t signals;
    sigemptyset(&signals);
    static const int heard[] = {SIGCHLD, SIGUSR1, SIGTERM, SIGINT};
    for (size_t i = 0; i < sizeof heard / sizeof heard[0]; i++) sigaddset(&signals, heard[i]);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    w.program = start(arguments + 4, children, &signals);
    return follow(&w, &signals);
}
