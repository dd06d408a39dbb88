#include "cli/output.h"

#include "tests/unit/cli/cmocka_headers.h"

#include <locale.h>
#include <string.h>

static const struct output_style plain = {.utf8 = true};
static const struct output_style coloured = {.utf8 = true, .colour = true};

static const struct output_column columns[] = {
    {"ID",     0           },
    {"STATE",  COLUMN_STATE},
    {"SIZE",   COLUMN_RIGHT},
    {"HOST",   COLUMN_WIDE },
    {"REASON", COLUMN_FLEX },
};

static void fill(struct output_table *t) {
    output_cell(t, "a-1");
    output_cell(t, "up");
    output_cell(t, "7 B");
    output_cell(t, "host-1");
    output_cell(t, NULL);
    output_cell(t, "agent-2");
    output_cell(t, "lost");
    output_cell_format(t, "%d MB", 12);
    output_cell(t, "host-2");
    output_cell(t, "no word from it since 60 s");
}

static void aligns_columns_without_trailing_spaces(void **state) {
    (void)state;
    OWN_TABLE struct output_table t = OUTPUT_TABLE_OF(columns);
    OWN_TEXT struct text out = TEXT_EMPTY;
    fill(&t);
    output_table(&t, false, &plain, &out);
    assert_string_equal(out.data, "ID       STATE   SIZE  REASON\n"
                                  "a-1      up       7 B  -\n"
                                  "agent-2  lost   12 MB  no word from it since 60 s\n");
}

static void wide_shows_every_column(void **state) {
    (void)state;
    OWN_TABLE struct output_table t = OUTPUT_TABLE_OF(columns);
    OWN_TEXT struct text out = TEXT_EMPTY;
    fill(&t);
    output_table(&t, true, &plain, &out);
    assert_non_null(strstr(out.data, "HOST"));
    assert_non_null(strstr(out.data, "host-2"));
}

static void cuts_the_flexible_column_to_the_terminal(void **state) {
    (void)state;
    OWN_TABLE struct output_table t = OUTPUT_TABLE_OF(columns);
    OWN_TEXT struct text out = TEXT_EMPTY, wide = TEXT_EMPTY;
    struct output_style narrow = {.utf8 = true, .width = 40};
    fill(&t);
    output_table(&t, false, &narrow, &out);
    assert_non_null(strstr(out.data, "agent-2  lost   12 MB  no word from it \xe2\x80\xa6\n"));
    for (char *line = strtok(out.data, "\n"); line != NULL; line = strtok(NULL, "\n"))
        assert_true(output_columns(line) <= 40);
    output_table(&t, true, &narrow, &wide);
    assert_non_null(strstr(wide.data, "since 60 s"));
}

static void keeps_a_readable_minimum_on_tiny_terminals(void **state) {
    (void)state;
    OWN_TABLE struct output_table t = OUTPUT_TABLE_OF(columns);
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct output_style tiny = {.width = 10};
    fill(&t);
    output_table(&t, false, &tiny, &out);
    assert_non_null(strstr(out.data, "no word fro~\n"));
}

static void counts_columns_not_bytes(void **state) {
    (void)state;
    OWN_TABLE struct output_table t = OUTPUT_TABLE_OF(columns);
    OWN_TEXT struct text out = TEXT_EMPTY;
    setlocale(LC_CTYPE, "C.UTF-8");
    static const char *const cells[] = {
        "gr\xc3\xbc\xc3\x9f", "up", "1", "", "x", "abcd", "up", "1", "", "y"};
    for (size_t i = 0; i < COUNT(cells); i++) output_cell(&t, cells[i]);
    output_table(&t, false, &plain, &out);
    assert_string_equal(out.data, "ID    STATE  SIZE  REASON\n"
                                  "gr\xc3\xbc\xc3\x9f  up        1  x\n"
                                  "abcd  up        1  y\n");
    assert_int_equal(output_columns("\xe6\x97\xa5\xe6\x9c\xac"),
                     4); /* two characters of double width */
}

static void colours_states_only_where_colour_is_wanted(void **state) {
    (void)state;
    OWN_TABLE struct output_table t = OUTPUT_TABLE_OF(columns);
    OWN_TEXT struct text out = TEXT_EMPTY, without = TEXT_EMPTY;
    fill(&t);
    output_table(&t, false, &coloured, &out);
    assert_non_null(strstr(out.data, "\033[32mup\033[0m"));
    assert_non_null(strstr(out.data, "\033[31mlost\033[0m"));
    output_table(&t, false, &plain, &without);
    assert_null(strchr(without.data, '\033'));
}

static void words_of_others_cannot_act_on_the_terminal(void **state) {
    (void)state;
    static const struct {
        const char *given, *shown;
    } cases[] = {
        {"a\033[2Jb",                "a\xef\xbf\xbd[2Jb"           },
        {"a\rb\nc\td",               "a\xef\xbf\xbd"
                       "b c d"               },
        {"\xc2\x9b"
         "31m",             "\xef\xbf\xbd"
         "31m"                             }, /* C1 control */
        {"x\xe2\x80\xaeyz",          "x\xef\xbf\xbdyz"             }, /* right-to-left override */
        {"x\xe2\x81\xa6y",           "x\xef\xbf\xbdy"              }, /* isolate */
        {"bad\xff\xc3(",             "bad\xef\xbf\xbd\xef\xbf\xbd("},
        {"\xc3\xa9\xf0\x9f\x98\x80", "\xc3\xa9\xf0\x9f\x98\x80"    },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        OWN_TEXT struct text out = TEXT_EMPTY;
        output_clean(cases[i].given, false, &plain, &out);
        assert_string_equal(out.data, cases[i].shown);
    }
    OWN_TEXT struct text lines = TEXT_EMPTY;
    output_clean("a\nb\033", true, &plain, &lines);
    assert_string_equal(lines.data, "a\nb\xef\xbf\xbd");
}

static void a_table_cell_is_made_harmless(void **state) {
    (void)state;
    static const struct output_column one[] = {
        {"X", 0},
    };
    OWN_TABLE struct output_table t = OUTPUT_TABLE_OF(one);
    OWN_TEXT struct text out = TEXT_EMPTY;
    output_cell(&t, "evil\033]0;title\007\nnext");
    output_table(&t, false, &coloured, &out);
    assert_null(strchr(out.data, '\033'));
    assert_null(strchr(out.data, '\007'));
    assert_non_null(strstr(out.data, " next\n"));
}

static void fields_align_and_skip_what_is_not_there(void **state) {
    (void)state;
    OWN_TABLE struct output_table t = OUTPUT_FIELDS;
    OWN_TEXT struct text out = TEXT_EMPTY;
    output_field(&t, "Agent", "a-1");
    output_field(&t, "Reason", "");
    output_field(&t, "Labels", NULL);
    output_field_format(&t, "Machine", "%s/%s", "linux", "arm");
    output_fields(&t, &plain, &out);
    assert_string_equal(out.data, "Agent    a-1\nMachine  linux/arm\n");
}

static void bars_fill_in_proportion(void **state) {
    (void)state;
    static const struct {
        int64_t done, total;
        const char *shown;
    } cases[] = {
        {0,  10, "....."},
        {1,  10, "....."},
        {2,  10, "#...."},
        {9,  10, "####."},
        {10, 10, "#####"},
        {11, 10, "#####"},
        {1,  0,  "....."},
    };
    static const struct output_style ascii = {0};
    for (size_t i = 0; i < COUNT(cases); i++) {
        OWN_TEXT struct text out = TEXT_EMPTY;
        output_bar(cases[i].done, cases[i].total, 5, &ascii, &out);
        assert_string_equal(out.data, cases[i].shown);
    }
    OWN_TEXT struct text utf8 = TEXT_EMPTY;
    output_bar(1, 2, 2, &plain, &utf8);
    assert_string_equal(utf8.data, "\xe2\x96\x88\xe2\x96\x91");
}

static void takes_only_its_formats(void **state) {
    (void)state;
    enum output_format format;
    struct err e = {0};
    assert_true(output_format_parse("wide", &format, &e));
    assert_int_equal(format, OUTPUT_WIDE);
    assert_false(output_format_parse("yaml", &format, &e));
    assert_int_equal(e.code, ERR_USAGE);
    assert_non_null(strstr(e.text, "table, wide, json or name"));
}

static void indents_json_and_refuses_other_things(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY, bad = TEXT_EMPTY;
    struct err e = {0};
    assert_true(output_json("[{\"a\":1}]", 9, &out, &e));
    assert_non_null(strstr(out.data, "\"a\": 1"));
    assert_int_equal(out.data[out.length - 1], '\n');
    assert_false(output_json("<html>", 6, &bad, &e));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aligns_columns_without_trailing_spaces),
        cmocka_unit_test(wide_shows_every_column),
        cmocka_unit_test(cuts_the_flexible_column_to_the_terminal),
        cmocka_unit_test(keeps_a_readable_minimum_on_tiny_terminals),
        cmocka_unit_test(counts_columns_not_bytes),
        cmocka_unit_test(colours_states_only_where_colour_is_wanted),
        cmocka_unit_test(words_of_others_cannot_act_on_the_terminal),
        cmocka_unit_test(a_table_cell_is_made_harmless),
        cmocka_unit_test(fields_align_and_skip_what_is_not_there),
        cmocka_unit_test(bars_fill_in_proportion),
        cmocka_unit_test(takes_only_its_formats),
        cmocka_unit_test(indents_json_and_refuses_other_things),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
