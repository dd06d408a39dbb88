/* Backup: everything that a master needs to come back, in one file: database, keys and objects of
 * one moment. Any thread; blocks on disk; one at a time. */
#pragma once

#include "master/catalog.h"

/* Writes an SQLite archive (lib/db_archive.h) to path, which must not exist: grid.db, keys/\*,
 * trusted-keys/\*, tls/\*, objects/\* and MANIFEST, which has a line for sha256sum -c for each of
 * them. scratch_directory takes the snapshot meanwhile. ERR_CONFLICT when another backup is being
 * made, ERR_CORRUPT when an object is damaged: a backup with it could not be restored. */
MUST_CHECK bool backup_create(struct db *db, struct catalog *catalog, const char *state_directory,
                              const char *scratch_directory, const char *path, struct err *e);
