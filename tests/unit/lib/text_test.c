#include "lib/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void untouched_text_reads_as_empty(void **state) {
    (void)state;
    struct text t = TEXT_EMPTY;
    assert_string_equal(text_value(&t), "");
    text_fini(&t);
    char *taken = text_take(&t);
    assert_string_equal(taken, "");
    free(taken);
}

static void additions_follow_each_other(void **state) {
    (void)state;
    OWN_TEXT struct text t = TEXT_EMPTY;
    text_add(&t, "");
    assert_non_null(t.data);
    text_add(&t, "a");
    text_add_format(&t, "%d-%s", 12, "b");
    text_add_bytes(&t, "c\0d", 3);
    assert_int_equal(t.length, 8);
    assert_memory_equal(t.data, "a12-bc\0d", 9);
}

/* Every length around each growth, each byte still in its place and a NUL behind. */
static void text_grows_by_single_bytes_and_at_once(void **state) {
    (void)state;
    OWN_TEXT struct text t = TEXT_EMPTY;
    for (size_t i = 0; i < 5000; i++) {
        char c = (char)('a' + i % 26);
        text_add_bytes(&t, &c, 1);
        assert_int_equal(t.length, i + 1);
        assert_true(t.capacity > t.length);
        assert_int_equal(t.data[t.length], 0);
    }
    for (size_t i = 0; i < t.length; i++) assert_int_equal(t.data[i], 'a' + (int)(i % 26));
    text_add_format(&t, "%100000d", 7);
    assert_int_equal(t.length, 105000);
    assert_string_equal(t.data + t.length - 2, " 7");
}

static void secret_stays_one_as_it_grows_is_taken_and_ends(void **state) {
    (void)state;
    OWN_TEXT struct text t = TEXT_SECRET;
    for (size_t i = 0; i < 1000; i++) text_add_format(&t, "%zu,", i % 10);
    for (size_t i = 0; i < 1000; i++)
        assert_memory_equal(t.data + 2 * i, &"0,1,2,3,4,5,6,7,8,9,"[i % 10 * 2], 2);
    assert_int_equal(t.length, 2000);
    char *taken = text_take(&t);
    assert_int_equal(strlen(taken), 2000);
    free(taken);
    assert_true(t.secret);
    text_add(&t, "again");
    text_fini(&t);
    assert_true(t.secret);
    assert_string_equal(text_value(&t), "");
}

static void clear_keeps_the_memory(void **state) {
    (void)state;
    OWN_TEXT struct text t = TEXT_EMPTY;
    text_clear(&t);
    assert_string_equal(t.data, "");
    text_add_format(&t, "%200d", 1);
    const char *memory = t.data;
    text_clear(&t);
    assert_ptr_equal(t.data, memory);
    assert_int_equal(t.length, 0);
    assert_string_equal(t.data, "");
}

static void take_hands_over_and_leaves_empty(void **state) {
    (void)state;
    OWN_TEXT struct text t = TEXT_EMPTY;
    text_add(&t, "mine");
    OWN_MEMORY char *taken = text_take(&t);
    assert_string_equal(taken, "mine");
    assert_string_equal(text_value(&t), "");
    text_add(&t, "yours");
    assert_string_equal(taken, "mine");
}

static void copy_takes_what_fits_with_its_end(void **state) {
    (void)state;
    char target[4] = "zzz";
    assert_true(text_copy(target, sizeof target, "abc"));
    assert_string_equal(target, "abc");
    assert_false(text_copy(target, sizeof target, "abcd"));
    assert_string_equal(target, "");
    assert_true(text_copy(target, 1, ""));
    assert_false(text_copy(target, 1, "a"));
}

static void cut_takes_as_much_as_fits(void **state) {
    (void)state;
    char target[4] = "zzz";
    text_cut(target, sizeof target, "abc");
    assert_string_equal(target, "abc");
    text_cut(target, sizeof target, "defg");
    assert_string_equal(target, "def");
    text_cut(target, sizeof target, "h");
    assert_string_equal(target, "h");
    text_cut(target, 1, "a");
    assert_string_equal(target, "");
}

static void duplicate_keeps_null_and_copies_the_rest(void **state) {
    (void)state;
    assert_null(text_duplicate(NULL));
    OWN_MEMORY char *copy = text_duplicate("words");
    assert_string_equal(copy, "words");
}

static void memory_is_zeroed_and_resized_even_when_empty(void **state) {
    (void)state;
    unsigned char *bytes = memory_zeroed(3, 5);
    for (int i = 0; i < 15; i++) assert_int_equal(bytes[i], 0);
    bytes[14] = 9;
    bytes = memory_resize(bytes, 100, 1);
    assert_int_equal(bytes[14], 9);
    bytes = memory_resize(bytes, 0, 1);
    assert_non_null(bytes);
    free(bytes);
    bytes = memory_zeroed(0, 0);
    assert_non_null(bytes);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(untouched_text_reads_as_empty),
        cmocka_unit_test(additions_follow_each_other),
        cmocka_unit_test(text_grows_by_single_bytes_and_at_once),
        cmocka_unit_test(secret_stays_one_as_it_grows_is_taken_and_ends),
        cmocka_unit_test(clear_keeps_the_memory),
        cmocka_unit_test(take_hands_over_and_leaves_empty),
        cmocka_unit_test(copy_takes_what_fits_with_its_end),
        cmocka_unit_test(cut_takes_as_much_as_fits),
        cmocka_unit_test(duplicate_keeps_null_and_copies_the_rest),
        cmocka_unit_test(memory_is_zeroed_and_resized_even_when_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
