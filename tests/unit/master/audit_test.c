/* The audit trail: an altered row is found. */
#include "master/audit.h"

#include "master/floors.h"
#include "master/quarantine.h"
#include "tests/unit/master/master_fixture.h"

EMBED_DECLARE(master_schema)

static const struct audit_filter any = {.subject = NULL};

struct row {
    const char *action, *data;
};

static bool add(struct db_connection *c, void *argument, struct err *e) {
    const struct row *r = argument;
    return audit_add(c, "token:op", r->action, "r-1", r->data, e);
}

static bool add_and_fail(struct db_connection *c, void *argument, struct err *e) {
    return add(c, argument, e) && err_set(e, ERR_CONFLICT, "undone");
}

static void write_row(struct fixture *f, const char *action, const char *data) {
    struct err error;
    struct row r = {action, data};
    assert_ok(db_write(f->db, add, &r, &error));
}

static bool run_first(struct db_connection *c, void *argument, struct err *e) {
    (void)argument;
    return db_exec(c, 0, e, "");
}

/* Behind the program's back, as somebody with access to the file would. */
static void alter(struct fixture *f, const char *sql) {
    char path[128];
    struct err error;
    struct db *raw = NULL;
    pthread_t writer;
    snprintf(path, sizeof path, "%s/grid.db", f->state);
    const struct db_options options = {.path = path,
                                       .migrations = master_schema_files,
                                       .migration_count = master_schema_file_count,
                                       .statements = &sql,
                                       .statement_count = 1};
    assert_ok(db_open(&raw, &options, &error));
    assert_int_equal(pthread_create(&writer, NULL, db_writer_run, raw), 0);
    assert_ok(db_write(raw, run_first, NULL, &error));
    db_stop(raw);
    pthread_join(writer, NULL);
    db_close(raw);
}

static void rows_are_listed_newest_first_and_page_by_page(void **state) {
    struct fixture *f = *state;
    struct err error;
    struct audit_entry *list = NULL;
    size_t count = 0;
    write_row(f, "one", "{\"a\":1}");
    write_row(f, "two", NULL);
    write_row(f, "three", NULL);
    assert_ok(audit_list(f->db, &any, INT64_MAX, 2, &list, &count, &error));
    assert_int_equal(count, 2);
    assert_string_equal(list[0].action, "three");
    for (size_t i = 0; i < count; i++) assert_true(sha256_hex_valid(list[i].hash));
    int64_t before = list[1].seq;
    json_clear_list(&audit_entry_schema, list, count);
    assert_ok(audit_list(f->db, &any, before, 2, &list, &count, &error));
    assert_int_equal(count, 1);
    assert_string_equal(list[0].action, "one");
    assert_string_equal(list[0].data, "{\"a\":1}");
    json_clear_list(&audit_entry_schema, list, count);
}

static void filter_cuts_list_and_count_alike(void **state) {
    static const struct audit_filter filters[] = {
        {.action = "one"}, {.principal = "token:op"}, {.subject = "r-2"}, {.principal = "nobody"}};
    static const size_t matches[] = {2, 3, 0, 0};
    struct fixture *f = *state;
    struct err error;
    write_row(f, "one", NULL);
    write_row(f, "two", NULL);
    write_row(f, "one", NULL);
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        struct audit_entry *list = NULL;
        size_t count = 0, total = 0;
        assert_ok(audit_list(f->db, &filters[i], INT64_MAX, -1, &list, &count, &error));
        assert_ok(audit_count(f->db, &filters[i], &total, &error));
        json_clear_list(&audit_entry_schema, list, count);
        assert_int_equal(count, matches[i]);
        assert_int_equal(total, matches[i]);
    }
}

static void altered_and_missing_rows_are_found(void **state) {
    static const char *const alterations[] = {
        "UPDATE audit SET principal='nobody' WHERE seq=2",
        "UPDATE audit SET data='{}' WHERE seq=1",
        "UPDATE audit SET at=at+1 WHERE seq=3",
        "UPDATE audit SET action='two2', subject='-1' WHERE seq=2",
        "DELETE FROM audit WHERE seq=1",
        "DELETE FROM audit WHERE seq=2",
    };
    for (size_t i = 0; i < sizeof alterations / sizeof alterations[0]; i++) {
        void *made = NULL;
        struct err error;
        fixture_setup(&made);
        struct fixture *f = made;
        write_row(f, "one", "{\"a\":1}");
        write_row(f, "two", NULL);
        write_row(f, "three", NULL);
        assert_ok(audit_check(f->db, &error));
        alter(f, alterations[i]);
        assert_false(audit_check(f->db, &error));
        assert_int_equal(error.code, ERR_CORRUPT);
        fixture_teardown(&made);
    }
    (void)state;
}

static void assert_newest(struct fixture *f, const char *action, const char *data) {
    struct err error;
    struct audit_entry *list = NULL;
    size_t count = 0;
    assert_ok(audit_list(f->db, &any, INT64_MAX, 1, &list, &count, &error));
    assert_int_equal(count, 1);
    assert_string_equal(list[0].action, action);
    assert_string_equal(list[0].data, data);
    json_clear_list(&audit_entry_schema, list, count);
}

static bool put_into_quarantine(struct db_connection *c, void *argument, struct err *e) {
    return quarantine_add(c, argument, e);
}

static void rows_about_a_version_name_it(void **state) {
    static const char data[] = "{\"version\":\"1.0.0\"}";
    struct fixture *f = *state;
    struct err error;
    struct binary binary;
    struct floor floor;
    fixture_publish(f, "1.0.0", &binary);
    fixture_agent(f, "a-1");
    assert_ok(agents_change(f->agents, "a-1", &(struct agent_change){.pin = "1.0.0"}, "t", &error));
    assert_newest(f, "agent.pin", data);
    assert_ok(agents_change(f->agents, "a-1", &(struct agent_change){.pin = ""}, "t", &error));
    assert_newest(f, "agent.unpin", data);
    assert_ok(floors_set(f->db, f->repo, "storage-server", "1.0.0", "t", &floor, &error));
    assert_newest(f, "floor.set", data);
    assert_ok(floors_remove(f->db, f->repo, "storage-server", "t", &error));
    assert_newest(f, "floor.remove", data);
    struct quarantined q = {.artifact = "storage-server", .version = "1.0.0"};
    memcpy(q.sha256, binary.sha256, sizeof q.sha256);
    assert_ok(db_write(f->db, put_into_quarantine, &q, &error));
    assert_ok(quarantine_lift(f->db, q.sha256, "t", &error));
    assert_newest(f, "quarantine.lift", data);
}

static void undone_operation_leaves_no_row(void **state) {
    struct fixture *f = *state;
    struct err error;
    struct row r = {"one", NULL};
    struct audit_entry *list = NULL;
    size_t count = 1;
    assert_false(db_write(f->db, add_and_fail, &r, &error));
    assert_ok(audit_list(f->db, &any, INT64_MAX, 10, &list, &count, &error));
    assert_int_equal(count, 0);
    write_row(f, "two", NULL);
    assert_ok(audit_check(f->db, &error));
}

static void rows_named_as_in_earlier_versions_verify_on(void **state) {
    struct fixture *f = *state;
    struct err error;
    write_row(f, "token.created", NULL);
    write_row(f, audit_action_of("token.created"), NULL);
    assert_string_equal(audit_action_of("token.created"), "token.create");
    assert_ok(audit_check(f->db, &error));
    alter(f, "UPDATE audit SET action='token.create' WHERE seq=1");
    assert_false(audit_check(f->db, &error));
    assert_int_equal(error.code, ERR_CORRUPT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_are_listed_newest_first_and_page_by_page,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(filter_cuts_list_and_count_alike, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(rows_about_a_version_name_it, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test(altered_and_missing_rows_are_found),
        cmocka_unit_test_setup_teardown(undone_operation_leaves_no_row, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(rows_named_as_in_earlier_versions_verify_on, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests_name("master/audit", tests, NULL, NULL);
}
