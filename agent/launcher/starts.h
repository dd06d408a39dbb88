/* How often the current build was started in vain, kept across crashes and reboots in
 * STATE/agent/starts. Counting is pure; reading and saving block on disk.
 *
 *            begin: tries + 1        ran long enough            crash: tries + 1
 *   unproven -----------------> unproven ------------> proven -----------------> proven
 *            told to end: tries - 1          (tries = 0)
 *
 * A build that once ran long enough is proven: when it then ends with words (a wrong option, no
 * permission, a full disk), that is the machine's fault, and going back would not help. A crash
 * (SIGSEGV, SIGABRT, ...) counts all the same, as long as it had not run long enough again. */
#pragma once

#include "agent/builds.h"

/* So many starts in vain make the launcher go back to the build before. */
#define STARTS_MOST 3

enum starts_end {
    STARTS_TOLD,    /* by us: no fault of its own */
    STARTS_EXITED,  /* before it had run long enough */
    STARTS_CRASHED, /* the same, by a signal that programs raise by their own mistakes */
};

struct starts {
    char build[BUILDS_NAME_SIZE];
    int tries;
    bool proven;
};

/* The record of build: the one read before, or a fresh one when that was about another build. */
void starts_of(struct starts *s, const char *build);

/* Each tells whether the record changed and wants to be saved: that of a begin before the program
 * is executed. */
MUST_CHECK bool starts_begin(struct starts *s);
MUST_CHECK bool starts_ended(struct starts *s, enum starts_end how);
MUST_CHECK bool starts_proved(struct starts *s);

bool starts_exhausted(const struct starts *s);

/* STATE/agent/starts; a missing file is an empty record. ERR_CORRUPT leaves an empty record too. */
MUST_CHECK bool starts_read(const char *directory, struct starts *out, struct err *e);
MUST_CHECK bool starts_save(const char *directory, const struct starts *s, struct err *e);
