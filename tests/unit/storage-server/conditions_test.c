#include "storage-server/conditions.h"
#include "storage-server/scrub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The table of conditions.h, row by row, and a few rows together. */
static const struct row {
    unsigned conditions;
    const char *reasons;
    const char *status;
    enum err_code write;
    enum err_code delete;
} rows[] = {
    {0,                                                                  "",                               "ok",       ERR_NONE,        ERR_NONE       },
    {CONDITION_DISK_FULL,                                                "disk_full\nread_only",           "degraded", ERR_NO_SPACE,    ERR_NONE       },
    {CONDITION_READ_ERROR,                                               "io_error",                       "degraded", ERR_NONE,        ERR_NONE       },
    {CONDITION_WRITE_ERROR,                                              "io_error\nread_only",            "failing",  ERR_UNAVAILABLE, ERR_UNAVAILABLE},
    {CONDITION_DATA_MISSING,                                             "data_missing\nread_only",        "failing",  ERR_UNAVAILABLE,
     ERR_UNAVAILABLE                                                                                                                                   },
    {CONDITION_DRAINING,                                                 "draining",                       "degraded", ERR_UNAVAILABLE, ERR_UNAVAILABLE},
    {CONDITION_DRAINING | CONDITION_DISK_FULL,                           "disk_full\nread_only\ndraining", "degraded",
     ERR_UNAVAILABLE,                                                                                                                   ERR_UNAVAILABLE},
    {CONDITION_WRITE_ERROR | CONDITION_READ_ERROR | CONDITION_DISK_FULL,
     "disk_full\nio_error\nread_only",                                                                     "failing",  ERR_UNAVAILABLE, ERR_UNAVAILABLE},
};

static void check_row(const struct row *row) {
    OWN_TEXT struct text lines = TEXT_EMPTY;
    struct err e = {0};
    conditions_reasons(row->conditions, &lines);
    assert_string_equal(text_value(&lines), row->reasons);
    assert_string_equal(conditions_status(row->conditions), row->status);
    assert_int_equal(conditions_allow_write(row->conditions, &e), row->write == ERR_NONE);
    assert_int_equal(e.code, row->write);
    assert_int_equal(e.hint[0] != '\0', row->write != ERR_NONE);
    e = (struct err){0};
    assert_int_equal(conditions_allow_delete(row->conditions, &e), row->delete == ERR_NONE);
    assert_int_equal(e.code, row->delete);
}

static void each_condition_has_its_consequences(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) check_row(&rows[i]);
}

static void all_reasons_are_known(void **state) {
    const char *reason = NULL;
    bool holds = true;
    size_t count = 0;
    (void)state;
    while (conditions_reason(0, count, &reason, &holds)) {
        assert_false(holds);
        count++;
    }
    assert_int_equal(count, 5);
}

static void reserve_is_never_used(void **state) {
    (void)state;
    assert_true(space_fits(100, 0, 100));
    assert_false(space_fits(100, 0, 101));
    assert_true(space_fits(100, 60, 40));
    assert_false(space_fits(100, 60, 41));
    assert_false(space_fits(50, 60, 0));
    assert_false(space_fits(50, INT64_MAX, INT64_MAX));
}

static void one_large_chunk_does_not_close_the_node(void **state) {
    (void)state;
    assert_int_equal(space_needed_again(1000), 1000);
    assert_int_equal(space_needed_again(64 << 20), SPACE_USUAL_BYTES);
}

static void scrub_goes_through_all_directories_at_once(void **state) {
    struct scrub_state s = {.begun_at_ms = 1000};
    (void)state;
    for (; s.directory < CHUNK_DIRECTORIES; s.directory++)
        assert_int_equal(scrub_next(&s, 5000, 1000), 0);
    assert_int_equal(scrub_next(&s, 5000, 1000), 5000);
    assert_int_equal(scrub_next(&s, 5000, 5999), 1);
    assert_int_equal(s.directory, CHUNK_DIRECTORIES);
    assert_int_equal(scrub_next(&s, 5000, 6000), 0);
    assert_int_equal(s.directory, 0);
    assert_int_equal(s.begun_at_ms, 6000);
}

static void scrub_survives_a_clock_that_was_set_back(void **state) {
    struct scrub_state s = {.directory = CHUNK_DIRECTORIES, .begun_at_ms = 1000000};
    (void)state;
    assert_int_equal(scrub_next(&s, 5000, 1000), 5000);
    assert_int_equal(scrub_next(&s, 5000, 6000), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_condition_has_its_consequences),
        cmocka_unit_test(all_reasons_are_known),
        cmocka_unit_test(reserve_is_never_used),
        cmocka_unit_test(one_large_chunk_does_not_close_the_node),
        cmocka_unit_test(scrub_goes_through_all_directories_at_once),
        cmocka_unit_test(scrub_survives_a_clock_that_was_set_back),
    };
    return cmocka_run_group_tests_name("conditions", tests, NULL, NULL);
}
