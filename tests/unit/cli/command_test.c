#include "cli/command.h"

#include "tests/unit/cli/cmocka_headers.h"

#include <limits.h>
#include <string.h>

static void finds_words_among_options(void **state) {
    (void)state;
    int words[3];
    char *plain[] = {"gridctl", "agent", "list", NULL};
    command_words(&command_table, 3, plain, words);
    assert_int_equal(words[0], 1);
    assert_int_equal(words[1], 2);
    char *mixed[] = {"gridctl", "-o", "json", "--url", "http://x", "agent", "--yes", "list", NULL};
    command_words(&command_table, 8, mixed, words);
    assert_int_equal(words[0], 5);
    assert_int_equal(words[1], 7);
    char *joined[] = {"gridctl", "--output=json", "-ojson", "status", NULL};
    command_words(&command_table, 4, joined, words);
    assert_int_equal(words[0], 3);
    assert_int_equal(words[1], 0);
    char *none[] = {"gridctl", "--help", NULL};
    command_words(&command_table, 2, none, words);
    assert_int_equal(words[0], 0);
}

static void stops_looking_for_words_behind_two_dashes(void **state) {
    (void)state;
    int words[3];
    char *line[] = {"gridctl", "status", "--", "list", NULL};
    command_words(&command_table, 4, line, words);
    assert_int_equal(words[0], 1);
    assert_int_equal(words[1], 0);
}

static void reads_arity_off_the_arguments(void **state) {
    (void)state;
    static const struct {
        const char *arguments;
        int minimum, maximum;
    } cases[] = {
        {"",               0, 0      },
        {"ID",             1, 1      },
        {"ID...",          1, INT_MAX},
        {"[FILE]",         0, 1      },
        {"NAME VERSION",   2, 2      },
        {"ID [CHANGE...]", 1, INT_MAX},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int minimum, maximum;
        command_arity(cases[i].arguments, &minimum, &maximum);
        assert_int_equal(minimum, cases[i].minimum);
        assert_int_equal(maximum, cases[i].maximum);
    }
}

static void finds_every_command_of_the_table(void **state) {
    (void)state;
    for (size_t i = 0; i < command_table.count; i++) {
        const struct command *c = NULL;
        struct err e = {0};
        assert_true(command_find(&command_table, command_table.commands[i].noun,
                                 command_table.commands[i].verb, &c, &e));
        assert_ptr_equal(c, &command_table.commands[i]);
    }
}

static void takes_further_words_of_a_lone_noun_for_arguments(void **state) {
    (void)state;
    const struct command *c = NULL;
    struct err e = {0};
    assert_true(command_find(&command_table, "api", "GET", &c, &e));
    assert_string_equal(c->noun, "api");
}

static void suggests_what_was_meant(void **state) {
    (void)state;
    static const struct {
        const char *noun, *verb, *hint;
    } cases[] = {
        {"agnet",    "list",     "did you mean \"gridctl agent\"?"         },
        {"agents",   NULL,       "did you mean \"gridctl agent\"?"         },
        {"statsu",   NULL,       "did you mean \"gridctl status\"?"        },
        {"agent",    "lsit",     "did you mean \"gridctl agent list\"?"    },
        {"agent",    "delete",   "did you mean \"gridctl agent rm\"?"      },
        {"binary",   "upload",   "did you mean \"gridctl binary push\"?"   },
        {"node",     "ls",       "did you mean \"gridctl node list\"?"     },
        {"list",     "agent",    "did you mean \"gridctl agent list\"?"    },
        {"qqqqqqqq", NULL,       "gridctl --help lists all commands"       },
        {"agent",    NULL,       "gridctl agent --help says what each does"},
        {"event",    "qqqqqqqq", "gridctl event --help says what each does"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct command *c = NULL;
        struct err e = {0};
        assert_false(command_find(&command_table, cases[i].noun, cases[i].verb, &c, &e));
        assert_int_equal(e.code, ERR_USAGE);
        assert_string_equal(e.hint, cases[i].hint);
        assert_non_null(
            strstr(e.text, cases[i].verb != NULL && command_is_group(&command_table, cases[i].noun)
                               ? cases[i].verb
                               : cases[i].noun));
    }
}

static const struct command *command_of(const char *noun, const char *verb) {
    const struct command *c = NULL;
    struct err e = {0};
    assert_true(command_find(&command_table, noun, verb, &c, &e));
    return c;
}

static bool parse(const struct command *c, char **line, struct settings *s, int *first,
                  struct err *e) {
    int count = 0;
    while (line[count] != NULL) count++;
    return command_parse(&command_table, c, count, line, s, first, e);
}

static void every_command_parses_with_the_fewest_arguments(void **state) {
    (void)state;
    for (size_t i = 0; i < command_table.count; i++) {
        const struct command *c = &command_table.commands[i];
        char *line[8] = {"gridctl"};
        int minimum, maximum, first = 0;
        struct settings s = {0};
        struct err e = {0};
        command_arity(c->arguments, &minimum, &maximum);
        assert_true(minimum < 6);
        for (int n = 0; n < minimum; n++) line[1 + n] = "word";
        if (!parse(c, line, &s, &first, &e))
            fail_msg("%s %s: %s", c->noun, c->verb ? c->verb : "", e.text);
        assert_int_equal(first, 1);
        assert_string_equal(s.output, "table");
        assert_false(s.yes);
        assert_false(s.dry_run);
        command_clear(&command_table, c, &s);
        if (minimum == 0) continue;
        char *too_short[] = {"gridctl", NULL};
        assert_false(parse(c, too_short, &s, &first, &e));
        assert_int_equal(e.code, ERR_USAGE);
        assert_non_null(strstr(e.text, c->arguments));
    }
}

static void every_command_takes_help_without_arguments(void **state) {
    (void)state;
    for (size_t i = 0; i < command_table.count; i++) {
        char *line[] = {"gridctl", "--help", NULL};
        struct settings s = {0};
        struct err e = {0};
        int first = 0;
        OWN_TEXT struct text page = TEXT_EMPTY;
        assert_true(parse(&command_table.commands[i], line, &s, &first, &e));
        assert_true(s.help);
        command_help(&command_table, &command_table.commands[i], &s, &page);
        assert_non_null(strstr(page.data, command_table.commands[i].summary));
        assert_non_null(strstr(page.data, "--timeout"));
        command_clear(&command_table, &command_table.commands[i], &s);
    }
}

static void every_command_refuses_unknown_options(void **state) {
    (void)state;
    for (size_t i = 0; i < command_table.count; i++) {
        char *line[] = {"gridctl", "--no-such-thing", "a", "b", NULL};
        struct settings s = {0};
        struct err e = {0};
        int first = 0;
        assert_false(parse(&command_table.commands[i], line, &s, &first, &e));
        assert_int_equal(e.code, ERR_USAGE);
    }
}

static void refuses_arguments_too_many(void **state) {
    (void)state;
    char *line[] = {"gridctl", "agent-1", "agent-2", NULL};
    struct settings s = {0};
    struct err e = {0};
    int first = 0;
    assert_false(parse(command_of("agent", "show"), line, &s, &first, &e));
    assert_string_equal(e.text, "agent show takes only ID, but \"agent-2\" was given too");
    assert_false(parse(command_of("status", NULL), line, &s, &first, &e));
    assert_string_equal(e.text, "status takes no arguments, but \"agent-1\" was given");
    assert_true(parse(command_of("agent", "drain"), line, &s, &first, &e));
}

static void reads_options_of_a_push(void **state) {
    (void)state;
    char *line[] = {"gridctl", "file",      "--version", "1.2.3", "--platform=linux",
                    "--arch",  "amd64",     "--key",     "k",     "--notes",
                    "a b",     "--dry-run", "--timeout", "2m",    NULL};
    struct settings s = {0};
    struct err e = {0};
    int first = 0;
    assert_true(parse(command_of("binary", "push"), line, &s, &first, &e));
    assert_string_equal(line[first], "file");
    assert_string_equal(s.artifact_version, "1.2.3");
    assert_string_equal(s.platform, "linux");
    assert_string_equal(s.arch, "amd64");
    assert_string_equal(s.keys, "k");
    assert_string_equal(s.notes, "a b");
    assert_true(s.dry_run);
    assert_int_equal(s.timeout_ms, 120000);
    command_clear(&command_table, command_of("binary", "push"), &s);
}

static void collects_filters(void **state) {
    (void)state;
    char *line[] = {"gridctl", "--filter", "status=up", "--filter", "label=rack=b",
                    "--limit", "3",        "--sort",    "-version", NULL};
    struct settings s = {0};
    struct err e = {0};
    int first = 0;
    assert_true(parse(command_of("agent", "list"), line, &s, &first, &e));
    assert_string_equal(s.filters, "status=up\nlabel=rack=b");
    assert_int_equal(s.limit, 3);
    assert_string_equal(s.sort, "-version");
    command_clear(&command_table, command_of("agent", "list"), &s);
    assert_null(s.filters);
}

static void join_command_makes_join_tokens(void **state) {
    (void)state;
    char *line[] = {"gridctl", "--uses", "3", "--label", "rack=b", NULL};
    struct settings s = {0};
    struct err e = {0};
    int first = 0;
    assert_true(parse(command_of("agent", "join-command"), line, &s, &first, &e));
    assert_string_equal(s.kind, "join");
    assert_int_equal(s.uses, 3);
    assert_int_equal(s.expires_ms, 3600000);
    assert_string_equal(s.labels, "rack=b");
    command_clear(&command_table, command_of("agent", "join-command"), &s);
}

static void no_option_takes_a_secret(void **state) {
    (void)state;
    for (size_t i = 0; i < command_table.count; i++)
        for (size_t n = 0; n < command_table.commands[i].option_count; n++) {
            const char *flag = command_table.commands[i].options[n].flag;
            if (flag == NULL) continue;
            assert_string_not_equal(flag, "token");
            assert_string_not_equal(flag, "password");
            assert_string_not_equal(flag, "secret");
        }
}

static void rows_are_complete_and_distinct(void **state) {
    (void)state;
    for (size_t i = 0; i < command_table.count; i++) {
        const struct command *c = &command_table.commands[i];
        assert_non_null(c->run);
        assert_non_null(c->arguments);
        assert_true(c->formats & COMMAND_TEXT);
        assert_int_not_equal(c->summary[strlen(c->summary) - 1], '.');
        for (size_t n = 0; n < i; n++) {
            const struct command *other = &command_table.commands[n];
            if (strcmp(c->noun, other->noun) != 0) continue;
            assert_non_null(c->verb);
            assert_string_not_equal(c->verb, other->verb);
            assert_string_equal(command_table.commands[i - 1].noun,
                                c->noun); /* a noun's rows are together */
        }
    }
}

static void help_names_every_command(void **state) {
    (void)state;
    OWN_TEXT struct text page = TEXT_EMPTY, group = TEXT_EMPTY;
    command_help_all(&command_table, &page);
    for (size_t i = 0; i < command_table.count; i++) {
        OWN_TEXT struct text name = TEXT_EMPTY;
        command_name(&command_table.commands[i], &name);
        assert_non_null(strstr(page.data, name.data));
    }
    command_help_noun(&command_table, "agent", &group);
    assert_non_null(strstr(group.data, "agent join-command"));
    assert_null(strstr(group.data, "node list"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_words_among_options),
        cmocka_unit_test(stops_looking_for_words_behind_two_dashes),
        cmocka_unit_test(reads_arity_off_the_arguments),
        cmocka_unit_test(finds_every_command_of_the_table),
        cmocka_unit_test(takes_further_words_of_a_lone_noun_for_arguments),
        cmocka_unit_test(suggests_what_was_meant),
        cmocka_unit_test(every_command_parses_with_the_fewest_arguments),
        cmocka_unit_test(every_command_takes_help_without_arguments),
        cmocka_unit_test(every_command_refuses_unknown_options),
        cmocka_unit_test(refuses_arguments_too_many),
        cmocka_unit_test(reads_options_of_a_push),
        cmocka_unit_test(collects_filters),
        cmocka_unit_test(join_command_makes_join_tokens),
        cmocka_unit_test(no_option_takes_a_secret),
        cmocka_unit_test(rows_are_complete_and_distinct),
        cmocka_unit_test(help_names_every_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
