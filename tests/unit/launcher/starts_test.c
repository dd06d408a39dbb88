#include "agent/launcher/starts.h"

#include "tests/unit/lib/temporary.h"

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define NEW "1.1.0-" DIGEST
#define OLD "1.0.0-" DIGEST

static void three_starts_in_vain_exhaust_a_build(void **state) {
    (void)state;
    struct starts s = {0};
    starts_of(&s, NEW);
    for (int i = 0; i < STARTS_MOST; i++) {
        assert_false(starts_exhausted(&s));
        assert_true(starts_begin(&s));
        assert_false(starts_ended(&s, STARTS_EXITED));
    }
    assert_true(starts_exhausted(&s));
    assert_false(starts_begin(&s)); /* nothing more to count, nothing to save */
}

static void a_start_that_a_reboot_cut_off_counts(void **state) {
    (void)state;
    struct starts s = {0};
    starts_of(&s, NEW);
    for (int i = 0; i < STARTS_MOST; i++) assert_true(starts_begin(&s));
    assert_true(starts_exhausted(&s));
}

static void being_told_to_end_is_no_failure(void **state) {
    (void)state;
    struct starts s = {0};
    starts_of(&s, NEW);
    for (int i = 0; i < 2 * STARTS_MOST; i++) {
        assert_true(starts_begin(&s));
        assert_true(starts_ended(&s, STARTS_TOLD));
    }
    assert_int_equal(s.tries, 0);
}

static void running_long_enough_clears_the_count(void **state) {
    (void)state;
    struct starts s = {0};
    starts_of(&s, NEW);
    assert_true(starts_begin(&s));
    assert_true(starts_begin(&s));
    assert_true(starts_proved(&s));
    assert_int_equal(s.tries, 0);
    assert_false(starts_proved(&s)); /* known already */
}

static void a_proven_build_is_blamed_for_crashes_only(void **state) {
    (void)state;
    struct starts s = {0};
    starts_of(&s, NEW);
    assert_true(starts_proved(&s));
    for (int i = 0; i < 2 * STARTS_MOST; i++) {
        assert_false(starts_begin(&s));
        assert_false(starts_ended(&s, STARTS_EXITED));
        assert_false(starts_ended(&s, STARTS_TOLD));
    }
    assert_false(starts_exhausted(&s));
    for (int i = 0; i < STARTS_MOST; i++) assert_true(starts_ended(&s, STARTS_CRASHED));
    assert_true(starts_exhausted(&s));
}

static void another_build_begins_with_a_clean_slate(void **state) {
    (void)state;
    struct starts s = {0};
    starts_of(&s, NEW);
    assert_true(starts_begin(&s));
    starts_of(&s, NEW);
    assert_int_equal(s.tries, 1);
    starts_of(&s, OLD);
    assert_int_equal(s.tries, 0);
    assert_string_equal(s.build, OLD);
}

static void the_record_comes_back_as_it_was_saved(void **state) {
    (void)state;
    struct starts s = {.build = NEW, .tries = 2, .proven = true}, read;
    struct err e = {0};
    assert_true(starts_read(temporary_directory, &read, &e)); /* none yet */
    assert_string_equal(read.build, "");
    assert_true(starts_save(temporary_directory, &s, &e));
    assert_true(starts_read(temporary_directory, &read, &e));
    assert_string_equal(read.build, NEW);
    assert_int_equal(read.tries, 2);
    assert_true(read.proven);
}

static void a_damaged_record_counts_anew(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "build " NEW "\ntries 2\n",
        "build " NEW "\ntries 4\nproven no\n",
        "build " NEW "\ntries -1\nproven no\n",
        "build " NEW "\ntries 1\nproven maybe\n",
        "build ../../bin\ntries 1\nproven no\n",
        "build " NEW "\ntries 1\nproven no\nmore\n",
    };
    struct starts s;
    struct err e = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_true(file_write_durable(TEMPORARY("starts"), bad[i], strlen(bad[i]), 0600, &e));
        assert_false(starts_read(temporary_directory, &s, &e));
        assert_int_equal(e.code, ERR_CORRUPT);
        assert_string_equal(s.build, "");
        assert_int_equal(s.tries, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_starts_in_vain_exhaust_a_build),
        cmocka_unit_test(a_start_that_a_reboot_cut_off_counts),
        cmocka_unit_test(being_told_to_end_is_no_failure),
        cmocka_unit_test(running_long_enough_clears_the_count),
        cmocka_unit_test(a_proven_build_is_blamed_for_crashes_only),
        cmocka_unit_test(another_build_begins_with_a_clean_slate),
        IN_TEMPORARY(the_record_comes_back_as_it_was_saved),
        IN_TEMPORARY(a_damaged_record_counts_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
