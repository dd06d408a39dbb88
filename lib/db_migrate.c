/* Migrations: PRAGMA user_version counts those that were applied. */
#include "lib/db_internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* "0007_any_words.up.sql" -> 7; 0 when the name is of another kind. */
static int up_number(const char *name) {
    const char *ending = strstr(name, ".up.sql");
    if (strspn(name, "0123456789") != 4 || name[4] != '_' || ending == NULL || ending[7] != '\0')
        return 0;
    return (int)strtol(name, NULL, 10);
}

/* A gap in the numbers is our bug: the schema files lie beside the program's source. */
static const struct embedded_file *find_up(const struct db_options *options, int number) {
    size_t i = 0;
    while (i < options->migration_count && up_number(options->migrations[i].name) != number) i++;
    assert(i < options->migration_count);
    return &options->migrations[i];
}

static int newest(const struct db_options *options) {
    int highest = 0;
    for (size_t i = 0; i < options->migration_count; i++) {
        int number = up_number(options->migrations[i].name);
        highest = number > highest ? number : highest;
    }
    return highest;
}

static bool current(struct db_connection *c, int *out, struct err *e) {
    OWN_MEMORY char *version = NULL;
    if (!db_connection_text(c, "PRAGMA user_version", &version, e)) return false;
    assert(version != NULL);
    *out = (int)strtol(version, NULL, 10);
    return true;
}

static bool references_hold(struct db_connection *c, struct err *e) {
    OWN_MEMORY char *table = NULL;
    if (!db_connection_text(c, "PRAGMA foreign_key_check", &table, e)) return false;
    return table == NULL ||
           err_set(e, ERR_INTERNAL, "rows of table %s would refer to nothing", table);
}

static bool apply(struct db_connection *c, const struct embedded_file *migration, int number,
                  struct err *e) {
    char mark[48];
    (void)snprintf(mark, sizeof mark, "PRAGMA user_version=%d", number);
    if (db_connection_run(c, "BEGIN IMMEDIATE", e) && db_connection_run(c, migration->data, e) &&
        references_hold(c, e) && db_connection_run(c, mark, e) && db_connection_run(c, "COMMIT", e))
        return true;
    if (!sqlite3_get_autocommit(c->handle)) sqlite3_exec(c->handle, "ROLLBACK", NULL, NULL, NULL);
    return err_wrap(e, "migration %s", migration->name);
}

bool db_migrate(struct db_connection *c, const struct db_options *options, struct err *e) {
    int known = newest(options);
    int applied = 0;
    if (!current(c, &applied, e)) return false;
    if (applied > known) {
        err_set(e, ERR_CONFLICT, "database %s has schema %d, this program knows %d", c->path,
                applied, known);
        return err_hint(e, "run the newer program, or restore a backup made by this one");
    }
    for (int number = applied + 1; number <= known; number++)
        if (!apply(c, find_up(options, number), number, e)) return false;
    return true;
}
