/* Files compiled into a program (SQL schemas). Constant: any thread.
 * cmake/embed.cmake generates the tables; names are base names, rows are sorted by name. */
#pragma once
#include <stddef.h>

struct embedded_file {
    const char *name;
    const char *data; /* size bytes, followed by a NUL that size does not count */
    size_t size;
};

/* Declares NAME_files[] and NAME_file_count, e.g. EMBED_DECLARE(master_schema). */
#define EMBED_DECLARE(name)                                                                        \
    extern const struct embedded_file name##_files[];                                              \
    extern const size_t name##_file_count;
