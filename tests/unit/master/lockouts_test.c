/* Lockouts: whom failures keep out, what the audit trail says of it, and how much at most. */
#include "master/lockouts.h"

#include "master/audit.h"
#include "tests/unit/master/master_fixture.h"

#define HOUR_MS (INT64_C(3600) * 1000)

struct trail {
    struct audit_entry *rows; /* of lockouts, newest first */
    size_t count;
};

static struct trail read_trail(const struct fixture *f) {
    const struct audit_filter lockouts = {.action = "user.lock_out"};
    struct trail t = {0};
    struct err error;
    assert_ok(audit_list(f->db, &lockouts, INT64_MAX, -1, &t.rows, &t.count, &error));
    return t;
}

static void forget(struct trail *t) {
    json_clear_list(&audit_entry_schema, t->rows, t->count);
}

static void fail_often(struct lockouts *l, const char *address, const char *name, bool known,
                       int64_t now_ms) {
    const struct attempt by = {address, name};
    for (int i = 0; i < 5; i++) lockouts_failed(l, &by, known, now_ms);
}

static void row_tells_who_is_kept_out_once_an_hour(void **state) {
    struct fixture *f = *state;
    struct lockouts *l = lockouts_new(f->events);
    struct err error;
    int64_t wait_ms = 0;
    const struct attempt elsewhere = {"10.0.0.2", "ada"};
    fail_often(l, "10.0.0.1", "ada", true, 1000);
    assert_false(lockouts_check(l, &elsewhere, 1000, &wait_ms, &error));
    for (int minute = 1; minute < 50; minute++)
        fail_often(l, "10.0.0.1", "ada", true, minute * INT64_C(60000));
    struct trail t = read_trail(f);
    assert_int_equal(t.count, 2);
    assert_string_equal(t.rows[0].subject, "10.0.0.1");
    assert_string_equal(t.rows[1].subject, "ada");
    assert_string_equal(t.rows[1].principal, "anonymous");
    forget(&t);
    fail_often(l, "10.0.0.1", "ada", true, 2 * HOUR_MS);
    t = read_trail(f);
    assert_int_equal(t.count, 4);
    forget(&t);
    assert_ok(audit_check(f->db, &error));
    lockouts_free(l);
}

static void name_that_is_none_is_told_nowhere(void **state) {
    struct fixture *f = *state;
    struct lockouts *l = lockouts_new(f->events);
    fail_often(l, "10.0.0.1", "my secret words", false, 1000);
    struct trail t = read_trail(f);
    assert_int_equal(t.count, 1);
    assert_string_equal(t.rows[0].subject, "10.0.0.1");
    assert_null(strstr(t.rows[0].data, "secret"));
    forget(&t);
    lockouts_free(l);
}

static void crowd_of_addresses_floods_no_trail(void **state) {
    struct fixture *f = *state;
    struct lockouts *l = lockouts_new(f->events);
    char address[32];
    for (int i = 0; i < 100; i++) {
        snprintf(address, sizeof address, "10.0.1.%d", i);
        fail_often(l, address, "nobody", false, 1000);
    }
    struct trail t = read_trail(f);
    assert_int_equal(t.count, 30);
    forget(&t);
    fail_often(l, "10.0.2.1", "nobody", false, 1000 + HOUR_MS);
    t = read_trail(f);
    assert_int_equal(t.count, 31);
    assert_non_null(strstr(t.rows[0].data, "70 times more before"));
    forget(&t);
    lockouts_free(l);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(row_tells_who_is_kept_out_once_an_hour),
        TEST(name_that_is_none_is_told_nowhere),
        TEST(crowd_of_addresses_floods_no_trail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
