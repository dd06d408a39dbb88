#include "tests/unit/lib/options_fixture.h"

static void the_file_takes_comments_quotes_and_spaces(void **state) {
    (void)state;
    write_file("\xEF\xBB\xBF# a comment\r\n; another\n\n  [agent]   # the agent\r\n"
               "state = \"a # b\"   # quoted\n"
               "   nodes=4;\n"
               "\tinterval\t=  5m\t; five\n"
               "labels = rack=b, role=edge # two\n"
               "[storage] ; nodes\n"
               "binary_path = 'C:\\x \"y\" \\' ;'#\n"
               "url = http://[::1]:7001/#top\n"
               "[agent]\n"
               "insecure: on");
    struct err e = {0};
    struct settings s;
    assert_false(parse("", &s, NULL, 0, &e)); /* "4;" has no space before the ';' */
    assert_non_null(strstr(e.text, ":6: nodes: \"4;\" is not a whole number"));
    write_file("\xEF\xBB\xBF# a comment\r\n; another\n\n  [agent]   # the agent\r\n"
               "state = \"a # b\"   # quoted\n"
               "   nodes=4\n"
               "\tinterval\t=  5m\t; five\n"
               "labels = rack=b, role=edge # two\n"
               "[storage] ; nodes\n"
               "binary_path = 'C:\\x \"y\" \\' ;'#\n"
               "url = http://[::1]:7001/#top\n"
               "[agent]\n"
               "insecure: on");
    s = accept("");
    assert_string_equal(s.state, "a # b");
    assert_int_equal(s.nodes, 4);
    assert_int_equal(s.interval_ms, 300000);
    assert_string_equal(s.labels, "rack=b, role=edge");
    assert_string_equal(s.binary_path, "C:\\x \"y\" ' ;");
    assert_string_equal(s.url, "http://[::1]:7001/#top");
    assert_true(s.insecure);
    options_clear(&options, &s);
    write_file(
        "[agent]\nstate = \"\\\"a\\\\b\\n\"\n[storage]\nurl = # nothing\nbinary_path = \"\"\n");
    s = accept("");
    assert_string_equal(s.state, "\"a\\b\\n");
    assert_string_equal(s.url, "");
    options_clear(&options, &s);
}

static void long_values_are_taken_whole(void **state) {
    (void)state;
    char words[700];
    char path[501];
    memset(path, 'p', 500);
    path[500] = '\0';
    snprintf(words, sizeof words, "[storage]\nbinary_path = %s\n[agent]\nnodes = 2\n", path);
    write_file(words);
    struct settings s = accept("");
    assert_string_equal(s.binary_path, path);
    assert_int_equal(s.nodes, 2);
    options_clear(&options, &s);
}

static void wrong_files_are_refused_with_file_and_line(void **state) {
    (void)state;
    static const struct {
        const char *words;
        int line;
        const char *text;
        const char *hint;
    } rows[] = {
        {"[agent]\n\nnods = 1\n",               3, "unknown key nods in [agent]",             "did you mean nodes?"  },
        {"[agent]\nwhatever = 1\n",             2, "unknown key whatever in [agent]",         ""                     },
        {"[agent]\nNodes = 1\n",                2, "unknown key Nodes in [agent]",            "did you mean nodes?"  },
        {"[agent]\nbinary_path = x\n",          2, "unknown key binary_path in [agent]",
         "binary_path belongs in [storage]"                                                                          },
        {"[agnet]\nnodes = 1\n",                2, "unknown section [agnet]",                 "did you mean [agent]?"},
        {"[zzzzzzzzz]\nnodes = 1\n",            2, "unknown section [zzzzzzzzz]",             ""                     },
        {"nodes = 1\n",                         1, "a key stands before the first [section]", ""                     },
        {"[agent]\nnodes\n",                    2, "neither a [section] nor key = value",     ""                     },
        {"[agent]\nnods = 1\nsate = 2\n",       2, "unknown key nods in [agent]",             "did you mean nodes?"  },
        {"[agent]\nnodes\nnods = 3\n",          2, "neither a [section] nor key = value",     ""                     },
        {"[agent\nnodes = 1\n",                 1, "neither a [section] nor key = value",     ""                     },
        {"[agent] nodes = 1\n",                 1, "something follows the section's ']'",     ""                     },
        {"[agent]\nnodes = 1\nnodes = 2\n",     3, "nodes is set twice",                      ""                     },
        {"[agent]\nstate = a\n  and more\n",    3, "neither a [section] nor key = value",     ""                     },
        {"[agent]\nstate = \"a\n",              2, "a quote is not closed",                   ""                     },
        {"[agent]\nstate = \"a\\\"\n",          2, "a quote is not closed",                   ""                     },
        {"[agent]\nstate = \"a\" b\n",          2, "something follows the closing quote",     ""                     },
        {"[agent]\nnodes =\n",                  2, "nodes: \"\" is not a whole number",       ""                     },
        {"[agent]\nnodes = two # three\n",      2, "nodes: \"two\" is not a whole number",    ""                     },
        {"[agent]\nstate = 1234567890123456\n", 2, "state: longer than 15 bytes",             ""                     },
        {"[agent]\nstate = \xFF\n",             2, "not UTF-8",                               ""                     },
        {"[agent]\nstate = a\x01\n",            2, "holds a control character",               ""                     },
        {"[agent]\nstate = a\x7F\n",            2, "holds a control character",               ""                     },
        {"[agent]\nlabels = a=b\nnodes = x\n",  3, "nodes: \"x\" is not a whole number",      ""                     },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        refuse_file(rows[i].words, rows[i].line, rows[i].text, rows[i].hint);
}

static void hostile_files_do_no_harm(void **state) {
    (void)state;
    struct settings s;
    struct err e = {0};
    write_bytes("[agent]\nstate = a\0b\n", 20);
    assert_false(parse("", &s, NULL, 0, &e));
    assert_non_null(strstr(e.text, ":2: holds a control character"));
    char words[5000];
    memset(words, 'k', sizeof words);
    write_bytes(words, sizeof words);
    assert_false(parse("", &s, NULL, 0, &e));
    assert_non_null(strstr(e.text, ":1: longer than "));
    memcpy(words, "[agent]\n", 8);
    memcpy(words + sizeof words - 3, " = ", 3);
    write_bytes(words, sizeof words);
    assert_false(parse("", &s, NULL, 0, &e));
    assert_non_null(strstr(e.text, ":2: longer than "));
    memset(words, '[', sizeof words);
    write_bytes(words, sizeof words);
    assert_false(parse("", &s, NULL, 0, &e));
    write_bytes("", 0);
    assert_true(parse("", &s, NULL, 0, &e));
    options_clear(&options, &s);
}

static void a_file_that_was_named_must_be_there(void **state) {
    (void)state;
    struct settings s;
    struct err e = {0};
    assert_false(parse("--config /nonexistent/x", &s, NULL, 0, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "configuration /nonexistent/x: "));
    assert_false(parse("-c /tmp", &s, NULL, 0, &e));
    assert_non_null(strstr(e.text, "configuration /tmp: "));
    setenv("TEST_CONFIG", "/nonexistent/y", 1);
    assert_false(parse("", &s, NULL, 0, &e));
    assert_non_null(strstr(e.text, "configuration /nonexistent/y: "));
    write_file("[agent]\nnodes = 5\n");
    setenv("TEST_CONFIG", "/nonexistent/y", 1);
    char line[100];
    snprintf(line, sizeof line, "--config %s", config_file);
    s = accept(line);
    assert_int_equal(s.nodes, 5);
    options_clear(&options, &s);
    s = accept("--config="); /* none at all */
    assert_int_equal(s.nodes, 1);
    options_clear(&options, &s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FILE(the_file_takes_comments_quotes_and_spaces),
        WITH_FILE(long_values_are_taken_whole),
        WITH_FILE(wrong_files_are_refused_with_file_and_line),
        WITH_FILE(hostile_files_do_no_harm),
        WITH_FILE(a_file_that_was_named_must_be_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
