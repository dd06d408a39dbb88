/* Files that survive a power cut: written beside, flushed, renamed, directory flushed. Any thread;
 * everything blocks on disk. */
#pragma once

#include "lib/err.h"
#include "lib/hash.h"
#include "lib/text.h"

#include <stdint.h>
#include <sys/types.h>

/* Adds a whole regular file of at most max_bytes to out. ERR_NOT_FOUND, ERR_TOO_LARGE, ERR_IO. */
MUST_CHECK bool file_read(const char *path, size_t max_bytes, struct text *out, struct err *e);

/* Replaces path by these bytes: either the old or the new content is there after a crash, and the
 * new one once this returned true. The mode is exactly this one whatever the umask, and set before
 * the first byte is written, so that a secret is never readable in between. A crash may leave
 * PATH.tmp-XXXXXX behind (file_drop_unfinished), a failure does not. */
MUST_CHECK bool file_write_durable(const char *path, const void *bytes, size_t length, mode_t mode,
                                   struct err *e);

/* Copies from source_fd (its position) to target_fd until the end, hashing on the way;
 * ERR_TOO_LARGE beyond max_bytes. */
MUST_CHECK bool file_copy_hashed(int source_fd, int target_fd, int64_t max_bytes,
                                 char sha256[SHA256_HEX_SIZE], int64_t *size_bytes, struct err *e);

/* Reads size bytes at offset, fewer only where the file ends; how many, or -1 with errno set. */
MUST_CHECK ssize_t file_read_at(int fd, void *out, size_t size, int64_t offset);

/* Writes all of them at fd's position. False with errno set. */
MUST_CHECK bool file_write_all(int fd, const void *bytes, size_t length);

/* Makes an already written temporary file the file at path: fsync, rename, fsync of the directory
 * (both in one file system). fd stays open and stays the caller's. */
MUST_CHECK bool file_publish(int fd, const char *temporary_path, const char *path, struct err *e);

/* Removes path and flushes its directory. A file that is not there is fine. */
MUST_CHECK bool file_remove_durable(const char *path, struct err *e);

/* The same for a secret: its bytes are overwritten first, which helps where the file system writes
 * in place. A crash may leave it behind under a name of file_drop_unfinished, never half of it
 * under its own. */
MUST_CHECK bool file_wipe(const char *path, struct err *e);

MUST_CHECK bool file_sync_directory(const char *directory, struct err *e);
MUST_CHECK bool file_sync_parent(const char *path, struct err *e); /* the directory that holds it */

/* Makes the directory and its parents, with exactly this mode for those it makes; flushed. An
 * existing directory is fine; ERR_CONFLICT when something else is in the way. */
MUST_CHECK bool file_make_directory(const char *directory, mode_t mode, struct err *e);

/* Removes every entry of a directory (not the directory), files and sub-directories alike; links
 * are removed, not followed. Refuses to go deeper than 64 directories. */
MUST_CHECK bool file_clear_directory(const char *directory, struct err *e);

/* Removes from a directory what file_write_durable had not finished when its process was killed.
 * Only where nobody else writes. */
void file_drop_unfinished(const char *directory);

/* Opens a name inside a directory without ever leaving it: no links, no "..", regular files only
 * (openat2 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS, or step by step where the kernel refuses it;
 * never blocks on a FIFO). flags as open(2), O_CLOEXEC is added. -1 on error: ERR_INVALID when the
 * name leaves the directory, meets a link or is no regular file. */
MUST_CHECK int file_open_beneath(int directory_fd, const char *name, int flags, mode_t mode,
                                 struct err *e);

/* Free bytes an unprivileged writer may still use on the file system that holds path. */
MUST_CHECK bool file_free_bytes(const char *path, int64_t *out, struct err *e);
MUST_CHECK bool file_capacity_bytes(const char *path, int64_t *out, struct err *e);

/* Takes an exclusive lock that the kernel drops with the process and writes "pid N\n" and note into
 * the file. ERR_CONFLICT names the holder as the file tells it. The lock lasts until the descriptor
 * *fd is closed. */
MUST_CHECK bool file_lock(const char *path, const char *note, int *fd, struct err *e);

/* The same, but waits up to patience_ms for a holder to let go: one that was killed may live on for
 * a moment, in the kernel or in a child between fork and exec. */
MUST_CHECK bool file_lock_patiently(const char *path, const char *note, int64_t patience_ms,
                                    int *fd, struct err *e);

/* Joins with one '/'; false (ERR_INVALID) when it does not fit. */
MUST_CHECK bool file_join(char *out, size_t size, const char *directory, const char *name,
                          struct err *e);
