#include "lib/labels.h"

#include "tests/unit/lib/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void labels_become_canonical(void **state) {
    (void)state;
    static const struct {
        const char *input;
        const char *canonical;
    } cases[] = {
        {"",                            ""                           },
        {"   ",                         ""                           },
        {"k=v",                         "k=v"                        },
        {"rack=b, role=edge",           "rack=b,role=edge"           },
        {"role=edge,rack=b",            "rack=b,role=edge"           },
        {"  b = 2 ,\ta = 1\t",          "a=1,b=2"                    },
        {"empty=",                      "empty="                     },
        {"b=1,B=2,a.b/c-d_e=x.y/z-0_1", "B=2,a.b/c-d_e=x.y/z-0_1,b=1"},
        {"a1=x,a=y,a-=z",               "a=y,a-=z,a1=x"              },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        OWN_TEXT struct text out = TEXT_EMPTY;
        OWN_TEXT struct text again = TEXT_EMPTY;
        struct err e;
        if (!labels_parse(cases[i].input, &out, &e)) fail_msg("%s", e.text);
        assert_string_equal(out.data, cases[i].canonical);
        assert_true(labels_parse(out.data, &again, &e));
        assert_string_equal(again.data, cases[i].canonical);
    }
}

static void wrong_labels_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *input;
        const char *part;
    } cases[] = {
        {"a=1,a=2",       "label a is given twice"     },
        {"a=1,b=2, a =1", "label a is given twice"     },
        {"rack",          "label rack is not key=value"},
        {"=v",            "empty key"                  },
        {" =v",           "empty key"                  },
        {"a=1,",          "nothing between two commas" },
        {",a=1",          "nothing between two commas" },
        {"a=1,,b=2",      "nothing between two commas" },
        {",",             "nothing between two commas" },
        {"a=b=c",         "value b=c"                  },
        {"a b=c",         "key a b"                    },
        {"a=b c",         "value b c"                  },
        {"a!=b",          "key a!"                     },
        {"!a=b",          "key !a"                     },
        {"a=\"b\"",       "value \"b\""                },
        {"caf\xc3\xa9=x", "key caf"                    },
        {"a=x\ny=z",      "value x"                    },
        {"a;b=c",         "key a;b"                    },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        OWN_TEXT struct text out = TEXT_EMPTY;
        struct err e = {0};
        text_add(&out, "kept");
        if (labels_parse(cases[i].input, &out, &e)) fail_msg("taken: %s", cases[i].input);
        assert_int_equal(e.code, ERR_INVALID);
        if (strstr(e.text, cases[i].part) == NULL) fail_msg("%s: %s", cases[i].input, e.text);
        assert_string_equal(out.data, "kept");
    }
}

static void keys_and_values_may_be_just_so_long(void **state) {
    (void)state;
    for (int longer = 0; longer < 2; longer++) {
        char part[LABEL_PART_SIZE + 1];
        size_t length = LABEL_PART_SIZE - 1 + (size_t)longer;
        memset(part, 'x', length);
        part[length] = '\0';
        OWN_TEXT struct text input = TEXT_EMPTY;
        OWN_TEXT struct text out = TEXT_EMPTY;
        struct err e;
        text_add_format(&input, "k=%s", part);
        assert_int_equal(labels_parse(input.data, &out, &e), longer == 0);
        text_clear(&input);
        text_add_format(&input, "%s=v", part);
        assert_int_equal(labels_parse(input.data, &out, &e), longer == 0);
        assert_int_equal(labels_with("", part, part, &out, &e), longer == 0);
        if (longer == 1) assert_non_null(strstr(e.text, "longer than 63 characters"));
    }
}

static void a_machine_has_only_so_many_labels(void **state) {
    (void)state;
    OWN_TEXT struct text input = TEXT_EMPTY;
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct err e;
    for (int i = LABELS_MAX; i > 0; i--)
        text_add_format(&input, "%sk%d=v", input.length > 0 ? "," : "", i);
    assert_true(labels_parse(input.data, &out, &e));
    OWN_TEXT struct text changed = TEXT_EMPTY;
    assert_true(labels_with(out.data, "k1", "w", &changed, &e));
    assert_false(labels_with(out.data, "one-more", "w", &changed, &e));
    assert_int_equal(e.code, ERR_INVALID);
    assert_non_null(strstr(e.text, "one-more"));
    text_add(&input, ",k0=v");
    assert_false(labels_parse(input.data, &out, &e));
}

static void one_label_is_set_or_removed(void **state) {
    (void)state;
    static const struct {
        const char *labels, *key, *value, *result;
    } cases[] = {
        {"",            "a", "1",  "a=1"        },
        {"a=1",         "a", "2",  "a=2"        },
        {"a=1",         "a", "",   "a="         },
        {"a=1",         "a", NULL, ""           },
        {"a=1",         "b", NULL, "a=1"        },
        {"",            "b", NULL, ""           },
        {"b=2",         "a", "1",  "a=1,b=2"    },
        {"a=1,c=3",     "b", "2",  "a=1,b=2,c=3"},
        {"a=1,b=2,c=3", "b", NULL, "a=1,c=3"    },
        {"a=1,b=2,c=3", "c", NULL, "a=1,b=2"    },
        {"a=1,b=2,c=3", "a", NULL, "b=2,c=3"    },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        OWN_TEXT struct text out = TEXT_EMPTY;
        struct err e;
        if (!labels_with(cases[i].labels, cases[i].key, cases[i].value, &out, &e))
            fail_msg("%s", e.text);
        assert_string_equal(out.data, cases[i].result);
    }
}

static void setting_checks_key_and_value(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct err e;
    assert_false(labels_with("", "", "v", &out, &e));
    assert_false(labels_with("", "a b", "v", &out, &e));
    assert_false(labels_with("", "a=b", "v", &out, &e));
    assert_false(labels_with("", "a", "x,y=z", &out, &e));
    assert_false(labels_with("", " a", "v", &out, &e));
    assert_int_equal(e.code, ERR_INVALID);
    assert_int_equal(out.length, 0);
}

static void labels_are_found_and_walked(void **state) {
    (void)state;
    static const char labels[] = "a=1,ab=2,b=,c=x/y";
    char key[LABEL_PART_SIZE];
    char value[LABEL_PART_SIZE] = "untouched";
    assert_false(labels_get(labels, "x", value));
    assert_false(labels_get("", "a", value));
    assert_false(labels_get(labels, "", value));
    assert_false(labels_get(labels, "a=1", value));
    assert_string_equal(value, "untouched");
    assert_true(labels_get(labels, "ab", value));
    assert_string_equal(value, "2");
    assert_true(labels_get(labels, "b", value));
    assert_string_equal(value, "");
    OWN_TEXT struct text seen = TEXT_EMPTY;
    const char *cursor = labels;
    while (labels_next(&cursor, key, value)) text_add_format(&seen, "%s:%s;", key, value);
    assert_string_equal(seen.data, "a:1;ab:2;b:;c:x/y;");
    assert_false(labels_next(&cursor, key, value));
    cursor = "";
    assert_false(labels_next(&cursor, key, value));
}

static void selectors_select(void **state) {
    (void)state;
    static const struct {
        const char *selector, *labels;
        bool matches;
    } cases[] = {
        {"",                     "",               true },
        {"",                     "a=1",            true },
        {" ",                    "a=1",            true },
        {"a=1",                  "a=1",            true },
        {"a=1",                  "a=2",            false},
        {"a=1",                  "",               false},
        {"a=1",                  "ab=1",           false},
        {"a=1",                  "a=11",           false},
        {"a=",                   "a=",             true },
        {"a=",                   "a=1",            false},
        {"a=",                   "",               false},
        {"a!=1",                 "a=1",            false},
        {"a!=1",                 "a=2",            true },
        {"a!=1",                 "",               true },
        {"a!=",                  "a=",             false},
        {"a!=",                  "a=1",            true },
        {"a",                    "a=1",            true },
        {"a",                    "a=",             true },
        {"a",                    "b=1",            false},
        {"!a",                   "a=1",            false},
        {"!a",                   "a=",             false},
        {"!a",                   "b=1",            true },
        {"!a",                   "",               true },
        {"a=1,b=2",              "a=1,b=2",        true },
        {"a=1,b=2",              "a=1",            false},
        {"a=1,b=2",              "b=2",            false},
        {"a=1,!c,b!=3,d",        "a=1,b=2,d=x",    true },
        {"a=1,!c,b!=3,d",        "a=1,b=3,d=x",    false},
        {"a=1,!c,b!=3,d",        "a=1,b=2,c=,d=x", false},
        {" a = 1 , ! c ,b != 3", "a=1,b=2",        true },
        {"a=1,a=2",              "a=1",            false},
        {"a,!a",                 "a=1",            false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err e;
        if (!labels_selector_check(cases[i].selector, &e)) fail_msg("%s", e.text);
        if (labels_match(cases[i].labels, cases[i].selector) != cases[i].matches)
            fail_msg("%s on %s", cases[i].selector, cases[i].labels);
    }
}

static void wrong_selectors_are_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {",",   "a=1,", ",a",   "a,,b",   "=v",   "!=v",   "!",
                                        "!!a", "a==b", "a=!b", "a!b",    "!a=b", "a=b c", "a b",
                                        "a;b", "a>1",  "(a)",  "a in b", "a=*",  "a~=b",  "a\n"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct err e = {0};
        if (labels_selector_check(wrong[i], &e)) fail_msg("taken: %s", wrong[i]);
        assert_int_equal(e.code, ERR_INVALID);
        assert_memory_equal(e.text, "selector: ", 10);
        assert_non_null(strstr(e.hint, "k!=v"));
    }
}

static void a_selector_error_names_the_term(void **state) {
    (void)state;
    struct err e;
    assert_false(labels_selector_check("a,,b", &e));
    assert_string_equal(e.text, "selector: there is nothing between two commas");
    assert_false(labels_selector_check("a,b c=d", &e));
    assert_non_null(strstr(e.text, "label key b c holds characters other than"));
    assert_false(labels_selector_check("a,!", &e));
    assert_string_equal(e.text, "selector: a label has an empty key");
}

/* Setting keys one by one, in any order, gives what parsing them all gives. */
static void order_of_setting_does_not_matter(void **state) {
    (void)state;
    for (int round = 0; round < 2000; round++) {
        OWN_MEMORY char *labels = text_duplicate("");
        int values[6] = {-1, -1, -1, -1, -1, -1};
        for (int step = 0; step < 12; step++) {
            int which = (int)random_below(6);
            values[which] = (int)random_below(4) - 1; /* -1 removes */
            char key[8];
            char value[8];
            snprintf(key, sizeof key, "k%d", which);
            snprintf(value, sizeof value, "%d", values[which]);
            struct text next = TEXT_EMPTY;
            assert_true(labels_with(labels, key, values[which] < 0 ? NULL : value, &next, NULL));
            free(labels);
            labels = text_take(&next);
        }
        OWN_TEXT struct text input = TEXT_EMPTY;
        OWN_TEXT struct text expected = TEXT_EMPTY;
        text_add(&input, "");
        for (int i = 5; i >= 0; i--)
            if (values[i] >= 0)
                text_add_format(&input, "%sk%d=%d", input.length > 0 ? ", " : "", i, values[i]);
        assert_true(labels_parse(input.data, &expected, NULL));
        assert_string_equal(labels, expected.data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_become_canonical),
        cmocka_unit_test(wrong_labels_are_refused),
        cmocka_unit_test(keys_and_values_may_be_just_so_long),
        cmocka_unit_test(a_machine_has_only_so_many_labels),
        cmocka_unit_test(one_label_is_set_or_removed),
        cmocka_unit_test(setting_checks_key_and_value),
        cmocka_unit_test(labels_are_found_and_walked),
        cmocka_unit_test(selectors_select),
        cmocka_unit_test(wrong_selectors_are_refused),
        cmocka_unit_test(a_selector_error_names_the_term),
        cmocka_unit_test(order_of_setting_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
