/* gridctl: finds the command, parses its options, runs it, and turns its outcome into words and an
 * exit code. */
#include "cli/api.h"
#include "cli/invocation.h"
#include "cli/terminal.h"
#include "lib/secret.h"
#include "lib/sign.h"

#include <stdio.h>
#include <string.h>

#define EXIT_USAGE 2

static int fail(const struct err *e, const struct command *c) {
    invocation_report(e, c);
    return err_exit_code(e->code);
}

static int emit(const struct text *words) {
    struct err e = {0};
    return output_emit(words, &e) ? 0 : fail(&e, NULL);
}

/* The line without the command's own words. */
static char **without_words(int *argc, char **argv, const int words[3], bool verb) {
    char **left = memory_zeroed((size_t)*argc + 1, sizeof *left);
    int count = 0;
    for (int i = 0; i < *argc; i++)
        if (i == 0 || (i != words[0] && !(verb && i == words[1]))) left[count++] = argv[i];
    *argc = count;
    return left;
}

static bool check_format(const struct command *c, enum output_format format, struct err *e) {
    static const unsigned flags[] = {COMMAND_TEXT, COMMAND_WIDE, COMMAND_JSON, COMMAND_NAMES};
    static const char *const names[] = {"table", "wide", "json", "name"};
    if (c->formats & flags[format]) return true;
    OWN_TEXT struct text name = TEXT_EMPTY;
    command_name(c, &name);
    return err_set(e, ERR_USAGE, "%s has no -o %s", text_value(&name), names[format]);
}

static int run(const struct command *c, const struct settings *settings, char **arguments,
               int count) {
    struct err e = {0};
    struct api api = {.settings = settings};
    struct invocation call = {.command = c,
                              .settings = settings,
                              .arguments = arguments,
                              .argument_count = count,
                              .api = &api};
    terminal_style(STDOUT_FILENO, &call.style);
    terminal_style(STDERR_FILENO, &call.stderr_style);
    bool done = output_format_parse(settings->output, &call.format, &e) &&
                check_format(c, call.format, &e) && c->run(&call, &e);
    api_fini(&api);
    return done ? call.exit_code : fail(&e, c);
}

static int help(const struct command *c, const struct settings *settings) {
    OWN_TEXT struct text page = TEXT_EMPTY;
    command_help(&command_table, c, settings, &page);
    return emit(&page);
}

static int run_command(const struct command *c, int argc, char **argv, const int words[3]) {
    struct err e = {0};
    struct settings settings = {0};
    int first = 0;
    OWN_MEMORY char **line = without_words(&argc, argv, words, c->verb != NULL);
    if (!command_parse(&command_table, c, argc, line, &settings, &first, &e)) return fail(&e, c);
    int code = settings.help ? help(c, &settings) : run(c, &settings, line + first, argc - first);
    command_clear(&command_table, c, &settings);
    return code;
}

/* Options without a command: --help and --version, or somebody forgot the rest. */
static int run_bare(int argc, char **argv) {
    struct err e = {0};
    struct settings settings = {0};
    OWN_TEXT struct text out = TEXT_EMPTY;
    int first = 0;
    if (!command_parse(&command_table, NULL, argc, argv, &settings, &first, &e))
        return fail(&e, NULL);
    bool version = settings.version, wanted = settings.help || argc == 1;
    command_clear(&command_table, NULL, &settings);
    if (version) {
        text_add(&out, "gridctl " GRID_VERSION "\n");
        return emit(&out);
    }
    command_help_all(&command_table, &out);
    if (wanted) return emit(&out);
    fputs(text_value(&out), stderr);
    return EXIT_USAGE;
}

static bool help_wanted(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
    return false;
}

/* "gridctl agent --help", "gridctl help", "gridctl help agent [list]". */
static int run_help(const char *noun, const char *verb) {
    struct err e = {0};
    const struct command *c = NULL;
    OWN_TEXT struct text page = TEXT_EMPTY;
    struct settings settings = {0};
    char *line[] = {"gridctl", NULL};
    int first = 0;
    if (noun == NULL) {
        command_help_all(&command_table, &page);
    } else if (verb == NULL && command_is_group(&command_table, noun)) {
        command_help_noun(&command_table, noun, &page);
    } else {
        if (!command_find(&command_table, noun, verb, &c, &e)) return fail(&e, NULL);
        settings.help = true; /* no arguments are missed */
        if (!command_parse(&command_table, c, 1, line, &settings, &first, &e) &&
            e.code != ERR_USAGE)
            return fail(&e, c);
        command_help(&command_table, c, &settings, &page);
        command_clear(&command_table, c, &settings);
    }
    return emit(&page);
}

int main(int argc, char **argv) {
    struct err e = {0};
    const struct command *c = NULL;
    int words[3];
    terminal_setup();
    http_client_setup();
    secret_bar_dumps();
    sign_setup();
    command_words(&command_table, argc, argv, words);
    const char *noun = words[0] > 0 ? argv[words[0]] : NULL,
               *verb = words[1] > 0 ? argv[words[1]] : NULL;
    if (noun == NULL) return run_bare(argc, argv);
    if (strcmp(noun, "help") == 0) return run_help(verb, words[2] > 0 ? argv[words[2]] : NULL);
    if (verb == NULL && help_wanted(argc, argv) && command_is_group(&command_table, noun))
        return run_help(noun, NULL);
    if (!command_find(&command_table, noun, verb, &c, &e)) return fail(&e, NULL);
    return run_command(c, argc, argv, words);
}
