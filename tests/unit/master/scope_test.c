/* Scopes by their words alone. */
#include "master/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void scope_is_kept_in_its_canonical_form(void **state) {
    (void)state;
    char out[SCOPE_SIZE];
    struct err e = {0};
    assert_true(scope_parse(" rack = b , !old,tier!=hot ", out, &e));
    assert_string_equal(out, "rack=b,!old,tier!=hot");
    assert_true(scope_parse("", out, &e));
    assert_string_equal(out, "");
}

static void what_is_no_selector_is_no_scope(void **state) {
    (void)state;
    static const char *const wrong[] = {"=b", ",", "a=b,,c", "rack=b c", "a'b"};
    char out[SCOPE_SIZE], letters[SCOPE_SIZE + 64];
    struct err e = {0};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (scope_parse(wrong[i], out, &e)) fail_msg("\"%s\" was taken", wrong[i]);
    letters[0] = '\0';
    while (strlen(letters) < SCOPE_SIZE) strcat(letters, letters[0] != '\0' ? ",label" : "label");
    assert_false(scope_parse(letters, out, &e));
    assert_int_equal(e.code, ERR_INVALID);
}

static void narrower_scopes_hold_every_term_of_the_wider(void **state) {
    (void)state;
    static const struct {
        const char *outer, *inner;
        bool covers;
    } cases[] = {
        {"",                "",                    true },
        {"",                "rack=b",              true },
        {"rack=b",          "",                    false},
        {"rack=b",          "rack=b",              true },
        {"rack=b",          " tier=hot, rack = b", true },
        {"rack=b,tier=hot", "rack=b",              false},
        {"rack=b",          "rack=bb",             false},
        {"rack=b",          "rack",                false},
        {"rack",            "rack=b",              false}, /* true of machines, but not by its words */
        {"rack!=b",         "rack=c",              false},
        {"!old",            "!old,rack=b",         true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (scope_covers(cases[i].outer, cases[i].inner) != cases[i].covers)
            fail_msg("\"%s\" and \"%s\"", cases[i].outer, cases[i].inner);
}

static void both_selectors_count_and_no_term_twice(void **state) {
    (void)state;
    static const struct {
        const char *scope, *selector, *both;
    } cases[] = {
        {"rack=b", "",                "rack=b"         },
        {"rack=b", "rack=a",          "rack=b,rack=a"  },
        {"rack=b", "tier=hot,rack=b", "rack=b,tier=hot"},
        {"",       "tier = hot",      "tier=hot"       },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        OWN_TEXT struct text out = TEXT_EMPTY;
        scope_and(cases[i].scope, cases[i].selector, &out);
        assert_string_equal(text_value(&out), cases[i].both);
    }
}

static void events_of_machines_are_for_those_who_see_the_machine(void **state) {
    (void)state;
    assert_true(scope_shows_event("agent.up", true));
    assert_true(scope_shows_event("rollout.agent.failed", true));
    assert_false(scope_shows_event("agent.up", false));
    assert_false(scope_shows_event("node.exited", false));
    assert_true(scope_shows_event("binary.published", false));
    assert_false(scope_shows_event("token.created", true)); /* an agent may have a token's name */
    assert_false(scope_shows_event("rollout.started", false));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scope_is_kept_in_its_canonical_form),
        cmocka_unit_test(what_is_no_selector_is_no_scope),
        cmocka_unit_test(narrower_scopes_hold_every_term_of_the_wider),
        cmocka_unit_test(both_selectors_count_and_no_term_twice),
        cmocka_unit_test(events_of_machines_are_for_those_who_see_the_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
