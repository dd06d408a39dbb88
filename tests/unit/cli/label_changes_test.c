#include "cli/label_changes.h"

#include "tests/unit/cli/cmocka_headers.h"

#include <string.h>

static void sets_and_removes_labels(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct err e = {0};
    char *changes[] = {"rack=b", "old-", "empty="};
    assert_true(label_changes_json(changes, 3, "", &out, &e));
    assert_string_equal(out.data, "{\"labels\":{\"rack\":\"b\",\"old\":null,\"empty\":\"\"}}");
}

static void moves_to_a_channel(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY, both = TEXT_EMPTY;
    struct err e = {0};
    char *changes[] = {"a-b=c-"};
    assert_true(label_changes_json(NULL, 0, "beta", &out, &e));
    assert_string_equal(out.data, "{\"channel\":\"beta\"}");
    assert_true(label_changes_json(changes, 1, "beta", &both, &e));
    assert_string_equal(both.data, "{\"labels\":{\"a-b\":\"c-\"},\"channel\":\"beta\"}");
}

static void quotes_what_it_is_given(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct err e = {0};
    char *changes[] = {"a=\"},{\""};
    assert_true(label_changes_json(changes, 1, "", &out, &e));
    assert_string_equal(out.data, "{\"labels\":{\"a\":\"\\\"},{\\\"\"}}");
}

static void refuses_what_is_no_change(void **state) {
    (void)state;
    static char *const bad[] = {"rack", "=b", "-", ""};
    for (size_t i = 0; i < COUNT(bad); i++) {
        OWN_TEXT struct text out = TEXT_EMPTY;
        struct err e = {0};
        assert_false(label_changes_json(&bad[i], 1, "", &out, &e));
        assert_int_equal(e.code, ERR_USAGE);
        assert_non_null(strstr(e.hint, "KEY=VALUE"));
    }
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct err e = {0};
    assert_false(label_changes_json(NULL, 0, "", &out, &e));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_and_removes_labels),
        cmocka_unit_test(moves_to_a_channel),
        cmocka_unit_test(quotes_what_it_is_given),
        cmocka_unit_test(refuses_what_is_no_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
