/* One-file archives in SQLite's own archive format (sqlite.org/sqlar.html; `sqlite3 -A` lists and
 * extracts them): table sqlar(name, mode, mtime, sz, data), entries stored uncompressed. One thread
 * at a time; blocks on disk. */
#pragma once

#include "lib/err.h"

#include <stdint.h>
#include <sys/types.h>

struct db_archive;

/* A new archive at path (mode 0600); an existing file is ERR_CONFLICT. Content counts only after
 * db_archive_finish. */
MUST_CHECK bool db_archive_create(struct db_archive **out, const char *path, struct err *e);

/* Streams one file into the archive under name. At most 900 MB (SQLite's blob limit): ERR_TOO_LARGE
 * names the file. */
MUST_CHECK bool db_archive_add(struct db_archive *a, const char *name, const char *source_path,
                               struct err *e);
MUST_CHECK bool db_archive_finish(struct db_archive *a, struct err *e); /* commits and flushes */

/* An existing archive, checked with quick_check: ERR_CORRUPT, or ERR_INVALID when it is no archive.
 */
MUST_CHECK bool db_archive_open(struct db_archive **out, const char *path, struct err *e);

/* Calls entry for each, in order of name. */
typedef bool db_archive_entry(const char *name, mode_t mode, int64_t size_bytes, void *argument,
                              struct err *e);
MUST_CHECK bool db_archive_list(struct db_archive *a, db_archive_entry *entry, void *argument,
                                struct err *e);

/* Streams the entry into a new file at target_path, durable, with the entry's mode. */
MUST_CHECK bool db_archive_extract(struct db_archive *a, const char *name, const char *target_path,
                                   struct err *e);

void db_archive_close(struct db_archive *a);
OWN_DEFINE(db_archive, struct db_archive, db_archive_close)
