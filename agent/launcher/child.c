#include "agent/launcher/child.h"

#include "agent/alive.h"
#include "lib/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
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

/* What the agent finds in its environment, and the descriptor that it names. */
static void hand_over(const struct child *c, const struct child_plan *plan) {
    char words[48];
    snprintf(words, sizeof words, "%d %lld", c->sign_fd, (long long)plan->sign_every_ms);
    if (c->sign_fd >= 0 && fcntl(c->sign_fd, F_SETFD, 0) == 0) setenv(ALIVE_VARIABLE, words, 1);
    if (plan->stderr_fd >= 0) dup2(plan->stderr_fd, STDERR_FILENO);
}

static void become(const struct child_plan *plan, pid_t launcher) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != launcher) _exit(1); /* it died before we asked to be told */
    execv(plan->program, plan->argv);
    fprintf(stderr, "grid-launcher: cannot run %s: %s\n", plan->program, strerrordesc_np(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

bool child_start(struct child *c, const struct child_plan *plan, struct err *e) {
    pid_t launcher = getpid();
    *c = (struct child){.began_ms = clock_monotonic_ms(), .sign_fd = -1};
    if (plan->sign_every_ms > 0) c->sign_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->pid = fork();
    if (c->pid < 0) {
        err_errno(e, errno, "fork");
        child_fini(c);
        return false;
    }
    if (c->pid > 0) return true;
    hand_over(c, plan);
    become(plan, launcher);
    return false;
}

void child_fini(struct child *c) {
    if (c->sign_fd >= 0) close(c->sign_fd);
    c->sign_fd = -1;
}

void child_look(struct child *c, int64_t most_misses) {
    eventfd_t count;
    if (c->sign_fd >= 0 && eventfd_read(c->sign_fd, &count) == 0) {
        c->sign_ms = clock_monotonic_ms();
        c->misses = 0;
        return;
    }
    if (c->sign_ms == 0 || most_misses == 0 || ++c->misses < most_misses) return;
    kill(c->pid, c->hung ? SIGKILL : SIGABRT);
    c->hung = true;
    c->misses = most_misses / 2; /* for its core */
}

int64_t child_ran_ms(const struct child *c) {
    return (c->sign_ms != 0 ? c->sign_ms : clock_monotonic_ms()) - c->began_ms;
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
    return c->hung || (WIFSIGNALED(c->status) && HOLDS(crashing, WTERMSIG(c->status)));
}

int child_exit_code(const struct child *c) {
    return WIFSIGNALED(c->status) ? 128 + WTERMSIG(c->status) : WEXITSTATUS(c->status);
}

void child_describe(const struct child *c, char out[64]) {
    const char *why = c->hung ? " after no sign of life" : "";
    if (WIFSIGNALED(c->status))
        snprintf(out, 64, "signal %s%s", sigabbrev_np(WTERMSIG(c->status)), why);
    else
        snprintf(out, 64, "exit status %d%s", WEXITSTATUS(c->status), why);
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
