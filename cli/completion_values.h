/* What may stand where on a line: what completion offers in every shell. Pure. */
#pragma once

#include "cli/command.h"

enum completion_kind {
    COMPLETE_NOTHING,
    COMPLETE_WORDS,
    COMPLETE_NAMES,
    COMPLETE_FILES,
    COMPLETE_DIRECTORIES,
};

struct completion_values {
    enum completion_kind kind;
    /* COMPLETE_WORDS: "table wide json". COMPLETE_NAMES: the noun whose list tells them, or
     * "version". */
    char words[128];
};

struct completion_values completion_of_option(const struct option_entry *option);

struct completion_argument {
    char name[32]; /* "ID" */
    bool optional;
    bool repeated;
    struct completion_values values;
};

/* The argument at *at in c->arguments, which moves on to the next one; false behind the last. */
bool completion_argument(const struct command_table *t, const struct command *c, const char **at,
                         struct completion_argument *out);

/* Whether row is the first one of its noun. */
bool completion_begins_noun(const struct command_table *t, size_t row);

/* Appends the script with this name of cli/shell. */
void completion_add_script(const char *name, struct text *out);
