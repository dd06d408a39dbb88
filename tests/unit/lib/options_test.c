#include "lib/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct settings {
    char config[256];
    char state[16];
    int64_t nodes;
    bool insecure;
    bool downloads;
    int64_t interval_ms;
    char *labels;
    bool help;
    char token[16];
    char binary_path[512];
    char url[64];
};

#define FIELD(name) OPTION(struct settings, name)

static const struct option_entry entries[] = {
    {
     .flag = "config",
     .letter = 'c',
     .environment = {"TEST_CONFIG"},
     .type = OPTION_STRING,
     .initial = "/nonexistent/agent.conf",
     .value_name = "FILE",
     .help = "read settings from FILE",
     FIELD(config),
     },
    {
     .flag = "state",
     .letter = 's',
     .environment = {"TEST_STATE", "TEST_STATE_OLD"},
     .key = "agent.state",
     .type = OPTION_STRING,
     .initial = "./state",
     .value_name = "DIR",
     .help = "keep state in DIR",
     FIELD(state),
     },
    {
     .flag = "nodes",
     .environment = {"TEST_NODES"},
     .key = "agent.nodes",
     .type = OPTION_INT,
     .initial = "1",
     .value_name = "N",
     .help = "run N nodes",
     FIELD(nodes),
     },
    {
     .flag = "insecure",
     .letter = 'i',
     .environment = {"TEST_INSECURE"},
     .key = "agent.insecure",
     .type = OPTION_BOOL,
     .help = "do without TLS",
     FIELD(insecure),
     },
    {
     .flag = "public-downloads",
     .type = OPTION_BOOL,
     .initial = "on",
     .help = "let anybody download",
     FIELD(downloads),
     },
    {
     .flag = "interval",
     .key = "agent.interval",
     .type = OPTION_DURATION,
     .initial = "90s",
     .value_name = "TIME",
     .help = "report every TIME",
     FIELD(interval_ms),
     },
    {
     .flag = "label",
     .letter = 'l',
     .environment = {"TEST_LABELS"},
     .key = "agent.labels",
     .type = OPTION_LIST,
     .initial = "os=linux",
     .value_name = "K=V",
     .help = "label this machine",
     FIELD(labels),
     },
    {
     .flag = "help",
     .letter = 'h',
     .type = OPTION_BOOL,
     .help = "show this help",
     FIELD(help),
     },
    {
     .environment = {"TEST_TOKEN"},
     .type = OPTION_STRING,
     .help = "secret",
     FIELD(token),
     },
    {
     .key = "storage.binary_path",
     .type = OPTION_STRING,
     .help = "file to run",
     FIELD(binary_path),
     },
    {
     .flag = "url",
     .key = "storage.url",
     .type = OPTION_STRING,
     .value_name = "URL",
     .help = "download from URL",
     FIELD(url),
     },
};
static const struct options options = {entries, sizeof entries / sizeof entries[0], "config"};

#define WORDS_MAX 16

/* Parses a line of words separated by single spaces. */
static bool parse(const char *line, struct settings *s, char *rest_words, size_t size,
                  struct err *e) {
    char words[512];
    char *argv[WORDS_MAX + 1] = {(char[]){"program"}};
    int argc = 1;
    int rest = 0;
    snprintf(words, sizeof words, "%s", line);
    for (char *next = words, *word = NULL; (word = strsep(&next, " ")) != NULL;)
        if (*word != '\0' && argc < WORDS_MAX) argv[argc++] = word;
    bool parsed = options_parse(&options, argc, argv, s, &rest, e);
    if (rest_words == NULL) return parsed;
    rest_words[0] = '\0';
    for (int i = rest; parsed && i < argc; i++)
        snprintf(rest_words + strlen(rest_words), size - strlen(rest_words), "%s%s",
                 i > rest ? " " : "", argv[i]);
    return parsed;
}

static struct settings accept(const char *line) {
    struct settings s;
    struct err e = {0};
    memset(&s, 0xA5, sizeof s); /* nothing of what was there before may matter */
    if (!parse(line, &s, NULL, 0, &e)) fail_msg("%s: %s", line, e.text);
    return s;
}

static void refuse(const char *line, const char *text, const char *hint) {
    struct settings s;
    struct err e = {0};
    memset(&s, 0xA5, sizeof s);
    if (parse(line, &s, NULL, 0, &e)) fail_msg("%s was accepted", line);
    assert_string_equal(e.text, text);
    assert_string_equal(e.hint, hint);
    assert_int_equal(e.code, ERR_USAGE);
    assert_null(s.labels);
}

/* A configuration file that lives as long as one test. */
static char config_file[64];

static int make_file(void **state) {
    (void)state;
    strcpy(config_file, "/tmp/grid-options-test.XXXXXX");
    int fd = mkstemp(config_file);
    if (fd >= 0) close(fd);
    return fd >= 0 ? 0 : -1;
}

static int remove_file(void **state) {
    (void)state;
    unsetenv("TEST_CONFIG");
    unsetenv("TEST_STATE");
    unsetenv("TEST_STATE_OLD");
    unsetenv("TEST_NODES");
    unsetenv("TEST_INSECURE");
    unsetenv("TEST_LABELS");
    unsetenv("TEST_TOKEN");
    return unlink(config_file);
}

static void write_bytes(const char *bytes, size_t length) {
    FILE *f = fopen(config_file, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, length, f), length);
    assert_int_equal(fclose(f), 0);
    setenv("TEST_CONFIG", config_file, 1);
}

static void write_file(const char *words) {
    write_bytes(words, strlen(words));
}

static void refuse_file(const char *words, int line, const char *text, const char *hint) {
    char expected[300];
    write_file(words);
    snprintf(expected, sizeof expected, "%s:%d: %s", config_file, line, text);
    refuse("", expected, hint);
}

static void defaults_hold_when_nothing_is_said(void **state) {
    (void)state;
    struct settings s = accept("");
    assert_string_equal(s.state, "./state");
    assert_int_equal(s.nodes, 1);
    assert_false(s.insecure);
    assert_true(s.downloads);
    assert_int_equal(s.interval_ms, 90000);
    assert_string_equal(s.labels, "os=linux");
    assert_string_equal(s.token, "");
    assert_false(s.help);
    options_clear(&options, &s);
    assert_null(s.labels);
}

static void flags_are_read_in_every_spelling(void **state) {
    (void)state;
    struct settings s = accept("-i --state=a --nodes 7 --interval 250ms --no-public-downloads -h");
    assert_true(s.insecure);
    assert_string_equal(s.state, "a");
    assert_int_equal(s.nodes, 7);
    assert_int_equal(s.interval_ms, 250);
    assert_false(s.downloads);
    assert_true(s.help);
    options_clear(&options, &s);

    s = accept("-ihsb --insecure=off --public-downloads=No --nodes=-3 --state c");
    assert_false(s.insecure);
    assert_false(s.downloads);
    assert_int_equal(s.nodes, -3);
    assert_string_equal(s.state, "c"); /* the last one counts */
    options_clear(&options, &s);

    s = accept("--insecure --no-insecure --no-public-downloads --public-downloads=1");
    assert_false(s.insecure);
    assert_true(s.downloads);
    options_clear(&options, &s);
}

static void what_is_not_a_flag_is_left_in_order(void **state) {
    (void)state;
    struct settings s;
    struct err e = {0};
    char rest[100];
    assert_true(parse("agent --nodes 2 list -- --state x", &s, rest, sizeof rest, &e));
    assert_string_equal(rest, "agent list --state x");
    assert_int_equal(s.nodes, 2);
    options_clear(&options, &s);
}

static void a_second_line_is_parsed_afresh(void **state) {
    (void)state;
    struct settings s = accept("-is a x y z");
    options_clear(&options, &s);
    refuse("-i --bogus", "unknown option --bogus", "");
    s = accept("a b c d -i --nodes 3");
    assert_true(s.insecure);
    assert_int_equal(s.nodes, 3);
    assert_string_equal(s.state, "./state");
    options_clear(&options, &s);
}

static void wrong_lines_are_refused(void **state) {
    (void)state;
    static const char *const rows[][3] = {
        {"--sate x",                     "unknown option --sate",                                           "did you mean --state?"      },
        {"--sate=geheim",                "unknown option --sate",                                           "did you mean --state?"      },
        {"x --zzzzzzzz y",               "unknown option --zzzzzzzz",                                       ""                           },
        {"--no-insecur3",                "unknown option --no-insecur3",                                    "did you mean --no-insecure?"},
        {"--no-nodes",                   "unknown option --no-nodes",                                       "did you mean --nodes?"      },
        {"--in",                         "option --in is ambiguous: --insecure, --interval",                ""                           },
        {"-x",                           "unknown option -x",                                               ""                           },
        {"-ix",                          "unknown option -x",                                               ""                           },
        {"--state",                      "option --state needs a value: DIR",                               ""                           },
        {"-is",                          "option --state needs a value: DIR",                               ""                           },
        {"--no-insecure=1",              "option --no-insecure takes no value",                             ""                           },
        {"--insecure=maybe",             "--insecure: \"maybe\" is neither on nor off",                     ""                           },
        {"--nodes 3x",                   "--nodes: \"3x\" is not a whole number",                           ""                           },
        {"--nodes=",                     "--nodes: \"\" is not a whole number",                             ""                           },
        {"--nodes 1.5",                  "--nodes: \"1.5\" is not a whole number",                          ""                           },
        {"--nodes +1",                   "--nodes: \"+1\" is not a whole number",                           ""                           },
        {"--nodes 9223372036854775808",  "--nodes: \"9223372036854775808\" is not a whole number",
         ""                                                                                                                              },
        {"--interval 5x",                "--interval: \"5x\" is not a duration like 30s, 5m, 2h or 250ms",  ""                           },
        {"--interval -5s",               "--interval: \"-5s\" is not a duration like 30s, 5m, 2h or 250ms", ""                           },
        {"--state 1234567890123456",     "--state: longer than 15 bytes",                                   ""                           },
        {"-l a=b --label c=d --nodes x", "--nodes: \"x\" is not a whole number",                            ""                           },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        refuse(rows[i][0], rows[i][1], rows[i][2]);
}

static void flag_beats_environment_beats_file_beats_default(void **state) {
    (void)state;
    write_file("[agent]\nstate = file\nnodes = 2\ninterval = 2s\n");
    setenv("TEST_STATE", "environ", 1);
    setenv("TEST_NODES", "3", 1);
    struct settings s = accept("--state flag");
    assert_string_equal(s.state, "flag");
    assert_int_equal(s.nodes, 3);
    assert_int_equal(s.interval_ms, 2000);
    assert_true(s.downloads);
    assert_string_equal(s.config, config_file);
    options_clear(&options, &s);
}

static void environment_names_have_an_order_and_empty_means_unset(void **state) {
    (void)state;
    setenv("TEST_STATE_OLD", "old", 1);
    struct settings s = accept("");
    assert_string_equal(s.state, "old");
    options_clear(&options, &s);
    setenv("TEST_STATE", "new", 1);
    s = accept("");
    assert_string_equal(s.state, "new");
    options_clear(&options, &s);
    setenv("TEST_STATE", "", 1);
    setenv("TEST_NODES", "", 1);
    setenv("TEST_TOKEN", "gt_secret", 1);
    setenv("TEST_INSECURE", "yes", 1);
    s = accept("");
    assert_string_equal(s.state, "old");
    assert_int_equal(s.nodes, 1);
    assert_string_equal(s.token, "gt_secret");
    assert_true(s.insecure);
    options_clear(&options, &s);
    setenv("TEST_NODES", "many", 1);
    refuse("", "TEST_NODES: \"many\" is not a whole number", "");
    setenv("TEST_NODES", "", 1);
    setenv("TEST_TOKEN", "a secret that is too long", 1);
    refuse("", "TEST_TOKEN: longer than 15 bytes", "");
}

static void lists_are_replaced_as_a_whole(void **state) {
    (void)state;
    write_file("[agent]\nlabels = a=1, b=2\nlabels = \"c=3\"\n");
    struct settings s = accept("");
    assert_string_equal(s.labels, "a=1, b=2\nc=3");
    options_clear(&options, &s);
    setenv("TEST_LABELS", "e=5", 1);
    s = accept("");
    assert_string_equal(s.labels, "e=5");
    options_clear(&options, &s);
    s = accept("-l f=6 --label g=7");
    assert_string_equal(s.labels, "f=6\ng=7");
    options_clear(&options, &s);
    unsetenv("TEST_LABELS");
    write_file("[agent]\nlabels =\n");
    s = accept("");
    assert_null(s.labels);
    options_clear(&options, &s);
}

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

static void help_shows_values_in_force_and_every_name(void **state) {
    (void)state;
    setenv("TEST_TOKEN", "geheim", 1);
    setenv("TEST_NODES", "3", 1);
    struct settings s = accept("-l a=b -l c=d --interval 1500ms --config=");
    OWN_TEXT struct text help = TEXT_EMPTY;
    options_help(&options, &s, &help);
    assert_string_equal(
        text_value(&help),
        "  -c, --config FILE        read settings from FILE (env TEST_CONFIG)\n"
        "  -s, --state DIR          keep state in DIR (now ./state; env TEST_STATE or "
        "TEST_STATE_OLD; key agent.state)\n"
        "  --nodes N                run N nodes (now 3; env TEST_NODES; key agent.nodes)\n"
        "  -i, --[no-]insecure      do without TLS (now off; env TEST_INSECURE; key "
        "agent.insecure)\n"
        "  --[no-]public-downloads  let anybody download (now on)\n"
        "  --interval TIME          report every TIME (now 1500ms; key agent.interval)\n"
        "  -l, --label K=V          label this machine (now a=b, c=d; env TEST_LABELS; key "
        "agent.labels)\n"
        "  -h, --help               show this help\n"
        "  --url URL                download from URL (key storage.url)\n");
    options_clear(&options, &s);
    static const struct {
        const char *line;
        const char *shown;
    } rows[] = {
        {"--interval 0",   "now 0s;" },
        {"--interval 90s", "now 90s;"},
        {"--interval 120", "now 2m;" },
        {"--interval 48h", "now 2d;" },
        {"--interval 36h", "now 36h;"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s = accept(rows[i].line);
        text_clear(&help);
        options_help(&options, &s, &help);
        assert_non_null(strstr(help.data, rows[i].shown));
        options_clear(&options, &s);
    }
}

static void the_closest_word_is_near_enough_or_none(void **state) {
    (void)state;
    static const char *const words[] = {"agent", "node", "binary", "channel", "status", "rm"};
    static const char *const rows[][2] = {
        {"agnet",   "agent"  },
        {"agents",  "agent"  },
        {"nodes",   "node"   },
        {"bianry",  "binary" },
        {"chanel",  "channel"},
        {"stats",   "status" },
        {"mr",      "rm"     },
        {"status",  "status" },
        {"rollout", NULL     },
        {"",        NULL     },
        {"x",       NULL     },
        {"zz",      NULL     },
        {"Status",  "status" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *closest = options_closest(rows[i][0], words, 6);
        if (rows[i][1] == NULL)
            assert_null(closest);
        else if (closest == NULL)
            fail_msg("nothing is close to %s", rows[i][0]);
        else
            assert_string_equal(closest, rows[i][1]);
    }
    char longest[200];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_null(options_closest(longest, words, 6));
    assert_null(options_closest("agent", (const char *const[]){longest}, 1));
    assert_null(options_closest("agent", words, 0));
}

#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, make_file, remove_file)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FILE(defaults_hold_when_nothing_is_said),
        WITH_FILE(flags_are_read_in_every_spelling),
        WITH_FILE(what_is_not_a_flag_is_left_in_order),
        WITH_FILE(a_second_line_is_parsed_afresh),
        WITH_FILE(wrong_lines_are_refused),
        WITH_FILE(flag_beats_environment_beats_file_beats_default),
        WITH_FILE(environment_names_have_an_order_and_empty_means_unset),
        WITH_FILE(lists_are_replaced_as_a_whole),
        WITH_FILE(the_file_takes_comments_quotes_and_spaces),
        WITH_FILE(long_values_are_taken_whole),
        WITH_FILE(wrong_files_are_refused_with_file_and_line),
        WITH_FILE(hostile_files_do_no_harm),
        WITH_FILE(a_file_that_was_named_must_be_there),
        WITH_FILE(help_shows_values_in_force_and_every_name),
        cmocka_unit_test(the_closest_word_is_near_enough_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
