#include "cli/discover.h"

#include "tests/unit/cli/cmocka_headers.h"
#include "tests/unit/lib/temporary.h"

#include <stdlib.h>
#include <string.h>

static void urls_are_completed_and_trimmed(void **state) {
    (void)state;
    static const struct {
        const char *given, *url;
    } cases[] = {
        {"http://127.0.0.1:7001",      "http://127.0.0.1:7001"    },
        {"http://host:7001///",        "http://host:7001"         },
        {"localhost:7001",             "http://localhost:7001"    },
        {"https://grid.example/base/", "https://grid.example/base"},
        {"http://[::1]:7001",          "http://[::1]:7001"        },
    };
    char url[SETTINGS_URL_SIZE];
    struct err e = {0};
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(discover_url(cases[i].given, url, &e));
        assert_string_equal(url, cases[i].url);
    }
}

static void refuses_urls_that_no_master_has(void **state) {
    (void)state;
    static const char *const bad[] = {"ftp://host",         "http://",        "http:///x",
                                      "http://host/?a=b",   "http://host#x",  "http://a b",
                                      "file:///etc/passwd", "http://host\\x", "http://h\r\nX: y"};
    char url[SETTINGS_URL_SIZE];
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err e = {0};
        assert_false(discover_url(bad[i], url, &e));
        assert_int_equal(e.code, ERR_USAGE);
    }
}

static void a_password_in_a_url_is_refused_and_not_repeated(void **state) {
    (void)state;
    char url[SETTINGS_URL_SIZE];
    struct err e = {0};
    assert_false(discover_url("http://user:hunter2@host:7001", url, &e));
    assert_null(strstr(e.text, "hunter2"));
    assert_non_null(strstr(e.hint, "GRID_TOKEN"));
    assert_true(discover_url("http://host/a@b", url, &e));
}

static void knows_this_machine(void **state) {
    (void)state;
    assert_true(discover_is_local("http://127.0.0.1:7001"));
    assert_true(discover_is_local("http://127.9.9.9"));
    assert_true(discover_is_local("https://localhost/x"));
    assert_true(discover_is_local("http://[::1]:7001"));
    assert_true(discover_is_local("grid://127.0.0.1:7001?v=1"));
    assert_false(discover_is_local("http://10.0.0.1:7001"));
    assert_false(discover_is_local("http://localhost.example:7001"));
    assert_false(discover_is_local("http://[::2]:7001"));
}

static void tokens_are_trimmed_and_checked(void **state) {
    (void)state;
    char token[DISCOVER_TOKEN_SIZE];
    struct err e = {0};
    assert_true(discover_token_text(" gt_a.b\r\n", token, &e));
    assert_string_equal(token, "gt_a.b");
    assert_false(discover_token_text(" \n", token, &e));
    assert_false(discover_token_text("gt_a\nX-Evil: 1", token, &e));
    assert_null(strstr(e.text, "gt_a"));
}

static void put(const char *path, const char *words) {
    struct err e = {0};
    if (!file_write_durable(path, words, strlen(words), 0600, &e)) fail_msg("%s", e.text);
}

static struct settings fresh(void) {
    struct settings s = {0};
    struct err e = {0};
    unsetenv("GRID_TOKEN");
    setenv("XDG_CONFIG_HOME", TEMPORARY("config"), 1);
    snprintf(s.state, sizeof s.state, "%s", TEMPORARY("state"));
    assert_true(file_make_directory(TEMPORARY("config/grid"), 0700, &e));
    assert_true(file_make_directory(TEMPORARY("state"), 0700, &e));
    return s;
}

static void the_same_port_on_this_machine_is_the_same_place(void **state) {
    (void)state;
    (void)fresh();
    put(TEMPORARY("state/url"), "https://127.0.0.1:4711\n");
    assert_true(discover_same_place(TEMPORARY("state"), "https://127.0.0.1:4711"));
    assert_true(discover_same_place(TEMPORARY("state"), "https://localhost:4711"));
    assert_false(discover_same_place(TEMPORARY("state"), "https://localhost:4712"));
    assert_false(discover_same_place(TEMPORARY("state"), "https://203.0.113.9:4711"));
    assert_false(discover_same_place(TEMPORARY("state"), "https://grid.example:4711"));
    assert_false(discover_same_place(TEMPORARY("config/grid"), "https://127.0.0.1:4711"));
}

static void without_anything_the_local_master_is_meant(void **state) {
    (void)state;
    struct settings s = fresh();
    struct discovery d;
    struct err e = {0};
    assert_true(discover(&s, &d, &e));
    assert_string_equal(d.url, "http://127.0.0.1:7001");
    assert_string_equal(d.url_from, "default");
    assert_string_equal(d.token, "");
}

static void a_local_state_directory_gives_url_and_token(void **state) {
    (void)state;
    struct settings s = fresh();
    struct discovery d;
    struct err e = {0};
    put(TEMPORARY("state/url"), "http://127.0.0.1:4711\n");
    put(TEMPORARY("state/admin.token"), "gt_1.local\n");
    assert_true(discover(&s, &d, &e));
    assert_string_equal(d.url, "http://127.0.0.1:4711");
    assert_string_equal(d.token, "gt_1.local");
    assert_string_equal(d.token_from, TEMPORARY("state/admin.token"));
}

static void the_local_admin_token_is_not_shown_to_strangers(void **state) {
    (void)state;
    struct settings s = fresh();
    struct discovery d;
    struct err e = {0};
    put(TEMPORARY("state/url"), "http://127.0.0.1:4711\n");
    put(TEMPORARY("state/admin.token"), "gt_1.local\n");
    snprintf(s.url, sizeof s.url, "http://grid.example:7001");
    assert_true(discover(&s, &d, &e));
    assert_string_equal(d.token, "");
    snprintf(s.url, sizeof s.url, "http://localhost:4711");
    assert_true(discover(&s, &d, &e));
    assert_string_equal(d.token, "gt_1.local");
}

static void a_kept_login_counts_for_its_master_only(void **state) {
    (void)state;
    struct settings s = fresh();
    struct discovery d;
    struct err e = {0};
    put(TEMPORARY("config/grid/url"), "http://grid.example:7001\n");
    put(TEMPORARY("config/grid/token"), "gt_2.kept\n");
    assert_true(discover(&s, &d, &e));
    assert_string_equal(d.url, "http://grid.example:7001");
    assert_string_equal(d.token, "gt_2.kept");
    snprintf(s.url, sizeof s.url, "http://other.example:7001");
    assert_true(discover(&s, &d, &e));
    assert_string_equal(d.token, "");
    snprintf(s.url, sizeof s.url, "http://127.0.0.1:7001");
    assert_true(discover(&s, &d, &e));
    assert_string_equal(d.token, "");
}

static void what_is_said_beats_what_is_found(void **state) {
    (void)state;
    struct settings s = fresh();
    struct discovery d;
    struct err e = {0};
    put(TEMPORARY("state/admin.token"), "gt_1.local\n");
    put(TEMPORARY("mine"), "gt_3.file\n");
    setenv("GRID_TOKEN", "gt_4.environment", 1);
    assert_true(discover(&s, &d, &e));
    assert_string_equal(d.token, "gt_4.environment");
    snprintf(s.token_file, sizeof s.token_file, "%s", TEMPORARY("mine"));
    assert_true(discover(&s, &d, &e));
    assert_string_equal(d.token, "gt_3.file");
    unsetenv("GRID_TOKEN");
}

static void a_named_token_file_must_be_there(void **state) {
    (void)state;
    struct settings s = fresh();
    struct discovery d;
    struct err e = {0};
    snprintf(s.token_file, sizeof s.token_file, "%s", TEMPORARY("none"));
    assert_false(discover(&s, &d, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "token file"));
}

static void a_named_state_directory_must_be_there_when_it_is_needed(void **state) {
    (void)state;
    struct settings s = fresh();
    struct discovery d;
    struct err e = {0};
    snprintf(s.state, sizeof s.state, "%s", TEMPORARY("mistyped"));
    assert_false(discover(&s, &d, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "mistyped"));
    snprintf(s.url, sizeof s.url, "http://127.0.0.1:7001");
    assert_false(discover(&s, &d, &e));
    setenv("GRID_TOKEN", "gt_4.environment", 1);
    assert_true(discover(&s, &d, &e));
    unsetenv("GRID_TOKEN");
}

static void a_state_that_is_meant_as_a_filter_is_not_passed_over(void **state) {
    (void)state;
    struct settings s = fresh();
    struct discovery d;
    struct err e = {0};
    setenv("GRID_TOKEN", "gt_4.environment", 1);
    snprintf(s.url, sizeof s.url, "http://127.0.0.1:7001");
    snprintf(s.state, sizeof s.state, "await_promote");
    assert_false(discover(&s, &d, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_non_null(strstr(e.hint, "--filter state=await_promote"));
    setenv("GRID_STATE", s.state, 1);
    assert_true(discover(&s, &d, &e));
    unsetenv("GRID_STATE");
    unsetenv("GRID_TOKEN");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_completed_and_trimmed),
        cmocka_unit_test(refuses_urls_that_no_master_has),
        cmocka_unit_test(a_password_in_a_url_is_refused_and_not_repeated),
        cmocka_unit_test(knows_this_machine),
        cmocka_unit_test(tokens_are_trimmed_and_checked),
        IN_TEMPORARY(the_same_port_on_this_machine_is_the_same_place),
        IN_TEMPORARY(without_anything_the_local_master_is_meant),
        IN_TEMPORARY(a_local_state_directory_gives_url_and_token),
        IN_TEMPORARY(the_local_admin_token_is_not_shown_to_strangers),
        IN_TEMPORARY(a_kept_login_counts_for_its_master_only),
        IN_TEMPORARY(what_is_said_beats_what_is_found),
        IN_TEMPORARY(a_named_token_file_must_be_there),
        IN_TEMPORARY(a_named_state_directory_must_be_there_when_it_is_needed),
        IN_TEMPORARY(a_state_that_is_meant_as_a_filter_is_not_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
