/* Databases of earlier versions: what they hold is there after the migration. */
#include "tests/unit/master/master_fixture.h"

EMBED_DECLARE(master_schema)

#define FIRST_SCHEMA_FILES 2 /* 0001, down and up */

enum { Q_PUT, Q_GET, OLD_COUNT };
static const char *const old_statements[OLD_COUNT] = {
    [Q_PUT] = "INSERT INTO agent (id, public_key, admission, desired_version, platform, arch,"
              " enrolled_at) VALUES ('a-1', ?1, 'admitted', '1.0.0', 'linux', 'x86_64', 1)",
    [Q_GET] = "SELECT desired_version FROM agent",
};

static bool put_agent(struct db_connection *c, void *argument, struct err *e) {
    return db_exec(c, Q_PUT, e, "s", argument);
}

static void with_writer(struct db *db, db_operation *operation, void *argument) {
    struct err error;
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, db_writer_run, db), 0);
    assert_ok(db_write(db, operation, argument, &error));
    db_stop(db);
    pthread_join(writer, NULL);
}

/* A database as the first version left it, with one agent. */
static void make_old(const char *directory) {
    char path[128], text[SIGN_PUBLIC_TEXT_SIZE];
    struct err error;
    struct sign_public key;
    struct db *db = NULL;
    snprintf(path, sizeof path, "%s/grid.db", directory);
    const struct db_options options = {.path = path,
                                       .migrations = master_schema_files,
                                       .migration_count = FIRST_SCHEMA_FILES,
                                       .statements = old_statements,
                                       .statement_count = OLD_COUNT};
    fixture_key(&key);
    assert_ok(db_open(&db, &options, &error));
    with_writer(db, put_agent, (void *)sign_public_text(&key, text));
    db_close(db);
}

static bool look(const struct agent_view *v, void *argument) {
    *(bool *)argument =
        strcmp(v->id, "a-1") == 0 && strcmp(v->pin, "") == 0 && strcmp(v->self.version, "") == 0;
    return true;
}

static void database_of_the_first_version_is_taken_over(void **state) {
    char directory[] = "/tmp/grid-master-test-XXXXXX";
    struct err error;
    struct fixture f = {.db = NULL};
    pthread_t writer;
    bool seen = false;
    (void)state;
    sign_setup();
    assert_non_null(mkdtemp(directory));
    make_old(directory);
    assert_ok(store_open(&f.db, directory, &error));
    assert_int_equal(pthread_create(&writer, NULL, db_writer_run, f.db), 0);
    f.events = events_new(f.db);
    fixture_open_agents(&f);
    agents_visit(f.agents, look, &seen);
    assert_true(seen);
    agents_close(f.agents);
    events_free(f.events);
    db_stop(f.db);
    pthread_join(writer, NULL);
    db_close(f.db);
    assert_ok(file_clear_directory(directory, &error));
    assert_int_equal(rmdir(directory), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(database_of_the_first_version_is_taken_over),
    };
    return cmocka_run_group_tests_name("master/schema", tests, NULL, NULL);
}
