/* One connection: its settings, its statements, what its errors mean. */
#include "lib/db_internal.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#define BUSY_TIMEOUT_MS 5000

/* What each primary result code of SQLite means to our callers. */
static const struct {
    int result;
    enum err_code code;
} meanings[] = {
    {SQLITE_CONSTRAINT, ERR_CONFLICT   },
    {SQLITE_FULL,       ERR_NO_SPACE   },
    {SQLITE_IOERR,      ERR_IO         },
    {SQLITE_CORRUPT,    ERR_CORRUPT    },
    {SQLITE_NOTADB,     ERR_CORRUPT    },
    {SQLITE_BUSY,       ERR_UNAVAILABLE},
    {SQLITE_LOCKED,     ERR_UNAVAILABLE},
    {SQLITE_PROTOCOL,   ERR_UNAVAILABLE},
    {SQLITE_CANTOPEN,   ERR_IO         },
    {SQLITE_READONLY,   ERR_IO         },
    {SQLITE_PERM,       ERR_DENIED     },
    {SQLITE_AUTH,       ERR_DENIED     },
    {SQLITE_TOOBIG,     ERR_TOO_LARGE  },
};

static bool is_no_space(int errno_value) {
    return errno_value == ENOSPC || errno_value == EDQUOT;
}

static enum err_code code_of(const struct db_connection *c, int result) {
    if (result == SQLITE_READONLY && c->read_only) return ERR_INTERNAL;
    if (result == SQLITE_IOERR && is_no_space(sqlite3_system_errno(c->handle))) return ERR_NO_SPACE;
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (meanings[i].result == result) return meanings[i].code;
    return ERR_INTERNAL;
}

static void add_hint(enum err_code code, struct err *e) {
    if (code == ERR_CORRUPT) err_hint(e, "restore a backup");
    if (code == ERR_NO_SPACE) err_hint(e, "free some space on the file system");
}

bool db_fail(const struct db_connection *c, struct err *e) {
    enum err_code code = code_of(c, sqlite3_errcode(c->handle) & 0xff);
    if (code == ERR_CONFLICT) return err_set(e, code, "%s", sqlite3_errmsg(c->handle));
    int errno_value = sqlite3_system_errno(c->handle);
    err_set(e, code, "database %s%s: %s%s%s", c->path, code == ERR_CORRUPT ? " is damaged" : "",
            sqlite3_errmsg(c->handle), errno_value != 0 ? ": " : "",
            errno_value != 0 ? strerrordesc_np(errno_value) : "");
    add_hint(code, e);
    return false;
}

bool db_connection_run(struct db_connection *c, const char *sql, struct err *e) {
    return sqlite3_exec(c->handle, sql, NULL, NULL, NULL) == SQLITE_OK || db_fail(c, e);
}

bool db_connection_text(struct db_connection *c, const char *sql, char **out, struct err *e) {
    sqlite3_stmt *statement = NULL;
    *out = NULL;
    if (sqlite3_prepare_v2(c->handle, sql, -1, &statement, NULL) != SQLITE_OK) return db_fail(c, e);
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        *out = text_duplicate((const char *)sqlite3_column_text(statement, 0));
    bool ok = result == SQLITE_ROW || result == SQLITE_DONE || db_fail(c, e);
    sqlite3_finalize(statement);
    return ok;
}

bool db_connection_check(struct db_connection *c, struct err *e) {
    OWN_MEMORY char *found = NULL;
    if (!db_connection_text(c, "PRAGMA quick_check(1)", &found, e)) return false;
    if (found != NULL && strcmp(found, "ok") == 0) return true;
    err_set(e, ERR_CORRUPT, "database %s is damaged: %s", c->path,
            found != NULL ? found : "no answer from its check");
    return err_hint(e, "restore a backup");
}

bool db_connection_open(struct db_connection **out, const char *path, bool read_only,
                        struct err *e) {
    OWN(db_connection) struct db_connection *c = memory_zeroed(1, sizeof *c);
    c->path = path;
    c->read_only = read_only;
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    flags |= read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    if (sqlite3_open_v2(path, &c->handle, flags, NULL) != SQLITE_OK) {
        if (c->handle == NULL)
            return err_set(e, ERR_INTERNAL, "database %s: no memory for a connection", path);
        return db_fail(c, e);
    }
    sqlite3_busy_timeout(c->handle, BUSY_TIMEOUT_MS);
    sqlite3_db_config(c->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(c->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if (!db_connection_run(c, "PRAGMA temp_store=MEMORY", e)) return false;
    *out = TAKE(c);
    return true;
}

static bool has_more_sql(const char *tail) {
    while (isspace((unsigned char)*tail) || *tail == ';') tail++;
    return *tail != '\0';
}

bool db_connection_prepare(struct db_connection *c, const struct db_options *options,
                           struct err *e) {
    c->statements = memory_zeroed(options->statement_count, sizeof(sqlite3_stmt *));
    c->statement_count = options->statement_count;
    for (size_t i = 0; i < options->statement_count; i++) {
        const char *sql = options->statements[i];
        const char *tail = "";
        assert(sql != NULL);
        if (sqlite3_prepare_v3(c->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &c->statements[i],
                               &tail) != SQLITE_OK) {
            db_fail(c, e);
            return err_wrap(e, "statement %zu (%.60s)", i, sql);
        }
        if (c->statements[i] == NULL || has_more_sql(tail))
            return err_set(e, ERR_INTERNAL, "statement %zu (%.60s) is not exactly one statement", i,
                           sql);
    }
    return true;
}

void db_connection_close(struct db_connection *c) {
    if (c == NULL) return;
    for (size_t i = 0; i < c->statement_count; i++) sqlite3_finalize(c->statements[i]);
    free(c->statements);
    int result = sqlite3_close(c->handle);
    assert(result == SQLITE_OK);
    free(c);
}
