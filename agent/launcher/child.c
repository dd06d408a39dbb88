#include "agent/launcher/child.h"

#include "lib/clock.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static const int ending[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
static const int crashing[] = {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE, SIGSYS, SIGTRAP};

#define HOLDS(list, number) holds(list, sizeof(list) / sizeof((list)[0]), number)

static bool holds(const int *list, size_t count, int number) {
    for (size_t i = 0; i < count; i++)
        if (list[i] == number) return true;
    return false;
}

static bool is_ignored(int number) {
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN; /* nohup */
}

void child_block_signals(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGCHLD);
    for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++)
        if (!is_ignored(ending[i])) sigaddset(set, ending[i]);
    sigprocmask(SIG_BLOCK, set, NULL);
}

static void become(const char *program, char *const *argv, pid_t launcher) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != launcher) _exit(1); /* it died before we asked to be told */
    execv(program, argv);
    fprintf(stderr, "grid-launcher: cannot run %s: %s\n", program, strerrordesc_np(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

bool child_start(struct child *c, const char *program, char *const *argv, struct err *e) {
    pid_t launcher = getpid();
    *c = (struct child){.began_ms = clock_monotonic_ms()};
    c->pid = fork();
    if (c->pid < 0) return err_errno(e, errno, "fork");
    if (c->pid == 0) become(program, argv, launcher);
    return true;
}

/* Reaps whoever ended: as the first process of a container we inherit orphans too. */
static bool reap(struct child *c) {
    int status;
    bool ended = false;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid != c->pid) continue;
        c->status = status;
        ended = true;
    }
    return ended;
}

/* The next signal, 0 when none came before until_ms. */
static int next_signal(const sigset_t *signals, int64_t until_ms) {
    if (until_ms < 0) return sigwaitinfo(signals, NULL);
    int64_t left_ms = until_ms - clock_monotonic_ms();
    if (left_ms < 0) left_ms = 0;
    struct timespec time = {.tv_sec = left_ms / 1000, .tv_nsec = left_ms % 1000 * 1000000};
    int number = sigtimedwait(signals, NULL, &time);
    return number < 0 && errno == EAGAIN ? 0 : number;
}

enum child_event child_watch(struct child *c, const sigset_t *signals, int64_t until_ms) {
    for (;;) {
        int number = next_signal(signals, until_ms);
        if (number == 0) return CHILD_TIME_UP;
        if (number == SIGCHLD && reap(c)) return CHILD_ENDED;
        if (number < 0 || number == SIGCHLD) continue;
        c->told = true;
        kill(c->pid, number);
    }
}

bool child_crashed(const struct child *c) {
    return WIFSIGNALED(c->status) && HOLDS(crashing, WTERMSIG(c->status));
}

int child_exit_code(const struct child *c) {
    return WIFSIGNALED(c->status) ? 128 + WTERMSIG(c->status) : WEXITSTATUS(c->status);
}

void child_describe(const struct child *c, char out[32]) {
    if (WIFSIGNALED(c->status))
        snprintf(out, 32, "signal %s", sigabbrev_np(WTERMSIG(c->status)));
    else
        snprintf(out, 32, "exit status %d", WEXITSTATUS(c->status));
}

bool child_pause(const sigset_t *signals, int64_t pause_ms) {
    struct child none = {0};
    int64_t until_ms = clock_monotonic_ms() + pause_ms;
    for (int number; (number = next_signal(signals, until_ms)) != 0;) {
        if (number == SIGCHLD) (void)reap(&none);
        if (number > 0 && number != SIGCHLD) return false;
    }
    return true;
}
