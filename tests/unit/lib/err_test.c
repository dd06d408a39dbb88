#include "lib/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void set_fills_code_and_text_and_clears_the_hint(void **state) {
    (void)state;
    struct err e;
    memset(&e, 'x', sizeof e);
    assert_false(err_set(&e, ERR_CONFLICT, "agent %s is taken", "a-1"));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_string_equal(e.text, "agent a-1 is taken");
    assert_string_equal(e.hint, "");
}

static void every_setter_takes_no_err_at_all(void **state) {
    (void)state;
    assert_false(err_set(NULL, ERR_IO, "x"));
    assert_false(err_errno(NULL, EIO, "x"));
    assert_false(err_wrap(NULL, "x"));
    assert_false(err_hint(NULL, "x"));
}

static void errno_gives_code_and_words(void **state) {
    (void)state;
    static const struct {
        int number;
        enum err_code code;
    } cases[] = {
        {ENOENT,       ERR_NOT_FOUND},
        {ENOSPC,       ERR_NO_SPACE },
        {EDQUOT,       ERR_NO_SPACE },
        {EACCES,       ERR_DENIED   },
        {EPERM,        ERR_DENIED   },
        {EEXIST,       ERR_CONFLICT },
        {EIO,          ERR_IO       },
        {ENOTDIR,      ERR_IO       },
        {ENAMETOOLONG, ERR_IO       }
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err e;
        assert_false(err_errno(&e, cases[i].number, "open %s", "/x"));
        char expected[128];
        snprintf(expected, sizeof expected, "open /x: %s", strerror(cases[i].number));
        assert_string_equal(e.text, expected);
        assert_string_equal(e.hint, "");
        assert_int_equal(e.code, cases[i].code);
    }
}

static void wrap_puts_context_before_and_keeps_the_rest(void **state) {
    (void)state;
    struct err e;
    (void)err_set(&e, ERR_CORRUPT, "bad checksum");
    assert_false(err_hint(&e, "restore a %s", "backup"));
    assert_false(err_wrap(&e, "chunk %d", 7));
    assert_false(err_wrap(&e, "read"));
    assert_int_equal(e.code, ERR_CORRUPT);
    assert_string_equal(e.text, "read: chunk 7: bad checksum");
    assert_string_equal(e.hint, "restore a backup");
}

static void arguments_may_point_into_the_same_err(void **state) {
    (void)state;
    struct err e;
    (void)err_set(&e, ERR_IO, "inner");
    (void)err_hint(&e, "try %s", "again");
    (void)err_set(&e, ERR_INVALID, "outer (%s; %s)", e.text, e.hint);
    assert_string_equal(e.text, "outer (inner; try again)");
    (void)err_wrap(&e, "<%s>", e.text);
    assert_string_equal(e.text, "<outer (inner; try again)>: outer (inner; try again)");
}

static void long_text_is_cut(void **state) {
    (void)state;
    struct err e;
    (void)err_set(&e, ERR_IO, "%0*d", 254, 1);
    assert_int_equal(strlen(e.text), 254);
    (void)err_set(&e, ERR_IO, "%0*d", 255, 1);
    assert_int_equal(strlen(e.text), 255);
    (void)err_set(&e, ERR_IO, "%0*d", 1000, 1);
    assert_int_equal(strlen(e.text), 255);
    (void)err_errno(&e, ENOENT, "%0*d", 253, 1);
    assert_int_equal(strlen(e.text), 255);
    (void)err_wrap(&e, "%0*d", 255, 1);
    assert_int_equal(strlen(e.text), 255);
    (void)err_hint(&e, "%0*d", 1000, 1);
    assert_int_equal(strlen(e.hint), sizeof e.hint - 1);
}

/* Whatever the offset, a cut never leaves half a character. */
static void long_text_is_cut_between_characters(void **state) {
    (void)state;
    static const char *const characters[] = {"\u00e9", "\u20ac", "\U0001f600"};
    for (size_t c = 0; c < 3; c++) {
        size_t width = strlen(characters[c]);
        char many[400] = "";
        while (strlen(many) + width < sizeof many) strcat(many, characters[c]);
        for (int offset = 0; offset < 8; offset++) {
            struct err e;
            (void)err_set(&e, ERR_IO, "%.*s%s", offset, "12345678", many);
            size_t length = strlen(e.text);
            assert_int_equal((length - (size_t)offset) % width, 0);
            assert_true(length > 255 - width);
            (void)err_set(&e, ERR_IO, "%s", many);
            (void)err_wrap(&e, "%.*s", offset + 1, "12345678");
            assert_int_equal((strlen(e.text) - (size_t)offset - 3) % width, 0);
        }
    }
}

static void codes_have_distinct_names_that_lead_back(void **state) {
    (void)state;
    static const enum err_code codes[] = {
#define CODE(code, name, status, title, exit_code) code,
        ERR_CODES(CODE)
#undef CODE
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        assert_int_equal(err_code_by_name(err_code_name(codes[i])), codes[i]);
        assert_true(strlen(err_code_title(codes[i])) > 0);
        assert_in_range(err_http_status(codes[i]), 200, 599);
    }
    assert_int_equal(err_code_by_name("no such name"), ERR_INTERNAL);
    assert_int_equal(err_code_by_name(""), ERR_INTERNAL);
    assert_int_equal(err_code_by_name(NULL), ERR_INTERNAL);
}

static void exit_codes_are_those_scripts_rely_on(void **state) {
    (void)state;
    assert_int_equal(err_exit_code(ERR_NONE), 0);
    assert_int_equal(err_exit_code(ERR_IO), 1);
    assert_int_equal(err_exit_code(ERR_USAGE), 2);
    assert_int_equal(err_exit_code(ERR_NOT_FOUND), 3);
    assert_int_equal(err_exit_code(ERR_UNAUTHENTICATED), 4);
    assert_int_equal(err_exit_code(ERR_DENIED), 4);
    assert_int_equal(err_exit_code(ERR_CONFLICT), 5);
    assert_int_equal(err_exit_code(ERR_UNREACHABLE), 6);
    assert_int_equal(err_exit_code(ERR_TIMEOUT), 124);
    assert_int_equal(err_http_status(ERR_NO_SPACE), 507);
    assert_string_equal(err_code_name(ERR_RATE_LIMITED), "rate_limited");
    assert_string_equal(err_code_title(ERR_NOT_FOUND), "Not found");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_fills_code_and_text_and_clears_the_hint),
        cmocka_unit_test(every_setter_takes_no_err_at_all),
        cmocka_unit_test(errno_gives_code_and_words),
        cmocka_unit_test(wrap_puts_context_before_and_keeps_the_rest),
        cmocka_unit_test(arguments_may_point_into_the_same_err),
        cmocka_unit_test(long_text_is_cut),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(codes_have_distinct_names_that_lead_back),
        cmocka_unit_test(exit_codes_are_those_scripts_rely_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
