#include "cli/api.h"

#include "tests/unit/cli/cmocka_headers.h"

#include <string.h>

static void ids_are_encoded_and_node_ids_get_a_tilde(void **state) {
    (void)state;
    static const struct {
        const char *id, *path;
    } cases[] = {
        {"agent-1",                          "/x/agent-1"                           },
        {"agent-1/0",                        "/x/agent-1~0"                         },
        {"a b?c#d%",                         "/x/a%20b%3Fc%23d%25"                  },
        {"../../etc",                        "/x/..%2F..~etc"                       },
        {"storage-server-1.0.0+b-linux-any", "/x/storage-server-1.0.0%2Bb-linux-any"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        OWN_TEXT struct text path = TEXT_EMPTY;
        text_add(&path, "/x");
        api_path_add(&path, cases[i].id);
        assert_string_equal(path.data, cases[i].path);
    }
}

static void queries_are_joined_and_encoded(void **state) {
    (void)state;
    OWN_TEXT struct text path = TEXT_EMPTY;
    text_add(&path, "/api/events");
    api_query_add(&path, "kind", NULL);
    api_query_add(&path, "kind", "");
    api_query_add_int(&path, "since", 0);
    api_query_add(&path, "subject", "a&b=c");
    assert_string_equal(path.data, "/api/events?since=0&subject=a%26b%3Dc");
}

static void lists_pass_filters_sort_and_limit_on(void **state) {
    (void)state;
    OWN_TEXT struct text path = TEXT_EMPTY;
    struct err e = {0};
    struct settings s = {.filters = "status=up\nlabel=rack=b,!old", .sort = "-version", .limit = 5};
    text_add(&path, "/api/agents");
    assert_true(api_query_list(&path, &s, &e));
    assert_string_equal(path.data,
                        "/api/agents?status=up&label=rack%3Db%2C%21old&sort=-version&limit=5");
}

static void a_plain_list_asks_for_all(void **state) {
    (void)state;
    OWN_TEXT struct text path = TEXT_EMPTY;
    struct err e = {0};
    struct settings s = {0};
    text_add(&path, "/api/agents");
    assert_true(api_query_list(&path, &s, &e));
    assert_string_equal(path.data, "/api/agents");
}

static void refuses_filters_that_are_none(void **state) {
    (void)state;
    static char *const filters[] = {"up", "=up", "status="};
    for (size_t i = 0; i < COUNT(filters); i++) {
        OWN_TEXT struct text path = TEXT_EMPTY;
        struct err e = {0};
        struct settings s = {.filters = filters[i]};
        assert_false(api_query_list(&path, &s, &e));
        assert_int_equal(e.code, ERR_USAGE);
        assert_non_null(strstr(e.text, filters[i]));
    }
    OWN_TEXT struct text path = TEXT_EMPTY;
    struct err e = {0};
    struct settings s = {.limit = -1};
    assert_false(api_query_list(&path, &s, &e));
}

static void a_master_that_is_not_there_is_named(void **state) {
    (void)state;
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    struct err e = {0};
    struct settings s = {.url = "http://127.0.0.1:1", .state = "/"};
    struct api api = {.settings = &s};
    assert_false(api_get(&api, "/api/summary", &answer, &e));
    assert_int_equal(e.code, ERR_UNREACHABLE);
    assert_int_equal(err_exit_code(e.code), 6);
    assert_non_null(strstr(e.text, "no master answers at http://127.0.0.1:1"));
    assert_non_null(strstr(e.hint, "--url"));
    api_fini(&api);
}

static int setup(void **state) {
    (void)state;
    http_client_setup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_encoded_and_node_ids_get_a_tilde),
        cmocka_unit_test(queries_are_joined_and_encoded),
        cmocka_unit_test(lists_pass_filters_sort_and_limit_on),
        cmocka_unit_test(a_plain_list_asks_for_all),
        cmocka_unit_test(refuses_filters_that_are_none),
        cmocka_unit_test(a_master_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
