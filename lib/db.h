/* SQLite for programs: a table of statements prepared at open, one writer that groups commits, 16
 * readers at a time. WAL, synchronous=FULL: what db_write reported as true survives a power cut. */
#pragma once

#include "lib/embed.h"
#include "lib/err.h"
#include "lib/text.h"

#include <stddef.h>
#include <stdint.h>

struct db;
struct db_connection; /* valid inside an operation only, on that operation's thread */
struct db_row;        /* valid inside a row callback only */

struct db_options {
    const char *path;
    /* "0001_init.up.sql", "0001_init.down.sql", ...: no number left out */
    const struct embedded_file *migrations;
    size_t migration_count;
    const char *const *statements; /* indexed by the program's own enum; a NULL entry is a bug */
    size_t statement_count;
};

/* Opens or creates the database, checks it (quick_check), applies missing migrations, one
 * transaction each (PRAGMA user_version counts them), and prepares every statement, so that a typo
 * stops the start. A database newer than the program is ERR_CONFLICT; a damaged one ERR_CORRUPT
 * with the hint to restore a backup. File mode 0600. */
MUST_CHECK bool db_open(struct db **out, const struct db_options *options, struct err *e);
void db_close(struct db *db); /* after db_writer_run has returned */
OWN_DEFINE(db, struct db, db_close)

/* The writer's thread: runs until db_stop, then finishes what is queued. The program starts it:
 * pthread_create(db_writer_run). */
void *db_writer_run(void *db);
void db_stop(struct db *db);

/* An operation reads and writes through the connection and returns false with *e to undo everything
 * it wrote. It must not block on anything but the database, and must not call db_write or db_read.
 */
typedef bool db_operation(struct db_connection *c, void *argument, struct err *e);

/* Runs the operation on the writer's thread in its own savepoint and returns after the group's
 * commit is durable. Operations that wait together share one commit; one that fails undoes only
 * itself; a failed commit fails them all (ERR_NO_SPACE, ERR_IO, ERR_CORRUPT). After db_stop:
 * ERR_UNAVAILABLE. */
MUST_CHECK bool db_write(struct db *db, db_operation *operation, void *argument, struct err *e);

/* Runs the operation on this thread on a pooled read connection, in one consistent snapshot. */
MUST_CHECK bool db_read(struct db *db, db_operation *operation, void *argument, struct err *e);

/* Statements. bind says what the arguments are, one letter each: i int64_t, s const char * (NULL
 * binds NULL); "" for none. A UNIQUE or CHECK failure is ERR_CONFLICT. */
MUST_CHECK bool db_exec(struct db_connection *c, int statement, struct err *e, const char *bind,
                        ...);

/* Calls row for each result; row returns false with *e set to stop with failure. Rows may not run
 * the same statement. */
typedef bool db_row_callback(struct db_row *row, void *argument, struct err *e);
MUST_CHECK bool db_query(struct db_connection *c, int statement, db_row_callback *row,
                         void *argument, struct err *e, const char *bind, ...);

/* The first row; further ones are not looked at. ERR_NOT_FOUND ("no row") when there is none. */
MUST_CHECK bool db_one(struct db_connection *c, int statement, db_row_callback *row, void *argument,
                       struct err *e, const char *bind, ...);

/* Inside a db_write operation: runs run(note) on the writer's thread once the operation's commit is
 * durable, and not at all when it is undone. Notes run in order; note is freed after. */
void db_after_commit(struct db_connection *c, void (*run)(const void *note), void *note);

int64_t db_changed_rows(struct db_connection *c); /* of the last db_exec */

int64_t db_column_int(struct db_row *row, int column);
/* "" for NULL; valid until the callback returns. */
const char *db_column_text(struct db_row *row, int column);
bool db_column_is_null(struct db_row *row, int column);

/* A consistent copy of the whole database into a new file at path (VACUUM INTO). Runs beside
 * readers and the writer. */
MUST_CHECK bool db_snapshot(struct db *db, const char *path, struct err *e);

/* Commit durations in seconds are observed into this histogram (lib/metrics.h) when one is set
 * before the writer runs. */
struct metric;
void db_observe_commits(struct db *db, struct metric *histogram);
