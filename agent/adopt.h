/* Whose process serves a node's data directory. Blocks on disk and, for at most two seconds, on the
 * node's own health check. Any thread. */
#pragma once

#include "agent/record.h"
#include "lib/err.h"

#include <sys/types.h>

enum adopt_verdict {
    ADOPT_FREE, /* nobody holds the directory */
    ADOPT_OURS, /* proven: lock held, pid, start time and boot agree with its note, /healthz returns
                   the nonce */
    ADOPT_SILENT, /* ours as well, and it does not answer: the nonce in its note is the one that the
                     record of its start has */
    ADOPT_FOREIGN, /* somebody holds it and is not proven to be ours: neither touched nor doubled */
};

struct adopt_result {
    enum adopt_verdict verdict;
    struct node_note note; /* ADOPT_OURS, ADOPT_SILENT */
    int pidfd;             /* ADOPT_OURS, ADOPT_SILENT: the caller's; -1 otherwise */
    char reason[256]; /* ADOPT_SILENT, ADOPT_FOREIGN: what is not as it should be, naming the pid
                         when it is known */
};

/* data: the node's data directory. node_id: what the process must call itself. nonce: what the last
 * one was started with, "" when that is not known. */
void adopt_examine(const char *data, const char *node_id, const char *nonce,
                   struct adopt_result *out);

/* Only the first step, without waiting: whether somebody holds the directory. */
bool adopt_is_held(const char *data);

/* Field 22 of /proc/PID/stat, -1 when there is no such process or it is a zombie. */
int64_t adopt_start_time(pid_t pid);

/* How long ago a process with this start time began; no clock that can be set counts. */
int64_t adopt_age_ms(int64_t start_time);
