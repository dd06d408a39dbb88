/* Which requests are our own pages': hosts, origins and cookies as browsers and others send them.
 */
#include "master/same_site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void hosts_are_addresses_localhost_and_configured_names(void **state) {
    (void)state;
    static const char names[] = "grid.example\nother.example";
    static const struct {
        const char *host;
        bool own;
    } cases[] = {
        {"127.0.0.1:7001",      true },
        {"10.1.2.3",            true },
        {"[::1]:7001",          true },
        {"[fe80::1]",           true },
        {"localhost:7001",      true },
        {"LocalHost",           true },
        {"grid.example",        true },
        {"Other.Example:7001",  true },
        {"grid.example.evil",   false},
        {"evil.example",        false},
        {"grid",                false},
        {"localhost.evil:7001", false},
        {"127.0.0.1.evil",      false},
        {"grid.example\nother", false},
        {"",                    false},
        {":7001",               false},
        {NULL,                  false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err e = {0};
        if (same_site_host(cases[i].host, names, &e) != cases[i].own)
            fail_msg("%s", cases[i].host != NULL ? cases[i].host : "none");
        if (!cases[i].own) assert_int_equal(e.code, ERR_DENIED);
    }
    struct err e = {0};
    assert_false(same_site_host("grid.example", NULL, &e));
}

static void origin_is_exactly_the_host(void **state) {
    (void)state;
    static const struct {
        const char *origin, *host;
        bool same;
    } cases[] = {
        {"http://a:7001",   "a:7001", true },
        {"https://A:7001",  "a:7001", true },
        {"http://a",        "a:7001", false},
        {"http://a:70011",  "a:7001", false},
        {"http://a:7001/x", "a:7001", false},
        {"http://b@a:7001", "a:7001", false},
        {"ftp://a:7001",    "a:7001", false},
        {"a:7001",          "a:7001", false},
        {"null",            "null",   false},
        {"http://",         "",       false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (same_site_origin(cases[i].origin, cases[i].host) != cases[i].same)
            fail_msg("%s at %s", cases[i].origin, cases[i].host);
}

static void cookie_is_found_by_its_whole_name_and_once(void **state) {
    (void)state;
    char out[8];
    static const struct {
        const char *header, *value; /* NULL: none */
    } cases[] = {
        {"grid=abc",           "abc"},
        {"a=b; grid=abc; c=d", "abc"},
        {"a=b;grid=abc",       "abc"},
        {"grid=",              ""   },
        {"grid=a=b",           "a=b"},
        {"xgrid=abc",          NULL },
        {"gridx=abc",          NULL },
        {"a=grid=abc",         NULL },
        {"grid",               NULL },
        {"grid=abc; grid=abc", NULL },
        {"grid=12345678",      NULL },
        {"",                   NULL },
        {";;; ;",              NULL },
        {NULL,                 NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool found = same_site_cookie(cases[i].header, "grid", out, sizeof out);
        if (found != (cases[i].value != NULL)) fail_msg("%zu", i);
        if (found) assert_string_equal(out, cases[i].value);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_addresses_localhost_and_configured_names),
        cmocka_unit_test(origin_is_exactly_the_host),
        cmocka_unit_test(cookie_is_found_by_its_whole_name_and_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
