#include "cli/progress.h"

#include "tests/unit/cli/cmocka_headers.h"

#include <string.h>

static void shows_label_bar_share_rate_and_time_left(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct output_style style = {.width = 100};
    progress_line("file", 1200000, 2000000, 400000, &style, &out);
    assert_string_equal(
        out.data, "file  ############........   60 %  1.2 MB of 2.0 MB  400.0 kB/s  2 s left");
}

static void says_nothing_about_an_unknown_total(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct output_style style = {.width = 100};
    progress_line("backup", 1200000, 0, 0, &style, &out);
    assert_string_equal(out.data, "backup  1.2 MB");
}

static void never_claims_more_than_all(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct output_style style = {.width = 100};
    progress_line("f", 30, 20, 0, &style, &out);
    assert_non_null(strstr(out.data, "100 %"));
}

static void fits_the_terminal(void **state) {
    (void)state;
    for (int width = 40; width < 130; width++) {
        OWN_TEXT struct text out = TEXT_EMPTY;
        struct output_style style = {.width = width, .utf8 = true};
        progress_line("storage-server-1.0.0-linux-x86_64", 999, 100000, 1, &style, &out);
        assert_true(output_columns(out.data) < width || width < 50);
        assert_non_null(strstr(out.data, "0 %"));
    }
}

static void is_silent_without_a_terminal(void **state) {
    (void)state;
    struct progress p;
    struct output_style none = {0};
    progress_begin(&p, "x", &none);
    assert_false(p.visible);
    assert_true(progress_step(&p, 1, 2));
    progress_end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_label_bar_share_rate_and_time_left),
        cmocka_unit_test(says_nothing_about_an_unknown_total),
        cmocka_unit_test(never_claims_more_than_all),
        cmocka_unit_test(fits_the_terminal),
        cmocka_unit_test(is_silent_without_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
