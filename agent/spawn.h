/* Starts a verified version as a process that outlives the agent. Thread: the supervisor's. */
#pragma once

#include "agent/sandbox.h"
#include "agent/version.h"
#include "lib/err.h"

#include <sys/types.h>

/* Copies source_fd into a sealed memfd and verifies that: nobody can change what was verified
 * before it runs. Where the system bars memfd execution, *from_store is set and *out is another
 * descriptor of the store's file, which only its owner can write to (0500 in a 0700 directory); it
 * is verified as well. ERR_CORRUPT when the bytes are not v's any more. */
MUST_CHECK bool spawn_seal(int source_fd, const struct version *v, bool avoid_memfd, int *out,
                           bool *from_store, struct err *e);

struct spawn_request {
    int executable_fd; /* of spawn_seal */
    char *const *arguments;
    char *const *environment;
    const char *directory; /* to run in */
    int output_fd;         /* its standard output and error */
    const struct sandbox_start *sandbox;
};

struct spawned {
    pid_t pid;
    int pidfd; /* the caller's */
};

/* Forks and executes in a session of its own, with default signals, no other descriptors, no way to
 * gain privileges. Returns once the program has replaced the child, or with the reason why it could
 * not: ERR_DENIED when the system bars executing this descriptor (then another spawn_seal with
 * avoid_memfd helps). */
MUST_CHECK bool spawn_run(const struct spawn_request *request, struct spawned *out, struct err *e);

/* A copy of this process's environment without what is the agent's alone (GRID_*, but for the log
 * settings), plus extra
 * ("NAME=value"). NULL-terminated; free it and nothing else. extra must outlive it. */
char **spawn_environment(char *extra);
