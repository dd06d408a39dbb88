/* One run of the agent below the launcher. Signals must be blocked before; one thread. */
#pragma once

#include "lib/err.h"

#include <signal.h>
#include <sys/types.h>

struct child {
    pid_t pid;
    int64_t began_ms; /* monotonic */
    int status;       /* of waitpid, once it ended */
    bool told;        /* we handed it a signal that ends programs */
};

/* The signals that the launcher waits for: those that end programs, which it hands on, and SIGCHLD.
 * Blocks them all. */
void child_block_signals(sigset_t *set);

/* Executes program with these arguments (argv[0] first). The agent is killed when the launcher is,
 * so that a fresh launcher never meets an agent that nobody watches; its nodes live on. */
MUST_CHECK bool child_start(struct child *c, const char *program, char *const *argv, struct err *e);

enum child_event { CHILD_ENDED, CHILD_TIME_UP };

/* Hands signals on until the agent ends or the monotonic clock says until_ms; -1: no such time. */
enum child_event child_watch(struct child *c, const sigset_t *signals, int64_t until_ms);

/* Whether it ended by a signal that a program raises by its own mistake. */
bool child_crashed(const struct child *c);

/* As a shell says it: the exit status, or 128 and the signal. */
int child_exit_code(const struct child *c);

/* "exit status 3", "signal SEGV". */
void child_describe(const struct child *c, char out[32]);

/* Sleeps; false when a signal told the launcher itself to end. */
MUST_CHECK bool child_pause(const sigset_t *signals, int64_t pause_ms);
