/* Intake: the drop box. A file is taken when its name obeys the rule and nobody is still writing
 * it; it is copied and hashed in private, so that replacing or removing it later changes nothing
 * that is served. inotify is a hint, the rescan is the truth. */
#pragma once

#include "lib/err.h"

#include <stddef.h>
#include <stdint.h>

struct intake;
struct catalog;
struct agents;
struct events;

struct rejected {
    char file[256];   /* printable form */
    char reason[464]; /* what is wrong, and what to do about it */
    char code[32];
    int64_t seen_at_ms;
};

/* Makes the directory when it is not there. agents and events may be NULL: nobody is told then. */
MUST_CHECK bool intake_open(struct intake **out, const char *directory, struct catalog *catalog,
                            struct agents *agents, struct events *events, int64_t scan_interval_ms,
                            struct err *e);
void intake_close(struct intake *i); /* after intake_run returned */
OWN_DEFINE(intake, struct intake, intake_close)

/* The thread: scans at once, then on every hint and interval, until intake_stop. */
void *intake_run(void *intake);
void intake_stop(struct intake *i);
void intake_wake(struct intake *i); /* any thread: scan now, something else has changed */

/* One pass, for the thread and tests: true when anything was taken. now_ms is the monotonic
 * clock's, by which two looks at a file are told apart. */
bool intake_scan(struct intake *i, int64_t now_ms);
bool intake_scanned_once(struct intake *i);

/* What the last scan refused, and why; any thread; free() *out. */
void intake_rejected(struct intake *i, struct rejected **out, size_t *count);
