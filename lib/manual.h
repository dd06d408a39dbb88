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
    const struct manual_row *files;
    size_t file_count;
    const struct manual_row *examples; /* name: a line to copy */
    size_t example_count;
    const char *const *see_also; /* "grid-agent(8)" */
    size_t see_also_count;
};

/* What --help prints: usage, summary, options with the values in force. */
void manual_help(const struct manual *m, const void *settings, struct text *out);

/* The same on stdout; returns the program's exit code. */
int manual_print(const struct manual *m, const void *settings);
