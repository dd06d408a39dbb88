/* The expected forms are written by hand from the rules of OLPC canonical JSON. */
#include "lib/json_canonical.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool canonical(const char *json, struct text *out, struct err *e) {
    /* An exact copy on the heap: reading one byte too far is seen by the address sanitizer. */
    size_t length = strlen(json);
    OWN_MEMORY char *copy = malloc(length > 0 ? length : 1);
    memcpy(copy, json, length);
    return json_canonical(copy, length, out, e);
}

/* U+FF61 comes before U+1F600 by its bytes, behind it in UTF-16. */
#define EMOJI "{\"\xF0\x9F\x98\x80\":1,\"\xEF\xBD\xA1\":2}"
#define EMOJI_FORM "{\"\xEF\xBD\xA1\":2,\"\xF0\x9F\x98\x80\":1}"
#define NESTED "{\"z\":{\"d\":1,\"c\":{\"f\":[],\"e\":0}},\"y\":[{\"b\":1,\"a\":1}]}"
#define NESTED_FORM "{\"y\":[{\"a\":1,\"b\":1}],\"z\":{\"c\":{\"e\":0,\"f\":[]},\"d\":1}}"

static void canonical_form_is_one_for_all_spellings(void **state) {
    (void)state;
    static const struct {
        const char *json;
        const char *form;
    } cases[] = {
        {"{}",                                "{}"                                      },
        {" [ ] ",                             "[]"                                      },
        {"{\"b\" : 1,\t\"a\":[1 , 2,\n{} ]}", "{\"a\":[1,2,{}],\"b\":1}"                },
        {"[true,false,null,0,-0,-7]",         "[true,false,null,0,0,-7]"                },
        {"9007199254740991",                  "9007199254740991"                        },
        {"-9007199254740991",                 "-9007199254740991"                       },
        {"\"\\u0041\\/\\\"\\\\\"",            "\"A/\\\"\\\\\""                          },
        {"\"\\n\\t\\b\\f\\r\\u001f\\u007f\"", "\"\n\t\b\f\r\x1f\x7f\""                  },
        {"\"\\u00e4\\u20AC\\ud83d\\ude00\"",  "\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\""},
        {"{\"aa\":1,\"a\":2,\"\":3,\"B\":4}", "{\"\":3,\"B\":4,\"a\":2,\"aa\":1}"       },
        {EMOJI,                               EMOJI_FORM                                },
        {NESTED,                              NESTED_FORM                               },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err e = {0};
        OWN_TEXT struct text out = TEXT_EMPTY;
        if (!canonical(cases[i].json, &out, &e)) fail_msg("%s: %s", cases[i].json, e.text);
        assert_string_equal(out.data, cases[i].form);
    }
}

/* '"' (0x22) and '#' (0x23) come before '[' (0x5B) and '\' (0x5C), escaped or not. */
static void order_is_by_the_bytes_meant_wherever_members_stand(void **state) {
    (void)state;
    static const char *const keys[] = {"\\\"", "\\\"a", "#", "[", "\\\\"};
    enum { KEYS = sizeof keys / sizeof keys[0] };
    OWN_TEXT struct text expected = TEXT_EMPTY;
    for (int i = 0; i < KEYS; i++)
        text_add_format(&expected, "%s\"%s\":0", i == 0 ? "{" : ",", keys[i]);
    text_add(&expected, "}");
    for (int first = 0; first < KEYS; first++)
        for (int step = 1; step < KEYS; step++) { /* five is prime: every step meets all */
            struct err e = {0};
            OWN_TEXT struct text json = TEXT_EMPTY;
            OWN_TEXT struct text out = TEXT_EMPTY;
            for (int i = 0; i < KEYS; i++)
                text_add_format(&json, "%s\"%s\":0", i == 0 ? "{" : ",",
                                keys[(first + i * step) % KEYS]);
            text_add(&json, "}");
            assert_true(canonical(json.data, &out, &e));
            assert_string_equal(out.data, expected.data);
        }
}

static void what_has_no_canonical_form_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *json;
        const char *text;
    } cases[] = {
        {"",                                "it is empty"                },
        {"{} {}",                           "something follows the value"},
        {"1.5",                             "1.5 is not a whole number"  },
        {"1.0",                             "1.0 is not a whole number"  },
        {"1e3",                             "1e3 is not a whole number"  },
        {"9007199254740992",                "9007199254740992 is not a"  },
        {"-9007199254740992",               "-9007199254740992 is not a" },
        {"{\"a\":1,\"a\":1}",               "key \"a\" is there twice"   },
        {"{\"a\":1,\"b\":2,\"\\u0061\":1}", "key \"a\" is there twice"   },
        {"[{\"x\":{\"\":1,\"\":2}}]",       "key \"\" is there twice"    },
        {"\"\\u0000\"",                     "\\u0000 is not allowed"     },
        {"\"\\ud800\"",                     "surrogate pair alone"       },
        {"\"\xC3\"",                        "not UTF-8"                  },
        {"\"\xED\xA0\x80\"",                "not UTF-8"                  },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err e = {0};
        OWN_TEXT struct text out = TEXT_EMPTY;
        if (canonical(cases[i].json, &out, &e)) fail_msg("%s was taken", cases[i].json);
        assert_int_equal(e.code, ERR_INVALID);
        if (strstr(e.text, cases[i].text) == NULL) fail_msg("%s: %s", cases[i].json, e.text);
    }
}

static void canonical_form_is_appended(void **state) {
    (void)state;
    struct err e;
    OWN_TEXT struct text out = TEXT_EMPTY;
    text_add(&out, "before");
    assert_true(canonical("{\"b\":1,\"a\":2}", &out, &e));
    assert_string_equal(out.data, "before{\"a\":2,\"b\":1}");
}

static void depth_is_limited(void **state) {
    (void)state;
    struct err e = {0};
    OWN_TEXT struct text deep = TEXT_EMPTY;
    OWN_TEXT struct text out = TEXT_EMPTY;
    for (int i = 0; i < 1000; i++) text_add(&deep, "[");
    for (int i = 0; i < 1000; i++) text_add(&deep, "]");
    assert_false(canonical(deep.data, &out, &e));
    assert_non_null(strstr(e.text, "nested too deep"));
}

/* Members in descending order: the worst case of moving them about. */
static void many_members_are_sorted(void **state) {
    (void)state;
    enum { COUNT = 20000 };
    struct err e = {0};
    OWN_TEXT struct text json = TEXT_EMPTY;
    OWN_TEXT struct text expected = TEXT_EMPTY;
    OWN_TEXT struct text out = TEXT_EMPTY;
    for (int i = 0; i < COUNT; i++) {
        text_add_format(&json, "%s\"%06d\":%d", i == 0 ? "{" : ",", COUNT - i, COUNT - i);
        text_add_format(&expected, "%s\"%06d\":%d", i == 0 ? "{" : ",", i + 1, i + 1);
    }
    text_add(&json, "}");
    text_add(&expected, "}");
    assert_true(canonical(json.data, &out, &e));
    assert_string_equal(out.data, expected.data);
}

static void member_is_found_in_place(void **state) {
    (void)state;
    static const char json[] =
        " {\"a\\u0062\" : [1, {\"signed\":2}] , \"signed\":\t{\"x\":\"}\"} } ";
    struct err e;
    const char *value = NULL;
    size_t length = 0;
    assert_true(json_member(json, strlen(json), "signed", &value, &length, &e));
    assert_ptr_equal(value, strstr(json, "{\"x\""));
    assert_int_equal(length, strlen("{\"x\":\"}\"}"));
    assert_true(json_member(json, strlen(json), "ab", &value, &length, &e));
    assert_memory_equal(value, "[1, {\"signed\":2}]", length);
}

static void member_that_is_not_there_once_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *json;
        const char *text;
    } cases[] = {
        {"{\"Signed\":1}",                    "\"signed\" is missing"    },
        {"{\"a\":{\"signed\":1}}",            "\"signed\" is missing"    },
        {"{\"signed\":1,\"sign\\u0065d\":2}", "\"signed\" is there twice"},
        {"[\"signed\"]",                      "not an object"            },
        {"{\"signed\":1",                     "not valid JSON"           },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err e = {0};
        const char *value = "";
        size_t length = 1;
        assert_false(
            json_member(cases[i].json, strlen(cases[i].json), "signed", &value, &length, &e));
        assert_int_equal(e.code, ERR_INVALID);
        assert_null(value);
        if (strstr(e.text, cases[i].text) == NULL) fail_msg("%s: %s", cases[i].json, e.text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_form_is_one_for_all_spellings),
        cmocka_unit_test(order_is_by_the_bytes_meant_wherever_members_stand),
        cmocka_unit_test(what_has_no_canonical_form_is_refused),
        cmocka_unit_test(canonical_form_is_appended),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(many_members_are_sorted),
        cmocka_unit_test(member_is_found_in_place),
        cmocka_unit_test(member_that_is_not_there_once_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
