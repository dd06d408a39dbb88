/* Databases of earlier versions: what they hold is there after the migration. */
#include "tests/unit/master/master_fixture.h"

EMBED_DECLARE(master_schema)

#define FIRST_SCHEMA_FILES 2 /* 0001, down and up */

enum { Q_PUT, Q_GET, OLD_COUNT };
static const char *const old_statements[OLD_COUNT] = {
    [Q_PUT] = "INSERT INTO agent (id, public_key, admission, desired_version, platform, arch,"
              " enrolled_at, last_seen_at, status) VALUES ('a-1', ?1, 'admitted', '1.0.0',"
              " 'linux', 'x86_64', 1, 7, 'suspect')",
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
    *(bool *)argument = strcmp(v->id, "a-1") == 0 && strcmp(v->pin, "") == 0 &&
                        strcmp(v->self.version, "") == 0 && v->last_seen_at_ms == 7 &&
                        v->status == AGENT_SUSPECT;
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

/* Something in every table and column that the second version brought. */
enum { Q_FILL_AGENT, Q_FILL_ROLLOUT, Q_FILL_MEMBER, Q_FILL_DIGEST, Q_FILL_FLOOR, Q_FILL_AUDIT };
static const char *const filling[] = {
    [Q_FILL_AGENT] = "UPDATE agent SET pin='1.1.0', self_version='2.0.0', self_sha256='ab'",
    [Q_FILL_ROLLOUT] = "INSERT INTO rollout (artifact, version, request, state, created_at,"
                       " principal) VALUES ('storage-server', '1.1.0', '{}', 'rolling', 1, 't')",
    [Q_FILL_MEMBER] = "INSERT INTO rollout_agent (rollout, agent_id, domain, state)"
                      " VALUES (1, 'a-1', '', 'granted')",
    [Q_FILL_DIGEST] = "INSERT INTO quarantine (sha256, artifact, version, rollout, reason, at)"
                      " VALUES ('ab', 'storage-server', '1.1.0', 1, 'exits', 1)",
    [Q_FILL_FLOOR] = "INSERT INTO floor VALUES ('storage-server', '1.0.0', 1)",
    [Q_FILL_AUDIT] = "INSERT INTO audit (at, principal, action, subject, hash)"
                     " VALUES (1, 'p', 'a', 's', 'h')",
};
#define FILLING_COUNT (sizeof filling / sizeof filling[0])

enum { Q_LAYOUT, Q_KEPT, LOOK_COUNT };
static const char *const looks[LOOK_COUNT] = {
    [Q_LAYOUT] =
        "SELECT m.type || ' ' || m.name || ' ' || coalesce(p.name || ' ' || p.type || ' ' ||"
        " p.\"notnull\" || ' ' || coalesce(p.dflt_value, '-') || ' ' || p.pk, '')"
        " FROM sqlite_master m LEFT JOIN pragma_table_info(m.name) p"
        " WHERE m.name NOT LIKE 'sqlite_%' ORDER BY m.name, p.cid",
    [Q_KEPT] = "SELECT id || public_key || admission || desired_version || platform FROM agent",
};

static bool fill(struct db_connection *c, void *unused, struct err *e) {
    (void)unused;
    for (int i = 0; i < (int)FILLING_COUNT; i++)
        if (!db_exec(c, i, e, "")) return false;
    return true;
}

static bool add_line(struct db_row *row, void *lines, struct err *e) {
    (void)e;
    text_add_format(lines, "%s\n", db_column_text(row, 0));
    return true;
}

static bool read_all(struct db_connection *c, void *lines, struct err *e) {
    return db_query(c, Q_LAYOUT, add_line, lines, e, "");
}

static bool read_kept(struct db_connection *c, void *lines, struct err *e) {
    return db_query(c, Q_KEPT, add_line, lines, e, "");
}

static const char *script(const char *name) {
    for (size_t i = 0; i < master_schema_file_count; i++)
        if (strcmp(master_schema_files[i].name, name) == 0) return master_schema_files[i].data;
    fail_msg("there is no %s", name);
    return "";
}

/* There and back and there again, as steps that follow each other: what takes a migration back is
 * a change of the database like any other. */
static struct db *open_after(const char *directory, size_t steps, const char *const *statements,
                             size_t count) {
    const struct embedded_file all[] = {
        {"0001_init.up.sql",    script("0001_init.up.sql"),      0},
        {"0002_rollout.up.sql", script("0002_rollout.up.sql"),   0},
        {"0003_back.up.sql",    script("0002_rollout.down.sql"), 0},
        {"0004_again.up.sql",   script("0002_rollout.up.sql"),   0}
    };
    char path[128];
    struct err error;
    struct db *db = NULL;
    snprintf(path, sizeof path, "%s/grid.db", directory);
    const struct db_options options = {.path = path,
                                       .migrations = all,
                                       .migration_count = steps,
                                       .statements = statements,
                                       .statement_count = count};
    assert_ok(db_open(&db, &options, &error));
    return db;
}

static void look_after(const char *directory, size_t steps, struct text *layout,
                       struct text *agents) {
    struct err error;
    struct db *db = open_after(directory, steps, looks, LOOK_COUNT);
    assert_ok(db_read(db, read_all, layout, &error));
    assert_ok(db_read(db, read_kept, agents, &error));
    db_close(db);
}

static void second_version_is_taken_back_and_comes_again(void **state) {
    char directory[] = "/tmp/grid-master-test-XXXXXX";
    struct err error;
    struct text layout[5] = {{0}}, agents[5] = {{0}}; /* after so many steps */
    (void)state;
    sign_setup();
    assert_non_null(mkdtemp(directory));
    make_old(directory);
    look_after(directory, 1, &layout[1], &agents[1]);
    look_after(directory, 2, &layout[2], &agents[2]);
    struct db *db = open_after(directory, 2, filling, FILLING_COUNT);
    with_writer(db, fill, NULL);
    db_close(db);
    look_after(directory, 3, &layout[3], &agents[3]);
    look_after(directory, 4, &layout[4], &agents[4]);
    assert_string_not_equal(text_value(&layout[1]), text_value(&layout[2]));
    assert_string_equal(text_value(&layout[3]), text_value(&layout[1]));
    assert_string_equal(text_value(&layout[4]), text_value(&layout[2]));
    assert_non_null(strstr(text_value(&agents[1]), "a-1"));
    for (size_t i = 2; i <= 4; i++)
        assert_string_equal(text_value(&agents[i]), text_value(&agents[1]));
    for (size_t i = 1; i <= 4; i++) {
        text_fini(&layout[i]);
        text_fini(&agents[i]);
    }
    assert_ok(file_clear_directory(directory, &error));
    assert_int_equal(rmdir(directory), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(database_of_the_first_version_is_taken_over),
        cmocka_unit_test(second_version_is_taken_back_and_comes_again),
    };
    return cmocka_run_group_tests_name("master/schema", tests, NULL, NULL);
}
