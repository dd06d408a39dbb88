/* Seccomp: a process gives up system calls for good, and with it everything it starts. A list of
 * what no service needs (seccomp(2)), since a list of what one needs would end with every new C
 * library. Any thread. */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

enum seccomp_denials {
    SECCOMP_SYSTEM = 1,  /* mounts, modules, clocks, namespaces, tracing of the kernel, keys, ... */
    SECCOMP_TRACING = 2, /* of other processes */
    SECCOMP_PROGRAMS = 4, /* new programs and processes; threads are allowed */
};

enum { SECCOMP_STEPS_MAX = 256 };
struct seccomp_filter {
    struct sock_filter steps[SECCOMP_STEPS_MAX];
    size_t count;
};

/* Whether the kernel filters system calls. */
bool seccomp_available(void);

/* What is denied fails with EPERM; calls of another machine's kind (32 bits) fail with ENOSYS. */
void seccomp_make(unsigned denials, struct seccomp_filter *out);

/* Puts all threads of this process under the filter; no new privileges, as for landlock_enter.
 * Returns errno, 0 when done. Async-signal-safe. */
int seccomp_enter(const struct seccomp_filter *filter);
