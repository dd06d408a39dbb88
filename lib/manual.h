/* What a program says about itself beyond its options: --help, its man page and the reference are
 * made of it. */
#pragma once

#include "lib/options.h"

struct manual_row {
    const char *name;
    const char *means; /* one sentence without a final stop */
};

struct manual_rows {
    const struct manual_row *list;
    size_t count;
};
#define MANUAL_ROWS(array)                                                                         \
    { .list = (array), .count = sizeof(array) / sizeof((array)[0]) }

#define MANUAL_SEE_ALSO_MAX 4

struct manual {
    const char *program; /* "grid-master" */
    int section;         /* of its man page */
    const char *summary; /* one sentence without a final stop, beginning with a verb */
    const char *usage;   /* "--data DIR [options]" */
    const char *details; /* paragraphs, parted by an empty line */
    const struct options *options;
    struct manual_rows environment; /* what is no option's */
    struct manual_rows files;
    struct manual_rows examples; /* name: a line to copy */
    bool many; /* does several things at once and may be interrupted: exit codes 8 and 130 */
    const char *see_also[MANUAL_SEE_ALSO_MAX]; /* "grid-agent(8)" */
};

/* How options are read (lib/options.h), in words. */
#define MANUAL_PRECEDENCE                                                                          \
    "A flag counts more than its environment variable, and that more than the default."
#define MANUAL_PRECEDENCE_FILE                                                                     \
    "A flag counts more than its environment variable, that more than its key in the "             \
    "configuration file, and that more than the default. Key section.name stands in the file as "  \
    "name = value below the line [section]; values may be quoted, comments begin with # or ;, "    \
    "and an unknown key is refused."

/* Whether the program may end with this exit code. */
bool manual_ends_with(const struct manual *m, int exit_code);

/* What --help prints: usage, summary, options with the values in force. */
void manual_help(const struct manual *m, const void *settings, struct text *out);

/* The same on stdout; returns the program's exit code. */
int manual_print(const struct manual *m, const void *settings);
