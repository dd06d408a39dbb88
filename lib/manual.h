/* What a program says about itself beyond its options: --help, its man page and the reference are
 * made of it. */
#pragma once

#include "lib/options.h"

struct manual_row {
    const char *name;
    const char *means; /* one sentence without a final stop */
};

struct manual {
    const char *program; /* "grid-master" */
    int section;         /* of its man page */
    const char *summary; /* one sentence without a final stop, beginning with a verb */
    const char *usage;   /* "--data DIR [options]" */
    const char *details; /* paragraphs, parted by an empty line */
    const struct options *options;
    const struct manual_row *environment; /* what is no option's */
    size_t environment_count;
    const struct manual_row *files;
    size_t file_count;
    const struct manual_row *examples; /* name: a line to copy */
    size_t example_count;
    bool many; /* does several things at once and may be interrupted: exit codes 8 and 130 */
    const char *const *see_also; /* "grid-agent(8)" */
    size_t see_also_count;
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
