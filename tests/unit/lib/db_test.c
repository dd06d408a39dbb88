#include "tests/unit/lib/db_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

static void new_database_is_private_and_has_the_newest_schema(void **state) {
    struct fixture *f = *state;
    struct stat file;
    fixture_start(f);
    assert_int_equal(stat(f->path, &file), 0);
    assert_int_equal(file.st_mode & 07777, 0600);
    assert_int_equal(items_in(f->db), 1); /* the row of migration 2 */
}

static void only_missing_migrations_are_applied(void **state) {
    struct fixture *f = *state;
    struct db_options options = fixture_options(f);
    struct err e;
    OWN(db) struct db *old = NULL;
    options.migration_count = 2; /* 0001 down and up */
    options.statement_count = Q_NOTE;
    assert_true(db_open(&old, &options, &e));
    assert_int_equal(items_in(old), 0);
    db_close(TAKE(old));
    for (int start = 0; start < 2; start++) {
        fixture_start(f);
        assert_int_equal(items_in(f->db), 1);
        fixture_stop(f);
    }
}

static void failed_migration_leaves_nothing_behind(void **state) {
    struct fixture *f = *state;
    const struct embedded_file broken[] = {
        fixture_migrations[1],
        MIGRATION("0002_note.up.sql", "CREATE TABLE half(id INT); INSERT INTO nowhere VALUES(1);"),
    };
    struct db_options options = fixture_options(f);
    struct db *db = NULL;
    struct err e;
    options.migrations = broken;
    options.migration_count = 2;
    assert_false(db_open(&db, &options, &e));
    assert_non_null(strstr(e.text, "0002_note.up.sql"));
    assert_non_null(strstr(e.text, "nowhere"));

    const char *const half[] = {"SELECT * FROM half"};
    options.migration_count = 1;
    options.statements = half;
    options.statement_count = 1;
    assert_false(db_open(&db, &options, &e));
    assert_non_null(strstr(e.text, "no such table: half"));
    fixture_start(f);
    assert_int_equal(items_in(f->db), 1);
}

static void migration_that_breaks_references_is_refused(void **state) {
    struct fixture *f = *state;
    const struct embedded_file broken[] = {
        fixture_migrations[1],
        fixture_migrations[3],
        MIGRATION("0003_drop.up.sql", "INSERT INTO note VALUES(99, 'to nothing');"),
    };
    struct db_options options = fixture_options(f);
    struct db *db = NULL;
    struct err e;
    options.migrations = broken;
    options.migration_count = 3;
    assert_false(db_open(&db, &options, &e));
    assert_non_null(strstr(e.text, "table note"));
    fixture_start(f);
}

static void newer_database_is_refused(void **state) {
    struct fixture *f = *state;
    struct db_options options = fixture_options(f);
    struct db *db = NULL;
    struct err e;
    fixture_start(f);
    fixture_stop(f);
    options.migration_count = 2;
    options.statement_count = Q_NOTE;
    assert_false(db_open(&db, &options, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_non_null(strstr(e.text, "schema 2, this program knows 1"));
    assert_string_not_equal(e.hint, "");
}

static void overwrite(const char *path, off_t offset, const char *words) {
    OWN_FD int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, words, strlen(words), offset), strlen(words));
}

static void expect_corrupt(struct fixture *f) {
    struct db_options options = fixture_options(f);
    struct db *db = NULL;
    struct err e;
    assert_false(db_open(&db, &options, &e));
    assert_int_equal(e.code, ERR_CORRUPT);
    assert_non_null(strstr(e.text, f->path));
    assert_string_equal(e.hint, "restore a backup");
}

static void damaged_page_is_found_at_open(void **state) {
    struct fixture *f = *state;
    fixture_start(f);
    fixture_stop(f);
    overwrite(f->path, 4096, "this was the root page of table item");
    expect_corrupt(f);
}

static void file_that_is_no_database_is_refused(void **state) {
    struct fixture *f = *state;
    struct err e;
    char words[8192];
    memset(words, 'x', sizeof words);
    assert_true(file_write_durable(f->path, words, sizeof words, 0600, &e));
    expect_corrupt(f);
}

static void database_in_a_missing_directory_is_an_error(void **state) {
    struct fixture *f = *state;
    struct db_options options = fixture_options(f);
    struct db *db = NULL;
    struct err e;
    options.path = "/nowhere/at/all/grid.db";
    assert_false(db_open(&db, &options, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, options.path));
}

static void expect_refused_statement(struct fixture *f, const char *sql, const char *complaint) {
    const char *const statements[] = {fixture_statements[Q_COUNT], sql};
    struct db_options options = fixture_options(f);
    struct db *db = NULL;
    struct err e;
    options.statements = statements;
    options.statement_count = 2;
    assert_false(db_open(&db, &options, &e));
    assert_int_equal(e.code, ERR_INTERNAL);
    assert_non_null(strstr(e.text, "statement 1 ("));
    assert_non_null(strstr(e.text, complaint));
}

static void statement_with_a_typo_stops_the_start(void **state) {
    expect_refused_statement(*state, "SELECT nome FROM item", "nome");
    expect_refused_statement(*state, "SELECT 1; SELECT 2", "exactly one");
    expect_refused_statement(*state, " -- nothing", "exactly one");
}

static bool add_all_kinds(struct db_connection *c, void *argument, struct err *e) {
    (void)argument;
    if (!db_exec(c, Q_ADD, e, "si", "Zoë", INT64_C(9007199254740993))) return false;
    assert_int_equal(db_changed_rows(c), 1);
    return db_exec(c, Q_ADD, e, "si", NULL, INT64_C(0));
}

static bool check_kinds(struct db_row *row, void *argument, struct err *e) {
    (void)argument;
    (void)e;
    assert_int_equal(db_column_int(row, 0), 2); /* the first is the schema's */
    assert_string_equal(db_column_text(row, 1), "Zoë");
    assert_true(db_column_int(row, 2) == INT64_C(9007199254740993));
    return true;
}

static bool read_kinds(struct db_connection *c, void *argument, struct err *e) {
    return db_one(c, Q_BY_NAME, check_kinds, argument, e, "s", "Zoë");
}

static bool check_nulls(struct db_row *row, void *argument, struct err *e) {
    (void)e;
    if (!db_column_is_null(row, 1)) return true;
    assert_string_equal(db_column_text(row, 1), "");
    assert_false(db_column_is_null(row, 2));
    (*(int *)argument)++;
    return true;
}

static bool read_nulls(struct db_connection *c, void *argument, struct err *e) {
    return db_query(c, Q_ALL, check_nulls, argument, e, "");
}

static void values_of_every_kind_come_back_as_written(void **state) {
    struct fixture *f = *state;
    int nulls = 0;
    struct err e;
    assert_true(db_write(f->db, add_all_kinds, NULL, &e));
    assert_true(db_read(f->db, read_kinds, NULL, &e));
    assert_true(db_read(f->db, read_nulls, &nulls, &e));
    assert_int_equal(nulls, 1);
}

static void missing_row_is_not_found(void **state) {
    struct fixture *f = *state;
    struct err e;
    assert_false(db_read(f->db, has_item, "nobody", &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_string_equal(e.text, "no row");
}

static void broken_constraints_are_conflicts(void **state) {
    struct fixture *f = *state;
    struct err e;
    assert_false(db_write(f->db, add_item, &(struct item){"first", 1}, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_non_null(strstr(e.text, "UNIQUE constraint failed: item.name"));
    assert_false(db_write(f->db, add_item, &(struct item){"second", -1}, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_int_equal(items_in(f->db), 1);
}

static int notes_run;

static void count_note(const void *note) {
    assert_string_equal(note, "note");
    notes_run++;
}

static bool add_item_and_note(struct db_connection *c, void *argument, struct err *e) {
    db_after_commit(c, count_note, text_duplicate("note"));
    assert_int_equal(notes_run, 0);
    return add_item(c, argument, e);
}

static void note_runs_after_the_commit_only(void **state) {
    struct fixture *f = *state;
    struct err e;
    notes_run = 0;
    assert_false(db_write(f->db, add_item_and_note, &(struct item){"first", 1}, &e));
    assert_int_equal(notes_run, 0);
    assert_true(db_write(f->db, add_item_and_note, &(struct item){"second", 1}, &e));
    assert_int_equal(notes_run, 1);
}

static bool add_note_to_nothing(struct db_connection *c, void *argument, struct err *e) {
    (void)argument;
    return db_exec(c, Q_NOTE, e, "is", INT64_C(4711), "words");
}

static void references_to_nothing_are_conflicts(void **state) {
    struct fixture *f = *state;
    struct err e;
    assert_false(db_write(f->db, add_note_to_nothing, NULL, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
}

static bool stop_at_first_row(struct db_row *row, void *argument, struct err *e) {
    (void)row;
    (*(int *)argument)++;
    return err_set(e, ERR_RANGE, "enough");
}

static bool query_until_stopped(struct db_connection *c, void *argument, struct err *e) {
    return db_query(c, Q_ALL, stop_at_first_row, argument, e, "");
}

static void row_callback_ends_the_query_with_its_error(void **state) {
    struct fixture *f = *state;
    int rows = 0;
    struct err e;
    assert_true(db_write(f->db, add_item, &(struct item){"second", 1}, &e));
    assert_false(db_read(f->db, query_until_stopped, &rows, &e));
    assert_int_equal(e.code, ERR_RANGE);
    assert_int_equal(rows, 1);
    rows = 0;
    assert_false(db_read(f->db, query_until_stopped, &rows, NULL)); /* and again: it was reset */
    assert_int_equal(rows, 1);
}

static void reading_operation_cannot_write(void **state) {
    struct fixture *f = *state;
    struct err e;
    assert_false(db_read(f->db, add_item, &(struct item){"second", 1}, &e));
    assert_int_equal(e.code, ERR_INTERNAL);
    assert_int_equal(items_in(f->db), 1);
}

static void snapshot_is_a_private_whole_copy(void **state) {
    struct fixture *f = *state;
    struct fixture copy = *f;
    struct stat file;
    struct err e;
    assert_true(db_write(f->db, add_item, &(struct item){"second", 1}, &e));
    (void)snprintf(copy.path, sizeof copy.path, "%s/it's a copy", f->directory);
    assert_true(db_snapshot(f->db, copy.path, &e));
    assert_true(db_write(f->db, add_item, &(struct item){"third", 1}, &e));
    assert_int_equal(stat(copy.path, &file), 0);
    assert_int_equal(file.st_mode & 07777, 0600);
    fixture_start(&copy);
    assert_int_equal(items_in(copy.db), 2);
    fixture_stop(&copy);
}

static void snapshot_never_replaces_a_file(void **state) {
    struct fixture *f = *state;
    struct err e;
    assert_false(db_snapshot(f->db, f->path, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_int_equal(items_in(f->db), 1);
}

static void nothing_is_written_after_stop(void **state) {
    struct fixture *f = *state;
    struct err e;
    db_stop(f->db);
    assert_false(db_write(f->db, add_item, &(struct item){"second", 1}, &e));
    assert_int_equal(e.code, ERR_UNAVAILABLE);
    assert_int_equal(items_in(f->db), 1); /* reading goes on */
}

#define COLD(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
#define WARM(test) cmocka_unit_test_setup_teardown(test, fixture_setup_started, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        COLD(new_database_is_private_and_has_the_newest_schema),
        COLD(only_missing_migrations_are_applied),
        COLD(failed_migration_leaves_nothing_behind),
        COLD(migration_that_breaks_references_is_refused),
        COLD(newer_database_is_refused),
        COLD(damaged_page_is_found_at_open),
        COLD(file_that_is_no_database_is_refused),
        COLD(database_in_a_missing_directory_is_an_error),
        COLD(statement_with_a_typo_stops_the_start),
        WARM(values_of_every_kind_come_back_as_written),
        WARM(missing_row_is_not_found),
        WARM(broken_constraints_are_conflicts),
        WARM(note_runs_after_the_commit_only),
        WARM(references_to_nothing_are_conflicts),
        WARM(row_callback_ends_the_query_with_its_error),
        WARM(reading_operation_cannot_write),
        WARM(snapshot_is_a_private_whole_copy),
        WARM(snapshot_never_replaces_a_file),
        WARM(nothing_is_written_after_stop),
    };
    return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
