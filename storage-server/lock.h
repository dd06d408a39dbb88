/* The lock of a data directory: one process at a time, and who it is. The kernel drops it with the
 * process.
 *
 * DIRECTORY/lock holds one line of JSON, by which an agent knows a node it started: pid and start
 * time (field 22 of /proc/PID/stat) within a boot, digest of the running file, port (0 until it
 * listens) and the nonce it was given. */
#pragma once

#include "lib/err.h"
#include "lib/hash.h"
#include "lib/text.h"

#include <stdint.h>

#define LOCK_ID_SIZE 128
#define LOCK_NONCE_SIZE 128

struct lock_note {
    int64_t pid;
    int64_t start_time; /* clock ticks since boot */
    char boot_id[64];
    char sha256[SHA256_HEX_SIZE];
    int64_t port;
    char nonce[LOCK_NONCE_SIZE];
    char id[LOCK_ID_SIZE];
    char version[64];
};

/* Fills in what is true of this process; port is 0. ERR_INVALID when one of the texts does not fit.
 */
MUST_CHECK bool lock_note_self(struct lock_note *note, const char *id, const char *nonce,
                               const char *version, struct err *e);

/* Locks directory/lock and writes the note. ERR_CONFLICT names the holder. Held until *fd is
 * closed. */
MUST_CHECK bool lock_take(const char *directory, const struct lock_note *note, int *fd,
                          struct err *e);

/* Writes a new note, as once the port is known. */
MUST_CHECK bool lock_update(int fd, const struct lock_note *note, struct err *e);

/* Pure: field 22 of a line of /proc/PID/stat, whose second field may hold anything; -1 when there
 * is none. */
int64_t lock_parse_start_time(const char *stat);
void lock_note_format(const struct lock_note *note, struct text *out);
