/* Lists and single things, shown the same way whatever they are: fetched, decoded, laid out as -o
 * asks. */
#pragma once

#include "cli/answers.h"
#include "cli/api.h"
#include "cli/invocation.h"

struct listing {
    const char *path;   /* "/api/agents" */
    const char *plural; /* "agents" */
    const struct json_schema *schema;
    const struct output_column *columns;
    size_t column_count;
    void (*row)(const void *item, int64_t now_ms, struct output_table *t);
    const char *(*name)(const void *item);
    const char *when_empty; /* what to do when there is none at all; NULL: nothing */
};
#define COUNT_OF(array_) (sizeof(array_) / sizeof((array_)[0]))

/* Asks for the list with --filter, --sort, --limit and prints it. */
MUST_CHECK bool listing_run(struct invocation *call, const struct listing *l, struct err *e);

/* Prints the answer as it came, indented (-o json). */
MUST_CHECK bool listing_json(const struct http_answer *answer, struct err *e);

/* Prints one line. */
MUST_CHECK bool listing_line(struct err *e, const char *format, ...) PRINTF_LIKE(2, 3);

/* After a change: the answer with -o json, name with -o name, else the line. */
MUST_CHECK bool listing_changed(const struct invocation *call, const struct http_answer *answer,
                                const char *name, struct err *e, const char *format, ...)
    PRINTF_LIKE(5, 6);

/* Fetches a log (path, with --lines) and prints it: as it is, or made harmless on a terminal. */
MUST_CHECK bool listing_log(struct invocation *call, struct text *path, struct err *e);
