#include "lib/log_recent.h"

#include "lib/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct text out;

static const char *recent(size_t max_bytes) {
    text_clear(&out);
    text_add(&out, "");
    log_recent(max_bytes, &out);
    return out.data;
}

static int forget(void **state) {
    (void)state;
    log_recent_keep(0);
    text_fini(&out);
    return 0;
}

static void add(const char *line) {
    log_recent_add(line, strlen(line));
}

static void nothing_is_kept_unless_asked_for(void **state) {
    (void)state;
    add("line\n");
    assert_string_equal(recent(100), "");
}

static void the_last_whole_lines_come_out(void **state) {
    (void)state;
    log_recent_keep(16);
    add("one\n");
    add("two\n");
    assert_string_equal(recent(100), "one\ntwo\n");
    assert_string_equal(recent(6), "two\n");
    assert_string_equal(recent(4), "");
    add("three\n");
    add("four\n");
    assert_string_equal(recent(100), "two\nthree\nfour\n");
    assert_string_equal(recent(14), "three\nfour\n");
}

static void a_line_longer_than_everything_kept_is_not_shown_in_half(void **state) {
    (void)state;
    log_recent_keep(8);
    add("0123456789abcdef\n");
    assert_string_equal(recent(100), "");
    add("x\n");
    assert_string_equal(recent(100), "x\n");
}

static void what_is_logged_is_kept(void **state) {
    (void)state;
    log_recent_keep(1000);
    log_info("test.event", "answer=%d", 42);
    assert_non_null(strstr(recent(1000), "test.event answer=42\n"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nothing_is_kept_unless_asked_for, forget),
        cmocka_unit_test_teardown(the_last_whole_lines_come_out, forget),
        cmocka_unit_test_teardown(a_line_longer_than_everything_kept_is_not_shown_in_half, forget),
        cmocka_unit_test_teardown(what_is_logged_is_kept, forget),
    };
    return cmocka_run_group_tests_name("log_recent", tests, NULL, NULL);
}
