/* Inside lib/db*: connections to SQLite, their prepared statements, how its errors become ours. */
#pragma once

#include "lib/db.h"

#include <pthread.h>
#include <sqlite3.h>
#include <sys/queue.h>

/* What is to run after the commit. */
struct db_note {
    void (*run)(const void *note);
    void *note; /* owned */
    STAILQ_ENTRY(db_note) next;
};
STAILQ_HEAD(db_notes, db_note);

/* One connection and its own copy of every prepared statement. One thread at a time. */
struct db_connection {
    sqlite3 *handle;
    sqlite3_stmt **statements;
    size_t statement_count;
    const char *path; /* for error texts; outlives the connection */
    bool read_only;
    struct db_notes *notes;     /* of the writer's job under way */
    struct db_connection *next; /* in the pool of idle readers */
};

struct db_row {
    sqlite3_stmt *statement;
};

struct db_job;

struct db {
    char *path;
    struct db_options options;
    struct db_connection *writer; /* used by the writer's thread only, once that runs */
    struct metric *commits;
    /* Writer's thread only: what is on the disk is unknown until the next start. */
    bool flush_failed;

    /* Guards the fields down to the blank line, and every queued job's end. */
    pthread_mutex_t queue_lock;
    pthread_cond_t queue_filled;
    struct db_job *first;
    struct db_job **last;
    bool stopping;
    bool writer_runs;
    pthread_t writer_thread;

    pthread_mutex_t pool_lock; /* guards the fields below */
    pthread_cond_t pool_returned;
    struct db_connection *idle;
    size_t readers;
};

/* Opens a connection with this project's settings. Statements are prepared by
 * db_connection_prepare. */
MUST_CHECK bool db_connection_open(struct db_connection **out, const char *path, bool read_only,
                                   struct err *e);
MUST_CHECK bool db_connection_prepare(struct db_connection *c, const struct db_options *options,
                                      struct err *e);
void db_connection_close(struct db_connection *c);
OWN_DEFINE(db_connection, struct db_connection, db_connection_close)

/* Runs SQL text without results. */
MUST_CHECK bool db_connection_run(struct db_connection *c, const char *sql, struct err *e);

/* PRAGMA quick_check: ERR_CORRUPT with what it found first. */
MUST_CHECK bool db_connection_check(struct db_connection *c, struct err *e);

/* Sets *e from the connection's last error. False always. */
bool db_fail(const struct db_connection *c, struct err *e);

/* Brings the database to the newest migration, one transaction each. ERR_CONFLICT when it is newer
 * than that. */
MUST_CHECK bool db_migrate(struct db_connection *c, const struct db_options *options,
                           struct err *e);

/* The text of the first result's first column; NULL when there is none or it is NULL. free() it. */
MUST_CHECK bool db_connection_text(struct db_connection *c, const char *sql, char **out,
                                   struct err *e);
