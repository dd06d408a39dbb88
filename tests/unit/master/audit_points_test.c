/* Checkpoints of the audit trail: when they are due, what they sign, what may be forgotten. */
#include "master/audit_points.h"

#include "lib/encode.h"
#include "master/audit.h"
#include "tests/unit/master/master_fixture.h"

#define HOUR_MS (INT64_C(3600) * 1000)

static bool add(struct db_connection *c, void *argument, struct err *e) {
    (void)argument;
    return audit_add(c, "token:op", "channel.set", "stable", NULL, e);
}

static void add_rows(struct fixture *f, int count) {
    struct err error;
    for (int i = 0; i < count; i++) assert_ok(db_write(f->db, add, NULL, &error));
}

static size_t count_points(struct fixture *f, struct audit_point_view *newest) {
    struct audit_point_view *list = NULL;
    struct err error;
    size_t count = 0;
    assert_ok(audit_points_list(f->db, &list, &count, &error));
    if (count > 0 && newest != NULL) *newest = list[count - 1];
    free(list);
    return count;
}

static void checkpoint_is_due_after_an_hour_or_a_thousand_rows(void **state) {
    (void)state;
    const struct audit_point last = {.seq = 100, .at_ms = 10 * HOUR_MS};
    static const struct {
        int64_t seq, now_ms;
        bool due;
    } cases[] = {
        {100,  20 * HOUR_MS,     false}, /* nothing to sign */
        {101,  10 * HOUR_MS + 1, false},
        {101,  11 * HOUR_MS,     true },
        {1099, 10 * HOUR_MS + 1, false},
        {1100, 10 * HOUR_MS + 1, true },
        {101,  9 * HOUR_MS,      true }, /* the clock was set back */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (audit_point_due(cases[i].seq, &last, cases[i].now_ms) != cases[i].due)
            fail_msg("case %zu", i);
}

static void checkpoint_signs_the_newest_row_once(void **state) {
    struct fixture *f = *state;
    struct err error;
    OWN(sign_secret) struct sign_secret *key = NULL;
    struct audit_point_view view = {.seq = 0};
    unsigned char signature[SIGN_SIGNATURE_SIZE];
    size_t length = 0;
    assert_ok(sign_generate(&key, &error));
    assert_ok(audit_points_write(f->db, key, HOUR_MS, true, &error)); /* no row, nothing to sign */
    assert_int_equal(count_points(f, NULL), 0);
    add_rows(f, 3);
    assert_ok(audit_points_write(f->db, key, 2 * HOUR_MS, true, &error));
    assert_ok(audit_points_write(f->db, key, 9 * HOUR_MS, true, &error));
    assert_int_equal(count_points(f, &view), 1);
    struct audit_point point = {.seq = view.seq, .at_ms = 2 * HOUR_MS};
    assert_int_equal(view.seq, 3);
    memcpy(point.hash, view.hash, sizeof point.hash);
    assert_true(decode_base64(view.signature, signature, sizeof signature, &length));
    assert_true(audit_point_valid(&point, sign_secret_public(key), signature));
    point.at_ms++;
    assert_false(audit_point_valid(&point, sign_secret_public(key), signature));
}

static void rows_are_forgotten_up_to_a_checkpoint_and_the_rest_still_proves_itself(void **state) {
    struct fixture *f = *state;
    struct err error;
    OWN(sign_secret) struct sign_secret *key = NULL;
    struct audit_entry *list = NULL;
    static const struct audit_filter any = {.subject = NULL};
    size_t count = 0;
    assert_ok(sign_generate(&key, &error));
    for (int64_t hour = 1; hour <= 3; hour++) {
        add_rows(f, 4);
        assert_ok(audit_points_write(f->db, key, hour * HOUR_MS, true, &error));
    }
    assert_ok(audit_points_prune(f->db, 100, &error)); /* nothing is that far back */
    assert_int_equal(count_points(f, NULL), 3);
    assert_ok(audit_points_prune(f->db, 5, &error)); /* rows 1 to 7 may go, a checkpoint is at 4 */
    assert_ok(audit_since(f->db, &any, 0, 100, &list, &count, &error));
    assert_int_equal(count, 8);
    assert_int_equal(list[0].seq, 5);
    json_clear_list(&audit_entry_schema, list, count);
    assert_ok(audit_check(f->db, &error));
    assert_int_equal(count_points(f, NULL), 3);
    assert_ok(audit_points_prune(f->db, 4, &error));
    assert_int_equal(count_points(f, NULL), 2);
    assert_ok(audit_check(f->db, &error));
    add_rows(f, 1);
    assert_ok(audit_check(f->db, &error));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checkpoint_is_due_after_an_hour_or_a_thousand_rows),
        TEST(checkpoint_signs_the_newest_row_once),
        TEST(rows_are_forgotten_up_to_a_checkpoint_and_the_rest_still_proves_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
