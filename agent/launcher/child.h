/* One run of the agent below the launcher. The agent is given an event descriptor to write a sign
 * of life to (agent/alive.h); one that never does, as builds before that did not, is taken as it
 * is. Signals must be blocked before; one thread. */
#pragma once

#include "lib/err.h"

#include <signal.h>
#include <sys/types.h>

struct child {
    pid_t pid;
    int64_t began_ms; /* monotonic */
    int status;       /* of waitpid, once it ended */
    bool told;        /* we handed it a signal that ends programs */
    int sign_fd;      /* of its signs of life */
    int64_t sign_ms;  /* monotonic, of the last one; 0: it never gave one */
    int64_t misses;   /* looks without one since */
    bool hung;        /* it was killed for that */
};

/* The signals that the launcher waits for: those that end programs, which it hands on, and SIGCHLD.
 * Blocks them all. */
void child_block_signals(sigset_t *set);

struct child_plan {
    const char *program;
    char *const *argv;     /* from argv[0] on */
    int stderr_fd;         /* -1: ours */
    int64_t sign_every_ms; /* 0: no sign of life is asked for */
};

/* Executes the program. The agent is killed when the launcher is,
 * so that a fresh launcher never meets an agent that nobody watches; its nodes live on. */
MUST_CHECK bool child_start(struct child *c, const struct child_plan *plan, struct err *e);

void child_fini(struct child *c); /* once it has ended */

enum child_event { CHILD_ENDED, CHILD_TIME_UP };

/* Hands signals on until the agent ends or the monotonic clock says until_ms; -1: no such time. */
enum child_event child_watch(struct child *c, const sigset_t *signals, int64_t until_ms);

/* Takes its signs of life; one that gave none at so many looks in a row is killed: SIGABRT, which
 * leaves a core, then SIGKILL. Looks are counted, not time: whoever stopped us both proves
 * nothing. 0 never kills. */
void child_look(struct child *c, int64_t most_misses);

/* How long it has been of use, as far as it tells. */
int64_t child_ran_ms(const struct child *c);

/* Whether it hung, or ended by a signal that a program raises by its own mistake. */
bool child_crashed(const struct child *c);

/* As a shell says it: the exit status, or 128 and the signal. */
int child_exit_code(const struct child *c);

/* "exit status 3", "signal SEGV", "signal ABRT after no sign of life". */
void child_describe(const struct child *c, char out[64]);

/* Sleeps; false when a signal told the launcher itself to end. */
MUST_CHECK bool child_pause(const sigset_t *signals, int64_t pause_ms);
