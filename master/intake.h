/* Intake: the drop box. A file is taken when its name obeys the rule and nobody is still writing
 * it; it is copied and hashed in private, so that replacing or removing it later changes nothing
 * that is served. inotify is a hint, the rescan is the truth. */
#pragma once

#include "lib/err.h"

struct intake;
struct catalog;
struct agents;
struct events;

struct rejected {
    char file[256]; /* printable form */
    char reason[256];
    char code[32];
    int64_t seen_at_ms;
};

MUST_CHECK bool intake_open(struct intake **out, const char *directory, struct catalog *catalog,
                            struct agents *agents, struct events *events, int64_t scan_interval_ms,
                            struct err *e);
void intake_close(struct intake *i); /* after intake_run returned */
OWN_DEFINE(intake, struct intake, intake_close)

/* The thread: scans at once, then on every hint and interval, until intake_stop. */
void *intake_run(void *intake);
void intake_stop(struct intake *i);

/* One pass, for the thread and tests: true when anything was taken. */
bool intake_scan(struct intake *i);
bool intake_scanned_once(struct intake *i);

/* What the last scan refused, and why; any thread; free() *out. */
void intake_rejected(struct intake *i, struct rejected **out, size_t *count);
