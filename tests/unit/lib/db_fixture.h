/* What tests of lib/db* share: a directory of their own, a small schema, a database with a running
 * writer. */
#pragma once

#include "lib/db.h"
#include "lib/file.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MIGRATION(name_, sql_)                                                                     \
    { .name = (name_), .data = (sql_), .size = sizeof(sql_) - 1 }

static const struct embedded_file fixture_migrations[] = {
    MIGRATION("0001_init.down.sql", "DROP TABLE item;"),
    MIGRATION("0001_init.up.sql", "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT UNIQUE,"
                                  " amount INT CHECK(amount >= 0));"),
    MIGRATION("0002_note.down.sql", "DROP TABLE note;"),
    MIGRATION("0002_note.up.sql", "CREATE TABLE note(item INTEGER REFERENCES item(id), words TEXT);"
                                  "INSERT INTO item(name, amount) VALUES('first', 7);"),
};

enum { Q_ADD, Q_COUNT, Q_BY_NAME, Q_MOVE, Q_AMOUNT, Q_ALL, Q_NOTE, Q_END };
static const char *const fixture_statements[] = {
    [Q_ADD] = "INSERT INTO item(name, amount) VALUES(?1, ?2)",
    [Q_COUNT] = "SELECT count(*) FROM item",
    [Q_BY_NAME] = "SELECT id, name, amount FROM item WHERE name = ?1",
    [Q_MOVE] = "UPDATE item SET amount = amount + ?2 WHERE name = ?1",
    [Q_AMOUNT] = "SELECT amount FROM item WHERE name = ?1",
    [Q_ALL] = "SELECT id, name, amount FROM item ORDER BY id",
    [Q_NOTE] = "INSERT INTO note(item, words) VALUES(?1, ?2)",
};

struct fixture {
    char directory[64];
    char path[96];
    struct db *db;
    pthread_t writer;
};

static inline struct db_options fixture_options(const struct fixture *f) {
    return (struct db_options){
        .path = f->path,
        .migrations = fixture_migrations,
        .migration_count = sizeof fixture_migrations / sizeof fixture_migrations[0],
        .statements = fixture_statements,
        .statement_count = Q_END,
    };
}

static inline void fixture_start(struct fixture *f) {
    struct db_options options = fixture_options(f);
    struct err e = {0};
    if (!db_open(&f->db, &options, &e)) fail_msg("%s", e.text);
    assert_int_equal(pthread_create(&f->writer, NULL, db_writer_run, f->db), 0);
}

static inline void fixture_stop(struct fixture *f) {
    if (f->db == NULL) return;
    db_stop(f->db);
    pthread_join(f->writer, NULL);
    db_close(f->db);
    f->db = NULL;
}

static inline int fixture_setup(void **state) {
    struct fixture *f = memory_zeroed(1, sizeof *f);
    (void)snprintf(f->directory, sizeof f->directory, "/tmp/grid-db-test.XXXXXX");
    if (mkdtemp(f->directory) == NULL) return -1;
    (void)snprintf(f->path, sizeof f->path, "%s/grid.db", f->directory);
    *state = f;
    return 0;
}

static inline int fixture_setup_started(void **state) {
    if (fixture_setup(state) != 0) return -1;
    fixture_start(*state);
    return 0;
}

static inline int fixture_teardown(void **state) {
    struct fixture *f = *state;
    struct err e;
    fixture_stop(f);
    bool cleared = file_clear_directory(f->directory, &e) && rmdir(f->directory) == 0;
    free(f);
    return cleared ? 0 : -1;
}

struct item {
    const char *name;
    int64_t amount;
};

static inline bool add_item(struct db_connection *c, void *argument, struct err *e) {
    const struct item *item = argument;
    return db_exec(c, Q_ADD, e, "si", item->name, item->amount);
}

static inline bool take_int(struct db_row *row, void *argument, struct err *e) {
    (void)e;
    *(int64_t *)argument = db_column_int(row, 0);
    return true;
}

static inline bool count_items(struct db_connection *c, void *argument, struct err *e) {
    return db_one(c, Q_COUNT, take_int, argument, e, "");
}

/* Two statements: only a snapshot makes their sum stand for one moment. */
static inline bool sum_of_left_and_right(struct db_connection *c, void *argument, struct err *e) {
    int64_t left = 0;
    int64_t right = 0;
    bool ok = db_one(c, Q_AMOUNT, take_int, &left, e, "s", "left") &&
              db_one(c, Q_AMOUNT, take_int, &right, e, "s", "right");
    *(int64_t *)argument = left + right;
    return ok;
}

static inline bool has_item(struct db_connection *c, void *argument, struct err *e) {
    int64_t id = 0;
    return db_one(c, Q_BY_NAME, take_int, &id, e, "s", (const char *)argument);
}

static inline int64_t items_in(struct db *db) {
    int64_t count = -1;
    struct err e;
    assert_true(db_read(db, count_items, &count, &e));
    return count;
}
