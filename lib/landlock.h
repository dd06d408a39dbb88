/* Landlock: a process gives up files for good, and with it everything it starts (Linux 5.19 and
 * later; docs.kernel.org/userspace-api/landlock.html). Any thread. */
#pragma once

#include "lib/err.h"

#include <stddef.h>

enum landlock_use { LANDLOCK_READ, LANDLOCK_RUN /* read and execute */, LANDLOCK_CHANGE };

struct landlock_rule {
    const char *path; /* and all below; one that is not there is left out */
    enum landlock_use use;
};

/* The kernel's version of it; 0: none, or switched off. */
int landlock_version(void);

/* Makes the rules: nothing but these paths can be opened, and no process outside be signalled where
 * the kernel knows that (version 6). *out is a descriptor. ERR_UNAVAILABLE where the kernel is too
 * old: before version 2 a file could not be moved between directories. */
MUST_CHECK bool landlock_make(const struct landlock_rule *rules, size_t count, int *out,
                              struct err *e);

/* Puts this thread, and what it starts, under the rules. It may not gain privileges any more
 * (PR_SET_NO_NEW_PRIVS) when this is called. Returns errno, 0 when done. Async-signal-safe. */
int landlock_enter(int rules_fd);
