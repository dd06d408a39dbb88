#include "tests/unit/lib/options_fixture.h"

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
        WITH_FILE(help_shows_values_in_force_and_every_name),
        cmocka_unit_test(the_closest_word_is_near_enough_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
