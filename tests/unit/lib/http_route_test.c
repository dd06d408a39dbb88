#include "lib/http_route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct http_route routes[] = {
    {.method = "GET",  .pattern = "/"                                     },
    {.method = "GET",  .pattern = "/api/binaries"                         },
    {.method = "GET",  .pattern = "/api/binaries/:version/:platform/:arch"},
    {.method = "PUT",  .pattern = "/api/binaries/:version/:platform/:arch"},
    {.method = "HEAD", .pattern = "/api/binaries/:version/:platform/:arch"},
    {.method = "GET",  .pattern = "/api/binaries/latest/:platform/:arch"  },
    {.method = "GET",  .pattern = "/api/binaries/rejected"                },
    {.method = "GET",  .pattern = "/api/nodes/:id"                        },
    {.method = "POST", .pattern = "/api/nodes/:id/restart"                },
    {.method = "GET",  .pattern = "/tuf/*path"                            },
    {.method = "GET",  .pattern = "/tuf/:name"                            },
    {.method = "WS",   .pattern = "/api/events/ws"                        },
};
#define ROUTES (sizeof routes / sizeof routes[0])

static void each_path_finds_its_row(void **state) {
    (void)state;
    static const struct {
        const char *method;
        const char *path;
        int index;
        const char *allowed;
    } cases[] = {
        {"GET",    "/",                                  0,  "GET, HEAD"     },
        {"HEAD",   "/",                                  0,  "GET, HEAD"     },
        {"GET",    "/api/binaries",                      1,  "GET, HEAD"     },
        {"GET",    "/api/binariesX",                     -1, ""              },
        {"GET",    "/api/binaries/",                     -1, ""              },
        {"GET",    "/api/binarie",                       -1, ""              },
        {"GET",    "/api",                               -1, ""              },
        {"GET",    "",                                   -1, ""              },
        {"GET",    "/api/binaries/1.0.0/linux/x86_64",   2,  "GET, HEAD, PUT"},
        {"PUT",    "/api/binaries/1.0.0/linux/x86_64",   3,  "GET, HEAD, PUT"},
        {"HEAD",   "/api/binaries/1.0.0/linux/x86_64",   4,  "GET, HEAD, PUT"},
        {"DELETE", "/api/binaries/1.0.0/linux/x86_64",   -1, "GET, HEAD, PUT"},
        {"GET",    "/api/binaries/latest/linux/x86_64",  5,  "GET, HEAD, PUT"},
        {"GET",    "/api/binaries/1.0.0/linux/",         -1, ""              },
        {"GET",    "/api/binaries/1.0.0//x86_64",        -1, ""              },
        {"GET",    "/api/binaries/1.0.0/linux/x86_64/x", -1, ""              },
        {"GET",    "/api/binaries/rejected",             6,  "GET, HEAD"     },
        {"GET",    "/%61pi/%62inaries",                  1,  "GET, HEAD"     },
        {"GET",    "/api%2Fbinaries",                    -1, ""              },
        {"GET",    "/api/nodes/agent-1%2F0",             7,  "GET, HEAD"     },
        {"POST",   "/api/nodes/agent-1%2f0/restart",     8,  "POST"          },
        {"GET",    "/tuf/",                              9,  "GET, HEAD"     },
        {"GET",    "/tuf/metadata/1.root.json",          9,  "GET, HEAD"     },
        {"GET",    "/tuf/timestamp.json",                10, "GET, HEAD"     },
        {"GET",    "/tuf",                               -1, ""              },
        {"WS",     "/api/events/ws",                     11, "GET"           },
        {"GET",    "/api/events/ws",                     -1, "GET"           },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char allowed[64] = "untouched";
        int index = http_route_match(routes, ROUTES, cases[i].method, cases[i].path, allowed,
                                     sizeof allowed);
        if (index != cases[i].index || strcmp(allowed, cases[i].allowed) != 0)
            fail_msg("%s %s: %d \"%s\", wanted %d \"%s\"", cases[i].method, cases[i].path, index,
                     allowed, cases[i].index, cases[i].allowed);
    }
}

static void the_order_of_rows_does_not_matter(void **state) {
    (void)state;
    struct http_route reversed[ROUTES];
    for (size_t i = 0; i < ROUTES; i++) reversed[i] = routes[ROUTES - 1 - i];
    char allowed[64];
    int index = http_route_match(reversed, ROUTES, "GET", "/api/binaries/latest/linux/arm", allowed,
                                 sizeof allowed);
    assert_int_equal(index, (int)ROUTES - 1 - 5);
    index = http_route_match(reversed, ROUTES, "HEAD", "/api/binaries/1.0.0/linux/arm", allowed,
                             sizeof allowed);
    assert_int_equal(index, (int)ROUTES - 1 - 4);
}

static void parameters_are_decoded_once(void **state) {
    (void)state;
    OWN_TEXT struct text parameters = TEXT_EMPTY;
    http_route_parameters("/a/:id/b/*rest", "/a/agent-1%2F0/b/x/%C3%A9", &parameters);
    assert_string_equal(http_route_parameter(&parameters, "id"), "agent-1/0");
    assert_string_equal(http_route_parameter(&parameters, "rest"), "x/\xc3\xa9");
    assert_null(http_route_parameter(&parameters, "i"));
    assert_null(http_route_parameter(&parameters, "b"));
}

static void etags_are_found_in_lists(void **state) {
    (void)state;
    static const struct {
        const char *list;
        bool weak_counts;
        bool found;
    } cases[] = {
        {"\"abc\"",                 true,  true },
        {"\"abc\"",                 false, true },
        {"W/\"abc\"",               true,  true },
        {"W/\"abc\"",               false, false},
        {"*",                       false, true },
        {"\"x\", \"abc\"",          false, true },
        {"\"x\",W/\"y\" , \"abc\"", false, true },
        {"\"x,abc\"",               true,  false},
        {"\"abcd\"",                true,  false},
        {"\"ab\"",                  true,  false},
        {"\"\"",                    true,  false},
        {"abc",                     true,  false},
        {"\"abc",                   true,  false},
        {"",                        true,  false},
        {", ,",                     true,  false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (http_etag_listed(cases[i].list, "abc", cases[i].weak_counts) != cases[i].found)
            fail_msg("%s", cases[i].list);
}

static void roles_have_names(void **state) {
    (void)state;
    for (int i = HTTP_PUBLIC; i <= HTTP_ADMIN; i++) {
        enum http_role role = HTTP_PUBLIC;
        assert_true(http_role_parse(http_role_name((enum http_role)i), &role));
        assert_int_equal(role, i);
    }
    enum http_role role = HTTP_PUBLIC;
    assert_false(http_role_parse("root", &role));
    assert_false(http_role_parse("", &role));
    assert_true(HTTP_VIEWER < HTTP_OPERATOR && HTTP_OPERATOR < HTTP_PUBLISHER &&
                HTTP_PUBLISHER < HTTP_ADMIN);
}

static void paths_that_lead_elsewhere_are_refused(void **state) {
    (void)state;
    static const char *const refused[] = {"",
                                          "api",
                                          "*",
                                          "/..",
                                          "/a/../b",
                                          "/a/..",
                                          "/./a",
                                          "/a/.",
                                          "/%2e%2e/a",
                                          "/%2E./a",
                                          "/a/%2e",
                                          "/..%2fetc",
                                          "/a%2f..%2fb",
                                          "/%252e%252e/a",
                                          "/a%252fb",
                                          "/a%25%32%66b",
                                          "/a%255cb",
                                          "/a%2500",
                                          "/a%00",
                                          "/a%00.txt",
                                          "/a\\b",
                                          "/..\\b",
                                          "/a%5cb",
                                          "/a%5Cb",
                                          "//a",
                                          "/a//b",
                                          "/a/%2fb",
                                          "/%2fa",
                                          "/a%0d%0aSet-Cookie: x",
                                          "/a%1fb",
                                          "/a%7f",
                                          "/a%",
                                          "/a%2",
                                          "/a%zz",
                                          "/a%+1",
                                          "/a%c3",
                                          "/a%c0%af",
                                          "/a%c0%ae%c0%ae",
                                          "/a%ff",
                                          "/a\xff"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        OWN_TEXT struct text path = TEXT_EMPTY;
        struct err e = {0};
        if (http_path_decode(refused[i], &path, &e)) fail_msg("taken: %s", refused[i]);
        assert_int_equal(e.code, ERR_INVALID);
    }
}

static void paths_are_decoded(void **state) {
    (void)state;
    static const char *const taken[][2] = {
        {"/",                    "/"                 },
        {"/a/",                  "/a/"               },
        {"/a..b/..c/...",        "/a..b/..c/..."     },
        {"/.hidden",             "/.hidden"          },
        {"/1.0.0+build%2B5",     "/1.0.0+build+5"    },
        {"/agent-1%2F0",         "/agent-1/0"        },
        {"/caf%C3%A9",           "/caf\xc3\xa9"      },
        {"/100%25",              "/100%"             },
        {"/a%20b;c=d,e:f@g!$&'", "/a b;c=d,e:f@g!$&'"},
    };
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        OWN_TEXT struct text path = TEXT_EMPTY;
        struct err e = {0};
        if (!http_path_decode(taken[i][0], &path, &e)) fail_msg("%s: %s", taken[i][0], e.text);
        assert_string_equal(path.data, taken[i][1]);
        assert_int_equal(path.length, strlen(taken[i][1]));
    }
}

static void queries_are_split_and_decoded(void **state) {
    (void)state;
    char query[] = "name=a%20b&empty=&bare&&plus=1+2&eq=a=b&%6eame2=%C3%A9";
    static const char *const wanted[][2] = {
        {"name",  "a b"     },
        {"empty", ""        },
        {"bare",  ""        },
        {"plus",  "1+2"     },
        {"eq",    "a=b"     },
        {"name2", "\xc3\xa9"},
    };
    struct http_query_pair pairs[HTTP_QUERY_PAIRS];
    size_t count = 0;
    struct err e;
    assert_true(http_query_decode(query, pairs, &count, &e));
    assert_int_equal(count, sizeof wanted / sizeof wanted[0]);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(pairs[i].name, wanted[i][0]);
        assert_string_equal(pairs[i].value, wanted[i][1]);
    }
}

static void bad_queries_are_refused(void **state) {
    (void)state;
    static const char *const refused[] = {
        "a=%00",       "a=%zz",       "a=%",         "a=%0d%0a",        "a=%ff",
        "%00=a",       "token=x",     "a=1&TOKEN=x", "access_token=x",  "api_key=x",
        "%61pi_key=x", "X-API-Key=x", "tok%65n=gt",  "a=b&access_token"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct http_query_pair pairs[HTTP_QUERY_PAIRS];
        size_t count = 0;
        struct err e = {0};
        char *query = text_duplicate(refused[i]);
        bool taken = http_query_decode(query, pairs, &count, &e);
        free(query);
        if (taken) fail_msg("taken: %s", refused[i]);
        assert_int_equal(e.code, ERR_INVALID);
    }
    OWN_TEXT struct text many = TEXT_EMPTY;
    for (int i = 0; i <= HTTP_QUERY_PAIRS; i++) text_add(&many, "a=b&");
    struct http_query_pair pairs[HTTP_QUERY_PAIRS];
    size_t count = 0;
    struct err e = {0};
    assert_false(http_query_decode(many.data, pairs, &count, &e));
}

static void lengths_are_plain_digits(void **state) {
    (void)state;
    static const char *const refused[] = {"",
                                          "-1",
                                          "+1",
                                          " 1",
                                          "1 ",
                                          "0x10",
                                          "1,1",
                                          "1.0",
                                          "1e3",
                                          "abc",
                                          "1;",
                                          "99999999999999999999",
                                          "1234567890123456789"};
    int64_t value = 0;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (http_length_parse(refused[i], &value)) fail_msg("taken: %s", refused[i]);
    assert_true(http_length_parse("0", &value) && value == 0);
    assert_true(http_length_parse("007", &value) && value == 7);
    assert_true(http_length_parse("999999999999999999", &value) && value == 999999999999999999);
}

static void tokens_hold_no_delimiters(void **state) {
    (void)state;
    static const char *const refused[] = {"",      "a b",      "a:",  "(a", "a\"",
                                          "a\x7f", "\xc3\xa9", "a/b", "a\t"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_false(http_is_token(refused[i]));
    assert_true(http_is_token("X-API-Key"));
    assert_true(http_is_token("!#$%&'*+-.^_`|~09az"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_path_finds_its_row),
        cmocka_unit_test(the_order_of_rows_does_not_matter),
        cmocka_unit_test(parameters_are_decoded_once),
        cmocka_unit_test(etags_are_found_in_lists),
        cmocka_unit_test(roles_have_names),
        cmocka_unit_test(paths_that_lead_elsewhere_are_refused),
        cmocka_unit_test(paths_are_decoded),
        cmocka_unit_test(queries_are_split_and_decoded),
        cmocka_unit_test(bad_queries_are_refused),
        cmocka_unit_test(lengths_are_plain_digits),
        cmocka_unit_test(tokens_hold_no_delimiters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
