#include "cli/trust_targets.h"

#include "lib/tuf_custom.h"
#include "tests/unit/cli/cmocka_headers.h"

#include <stdio.h>
#include <string.h>

static struct trust_build build(const char *version, char digit) {
    struct trust_build b = {
        .id = {.name = "storage-server", .platform = "linux", .arch = "x86_64"},
        .size_bytes = 1000
    };
    snprintf(b.id.version, sizeof b.id.version, "%s", version);
    memset(b.sha256, digit, SHA256_HEX_SIZE - 1);
    return b;
}

static void add(struct tuf_targets *t, const char *version, char digit) {
    struct trust_build b = build(version, digit);
    struct err e = {0};
    assert_true(trust_targets_add(t, &b, &e));
}

static struct tuf_custom custom_of(const struct tuf_targets *t, const char *file) {
    struct tuf_custom custom;
    struct err e = {0};
    const struct tuf_target *target = tuf_targets_find(t, file);
    assert_non_null(target);
    assert_true(tuf_custom_parse(target->custom, &custom, &e));
    return custom;
}

#define FILE_OF(version) "storage-server-" version "-linux-x86_64"

static void versions_go_up_and_follow_the_clock(void **state) {
    (void)state;
    struct tuf_targets t = {.heading = {.version = 7}};
    trust_targets_renew(&t, INT64_C(1790000000000), 1000);
    assert_int_equal(t.heading.version, 1790000000);
    assert_int_equal(t.heading.expires_ms, INT64_C(1790000001000));
    trust_targets_renew(&t, 1000, 1000); /* a clock that was set back */
    assert_int_equal(t.heading.version, 1790000001);
}

static void builds_are_added_in_order_and_counted(void **state) {
    (void)state;
    struct tuf_targets t = {0};
    struct err e = {0};
    add(&t, "1.1.0", 'b');
    add(&t, "1.0.0", 'a');
    add(&t, "1.0.0", 'a'); /* the same once more */
    assert_int_equal(t.count, 2);
    assert_string_equal(t.list[0].path, FILE_OF("1.0.0"));
    assert_int_equal(t.list[0].promise.length, 1000);
    assert_int_equal(custom_of(&t, FILE_OF("1.0.0")).release, 2);
    struct trust_build other = build("1.0.0", 'c');
    assert_false(trust_targets_add(&t, &other, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    tuf_targets_clear(&t);
}

static void a_floor_is_told_by_every_build_of_the_name_and_by_later_ones(void **state) {
    (void)state;
    struct tuf_targets t = {0};
    struct err e = {0};
    add(&t, "1.0.0", 'a');
    assert_true(trust_targets_floor(&t, "storage-server", "1.0.0", &e));
    add(&t, "1.1.0", 'b');
    assert_string_equal(custom_of(&t, FILE_OF("1.1.0")).floor, "1.0.0");
    assert_true(trust_targets_floor(&t, "storage-server", NULL, &e));
    assert_string_equal(custom_of(&t, FILE_OF("1.0.0")).floor, "");
    assert_false(trust_targets_floor(&t, "grid-agent", "1.0.0", &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    tuf_targets_clear(&t);
}

static void add_line(struct text *out, const char *words, char digit) {
    struct trust_build b = build("1.0.0", digit);
    text_add_format(out, "%s, 1000 bytes, SHA-256 %s\n", words, b.sha256);
}

static void differences_are_told_one_a_line(void **state) {
    (void)state;
    struct tuf_targets before = {0}, after = {0};
    OWN_TEXT struct text same = TEXT_EMPTY, out = TEXT_EMPTY;
    struct err e = {0};
    add(&before, "1.0.0", 'a');
    add(&before, "1.1.0", 'b');
    add(&before, "1.2.0", 'c');
    trust_targets_difference(&before, &before, &same);
    assert_string_equal(text_value(&same), "");
    add(&after, "1.0.0", 'a');
    add(&after, "1.1.0", 'd');
    add(&after, "2.0.0", 'e');
    assert_true(trust_targets_yank(&after, FILE_OF("1.0.0"), &e));
    assert_true(trust_targets_floor(&after, "storage-server", "1.1.0", &e));
    trust_targets_difference(&before, &after, &out);
    OWN_TEXT struct text expected = TEXT_EMPTY;
    add_line(&expected, "yanks " FILE_OF("1.0.0") " (yanked)", 'a');
    add_line(&expected, "replaces the bytes of " FILE_OF("1.1.0"), 'd');
    add_line(&expected, "adds " FILE_OF("2.0.0"), 'e');
    text_add(&expected, "removes " FILE_OF("1.2.0") "\n"
                                                    "moves the floor of storage-server to 1.1.0\n");
    assert_string_equal(text_value(&out), text_value(&expected));
    tuf_targets_clear(&before);
    tuf_targets_clear(&after);
}

static void what_is_not_there_is_neither_yanked_nor_removed(void **state) {
    (void)state;
    struct tuf_targets t = {0};
    struct err e = {0};
    add(&t, "1.0.0", 'a');
    assert_false(trust_targets_yank(&t, FILE_OF("9.0.0"), &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_false(trust_targets_remove(&t, FILE_OF("9.0.0"), &e));
    assert_true(trust_targets_remove(&t, FILE_OF("1.0.0"), &e));
    assert_int_equal(t.count, 0);
    tuf_targets_clear(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_go_up_and_follow_the_clock),
        cmocka_unit_test(builds_are_added_in_order_and_counted),
        cmocka_unit_test(a_floor_is_told_by_every_build_of_the_name_and_by_later_ones),
        cmocka_unit_test(differences_are_told_one_a_line),
        cmocka_unit_test(what_is_not_there_is_neither_yanked_nor_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
