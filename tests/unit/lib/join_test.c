#include "lib/join.h"

#include "lib/encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Keys of minisign; the first one holds '+' and needs percent-encoding. */
#define MASTER_LINE "RWTkNMWPSt+dERQMTwXXYq1Sow0S0kcCokjidhyevd74fGcBP6ex4gLm"
#define MASTER_ENCODED "RWTkNMWPSt%2BdERQMTwXXYq1Sow0S0kcCokjidhyevd74fGcBP6ex4gLm"
#define RELEASE_LINE "RWS+TG1Xa4zfxfkDBJt3XcxM76aGMHyFsTUsIVUUhJ39MUzgKOxlVvv5"
#define SECRET "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define TOKEN "gj_0123456789abcdef." SECRET
#define KEYS "&mk=" MASTER_LINE "&rk=" RELEASE_LINE
#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define QUERY "?v=1&bus=7000" KEYS "&t=" TOKEN

static void assert_key(const struct sign_public *key, const char *line) {
    char text[SIGN_PUBLIC_TEXT_SIZE];
    assert_string_equal(sign_public_text(key, text), line);
}

static struct join parse(const char *text) {
    struct err e = {0};
    struct join j;
    if (!join_parse(text, &j, &e)) fail_msg("%s: %s", text, e.text);
    assert_int_equal(j.bus_port, 7000);
    assert_key(&j.master_key, MASTER_LINE);
    assert_key(&j.release_key, RELEASE_LINE);
    assert_string_equal(j.token, TOKEN);
    return j;
}

static void a_join_string_is_taken_apart(void **state) {
    (void)state;
    struct join j = parse("grid://master.example:7443" QUERY);
    assert_string_equal(j.host, "master.example");
    assert_int_equal(j.http_port, 7443);
}

static void forms_that_people_may_paste_are_accepted(void **state) {
    (void)state;
    static const struct {
        const char *text, *host;
        int port;
    } forms[] = {
        {"grid://127.0.0.1" QUERY,                                                        "127.0.0.1", 7001},
        {"grid://[::1]:80" QUERY,                                                         "::1",       80  },
        {"grid://[fd00::2]" QUERY,                                                        "fd00::2",   7001},
        {"grid://h:1/" QUERY,                                                             "h",         1   },
        {"  grid://h:1" QUERY "\r\n",                                                     "h",         1   },
        {"grid://h:1?t=" TOKEN "&rk=" RELEASE_LINE "&mk=" MASTER_ENCODED "&bus=7000&v=1", "h",         1   },
        {"grid://h:1" QUERY "&cat=sha256%2F%2Fabc&roots=&flag",                           "h",         1   },
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct join j = parse(forms[i].text);
        assert_string_equal(j.host, forms[i].host);
        assert_int_equal(j.http_port, forms[i].port);
    }
}

static void what_is_formatted_is_parsed_again(void **state) {
    (void)state;
    static const char *const hosts[] = {"localhost", "10.0.0.1", "fd00::2", "a-b.example"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct join before = parse("grid://h" QUERY);
        OWN_TEXT struct text text = TEXT_EMPTY;
        strcpy(before.host, hosts[i]);
        before.downloads_closed = i % 2 == 1;
        join_format(&before, &text);
        assert_null(strchr(text.data, '+'));
        assert_null(strchr(text.data, ' '));
        struct join after = parse(text.data);
        assert_memory_equal(&before, &after, sizeof before);
    }
}

static void a_join_string_has_the_documented_form(void **state) {
    (void)state;
    struct join j = parse("grid://h:7001" QUERY);
    OWN_TEXT struct text text = TEXT_EMPTY;
    join_format(&j, &text);
    assert_string_equal(text.data, "grid://h:7001?v=1&bus=7000&mk=" MASTER_ENCODED
                                   "&rk=RWS%2BTG1Xa4zfxfkDBJt3XcxM76aGMHyFsTUsIVUUhJ39MUzgKOxlVvv5"
                                   "&t=" TOKEN);
}

static void closed_downloads_are_told(void **state) {
    (void)state;
    assert_false(parse("grid://h:7001" QUERY).downloads_closed);
    assert_false(parse("grid://h:7001" QUERY "&d=open").downloads_closed);
    struct join j = parse("grid://h:7001" QUERY "&d=closed");
    assert_true(j.downloads_closed);
    OWN_TEXT struct text text = TEXT_EMPTY;
    join_format(&j, &text);
    assert_non_null(strstr(text.data, "&d=closed&t="));
}

static void trust_is_told(void **state) {
    (void)state;
    struct join before = parse("grid://h:7001" QUERY);
    assert_int_equal(before.root_version, 0);
    assert_string_equal(before.root_sha256, "");
    assert_string_equal(before.ca_sha256, "");
    struct join j = parse("grid://h:7001" QUERY "&root=17." DIGEST "&ca=" DIGEST);
    assert_int_equal(j.root_version, 17);
    assert_string_equal(j.root_sha256, DIGEST);
    assert_string_equal(j.ca_sha256, DIGEST);
    OWN_TEXT struct text text = TEXT_EMPTY;
    join_format(&j, &text);
    assert_non_null(strstr(text.data, "&root=17." DIGEST "&ca=" DIGEST "&t="));
    struct join after = parse(text.data);
    assert_memory_equal(&j, &after, sizeof j);
}

static void assert_refused(const char *text, const char *words) {
    struct err e = {0};
    struct join j, nothing = {0};
    assert_false(join_parse(text, &j, &e));
    if (strstr(e.text, words) == NULL) print_error("%s: %s\n", text, e.text);
    assert_non_null(strstr(e.text, words));
    assert_int_equal(e.code, ERR_INVALID);
    assert_null(strstr(e.text, "AAAAAAAA")); /* no part of the secret */
    assert_null(strstr(e.hint, "AAAAAAAA"));
    assert_memory_equal(&j, &nothing, sizeof j);
}

static void a_missing_parameter_is_named(void **state) {
    (void)state;
    assert_refused("grid://h?bus=7000" KEYS "&t=" TOKEN, "no v=");
    assert_refused("grid://h?v=1" KEYS "&t=" TOKEN, "no bus=");
    assert_refused("grid://h?v=1&bus=7000&rk=" RELEASE_LINE "&t=" TOKEN, "no mk=");
    assert_refused("grid://h?v=1&bus=7000&mk=" MASTER_LINE "&t=" TOKEN, "no rk=");
    assert_refused("grid://h?v=1&bus=7000" KEYS, "no t=");
    assert_refused("grid://h", "no v=");
    assert_refused("grid://h?", "no v=");
}

static void wrong_values_are_named(void **state) {
    (void)state;
    assert_refused("grid://h?v=2&bus=7000" KEYS "&t=" TOKEN, "version 2");
    assert_refused("grid://h?v=1&bus=0" KEYS "&t=" TOKEN, "bus=");
    assert_refused("grid://h?v=1&bus=70000" KEYS "&t=" TOKEN, "bus=");
    assert_refused("grid://h?v=1&bus=-1" KEYS "&t=" TOKEN, "bus=");
    assert_refused("grid://h?v=1&bus=7000&mk=x&rk=" RELEASE_LINE "&t=" TOKEN, "mk=");
    assert_refused("grid://h?v=1&bus=7000&mk=" MASTER_LINE "&rk=&t=" TOKEN, "rk=");
    assert_refused("grid://h?v=1&bus=7000" KEYS "&t=", "t=");
    assert_refused("grid://h?v=1&bus=7000" KEYS "&t=gt_0123456789abcdef." SECRET, "t=");
    assert_refused("grid://h?v=1&bus=7000" KEYS "&t=" TOKEN "A", "t=");
    assert_refused("grid://h" QUERY "&bus=7000", "bus= twice");
    assert_refused("grid://h?v=1&bus=70%0" KEYS "&t=" TOKEN, "bus= is malformed");
    assert_refused("grid://h?v=1&bus=7000%00" KEYS "&t=" TOKEN, "bus= is malformed");
    assert_refused("grid://h" QUERY "&ca=sha256%2F%2Fabc", "ca=");
    assert_refused("grid://h" QUERY "&ca=", "ca=");
    assert_refused("grid://h" QUERY "&ca=" DIGEST "0", "ca=");
    assert_refused("grid://h" QUERY "&root=" DIGEST, "root=");
    assert_refused("grid://h" QUERY "&root=", "root=");
    assert_refused("grid://h" QUERY "&root=0." DIGEST, "root=");
    assert_refused("grid://h" QUERY "&root=-1." DIGEST, "root=");
    assert_refused("grid://h" QUERY "&root=9999999999999999." DIGEST, "root=");
    assert_refused("grid://h" QUERY "&root=1." DIGEST "&root=2." DIGEST, "root= twice");
    assert_refused("grid://h?v&bus=7000" KEYS "&t=" TOKEN, "v= is malformed");
}

static void what_is_no_join_string_is_refused_without_echo(void **state) {
    (void)state;
    OWN_TEXT struct text endless = TEXT_EMPTY;
    text_add(&endless, "grid://h" QUERY "&x=");
    for (int i = 0; i < 5000; i++) text_add(&endless, "x");
    assert_refused("", "grid://");
    assert_refused(TOKEN, "grid://");
    assert_refused("http://h" QUERY, "grid://");
    assert_refused("grid://" QUERY, "host");
    assert_refused("grid://:7001" QUERY, "host");
    assert_refused("grid://7001" QUERY, "host");
    assert_refused("grid://h:0" QUERY, "host");
    assert_refused("grid://" TOKEN, "no v="); /* it might be a host name */
    assert_refused("grid://user@h" QUERY, "host");
    assert_refused("grid://h/path" QUERY, "host");
    assert_refused(endless.data, "too long");
}

static void addresses_are_taken_apart(void **state) {
    (void)state;
    static const struct {
        const char *text, *host;
        int port;
    } rows[] = {
        {"localhost:7000",    "localhost",       7000 },
        {"localhost",         "localhost",       5    },
        {"7000",              "",                7000 },
        {":7000",             "",                7000 },
        {":0",                "",                0    },
        {"0.0.0.0:0",         "0.0.0.0",         0    },
        {"10.1.2.3",          "10.1.2.3",        5    },
        {"[::1]:65535",       "::1",             65535},
        {"[::]",              "::",              5    },
        {"::1",               "::1",             5    },
        {"fd00::2",           "fd00::2",         5    },
        {"a-b.c_d.example:1", "a-b.c_d.example", 1    },
        {"9lives:1",          "9lives",          1    },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err e = {0};
        char host[JOIN_HOST_SIZE];
        int port = -1;
        if (!join_parse_address(rows[i].text, 5, host, &port, &e)) fail_msg("%s", e.text);
        assert_string_equal(host, rows[i].host);
        assert_int_equal(port, rows[i].port);
    }
}

static void malformed_addresses_are_refused(void **state) {
    (void)state;
    char longest[600];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    const char *wrong[] = {"",          "host:",       "host:65536", "65536", "host:-1",
                           "host:+1",   "host: 1",     "host:1x",    "a b:1", "[::1",
                           "[::1]x",    "[::1]:",      "[host]:1",   "[]:1",  "::g",
                           "1:2:3",     "256.1.1.1",   "1.2.3:1",    "-a:1",  ".a:1",
                           "a/b:1",     "host:123456", longest,      "a;b:1", "[1.2.3.4]",
                           "user@host", ":",           "*:1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct err e = {0};
        char host[JOIN_HOST_SIZE];
        int port;
        if (join_parse_address(wrong[i], 5, host, &port, &e)) fail_msg("%s was taken", wrong[i]);
        assert_int_equal(e.code, ERR_INVALID);
        assert_string_not_equal(e.hint, "");
        assert_string_equal(host, "");
    }
}

static void loopback_is_told_from_the_rest(void **state) {
    (void)state;
    static const char *const inside[] = {"localhost",   "LOCALHOST", "127.0.0.1",
                                         "127.255.0.9", "::1",       "0:0:0:0:0:0:0:1"};
    static const char *const outside[] = {"",
                                          "0.0.0.0",
                                          "::",
                                          "128.0.0.1",
                                          "10.0.0.1",
                                          "example.org",
                                          "127.1",
                                          "localhost.example",
                                          "127.0.0.1.example",
                                          "::2",
                                          "[::1]",
                                          "127.0.0.1:80"};
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++)
        assert_true(join_is_loopback(inside[i]));
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++)
        assert_false(join_is_loopback(outside[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_join_string_is_taken_apart),
        cmocka_unit_test(forms_that_people_may_paste_are_accepted),
        cmocka_unit_test(what_is_formatted_is_parsed_again),
        cmocka_unit_test(a_join_string_has_the_documented_form),
        cmocka_unit_test(closed_downloads_are_told),
        cmocka_unit_test(trust_is_told),
        cmocka_unit_test(a_missing_parameter_is_named),
        cmocka_unit_test(wrong_values_are_named),
        cmocka_unit_test(what_is_no_join_string_is_refused_without_echo),
        cmocka_unit_test(addresses_are_taken_apart),
        cmocka_unit_test(malformed_addresses_are_refused),
        cmocka_unit_test(loopback_is_told_from_the_rest),
    };
    sign_setup();
    return cmocka_run_group_tests_name("lib/join", tests, NULL, NULL);
}
