#include "cli/token_request.h"

#include "tests/unit/cli/cmocka_headers.h"

#include <string.h>

static void asks_for_join_tokens_with_uses_and_labels(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct err e = {0};
    struct settings s = {
        .kind = "join", .uses = 3, .expires_ms = 3600000, .labels = "role=edge\nrack=b"};
    assert_true(token_request_json(&s, &out, &e));
    assert_string_equal(out.data, "{\"kind\":\"join\",\"expires_s\":3600,\"uses\":3,\"labels\":{"
                                  "\"rack\":\"b\",\"role\":\"edge\"}}");
}

static void asks_for_api_tokens_with_a_role(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct err e = {0};
    struct settings s = {.kind = "api", .role = "opera\"tor", .uses = 1};
    assert_true(token_request_json(&s, &out, &e));
    assert_string_equal(out.data, "{\"kind\":\"api\",\"expires_s\":0,\"role\":\"opera\\\"tor\"}");
}

static void refuse(struct settings s) {
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct err e = {0};
    assert_false(token_request_json(&s, &out, &e));
    assert_int_equal(e.code, ERR_USAGE);
}

static void refuses_what_cannot_be_meant(void **state) {
    (void)state;
    refuse((struct settings){.kind = "web", .uses = 1});
    refuse((struct settings){.kind = "join", .uses = 0, .expires_ms = 3600000});
    refuse((struct settings){.kind = "join", .uses = 1, .expires_ms = 0});
    refuse((struct settings){.kind = "join", .uses = 1, .expires_ms = 3600000, .labels = "rack"});
    refuse(
        (struct settings){.kind = "join", .uses = 1, .expires_ms = 3600000, .labels = "a=1\na=2"});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_for_join_tokens_with_uses_and_labels),
        cmocka_unit_test(asks_for_api_tokens_with_a_role),
        cmocka_unit_test(refuses_what_cannot_be_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
