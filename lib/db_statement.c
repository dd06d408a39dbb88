/* Statements inside an operation: binding, stepping, columns. */
#include "lib/db_internal.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

static sqlite3_stmt *statement_of(struct db_connection *c, int statement) {
    assert(statement >= 0 && (size_t)statement < c->statement_count);
    sqlite3_stmt *s = c->statements[statement];
    assert(!sqlite3_stmt_busy(s)); /* a row callback ran its own statement again */
    return s;
}

/* Arguments live in the caller's frame, which outlasts the statement's run: nothing is copied. */
static int bind_next(sqlite3_stmt *s, int position, char kind, va_list *arguments) {
    if (kind == 'i') return sqlite3_bind_int64(s, position, va_arg(*arguments, int64_t));
    return sqlite3_bind_text(s, position, va_arg(*arguments, const char *), -1, SQLITE_STATIC);
}

static bool bind_all(struct db_connection *c, sqlite3_stmt *s, const char *kinds,
                     va_list *arguments, struct err *e) {
    int position = 0;
    assert(strspn(kinds, "is") == strlen(kinds));
    for (; kinds[position] != '\0'; position++)
        if (bind_next(s, position + 1, kinds[position], arguments) != SQLITE_OK)
            return db_fail(c, e);
    assert(position == sqlite3_bind_parameter_count(s));
    return true;
}

/* Steps to the end, or through at most limit rows. *rows counts them. */
static bool step_all(struct db_connection *c, sqlite3_stmt *s, db_row_callback *row, void *argument,
                     int64_t limit, int64_t *rows, struct err *e) {
    for (*rows = 0; *rows < limit; (*rows)++) {
        int result = sqlite3_step(s);
        if (result == SQLITE_DONE) return true;
        if (result != SQLITE_ROW) return db_fail(c, e);
        if (row != NULL && !row(&(struct db_row){s}, argument, e)) return false;
    }
    return true;
}

static bool run(struct db_connection *c, int statement, db_row_callback *row, void *argument,
                int64_t limit, int64_t *rows, struct err *e, const char *bind, va_list *arguments) {
    sqlite3_stmt *s = statement_of(c, statement);
    bool ok = bind_all(c, s, bind, arguments, e) && step_all(c, s, row, argument, limit, rows, e);
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return ok;
}

bool db_exec(struct db_connection *c, int statement, struct err *e, const char *bind, ...) {
    va_list arguments;
    int64_t rows = 0;
    va_start(arguments, bind);
    bool ok = run(c, statement, NULL, NULL, INT64_MAX, &rows, e, bind, &arguments);
    va_end(arguments);
    return ok;
}

bool db_query(struct db_connection *c, int statement, db_row_callback *row, void *argument,
              struct err *e, const char *bind, ...) {
    va_list arguments;
    int64_t rows = 0;
    va_start(arguments, bind);
    bool ok = run(c, statement, row, argument, INT64_MAX, &rows, e, bind, &arguments);
    va_end(arguments);
    return ok;
}

bool db_one(struct db_connection *c, int statement, db_row_callback *row, void *argument,
            struct err *e, const char *bind, ...) {
    va_list arguments;
    int64_t rows = 0;
    va_start(arguments, bind);
    bool ok = run(c, statement, row, argument, 1, &rows, e, bind, &arguments);
    va_end(arguments);
    if (ok && rows == 0) return err_set(e, ERR_NOT_FOUND, "no row");
    return ok;
}

int64_t db_changed_rows(struct db_connection *c) {
    return sqlite3_changes64(c->handle);
}

int64_t db_column_int(struct db_row *row, int column) {
    return sqlite3_column_int64(row->statement, column);
}

const char *db_column_text(struct db_row *row, int column) {
    const unsigned char *words = sqlite3_column_text(row->statement, column);
    return words != NULL ? (const char *)words : "";
}

bool db_column_is_null(struct db_row *row, int column) {
    return sqlite3_column_type(row->statement, column) == SQLITE_NULL;
}
