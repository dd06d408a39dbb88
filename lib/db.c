/* The part of lib/db.h that opens, closes, reads and copies a database. */
#include "lib/db_internal.h"
#include "lib/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Enough for every worker that is really running on a machine; more threads wait for their turn. */
#define READERS_MAX 16

/* SQLite would create the file readable by all. */
static bool create_private(const char *path, bool may_exist, struct err *e) {
    OWN_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return (errno == EEXIST && may_exist) || err_errno(e, errno, "create %s", path);
    return file_sync_parent(path, e);
}

static bool set_wal(struct db_connection *c, struct err *e) {
    OWN_MEMORY char *mode = NULL;
    if (!db_connection_text(c, "PRAGMA journal_mode=WAL", &mode, e)) return false;
    if (mode == NULL || strcmp(mode, "wal") != 0)
        return err_set(e, ERR_IO, "database %s: its file system cannot hold a write-ahead log",
                       c->path);
    return db_connection_run(c, "PRAGMA synchronous=FULL", e);
}

/* A full disk has no room to make the log and its index: they stay when the database is closed, the
 * log empty, so that it can be opened and read again. */
static bool keep_log(struct db_connection *c, struct err *e) {
    int on = 1;
    return sqlite3_file_control(c->handle, "main", SQLITE_FCNTL_PERSIST_WAL, &on) == SQLITE_OK ||
           db_fail(c, e);
}

static void empty_log_on_close(struct db_connection *c) {
    if (c != NULL) sqlite3_exec(c->handle, "PRAGMA journal_size_limit=0", NULL, NULL, NULL);
}

static bool open_writer(struct db *db, struct err *e) {
    return create_private(db->path, true, e) &&
           db_connection_open(&db->writer, db->path, false, e) &&
           db_connection_check(db->writer, e) && set_wal(db->writer, e) &&
           keep_log(db->writer, e) && db_migrate(db->writer, &db->options, e) &&
           db_connection_run(db->writer, "PRAGMA foreign_keys=ON", e) &&
           db_connection_prepare(db->writer, &db->options, e);
}

bool db_open(struct db **out, const struct db_options *options, struct err *e) {
    OWN(db) struct db *db = memory_zeroed(1, sizeof *db);
    db->options = *options;
    db->path = text_duplicate(options->path);
    db->last = &db->first;
    pthread_mutex_init(&db->queue_lock, NULL);
    pthread_cond_init(&db->queue_filled, NULL);
    pthread_mutex_init(&db->pool_lock, NULL);
    pthread_cond_init(&db->pool_returned, NULL);
    if (!open_writer(db, e)) return false;
    *out = TAKE(db);
    return true;
}

void db_close(struct db *db) {
    if (db == NULL) return;
    assert(!db->writer_runs && db->first == NULL);
    while (db->idle != NULL) {
        struct db_connection *c = db->idle;
        db->idle = c->next;
        db->readers--;
        db_connection_close(c);
    }
    assert(db->readers == 0); /* nobody reads any more */
    empty_log_on_close(db->writer);
    db_connection_close(db->writer);
    pthread_cond_destroy(&db->pool_returned);
    pthread_mutex_destroy(&db->pool_lock);
    pthread_cond_destroy(&db->queue_filled);
    pthread_mutex_destroy(&db->queue_lock);
    free(db->path);
    free(db);
}

/* An idle connection, or NULL with the right to open one more. */
static struct db_connection *pool_take(struct db *db) {
    pthread_mutex_lock(&db->pool_lock);
    assert(db->readers <= READERS_MAX);
    while (db->idle == NULL && db->readers == READERS_MAX)
        pthread_cond_wait(&db->pool_returned, &db->pool_lock);
    struct db_connection *c = db->idle;
    if (c != NULL)
        db->idle = c->next;
    else
        db->readers++;
    pthread_mutex_unlock(&db->pool_lock);
    return c;
}

/* Gives back a connection, or (NULL) the right to have one. */
static void pool_return(struct db *db, struct db_connection *c) {
    pthread_mutex_lock(&db->pool_lock);
    if (c != NULL) {
        c->next = db->idle;
        db->idle = c;
    } else {
        assert(db->readers > 0);
        db->readers--;
    }
    pthread_cond_signal(&db->pool_returned);
    pthread_mutex_unlock(&db->pool_lock);
}

static bool open_reader(struct db *db, struct db_connection **out, struct err *e) {
    OWN(db_connection) struct db_connection *c = NULL;
    if (!db_connection_open(&c, db->path, true, e) || !db_connection_prepare(c, &db->options, e))
        return false;
    *out = TAKE(c);
    return true;
}

static bool read_snapshot(struct db_connection *c, db_operation *operation, void *argument,
                          struct err *e) {
    if (!db_connection_run(c, "BEGIN", e)) return false;
    bool ok = operation(c, argument, e);
    if (!sqlite3_get_autocommit(c->handle)) sqlite3_exec(c->handle, "ROLLBACK", NULL, NULL, NULL);
    return ok;
}

bool db_read(struct db *db, db_operation *operation, void *argument, struct err *e) {
    struct db_connection *c = pool_take(db);
    bool ok = (c != NULL || open_reader(db, &c, e)) && read_snapshot(c, operation, argument, e);
    pool_return(db, c);
    return ok;
}

static bool vacuum_into(struct db_connection *c, const char *path, struct err *e) {
    sqlite3_stmt *statement = NULL;
    bool ok = sqlite3_prepare_v2(c->handle, "VACUUM INTO ?1", -1, &statement, NULL) == SQLITE_OK &&
              sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC) == SQLITE_OK &&
              sqlite3_step(statement) == SQLITE_DONE;
    if (!ok) db_fail(c, e);
    sqlite3_finalize(statement);
    return ok;
}

static bool sync_file(const char *path, struct err *e) {
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) return err_errno(e, errno, "flush %s", path);
    return file_sync_parent(path, e);
}

bool db_snapshot(struct db *db, const char *path, struct err *e) {
    OWN(db_connection) struct db_connection *c = NULL;
    if (!db_connection_open(&c, db->path, true, e) || !create_private(path, false, e)) return false;
    if (vacuum_into(c, path, e) && sync_file(path, e)) return true;
    unlink(path);
    return err_wrap(e, "snapshot to %s", path);
}
