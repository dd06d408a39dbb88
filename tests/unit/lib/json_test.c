#include "lib/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

struct node {
    char id[8];
    int64_t port;
};
static const struct json_field node[] = {
    J(JSON_STRING, struct node, id, JSON_REQUIRED),
    J(JSON_INT, struct node, port, JSON_OMIT_EMPTY),
};
static const struct json_schema node_schema = JSON_SCHEMA(struct node, node);

struct thing {
    char name[8];
    char *notes;
    int64_t size_bytes;
    bool yanked;
    char *labels;
    char *changes;
    char *reasons;
    char *data;
    struct node last;
    struct node *nodes;
    size_t nodes_count;
    char *channel;
    bool has_channel;
};
static const struct json_field thing_fields[] = {
    J(JSON_STRING, struct thing, name, 0),
    J(JSON_TEXT, struct thing, notes, 0),
    J(JSON_INT, struct thing, size_bytes, 0),
    J(JSON_BOOL, struct thing, yanked, 0),
    J(JSON_LABELS, struct thing, labels, 0),
    J(JSON_LABEL_CHANGES, struct thing, changes, JSON_OMIT_EMPTY),
    J(JSON_STRINGS, struct thing, reasons, 0),
    J(JSON_RAW, struct thing, data, 0),
    J_SUB(struct thing, last, &node_schema, JSON_OMIT_EMPTY),
    J_LIST(struct thing, nodes, &node_schema, 0),
    J_OPTIONAL(JSON_TEXT, struct thing, channel),
};
static const struct json_schema thing_schema = JSON_SCHEMA(struct thing, thing_fields);

static bool decode(const char *json, enum json_unknown unknown, struct thing *out, struct err *e) {
    /* An exact copy on the heap: reading one byte too far is seen by the address sanitizer. */
    size_t length = strlen(json);
    OWN_MEMORY char *copy = malloc(length > 0 ? length : 1);
    memcpy(copy, json, length);
    return json_decode(&thing_schema, copy, length, unknown, out, e);
}

static void expect_refused(const char *json, enum json_unknown unknown, const char *text,
                           const char *hint) {
    struct thing t;
    struct err e = {0};
    if (decode(json, unknown, &t, &e)) fail_msg("%s was accepted", json);
    assert_int_equal(e.code, ERR_INVALID);
    if (strstr(e.text, text) == NULL) fail_msg("%s: \"%s\" lacks \"%s\"", json, e.text, text);
    assert_string_equal(e.hint, hint);
    struct thing zero = {0};
    assert_memory_equal(&t, &zero, sizeof zero);
}

static void malformed_text_is_refused_naming_the_byte(void **state) {
    (void)state;
    static const struct {
        const char *json;
        const char *text;
    } rows[] = {
        {"",                                                                          "it is empty"                            },
        {" ",                                                                         "at byte 1: it ends too early"           },
        {"{",                                                                         "at byte 1: a key in quotes was expected"},
        {"{\"name\"",                                                                 "at byte 7: ':' was expected"            },
        {"{\"name\":",                                                                "at byte 8: it ends too early"           },
        {"{\"name\":1",                                                               "at byte 9: ',' or '}' was expected"     },
        {"{\"name\":1,",                                                              "a key in quotes was expected"           },
        {"{\"name\":1,}",                                                             "a key in quotes was expected"           },
        {"{name:1}",                                                                  "at byte 1: a key in quotes was expected"},
        {"{'name':1}",                                                                "a key in quotes was expected"           },
        {"{\"a\":[1,]}",                                                              "a value was expected"                   },
        {"{\"a\":[1 2]}",                                                             "',' or ']' was expected"                },
        {"{\"a\":[1}",                                                                "',' or ']' was expected"                },
        {"{} {}",                                                                     "at byte 3: something follows the value" },
        {"{}x",                                                                       "at byte 2: something follows the value" },
        {"{}// c",                                                                    "something follows the value"            },
        {"\xEF\xBB\xBF{}",                                                            "at byte 0: a value was expected"        },
        {"{\"a\":tru}",                                                               "a value was expected"                   },
        {"{\"a\":True}",                                                              "a value was expected"                   },
        {"{\"a\":NaN}",                                                               "a value was expected"                   },
        {"{\"a\":Infinity}",                                                          "a value was expected"                   },
        {"{\"a\":undefined}",                                                         "a value was expected"                   },
        {"{\v}",                                                                      "a key in quotes was expected"           },
        {"{\"a\":01}",                                                                "leading zero"                           },
        {"{\"a\":-01}",                                                               "leading zero"                           },
        {"{\"a\":00}",                                                                "leading zero"                           },
        {"{\"a\":+1}",                                                                "a value was expected"                   },
        {"{\"a\":-}",                                                                 "a digit was expected"                   },
        {"{\"a\":.5}",                                                                "a value was expected"                   },
        {"{\"a\":1.}",                                                                "a digit was expected"                   },
        {"{\"a\":1e}",                                                                "a digit was expected"                   },
        {"{\"a\":1e+}",                                                               "a digit was expected"                   },
        {"{\"a\":0x10}",                                                              "',' or '}' was expected"                },
        {"{\"a\":1e999}",                                                             "a number is too large"                  },
        {"{\"a\":-1e999}",                                                            "a number is too large"                  },
        {"{\"a\":11111111111111111111111111111111111111111111111111111111111111111}",
         "a number has too many digits"                                                                                        },
        {"{\"a\":\"x",                                                                "a string does not end"                  },
        {"{\"a\":\"x\\",                                                              "unknown escape"                         },
        {"{\"a\":\"\\x41\"}",                                                         "unknown escape"                         },
        {"{\"a\":\"\\'\"}",                                                           "unknown escape"                         },
        {"{\"a\":\"\\u12\"}",                                                         "four hex digits"                        },
        {"{\"a\":\"\\u12",                                                            "four hex digits"                        },
        {"{\"a\":\"\\u00zz\"}",                                                       "four hex digits"                        },
        {"{\"a\":\"\\u0000\"}",                                                       "\\u0000 is not allowed"                 },
        {"{\"\\u0000\":1}",                                                           "\\u0000 is not allowed"                 },
        {"{\"a\":\"\\ud800\"}",                                                       "first half of a surrogate pair alone"   },
        {"{\"a\":\"\\ud800\\u0041\"}",                                                "first half of a surrogate pair alone"   },
        {"{\"a\":\"\\ud800\\",                                                        "first half of a surrogate pair alone"   },
        {"{\"a\":\"\\udc00\"}",                                                       "second half of a surrogate pair alone"  },
        {"{\"a\":\"\n\"}",                                                            "control character in a string"          },
        {"{\"a\":\"\t\"}",                                                            "control character in a string"          },
        {"{\"a\":\"\xFF\"}",                                                          "not UTF-8"                              },
        {"{\"a\":\"\x80\"}",                                                          "not UTF-8"                              },
        {"{\"a\":\"\xC0\xAF\"}",                                                      "not UTF-8"                              },
        {"{\"a\":\"\xC3\"}",                                                          "not UTF-8"                              },
        {"{\"a\":\"\xE0\x80\xAF\"}",                                                  "not UTF-8"                              },
        {"{\"a\":\"\xED\xA0\x80\"}",                                                  "not UTF-8"                              },
        {"{\"a\":\"\xF4\x90\x80\x80\"}",                                              "not UTF-8"                              },
        {"{\"a\":\"\xF0\x9F\x98\"}",                                                  "not UTF-8"                              },
        {"{\"\xFF\":1}",                                                              "not UTF-8"                              },
        {"{\"name\":\"a\",\"name\":\"b\"}",                                           "key \"name\" is there twice"            },
        {"{\"name\":\"a\",\"n\\u0061me\":\"b\"}",                                     "key \"name\" is there twice"            },
        {"{\"deep\":[{\"x\":{\"k\":1,\"j\":2,\"k\":3}}]}",                            "key \"k\" is there twice"               },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_refused(rows[i].json, JSON_IGNORE_UNKNOWN, rows[i].text, "");
}

static void errors_of_text_carry_the_schema_name(void **state) {
    (void)state;
    expect_refused("{\"a\":01}", JSON_IGNORE_UNKNOWN,
                   "thing: not valid JSON at byte 7: a number has a leading zero", "");
    expect_refused("{\"a\":1,\"a\":1}", JSON_IGNORE_UNKNOWN, "thing: key \"a\" is there twice", "");
}

static void a_nul_byte_is_refused_wherever_it_stands(void **state) {
    (void)state;
    struct thing t;
    struct err e = {0};
    assert_false(json_decode(&thing_schema, "{}\0", 3, JSON_IGNORE_UNKNOWN, &t, &e));
    assert_non_null(strstr(e.text, "something follows"));
    assert_false(json_decode(&thing_schema, "{\"a\":\"b\0c\"}", 11, JSON_IGNORE_UNKNOWN, &t, &e));
    assert_non_null(strstr(e.text, "control character"));
    assert_false(json_decode(&thing_schema, "\0", 1, JSON_IGNORE_UNKNOWN, &t, &e));
}

static void nest(struct text *out, int depth, const char *open, const char *close) {
    for (int i = 0; i < depth; i++) text_add(out, open);
    text_add(out, "0");
    for (int i = 0; i < depth; i++) text_add(out, close);
}

static void depth_ends_at_32(void **state) {
    (void)state;
    static const char *const brackets[][2] = {
        {"[",       "]"},
        {"{\"k\":", "}"}
    };
    for (size_t i = 0; i < 2; i++) {
        OWN_TEXT struct text deep = TEXT_EMPTY;
        struct err e = {0};
        nest(&deep, 32, brackets[i][0], brackets[i][1]);
        assert_true(json_check(deep.data, deep.length, &e));
        text_clear(&deep);
        nest(&deep, 33, brackets[i][0], brackets[i][1]);
        assert_false(json_check(deep.data, deep.length, &e));
        assert_non_null(strstr(e.text, "nested too deep"));
        text_clear(&deep);
        nest(&deep, 100000, brackets[i][0], brackets[i][1]);
        assert_false(json_check(deep.data, deep.length, &e));
    }
    OWN_TEXT struct text wide = TEXT_EMPTY;
    struct err e = {0};
    text_add(&wide, "[[0]");
    for (int i = 0; i < 100; i++) text_add(&wide, ",[[0]]");
    text_add(&wide, "]");
    assert_true(json_check(wide.data, wide.length, &e));
}

static void many_keys_are_checked_in_bearable_time(void **state) {
    (void)state;
    OWN_TEXT struct text wide = TEXT_EMPTY;
    struct err e = {0};
    text_add(&wide, "{\"k\":0");
    for (int i = 0; i < 200000; i++) text_add_format(&wide, ",\"k%d\":0", i);
    text_add(&wide, "}");
    assert_true(json_check(wide.data, wide.length, &e));
    wide.data[wide.length - 1] = ',';
    text_add(&wide, "\"k77\":0}");
    assert_false(json_check(wide.data, wide.length, &e));
    assert_string_equal(e.text, "key \"k77\" is there twice");
}

static void every_cut_of_a_valid_text_is_refused(void **state) {
    (void)state;
    const char *json =
        "{\"name\":\"\\ud83d\\ude00\xC3\xA9\",\"size_bytes\":-1.5e+3,\"yanked\":true,"
        "\"labels\":{\"a\":\"b\"},\"nodes\":[{\"id\":\"x\",\"port\":null}]}";
    struct err e = {0};
    assert_true(json_check(json, strlen(json), &e));
    for (size_t length = 0; length < strlen(json); length++) {
        OWN_MEMORY char *cut = malloc(length > 0 ? length : 1);
        memcpy(cut, json, length);
        if (json_check(cut, length, &e)) fail_msg("cut at %zu was accepted", length);
    }
}

static void altered_bytes_never_crash_the_decoder(void **state) {
    (void)state;
    const char *json =
        "{\"name\":\"\\ud83d\\ude00\",\"size_bytes\":-15e+3,\"yanked\":true,\"data\":[1],"
        "\"labels\":{\"a\":\"b\"},\"nodes\":[{\"id\":\"x\",\"port\":null}]}";
    size_t length = strlen(json);
    for (size_t at = 0; at < length; at++) {
        for (int byte = 0; byte < 256; byte++) {
            OWN_MEMORY char *altered = malloc(length);
            struct thing t;
            struct err e = {0};
            memcpy(altered, json, length);
            altered[at] = (char)byte;
            if (json_decode(&thing_schema, altered, length, JSON_IGNORE_UNKNOWN, &t, &e))
                json_clear(&thing_schema, &t);
            else
                assert_true(e.text[0] != '\0');
        }
    }
}

static void wrong_values_are_refused_with_their_path(void **state) {
    (void)state;
    static const struct {
        const char *json;
        const char *text;
    } rows[] = {
        {"[]",                                                                                       "thing: not an object"                                      },
        {"1",                                                                                        "thing: not an object"                                      },
        {"null",                                                                                     "thing: not an object"                                      },
        {"{\"name\":1}",                                                                             "thing.name: not a string"                                  },
        {"{\"name\":\"12345678\"}",                                                                  "thing.name: longer than 7 bytes"                           },
        {"{\"notes\":[]}",                                                                           "thing.notes: not a string"                                 },
        {"{\"size_bytes\":\"1\"}",                                                                   "thing.size_bytes: not a whole number"                      },
        {"{\"size_bytes\":1.5}",                                                                     "thing.size_bytes: not a whole number"                      },
        {"{\"size_bytes\":true}",                                                                    "thing.size_bytes: not a whole number"                      },
        {"{\"size_bytes\":9007199254740992}",                                                        "thing.size_bytes: beyond 9007199254740991"                 },
        {"{\"size_bytes\":9007199254740993}",                                                        "thing.size_bytes: beyond 9007199254740991"                 },
        {"{\"size_bytes\":-9007199254740993}",                                                       "thing.size_bytes: beyond 9007199254740991"                 },
        {"{\"size_bytes\":1e300}",                                                                   "thing.size_bytes: beyond 9007199254740991"                 },
        {"{\"yanked\":1}",                                                                           "thing.yanked: neither true nor false"                      },
        {"{\"yanked\":\"true\"}",                                                                    "thing.yanked: neither true nor false"                      },
        {"{\"labels\":[]}",                                                                          "thing.labels: not an object of strings"                    },
        {"{\"labels\":{\"a\":1}}",                                                                   "thing.labels: value of \"a\" is not a string"              },
        {"{\"labels\":{\"a\":null}}",                                                                "thing.labels: value of \"a\" is not a string"              },
        {"{\"labels\":{\"a\":\"b,c=d\"}}",                                                           "thing.labels: "                                            },
        {"{\"labels\":{\"a b\":\"c\"}}",                                                             "thing.labels: "                                            },
        {"{\"labels\":{\"\":\"c\"}}",                                                                "thing.labels: "                                            },
        {"{\"changes\":{\"a\":1}}",                                                                  "thing.changes: value of \"a\" is neither a string nor null"},
        {"{\"changes\":{\"a\\nb\":null}}",                                                           "thing.changes: "                                           },
        {"{\"changes\":{\"a=b\":null}}",                                                             "thing.changes: "                                           },
        {"{\"changes\":{\"a\":\"b\\nc\"}}",                                                          "thing.changes: "                                           },
        {"{\"reasons\":\"x\"}",                                                                      "thing.reasons: not an array of strings"                    },
        {"{\"reasons\":[\"x\",1]}",                                                                  "thing.reasons: holds something that is not a string"       },
        {"{\"reasons\":[\"\"]}",                                                                     "thing.reasons: holds an empty string"                      },
        {"{\"reasons\":[\"a\\nb\"]}",                                                                "thing.reasons: holds a string with a line break"           },
        {"{\"last\":[]}",                                                                            "thing.last: not an object"                                 },
        {"{\"last\":{}}",                                                                            "thing.last.id: is missing"                                 },
        {"{\"last\":{\"id\":null}}",                                                                 "thing.last.id: is missing"                                 },
        {"{\"nodes\":{}}",                                                                           "thing.nodes: not an array"                                 },
        {"{\"nodes\":[1]}",                                                                          "thing.nodes[0]: not an object"                             },
        {"{\"nodes\":[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"c\",\"port\":\"x\"}]}",
         "thing.nodes[2].port: not a whole number"                                                                                                               },
 /* what was decoded before the failure is freed: the leak sanitizer watches */
        {"{\"notes\":\"n\",\"labels\":{\"a\":\"b\"},\"reasons\":[\"r\"],\"data\":{},\"channel\":1}",
         "thing.channel: not a string"                                                                                                                           },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_refused(rows[i].json, JSON_IGNORE_UNKNOWN, rows[i].text, "");
}

static void unknown_keys_are_ignored_or_refused_by_choice(void **state) {
    (void)state;
    struct thing t;
    struct err e = {0};
    const char *json = "{\"Name\":\"x\",\"nmae\":1,\"last\":{\"id\":\"a\",\"more\":[{}]}}";
    assert_true(decode(json, JSON_IGNORE_UNKNOWN, &t, &e));
    assert_string_equal(t.name, ""); /* keys are case-sensitive */
    assert_string_equal(t.last.id, "a");
    json_clear(&thing_schema, &t);
    expect_refused("{\"nmae\":\"x\"}", JSON_REJECT_UNKNOWN,
                   "thing: unknown key \"nmae\"; allowed are name, notes, size_bytes",
                   "did you mean \"name\"?");
    expect_refused("{\"Name\":\"x\"}", JSON_REJECT_UNKNOWN, "thing: unknown key \"Name\"",
                   "did you mean \"name\"?");
    expect_refused("{\"last\":{\"id\":\"a\",\"zebra\":1}}", JSON_REJECT_UNKNOWN,
                   "thing.last: unknown key \"zebra\"; allowed are id, port", "");
}

static void null_is_absent(void **state) {
    (void)state;
    struct thing t;
    struct err e = {0};
    assert_true(
        decode("{\"name\":null,\"notes\":null,\"size_bytes\":null,\"yanked\":null,\"labels\":"
               "null,\"changes\":null,\"reasons\":null,\"data\":null,\"last\":null,"
               "\"nodes\":null,\"channel\":null}",
               JSON_REJECT_UNKNOWN, &t, &e));
    struct thing expected = {.has_channel = true};
    assert_memory_equal(&t, &expected, sizeof t);
    json_clear(&thing_schema, &t);
}

static void full_thing_round_trips(void **state) {
    (void)state;
    const char *json =
        "{\"name\":\"\xF0\x9F\x98\x80\\\"\\\\\",\"notes\":\"a\\n\\t\\u0001b\",\"size_bytes\":"
        "9007199254740991,\"yanked\":true,\"labels\":{\"rack\":\"b\",\"role\":\"edge\"},"
        "\"changes\":{\"a\":\"\",\"old\":null,\"rack\":\"c\"},\"reasons\":[\"one\",\"two\"],"
        "\"data\":{\"k\":[1,2.5,null,\"\\n\"]},\"last\":{\"id\":\"n\",\"port\":-1},"
        "\"nodes\":[{\"id\":\"a\",\"port\":7100},{\"id\":\"b\"}],\"channel\":\"beta\"}";
    struct thing t;
    struct err e = {0};
    assert_true(decode(json, JSON_REJECT_UNKNOWN, &t, &e));
    assert_string_equal(t.name, "\xF0\x9F\x98\x80\"\\");
    assert_string_equal(t.notes, "a\n\t\x01"
                                 "b");
    assert_int_equal(t.size_bytes, 9007199254740991);
    assert_true(t.yanked);
    assert_string_equal(t.labels, "rack=b,role=edge");
    assert_string_equal(t.changes, "a=\nold\nrack=c");
    assert_string_equal(t.reasons, "one\ntwo");
    assert_string_equal(t.data, "{\"k\":[1,2.5,null,\"\\n\"]}");
    assert_int_equal(t.nodes_count, 2);
    assert_int_equal(t.nodes[0].port, 7100);
    assert_string_equal(t.nodes[1].id, "b");
    assert_true(t.has_channel);
    OWN_TEXT struct text again = TEXT_EMPTY;
    json_encode(&thing_schema, &t, &again);
    assert_string_equal(text_value(&again), json);
    json_clear(&thing_schema, &t);
    struct thing zero = {0};
    assert_memory_equal(&t, &zero, sizeof t);
}

static void escapes_and_numbers_are_read_as_rfc_8259_has_them(void **state) {
    (void)state;
    struct thing t;
    struct err e = {0};
    assert_true(
        decode(" {\r\n\t\"size_bytes\" : -12e1 ,\"notes\":\"\\u00e9\\/\\b\\f\\r\\ud83d\\uDE00\" } ",
               JSON_REJECT_UNKNOWN, &t, &e));
    assert_int_equal(t.size_bytes, -120);
    assert_string_equal(t.notes, "\xC3\xA9/\b\f\r\xF0\x9F\x98\x80");
    json_clear(&thing_schema, &t);
    assert_true(decode("{\"size_bytes\":-0,\"data\":1e-999}", JSON_REJECT_UNKNOWN, &t, &e));
    assert_int_equal(t.size_bytes, 0);
    json_clear(&thing_schema, &t);
}

static void empty_thing_is_written_in_full_but_for_what_may_be_omitted(void **state) {
    (void)state;
    struct thing t = {0};
    OWN_TEXT struct text out = TEXT_EMPTY;
    json_encode(&thing_schema, &t, &out);
    assert_string_equal(text_value(&out),
                        "{\"name\":\"\",\"notes\":null,\"size_bytes\":0,\"yanked\":false,"
                        "\"labels\":{},\"reasons\":[],\"nodes\":[]}");
    text_clear(&out);
    t.has_channel = true;
    t.last.port = 1;
    t.size_bytes = INT64_MIN;
    t.reasons = (char[]){"\n\none\n"};
    json_encode(&thing_schema, &t, &out);
    assert_string_equal(text_value(&out),
                        "{\"name\":\"\",\"notes\":null,\"size_bytes\":-9007199254740991,"
                        "\"yanked\":false,\"labels\":{},\"reasons\":[\"one\"],"
                        "\"last\":{\"id\":\"\",\"port\":1},\"nodes\":[],\"channel\":null}");
}

static void bad_bytes_are_written_as_replacement_characters(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY;
    json_quote("a\xFFz\xC3\xE2\x82\xAC\xE2\x82", &out);
    assert_string_equal(text_value(&out), "\"a\xEF\xBF\xBDz\xEF\xBF\xBD\xE2\x82\xAC\xEF\xBF\xBD"
                                          "\xEF\xBF\xBD\"");
    struct err e = {0};
    assert_true(json_check(out.data, out.length, &e));
}

static void every_byte_can_be_quoted(void **state) {
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        OWN_TEXT struct text out = TEXT_EMPTY;
        struct err e = {0};
        json_quote((char[]){(char)byte, '\0'}, &out);
        assert_true(json_check(out.data, out.length, &e));
    }
    OWN_TEXT struct text out = TEXT_EMPTY;
    json_quote("\x01\b\t\n\f\r\x1F \"\\/\x7F", &out);
    assert_string_equal(text_value(&out), "\"\\u0001\\b\\t\\n\\f\\r\\u001f \\\"\\\\/\x7F\"");
}

static void a_byte_is_quoted_alike_wherever_it_stands(void **state) {
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        OWN_TEXT struct text alone = TEXT_EMPTY;
        json_quote((char[]){(char)byte, '\0'}, &alone);
        const char *inner = alone.data + 1;
        int inner_length = (int)alone.length - 2;
        for (int before = 0; before < 18; before++) {
            char value[32] = "", expected[64];
            OWN_TEXT struct text out = TEXT_EMPTY;
            snprintf(value, sizeof value, "%.*s%c%s", before, "!!##[[zz  ~~}}//::", byte,
                     "0123456789");
            snprintf(expected, sizeof expected, "\"%.*s%.*s%s\"", before, value, inner_length,
                     inner, "0123456789");
            json_quote(value, &out);
            assert_string_equal(out.data, expected);
        }
    }
}

static void lists_round_trip(void **state) {
    (void)state;
    const char *json = "[{\"id\":\"a\",\"port\":1},{\"id\":\"b\"}]";
    void *items = NULL;
    size_t count = 0;
    struct err e = {0};
    assert_true(json_decode_list(&node_schema, json, strlen(json), &items, &count, &e));
    assert_int_equal(count, 2);
    OWN_TEXT struct text again = TEXT_EMPTY;
    json_encode_list(&node_schema, items, count, &again);
    assert_string_equal(text_value(&again), json);
    json_clear_list(&node_schema, items, count);

    assert_true(json_decode_list(&node_schema, "[]", 2, &items, &count, &e));
    assert_null(items);
    assert_int_equal(count, 0);
    json_clear_list(&node_schema, items, count);

    assert_false(json_decode_list(&node_schema, "{}", 2, &items, &count, &e));
    assert_string_equal(e.text, "node: not an array");
    json = "[{\"id\":\"a\"},{\"id\":\"b\",\"port\":[]}]";
    assert_false(json_decode_list(&node_schema, json, strlen(json), &items, &count, &e));
    assert_string_equal(e.text, "node[1].port: not a whole number");
    assert_null(items);
    assert_int_equal(count, 0);
}

static void a_long_path_is_cut_and_not_overrun(void **state) {
    (void)state;
    static struct json_field fields[] = {J(JSON_STRING, struct node, id, JSON_REQUIRED)};
    char name[300];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    fields[0].name = name;
    struct json_schema schema = {name, sizeof(struct node), fields, 1};
    struct node n;
    struct err e = {0};
    assert_false(json_decode(&schema, "{}", 2, JSON_IGNORE_UNKNOWN, &n, &e));
    assert_non_null(strstr(e.text, "nnnn: is missing"));
}

static void pretty_text_is_for_people(void **state) {
    (void)state;
    static const struct {
        const char *json;
        const char *pretty;
    } rows[] = {
        {"{}",                              "{}"                                                 },
        {" [ ] ",                           "[]"                                                 },
        {"-1.5e3",                          "-1.5e3"                                             },
        {"\"a{b\\\"[,:c\\\\\"",             "\"a{b\\\"[,:c\\\\\""                                },
        {"[1,[2,{ }],true]",                "[\n  1,\n  [\n    2,\n    {}\n  ],\n  true\n]"      },
        {"{\"a\":1,\n \"b c\":{\"d\":[]}}", "{\n  \"a\": 1,\n  \"b c\": {\n    \"d\": []\n  }\n}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        OWN_TEXT struct text out = TEXT_EMPTY;
        struct err e = {0};
        assert_true(json_check(rows[i].json, strlen(rows[i].json), &e));
        json_pretty(rows[i].json, &out);
        assert_string_equal(text_value(&out), rows[i].pretty);
    }
}

static void *decode_often(void *unused) {
    for (int i = 0; i < 500; i++) {
        struct thing t;
        struct err e = {0};
        if (!decode("{\"name\":\"a\",\"labels\":{\"a\":\"b\"},\"nodes\":[{\"id\":\"x\"}]}",
                    JSON_REJECT_UNKNOWN, &t, &e))
            return unused;
        json_clear(&thing_schema, &t);
    }
    return NULL;
}

static void threads_decode_at_once(void **state) {
    (void)state;
    pthread_t threads[4];
    char failed = 0;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, decode_often, &failed), 0);
    for (size_t i = 0; i < 4; i++) {
        void *result = &failed;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_null(result);
    }
}

struct receipt {
    bool is_signed;
};

static const struct json_field receipt_fields[] = {
    J_NAMED(JSON_BOOL, struct receipt, is_signed, "signed", JSON_REQUIRED),
};
static const struct json_schema receipt_schema = JSON_SCHEMA(struct receipt, receipt_fields);

static void a_key_may_have_another_name_than_its_field(void **state) {
    (void)state;
    static const char json[] = "{\"signed\":true}";
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct receipt receipt;
    struct err e;
    assert_true(
        json_decode(&receipt_schema, json, strlen(json), JSON_REJECT_UNKNOWN, &receipt, &e));
    assert_true(receipt.is_signed);
    json_encode(&receipt_schema, &receipt, &out);
    assert_string_equal(out.data, json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_may_have_another_name_than_its_field),
        cmocka_unit_test(malformed_text_is_refused_naming_the_byte),
        cmocka_unit_test(errors_of_text_carry_the_schema_name),
        cmocka_unit_test(a_nul_byte_is_refused_wherever_it_stands),
        cmocka_unit_test(depth_ends_at_32),
        cmocka_unit_test(many_keys_are_checked_in_bearable_time),
        cmocka_unit_test(every_cut_of_a_valid_text_is_refused),
        cmocka_unit_test(altered_bytes_never_crash_the_decoder),
        cmocka_unit_test(wrong_values_are_refused_with_their_path),
        cmocka_unit_test(unknown_keys_are_ignored_or_refused_by_choice),
        cmocka_unit_test(null_is_absent),
        cmocka_unit_test(full_thing_round_trips),
        cmocka_unit_test(escapes_and_numbers_are_read_as_rfc_8259_has_them),
        cmocka_unit_test(empty_thing_is_written_in_full_but_for_what_may_be_omitted),
        cmocka_unit_test(bad_bytes_are_written_as_replacement_characters),
        cmocka_unit_test(every_byte_can_be_quoted),
        cmocka_unit_test(a_byte_is_quoted_alike_wherever_it_stands),
        cmocka_unit_test(lists_round_trip),
        cmocka_unit_test(a_long_path_is_cut_and_not_overrun),
        cmocka_unit_test(pretty_text_is_for_people),
        cmocka_unit_test(threads_decode_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
