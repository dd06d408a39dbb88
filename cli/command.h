/* The command line's grammar: what commands exist, which of them a line means, what it is told in
 * answer. One table (command_table.c) yields parsing, help and "did you mean". Pure but for the
 * handlers. */
#pragma once

#include "cli/settings.h"
#include "lib/manual.h"
#include "lib/options.h"

struct invocation;
typedef bool command_handler(struct invocation *call, struct err *e);

enum command_formats {
    COMMAND_TEXT = 1,  /* -o table */
    COMMAND_WIDE = 2,  /* -o wide */
    COMMAND_JSON = 4,  /* -o json */
    COMMAND_NAMES = 8, /* -o name */
    COMMAND_LIST = COMMAND_TEXT | COMMAND_WIDE | COMMAND_JSON | COMMAND_NAMES,
    COMMAND_SHOW = COMMAND_TEXT | COMMAND_JSON | COMMAND_NAMES,
};

struct command {
    const char *noun;
    const char *verb;      /* NULL: the noun alone is the command */
    const char *arguments; /* "ID...", "NAME VERSION", "[FILE]"; "" for none */
    const char *summary;   /* one sentence without a final stop */
    const char *details;   /* more for --help; NULL for none */
    const char *example;   /* one line to copy */
    unsigned formats;
    const struct option_entry *options; /* besides the global ones */
    size_t option_count;
    command_handler *run;
};

struct command_noun {
    const char *noun;
    const char *summary; /* of all its verbs together */
};

struct command_table {
    const struct command_noun *nouns; /* those that have verbs */
    size_t noun_count;
    const struct command *commands;
    size_t count;
    const struct option_entry *global;
    size_t global_count;
    const struct option_entry *bare; /* of a line without a command: --version */
    size_t bare_count;
    const struct manual *manual;
};
extern const struct command_table command_table;

/* Indexes of the first three words of the line that are neither options nor values of global
 * options; 0 for none. */
void command_words(const struct command_table *t, int argc, char **argv, int words[3]);

/* The command that noun and verb name. ERR_USAGE says what exists and suggests what was meant; verb
 * may be NULL. */
MUST_CHECK bool command_find(const struct command_table *t, const char *noun, const char *verb,
                             const struct command **out, struct err *e);

/* Whether noun has verbs. */
bool command_is_group(const struct command_table *t, const char *noun);

/* What the verbs of noun do together; "" for a noun without verbs. */
const char *command_noun_summary(const struct command_table *t, const char *noun);

/* Parses argv (argv[0] is the program, the command's own words are gone) and checks the number of
 * arguments; *first is the index of the first one. Global options and the command's own are taken.
 * c may be NULL: only global ones. */
MUST_CHECK bool command_parse(const struct command_table *t, const struct command *c, int argc,
                              char **argv, struct settings *settings, int *first, struct err *e);
void command_clear(const struct command_table *t, const struct command *c,
                   struct settings *settings);

/* How many arguments "ID...", "NAME VERSION", "[FILE]" allow; *maximum INT_MAX for "...". */
void command_arity(const char *arguments, int *minimum, int *maximum);

/* "agent list", "status". */
void command_name(const struct command *c, struct text *out);

/* Help pages: everything, one noun, one command with the values in force. */
void command_help_all(const struct command_table *t, struct text *out);
void command_help_noun(const struct command_table *t, const char *noun, struct text *out);
void command_help(const struct command_table *t, const struct command *c,
                  const struct settings *settings, struct text *out);
